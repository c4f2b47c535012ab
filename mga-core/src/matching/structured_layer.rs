//! The structured fully connected layer: prototypes of several support images a class, learnt in the episode.

use candle_core::{DType, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::deepemd::DeepEmd;
use super::prototypes::class_means;
use crate::error::{Error, Result};
use crate::loss::cross_entropy;
use crate::random::Generator;
use crate::tape::{Phase, Tape};

/// The settings by which prototypes are learnt from support images: SGD on the cross entropy of the support images, from the
/// mean features of each class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct StructuredLayer {
    /// How often every support image is used.
    pub epochs: usize,
    /// Support images in each step.
    #[schemars(range(min = 1))]
    pub batch_size: usize,
    /// The learning rate. The authors train with 0.1, and evaluate with 100.
    #[schemars(range(min = 0.0))]
    pub learning_rate: f64,
    /// Momentum of SGD.
    #[schemars(range(min = 0.0), extend("exclusiveMaximum" = 1.0))]
    pub momentum: f64,
    /// The share of a gradient that does not enter the momentum; the first enters whole.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub dampening: f64,
}

impl Default for StructuredLayer {
    /// The authors', as they train.
    fn default() -> Self {
        Self { epochs: 100, batch_size: 4, learning_rate: 0.1, momentum: 0.9, dampening: 0.9 }
    }
}

impl StructuredLayer {
    /// Learns a prototype `[…]` of each class from support images `[N, C, …]` with labels below `classes`:
    /// `[classes, C, …]`. The order of the images comes from `generator`. The prototypes are constants: no gradient reaches
    /// the support images.
    ///
    /// # Errors
    /// As [`class_means`] and [`DeepEmd::forward`]; a batch size of 0; prototypes that do not stay finite.
    pub fn fit(
        &self,
        head: &DeepEmd<'_>,
        support: &Tensor,
        labels: &[u32],
        classes: usize,
        generator: &mut Generator,
    ) -> Result<Tensor> {
        if self.batch_size == 0 {
            return Err(Error::settings("a structured layer with a batch size of 0; expected at least 1"));
        }
        let mut tape = Tape::eval();
        let features = tape.constant(&support.detach())?;
        let mut prototypes = class_means(&mut tape, features, labels, classes)?.tensor().clone();
        let mut momentum: Option<Tensor> = None;
        let mut order: Vec<u32> = (0..labels.len() as u32).collect();
        for _ in 0..self.epochs {
            generator.shuffle(&mut order);
            for chosen in order.chunks(self.batch_size) {
                let labels: Vec<u32> = chosen.iter().map(|&image| labels[image as usize]).collect();
                let images = support.index_select(&Tensor::new(chosen, support.device())?, 0)?;
                let gradient = self.gradient(head, &prototypes, &images, &labels)?;
                let moved = match momentum {
                    None => gradient,
                    Some(momentum) => ((momentum * self.momentum)? + (gradient * (1.0 - self.dampening))?)?,
                };
                prototypes = (prototypes - (&moved * self.learning_rate)?)?;
                momentum = Some(moved);
            }
        }
        if !prototypes.to_dtype(DType::F64)?.abs()?.sum_all()?.to_vec0::<f64>()?.is_finite() {
            let what = format!(
                "the prototypes of the structured layer did not stay finite at a learning rate of {}",
                self.learning_rate
            );
            return Err(Error::settings(what + "; lower it"));
        }
        Ok(prototypes)
    }

    /// The gradient of the cross entropy of `images` by the prototypes.
    fn gradient(&self, head: &DeepEmd<'_>, prototypes: &Tensor, images: &Tensor, labels: &[u32]) -> Result<Tensor> {
        let mut tape = Tape::new(Phase::Eval, true, 0, 0);
        let (variable, images) = (tape.variable(prototypes)?, tape.constant(images)?);
        let logits = head.forward(&mut tape, variable.clone(), images)?.logits;
        let loss = cross_entropy(&mut tape, logits, labels, 0.0)?;
        let gradient = tape.backward(&loss, 1.0)?.take(&variable);
        gradient.map_or_else(|| Ok(prototypes.zeros_like()?), Ok)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::super::node_weights::NodeWeights;
    use super::*;
    use crate::transport::ExactSettings;

    const LABELS: [u32; 6] = [0, 1, 2, 0, 1, 2];

    fn support() -> Result<Tensor> {
        let values = crate::formula::uniform("structured.support", 6 * 8 * 4);
        Ok(Tensor::from_vec(values, (6, 8, 2, 2), &Device::Cpu)?)
    }

    fn head(solver: &ExactSettings) -> DeepEmd<'_> {
        DeepEmd { solver, temperature: 12.5, weights: NodeWeights::CrossReference }
    }

    fn fit(settings: &StructuredLayer, seed: u64) -> Result<Tensor> {
        let mut generator = Generator::new(seed, "structured", &[]);
        settings.fit(&head(&ExactSettings {}), &support()?, &LABELS, 3, &mut generator)
    }

    fn loss(prototypes: &Tensor) -> Result<f64> {
        let mut tape = Tape::eval();
        let (prototypes, images) = (tape.constant(prototypes)?, tape.constant(&support()?)?);
        let logits = head(&ExactSettings {}).forward(&mut tape, prototypes, images)?.logits;
        Ok(cross_entropy(&mut tape, logits, &LABELS, 0.0)?.tensor().to_vec0()?)
    }

    fn apart(a: &Tensor, b: &Tensor) -> Result<f64> {
        Ok((a - b)?.abs()?.max_all()?.to_vec0()?)
    }

    #[test]
    fn it_starts_at_the_class_means_and_lowers_the_loss() -> Result<()> {
        let start = fit(&StructuredLayer { epochs: 0, ..StructuredLayer::default() }, 1)?;
        let images = support()?;
        let means = ((images.narrow(0, 0, 3)? + images.narrow(0, 3, 3)?)? / 2.0)?;
        assert!(apart(&start, &means)? < 1e-15);
        let learnt = fit(&StructuredLayer { epochs: 30, learning_rate: 1.0, ..StructuredLayer::default() }, 1)?;
        assert!(loss(&learnt)? < 0.8 * loss(&start)?, "{} from {}", loss(&learnt)?, loss(&start)?);
        Ok(())
    }

    #[test]
    fn momentum_is_dampened_but_for_the_first_gradient() -> Result<()> {
        let settings = StructuredLayer { epochs: 2, batch_size: 6, ..StructuredLayer::default() };
        let (images, start) = (support()?, fit(&StructuredLayer { epochs: 0, ..settings.clone() }, 1)?);
        let solver = ExactSettings {};
        let first = settings.gradient(&head(&solver), &start, &images, &LABELS)?;
        let once = (&start - (&first * 0.1)?)?;
        let second = settings.gradient(&head(&solver), &once, &images, &LABELS)?;
        // As PyTorch's SGD: v = g at first, then v = 0.9 v + (1 - 0.9) g.
        let twice = (&once - (((first * 0.9)? + (second * 0.1)?)? * 0.1)?)?;
        assert!(apart(&fit(&settings, 1)?, &twice)? < 1e-12);
        Ok(())
    }

    #[test]
    fn the_same_seed_learns_the_same_and_what_cannot_be_is_told() -> Result<()> {
        let settings = StructuredLayer { epochs: 3, ..StructuredLayer::default() };
        assert_eq!(apart(&fit(&settings, 1)?, &fit(&settings, 1)?)?, 0.0);
        assert!(apart(&fit(&settings, 1)?, &fit(&settings, 2)?)? > 0.0);
        let told = |settings: StructuredLayer| fit(&settings, 1).unwrap_err().to_string();
        assert!(told(StructuredLayer { batch_size: 0, ..settings.clone() }).contains("batch size of 0"));
        assert!(told(StructuredLayer { learning_rate: f64::MAX, ..settings }).contains("did not stay finite"));
        Ok(())
    }
}
