//! Rows assigned to folds by their classes and groups.

use std::collections::BTreeMap;

use mga_core::random::Generator;

use crate::error::{Error, Result};
use crate::summed_up::some_of;

/// Settings of a split into folds.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldSettings {
    /// Folds, at least 2.
    pub folds: usize,
    /// Independent repetitions, at least 1.
    pub repeats: usize,
    /// Seed of all of them.
    pub seed: u64,
    /// The column whose values are never on two sides.
    pub group: Option<String>,
    /// The column whose values are spread evenly.
    pub stratify: Option<String>,
}

/// Folds, and what to know about them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Folds {
    /// `[repeat][row]`: the fold, from 0.
    pub of: Vec<Vec<usize>>,
    /// Notes for the log on what could not be avoided.
    pub notes: Vec<String>,
}

/// Assigns rows to folds by their strata and groups. Without strata there is one stratum; without groups every row is
/// its own group.
///
/// Groups are placed one after the other, those that are least balanced in their strata first and in a drawn order among
/// equals, each where the strata then are spread most evenly over the folds (the rule of scikit-learn's
/// `StratifiedGroupKFold`); ties go to the smallest fold.
///
/// Errors: fewer groups than folds; a stratum that lies in one group alone, which could never be both trained on and tested.
pub fn k_folds(
    rows: usize,
    strata: Option<&[String]>,
    groups: Option<&[String]>,
    settings: &FoldSettings,
) -> Result<Folds> {
    let (folds, repeats) = (settings.folds, settings.repeats);
    if folds < 2 || repeats < 1 {
        return Err(Error::settings(format!(
            "{folds} folds repeated {repeats} times: expected at least 2 folds and 1 repeat"
        )));
    }
    let stratum_names = distinct(strata, rows, |_| "all rows".to_owned());
    let group_names = distinct(groups, rows, |row| format!("{row:020}"));
    if group_names.names.len() < folds {
        return Err(Error::settings(format!(
            "{folds} folds need as many {}, there are {}",
            if groups.is_some() { "groups" } else { "rows" },
            group_names.names.len()
        )));
    }
    // Rows of each stratum in each group, `[group]: (stratum, rows)` for those that occur.
    let mut counts = vec![BTreeMap::<usize, usize>::new(); group_names.names.len()];
    for row in 0..rows {
        *counts[group_names.of[row]].entry(stratum_names.of[row]).or_default() += 1;
    }
    let mut groups_of = vec![0usize; stratum_names.names.len()];
    let mut totals = vec![0usize; stratum_names.names.len()];
    for (&stratum, &count) in counts.iter().flatten() {
        groups_of[stratum] += 1;
        totals[stratum] += count;
    }
    let with = |wanted: &dyn Fn(usize) -> bool| -> Vec<String> {
        let found = stratum_names.names.iter().zip(&groups_of).filter(|&(_, &count)| wanted(count));
        found.map(|(name, count)| format!("`{name}` ({count})")).collect()
    };
    let single = with(&|count| count < 2);
    if !single.is_empty() {
        return Err(Error::settings(format!(
            "too small to be both trained on and tested, with one {} only: {}",
            if groups.is_some() { "group" } else { "row" },
            some_of(&single)
        )));
    }
    let few = with(&|count| count < folds);
    let mut notes = if few.is_empty() {
        vec![]
    } else {
        vec![format!("in fewer groups than the {folds} folds, so missing from some test folds: {}", some_of(&few))]
    };
    let mut of = Vec::with_capacity(repeats);
    for repeat in 0..repeats {
        let mut order: Vec<usize> = (0..counts.len()).collect();
        Generator::new(settings.seed, "folds", &[repeat as u64]).shuffle(&mut order);
        let mut fold_of = place(&order, &counts, &totals, folds);
        for (stratum, fold) in repair(&mut fold_of, &counts, &totals, folds) {
            let name = stratum_names.names.get(stratum).map_or("", String::as_str);
            notes.push(format!(
                "repeat {repeat}: fold {fold} tests every image of `{name}`, so its training part lacks that class: its \
                 groups carry other classes that would then lack theirs"
            ));
        }
        of.push(group_names.of.iter().map(|&group| fold_of[group]).collect());
    }
    Ok(Folds { of, notes })
}

/// Moves groups so that no fold holds all of a stratum, whose training part would lack it: each time the group whose move
/// disturbs the spread least, among those that leave every other stratum in two folds. What is already so stays as it is.
/// Gives the strata for which there is no such group, each with its fold.
pub(super) fn repair(
    fold_of: &mut [usize],
    counts: &[BTreeMap<usize, usize>],
    totals: &[usize],
    folds: usize,
) -> Vec<(usize, usize)> {
    let mut placed = vec![vec![0usize; folds]; totals.len()];
    for (group, &fold) in fold_of.iter().enumerate() {
        counts[group].iter().for_each(|(&stratum, &count)| placed[stratum][fold] += count);
    }
    let whole = |placed: &[Vec<usize>], stratum: usize| placed[stratum].iter().position(|&c| c == totals[stratum]);
    let mut left = Vec::new();
    for stratum in 0..totals.len() {
        let Some(from) = whole(&placed, stratum) else { continue };
        let mut best: Option<(f64, usize, usize)> = None;
        let groups = (0..counts.len()).filter(|&g| fold_of[g] == from && counts[g].contains_key(&stratum));
        for (group, to) in groups.flat_map(|group| (0..folds).filter(|to| *to != from).map(move |to| (group, to))) {
            let mut after = placed.clone();
            let mut cost = 0.0;
            for (&other, &count) in &counts[group] {
                after[other][from] -= count;
                after[other][to] += count;
                cost += deviation(&after[other], usize::MAX, 0) / totals[other] as f64;
            }
            let fits = counts[group].keys().all(|&other| whole(&after, other).is_none());
            if fits && best.is_none_or(|(least, ..)| cost < least - 1e-9) {
                best = Some((cost, group, to));
            }
        }
        match best {
            Some((_, group, to)) => {
                for (&other, &count) in &counts[group] {
                    placed[other][from] -= count;
                    placed[other][to] += count;
                }
                fold_of[group] = to;
            }
            None => left.push((stratum, from)),
        }
    }
    left
}

/// The fold of every group.
fn place(order: &[usize], counts: &[BTreeMap<usize, usize>], totals: &[usize], folds: usize) -> Vec<usize> {
    let mut order = order.to_vec();
    let imbalance = |group: &usize| {
        let mean = counts[*group].values().sum::<usize>() as f64 / totals.len() as f64;
        let squares: f64 = counts[*group].values().map(|&c| (c as f64 - mean).powi(2)).sum();
        squares + (totals.len() - counts[*group].len()) as f64 * mean * mean
    };
    // Stable: equals keep the drawn order.
    order.sort_by(|a, b| imbalance(b).total_cmp(&imbalance(a)));
    let mut placed = vec![vec![0usize; folds]; totals.len()];
    let mut sizes = vec![0usize; folds];
    let mut fold_of = vec![0; counts.len()];
    for group in order {
        // Only the strata of this group change their spread, so only they are compared.
        let cost = |fold: usize| -> f64 {
            let change = |(&stratum, &count): (&usize, &usize)| {
                let before = deviation(&placed[stratum], usize::MAX, 0);
                (deviation(&placed[stratum], fold, count) - before) / totals[stratum] as f64
            };
            counts[group].iter().map(change).sum()
        };
        let mut best = (f64::INFINITY, usize::MAX, 0);
        for (fold, &size) in sizes.iter().enumerate() {
            let candidate = (cost(fold), size, fold);
            let tie = (candidate.0 - best.0).abs() < 1e-9;
            if (!tie && candidate.0 < best.0) || (tie && candidate.1 < best.1) {
                best = candidate;
            }
        }
        fold_of[group] = best.2;
        for (&stratum, &count) in &counts[group] {
            placed[stratum][best.2] += count;
            sizes[best.2] += count;
        }
    }
    fold_of
}

/// Standard deviation over the folds, with `count` more in `fold`.
fn deviation(placed: &[usize], fold: usize, count: usize) -> f64 {
    let value = |(i, &c): (usize, &usize)| (c + if i == fold { count } else { 0 }) as f64;
    let mean = placed.iter().enumerate().map(value).sum::<f64>() / placed.len() as f64;
    (placed.iter().enumerate().map(value).map(|v| (v - mean).powi(2)).sum::<f64>() / placed.len() as f64).sqrt()
}

/// Names numbered in their order, and the number of every row.
struct Distinct {
    names: Vec<String>,
    of: Vec<usize>,
}

fn distinct(values: Option<&[String]>, rows: usize, default: impl Fn(usize) -> String) -> Distinct {
    let value = |row: usize| values.and_then(|v| v.get(row)).cloned().unwrap_or_else(|| default(row));
    let values: Vec<String> = (0..rows).map(value).collect();
    let mut names = values.clone();
    names.sort_unstable();
    names.dedup();
    let of = values.iter().map(|value| names.partition_point(|name| name < value)).collect();
    Distinct { names, of }
}
