//! Warnings that a reader must know before trusting the numbers.

use std::collections::BTreeMap;

use mga_core::wording::counted;
use mga_train::runners::evaluated_run::EVALUATED;

use super::flag_evidence::{Seen, flag};
use super::mask_flags::mask_flags;
use super::model::{Arm, Flag, FlagKind, Gap, Run};
use super::pairing::{data_key, images_key, weights_key};
use super::wording::list;
use crate::results::{Record, RunState};

/// The flags, worst first, with their marks.
pub(super) fn flags(seen: &Seen<'_>) -> Vec<Flag> {
    let mut flags = vec![];
    evaluated_otherwise(seen, &mut flags);
    selected_on_test(seen, &mut flags);
    groups_may_leak(seen, &mut flags);
    no_test(seen, &mut flags);
    mixed(seen, &mut flags);
    mask_flags(seen, &mut flags);
    no_identity(seen, &mut flags);
    not_finished(seen, &mut flags);
    missing_pairs(seen, &mut flags);
    duplicates(seen, &mut flags);
    skipped(seen, &mut flags);
    for (index, flag) in flags.iter_mut().enumerate() {
        flag.mark = mark(index);
    }
    flags
}

/// `a` to `z`, then `aa`.
fn mark(index: usize) -> String {
    let letter = char::from(b'a' + (index % 26) as u8);
    if index < 26 { letter.to_string() } else { mark(index / 26 - 1) + &letter.to_string() }
}

fn evaluated_otherwise(seen: &Seen<'_>, flags: &mut Vec<Flag>) {
    let mut settings: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for run in seen.all_counted() {
        let evaluated = seen.records[run].summary.as_ref().and_then(|summary| summary.others.get(EVALUATED));
        let set = evaluated.and_then(|evaluated| evaluated.get("set")).and_then(|set| set.as_array());
        let set = set.map(|set| set.iter().filter_map(|one| one.as_str()).collect::<Vec<_>>().join(", "));
        if let Some(set) = set {
            settings.entry(set).or_default().push(run);
        }
    }
    for (set, runs) in settings {
        let arms = seen.arms_of(runs);
        let message = format!(
            "{}: the networks are those of another sweep, trained with their own settings, and evaluated with {set}.",
            seen.names(&arms)
        );
        flags.push(flag(FlagKind::EvaluatedOtherwise, arms, message));
    }
}

fn selected_on_test(seen: &Seen<'_>, flags: &mut Vec<Flag>) {
    for (index, arm) in seen.arms.iter().enumerate().filter(|(_, arm)| arm.selected_on_test) {
        let gap = honest_arm(seen, index).or_else(|| last_epoch(seen, index));
        let told = gap.as_ref().map_or_else(
            || "how much that adds cannot be told from these runs".to_owned(),
            |gap| {
                let runs = counted(gap.n, "run", "runs");
                format!("{} is {} against {} ({runs})", seen.column.title, seen.points(gap.mean), gap.against)
            },
        );
        let message = format!("{}: checkpoints were selected on the test images, which flatters: {told}.", arm.name);
        flags.push(Flag { gap, ..flag(FlagKind::SelectedOnTest, vec![index], message) });
    }
}

/// The gap to an arm that differs in the selection alone: its runs trained the same networks.
fn honest_arm(seen: &Seen<'_>, arm: usize) -> Option<Gap> {
    let without = |arm: &Arm| {
        let mut settings = arm.settings.clone();
        let selection = settings.shift_remove("eval.select_on");
        (settings, selection)
    };
    let (settings, _) = without(&seen.arms[arm]);
    let same = |other: &usize| without(&seen.arms[*other]).0 == settings && !seen.arms[*other].selected_on_test;
    // Selection on validation images, where there is such an arm, before the last epoch.
    let mut others: Vec<usize> = (0..seen.arms.len()).filter(same).collect();
    others.sort_by_key(|&other| without(&seen.arms[other]).1.is_none_or(|value| value != "validation"));
    let other = *others.first()?;
    let key = |run: usize| seen.records[run].cell.replicate_key();
    let gaps = seen.counted(arm).filter_map(|run| {
        let partner = seen.counted(other).find(|&partner| key(partner) == key(run))?;
        Some(seen.value(run)? - seen.value(partner)?)
    });
    gap(gaps.collect(), format!("the same runs without it ({})", seen.arms[other].name))
}

/// The gap to the last epoch of the same runs.
fn last_epoch(seen: &Seen<'_>, arm: usize) -> Option<Gap> {
    let gaps = seen.counted(arm).filter_map(|run| {
        let last = seen.records[run].summary.as_ref()?.last.as_ref()?.metric(&seen.column.key)?;
        Some(seen.value(run)? - last)
    });
    gap(gaps.collect(), "the last epoch of the same runs".to_owned())
}

fn gap(gaps: Vec<f64>, against: String) -> Option<Gap> {
    Some(Gap { against, n: gaps.len(), mean: mga_core::statistics::mean(&gaps)? })
}

fn groups_may_leak(seen: &Seen<'_>, flags: &mut Vec<Flag>) {
    let allowed =
        |&run: &usize| seen.records[run].setting("data.groups_may_leak").is_some_and(|allowed| allowed == true);
    let arms = seen.arms_of(seen.all_counted().filter(allowed));
    if !arms.is_empty() {
        let message = format!(
            "{}: images of one group may be on both sides of the split (data.groups_may_leak = true), which flatters.",
            seen.names(&arms)
        );
        flags.push(flag(FlagKind::GroupsMayLeak, arms, message));
    }
}

fn no_test(seen: &Seen<'_>, flags: &mut Vec<Flag>) {
    let evaluated =
        "there are no test images; the numbers are of the validation images that checkpoints were selected on";
    let nothing = "there are neither test nor validation images, so there is no score";
    for (scored, what) in [(true, evaluated), (false, nothing)] {
        let untested = |&run: &usize| {
            let summary = seen.records[run].summary.as_ref();
            summary.is_some_and(|summary| summary.split == "validation" && summary.reported().is_some() == scored)
        };
        let arms = seen.arms_of(seen.all_counted().filter(untested));
        if !arms.is_empty() {
            let message = format!("{}: {what}.", seen.names(&arms));
            flags.push(flag(FlagKind::NoTest, arms, message));
        }
    }
}

/// What runs have in common that ought to agree in a part of their identity.
type Key = fn(&Record) -> String;
/// That part.
type Part = fn(&Record) -> Option<String>;

fn mixed(seen: &Seen<'_>, flags: &mut Vec<Flag>) {
    let kinds: [(FlagKind, &str, Key, Part); 4] = [
        (
            FlagKind::MixedNumerics,
            "were made by programs of different numerics",
            |_| String::new(),
            |record| record.identity.as_ref().map(|identity| identity.numerics.to_string()),
        ),
        (FlagKind::MixedData, "were made from different images or labels", images_key, |record| {
            Some(record.identity.as_ref()?.images.clone()).filter(|images| !images.is_empty())
        }),
        (FlagKind::MixedData, "were made from different splits or masks of the same images", data_key, |record| {
            record.identity.as_ref().map(|identity| identity.data.clone())
        }),
        (FlagKind::MixedWeights, "began with different weights under one name", weights_key, |record| {
            record.identity.as_ref().map(|identity| identity.weights.clone())
        }),
    ];
    for (kind, what, key, value) in kinds {
        // Other images are other splits and masks as well: said once.
        if kind == FlagKind::MixedData && flags.last().is_some_and(|flag: &Flag| flag.kind == kind) {
            continue;
        }
        // Runs that ought to agree, and what they say.
        let mut alike: BTreeMap<String, BTreeMap<String, Vec<usize>>> = BTreeMap::new();
        for run in seen.all_counted() {
            if let Some(value) = value(&seen.records[run]) {
                alike.entry(key(&seen.records[run])).or_default().entry(value).or_default().push(run);
            }
        }
        let clashing: Vec<_> = alike.into_values().filter(|values| values.len() > 1).collect();
        let arms = seen.arms_of(clashing.iter().flat_map(|values| values.values().flatten().copied()));
        if arms.is_empty() {
            continue;
        }
        let short = |value: &String| value.chars().take(8).collect::<String>();
        let told = clashing.iter().map(|values| {
            let parts: Vec<_> = values
                .iter()
                .map(|(value, runs)| format!("{}: {}", short(value), counted(runs.len(), "run", "runs")))
                .collect();
            parts.join(", ")
        });
        let told = told.collect::<Vec<_>>().join("; ");
        let message = format!("{}: runs {what} ({told}). They are not compared with each other.", seen.names(&arms));
        flags.push(flag(kind, arms, message));
    }
}

fn no_identity(seen: &Seen<'_>, flags: &mut Vec<Flag>) {
    let runs: Vec<usize> = seen.all_counted().filter(|&run| seen.records[run].identity.is_none()).collect();
    let arms = seen.arms_of(runs.iter().copied());
    if !arms.is_empty() {
        let message = format!(
            "{}: {} without identity.json: whether data, weights and numerics agree cannot be checked.",
            seen.names(&arms),
            counted(runs.len(), "run", "runs")
        );
        flags.push(flag(FlagKind::NoIdentity, arms, message));
    }
}

fn not_finished(seen: &Seen<'_>, flags: &mut Vec<Flag>) {
    let told = |index: usize, meant: &dyn Fn(&Run) -> bool| -> Vec<String> {
        let runs = seen.arms[index].runs.iter().map(|&run| &seen.runs[run]).filter(|run| meant(run));
        runs.map(|run| match run.error.as_ref().filter(|_| run.state == RunState::Failed) {
            Some(error) => format!("{} ({})", run.replicate, cause(error)),
            None => format!("{} ({})", run.replicate, run.state.word()),
        })
        .collect()
    };
    for (index, arm) in seen.arms.iter().enumerate() {
        let failed = told(index, &|run| run.state == RunState::Failed);
        let open = told(index, &|run| !matches!(run.state, RunState::Failed | RunState::Finished));
        let of = arm.runs.len();
        for (kind, runs, verb) in [(FlagKind::Failed, failed, "failed"), (FlagKind::Unfinished, open, "not finished")] {
            if !runs.is_empty() {
                let message = format!("{}: {} of {of} runs {verb}: {}.", arm.name, runs.len(), runs.join("; "));
                flags.push(flag(kind, vec![index], message));
            }
        }
    }
}

/// What happened, without what to do about it: a footnote is short, and the error stands in full with the run.
fn cause(error: &str) -> String {
    const LONGEST: usize = 100;
    let line = error.lines().next().unwrap_or_default();
    let clause = [", ", "; "].iter().filter_map(|end| line.find(end)).min().map_or(line, |end| &line[..end]);
    if clause.chars().count() <= LONGEST {
        return clause.to_owned();
    }
    clause.chars().take(LONGEST - 1).chain(['…']).collect()
}

fn missing_pairs(seen: &Seen<'_>, flags: &mut Vec<Flag>) {
    for (index, arm) in seen.arms.iter().enumerate() {
        let Some(comparison) = arm.comparison.as_ref().filter(|comparison| !comparison.missing.is_empty()) else {
            continue;
        };
        let message = format!(
            "{}: compared with {} by {} alone: {}.",
            arm.name,
            seen.arms[comparison.against].name,
            counted(comparison.pairs.len(), "pair", "pairs"),
            comparison.missing.join("; ")
        );
        flags.push(flag(FlagKind::MissingPairs, vec![index], message));
    }
}

fn duplicates(seen: &Seen<'_>, flags: &mut Vec<Flag>) {
    let arms = seen.arms_of(seen.duplicates.iter().copied());
    if !arms.is_empty() {
        let keys: Vec<_> = seen.duplicates.iter().map(|&run| seen.runs[run].key.as_str()).collect();
        let message = format!(
            "{}: another run of the same settings and replicate is counted; left out: {}.",
            seen.names(&arms),
            list(&keys)
        );
        flags.push(flag(FlagKind::Duplicate, arms, message));
    }
}

fn skipped(seen: &Seen<'_>, flags: &mut Vec<Flag>) {
    let left_out = |run: usize| seen.records[run].summary.as_ref().map_or(0, |summary| summary.skipped.len());
    let arms = seen.arms_of(seen.all_counted().filter(|&run| left_out(run) > 0));
    if !arms.is_empty() {
        let most = seen.all_counted().map(left_out).max().unwrap_or(0);
        let images = counted(most, "image", "images");
        let message = format!("{}: up to {images} could not be used and were left out of a run.", seen.names(&arms));
        flags.push(flag(FlagKind::Skipped, arms, message));
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_footnote_has_the_cause_alone() {
        let error =
            "the loss is NaN at step 2 in epoch 0, not by one image alone (the largest loss is that of `a.png`): lower";
        assert_eq!(super::cause(error), "the loss is NaN at step 2 in epoch 0");
        assert_eq!(super::cause("a.png: is cut off; replace it\nand more"), "a.png: is cut off");
        assert_eq!(super::cause(&"é".repeat(300)).chars().count(), 100);
    }

    #[test]
    fn marks_go_on_after_z() {
        assert_eq!([0, 25, 26, 27, 52].map(super::mark), ["a", "z", "aa", "ab", "ba"]);
    }
}
