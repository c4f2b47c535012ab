//! An objective: the Brier score, the squared distance of the probabilities from the labels (Brier 1950).

use candle_core::{D, DType, Device, Tensor};
use mga_core::loss::{ClassLoss, Objectives, Shared, Targets};
use mga_core::tape::{Tape, Value};
use mga_core::{Error, Result, ops};
use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Returns the objective that an experiment selects with `[objective] name = "brier"`.
pub fn entry() -> Entry<Objectives> {
    let about = "squared distance of the softmax probabilities from the labels (Brier 1950)";
    Entry::<Objectives>::from_settings("brier", about, |settings: Brier| Box::new(settings) as Box<dyn ClassLoss>)
}

/// The settings, which stand beside `name` in `[objective]`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
struct Brier {
    /// What the scores are divided by before the softmax.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    temperature: f64,
}

impl Default for Brier {
    fn default() -> Self {
        Self { temperature: 1.0 }
    }
}

impl ClassLoss for Brier {
    fn key(&self) -> &'static str {
        "brier_score"
    }

    /// An experiment that sets `label_smoothing` is told that it does nothing.
    fn takes_label_smoothing(&self) -> bool {
        false
    }

    fn takes_class_weights(&self) -> bool {
        false
    }

    fn loss(&self, tape: &mut Tape, logits: Value, targets: Targets<'_>, _: &Shared) -> Result<Value> {
        let (images, classes) = logits.tensor().dims2()?;
        let target = shares(targets, images, classes)?.to_device(logits.tensor().device())?;
        let temperature = self.temperature;
        // Written in candle's operators; the tape takes their gradient.
        ops::candle_node(tape, &[logits], move |x| {
            let scores = (&x[0] / temperature)?;
            let scores = scores.broadcast_sub(&scores.detach().max_keepdim(D::Minus1)?)?.exp()?;
            let probabilities = scores.broadcast_div(&scores.sum_keepdim(D::Minus1)?)?;
            (probabilities - target.to_dtype(scores.dtype())?)?.sqr()?.sum_all()? / images as f64
        })
    }
}

/// The share of each class, `[images, classes]`: soft labels, or 1 at the label.
fn shares(targets: Targets<'_>, images: usize, classes: usize) -> Result<Tensor> {
    let labels = match targets {
        Targets::Soft(shares) => return Ok(shares.clone()),
        Targets::Labels(labels) => labels,
    };
    let mut rows = vec![0.0; images * classes];
    for (row, &label) in rows.chunks_exact_mut(classes).zip(labels) {
        let share = row.get_mut(label as usize);
        *share.ok_or_else(|| Error::settings(format!("label {label} with {classes} classes")))? = 1.0;
    }
    Ok(Tensor::from_vec(rows, (images, classes), &Device::Cpu)?.to_dtype(DType::F64)?)
}

#[cfg(test)]
mod tests {
    use mga_core::gradient_check::check;

    use super::*;

    #[test]
    fn the_formula_by_hand_and_its_gradient() {
        let brier = Brier { temperature: 2.0 };
        let loss =
            |tape: &mut Tape, logits: Value| brier.loss(tape, logits, Targets::Labels(&[0, 1]), &Shared::default());
        // Probabilities (3/4, 1/4) and (1/2, 1/2).
        let logits = Tensor::new(&[[2.0 * 3f64.ln(), 0.0], [0.0, 0.0]], &Device::Cpu).unwrap();
        let mut tape = Tape::eval();
        let logits = tape.constant(&logits).unwrap();
        let found: f64 = loss(&mut tape, logits).unwrap().tensor().to_vec0().unwrap();
        assert!((found - (0.0625 + 0.0625 + 0.25 + 0.25) / 2.0).abs() < 1e-14, "{found}");
        check(&[&[2, 3]], |tape, v| loss(tape, v[0].clone()));
    }
}
