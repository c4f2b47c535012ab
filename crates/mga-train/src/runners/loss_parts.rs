//! The named parts of a loss, read late.

use candle_core::DType;
use mga_core::tape::Value;

use crate::world::{World, sums};

/// A named part of a loss.
#[derive(Debug, Clone)]
pub struct LossPart {
    /// The key in `metrics.jsonl`.
    pub name: &'static str,
    /// The value for the micro-batch, a scalar that has not been read yet; `None` stands for 0.
    pub value: Option<Value>,
    /// The number of things that it is the mean of, if these are not the images of the batch.
    pub count: Option<f64>,
}

/// The parts of an optimiser step, over its micro-batches: not one of their values is read before it is asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct StepParts(Vec<StepPart>);

/// Name, values with their weights, and how many things they are the mean of, where that is not the images.
type StepPart = (&'static str, Vec<(Option<Value>, f64)>, Option<f64>);

impl StepParts {
    /// Adds a micro-batch that holds `share` of the step's images.
    pub(super) fn add(&mut self, parts: Vec<LossPart>, share: f64) {
        for part in parts {
            let weighted = (part.value, part.count.unwrap_or(share));
            match self.0.iter_mut().find(|(name, ..)| *name == part.name) {
                Some((_, values, count)) => {
                    values.push(weighted);
                    *count = count.zip(part.count).map(|(a, b)| a + b);
                }
                None => self.0.push((part.name, vec![weighted], part.count)),
            }
        }
    }

    /// Reads the parts: their names and sums over the images of all ranks.
    ///
    /// # Errors
    /// A value that cannot be read off its device; a rank that ended, or has other parts.
    pub(super) fn read(&self, world: &dyn World) -> anyhow::Result<Vec<(&'static str, PartSum)>> {
        let mut numbers = vec![];
        for (_, values, count) in &self.0 {
            let mut sum = 0.0;
            for (at, (value, weight)) in values.iter().enumerate() {
                let value = value.as_ref().map(number).transpose()?.unwrap_or(0.0) * weight;
                sum = if at == 0 { value } else { sum + value };
            }
            numbers.extend([sum, count.unwrap_or(0.0)]);
        }
        let numbers = sums(world, numbers)?;
        let read = |((name, _, count), numbers): (&StepPart, &[f64])| {
            (*name, PartSum { sum: numbers[0], count: count.map(|_| numbers[1]) })
        };
        Ok(self.0.iter().zip(numbers.chunks_exact(2)).map(read).collect())
    }
}

/// A part of a step's loss that was read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PartSum {
    /// The values over the images of all ranks: their sum by the images that were planned, or their sum where `count` says
    /// over how many things.
    pub(super) sum: f64,
    /// The number of things that the part is the mean of, if these are not the step's images.
    pub(super) count: Option<f64>,
}

impl PartSum {
    /// Returns the mean; `None`: there was nothing to take it of.
    pub(super) fn mean(&self) -> Option<f64> {
        self.count.map_or(Some(self.sum), |count| (count > 0.0).then(|| self.sum / count))
    }
}

/// A scalar of the tape as a number.
pub(crate) fn number(value: &Value) -> anyhow::Result<f64> {
    Ok(value.tensor().to_dtype(DType::F64)?.to_vec0::<f64>()?)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};
    use mga_core::tape::Tape;

    use super::*;

    #[test]
    fn parts_are_means_over_what_they_count() {
        let part = |name, value: Option<f64>, count| {
            let value = value.map(|value| Tape::eval().constant(&Tensor::new(value, &Device::Cpu).unwrap()).unwrap());
            LossPart { name, value, count }
        };
        let mut parts = StepParts::default();
        parts.add(vec![part("a", Some(2.0), None), part("b", Some(1.0), Some(1.0)), part("c", None, Some(0.0))], 0.25);
        parts.add(vec![part("a", Some(4.0), None), part("b", Some(3.0), Some(3.0)), part("c", None, Some(0.0))], 0.75);
        let read = parts.read(&crate::world::Alone).unwrap();
        let means: Vec<_> = read.into_iter().map(|(name, part)| (name, part.mean())).collect();
        assert_eq!(means, [("a", Some(3.5)), ("b", Some(2.5)), ("c", None)]);
    }
}
