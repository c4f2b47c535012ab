//! Settings that do nothing in some runs of a sweep, or in all.

use mga_experiment::{Idle, KeyPath, Loaded, Problem, Severity};

use super::expand::Point;
use super::settings::repeats;

/// What settings that do nothing come to over all cells. An axis may vary what some arms have no use for, which is said;
/// what does nothing in any run that sets it is as bad as in an experiment by itself. Of a search, other draws may follow.
pub(super) fn idle(points: &[Point], loaded: &[Loaded], drawn: bool) -> Vec<Problem> {
    let mut settings: Vec<(Idle, usize)> = Vec::new();
    for idle in loaded.iter().flat_map(|found| &found.idle) {
        match settings.iter_mut().find(|(known, _)| known.key == idle.key) {
            Some((known, count)) => {
                *count += 1;
                if idle.problem.severity == Severity::Warning {
                    known.problem.severity = Severity::Warning;
                }
            }
            None => settings.push((idle.clone(), 1)),
        }
    }
    let sets = |point: &&Point, key: &KeyPath| point.assignments.iter().any(|set| set.key.is_within(key));
    let told = settings.into_iter().filter_map(|(Idle { key, mut problem, .. }, count)| {
        let varied = points.iter().filter(|point| sets(point, &key)).count();
        let of = if varied > 0 { varied } else { loaded.len() };
        if count < of {
            if varied == 0 || repeats(&key) || drawn {
                return None;
            }
            problem.severity = Severity::Warning;
            problem.message = problem.message.replacen("here", &format!("in {count} of {of} runs"), 1);
        } else if repeats(&key) || drawn {
            problem.severity = Severity::Warning;
        }
        Some(problem)
    });
    told.collect()
}
