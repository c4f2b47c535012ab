//! Draws that learn from scores: a tree-structured Parzen estimator for each range, by the crate `tpe`.
//!
//! A draw is a function of the search's seed, its number and the scores before it, so that a search that is stopped and
//! goes on is the one that was never stopped.

use std::convert::Infallible;

use mga_core::random::Generator;
use rand_core::TryRng;
use serde_json::Value;
use tpe::{TpeOptimizer, histogram_estimator, parzen_estimator};

use super::search::Range;
use super::settings::{Setting, same};

/// A draw that was run: its values, and its score, higher better; `None` where it failed.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trial {
    pub(super) values: Vec<Value>,
    pub(super) score: Option<f64>,
}

/// The values of draw `number`, after these trials.
///
/// # Errors
/// What the estimator refuses; nothing that comes out of checked ranges.
pub(super) fn draw(
    ranges: &[(Setting, Range)],
    trials: &[Trial],
    seed: u64,
    number: usize,
) -> anyhow::Result<Vec<Value>> {
    let one = |(index, (setting, range)): (usize, &(Setting, Range))| -> anyhow::Result<Value> {
        let estimator = if matches!(range, Range::Choice(_)) { histogram_estimator() } else { parzen_estimator() };
        let (low, high) = range.line();
        let line = tpe::range(low, high).map_err(|error| anyhow::anyhow!("{}: {error}", setting.key))?;
        let mut optimiser = TpeOptimizer::new(estimator, line);
        for trial in trials {
            let Some(place) = trial.values.get(index).and_then(|value| place(range, value)) else { continue };
            // It looks for the least; what failed is worse than anything.
            let value = trial.score.filter(|score| score.is_finite()).map_or(f64::INFINITY, |score| -score);
            optimiser.tell(place, value).map_err(|error| anyhow::anyhow!("{}: {error}", setting.key))?;
        }
        let mut random = Random(Generator::new(seed, &format!("sweep/tpe/{}", setting.key), &[number as u64]));
        let place = optimiser.ask(&mut random).map_err(|error| anyhow::anyhow!("{}: {error}", setting.key))?;
        Ok(range.at(place))
    };
    ranges.iter().enumerate().map(one).collect()
}

/// Where a value lies on its range's line; `None` for a choice that is no more.
fn place(range: &Range, value: &Value) -> Option<f64> {
    let (low, high) = range.line();
    let place = match range {
        Range::Uniform(..) => value.as_f64()?,
        Range::LogUniform(..) => value.as_f64()?.ln(),
        // In the middle of the stretch that is rounded to it.
        Range::Integer(..) => value.as_f64()? + 0.5,
        Range::Choice(values) => values.iter().position(|other| same(other, value))? as f64,
    };
    // The upper end is not on the line.
    Some(place.clamp(low, high - (high - low) * 1e-12))
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
    use serde_json::json;

    use super::*;

    fn ranges() -> Vec<(Setting, Range)> {
        let range = |key: &str, range: Value| {
            let setting = Setting { key: KeyPath::dotted(key), at: KeyPath::dotted(key), value: Value::Null };
            (setting, Range::read(&range).unwrap())
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

    fn best(learns: bool) -> f64 {
        let (ranges, mut trials) = (ranges(), Vec::new());
        for number in 0..60 {
            let values: Vec<Value> = if learns && number >= 8 {
                draw(&ranges, &trials, 5, number).unwrap()
            } else {
                ranges.iter().map(|(setting, range)| range.draw(&setting.key, 5, number)).collect()
            };
            let score = Some(score(&values));
            trials.push(Trial { values, score });
        }
        // The mean of the last ten, not the best: luck finds one good draw too.
        trials[50..].iter().filter_map(|trial| trial.score).sum::<f64>() / 10.0
    }

    #[test]
    fn later_draws_score_better_than_chance() {
        let (learnt, random) = (best(true), best(false));
        assert!(learnt > 0.4 * random, "{learnt} {random}");
    }

    #[test]
    fn a_draw_is_a_function_of_seed_number_and_trials() {
        let ranges = ranges();
        let mut trials: Vec<Trial> = (0..10)
            .map(|number| {
                let values: Vec<Value> = ranges.iter().map(|(s, range)| range.draw(&s.key, 1, number)).collect();
                Trial { score: Some(score(&values)), values }
            })
            .collect();
        trials[3].score = None;
        trials[4].values[2] = json!("gone");
        let next = |seed, number| draw(&ranges, &trials, seed, number).unwrap();
        assert_eq!(next(1, 10), next(1, 10));
        assert_ne!(next(1, 10), next(1, 11));
        assert_ne!(next(1, 10), next(2, 10));
    }
}
