//! A reverse tape over candle tensors.
//!
//! Operators compute at once and push one backward closure each; [`Tape::backward`] runs the closures from last to
//! first. A closure owns what it saved, so activations are freed as they are consumed. The first gradient that reaches
//! a value is moved in, later ones are added in place. Where nothing upstream is trained, nothing is recorded: a frozen
//! prefix of a network costs no memory.
//!
//! The tape carries the phase and the generator's key, so layers have no hidden state.

use std::rc::Rc;

use candle_core::{DType, Tensor};

use crate::element::{Element, has_kernels, modify, read, with_element};
use crate::error::{Error, Result};
use crate::parameter::{Parameter, ParameterId};
use crate::random::Generator;

/// What a forward pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Batch statistics and dropout, gradients recorded.
    Train,
    /// Running statistics, no dropout.
    Eval,
}

/// How operators compute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Engine {
    /// Own kernels for `f32` and `f64` on the CPU, candle's operators elsewhere.
    #[default]
    Kernels,
    /// Candle's operators composed, on the CPU too: what runs on CUDA, made testable without a GPU.
    Composed,
}

/// A tensor on the tape. Cheap to clone; drop it (or move it into an operator) to let its memory go early.
#[derive(Debug, Clone)]
pub struct Value {
    tensor: Tensor,
    slot: Option<Slot>,
}

/// Where the gradient of a value is collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot(usize);

impl Value {
    /// The numbers.
    pub fn tensor(&self) -> &Tensor {
        &self.tensor
    }

    /// The sizes, `[N, C, H, W]` for images.
    pub fn dims(&self) -> &[usize] {
        self.tensor.dims()
    }

    /// The four sizes of an image batch, `(N, C, H, W)`.
    pub fn dims4(&self) -> Result<(usize, usize, usize, usize)> {
        Ok(self.tensor.dims4()?)
    }

    /// Where this value's gradient goes; `None` where nobody needs it.
    pub fn slot(&self) -> Option<Slot> {
        self.slot
    }
}

/// A gradient, perhaps shared with another slot.
#[derive(Debug, Clone)]
pub struct Gradient(Rc<Tensor>);

impl Gradient {
    /// Takes over a contiguous tensor that nobody else holds.
    pub fn new(tensor: Tensor) -> Self {
        Self(Rc::new(tensor))
    }

    /// The numbers.
    pub fn tensor(&self) -> &Tensor {
        &self.0
    }

    /// The tensor itself where nobody shares it, so that it may be changed in place; otherwise the gradient back.
    pub fn into_unique(self) -> std::result::Result<Tensor, Self> {
        Rc::try_unwrap(self.0).map_err(Self)
    }

    /// The tensor, to change in place; a copy of it where somebody shares it.
    ///
    /// # Errors
    /// A copy that its device has no room for.
    pub(crate) fn into_owned(self) -> Result<Tensor> {
        match self.into_unique() {
            Ok(tensor) => Ok(tensor),
            Err(shared) => Ok(shared.tensor().copy()?),
        }
    }
}

type Backward = Box<dyn FnOnce(Gradient, &mut Gradients) -> Result<()>>;

/// One recorded forward pass.
pub struct Tape {
    phase: Phase,
    engine: Engine,
    recording: bool,
    recompute: bool,
    nodes: Vec<(Slot, Backward)>,
    slots: usize,
    parameters: Vec<(ParameterId, Slot)>,
    seed: u64,
    step: u64,
    draws: u64,
    held: usize,
}

impl Tape {
    /// A tape that records, for training step `step` of a run seeded with `seed` (dropout draws from the two).
    pub fn train(seed: u64, step: u64) -> Self {
        Self::new(Phase::Train, true, seed, step)
    }

    /// A tape for evaluation: running statistics, no dropout, nothing recorded.
    pub fn eval() -> Self {
        Self::new(Phase::Eval, false, 0, 0)
    }

    /// Any combination: evaluation statistics with gradients, training statistics without.
    pub fn new(phase: Phase, recording: bool, seed: u64, step: u64) -> Self {
        Self {
            phase,
            engine: Engine::default(),
            recording,
            recompute: false,
            nodes: vec![],
            slots: 0,
            parameters: vec![],
            seed,
            step,
            draws: 0,
            held: 0,
        }
    }

    /// The same tape on another engine.
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

    /// Whether operators should rather compute again than keep.
    pub fn recomputes(&self) -> bool {
        self.recompute
    }

    /// What this pass is for.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Number of operators recorded so far.
    pub fn recorded(&self) -> usize {
        self.nodes.len()
    }

    /// Bytes of the outputs of recorded operators: about what stays in memory until the way back.
    pub fn recorded_bytes(&self) -> usize {
        self.held
    }

    /// Whether own kernels serve this tensor on this tape.
    pub(crate) fn kernels(&self, tensor: &Tensor) -> bool {
        self.engine == Engine::Kernels && has_kernels(tensor)
    }

    /// The generator of the next random operator of this pass.
    pub fn generator(&mut self, purpose: &str) -> Generator {
        self.draws += 1;
        Generator::new(self.seed, purpose, &[self.step, self.draws])
    }

    /// A value that needs no gradient.
    pub fn constant(&self, tensor: &Tensor) -> Result<Value> {
        Ok(Value { tensor: tensor.contiguous()?, slot: None })
    }

    /// A value whose gradient is wanted: see [`Gradients::take`].
    pub fn variable(&mut self, tensor: &Tensor) -> Result<Value> {
        let slot = self.recording.then(|| self.new_slot());
        Ok(Value { tensor: tensor.contiguous()?, slot })
    }

    /// A parameter's present value; its gradient is collected unless it is frozen.
    pub fn parameter(&mut self, parameter: &Parameter) -> Value {
        let tensor = parameter.tensor();
        if !self.recording || !parameter.is_trained() {
            return Value { tensor, slot: None };
        }
        let known = self.parameters.iter().find(|(id, _)| *id == parameter.id()).map(|(_, slot)| *slot);
        let slot = known.unwrap_or_else(|| {
            let slot = self.new_slot();
            self.parameters.push((parameter.id(), slot));
            slot
        });
        Value { tensor, slot: Some(slot) }
    }

    /// The result of an operator, which remembers how to go back where one of `inputs` needs a gradient.
    ///
    /// `backward` gets the gradient of `output` and adds to the slots of its inputs. Build it with what it must save
    /// and nothing more; it is dropped at once where no input needs a gradient.
    pub fn record(
        &mut self,
        inputs: &[&Value],
        output: Tensor,
        backward: impl FnOnce(Gradient, &mut Gradients) -> Result<()> + 'static,
    ) -> Value {
        if !self.needs_gradient(inputs) {
            return Value { tensor: output, slot: None };
        }
        let slot = self.new_slot();
        self.held += output.elem_count() * output.dtype().size_in_bytes();
        self.nodes.push((slot, Box::new(backward)));
        Value { tensor: output, slot: Some(slot) }
    }

    /// Whether anything upstream of these values is trained.
    pub fn needs_gradient(&self, inputs: &[&Value]) -> bool {
        self.recording && inputs.iter().any(|value| value.slot.is_some())
    }

    fn new_slot(&mut self) -> Slot {
        self.slots += 1;
        Slot(self.slots - 1)
    }

    /// Goes back from the scalar `loss` (scaled by `scale`: 1 / accumulated batches) and returns every gradient that
    /// was wanted.
    pub fn backward(self, loss: &Value, scale: f64) -> Result<Gradients> {
        if loss.tensor.elem_count() != 1 {
            return Err(Error::shape("backward", format!("the loss must be one number, got {:?}", loss.dims())));
        }
        let mut gradients = Gradients { slots: vec![], parameters: self.parameters };
        gradients.slots.resize_with(self.slots, || None);
        if let Some(slot) = loss.slot {
            let one = (loss.tensor.ones_like()? * scale)?;
            gradients.slots[slot.0] = Some(Gradient::new(one));
        }
        for (slot, backward) in self.nodes.into_iter().rev() {
            if let Some(gradient) = gradients.slots[slot.0].take() {
                backward(gradient, &mut gradients)?;
            }
        }
        Ok(gradients)
    }
}

/// Gradients on their way back, and afterwards those of the parameters and variables.
pub struct Gradients {
    slots: Vec<Option<Gradient>>,
    parameters: Vec<(ParameterId, Slot)>,
}

impl Gradients {
    /// Adds a gradient to a slot; moved in where it is the first. Nothing happens where `slot` is `None`.
    pub fn add(&mut self, slot: Option<Slot>, gradient: Gradient) -> Result<()> {
        let Some(slot) = slot else { return Ok(()) };
        let sum = match self.slots[slot.0].take() {
            None => gradient,
            Some(present) => sum(present, gradient)?,
        };
        self.slots[slot.0] = Some(sum);
        Ok(())
    }

    /// Lets a kernel write a gradient straight into the slot. The buffer holds what is there already, or zeros; the
    /// kernel adds to it, and may overwrite where its second argument (fresh) is true.
    pub(crate) fn accumulate<T: Element>(
        &mut self,
        slot: Slot,
        dims: &[usize],
        kernel: impl FnOnce(&mut [T], bool),
    ) -> Result<()> {
        self.accumulate_in(slot, dims, |values| match values {
            Some(values) => {
                kernel(values, false);
                None
            }
            None => {
                let mut values = crate::element::zeros::<T>(dims.iter().product());
                kernel(&mut values, true);
                Some(values)
            }
        })
    }

    /// The same for a kernel that makes the first gradient itself: it gets what is there to add to, or gives a new one.
    pub(crate) fn accumulate_in<T: Element>(
        &mut self,
        slot: Slot,
        dims: &[usize],
        kernel: impl FnOnce(Option<&mut [T]>) -> Option<Vec<T>>,
    ) -> Result<()> {
        let present = match self.slots[slot.0].take() {
            None => None,
            Some(gradient) => Some(match gradient.into_unique() {
                Ok(tensor) => tensor,
                Err(shared) => shared.tensor().copy()?,
            }),
        };
        let tensor = match present {
            Some(tensor) => {
                modify::<T, _>(&tensor, |values| kernel(Some(values)))?;
                tensor
            }
            None => match kernel(None) {
                Some(values) => crate::element::tensor(values, dims)?,
                None => return Err(Error::shape("accumulate", "the kernel gave no gradient")),
            },
        };
        self.slots[slot.0] = Some(Gradient::new(tensor));
        Ok(())
    }

    /// The gradient of a variable, or of any value that was kept.
    pub fn take(&mut self, value: &Value) -> Option<Tensor> {
        let slot = value.slot?;
        self.slots[slot.0].take().map(|gradient| gradient.tensor().clone())
    }

    /// The gradients of the parameters that took part, by parameter.
    pub fn into_parameters(mut self) -> Vec<(ParameterId, Tensor)> {
        let slots = &mut self.slots;
        self.parameters
            .iter()
            .filter_map(|(id, slot)| slots[slot.0].take().map(|gradient| (*id, gradient.tensor().clone())))
            .collect()
    }
}

/// Adds two gradients, in place where one of them is not shared.
fn sum(a: Gradient, b: Gradient) -> Result<Gradient> {
    let (target, other) = match a.into_unique() {
        Ok(a) => (a, b),
        Err(a) => match b.into_unique() {
            Ok(b) => (b, a),
            Err(b) => return Ok(Gradient::new((a.tensor() + b.tensor())?)),
        },
    };
    Ok(Gradient::new(add_in_place(target, other.tensor())?))
}

/// `target += other`, in place on the CPU.
pub(crate) fn add_in_place(target: Tensor, other: &Tensor) -> Result<Tensor> {
    if !has_kernels(&target) || target.dtype() == DType::F64 && other.dtype() != DType::F64 {
        return Ok((target + other)?);
    }
    with_element!(target, T => {
        let other = other.contiguous()?;
        read::<T, _>(&other, |other| modify::<T, _>(&target, |values| crate::kernels::elementwise::add_assign(values, other)))??
    });
    Ok(target)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_deep_chain_needs_no_deep_stack() -> Result<()> {
        // Candle's own backward recurses, and overflows a thread's usual 2 MiB between 1500 and 2000 operators.
        let chain = || -> Result<Vec<f64>> {
            let mut tape = Tape::train(0, 0);
            let x = tape.variable(&Tensor::new(&[1f64], &Device::Cpu)?)?;
            let mut y = x.clone();
            for _ in 0..20_000 {
                y = crate::ops::scaled_sum(&mut tape, &[(y, 1.0)])?;
            }
            let dx = tape.backward(&y, 1.0)?.take(&x).map(|dx| dx.to_vec1()).transpose()?;
            Ok(dx.unwrap_or_default())
        };
        let small = std::thread::Builder::new().stack_size(256 << 10).spawn(move || chain().unwrap_or_default());
        assert_eq!(small.unwrap().join().unwrap(), [1.0]);
        Ok(())
    }

    #[test]
    fn a_frozen_prefix_records_nothing() -> Result<()> {
        let mut tape = Tape::train(0, 0);
        let x = tape.constant(&Tensor::new(&[1f32], &Device::Cpu)?)?;
        let y = crate::ops::relu(&mut tape, x)?;
        assert_eq!((tape.recorded(), y.slot()), (0, None));
        Ok(())
    }

    #[test]
    fn a_value_that_the_loss_does_not_use_costs_nothing() -> Result<()> {
        let mut tape = Tape::train(0, 0);
        let x = tape.variable(&Tensor::new(&[2f64], &Device::Cpu)?)?;
        let _unused = crate::ops::relu(&mut tape, x.clone())?;
        let loss = crate::ops::scaled_sum(&mut tape, &[(x.clone(), 3.0)])?;
        assert_eq!(tape.backward(&loss, 0.5)?.take(&x).map(|g| g.to_vec1::<f64>()).transpose()?, Some(vec![1.5]));
        Ok(())
    }
}
