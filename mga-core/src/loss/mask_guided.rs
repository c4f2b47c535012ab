//! The loss of mask guided attention (Wang, Yu, Gao, *Mask Guided Attention for Fine-Grained Patchy Image
//! Classification*, ICIP 2021, arXiv:2102.02771).

use candle_core::Tensor;

use super::cross_entropy::weighted_cross_entropy;
use super::mask_target::MaskTarget;
use crate::error::{Error, Result};
use crate::ops;
use crate::tape::{Tape, Value};

/// Cross entropy of the classes, and the mean squared error between attention and masks.
///
/// ```text
/// total = cross_entropy(logits, labels) + mask_weight * sum c (A - T)^2 / sum c
/// ```
///
/// `A` is the attention and `T` its [target](MaskTarget). `c` is the share of a cell that counts in an image whose mask is
/// used, and 0 in the other images; without ignored pixels the second term is the mean over the used images. The default
/// is the authors' loss.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use mga_core::loss::{Guidance, MaskGuidedLoss};
/// use mga_core::tape::Tape;
///
/// let mut tape = Tape::train(0, 0);
/// let logits = tape.variable(&Tensor::zeros((2, 3), DType::F32, &Device::Cpu)?)?;
/// let attention = tape.variable(&Tensor::zeros((2, 1, 7, 7), DType::F32, &Device::Cpu)?)?;
/// // The second image has no mask, so only the first one guides the attention.
/// let masks = Tensor::ones((2, 1, 28, 28), DType::F32, &Device::Cpu)?;
/// let guidance = Guidance { attention, masks: &masks, counted: None, has_mask: &[true, false] };
///
/// let terms = MaskGuidedLoss::default().forward(&mut tape, logits.clone(), &[0, 2], Some(guidance))?;
/// assert_eq!(terms.masks_used, 1);
/// let gradient = tape.backward(&terms.total, 1.0)?.take(&logits).expect("the loss depends on the scores");
/// assert_eq!(gradient.dims(), [2, 3]);
/// # Ok::<(), mga_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct MaskGuidedLoss {
    /// Weight of the mask term; the authors take 0.1.
    pub mask_weight: f64,
    /// Label smoothing of the cross entropy, 0 to 1.
    pub label_smoothing: f64,
    /// Weight of each class in the cross entropy; `None`: all weigh the same.
    pub class_weights: Option<Vec<f64>>,
    /// Whether images whose mask is blank stay out of the mask term. Otherwise their target is 1 everywhere, as in the
    /// authors' code.
    pub skip_blank_masks: bool,
}

impl Default for MaskGuidedLoss {
    fn default() -> Self {
        Self { mask_weight: 0.1, label_smoothing: 0.0, class_weights: None, skip_blank_masks: false }
    }
}

/// The attention of a batch and the masks that guide it.
///
/// The masks best lie on the CPU, whatever the network's device: which of them are blank is then known without waiting.
#[derive(Debug, Clone)]
pub struct Guidance<'a> {
    /// The network's attention, `[N, 1, h, w]`.
    pub attention: Value,
    /// The masks, `[N, 1, H, W]` in 0 to 1; any numbers where an image has no mask.
    pub masks: &'a Tensor,
    /// The pixels that count, `[N, 1, H, W]`: 1, or 0 for an ignored pixel. With `None` all count.
    pub counted: Option<&'a Tensor>,
    /// The images that have a mask, `N` entries.
    pub has_mask: &'a [bool],
}

/// A mask guided loss and its parts.
///
/// Each value is a scalar on the network's device, and nothing has read it: reading a number makes the host wait.
#[derive(Debug, Clone)]
pub struct MaskGuidedTerms {
    /// The sum to descend along.
    pub total: Value,
    /// The loss of the classes: of [`MaskGuidedLoss::forward`] the cross entropy.
    pub classification: Value,
    /// The mean squared error between attention and masks, not yet weighted; `None` without guidance.
    pub mask_mse: Option<Value>,
    /// Images that `mask_mse` is the mean over.
    pub masks_used: usize,
}

impl MaskGuidedLoss {
    /// Computes the loss of a batch on the tape.
    ///
    /// `logits` `[N, classes]`, `labels` `N` class indices. Without guidance the total is the cross entropy. Of `f16` and
    /// `bf16` the loss comes in `f32`; an attention in `f64` needs masks in `f64`.
    ///
    /// # Errors
    /// Shapes that do not fit, a label that is no class, a setting out of range.
    pub fn forward(
        &self,
        tape: &mut Tape,
        logits: Value,
        labels: &[u32],
        guidance: Option<Guidance<'_>>,
    ) -> Result<MaskGuidedTerms> {
        let weights = self.class_weights.as_deref();
        let cross_entropy = weighted_cross_entropy(tape, logits, labels, self.label_smoothing, weights)?;
        self.guide(tape, cross_entropy, guidance)
    }

    /// Adds the mask term to a loss of the classes, whichever it is.
    ///
    /// # Errors
    /// Shapes that do not fit, a setting out of range.
    pub fn guide(
        &self,
        tape: &mut Tape,
        classification: Value,
        guidance: Option<Guidance<'_>>,
    ) -> Result<MaskGuidedTerms> {
        let Some(Guidance { attention, masks, counted, has_mask }) = guidance else {
            return Ok(MaskGuidedTerms {
                total: classification.clone(),
                classification,
                mask_mse: None,
                masks_used: 0,
            });
        };
        let (n, _, h, w) = attention.dims4()?;
        if has_mask.len() != n || masks.dims().first() != Some(&n) {
            let (masks, said) = (masks.dims(), has_mask.len());
            let what = format!("masks {masks:?}, of which {said} are said to be there or not, for {n} images");
            return Err(Error::shape("mask_guided_loss", what));
        }
        let target = MaskTarget::of(masks, counted, (h, w))?;
        let uses = |(&has_mask, &blank): (&bool, &bool)| has_mask && !(blank && self.skip_blank_masks);
        let used: Vec<bool> = has_mask.iter().zip(&target.blank).map(uses).collect();
        let mask_mse = target.squared_error(tape, attention, &used)?;
        let total = ops::scaled_sum(tape, &[(classification.clone(), 1.0), (mask_mse.clone(), self.mask_weight)])?;
        let masks_used = used.iter().filter(|&&used| used).count();
        Ok(MaskGuidedTerms { total, classification, mask_mse: Some(mask_mse), masks_used })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;
    use crate::gradient_check::{check, check_half};

    const LABELS: [u32; 4] = [4, 0, 2, 2];
    const HAS_MASK: [bool; 4] = [true, true, false, true];

    /// Four masks of 4 x 6, multiples of a quarter: the second is blank, the third is said to be missing.
    fn masks(dtype: DType) -> Result<Tensor> {
        let value = |i: usize| if i / 24 == 1 { 0.0 } else { (i * 7 % 5) as f64 / 4.0 };
        Ok(Tensor::from_vec((0..96).map(value).collect(), (4, 1, 4, 6), &Device::Cpu)?.to_dtype(dtype)?)
    }

    /// What counts of them: not every third pixel.
    fn counted(dtype: DType) -> Result<Tensor> {
        let value = |i: usize| (i % 3).min(1) as f64;
        Ok(Tensor::from_vec((0..96).map(value).collect(), (4, 1, 4, 6), &Device::Cpu)?.to_dtype(dtype)?)
    }

    fn every_setting() -> [MaskGuidedLoss; 3] {
        let class_weights = Some(vec![0.5, 2.0, 1.0, 0.0, 3.0]);
        [
            MaskGuidedLoss::default(),
            MaskGuidedLoss { mask_weight: 0.7, skip_blank_masks: true, ..MaskGuidedLoss::default() },
            MaskGuidedLoss { mask_weight: 2.0, label_smoothing: 0.1, class_weights, skip_blank_masks: false },
        ]
    }

    #[test]
    fn gradients_are_right() {
        for loss in every_setting() {
            for ignoring in [false, true] {
                let total = |tape: &mut Tape, v: &[Value]| {
                    // Masks come in f32 beside a network in half precision.
                    let dtype = if v[1].tensor().dtype() == DType::F64 { DType::F64 } else { DType::F32 };
                    let (masks, counted) = (masks(dtype)?, counted(dtype)?);
                    let counted = ignoring.then_some(&counted);
                    let attention = v[1].clone();
                    let guidance = Guidance { attention, masks: &masks, counted, has_mask: &HAS_MASK };
                    Ok(loss.forward(tape, v[0].clone(), &LABELS, Some(guidance))?.total)
                };
                check(&[&[4, 5], &[4, 1, 2, 3]], total);
                check_half(&[&[4, 5], &[4, 1, 2, 3]], total);
            }
        }
    }

    #[test]
    fn a_case_by_hand() -> Result<()> {
        // Two classes as likely as each other; one cell, of masks 1 and 0, and an attention of a quarter.
        let mut tape = Tape::eval();
        let logits = tape.constant(&Tensor::zeros((2, 2), DType::F64, &Device::Cpu)?)?;
        let attention = tape.constant(&Tensor::new(&[0.25, 0.25], &Device::Cpu)?.reshape((2, 1, 1, 1))?)?;
        let masks = Tensor::new(&[1.0, 0.0], &Device::Cpu)?.reshape((2, 1, 1, 1))?;
        let mut terms = |skip_blank_masks: bool, has_mask: &[bool; 2]| -> Result<([f64; 3], usize)> {
            let loss = MaskGuidedLoss { skip_blank_masks, mask_weight: 0.5, ..MaskGuidedLoss::default() };
            let guidance = Guidance { attention: attention.clone(), masks: &masks, counted: None, has_mask };
            let terms = loss.forward(&mut tape, logits.clone(), &[0, 1], Some(guidance))?;
            let mse = terms.mask_mse.ok_or_else(|| Error::shape("test", "no mask term"))?;
            let number = |value: &Value| value.tensor().to_vec0::<f64>();
            Ok(([number(&terms.total)?, number(&terms.classification)?, number(&mse)?], terms.masks_used))
        };
        // The blank mask's target is 1 too.
        let (ln2, error) = (2f64.ln(), 0.5625);
        assert_eq!(terms(false, &[true, true])?, ([ln2 + 0.5 * error, ln2, error], 2));
        assert_eq!(terms(true, &[true, true])?, ([ln2 + 0.5 * error, ln2, error], 1));
        assert_eq!(terms(true, &[false, true])?, ([ln2, ln2, 0.0], 0));
        Ok(())
    }

    #[test]
    fn without_guidance_it_is_the_cross_entropy() -> Result<()> {
        let mut tape = Tape::eval();
        let logits = tape.constant(&Tensor::new(&[[1f32, -1.0, 0.5]], &Device::Cpu)?)?;
        let terms = MaskGuidedLoss::default().forward(&mut tape, logits.clone(), &[2], None)?;
        let expected = super::super::cross_entropy(&mut tape, logits, &[2], 0.0)?;
        assert_eq!(terms.total.tensor().to_vec0::<f32>()?, expected.tensor().to_vec0::<f32>()?);
        assert!(terms.mask_mse.is_none() && terms.masks_used == 0);
        Ok(())
    }

    #[test]
    fn masks_of_other_images_are_refused() -> Result<()> {
        let mut tape = Tape::eval();
        let logits = tape.constant(&Tensor::zeros((4, 5), DType::F32, &Device::Cpu)?)?;
        let attention = tape.constant(&Tensor::zeros((4, 1, 2, 3), DType::F32, &Device::Cpu)?)?;
        let all = masks(DType::F32)?;
        for (masks, has_mask) in [(all.narrow(0, 0, 3)?, &HAS_MASK[..]), (all, &HAS_MASK[..3])] {
            let guidance = Guidance { attention: attention.clone(), masks: &masks, counted: None, has_mask };
            let refused = MaskGuidedLoss::default().forward(&mut tape, logits.clone(), &LABELS, Some(guidance));
            assert!(refused.unwrap_err().to_string().contains("for 4 images"));
        }
        Ok(())
    }
}
