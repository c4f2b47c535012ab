//! The processes or threads that train one model together, each on its share of every batch.

use std::ops::Range;

use candle_core::{DType, Device, Tensor};

/// The reduction of numbers of several ranks to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// Their sum.
    Sum,
    /// Their sum over the number of ranks.
    Mean,
}

/// A group of ranks that train together. All ranks take the same steps: they call the same methods in the same order,
/// and every call waits for the others.
///
/// The training loop asks it to add up gradients, and the numbers that are logged; evaluations are shared out and gathered.
/// Rank 0 alone writes. Parameters start equal, for they are drawn from the experiment's seed, and stay so to the bit: every
/// rank gets the same numbers from [`Self::reduce`].
///
/// The creator of the world decides how ranks find each other. [`Alone`] is the world of a single process.
pub trait World: Send + Sync {
    /// Returns this rank's number, from 0.
    fn rank(&self) -> usize;

    /// Returns the number of ranks, at least 1.
    fn size(&self) -> usize;

    /// Reduces each tensor with those at the same position on the other ranks. The result has the same bits on every
    /// rank. Shapes and types are the same on all ranks, and stay.
    ///
    /// # Errors
    /// A rank that ended, or calls something else.
    fn reduce(&self, tensors: Vec<Tensor>, reduction: Reduction) -> anyhow::Result<Vec<Tensor>>;

    /// Returns the tensors of all ranks, by rank. Their shapes may differ, their types do not.
    ///
    /// # Errors
    /// As of [`Self::reduce`].
    fn gather(&self, tensor: &Tensor) -> anyhow::Result<Vec<Tensor>>;

    /// Waits until every rank is here.
    ///
    /// # Errors
    /// As of [`Self::reduce`].
    fn barrier(&self) -> anyhow::Result<()>;

    /// Is told that this rank ends with an error: the others' calls fail with `why`, so that none waits for ever. By
    /// default nothing is done, for ranks that notice it by themselves.
    fn abort(&self, _why: &str) {}

    /// Returns this rank's part of `count` things in a row: a function of the count, the rank and the size alone. The parts
    /// of all ranks, one behind the other, are the whole; they differ by one thing at most.
    fn share(&self, count: usize) -> Range<usize> {
        mga_data::Share { rank: self.rank(), size: self.size() }.of(count)
    }
}

/// A world of one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Alone;

impl World for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn reduce(&self, tensors: Vec<Tensor>, _: Reduction) -> anyhow::Result<Vec<Tensor>> {
        Ok(tensors)
    }

    fn gather(&self, tensor: &Tensor) -> anyhow::Result<Vec<Tensor>> {
        Ok(vec![tensor.clone()])
    }

    fn barrier(&self) -> anyhow::Result<()> {
        Ok(())
    }
}

/// The sums over all ranks of numbers of the host, as they are where there is one rank.
pub(crate) fn sums(world: &dyn World, numbers: Vec<f64>) -> anyhow::Result<Vec<f64>> {
    if world.size() == 1 || numbers.is_empty() {
        return Ok(numbers);
    }
    let numbers = Tensor::new(numbers, &Device::Cpu)?;
    let [sums] = &world.reduce(vec![numbers], Reduction::Sum)?[..] else {
        anyhow::bail!("a reduction lost its tensor")
    };
    Ok(sums.to_dtype(DType::F64)?.to_vec1()?)
}

/// Whether something is so on any rank.
pub(crate) fn any(world: &dyn World, here: bool) -> anyhow::Result<bool> {
    Ok(sums(world, vec![f64::from(u8::from(here))])?.iter().any(|&ranks| ranks > 0.0))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod threads;
