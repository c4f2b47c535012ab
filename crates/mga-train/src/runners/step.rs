//! The context of a job's step on a batch: tapes, the way back, and updates of its parameters.

use std::collections::HashMap;

use candle_core::Tensor;
use mga_core::optim::{Optimiser, accumulate, clip_norm};
use mga_core::parameter::{Parameter, ParameterId, ParameterStore};
use mga_core::tape::{Tape, Value};

use super::finite::Guard;
use super::loss_parts::{LossPart, PartSum, StepParts, number};
use crate::world::{Reduction, World, sums};

/// How far apart the keys of the tapes of one micro-batch lie: no run has as many micro-batches.
const NEXT_TAPE: u64 = 1 << 48;
/// How far apart those of two ranks lie: no micro-batch takes as many tapes.
const NEXT_RANK: u64 = 1 << 56;

/// A store with the optimiser that moves its parameters.
pub(crate) type Moved<'a> = (&'a ParameterStore, Box<dyn Optimiser>);

/// Moves parameters along their gradients.
pub(super) trait Update {
    /// Moves those that have one; `factor` multiplies every learning rate. Nothing moves where `applies` is 0.
    fn update(
        &mut self,
        gradients: Vec<(ParameterId, Tensor)>,
        factor: f64,
        applies: Option<&Tensor>,
    ) -> anyhow::Result<()>;

    /// Those that are trained, in an order that is the same on every rank.
    fn trained(&self) -> Vec<Parameter>;
}

impl Update for Vec<Moved<'_>> {
    fn update(
        &mut self,
        mut gradients: Vec<(ParameterId, Tensor)>,
        factor: f64,
        applies: Option<&Tensor>,
    ) -> anyhow::Result<()> {
        for (store, optimiser) in self.iter_mut() {
            let own = |(id, _): &mut (ParameterId, Tensor)| store.by_id(*id).is_some();
            let mine: Vec<(ParameterId, Tensor)> = gradients.extract_if(.., own).collect();
            optimiser.step_where(store, &mine, factor, applies)?;
        }
        anyhow::ensure!(gradients.is_empty(), "a gradient of parameters that no optimiser moves");
        Ok(())
    }

    fn trained(&self) -> Vec<Parameter> {
        let entries = self.iter().flat_map(|(store, _)| store.entries());
        entries.filter(|entry| entry.is_trained()).cloned().collect()
    }
}

/// The sums over all ranks. A rank whose images give no gradient to a parameter adds nothing to those of the others; where
/// no rank has one, there is none.
fn reduced(
    world: &dyn World,
    trained: &[Parameter],
    gradients: Vec<(ParameterId, Tensor)>,
) -> anyhow::Result<Vec<(ParameterId, Tensor)>> {
    let mut own: HashMap<ParameterId, Tensor> = gradients.into_iter().collect();
    let here = trained.iter().map(|parameter| f64::from(u8::from(own.contains_key(&parameter.id())))).collect();
    let ranks = sums(world, here)?;
    let there: Vec<&Parameter> = trained.iter().zip(ranks).filter(|(_, n)| *n > 0.0).map(|(p, _)| p).collect();
    let tensor = |parameter: &&Parameter| match own.remove(&parameter.id()) {
        Some(gradient) => Ok(gradient),
        None => parameter.tensor().zeros_like(),
    };
    let tensors = there.iter().map(tensor).collect::<candle_core::Result<Vec<_>>>()?;
    anyhow::ensure!(own.is_empty(), "a gradient of parameters that no optimiser moves");
    let sums = world.reduce(tensors, Reduction::Sum)?;
    Ok(there.into_iter().map(Parameter::id).zip(sums).collect())
}

/// Work on one micro-batch.
pub struct StepContext<'a> {
    pub(super) seed: u64,
    pub(super) micro_step: u64,
    pub(super) recompute: bool,
    pub(super) share: f64,
    pub(super) ends: bool,
    pub(super) factor: f64,
    pub(super) clip_norm: f64,
    pub(super) stores: &'a mut dyn Update,
    pub(super) work: &'a mut StepWork,
    pub(super) guard: &'a mut Guard,
    pub(super) tapes: u64,
    pub(super) world: &'a dyn World,
}

/// What has come of an optimiser step so far, over its micro-batches.
#[derive(Default)]
pub(super) struct StepWork {
    pub(super) sum: Option<Vec<(ParameterId, Tensor)>>,
    /// The loss of each way back, and the share of images behind it.
    losses: Vec<(Value, f64)>,
    parts: StepParts,
    /// This rank's images so far.
    pub(super) images: usize,
}

/// An optimiser step that was read: numbers of the images of all ranks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ReadStep {
    /// Images that were trained on.
    pub(super) images: u64,
    /// The images that the step was planned with, of which some may have been skipped.
    pub(super) planned: f64,
    /// The sum of the images' losses by the images that were planned.
    pub(super) loss: f64,
    /// The parts of the loss by their names.
    pub(super) parts: Vec<(&'static str, PartSum)>,
}

impl StepWork {
    /// Reads the loss of the images of all ranks and its parts; the step was `planned` with so many images.
    ///
    /// # Errors
    /// A value that cannot be read off its device; a rank that ended.
    pub(super) fn read(&self, planned: usize, world: &dyn World) -> anyhow::Result<ReadStep> {
        let numbers = sums(world, vec![self.loss()?, self.images as f64])?;
        let parts = self.parts.read(world)?;
        Ok(ReadStep { images: numbers[1] as u64, planned: planned as f64, loss: numbers[0], parts })
    }

    fn loss(&self) -> anyhow::Result<f64> {
        self.losses.iter().try_fold(0.0, |sum, (loss, share)| Ok(sum + number(loss)? * share))
    }
}

impl StepContext<'_> {
    /// Returns a tape for training with a random key of its own: what is drawn on it depends on the experiment's seed, the
    /// micro-batch, how many tapes were asked for before in it, and the rank.
    pub fn tape(&mut self) -> Tape {
        let key = self.micro_step + self.tapes * NEXT_TAPE + self.world.rank() as u64 * NEXT_RANK;
        self.tapes += 1;
        Tape::train(self.seed, key).with_recompute(self.recompute)
    }

    /// Returns the share of the optimiser step's images that this micro-batch holds, 0 to 1.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.share
    }

    /// Returns whether the optimiser step ends with this micro-batch.
    #[must_use]
    pub fn ends(&self) -> bool {
        self.ends
    }

    /// Returns the factor of the schedule for every learning rate at this step.
    #[must_use]
    pub fn factor(&self) -> f64 {
        self.factor
    }

    /// Follows a loss back and adds the gradients, each times [`Self::share`], to those that wait for the update. The loss
    /// and its parts are logged.
    ///
    /// On a GPU the host hears of the loss some micro-batches later. Nothing moves meanwhile if it is not finite, and the run
    /// ends when it is read.
    ///
    /// # Errors
    /// A loss on the CPU that is not finite ([`super::finite::NotFinite`]).
    pub fn backward(&mut self, tape: Tape, loss: &Value, parts: Vec<LossPart>) -> anyhow::Result<()> {
        self.guard.check("loss", loss.tensor())?;
        accumulate(&mut self.work.sum, tape.backward(loss, self.share)?.into_parameters())?;
        self.work.losses.push((loss.clone(), self.share));
        self.work.parts.add(parts, self.share);
        Ok(())
    }

    /// Returns the gradients that wait for the update, to be looked at or changed. Where several ranks train together they
    /// are this rank's part of the sum.
    pub fn gradients(&mut self) -> &mut Vec<(ParameterId, Tensor)> {
        self.work.sum.get_or_insert_default()
    }

    /// Clips the waiting gradients and updates the parameters where the optimiser step ends; returns whether it did.
    ///
    /// # Errors
    /// As of [`Self::update`].
    pub fn update_at_the_end(&mut self) -> anyhow::Result<bool> {
        if self.ends {
            self.update()?;
        }
        Ok(self.ends)
    }

    /// Adds up the waiting gradients of all ranks, clips them, all together, and moves the parameters of every store along
    /// them.
    ///
    /// # Errors
    /// A rank that ended.
    /// A gradient on the CPU that is not finite ([`super::finite::NotFinite`]); parameters that no optimiser was built with.
    pub fn update(&mut self) -> anyhow::Result<()> {
        let mut gradients = self.work.sum.take().unwrap_or_default();
        if self.world.size() > 1 {
            gradients = reduced(self.world, &self.stores.trained(), gradients)?;
        }
        let norm = clip_norm(&mut gradients, self.clip_norm)?;
        self.guard.check("gradient", &norm)?;
        self.stores.update(gradients, self.factor, self.guard.sound())
    }
}
