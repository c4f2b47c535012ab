//! The arm of a sweep with the best score on the validation images: by the mean over its runs, not by the luckiest of
//! them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::key::short_key;
use super::plan::{Cell, CellRecord, Plan};
use super::search::rounded;

/// The scores of a sweep's arms, as far as they are known.
#[derive(Debug, Default)]
pub struct Scores {
    arms: Vec<Arm>,
    of_run: BTreeMap<String, f64>,
    metric: String,
    lower_is_better: bool,
}

/// Runs of equal settings; of a search, a draw.
#[derive(Debug)]
struct Arm {
    record: CellRecord,
    keys: Vec<String>,
}

/// The best arm.
#[derive(Debug, Clone, PartialEq)]
pub struct Best {
    /// Mean of its runs' scores, higher better.
    pub mean: f64,
    /// The number of runs in the mean.
    pub runs: usize,
    /// The number of runs of the arm or draw.
    pub of: usize,
    /// The settings that tell it from the others.
    pub name: String,
    /// The number of its draw.
    pub draw: Option<usize>,
}

impl Scores {
    /// Takes the arms of a plan; what is known of its runs stays.
    pub fn planned(&mut self, plan: &Plan) {
        self.metric.clone_from(&plan.metric);
        self.lower_is_better = plan.lower_is_better;
        self.arms.clear();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for cell in &plan.cells {
            let record = &cell.record;
            let arm = serde_json::json!([record.draw, record.variant, record.settings]).to_string();
            let place = *places.entry(arm).or_insert_with(|| {
                self.arms.push(Arm { record: record.clone(), keys: vec![] });
                self.arms.len() - 1
            });
            if let Some(arm) = self.arms.get_mut(place) {
                arm.keys.push(cell.key.clone());
            }
        }
    }

    /// Takes the score of a run that is finished, and gives it.
    pub fn take(&mut self, cell: &Cell) -> Option<f64> {
        let score = cell.score()?;
        self.of_run.insert(cell.key.clone(), score);
        Some(score)
    }

    /// Returns the arm with the best mean among those whose runs all have a score, or among the others if there is
    /// none. The first of several equal arms wins.
    pub fn best(&self) -> Option<Best> {
        let mut best: Option<Best> = None;
        for arm in &self.arms {
            let scores: Vec<f64> = arm.keys.iter().filter_map(|key| self.of_run.get(key).copied()).collect();
            if scores.is_empty() {
                continue;
            }
            let (mean, runs, of) = (scores.iter().sum::<f64>() / scores.len() as f64, scores.len(), arm.keys.len());
            let whole = |best: &Best| best.runs == best.of;
            let better = best.as_ref().is_none_or(|best| match (runs == of, whole(best)) {
                (true, false) => true,
                (false, true) => false,
                _ => mean > best.mean,
            });
            if better {
                best = Some(Best { mean, runs, of, name: self.name(arm), draw: arm.record.draw });
            }
        }
        best
    }

    /// Describes the best arm: `0.8312 top1, mean of 3 runs, draw 4 (learning_rate = 0.01)`.
    pub fn told(&self) -> Option<String> {
        let Best { mean, runs, of, name, .. } = self.best()?;
        // Scores are higher the better.
        let shown = if self.lower_is_better { -mean } else { mean };
        let metric = self.metric.replace('_', " ");
        let over = match (runs, of) {
            (1, 1) => "one run".to_owned(),
            _ if runs == of => format!("mean of {runs} runs"),
            _ => format!("mean of {runs} of {of} runs"),
        };
        Some(format!("{metric} {shown:.4}, {over}, {name}"))
    }

    fn name(&self, arm: &Arm) -> String {
        let record = &arm.record;
        let varies =
            |key: &String| self.arms.iter().any(|other| other.record.settings.get(key) != record.settings.get(key));
        let plain = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Number(number) if number.is_f64() => {
                Value::from(rounded(number.as_f64().unwrap_or(0.0))).to_string()
            }
            other => other.to_string(),
        };
        let settings: Vec<String> = (record.settings.iter())
            .filter(|(key, _)| varies(key))
            .map(|(key, value)| format!("{} = {}", short_key(key), plain(value)))
            .collect();
        let settings = settings.join(", ");
        let draw = record.draw.map(|draw| format!("draw {draw}"));
        let named: Vec<String> = record.variant.clone().into_iter().chain(draw).collect();
        match (named.is_empty(), settings.is_empty()) {
            (true, true) => record.sweep.clone(),
            (true, false) => settings,
            (false, true) => named.join(", "),
            (false, false) => format!("{} ({settings})", named.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;

    fn plan(cells: &[(&str, usize, u64)], metric: &str) -> Plan {
        let cell = |&(key, draw, seed): &(&str, usize, u64)| {
            let record = json!({ "sweep": "s", "variant": null, "settings": { "optimiser.learning_rate": draw as f64 / 10.0 },
                "replicate": { "seed": seed }, "order": 0, "baseline": false, "draw": draw, "id": key });
            Cell::new(Path::new("/nowhere"), key.to_owned(), serde_json::from_value(record).unwrap(), String::new(), 1)
        };
        Plan {
            name: "s".to_owned(),
            folder: "/nowhere".into(),
            search: mga_registry::Choice::from("grid"),
            metric: metric.to_owned(),
            lower_is_better: metric == "cross_entropy",
            launcher: Default::default(),
            cells: cells.iter().map(cell).collect(),
        }
    }

    #[test]
    fn the_best_mean_wins_over_the_luckiest_run() {
        let mut scores = Scores::default();
        scores.planned(&plan(&[("a1", 0, 1), ("a2", 0, 2), ("b1", 1, 1), ("b2", 1, 2)], "top1"));
        assert_eq!(scores.told(), None);
        scores.of_run = [("a1", 0.9), ("a2", 0.5), ("b1", 0.8)].map(|(key, score)| (key.to_owned(), score)).into();
        // One seed alone, however lucky, is no draw's mean.
        assert_eq!(scores.told().unwrap(), "top1 0.7000, mean of 2 runs, draw 0 (learning_rate = 0.0)");
        scores.of_run.insert("b2".to_owned(), 0.75);
        assert_eq!(scores.told().unwrap(), "top1 0.7750, mean of 2 runs, draw 1 (learning_rate = 0.1)");
        assert_eq!(scores.best().unwrap().draw, Some(1));
    }

    #[test]
    fn parts_and_single_runs_are_named_as_such() {
        let mut scores = Scores::default();
        scores.planned(&plan(&[("a1", 0, 1), ("a2", 0, 2)], "cross_entropy"));
        scores.of_run.insert("a1".to_owned(), -0.5);
        assert_eq!(scores.told().unwrap(), "cross entropy 0.5000, mean of 1 of 2 runs, draw 0");
        scores.planned(&plan(&[("a1", 0, 1)], "top1"));
        assert_eq!(scores.told().unwrap(), "top1 -0.5000, one run, draw 0");
    }
}
