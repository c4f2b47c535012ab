//! The draws of a search in rounds, kept in its folder: what was drawn stays drawn, whatever is retried later.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::plan::{Plan, write_changed};
use super::planner::Planner;
use super::search::{Outcome, Trial};

/// Their file in the sweep's folder.
const FILE: &str = "draws.json";

/// `draws.json`.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Draws {
    keys: Vec<String>,
    /// The values of each draw, in the order of the keys.
    pub values: Vec<Vec<Value>>,
}

impl Draws {
    /// Returns the draws made so far in a sweep's folder.
    ///
    /// # Errors
    /// A file that cannot be read; draws from other ranges.
    pub fn read(folder: &Path, planner: &Planner<'_>) -> anyhow::Result<Self> {
        let path = folder.join(FILE);
        let keys: Vec<String> = planner.dimensions().iter().map(|dimension| dimension.key.to_string()).collect();
        if !path.is_file() {
            return Ok(Self { keys, values: Vec::new() });
        }
        let unreadable = || format!("{}: cannot be read", path.display());
        let draws: Self =
            serde_json::from_slice(&std::fs::read(&path).with_context(unreadable)?).with_context(unreadable)?;
        anyhow::ensure!(
            draws.keys == keys,
            "{}: holds draws of {}, and the sweep file now draws {}; search in another folder",
            path.display(),
            draws.keys.join(", "),
            keys.join(", ")
        );
        Ok(draws)
    }

    /// Draws the next round from the scores in `plan`, which is `None` if nothing was run yet. It returns `false` if
    /// there is no further round, because the budget is spent or the search is over.
    ///
    /// # Errors
    /// What keeps the search from drawing.
    pub fn more(&mut self, planner: &Planner<'_>, plan: Option<&Plan>) -> anyhow::Result<bool> {
        let draws = planner.next_draws(&trials(plan, &self.values))?;
        let drawn = !draws.is_empty();
        self.values.extend(draws);
        Ok(drawn)
    }

    /// Writes them down.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn write(&self, folder: &Path) -> anyhow::Result<()> {
        write_changed(&folder.join(FILE), &(serde_json::to_string_pretty(self)? + "\n"))
    }
}

/// Each draw with the mean score of its runs, in their order.
fn trials(plan: Option<&Plan>, values: &[Vec<Value>]) -> Vec<Trial> {
    let mut scores: BTreeMap<usize, Vec<Option<f64>>> = BTreeMap::new();
    for cell in plan.into_iter().flat_map(|plan| &plan.cells) {
        if let Some(draw) = cell.record.draw {
            scores.entry(draw).or_default().push(cell.score());
        }
    }
    let mean = |scores: &Vec<Option<f64>>| {
        let known: Option<Vec<f64>> = scores.iter().copied().collect();
        known.filter(|known| !known.is_empty()).map(|known| known.iter().sum::<f64>() / known.len() as f64)
    };
    let outcome = |number: usize| match scores.get(&number) {
        // A draw whose runs are those of an earlier one, equal in all values, has no cells of its own.
        None => Outcome::Repeated,
        Some(scores) => mean(scores).map_or(Outcome::Failed, Outcome::Scored),
    };
    let trial = |(number, values): (usize, &Vec<Value>)| Trial { values: values.clone(), outcome: outcome(number) };
    values.iter().enumerate().map(trial).collect()
}

#[cfg(test)]
mod tests {
    use mga_testing::awkward;

    use super::*;

    #[test]
    fn what_was_drawn_is_read_as_it_was() {
        let doubles = awkward::doubles();
        let values = doubles.iter().map(|&double| vec![Value::from(double)]).collect();
        let text = serde_json::to_string_pretty(&Draws { keys: vec!["x".to_owned()], values }).unwrap();
        let draws: Draws = serde_json::from_str(&text).unwrap();
        let read: Vec<f64> = draws.values.iter().filter_map(|values| values[0].as_f64()).collect();
        assert!(awkward::same_bits(&read, &doubles));
    }
}
