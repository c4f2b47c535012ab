//! A search: each round draws from a window around the best draw so far, which is narrower than the window before.

use std::sync::Arc;

use mga_core::random::Generator;
use mga_registry::{Entry, OwnSettings, SettingFault};
use mga_sweep::Budget;
use mga_sweep::search::{Drawing, RegisteredSearch, SearchDimension, SearchStrategy, Searches, Trial};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// Returns the search that a sweep selects with `search = { name = "coarse-to-fine", draws = 4 }`.
pub fn entry() -> Entry<Searches> {
    let about = "Rounds of draws, each from a narrower window around the best draw so far.";
    let entry = Entry::<Searches>::new("coarse-to-fine", about, Arc::new(CoarseToFine));
    entry.with_settings(schemars::schema_for!(CoarseToFineSettings))
}

/// The settings, which stand beside `name`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(default)]
struct CoarseToFineSettings {
    /// Draws of a round. Their runs may go on at once.
    #[schemars(range(min = 1))]
    draws: usize,
    /// Width of a round's window as a fraction of the one before.
    #[schemars(range(min = 0.01, max = 1.0))]
    shrink: f64,
}

impl Default for CoarseToFineSettings {
    fn default() -> Self {
        Self { draws: 4, shrink: 0.5 }
    }
}

struct CoarseToFine;

impl RegisteredSearch for CoarseToFine {
    fn drawing(&self) -> Drawing {
        Drawing::InRounds
    }

    fn build(
        &self,
        settings: &OwnSettings<'_>,
        space: &[SearchDimension],
        budget: &Budget,
    ) -> Result<Box<dyn SearchStrategy>, SettingFault> {
        Ok(Box::new(Windows { settings: settings.read()?, space: space.to_vec(), seed: budget.seed }))
    }
}

/// Nothing in it changes: a round is a function of the seed and the draws before it, so a sweep that was killed goes on as if
/// it had not been.
struct Windows {
    settings: CoarseToFineSettings,
    space: Vec<SearchDimension>,
    seed: u64,
}

impl SearchStrategy for Windows {
    fn next(&self, trials: &[Trial], left: usize) -> anyhow::Result<Vec<Vec<Value>>> {
        let CoarseToFineSettings { draws, shrink } = self.settings;
        let width = shrink.powi(trials.len().div_ceil(draws) as i32);
        let scored = trials.iter().filter_map(|trial| Some((trial, trial.outcome.score()?)));
        // Of equals the first.
        let best = scored.reduce(|best, other| if other.1 > best.1 { other } else { best });
        let numbers = trials.len()..trials.len() + draws.min(left);
        Ok(numbers.map(|number| self.draw(best.map(|(trial, _)| trial), width, number)).collect())
    }
}

impl Windows {
    /// The values of draw `number`, in the order of the space.
    fn draw(&self, best: Option<&Trial>, width: f64, number: usize) -> Vec<Value> {
        let value = |(index, SearchDimension { key, range }): (usize, &SearchDimension)| {
            // A range lays its values out on a line: `log_uniform` by their logarithm, choices by their number.
            let (low, high) = range.line();
            let centre = best.and_then(|trial| range.place(trial.values.get(index)?));
            let (from, to) = centre.map_or((low, high), |centre| {
                let half = width * (high - low) / 2.0;
                ((centre - half).max(low), (centre + half).min(high))
            });
            let mut generator = Generator::new(self.seed, &format!("coarse-to-fine/{key}"), &[number as u64]);
            range.at(generator.uniform_in(from, to))
        };
        self.space.iter().enumerate().map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use mga_experiment::KeyPath;
    use mga_sweep::search::{Outcome, Range};
    use serde_json::json;

    use super::*;

    fn search() -> Box<dyn SearchStrategy> {
        let range = Range::read(&json!({ "log_uniform": [1e-4, 1.0] })).unwrap();
        let space = [SearchDimension { key: KeyPath::dotted("optimiser.learning_rate"), range }];
        let settings = json!({ "draws": 3, "shrink": 0.25 });
        let settings = OwnSettings::new("search", settings.as_object().unwrap());
        CoarseToFine.build(&settings, &space, &Budget { runs: 8, ..Budget::default() }).unwrap()
    }

    #[test]
    fn later_rounds_stay_near_the_best_draw() {
        let (search, mut trials) = (search(), vec![]);
        let distance = |values: &[Value]| (values[0].as_f64().unwrap().log10() + 2.0).abs();
        while trials.len() < 8 {
            let round = search.next(&trials, 8 - trials.len()).unwrap();
            assert_eq!(round, search.next(&trials, 8 - trials.len()).unwrap());
            trials
                .extend(round.into_iter().map(|values| Trial { outcome: Outcome::Scored(-distance(&values)), values }));
        }
        // Three, three, and the two that are left.
        let best = trials[..3].iter().map(|trial| distance(&trial.values)).fold(f64::INFINITY, f64::min);
        // The window is a quarter of four decades, half of it on each side.
        assert!(trials[3..6].iter().all(|trial| distance(&trial.values) <= best + 0.5), "{trials:?}");
        let failed: Vec<Trial> =
            trials[..3].iter().map(|trial| Trial { outcome: Outcome::Failed, ..trial.clone() }).collect();
        assert_eq!(search.next(&failed, 5).unwrap().len(), 3);
    }
}
