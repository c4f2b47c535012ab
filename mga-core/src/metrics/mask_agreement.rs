//! The agreement of attention with a mask: the one it was guided by, or another.

use serde::{Deserialize, Serialize};

use super::ranking::{chance_overlap, roc_area, top_overlap};
use crate::error::{Error, Result};

/// Accumulates the agreement of attention and target, every image with the same weight whatever its size.
#[derive(Debug, Clone, Default)]
pub struct MaskAgreement {
    error: Mean,
    correlation: Mean,
    area: Mean,
    overlap: Mean,
    chance: Mean,
    halves: Mean,
    constant: u64,
    not_finite: u64,
}

/// The numbers of an evaluation; `None` where no image has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MaskSummary {
    /// Mean over images of the mean squared difference.
    pub mask_mse: Option<f64>,
    /// Mean over images of Pearson's correlation, in -1..=1, of the images where neither map is constant.
    pub mask_correlation: Option<f64>,
    /// Mean over images of the area under the ROC curve, in 0..=1: the chance that attention is higher at a place of the
    /// mask than at another one. The places of the mask are those above half its own maximum; attention has no threshold.
    /// One half is chance.
    #[serde(default)]
    pub mask_auc: Option<f64>,
    /// Mean over images of intersection over union, in 0..=1, of the places of the mask and the places where attention is
    /// highest, as many as the mask has.
    #[serde(default)]
    pub mask_overlap: Option<f64>,
    /// The chance level of `mask_overlap` for masks of these sizes.
    #[serde(default)]
    pub mask_overlap_chance: Option<f64>,
    /// Mean over images of intersection over union, in 0..=1, of the places where each map is above half its own
    /// maximum. A sigmoid is above half its maximum nearly everywhere, and then this is no more than the mask's share of
    /// the image: it is kept for tables of release 0.1.0.
    pub mask_iou: Option<f64>,
    /// Images that count for `mask_mse`.
    pub masks_used: u64,
    /// The number of images whose mask covers some places of the map and leaves some out. Only these count for
    /// `mask_auc` and `mask_overlap`.
    #[serde(default)]
    pub masks_divided: u64,
    /// The number of images with a constant map, which have no correlation.
    pub masks_constant: u64,
    /// Images left out altogether because attention or target holds NaN or infinity.
    pub masks_not_finite: u64,
}

/// A running mean.
#[derive(Debug, Clone, Default)]
struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

impl MaskAgreement {
    /// Creates metrics without images.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one image: attention and target `[h, w]` (`f32` or `f64`), both in 0..=1.
    ///
    /// # Errors
    /// Maps of two sizes, or without a single place.
    pub fn add<A, T>(&mut self, attention: &[A], target: &[T]) -> Result<()>
    where
        A: Copy + Into<f64>,
        T: Copy + Into<f64>,
    {
        if attention.len() != target.len() || attention.is_empty() {
            let message = format!("attention of {} places, target of {}", attention.len(), target.len());
            return Err(Error::shape("mask agreement", message));
        }
        let attention: Vec<f64> = attention.iter().map(|&a| a.into()).collect();
        let target: Vec<f64> = target.iter().map(|&t| t.into()).collect();
        if !attention.iter().chain(&target).all(|value| value.is_finite()) {
            self.not_finite += 1;
            return Ok(());
        }
        let squares: f64 = attention.iter().zip(&target).map(|(a, t)| (a - t) * (a - t)).sum();
        self.error.add(squares / attention.len() as f64);
        match correlation(&attention, &target) {
            Some(correlation) => self.correlation.add(correlation),
            None => self.constant += 1,
        }
        if let Some(overlap) = overlap_of_halves(&attention, &target) {
            self.halves.add(overlap);
        }
        let half = half_of_maximum(&target);
        let foreground: Vec<bool> = target.iter().map(|&value| value > half).collect();
        let ranked = roc_area(&attention, &foreground)
            .zip(top_overlap(&attention, &foreground))
            .zip(chance_overlap(&foreground));
        if let Some(((area, overlap), chance)) = ranked {
            self.area.add(area);
            self.overlap.add(overlap);
            self.chance.add(chance);
        }
        Ok(())
    }

    /// Returns the metrics of all images so far.
    #[must_use]
    pub fn summary(&self) -> MaskSummary {
        MaskSummary {
            mask_mse: self.error.value(),
            mask_correlation: self.correlation.value(),
            mask_auc: self.area.value(),
            mask_overlap: self.overlap.value(),
            mask_overlap_chance: self.chance.value(),
            mask_iou: self.halves.value(),
            masks_used: self.error.count,
            masks_divided: self.area.count,
            masks_constant: self.constant,
            masks_not_finite: self.not_finite,
        }
    }
}

/// Pearson's correlation; `None` where a map is constant. Constant means all places equal to the bit, not a variance
/// of zero, which rounding of the mean can miss.
fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    let varies = |x: &[f64]| x.iter().any(|value| Some(value) != x.first());
    if !varies(a) || !varies(b) {
        return None;
    }
    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(b) {
        let (a, b) = (a - mean_a, b - mean_b);
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    // Two roots, for the product of two tiny variances underflows.
    let length = aa.sqrt() * bb.sqrt();
    (length > 0.0).then(|| (ab / length).clamp(-1.0, 1.0))
}

fn half_of_maximum(map: &[f64]) -> f64 {
    map.iter().copied().fold(0.0, f64::max) / 2.0
}

/// Returns the intersection over union of the places above half of each map's maximum; `None` where neither map has any
/// (both are zero throughout).
#[must_use]
pub fn overlap_of_halves(a: &[f64], b: &[f64]) -> Option<f64> {
    let (half_a, half_b) = (half_of_maximum(a), half_of_maximum(b));
    let (mut both, mut either) = (0u64, 0u64);
    for (&a, &b) in a.iter().zip(b) {
        both += u64::from(a > half_a && b > half_b);
        either += u64::from(a > half_a || b > half_b);
    }
    (either > 0).then(|| both as f64 / either as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Option<f64>, expected: f64) {
        assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?}, not {expected}");
    }

    #[test]
    fn two_images_by_hand() -> Result<()> {
        let mut agreement = MaskAgreement::new();
        // Deviations -0.25 -0.25 0.05 0.45 (mean 0.45) and -0.5 -0.5 0.5 0.5, product 0.5;
        // squares of the first 0.0625 + 0.0625 + 0.0025 + 0.2025, of the second 1.
        // Above 0.45: the last two; above 0.5: the last two.
        agreement.add(&[0.2, 0.2, 0.5, 0.9], &[0.0f32, 0.0, 1.0, 1.0])?;
        let summary = agreement.summary();
        near(summary.mask_mse, (0.04 + 0.04 + 0.25 + 0.01) / 4.0);
        near(summary.mask_correlation, 0.5 / 0.33f64.sqrt());
        near(summary.mask_iou, 1.0);
        // Exactly half is not above half: attention keeps one place, the target two, one of them together.
        agreement.add(&[1.0, 0.5], &[0.75, 1.0])?;
        let summary = agreement.summary();
        near(summary.mask_mse, (0.085 + (0.0625 + 0.25) / 2.0) / 2.0);
        near(summary.mask_correlation, (0.5 / 0.33f64.sqrt() - 1.0) / 2.0);
        near(summary.mask_iou, 0.75);
        assert_eq!((summary.masks_used, summary.masks_constant), (2, 0));
        Ok(())
    }

    /// What misled: attention that is high everywhere, as a sigmoid is, where it tells the mask's places apart by little.
    #[test]
    fn attention_that_is_high_everywhere_is_told_by_its_ranks() -> Result<()> {
        let (mut guided, mut shuffled) = (MaskAgreement::new(), MaskAgreement::new());
        let mask = [1.0f32, 1.0, 0.8, 0.2, 0.0, 0.0, 0.0, 0.0, 0.0];
        guided.add(&[0.74f32, 0.73, 0.72, 0.71, 0.7, 0.7, 0.7, 0.7, 0.7], &mask)?;
        shuffled.add(&[0.7f32, 0.7, 0.7, 0.7, 0.7, 0.71, 0.72, 0.73, 0.74], &mask)?;
        let (guided, shuffled) = (guided.summary(), shuffled.summary());
        // As release 0.1.0 had it: the mask's own share in both.
        near(guided.mask_iou, 1.0 / 3.0);
        near(shuffled.mask_iou, 1.0 / 3.0);
        near(guided.mask_auc, 1.0);
        // Of 18 pairs none is right, and six are ties.
        near(shuffled.mask_auc, 3.0 / 18.0);
        near(guided.mask_overlap, 1.0);
        near(shuffled.mask_overlap, 0.0);
        near(guided.mask_overlap_chance, (1.0 / 3.0) / (2.0 - 1.0 / 3.0));
        assert_eq!((guided.masks_used, guided.masks_divided), (1, 1));
        Ok(())
    }

    #[test]
    fn a_mask_of_everything_has_nothing_to_rank() -> Result<()> {
        let mut agreement = MaskAgreement::new();
        agreement.add(&[0.2, 0.9], &[1.0, 1.0])?;
        agreement.add(&[0.2, 0.9], &[0.0, 1.0])?;
        let summary = agreement.summary();
        assert_eq!((summary.masks_used, summary.masks_divided), (2, 1));
        near(summary.mask_auc, 1.0);
        near(summary.mask_overlap_chance, 1.0 / 3.0);
        Ok(())
    }

    #[test]
    fn a_constant_map_has_no_correlation_but_the_rest() -> Result<()> {
        let mut agreement = MaskAgreement::new();
        agreement.add(&[0.1f32; 7], &[1.0f32, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])?;
        let summary = agreement.summary();
        assert_eq!((summary.mask_correlation, summary.masks_used, summary.masks_constant), (None, 1, 1));
        near(summary.mask_iou, 1.0 / 7.0);
        agreement.add(&[0.0; 2], &[0.0; 2])?;
        let summary = agreement.summary();
        assert_eq!((summary.masks_used, summary.masks_constant), (2, 2));
        near(summary.mask_iou, 1.0 / 7.0);
        Ok(())
    }

    #[test]
    fn not_finite_empty_and_ill_fitting() -> Result<()> {
        let mut agreement = MaskAgreement::new();
        agreement.add(&[0.5, f64::NAN], &[0.0, 1.0])?;
        agreement.add(&[0.5, 0.25], &[0.0, f64::INFINITY])?;
        let summary = agreement.summary();
        assert_eq!((summary.mask_mse, summary.mask_correlation, summary.mask_iou), (None, None, None));
        assert_eq!((summary.masks_used, summary.masks_not_finite), (0, 2));
        assert!(agreement.add(&[0.5], &[0.5, 0.5]).is_err());
        assert!(agreement.add::<f64, f64>(&[], &[]).is_err());
        Ok(())
    }
}
