//! `trials.csv`: the score of each independent trial of an evaluation, such as an episode of few-shot classification.

use std::path::Path;

use anyhow::Context;
use mga_train::run_folder::TRIALS;

/// The scores of a run's trials, in the order in which they were drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Trials {
    /// One trial in a word: `episode`.
    pub of: String,
    /// The metric that the scores are of: its key.
    pub metric: String,
    /// What each trial was made of, as a hash: trials of equal hash are the same.
    pub drawn: Vec<String>,
    /// The score of each trial.
    pub scores: Vec<f64>,
}

impl Trials {
    /// Reads a run folder's file; `None`: the run has none.
    ///
    /// # Errors
    /// A file that cannot be read, or is no table of trials.
    pub fn read(folder: &Path) -> anyhow::Result<Option<Self>> {
        let path = folder.join(TRIALS);
        if !path.is_file() {
            return Ok(None);
        }
        let failed = || format!("{}: expected a number, a hash and a score a row", path.display());
        let mut reader = csv::Reader::from_path(&path).with_context(failed)?;
        let head = reader.headers().with_context(failed)?.clone();
        let (of, metric) = head.get(0).zip(head.get(2)).with_context(failed)?;
        let (of, metric) = (of.to_owned(), metric.to_owned());
        let (mut drawn, mut scores) = (Vec::new(), Vec::new());
        for row in reader.records() {
            let row = row.with_context(failed)?;
            let (hash, score) = row.get(1).zip(row.get(2)).with_context(failed)?;
            drawn.push(hash.to_owned());
            scores.push(score.parse().with_context(failed)?);
        }
        Ok(Some(Self { of, metric, drawn, scores }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trials_come_back() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Trials::read(folder.path()).unwrap(), None);
        let file = folder.path().join(TRIALS);
        std::fs::write(&file, "episode,drawn,episode_accuracy\n0,a1,0.5\n1,b2,1\n").unwrap();
        let trials = Trials::read(folder.path()).unwrap().unwrap();
        assert_eq!((trials.of.as_str(), trials.metric.as_str()), ("episode", "episode_accuracy"));
        assert_eq!((trials.drawn, trials.scores), (vec!["a1".to_owned(), "b2".to_owned()], vec![0.5, 1.0]));
        std::fs::write(&file, "episode,drawn,episode_accuracy\n0,a1,half\n").unwrap();
        let error = Trials::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("trials.csv: expected a number, a hash and a score a row"), "{error}");
    }
}
