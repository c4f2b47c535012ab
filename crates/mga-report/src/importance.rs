//! The importance of each setting of a search for the score.

use mga_core::statistics::{rank_share, ranks, spearman};
use serde_json::Value;

use super::search_model::{Draw, Importance};
use crate::results::SearchSpace;

/// Fewer draws say nothing of importance.
pub(super) const FEWEST: usize = 8;
/// Draws in a stretch of a range, at least.
const IN_A_STRETCH: usize = 5;
/// Stretches that a range is cut into, at most.
const STRETCHES: usize = 4;
/// Times that scores are dealt anew for the p value.
const SHUFFLES: usize = 2000;

/// Of every setting that is drawn, the most important first.
pub(super) fn importance(space: &SearchSpace, draws: &[Draw]) -> Vec<Importance> {
    let of_key = |(key, range): (&String, &Value)| -> Importance {
        let pairs: Vec<(&Value, f64)> =
            draws.iter().filter_map(|draw| Some((draw.values.get(key)?, draw.mean()?))).collect();
        let scores: Vec<f64> = pairs.iter().map(|(_, score)| *score).collect();
        let choice = range.get("choice").is_some();
        let numbers: Option<Vec<f64>> =
            if choice { None } else { pairs.iter().map(|(value, _)| value.as_f64()).collect() };
        let groups = match &numbers {
            Some(numbers) => stretches(numbers),
            None => kinds(&pairs),
        };
        let mut different = groups.clone();
        different.sort_unstable();
        different.dedup();
        let found = rank_share(&scores, &groups, SHUFFLES, 0).filter(|_| pairs.len() >= FEWEST);
        Importance {
            key: key.clone(),
            share: found.map(|found| found.share.max(0.0)),
            p: found.map(|found| found.p),
            rank_correlation: numbers.filter(|_| pairs.len() >= FEWEST).and_then(|n| spearman(&n, &scores)),
            draws: pairs.len(),
            groups: different.len(),
        }
    };
    let mut all: Vec<Importance> = space.ranges.iter().map(of_key).collect();
    all.sort_by(|a, b| b.share.unwrap_or(-1.0).total_cmp(&a.share.unwrap_or(-1.0)));
    all
}

/// The stretch that each number is in; equal numbers are in one.
fn stretches(numbers: &[f64]) -> Vec<usize> {
    let n = numbers.len().max(1);
    let count = (n / IN_A_STRETCH).clamp(2, STRETCHES);
    ranks(numbers).iter().map(|rank| (((rank - 0.5) / n as f64 * count as f64) as usize).min(count - 1)).collect()
}

/// The number of each value among the different ones.
fn kinds(pairs: &[(&Value, f64)]) -> Vec<usize> {
    let mut known: Vec<&Value> = vec![];
    let mut places = vec![];
    for (value, _) in pairs {
        let place = known.iter().position(|other| *other == *value).unwrap_or(known.len());
        if place == known.len() {
            known.push(value);
        }
        places.push(place);
    }
    places
}

#[cfg(test)]
mod tests {
    use mga_core::random::Generator;
    use serde_json::json;

    use super::*;
    use crate::model::Score;

    fn draws(n: usize) -> (SearchSpace, Vec<Draw>) {
        let space = json!({ "search": "random", "budget": { "runs": n }, "ranges": {
            "nothing": { "uniform": [0.0, 1.0] }, "rate": { "log_uniform": [1e-4, 1.0] }, "kind": { "choice": ["a", "b"] },
            "middle": { "uniform": [0.0, 1.0] },
        }});
        let draw = |number: usize| {
            let drawn = |key: &str| Generator::new(3, key, &[number as u64]).uniform();
            let (rate, kind, middle) = (drawn("rate"), drawn("kind") < 0.5, drawn("middle"));
            // A middle value is best: no straight line sees it.
            let mean = rate + if kind { 0.3 } else { 0.0 } - 2.0 * (middle - 0.5).powi(2);
            let values = json!({ "nothing": drawn("nothing"), "rate": rate, "kind": if kind { "a" } else { "b" },
                                 "middle": middle });
            Draw {
                number,
                values: values.as_object().unwrap().clone(),
                arms: vec![],
                runs: 1,
                validation: Score { n: 1, mean: Some(mean), ..Score::default() },
                best_so_far: None,
            }
        };
        (serde_json::from_value(space).unwrap(), (0..n).map(draw).collect())
    }

    #[test]
    fn what_matters_comes_first_and_what_does_not_is_near_nothing() {
        let (space, draws) = draws(60);
        let found = importance(&space, &draws);
        let of = |key: &str| found.iter().find(|one| one.key == key).unwrap();
        assert_eq!(found[0].key, "rate");
        assert!(of("rate").share.unwrap() > 0.4 && of("rate").p.unwrap() < 0.001, "{found:?}");
        assert!(of("rate").rank_correlation.unwrap() > 0.7, "{found:?}");
        assert!(of("nothing").share.unwrap() < 0.1 && of("nothing").p.unwrap() > 0.05, "{found:?}");
        assert!(of("kind").share.unwrap() > 0.03 && of("kind").rank_correlation.is_none(), "{found:?}");
        assert!(of("middle").share.unwrap() > of("nothing").share.unwrap(), "{found:?}");
        assert_eq!((of("kind").groups, of("rate").groups, of("rate").draws), (2, 4, 60));
        assert_eq!(importance(&space, &draws), found, "the same every time");
    }

    #[test]
    fn few_draws_say_nothing() {
        let (space, draws) = draws(FEWEST - 1);
        assert!(importance(&space, &draws).iter().all(|one| one.share.is_none() && one.p.is_none()));
    }
}
