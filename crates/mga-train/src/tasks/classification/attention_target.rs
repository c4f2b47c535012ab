//! What the attention of a batch should be, where its masks say so.

use candle_core::{Device, Tensor};
use mga_core::attention::{mask_target, mask_target_of_counted};
use mga_core::ops;
use mga_core::tape::{Tape, Value};
use mga_data::{Batch, Mask};

/// The target of a batch's attention, on the CPU.
pub(super) struct AttentionTarget {
    /// `[N, 1, h, w]` in 0 to 1, each image over its own maximum.
    pub(super) target: Tensor,
    /// Which images' masks are 0 in every cell.
    pub(super) blank: Vec<bool>,
    /// How much of each cell counts, `[N, 1, h, w]`; `None`: all of all.
    pub(super) shares: Option<Tensor>,
}

impl AttentionTarget {
    /// For an attention of `h` x `w` cells.
    ///
    /// # Errors
    /// Masks of a wrong shape: none that a loader gave.
    pub(super) fn of(batch: &Batch, size: (usize, usize)) -> anyhow::Result<Self> {
        Self::of_masks(&batch.masks, batch.counts.as_ref(), size)
    }

    /// For one mask.
    ///
    /// # Errors
    /// None that is to be expected.
    pub(super) fn of_mask(mask: &Mask, size: (usize, usize)) -> anyhow::Result<Self> {
        let shape = (1, 1, mask.height(), mask.width());
        let tensor = |number: fn(f32) -> f32| {
            Tensor::from_vec(
                mask.values().iter().map(|&value| number(value)).collect::<Vec<f32>>(),
                shape,
                &Device::Cpu,
            )
        };
        let masks = tensor(|value| if value.is_nan() { 0.0 } else { value })?;
        let counts = tensor(|value| f32::from(u8::from(!value.is_nan())))?;
        Self::of_masks(&masks, mask.has_ignored().then_some(&counts), size)
    }

    fn of_masks(masks: &Tensor, counts: Option<&Tensor>, size: (usize, usize)) -> anyhow::Result<Self> {
        let Some(counts) = counts else {
            let (target, blank) = mask_target(masks, size)?;
            return Ok(Self { target, blank, shares: None });
        };
        let (target, blank, shares) = mask_target_of_counted(masks, counts, size)?;
        Ok(Self { target, blank, shares: Some(shares) })
    }

    /// The mean squared error of `attention` over the cells that count of the images with `used`.
    ///
    /// # Errors
    /// An attention of another size.
    pub(super) fn squared_error(&self, tape: &mut Tape, attention: Value, used: &[bool]) -> anyhow::Result<Value> {
        let device = attention.tensor().device().clone();
        let target = self.target.to_device(&device)?;
        let Some(shares) = &self.shares else {
            return Ok(ops::mean_squared_error(tape, attention, &target, used)?);
        };
        let used: Vec<f32> = used.iter().map(|&used| f32::from(u8::from(used))).collect();
        let used = Tensor::new(used, shares.device())?.reshape(((), 1, 1, 1))?.to_dtype(shares.dtype())?;
        let weights = shares.broadcast_mul(&used)?.to_device(&device)?;
        Ok(ops::weighted_mean_squared_error(tape, attention, &target, &weights)?)
    }
}

#[cfg(test)]
mod tests {
    use mga_data::Picture;
    use mga_data::batch::{Normalisation, Sample};

    use super::*;

    fn batch(masks: &[Option<[f32; 4]>]) -> Batch {
        let sample = |(index, mask): (usize, &Option<[f32; 4]>)| Sample {
            index,
            id: index.to_string(),
            label: Some(0),
            picture: Picture::filled(2, 2, 0.5),
            mask: mask.and_then(|values| Mask::new(2, 2, values.to_vec())),
            reference: None,
        };
        let samples = masks.iter().enumerate().map(sample).collect();
        Batch::collate(0, samples, &Normalisation::new([0.0; 3], [1.0; 3])).unwrap()
    }

    fn error(batch: &Batch, used: &[bool]) -> f32 {
        let target = AttentionTarget::of(batch, (2, 2)).unwrap();
        let mut tape = Tape::eval();
        let attention = Tensor::full(0.5f32, (batch.len(), 1, 2, 2), &Device::Cpu).unwrap();
        let attention = tape.constant(&attention).unwrap();
        target.squared_error(&mut tape, attention, used).unwrap().tensor().to_vec0().unwrap()
    }

    #[test]
    fn ignored_pixels_have_no_share_in_the_loss() {
        let ignored = f32::NAN;
        // One cell of 1, one of 0 and two ignored: what counts is half off everywhere.
        let ignoring = batch(&[Some([1.0, 0.0, ignored, ignored])]);
        assert_eq!(error(&ignoring, &[true]), 0.25);
        // A cell of a quarter is a quarter off; it counts in the first and not in the second.
        let counted = batch(&[Some([1.0, 0.25, 1.0, 1.0])]);
        assert_eq!(error(&counted, &[true]), (3.0 * 0.25 + 0.0625) / 4.0);
        assert_eq!(error(&batch(&[Some([1.0, 0.25, ignored, ignored])]), &[true]), (0.25 + 0.0625) / 2.0);
        // Images that are not used and images ignored altogether have none either.
        let several = batch(&[Some([1.0, 0.0, ignored, ignored]), None, Some([ignored; 4])]);
        assert_eq!(error(&several, &[true, false, true]), 0.25);
        assert_eq!(error(&several, &[false; 3]), 0.0);
    }
}
