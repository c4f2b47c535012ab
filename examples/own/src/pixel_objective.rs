//! An objective of segmentation: the Tversky loss, in which wrong and missed pixels weigh differently (Salehi et al. 2017).

use candle_core::{D, Device, Tensor};
use mga_core::loss::{LabelMaps, PixelLoss, PixelObjectives};
use mga_core::tape::{Tape, Value};
use mga_core::{Error, Result, ops};
use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Returns the objective that an experiment of task = "segmentation" selects with `[objective] name = "tversky"`.
pub fn entry() -> Entry<PixelObjectives> {
    let about = "1 less the overlap of each class, with weights for wrong and missed pixels (Salehi et al. 2017)";
    Entry::<PixelObjectives>::from_settings("tversky", about, |settings: Tversky| {
        Box::new(settings) as Box<dyn PixelLoss>
    })
}

/// The settings, which stand beside `name` in `[objective]`. Both at 0.5 are the Dice loss.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Tversky {
    /// Weight of pixels that are wrongly taken for a class.
    #[schemars(range(min = 0.0))]
    wrong: f64,
    /// Weight of pixels of a class that are missed.
    #[schemars(range(min = 0.0))]
    missed: f64,
}

impl Default for Tversky {
    /// The paper's.
    fn default() -> Self {
        Self { wrong: 0.3, missed: 0.7 }
    }
}

/// Keeps the overlap of a class without any pixel from being 0 / 0.
const EPS: f64 = 1e-6;

impl PixelLoss for Tversky {
    fn key(&self) -> &'static str {
        "tversky"
    }

    /// An experiment that sets `class_weights` is told that they do nothing.
    fn takes_class_weights(&self) -> bool {
        false
    }

    fn loss(&self, tape: &mut Tape, logits: Value, maps: LabelMaps<'_>, _: Option<&[f64]>) -> Result<Value> {
        let (target, counted) = one_hot(maps, logits.tensor())?;
        let Self { wrong, missed } = *self;
        // Written in candle's operators; the tape takes their gradient.
        ops::candle_node(tape, &[logits], move |x| {
            let scores = x[0].broadcast_sub(&x[0].detach().max_keepdim(1)?)?.exp()?;
            let shares = scores.broadcast_div(&scores.sum_keepdim(1)?)?.broadcast_mul(&counted)?;
            // Of each class, over all images and pixels.
            let sum = |maps: &Tensor| maps.transpose(0, 1)?.flatten_from(1)?.sum(D::Minus1);
            let (hit, taken, meant) = (sum(&(&shares * &target)?)?, sum(&shares)?, sum(&target)?);
            let whole = ((&hit + ((taken - &hit)? * wrong)?)? + ((meant - &hit)? * missed)?)?;
            ((hit + EPS)? / (whole + EPS)?)?.mean_all()?.affine(-1.0, 1.0)
        })
    }
}

/// 1 at the class of each pixel, `[N, K, H, W]`, and 1 at each pixel that counts, `[N, 1, H, W]`.
fn one_hot(maps: LabelMaps<'_>, logits: &Tensor) -> Result<(Tensor, Tensor)> {
    let (images, classes, height, width) = logits.dims4()?;
    let plane = height * width;
    if maps.labels.len() != images * plane {
        return Err(Error::settings(format!("{} labels for {images} images of {plane} pixels", maps.labels.len())));
    }
    let (mut target, mut counted) = (vec![0.0; images * classes * plane], vec![0.0; images * plane]);
    for (at, &label) in maps.labels.iter().enumerate().filter(|(_, label)| **label != maps.ignore) {
        let (image, pixel) = (at / plane, at % plane);
        let share = target.get_mut((image * classes + label as usize) * plane + pixel);
        let share = share.filter(|_| (label as usize) < classes);
        *share.ok_or_else(|| Error::settings(format!("label {label} with {classes} classes")))? = 1.0;
        counted[at] = 1.0;
    }
    let like = |values: Vec<f64>, channels: usize| -> Result<Tensor> {
        let values = Tensor::from_vec(values, (images, channels, height, width), &Device::Cpu)?;
        Ok(values.to_dtype(logits.dtype())?.to_device(logits.device())?)
    };
    Ok((like(target, classes)?, like(counted, 1)?))
}

#[cfg(test)]
mod tests {
    use mga_core::gradient_check::check;

    use super::*;

    #[test]
    fn the_formula_by_hand_and_its_gradient() {
        let maps = LabelMaps { labels: &[0, 1, 255, 1], ignore: 255 };
        let loss = |tape: &mut Tape, logits: Value| Tversky::default().loss(tape, logits, maps, None);
        // Every pixel is half of each class, and three of them count: one of the first, two of the second class.
        let logits = Tensor::zeros((1, 2, 2, 2), candle_core::DType::F64, &Device::Cpu).unwrap();
        let mut tape = Tape::eval();
        let logits = tape.constant(&logits).unwrap();
        let found: f64 = loss(&mut tape, logits).unwrap().tensor().to_vec0().unwrap();
        let overlap = |hit: f64, wrong: f64, missed: f64| hit / (hit + 0.3 * wrong + 0.7 * missed);
        let expected = 1.0 - (overlap(0.5, 1.0, 0.5) + overlap(1.0, 0.5, 1.0)) / 2.0;
        assert!((found - expected).abs() < 1e-5, "{found}, {expected}");
        check(&[&[1, 2, 2, 2]], |tape, v| loss(tape, v[0].clone()));
    }
}
