//! Statistics over independent trials, such as the episodes of few-shot classification: intervals of means, and differences
//! paired by trial. They are about these very models, and say nothing of other seeds.

use std::collections::HashMap;

use mga_core::statistics::{deviation, mean, t_test};

use super::model::{Interval, TrialDifference, TrialScore};
use crate::results::{Record, Trials};

/// The quantile of the normal distribution behind 95 % intervals over trials, as the literature writes them:
/// `1.96 s / sqrt(n)`.
const NORMAL: f64 = 1.96;

/// The trials of a report's runs, each file read once.
pub(super) struct TrialTables<'a> {
    records: &'a [Record],
    runs: HashMap<usize, Option<Trials>>,
    /// Files that could not be read, a sentence each.
    pub(super) notes: Vec<String>,
}

impl<'a> TrialTables<'a> {
    pub(super) fn of(records: &'a [Record]) -> Self {
        Self { records, runs: HashMap::new(), notes: Vec::new() }
    }

    /// Reads the trials of runs that are not read yet.
    fn read(&mut self, records: impl IntoIterator<Item = usize>) {
        for record in records {
            if self.runs.contains_key(&record) {
                continue;
            }
            let read = Trials::read(&self.records[record].folder);
            self.notes.extend(read.as_ref().err().map(|error| format!("{error:#}")));
            self.runs.insert(record, read.unwrap_or_default());
        }
    }

    /// The trials of a run by this metric.
    fn trials(&self, record: usize, metric: &str) -> Option<&Trials> {
        self.runs.get(&record)?.as_ref().filter(|trials| trials.metric == metric)
    }

    /// The mean of an arm's runs over their trials; `None` where a run has no trials of this metric.
    pub(super) fn score(&mut self, metric: &str, records: &[usize]) -> Option<TrialScore> {
        self.read(records.iter().copied());
        let runs: Option<Vec<&Trials>> = records.iter().map(|&record| self.trials(record, metric)).collect();
        let runs = runs.filter(|runs| !runs.is_empty())?;
        let spread = |trials: &Trials| Some(deviation(&trials.scores)?.powi(2) / trials.scores.len() as f64);
        let variances: Option<Vec<f64>> = runs.iter().map(|trials| spread(trials)).collect();
        let means: Option<Vec<f64>> = runs.iter().map(|trials| mean(&trials.scores)).collect();
        let (centre, half) = (mean(&means?)?, NORMAL * variances?.iter().sum::<f64>().sqrt() / runs.len() as f64);
        Some(TrialScore {
            of: runs[0].of.clone(),
            trials: runs.iter().map(|trials| trials.scores.len()).sum(),
            mean: centre,
            interval: Interval { low: centre - half, high: centre + half },
        })
    }

    /// The difference over pairs of runs, the arm's first, paired by trial.
    ///
    /// # Errors
    /// Why not, where both have trials: they are of other trials.
    pub(super) fn compare(
        &mut self,
        metric: &str,
        pairs: &[[usize; 2]],
        confidence: f64,
    ) -> Result<Option<TrialDifference>, String> {
        self.read(pairs.iter().flatten().copied());
        let mut differences = Vec::new();
        let mut of = None;
        for &[arm, baseline] in pairs {
            let Some((one, other)) = self.trials(arm, metric).zip(self.trials(baseline, metric)) else {
                return Ok(None);
            };
            if one.drawn != other.drawn {
                let keys = [arm, baseline].map(|record| self.records[record].key.as_str());
                return Err(format!("{} and {} are of other {}s", keys[0], keys[1], one.of));
            }
            of = Some(one.of.clone());
            differences.extend(one.scores.iter().zip(&other.scores).map(|(one, other)| one - other));
        }
        let Some((of, difference)) = of.zip(mean(&differences)) else { return Ok(None) };
        let half = NORMAL * deviation(&differences).unwrap_or(0.0) / (differences.len() as f64).sqrt();
        Ok(Some(TrialDifference {
            of,
            trials: differences.len(),
            difference,
            interval: Interval { low: difference - half, high: difference + half },
            p: t_test(&differences, confidence).map(|test| test.p),
        }))
    }
}

#[cfg(test)]
mod tests {
    use mga_train::run_folder::TRIALS;

    use super::*;

    /// Runs with these trials: hashes and scores.
    fn runs(trials: &[&[(&str, f64)]]) -> (tempfile::TempDir, Vec<Record>) {
        let folder = tempfile::tempdir().unwrap();
        let record = |(at, trials): (usize, &&[(&str, f64)])| {
            let run = folder.path().join(at.to_string());
            std::fs::create_dir(&run).unwrap();
            std::fs::write(run.join("cell.json"), "{}").unwrap();
            let rows: String = trials.iter().map(|(hash, score)| format!("0,{hash},{score}\n")).collect();
            std::fs::write(run.join(TRIALS), format!("episode,drawn,accuracy\n{rows}")).unwrap();
            Record::read(&run).unwrap()
        };
        let records = trials.iter().enumerate().map(record).collect();
        (folder, records)
    }

    #[test]
    fn an_interval_is_that_of_the_literature() {
        let (_folder, records) = runs(&[&[("a", 0.2), ("b", 0.4), ("c", 0.6), ("d", 0.8)]]);
        let score = TrialTables::of(&records).score("accuracy", &[0]).unwrap();
        // s of 0.2, 0.4, 0.6, 0.8 is sqrt(0.2 / 3).
        let half = 1.96 * (0.2f64 / 3.0).sqrt() / 2.0;
        assert_eq!((score.trials, score.of.as_str()), (4, "episode"));
        assert!((score.mean - 0.5).abs() < 1e-12 && (score.interval.low - (0.5 - half)).abs() < 1e-12);
        assert_eq!(TrialTables::of(&records).score("top1", &[0]), None);
    }

    #[test]
    fn differences_are_paired_by_trial() {
        let easy_and_hard = [("a", 0.9), ("b", 0.1), ("c", 0.8), ("d", 0.2)];
        let better = easy_and_hard.map(|(hash, score)| (hash, score + if hash == "a" { 0.04 } else { 0.05 }));
        let (_folder, records) = runs(&[&better, &easy_and_hard, &[("x", 0.9)]]);
        let mut tables = TrialTables::of(&records);
        let found = tables.compare("accuracy", &[[0, 1]], 0.95).unwrap().unwrap();
        assert!((found.difference - 0.0475).abs() < 1e-12 && found.interval.low > 0.04, "{found:?}");
        assert!(found.p.unwrap() < 0.001);
        let refused = tables.compare("accuracy", &[[0, 2]], 0.95).unwrap_err();
        assert_eq!(refused, "0 and 2 are of other episodes");
    }
}
