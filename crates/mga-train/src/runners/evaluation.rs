//! What an evaluation has at hand: whoever follows it, and those it shares its work with.

use candle_core::Tensor;
use mga_data::Batch;

use crate::interrupt::{Interrupt, Interrupted};
use crate::world::{Alone, World};

/// The context of an evaluation.
pub struct EvaluationContext<'a> {
    interrupt: &'a Interrupt,
    seen: &'a mut dyn FnMut(usize),
    world: &'a dyn World,
}

impl<'a> EvaluationContext<'a> {
    /// Evaluates by oneself; `seen` is told of images that were evaluated.
    pub fn new(interrupt: &'a Interrupt, seen: &'a mut dyn FnMut(usize)) -> Self {
        Self { interrupt, seen, world: &Alone }
    }

    /// Shares the work out among the ranks of `world`.
    #[must_use]
    pub fn with_world(self, world: &'a dyn World) -> Self {
        Self { world, ..self }
    }

    /// Returns where the evaluation goes on; called before every batch.
    ///
    /// # Errors
    /// An interruption on any rank.
    pub fn go_on(&self) -> anyhow::Result<()> {
        if crate::world::any(self.world, self.interrupt.is_raised())? {
            return Err(Interrupted("interrupted while evaluating; nothing is lost".to_owned()).into());
        }
        Ok(())
    }

    /// Reports that `images` more were evaluated.
    pub fn seen(&mut self, images: usize) {
        (self.seen)(images);
    }

    /// Computes something of each of a batch's images: every rank that of its part, and all get the whole, in the
    /// order of the images. `compute` gets some of the images, and returns tensors whose first dimension are those.
    ///
    /// An evaluation that does not ask for it is done whole by every rank.
    ///
    /// # Errors
    /// Those of `compute`; a rank that ended.
    pub fn shared(
        &self,
        batch: &Batch,
        compute: impl FnOnce(&Batch) -> anyhow::Result<Vec<Tensor>>,
    ) -> anyhow::Result<Vec<Tensor>> {
        let count = batch.len();
        // Fewer images than ranks: nobody gains from sharing them.
        if self.world.size() == 1 || count < self.world.size() {
            return compute(batch);
        }
        let parts = compute(&batch.part(self.world.share(count))?)?;
        let whole = |part: &Tensor| Ok(Tensor::cat(&self.world.gather(part)?, 0)?);
        parts.iter().map(whole).collect()
    }
}
