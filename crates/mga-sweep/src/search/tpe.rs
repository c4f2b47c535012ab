//! `search = "tpe"`: draws that learn from scores, by a tree-structured Parzen estimator for each range, of the crate `tpe`.

use std::convert::Infallible;
use std::sync::Arc;

use mga_core::random::Generator;
use mga_core::wording::counted;
use mga_registry::{Entry, OwnSettings, SettingFault};
use rand_core::TryRng;
use serde_json::Value;
use tpe::{TpeOptimizer, histogram_estimator, parzen_estimator};

use super::random;
use super::range::Range;
use super::strategy::{Drawing, Outcome, RegisteredSearch, SearchDimension, SearchStrategy, Searches, Trial};
use crate::file::Budget;

struct Tpe;

pub(super) fn entry() -> Entry<Searches> {
    let about = "As `random`, but later draws go where earlier ones scored well on the validation images (tree-structured \
                 Parzen estimator). Test images are never looked at.";
    Entry::<Searches>::new("tpe", about, Arc::new(Tpe)).with_words(|budget| {
        let number = |key: &str| budget.get(key).and_then(Value::as_u64).unwrap_or_default();
        format!(
            "a tree-structured Parzen estimator (TPE, Bergstra et al. 2011; one for each setting alone), the first {} by \
             chance, {} at a time",
            counted(number("startup") as usize, "draw", "draws"),
            number("parallel")
        )
    })
}

impl RegisteredSearch for Tpe {
    fn drawing(&self) -> Drawing {
        Drawing::InRounds
    }

    fn budget_keys(&self) -> &'static [&'static str] {
        &["startup", "parallel"]
    }

    fn build(
        &self,
        _: &OwnSettings<'_>,
        space: &[SearchDimension],
        budget: &Budget,
    ) -> Result<Box<dyn SearchStrategy>, SettingFault> {
        Ok(Box::new(Estimators { space: space.to_vec(), budget: budget.clone() }))
    }
}

struct Estimators {
    space: Vec<SearchDimension>,
    budget: Budget,
}

impl SearchStrategy for Estimators {
    fn next(&self, trials: &[Trial], left: usize) -> anyhow::Result<Vec<Vec<Value>>> {
        let Budget { seed, startup, parallel, .. } = self.budget;
        let known: Vec<&Trial> = trials.iter().filter(|trial| trial.outcome != Outcome::Repeated).collect();
        let numbers = trials.len()..trials.len() + parallel.min(left);
        let drawn = numbers.map(|number| match number < startup || known.is_empty() {
            true => Ok(random::draw(&self.space, seed, number)),
            false => draw(&self.space, &known, seed, number),
        });
        drawn.collect()
    }
}

/// The values of draw `number`, after these trials.
///
/// # Errors
/// What the estimator refuses; nothing that comes out of checked ranges.
fn draw(space: &[SearchDimension], trials: &[&Trial], seed: u64, number: usize) -> anyhow::Result<Vec<Value>> {
    let one = |(index, SearchDimension { key, range }): (usize, &SearchDimension)| -> anyhow::Result<Value> {
        let estimator = if matches!(range, Range::Choice(_)) { histogram_estimator() } else { parzen_estimator() };
        let (low, high) = range.line();
        let line = tpe::range(low, high).map_err(|error| anyhow::anyhow!("{key}: {error}"))?;
        let mut optimiser = TpeOptimizer::new(estimator, line);
        for trial in trials {
            let Some(place) = trial.values.get(index).and_then(|value| range.place(value)) else { continue };
            // It looks for the least; what failed is worse than anything.
            let value = trial.outcome.score().filter(|score| score.is_finite()).map_or(f64::INFINITY, |score| -score);
            optimiser.tell(place, value).map_err(|error| anyhow::anyhow!("{key}: {error}"))?;
        }
        let mut random = Random(Generator::new(seed, &format!("sweep/tpe/{key}"), &[number as u64]));
        let place = optimiser.ask(&mut random).map_err(|error| anyhow::anyhow!("{key}: {error}"))?;
        Ok(range.at(place))
    };
    space.iter().enumerate().map(one).collect()
}

/// Our generator under the name that `tpe` knows it by.
struct Random(Generator);

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok((self.0.bits() >> 32) as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.0.bits())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let random = self.0.bits().to_le_bytes();
            chunk.copy_from_slice(random.get(..chunk.len()).unwrap_or_default());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use mga_experiment::KeyPath;
    use serde_json::{Map, json};

    use super::*;

    fn space() -> Vec<SearchDimension> {
        let range = |key: &str, range: Value| SearchDimension {
            key: KeyPath::dotted(key),
            range: Range::read(&range).unwrap(),
        };
        vec![
            range("rate", json!({ "log_uniform": [1e-5, 1.0] })),
            range("depth", json!({ "integer": [1, 9] })),
            range("kind", json!({ "choice": ["a", "b", "c"] })),
        ]
    }

    /// Best at a rate of 1e-2, a depth of 4, and kind b.
    fn score(values: &[Value]) -> f64 {
        let rate = values[0].as_f64().unwrap().log10() + 2.0;
        let depth = values[1].as_f64().unwrap() - 4.0;
        -(rate * rate) - 0.1 * depth * depth - if values[2] == "b" { 0.0 } else { 1.0 }
    }

    fn scored(values: Vec<Value>) -> Trial {
        Trial { outcome: Outcome::Scored(score(&values)), values }
    }

    fn best(startup: usize) -> f64 {
        let budget = Budget { runs: 60, seed: 5, startup, parallel: 1 };
        let search = Tpe.build(&OwnSettings::new("search", &Map::new()), &space(), &budget).unwrap();
        let mut trials: Vec<Trial> = vec![];
        while trials.len() < 60 {
            trials.extend(search.next(&trials, 60 - trials.len()).unwrap().into_iter().map(scored));
        }
        // The mean of the last ten, not the best: luck finds one good draw too.
        trials[50..].iter().filter_map(|trial| trial.outcome.score()).sum::<f64>() / 10.0
    }

    #[test]
    fn later_draws_score_better_than_chance() {
        let (learnt, random) = (best(8), best(60));
        assert!(learnt > 0.4 * random, "{learnt} {random}");
    }

    #[test]
    fn a_draw_is_a_function_of_seed_number_and_trials() {
        let mut trials: Vec<Trial> = (0..11).map(|number| scored(random::draw(&space(), 1, number))).collect();
        trials[3].outcome = Outcome::Failed;
        trials[4].values[2] = json!("gone");
        trials[10].outcome = Outcome::Repeated;
        let next = |seed, parallel, trials: &[Trial]| {
            let budget = Budget { runs: 20, seed, startup: 8, parallel };
            Tpe.build(&OwnSettings::new("search", &Map::new()), &space(), &budget).unwrap().next(trials, 2).unwrap()
        };
        assert_eq!(next(1, 1, &trials[..10]), next(1, 1, &trials[..10]));
        assert_ne!(next(1, 1, &trials[..10]), next(2, 1, &trials[..10]));
        // Of a draw that was not run only the number counts.
        let two = next(1, 3, &trials[..10]);
        assert_eq!((two.len(), &two[..1], &two[1..]), (2, &next(1, 1, &trials[..10])[..], &next(1, 1, &trials)[..]));
        assert_ne!(two[0], two[1]);
    }
}
