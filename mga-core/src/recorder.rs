//! What a forward pass is made of, told to whoever asks: for export, and to count what is launched.
//!
//! A tape with a [`Recorder`] ([`crate::tape::Tape::with_recorder`]) tells it every operator with its attributes, and where
//! every value that no operator made comes from. Layers that compose operators appear as those; a fused operator is one, and
//! its attributes say what it does. Without a recorder a tape does none of this work.
//!
//! ```
//! use std::{cell::RefCell, rc::Rc};
//!
//! use candle_core::{DType, Device, Tensor};
//! use mga_core::ops;
//! use mga_core::recorder::{Attribute, Graph};
//! use mga_core::tape::Tape;
//!
//! let graph = Rc::new(RefCell::new(Graph::default()));
//! let mut tape = Tape::eval().with_recorder(graph.clone());
//! let x = tape.constant(&Tensor::zeros((2, 6), DType::F32, &Device::Cpu)?)?;
//! let y = ops::reshape(&mut tape, x, &[2, 3, 2])?;
//! let graph = graph.borrow();
//! let [reshape] = &graph.operators[..] else { panic!("one operator") };
//! assert_eq!(reshape.name, "reshape");
//! assert_eq!(reshape.attribute("shape"), Some(&Attribute::Integers(vec![2, 3, 2])));
//! assert_eq!(reshape.inputs[0].id, graph.sources[0].0.id);
//! assert_eq!(reshape.outputs[0].dims, y.dims());
//! # Ok::<(), mga_core::Error>(())
//! ```

use candle_core::{DType, Tensor};

/// Identifies a value among those of its tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct ValueId(pub(crate) u64);

/// A setting of an operator.
#[derive(Debug, Clone, PartialEq)]
pub enum Attribute {
    /// Whether something is so.
    Flag(bool),
    /// A size, a step, a dimension.
    Integer(i64),
    /// Several: a shape, the two sides of a window.
    Integers(Vec<i64>),
    /// A real number.
    Number(f64),
    /// Several real numbers.
    Numbers(Vec<f64>),
    /// One of several words.
    Text(String),
}

impl From<bool> for Attribute {
    fn from(value: bool) -> Self {
        Self::Flag(value)
    }
}

impl From<usize> for Attribute {
    fn from(value: usize) -> Self {
        Self::Integer(value as i64)
    }
}

impl From<(usize, usize)> for Attribute {
    fn from((first, second): (usize, usize)) -> Self {
        Self::from(&[first, second][..])
    }
}

impl From<&[usize]> for Attribute {
    fn from(values: &[usize]) -> Self {
        Self::Integers(values.iter().map(|&value| value as i64).collect())
    }
}

impl From<f64> for Attribute {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<Vec<f64>> for Attribute {
    fn from(values: Vec<f64>) -> Self {
        Self::Numbers(values)
    }
}

impl From<&str> for Attribute {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// The settings of an operator, by name.
pub type Attributes = Vec<(&'static str, Attribute)>;

/// The description of an operator by its code: its name, and its settings on request.
#[derive(Clone, Copy)]
pub struct Operator<'a> {
    pub(crate) name: &'static str,
    pub(crate) attributes: Option<&'a dyn Fn() -> Attributes>,
}

impl<'a> Operator<'a> {
    /// Describes an operator without settings.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        Self { name, attributes: None }
    }

    /// Describes an operator with settings, which are computed for a recorder alone.
    #[must_use]
    pub fn with(name: &'static str, attributes: &'a dyn Fn() -> Attributes) -> Self {
        Self { name, attributes: Some(attributes) }
    }
}

/// A value: its identity, shape and type.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// The identity of the value.
    pub id: ValueId,
    /// The sizes of the value.
    pub dims: Vec<usize>,
    /// The type of its numbers.
    pub dtype: DType,
}

impl Described {
    pub(crate) fn new(id: ValueId, tensor: &Tensor) -> Self {
        Self { id, dims: tensor.dims().to_vec(), dtype: tensor.dtype() }
    }
}

/// The source of a value that no operator made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Source {
    /// The parameter or buffer of this name. The same parameter is one value, however often it is used.
    Parameter(String),
    /// Numbers that need no gradient: the images, say.
    Constant,
    /// Numbers whose gradient is wanted.
    Variable,
}

/// An operator that ran.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The name, that of the function in [`crate::ops`] or [`crate::loss`].
    pub name: &'static str,
    /// The settings. Together with the shapes of the inputs they determine the shapes of the outputs.
    pub attributes: Attributes,
    /// The inputs, in the order of the function's arguments.
    pub inputs: Vec<Described>,
    /// The outputs.
    pub outputs: Vec<Described>,
}

impl Recorded {
    /// Returns the setting of this name.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|(own, _)| *own == name).map(|(_, attribute)| attribute)
    }
}

/// Hears what a tape computes, in the order in which it does.
pub trait Recorder {
    /// Hears of a value that no operator made, before the first operator that uses it. `tensor` holds its numbers.
    fn source(&mut self, value: Described, source: Source, tensor: &Tensor);

    /// Hears of an operator that ran.
    fn operator(&mut self, operator: Recorded);
}

/// A recorder that keeps everything but the numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Graph {
    /// Values that no operator made.
    pub sources: Vec<(Described, Source)>,
    /// Operators, in the order in which they ran.
    pub operators: Vec<Recorded>,
}

impl Recorder for Graph {
    fn source(&mut self, value: Described, source: Source, _tensor: &Tensor) {
        self.sources.push((value, source));
    }

    fn operator(&mut self, operator: Recorded) {
        self.operators.push(operator);
    }
}
