//! The agreement of attention with the masks: those of `[data.masks]`, and those that the experiment names as
//! reference.

use candle_core::{DType, Device, Tensor};
use mga_core::loss::MaskTarget;
use mga_core::metrics::{MaskAgreement, MaskSummary, overlap_of_halves};
use mga_data::{Batch, Mask};
use serde_json::{Map, Value, json};

/// The agreement of attention with masks in an evaluation.
#[derive(Debug, Clone, PartialEq)]
pub struct Agreement {
    /// The agreement with the experiment's own masks.
    pub own: MaskSummary,
    /// The agreement with the reference masks; `None` if no image has one.
    pub reference: Option<MaskSummary>,
    /// Mean over images of intersection over union of their own mask and their reference mask, each above half its own
    /// maximum; `None` where no image has both.
    pub between: Option<f64>,
}

/// An [`Agreement`] in the making.
#[derive(Debug, Clone, Default)]
pub(super) struct Comparing {
    own: MaskAgreement,
    reference: MaskAgreement,
    referenced: bool,
    between: (f64, u64),
}

impl Comparing {
    /// Compares the attention `[N, 1, h, w]` of a batch with its masks, at the attention's size. Images without a mask, or
    /// with a blank one, are left out.
    pub(super) fn add(&mut self, batch: &Batch, attention: &Tensor) -> anyhow::Result<()> {
        let (_, _, h, w) = attention.dims4()?;
        let maps = attention.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_from(1)?.to_vec2::<f32>()?;
        let own = Targets::of(MaskTarget::of(&batch.masks, batch.counts.as_ref(), (h, w))?)?;
        for (index, map) in maps.iter().enumerate().filter(|(index, _)| batch.has_mask[*index]) {
            own.compare(index, map, &mut self.own)?;
        }
        for (index, (map, reference)) in maps.iter().zip(&batch.references).enumerate() {
            let Some(reference) = reference else { continue };
            self.referenced = true;
            Targets::of(target_of(reference, (h, w))?)?.compare(0, map, &mut self.reference)?;
            if batch.has_mask[index] {
                self.compare_masks(&batch.masks.get(index)?.flatten_all()?.to_vec1::<f32>()?, reference);
            }
        }
        Ok(())
    }

    fn compare_masks(&mut self, own: &[f32], reference: &Mask) {
        // What is ignored is no part of either.
        let number = |value: f32| if value.is_nan() { 0.0 } else { f64::from(value) };
        let wide = |values: &[f32]| values.iter().map(|&value| number(value)).collect::<Vec<f64>>();
        if let Some(overlap) = overlap_of_halves(&wide(own), &wide(reference.values())) {
            self.between = (self.between.0 + overlap, self.between.1 + 1);
        }
    }

    /// What was found.
    pub(super) fn done(&self) -> Agreement {
        let (sum, count) = self.between;
        Agreement {
            own: self.own.summary(),
            reference: self.referenced.then(|| self.reference.summary()),
            between: (count > 0).then(|| sum / count as f64),
        }
    }
}

/// The target for an attention of `h` x `w` cells of one mask.
fn target_of(mask: &Mask, size: (usize, usize)) -> anyhow::Result<MaskTarget> {
    let shape = (1, 1, mask.height(), mask.width());
    let tensor = |number: fn(f32) -> f32| {
        Tensor::from_vec(mask.values().iter().map(|&value| number(value)).collect::<Vec<f32>>(), shape, &Device::Cpu)
    };
    let masks = tensor(|value| if value.is_nan() { 0.0 } else { value })?;
    let counted = tensor(|value| f32::from(u8::from(!value.is_nan())))?;
    Ok(MaskTarget::of(&masks, mask.has_ignored().then_some(&counted), size)?)
}

/// Targets as numbers, image by image.
struct Targets {
    targets: Vec<Vec<f32>>,
    blank: Vec<bool>,
    shares: Option<Vec<Vec<f32>>>,
}

impl Targets {
    fn of(found: MaskTarget) -> anyhow::Result<Self> {
        let rows = |tensor: &Tensor| tensor.flatten_from(1)?.to_vec2::<f32>();
        let shares = found.shares.as_ref().map(rows).transpose()?;
        Ok(Self { targets: rows(&found.target)?, blank: found.blank, shares })
    }

    /// Adds the map of image `index`, unless its mask is blank; cells of ignored pixels are compared with nothing.
    fn compare(&self, index: usize, map: &[f32], agreement: &mut MaskAgreement) -> anyhow::Result<()> {
        let target = &self.targets[index];
        if self.blank[index] {
            return Ok(());
        }
        match self.shares.as_ref().map(|shares| &shares[index]) {
            None => agreement.add(map, target)?,
            Some(shares) => {
                let counted = |values: &[f32]| -> Vec<f32> {
                    values.iter().zip(shares).filter(|(_, share)| **share > 0.0).map(|(value, _)| *value).collect()
                };
                agreement.add(&counted(map), &counted(target))?;
            }
        }
        Ok(())
    }
}

impl Agreement {
    /// Returns the keys for `metrics.jsonl` and `summary.json`.
    pub fn to_json(&self) -> Map<String, Value> {
        let own = &self.own;
        let mut line = json!({
            "mask_mse": own.mask_mse, "mask_correlation": own.mask_correlation, "mask_auc": own.mask_auc,
            "mask_overlap": own.mask_overlap, "mask_overlap_chance": own.mask_overlap_chance, "mask_iou": own.mask_iou,
            "masks_used": own.masks_used, "masks_divided": own.masks_divided,
        });
        if let Some(reference) = &self.reference {
            line["reference_auc"] = json!(reference.mask_auc);
            line["reference_correlation"] = json!(reference.mask_correlation);
            line["reference_overlap"] = json!(reference.mask_overlap);
            line["reference_overlap_chance"] = json!(reference.mask_overlap_chance);
            line["reference_masks_used"] = json!(reference.masks_used);
            line["mask_reference_iou"] = json!(self.between);
        }
        match line {
            Value::Object(line) => line,
            _ => Map::new(),
        }
    }

    /// Returns the numbers for people, a line each; none where no image has a mask.
    pub fn lines(&self) -> String {
        let mut text = String::new();
        if let Some(mse) = self.own.mask_mse {
            text += &format!("  mask agreement     {}, MSE {mse:.4}\n", ranks(&self.own));
        }
        if let Some(reference) = self.reference.as_ref().filter(|reference| reference.masks_used > 0) {
            text += &format!("  reference masks    {}", ranks(reference));
            text += &self.between.map_or_else(String::new, |between| {
                format!("; the masks themselves overlap them by {between:.3} (IoU)")
            });
            text.push('\n');
        }
        text
    }

    /// Returns the one number behind an epoch's scores.
    pub fn shown(&self) -> String {
        let auc = |summary: &MaskSummary, name: &str| {
            summary.mask_auc.map_or_else(String::new, |auc| format!("  {name} AUC {auc:.3}"))
        };
        let reference = self.reference.as_ref().map_or_else(String::new, |reference| auc(reference, "reference"));
        auc(&self.own, "mask") + &reference
    }
}

fn ranks(summary: &MaskSummary) -> String {
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"));
    let Some(auc) = summary.mask_auc else {
        return "no AUC, for at the size of the attention map no mask leaves a place out".to_owned();
    };
    format!(
        "AUC {auc:.3} (chance 0.5), correlation {}, overlap {} (by chance {})",
        number(summary.mask_correlation),
        number(summary.mask_overlap),
        number(summary.mask_overlap_chance)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two images of 4 x 2 whose own mask is the left half or missing; the second's reference is the right half.
    fn batch() -> Batch {
        let left = [1f32, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0];
        let right: Vec<f32> = left.iter().map(|value| 1.0 - value).collect();
        let masks = Tensor::from_vec([&left[..], &[0.0; 8]].concat(), (2, 1, 2, 4), &Device::Cpu).unwrap();
        Batch {
            position: 0,
            images: Tensor::zeros((2, 3, 2, 4), DType::F32, &Device::Cpu).unwrap(),
            masks,
            counts: None,
            has_mask: vec![true, false],
            references: vec![Mask::new(4, 2, vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]), Mask::new(4, 2, right)],
            labels: vec![0, 0],
            indices: vec![0, 1],
            ids: vec![String::new(), String::new()],
            roles: vec![0, 0],
            tensors: Default::default(),
            records: Vec::new(),
            soft_labels: None,
        }
    }

    #[test]
    fn attention_is_compared_with_both_masks_and_masks_with_each_other() {
        // Attention of 1 x 2: higher on the left, in both images.
        let attention = Tensor::from_vec(vec![0.9f32, 0.8, 0.9, 0.8], (2, 1, 1, 2), &Device::Cpu).unwrap();
        let mut comparing = Comparing::default();
        comparing.add(&batch(), &attention).unwrap();
        let found = comparing.done();
        assert_eq!((found.own.masks_used, found.own.mask_auc), (1, Some(1.0)));
        // Right in the first image, wrong in the second.
        let reference = found.reference.clone().unwrap();
        assert_eq!((reference.masks_used, reference.mask_auc, reference.mask_overlap), (2, Some(0.5), Some(0.5)));
        assert_eq!(reference.mask_overlap_chance, Some(1.0 / 3.0));
        // A column of the two that the mask has.
        assert_eq!(found.between, Some(0.5));
        let line = found.to_json();
        assert_eq!((line["reference_auc"].as_f64(), line["mask_reference_iou"].as_f64()), (Some(0.5), Some(0.5)));
        let said = found.lines();
        assert!(
            said.contains("mask agreement     AUC 1.000 (chance 0.5)") && said.contains("by 0.500 (IoU)"),
            "{said}"
        );
        assert_eq!(found.shown(), "  mask AUC 1.000  reference AUC 0.500");
    }

    #[test]
    fn a_map_of_one_place_has_nothing_to_rank() {
        let attention = Tensor::from_vec(vec![0.9f32, 0.8], (2, 1, 1, 1), &Device::Cpu).unwrap();
        let mut comparing = Comparing::default();
        comparing.add(&batch(), &attention).unwrap();
        let said = comparing.done().lines();
        assert!(
            said.contains("no AUC, for at the size of the attention map no mask leaves a place out, MSE"),
            "{said}"
        );
    }

    #[test]
    fn without_reference_masks_nothing_is_said_of_them() {
        let mut batch = batch();
        batch.references = vec![None, None];
        let attention = Tensor::from_vec(vec![0.9f32, 0.8, 0.9, 0.8], (2, 1, 1, 2), &Device::Cpu).unwrap();
        let mut comparing = Comparing::default();
        comparing.add(&batch, &attention).unwrap();
        let line = comparing.done().to_json();
        assert!(line.keys().all(|key| !key.contains("reference")) && line["mask_auc"] == 1.0, "{line:?}");
        assert_eq!(Comparing::default().done().lines(), "");
    }
}
