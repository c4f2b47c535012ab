//! The deletion score (RISE: Petsiuk, Das, Saenko, BMVC 2018): how fast a network loses a class as an image loses the
//! pixels that a map calls important.

use candle_core::{DType, Device, Tensor};
use mga_core::random::Generator;
use mga_core::tape::Tape;
use mga_data::Mask;
use mga_models::MgaModel;
use serde::Serialize;

use crate::pictures::upsampled;
use crate::prediction::{Normalisation, probabilities};

/// Altered images that the network is shown at once.
const AT_ONCE: usize = 8;

/// The replacement of removed pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fill {
    /// The colour that normalisation makes 0, as in RISE.
    #[default]
    Mean,
    /// Black.
    Black,
}

/// Settings of the deletion score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deletion {
    /// Equal steps in which all pixels are taken away.
    pub steps: usize,
    /// The replacement of removed pixels.
    pub fill: Fill,
}

/// A map's score for an image.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeletionScore {
    /// The area under the curve over the share of pixels taken away, by trapezoids: 0 to 1, lower is better.
    pub score: f64,
    /// The class's softmax probability: of the whole image, after each step, and with no pixel left.
    pub curve: Vec<f64>,
}

impl Deletion {
    /// Returns the score of `map` (of any size; bilinear to the image's) for `class`, of one image as the network is
    /// shown it, `[1, C, H, W]`. Masks that are shown beside the image stay.
    ///
    /// # Errors
    /// What the network refuses.
    pub fn score(
        &self,
        model: &MgaModel,
        input: &Tensor,
        map: &Mask,
        class: usize,
        (mean, std): Normalisation,
    ) -> anyhow::Result<DeletionScore> {
        let fill = match self.fill {
            Fill::Mean => [0.0; 3],
            Fill::Black => std::array::from_fn(|c| -mean[c] / std[c]),
        };
        let device = input.device().clone();
        self.score_with(input, map, fill, |images| {
            let mut tape = Tape::eval();
            let images = tape.constant(&images.to_device(&device)?)?;
            let logits = model.forward(&mut tape, images)?.logits.tensor().to_dtype(DType::F32)?.to_vec2::<f32>()?;
            Ok(logits.iter().map(|logits| probabilities(logits).get(class).copied().unwrap_or(0.0)).collect())
        })
    }

    /// The same of anything that gives a probability for each of some images `[N, C, H, W]`.
    fn score_with(
        &self,
        input: &Tensor,
        map: &Mask,
        fill: [f32; 3],
        mut probability: impl FnMut(&Tensor) -> anyhow::Result<Vec<f64>>,
    ) -> anyhow::Result<DeletionScore> {
        let (_, channels, height, width) = input.dims4()?;
        let plane = height * width;
        let mut values = input.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        let order = by_importance(&upsampled(map, width, height));
        let (mut curve, mut waiting, mut count) = (vec![], vec![], 0);
        let mut taken = 0;
        for step in 0..=self.steps {
            let until = step * plane / self.steps.max(1);
            for &pixel in order.get(taken..until).unwrap_or_default() {
                fill.iter().enumerate().for_each(|(c, &value)| values[c * plane + pixel] = value);
            }
            taken = until;
            waiting.extend_from_slice(&values);
            count += 1;
            if count == AT_ONCE || step == self.steps {
                let images =
                    Tensor::from_vec(std::mem::take(&mut waiting), (count, channels, height, width), &Device::Cpu)?;
                curve.extend(probability(&images)?);
                count = 0;
            }
        }
        Ok(DeletionScore { score: area(&curve), curve })
    }
}

/// Pixels by falling importance. Equal ones in a random order that is always the same: row by row, a map that is flat
/// somewhere would take whole edges of the image away first.
fn by_importance(map: &Mask) -> Vec<usize> {
    let values = map.values();
    let mut order: Vec<usize> = (0..values.len()).collect();
    Generator::new(0, "deletion", &[]).shuffle(&mut order);
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    order
}

/// Under the curve over 0 to 1, by trapezoids.
fn area(curve: &[f64]) -> f64 {
    let widths = curve.len().saturating_sub(1).max(1) as f64;
    curve.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0).sum::<f64>() / widths
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A network that says how much red there is left of an image's first column.
    fn red_in_the_first_column(images: &Tensor) -> anyhow::Result<Vec<f64>> {
        let column = images.narrow(1, 0, 1)?.narrow(3, 0, 1)?.flatten_from(1)?.mean(1)?;
        Ok(column.to_vec1::<f32>()?.into_iter().map(f64::from).collect())
    }

    fn score(steps: usize, map: &[f32], fill: [f32; 3]) -> DeletionScore {
        let image = Tensor::ones((1, 3, 2, 4), DType::F32, &Device::Cpu).unwrap();
        let map = Mask::new(4, 2, map.to_vec()).unwrap();
        Deletion { steps, fill: Fill::Mean }.score_with(&image, &map, fill, red_in_the_first_column).unwrap()
    }

    #[test]
    fn what_matters_first_is_better_than_what_matters_last() {
        // Two of eight pixels matter. First: 1, 1/2, 0, 0, ...: trapezoids 3/4 + 1/4 of eight steps.
        let first = score(8, &[8.0, 1.0, 2.0, 3.0, 7.0, 4.0, 5.0, 6.0], [0.0; 3]);
        assert_eq!(first.curve, [1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        assert!((first.score - 1.0 / 8.0).abs() < 1e-12);
        let last = score(8, &[1.0, 4.0, 5.0, 6.0, 2.0, 3.0, 7.0, 8.0], [0.0; 3]);
        assert!((last.score - 7.0 / 8.0).abs() < 1e-12, "{last:?}");
        // Steps of two pixels, more than the network is shown at once, and another fill.
        let pairs = score(4, &[8.0, 1.0, 2.0, 3.0, 7.0, 4.0, 5.0, 6.0], [0.25, 0.0, 0.0]);
        assert_eq!(pairs.curve, [1.0, 0.25, 0.25, 0.25, 0.25]);
        let many = score(16, &[8.0, 1.0, 2.0, 3.0, 7.0, 4.0, 5.0, 6.0], [0.0; 3]);
        assert_eq!((many.curve.len(), many.curve[16]), (17, 0.0));
    }

    #[test]
    fn equal_pixels_go_in_one_random_order() {
        let flat = by_importance(&Mask::filled(8, 8, 0.5));
        assert_eq!(flat, by_importance(&Mask::filled(8, 8, 0.1)));
        let mut sorted = flat.clone();
        sorted.sort_unstable();
        assert!(sorted == (0..64).collect::<Vec<_>>() && sorted != flat);
    }
}
