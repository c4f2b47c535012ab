//! The result of an evaluation by episodes.

use mga_core::statistics::{deviation, mean};
use mga_data::samplers::episodes::EpisodeSettings;
use serde_json::{Value, json};

use super::episode_scores::EpisodeScore;
use super::names::ACCURACY;
use crate::run_folder::RunFolder;
use crate::runners::learner::Outcome;

/// The quantile of 95 % intervals, as the literature of few-shot learning writes them: `1.96 s / sqrt(n)`.
const NORMAL: f64 = 1.96;

/// What the episodes of an evaluation came to.
pub(super) struct ByEpisode {
    /// Of each episode, in the order in which they were drawn.
    pub(super) scores: Vec<EpisodeScore>,
    /// What an episode is.
    pub(super) settings: EpisodeSettings,
    /// The names of all classes.
    pub(super) classes: Vec<String>,
    /// Images whose features were computed.
    pub(super) images: usize,
}

impl ByEpisode {
    fn accuracies(&self) -> Vec<f64> {
        self.scores.iter().map(|score| score.accuracy).collect()
    }

    fn accuracy(&self) -> Option<f64> {
        mean(&self.accuracies())
    }

    /// Half of the 95 % interval of the accuracy.
    fn half_interval(&self) -> Option<f64> {
        Some(NORMAL * deviation(&self.accuracies())? / (self.scores.len() as f64).sqrt())
    }

    fn loss(&self) -> Option<f64> {
        mean(&self.scores.iter().map(|score| score.loss).collect::<Vec<_>>()).filter(|loss| loss.is_finite())
    }

    fn shown_accuracy(&self) -> String {
        let percent =
            |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{:.2}", 100.0 * value));
        format!("{} ± {} %", percent(self.accuracy()), percent(self.half_interval()))
    }
}

impl Outcome for ByEpisode {
    fn line(&self, split: &str, epoch: Option<usize>) -> Value {
        let EpisodeSettings { way, shot, query, .. } = self.settings;
        json!({
            "kind": "eval",
            "split": split,
            "epoch": epoch,
            ACCURACY: self.accuracy(),
            "half_interval": self.half_interval(),
            "cross_entropy": self.loss(),
            "episodes": { "count": self.scores.len(), "way": way, "shot": shot, "query": query },
            "images": self.images,
        })
    }

    fn score(&self) -> Option<f64> {
        self.accuracy()
    }

    fn notes(&self, split: &str) -> Vec<String> {
        let lost = self.scores.iter().filter(|score| !score.loss.is_finite()).count();
        let note = format!("{split}: the cross entropy of {lost} of {} episodes is NaN or infinite", self.scores.len());
        (lost > 0).then_some(note).into_iter().collect()
    }

    fn shown(&self) -> String {
        format!("episodes {}", self.shown_accuracy())
    }

    fn lines(&self) -> String {
        let EpisodeSettings { way, shot, query, .. } = self.settings;
        format!(
            "  episode accuracy   {}   (95 % interval over {} episodes, {way}-way {shot}-shot, {query} queries; chance {:.1} %)\n  \
             cross entropy      {}\n  features           of {} images, each computed once\n",
            self.shown_accuracy(),
            self.scores.len(),
            100.0 / way as f64,
            self.loss().map_or_else(|| "-".to_owned(), |loss| format!("{loss:.4}")),
            self.images
        )
    }

    fn images(&self) -> u64 {
        self.images as u64
    }

    /// Writes `trials.csv`, and `confusion.csv` of the query images by the classes that are told apart.
    fn write(&self, folder: &RunFolder) -> anyhow::Result<()> {
        let trials: Vec<_> = self.scores.iter().map(|score| (score.drawn.clone(), score.accuracy)).collect();
        folder.write_trials("episode", ACCURACY, &trials)?;
        let mut asked: Vec<usize> = self.scores.iter().flat_map(|score| &score.told).map(|(label, _)| *label).collect();
        asked.sort_unstable();
        asked.dedup();
        let place = |class: usize| asked.binary_search(&class);
        let mut counts = vec![vec![0u64; asked.len()]; asked.len()];
        for &(label, predicted) in self.scores.iter().flat_map(|score| &score.told) {
            if let (Ok(row), Ok(column)) = (place(label), place(predicted)) {
                counts[row][column] += 1;
            }
        }
        let name = |&class: &usize| self.classes.get(class).cloned().unwrap_or_default();
        folder.write_confusion(&asked.iter().map(name).collect::<Vec<_>>(), &counts)
    }

    fn write_logits(&self, _: &RunFolder) -> anyhow::Result<()> {
        anyhow::bail!("an episode has scores for its own classes alone, so there are none of an image to write")
    }
}
