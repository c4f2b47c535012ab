//! The scores of episodes in the making.

use candle_core::{DType, Tensor};
use mga_core::random::fnv1a64;
use mga_data::dataset::Record;
use mga_data::sampler::Draw;

/// What came of one episode.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct EpisodeScore {
    /// A hash of its images and their roles: episodes of equal hash are the same.
    pub(super) drawn: String,
    /// Share of the query images that are told right.
    pub(super) accuracy: f64,
    /// Mean cross entropy of the query images.
    pub(super) loss: f64,
    /// The label and the predicted class of each query image.
    pub(super) told: Vec<(usize, usize)>,
}

/// The hash of an episode.
pub(super) fn hash(draws: &[Draw], records: &[Record]) -> String {
    let mut text = String::new();
    for draw in draws {
        text += records.get(draw.index).map_or("", |record| record.id.as_str());
        text += &format!("\n{}\n", draw.role);
    }
    format!("{:016x}", fnv1a64(text.as_bytes()))
}

impl EpisodeScore {
    /// Of scores `[Q, way]`, of which row `i` is of the episode's class `i % way`; `classes` are the labels of its classes.
    ///
    /// # Errors
    /// Scores of another shape.
    pub(super) fn of(drawn: String, scores: &Tensor, classes: &[usize]) -> anyhow::Result<Self> {
        let rows = scores.to_dtype(DType::F64)?.to_vec2::<f64>()?;
        let (mut right, mut loss, mut told) = (0, 0.0, Vec::with_capacity(rows.len()));
        for (place, row) in rows.iter().enumerate() {
            let truth = place % classes.len();
            // The first of equal scores.
            let mut best = 0;
            (1..row.len()).for_each(|at| best = if row[at] > row[best] { at } else { best });
            let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = row.iter().map(|score| (score - most).exp()).sum();
            loss += most + sum.ln() - row[truth];
            right += usize::from(best == truth);
            told.push((classes[truth], classes[best]));
        }
        let count = rows.len().max(1) as f64;
        Ok(Self { drawn, accuracy: right as f64 / count, loss: loss / count, told })
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn query_images_are_of_each_class_in_turn() {
        let scores = Tensor::new(&[[2.0f32, 0.0], [3.0, 1.0], [0.0, 0.0]], &Device::Cpu).unwrap();
        let score = EpisodeScore::of(String::new(), &scores, &[7, 9]).unwrap();
        assert_eq!(score.told, [(7, 7), (9, 7), (7, 7)]);
        let expected = ((1.0 + (-2.0f64).exp()).ln() * 2.0 + 2.0 + 2.0f64.ln()) / 3.0;
        assert!((score.accuracy - 2.0 / 3.0).abs() < 1e-12 && (score.loss - expected).abs() < 1e-6, "{score:?}");
    }

    #[test]
    fn a_hash_tells_images_and_roles_apart() {
        let records =
            ["a", "b"].map(|id| Record { id: id.to_owned(), path: None, label: None, group: None, split: None });
        let draws = |roles: [u16; 2]| [0, 1].map(|at| Draw { role: roles[at], ..Draw::of(at) });
        assert_eq!(hash(&draws([0, 1]), &records), hash(&draws([0, 1]), &records));
        assert_ne!(hash(&draws([0, 1]), &records), hash(&draws([1, 0]), &records));
    }
}
