//! A reverse tape over candle tensors.
//!
//! Operators compute at once and push one backward closure each; [`Tape::backward`] runs the closures from last to
//! first. A closure owns what it saved, so activations are freed as they are consumed. The first gradient that reaches
//! a value is moved in, later ones are added in place. Where nothing upstream is trained, nothing is recorded: a frozen
//! prefix of a network costs no memory.
//!
//! The tape carries the phase and the generator's key, so layers have no hidden state. It also carries the type that is
//! computed in, where that is not the type of the parameters, and a recorder, where somebody asks what is computed.

mod gradients;
mod value;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use candle_core::{DType, Tensor};

use crate::element::has_kernels;
use crate::error::{Error, Result};
use crate::parameter::{Parameter, ParameterId};
use crate::random::Generator;
use crate::recorder::{Described, Operator, Recorded, Recorder, Source, ValueId};

pub use gradients::{Gradient, Gradients};
pub use value::{Slot, Value};

/// The purpose of a forward pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Batch statistics and dropout, gradients recorded.
    Train,
    /// Running statistics, no dropout.
    Eval,
}

/// The implementation of operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// Own kernels for `f32` and `f64` on the CPU, candle's operators elsewhere.
    #[default]
    Kernels,
    /// Candle's operators composed, on the CPU too: what runs on CUDA, made testable without a GPU.
    Composed,
}

type Backward = Box<dyn FnOnce(Gradient, &mut Gradients) -> Result<()>>;

/// A trained parameter on a tape.
struct Used {
    id: ParameterId,
    slot: Slot,
    /// The first operator that uses it, whose way back is the last that adds to its gradient.
    first: Option<usize>,
}

/// A recording of one forward pass.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use mga_core::ops;
/// use mga_core::tape::Tape;
///
/// let mut tape = Tape::train(0, 0);
/// let x = tape.variable(&Tensor::new(&[[1.0f32, -2.0]], &Device::Cpu)?)?;
/// let weight = tape.constant(&Tensor::new(&[[3.0f32, 4.0]], &Device::Cpu)?)?;
/// let bias = tape.constant(&Tensor::new(&[0.5f32], &Device::Cpu)?)?;
/// let y = ops::linear(&mut tape, x.clone(), weight, bias)?;
///
/// let gradient = tape.backward(&y, 1.0)?.take(&x).expect("y depends on x");
/// assert_eq!(gradient.to_vec2::<f32>()?, [[3.0, 4.0]]);
/// # Ok::<(), mga_core::Error>(())
/// ```
pub struct Tape {
    phase: Phase,
    engine: Engine,
    recording: bool,
    recompute: bool,
    nodes: Vec<(Slot, Backward)>,
    slots: usize,
    parameters: Vec<Used>,
    /// Where a parameter stands in `parameters`, by its slot.
    by_slot: HashMap<Slot, usize>,
    compute_type: Option<DType>,
    /// Parameters in the type that is computed in.
    cast: HashMap<ParameterId, Value>,
    recorder: Option<Rc<RefCell<dyn Recorder>>>,
    /// Parameters that the recorder knows.
    known: HashMap<ParameterId, ValueId>,
    values: Cell<u64>,
    seed: u64,
    step: u64,
    draws: u64,
    held: usize,
}

impl Tape {
    /// Returns a tape that records, for training step `step` of a run seeded with `seed` (dropout draws from the two).
    pub fn train(seed: u64, step: u64) -> Self {
        Self::new(Phase::Train, true, seed, step)
    }

    /// Returns a tape for evaluation: running statistics, no dropout, nothing recorded.
    pub fn eval() -> Self {
        Self::new(Phase::Eval, false, 0, 0)
    }

    /// Returns a tape of any combination: evaluation statistics with gradients, training statistics without.
    pub fn new(phase: Phase, recording: bool, seed: u64, step: u64) -> Self {
        Self {
            phase,
            engine: Engine::default(),
            recording,
            recompute: false,
            nodes: vec![],
            slots: 0,
            parameters: vec![],
            by_slot: HashMap::new(),
            compute_type: None,
            cast: HashMap::new(),
            recorder: None,
            known: HashMap::new(),
            values: Cell::new(0),
            seed,
            step,
            draws: 0,
            held: 0,
        }
    }

    /// Returns the same tape on another engine.
    #[must_use]
    pub fn with_engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    /// Drops what the way back can compute again (`train.recompute`): less memory for some more time.
    #[must_use]
    pub fn with_recompute(mut self, recompute: bool) -> Self {
        self.recompute = recompute;
        self
    }

    /// Computes in `dtype`, whatever the type of the parameters: [`Self::parameter`] and [`Self::constant`] give values of
    /// it, and gradients come in the parameter's own type. Statistics and parameters of norms stay in the type of the
    /// parameters; norms, softmax and losses of half precision are computed in `f32`.
    ///
    /// On a tape without it nothing is cast. On the CPU `f16` and `bf16` compose candle's operators, which is slow.
    ///
    /// # Errors
    /// A type that is none of `f64`, `f32`, `f16` and `bf16`.
    pub fn with_compute_type(mut self, dtype: DType) -> Result<Self> {
        if !is_computed_in(dtype) {
            let what = format!("nothing is computed in {dtype:?}; expected one of F64, F32, F16 and BF16");
            return Err(Error::settings(what));
        }
        self.compute_type = Some(dtype);
        Ok(self)
    }

    /// Tells `recorder` what is computed on this tape.
    #[must_use]
    pub fn with_recorder(mut self, recorder: Rc<RefCell<dyn Recorder>>) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// Returns whether operators should rather compute again than keep.
    pub fn recomputes(&self) -> bool {
        self.recompute
    }

    /// Returns the purpose of this pass.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Returns the training step that this pass belongs to, from 0; 0 in evaluation.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// Returns the number of operators recorded so far.
    pub fn recorded(&self) -> usize {
        self.nodes.len()
    }

    /// Returns the bytes of the outputs of recorded operators: about what stays in memory until the way back.
    pub fn recorded_bytes(&self) -> usize {
        self.held
    }

    /// Whether own kernels serve this tensor on this tape.
    pub(crate) fn kernels(&self, tensor: &Tensor) -> bool {
        self.engine == Engine::Kernels && has_kernels(tensor)
    }

    /// Returns the generator of the next random operator of this pass.
    pub fn generator(&mut self, purpose: &str) -> Generator {
        self.draws += 1;
        Generator::new(self.seed, purpose, &[self.step, self.draws])
    }

    /// Puts a tensor on the tape that needs no gradient, in the type that is computed in.
    pub fn constant(&self, tensor: &Tensor) -> Result<Value> {
        let tensor = match self.compute_type {
            Some(dtype) if is_computed_in(tensor.dtype()) => tensor.to_dtype(dtype)?.contiguous()?,
            _ => tensor.contiguous()?,
        };
        let id = self.source(&tensor, || Source::Constant);
        Ok(Value { tensor, slot: None, id })
    }

    /// Puts a tensor on the tape whose gradient is wanted: see [`Gradients::take`]. Its type stays as it is.
    pub fn variable(&mut self, tensor: &Tensor) -> Result<Value> {
        let slot = self.recording.then(|| self.new_slot());
        let tensor = tensor.contiguous()?;
        let id = self.source(&tensor, || Source::Variable);
        Ok(Value { tensor, slot, id })
    }

    /// Returns a parameter's present value, in the type that is computed in. Its gradient is collected unless it is frozen, and
    /// comes in the parameter's type.
    ///
    /// # Errors
    /// A cast that its device does not know.
    pub fn parameter(&mut self, parameter: &Parameter) -> Result<Value> {
        let own = self.uncast(parameter);
        let Some(dtype) = self.compute_type.filter(|&dtype| dtype != own.tensor.dtype()) else { return Ok(own) };
        if let Some(value) = self.cast.get(&parameter.id()) {
            return Ok(value.clone());
        }
        let (slot, from, tensor) = (own.slot, own.tensor.dtype(), own.tensor.to_dtype(dtype)?);
        let operator = || vec![("type", dtype.as_str().into())];
        let value = self.record(Operator::with("cast", &operator), &[&own], tensor, move |dy, gradients| {
            gradients.add(slot, Gradient::new(dy.tensor().to_dtype(from)?))
        });
        self.cast.insert(parameter.id(), value.clone());
        Ok(value)
    }

    /// Returns a parameter's present value in its own type, whatever is computed in: for what must not be rounded, as
    /// statistics and parameters of norms.
    pub fn uncast(&mut self, parameter: &Parameter) -> Value {
        let tensor = parameter.tensor();
        let id = match self.known.get(&parameter.id()) {
            Some(id) => *id,
            None => {
                let id = self.source(&tensor, || Source::Parameter(parameter.name().to_owned()));
                if self.recorder.is_some() {
                    self.known.insert(parameter.id(), id);
                }
                id
            }
        };
        if !self.recording || !parameter.is_trained() {
            return Value { tensor, slot: None, id };
        }
        let known = self.parameters.iter().find(|used| used.id == parameter.id()).map(|used| used.slot);
        let slot = known.unwrap_or_else(|| {
            let slot = self.new_slot();
            self.by_slot.insert(slot, self.parameters.len());
            self.parameters.push(Used { id: parameter.id(), slot, first: None });
            slot
        });
        Value { tensor, slot: Some(slot), id }
    }

    /// Tells the recorder of a value that no operator made.
    fn source(&self, tensor: &Tensor, source: impl FnOnce() -> Source) -> ValueId {
        let Some(recorder) = &self.recorder else { return ValueId::default() };
        let id = self.new_id();
        recorder.borrow_mut().source(Described::new(id, tensor), source(), tensor);
        id
    }

    fn new_id(&self) -> ValueId {
        self.values.set(self.values.get() + 1);
        ValueId(self.values.get())
    }

    /// Returns the result of an operator, which remembers how to go back where one of `inputs` needs a gradient. `operator` is
    /// what a recorder hears of it.
    ///
    /// `backward` gets the gradient of `output` and adds to the slots of its inputs, and of no other value. Build it with what
    /// it must save and nothing more; it is dropped at once where no input needs a gradient.
    pub fn record(
        &mut self,
        operator: Operator<'_>,
        inputs: &[&Value],
        output: Tensor,
        backward: impl FnOnce(Gradient, &mut Gradients) -> Result<()> + 'static,
    ) -> Value {
        let id = self.tell(operator, inputs, &output);
        if !self.needs_gradient(inputs) {
            return Value { tensor: output, slot: None, id };
        }
        for slot in inputs.iter().filter_map(|value| value.slot) {
            if let Some(&at) = self.by_slot.get(&slot) {
                self.parameters[at].first.get_or_insert(self.nodes.len());
            }
        }
        let slot = self.new_slot();
        self.held += output.elem_count() * output.dtype().size_in_bytes();
        self.nodes.push((slot, Box::new(backward)));
        Value { tensor: output, slot: Some(slot), id }
    }

    /// Returns the result of an operator that no gradient passes through, whatever its inputs need.
    pub fn record_detached(&mut self, operator: Operator<'_>, inputs: &[&Value], output: Tensor) -> Value {
        let id = self.tell(operator, inputs, &output);
        Value { tensor: output, slot: None, id }
    }

    /// Tells the recorder of an operator.
    fn tell(&self, operator: Operator<'_>, inputs: &[&Value], output: &Tensor) -> ValueId {
        let Some(recorder) = &self.recorder else { return ValueId::default() };
        let id = self.new_id();
        recorder.borrow_mut().operator(Recorded {
            name: operator.name,
            attributes: operator.attributes.map(|attributes| attributes()).unwrap_or_default(),
            inputs: inputs.iter().map(|value| Described::new(value.id, &value.tensor)).collect(),
            outputs: vec![Described::new(id, output)],
        });
        id
    }

    /// Returns whether anything upstream of these values is trained.
    pub fn needs_gradient(&self, inputs: &[&Value]) -> bool {
        self.recording && inputs.iter().any(|value| value.slot.is_some())
    }

    fn new_slot(&mut self) -> Slot {
        self.slots += 1;
        Slot(self.slots - 1)
    }

    /// Goes back from the scalar `loss` (scaled by `scale`: 1 / accumulated batches) and returns every gradient that
    /// was wanted.
    ///
    /// # Errors
    /// A loss of several numbers.
    pub fn backward(self, loss: &Value, scale: f64) -> Result<Gradients> {
        self.backward_telling(loss, scale, &mut |_, _| Ok(()))
    }

    /// Goes back in the same way, and tells of each parameter's gradient as soon as nothing more is added to it: those of the
    /// last layers first, while the way back goes on. So the sum over several devices, say, can begin early.
    ///
    /// `complete` hears of each parameter once; of one that the loss does not depend on it hears nothing. The tensor is the
    /// one that [`Gradients::into_parameters`] gives. Two parameters may share it: it must not be changed in place.
    ///
    /// # Errors
    /// A loss of several numbers; what `complete` says.
    pub fn backward_telling(
        self,
        loss: &Value,
        scale: f64,
        complete: &mut dyn FnMut(ParameterId, &Tensor) -> Result<()>,
    ) -> Result<Gradients> {
        if loss.tensor.elem_count() != 1 {
            return Err(Error::shape("backward", format!("the loss must be one number, got {:?}", loss.dims())));
        }
        let parameters = self.parameters.iter().map(|used| (used.id, used.slot)).collect();
        let mut gradients = Gradients::none(self.slots, parameters);
        if let Some(slot) = loss.slot {
            gradients.add(Some(slot), Gradient::new((loss.tensor.ones_like()? * scale)?))?;
        }
        // By the operator that is the last on the way back to add to each; those of the last operators at the end.
        let mut waiting = self.parameters;
        waiting.sort_by_key(|used| used.first);
        for (at, (slot, backward)) in self.nodes.into_iter().enumerate().rev() {
            if let Some(gradient) = gradients.take_slot(slot) {
                backward(gradient, &mut gradients)?;
            }
            while let Some(used) = waiting.pop_if(|used| used.first == Some(at)) {
                if let Some(gradient) = gradients.close(used.slot) {
                    complete(used.id, gradient)?;
                }
            }
        }
        // A loss that is a parameter itself.
        for used in waiting {
            if let Some(gradient) = gradients.close(used.slot) {
                complete(used.id, gradient)?;
            }
        }
        Ok(gradients)
    }
}

/// Whether operators compute in numbers of this type.
fn is_computed_in(dtype: DType) -> bool {
    matches!(dtype, DType::F64 | DType::F32 | DType::F16 | DType::BF16)
}

#[cfg(test)]
mod tests;
