//! Named parameters and buffers of a model, in the order in which it is built.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, RwLock};

use candle_core::{DType, Device, Shape, Tensor};

use crate::error::{Error, Result};
use crate::random::Generator;

/// Identifies a parameter among those of all stores of the process. Ids of one store are in building order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ParameterId {
    store: u32,
    index: usize,
}

/// Whether an entry is learnt or only kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Learnt by gradient, unless frozen.
    Weight,
    /// Kept beside the weights: running statistics.
    Buffer,
}

/// A named tensor of a model. Clones share it.
#[derive(Clone)]
pub struct Parameter(Arc<Entry>);

struct Entry {
    id: ParameterId,
    name: String,
    kind: Kind,
    value: RwLock<Tensor>,
    trained: AtomicBool,
}

impl Parameter {
    /// Returns the id, which is unique in its store and among other stores.
    pub fn id(&self) -> ParameterId {
        self.0.id
    }

    /// Returns the state-dict name, such as `layer1.0.conv1.weight`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns whether this is a weight or a buffer.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Returns the current value.
    pub fn tensor(&self) -> Tensor {
        self.0.value.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Replaces the value by one of the same shape and type.
    pub fn set(&self, value: Tensor) -> Result<()> {
        let mut present = self.0.value.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        if present.dims() != value.dims() || present.dtype() != value.dtype() {
            return Err(Error::Weights(format!(
                "{}: cannot put {:?} {:?} in place of {:?} {:?}",
                self.0.name,
                value.dtype(),
                value.dims(),
                present.dtype(),
                present.dims()
            )));
        }
        *present = value.contiguous()?;
        Ok(())
    }

    /// Returns whether the optimiser may change it. Buffers are never trained.
    pub fn is_trained(&self) -> bool {
        self.0.kind == Kind::Weight && self.0.trained.load(Ordering::Relaxed)
    }

    /// Freezes (`false`) or thaws it.
    pub fn set_trained(&self, trained: bool) {
        self.0.trained.store(trained, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Parameter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?}", self.0.name, self.tensor().dims())
    }
}

/// The initialisation of a tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Every number the same.
    Constant(f64),
    /// Uniform in `[-bound, bound)`.
    Uniform(f64),
    /// Normal with this standard deviation.
    Normal(f64),
}

impl Init {
    /// Returns PyTorch's default for convolutions and linear layers: uniform within `1 / sqrt(fan_in)`.
    pub fn fan_in(fan_in: usize) -> Self {
        Self::Uniform(1.0 / (fan_in.max(1) as f64).sqrt())
    }

    /// Returns the initialisation of He et al. 2015 for rectified units by fan out: normal with variance `2 / fan_out`
    /// (torchvision's convolutions).
    pub fn he_fan_out(fan_out: usize) -> Self {
        Self::Normal((2.0 / fan_out.max(1) as f64).sqrt())
    }

    /// Draws a tensor for the entry `name`, which depends only on seed, name and shape.
    pub fn draw(self, seed: u64, name: &str, shape: &Shape, dtype: DType, device: &Device) -> Result<Tensor> {
        let mut generator = Generator::new(seed, name, &[]);
        let values: Vec<f64> = (0..shape.elem_count())
            .map(|_| match self {
                Self::Constant(value) => value,
                Self::Uniform(bound) => generator.uniform_in(-bound, bound),
                Self::Normal(deviation) => deviation * generator.normal(),
            })
            .collect();
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(dtype)?.to_device(device)?)
    }
}

/// Every parameter and buffer of a model, in building order.
///
/// The names are those of a state dict. The same seed draws the same numbers, whatever else is built.
///
/// ```
/// use candle_core::{DType, Device};
/// use mga_core::nn::Linear;
/// use mga_core::parameter::ParameterStore;
///
/// let mut store = ParameterStore::new(7, DType::F32, &Device::Cpu);
/// let _layer = Linear::new(store.root().pp("classifier"), 64, 10)?;
///
/// let names: Vec<&str> = store.entries().iter().map(|parameter| parameter.name()).collect();
/// assert_eq!(names, ["classifier.weight", "classifier.bias"]);
/// assert_eq!(store.freeze(&["classifier"]), 2);
/// # Ok::<(), mga_core::Error>(())
/// ```
pub struct ParameterStore {
    entries: Vec<Parameter>,
    by_name: HashMap<String, usize>,
    /// What tells its ids from those of other stores.
    number: u32,
    seed: u64,
    dtype: DType,
    device: Device,
}

impl ParameterStore {
    /// Creates an empty store whose tensors are drawn from `seed`.
    pub fn new(seed: u64, dtype: DType, device: &Device) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self { entries: vec![], by_name: HashMap::new(), number, seed, dtype, device: device.clone() }
    }

    /// Returns a builder at the root of the names.
    pub fn root(&mut self) -> Builder<'_> {
        Builder { store: self, prefix: String::new(), input: Input::default() }
    }

    /// Returns all entries, in the order in which they were built.
    pub fn entries(&self) -> &[Parameter] {
        &self.entries
    }

    /// Returns the entry called `name`.
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        self.by_name.get(name).map(|&index| &self.entries[index])
    }

    /// Returns the entry with this id; `None` if it belongs to another store.
    pub fn by_id(&self, id: ParameterId) -> Option<&Parameter> {
        self.entries.get(id.index).filter(|_| id.store == self.number)
    }

    /// Returns the element type of all entries.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Returns the device of all entries.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Returns the seed fresh tensors are drawn from.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the names and current values, for a checkpoint.
    pub fn tensors(&self) -> Vec<(String, Tensor)> {
        self.entries.iter().map(|entry| (entry.name().to_owned(), entry.tensor())).collect()
    }

    /// Freezes every weight under one of the state-dict prefixes (matched at dots); returns how many.
    pub fn freeze(&self, prefixes: &[&str]) -> usize {
        let frozen =
            self.entries.iter().filter(|e| e.kind() == Kind::Weight && prefixes.iter().any(|p| under(e.name(), p)));
        frozen.map(|entry| entry.set_trained(false)).count()
    }
}

/// Returns whether `name` is `prefix` or lies below it: `features.1` holds `features.1.weight`, not
/// `features.10.weight`.
pub fn under(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || prefix.ends_with('.'))
}

/// Adds entries to a store below a prefix.
pub struct Builder<'a> {
    store: &'a mut ParameterStore,
    prefix: String,
    input: Input,
}

/// The name of the weights that see the mask where it is a further channel of the input, `[O, 1, kh, kw]`. It stands
/// outside every stage, so that a frozen first stage learns to see the mask all the same, and published weights of three
/// channels fit as they are.
pub const MASK_CHANNEL: &str = "mask_channel.weight";

/// What a builder knows of the network's input.
#[derive(Debug, Clone, Copy, Default)]
struct Input {
    /// The mask is its fourth channel.
    masked: bool,
    /// What is built here takes it.
    here: bool,
}

impl Builder<'_> {
    /// Returns a builder one level further down: `builder.pp("layer1").pp(0)`.
    pub fn pp(&mut self, name: impl std::fmt::Display) -> Builder<'_> {
        let prefix = self.path(&name.to_string());
        Builder { store: self.store, prefix, input: self.input }
    }

    /// Borrows the same builder for a shorter time.
    pub fn reborrow(&mut self) -> Builder<'_> {
        Builder { store: self.store, prefix: self.prefix.clone(), input: self.input }
    }

    /// Sets that the network's input is `[N, 4, H, W]`, with the mask as the fourth channel.
    #[must_use]
    pub fn with_mask_channel(mut self) -> Self {
        self.input.masked = true;
        self
    }

    /// Marks the layer that is built here as the first convolution, which takes the network's input. If the mask is a
    /// channel of the input, this convolution gets [`MASK_CHANNEL`] next to its weight.
    #[must_use]
    pub fn of_images(mut self) -> Self {
        self.input.here = true;
        self
    }

    /// [`MASK_CHANNEL`] for a convolution built here; `None`: its input has no mask.
    pub(crate) fn mask_channel(&mut self, shape: impl Into<Shape>, init: Init) -> Result<Option<Parameter>> {
        if !(self.input.masked && self.input.here) {
            return Ok(None);
        }
        let mut root = Builder { store: self.store, prefix: String::new(), input: Input::default() };
        root.weight(MASK_CHANNEL, shape, init).map(Some)
    }

    /// Adds a weight that is learnt.
    pub fn weight(&mut self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Parameter> {
        self.entry(name, shape.into(), init, Kind::Weight)
    }

    /// Adds a buffer, which is kept but not learnt.
    pub fn buffer(&mut self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Parameter> {
        self.entry(name, shape.into(), init, Kind::Buffer)
    }

    fn path(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }

    fn entry(&mut self, name: &str, shape: Shape, init: Init, kind: Kind) -> Result<Parameter> {
        let name = self.path(name);
        let store = &mut *self.store;
        if store.by_name.contains_key(&name) {
            return Err(Error::Weights(format!("{name}: two parameters of the model have this name")));
        }
        let value = init.draw(store.seed, &name, &shape, store.dtype, &store.device)?;
        let id = ParameterId { store: store.number, index: store.entries.len() };
        let entry = Entry { id, name: name.clone(), kind, value: RwLock::new(value), trained: AtomicBool::new(true) };
        let parameter = Parameter(Arc::new(entry));
        store.by_name.insert(name, id.index);
        store.entries.push(parameter.clone());
        Ok(parameter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn freezing_matches_at_dots() -> Result<()> {
        let mut store = ParameterStore::new(0, DType::F32, &Device::Cpu);
        for index in [1, 10] {
            store.root().pp("features").pp(index).weight("weight", 2, Init::Constant(0.0))?;
        }
        assert_eq!(store.freeze(&["features.1"]), 1);
        let trained: Vec<bool> = store.entries().iter().map(Parameter::is_trained).collect();
        assert_eq!(trained, [false, true]);
        Ok(())
    }

    #[test]
    fn ids_are_unique_across_stores() -> Result<()> {
        let mut stores = [0, 1].map(|seed| ParameterStore::new(seed, DType::F32, &Device::Cpu));
        let ids: Vec<ParameterId> = stores
            .iter_mut()
            .map(|store| Ok(store.root().weight("w", 1, Init::Constant(0.0))?.id()))
            .collect::<Result<_>>()?;
        assert_ne!(ids[0], ids[1]);
        assert!(stores[0].by_id(ids[0]).is_some() && stores[0].by_id(ids[1]).is_none());
        Ok(())
    }

    #[test]
    fn a_draw_depends_on_its_name_alone() -> Result<()> {
        let draw = |names: &[&str]| -> Result<Vec<f32>> {
            let mut store = ParameterStore::new(3, DType::F32, &Device::Cpu);
            for name in names {
                store.root().weight(name, 4, Init::Normal(1.0))?;
            }
            Ok(store.get("a").map(|p| p.tensor().to_vec1()).transpose()?.unwrap_or_default())
        };
        assert_eq!(draw(&["a", "b"])?, draw(&["b", "a"])?);
        Ok(())
    }

    #[test]
    fn a_name_is_taken_once() -> Result<()> {
        let mut store = ParameterStore::new(0, DType::F32, &Device::Cpu);
        store.root().weight("a", 1, Init::Constant(0.0))?;
        assert!(store.root().weight("a", 1, Init::Constant(0.0)).is_err());
        Ok(())
    }
}
