//! The best mean of a column, which tables show in bold.

use super::measures::{Column, Score};
use super::model::Report;

/// Metrics that say something of the masks and not of the arm, so that none of their values is the best.
const UNRANKED: [&str; 3] = ["mask_overlap_chance", "reference_overlap_chance", "mask_reference_iou"];

/// Which scores have the best mean, as people read it: of those that read the same all. None where a single one is known.
pub(super) fn best<'a>(column: &Column, scores: impl IntoIterator<Item = &'a Score>) -> Vec<bool> {
    let means: Vec<Option<f64>> = scores.into_iter().map(|score| score.mean.filter(|mean| mean.is_finite())).collect();
    let known = means.iter().flatten().count();
    let better = |one: f64, other: f64| if column.higher_is_better { one.max(other) } else { one.min(other) };
    let top = means.iter().flatten().copied().reduce(better);
    let Some(top) = top.filter(|_| known > 1 && !UNRANKED.contains(&column.key.as_str())) else {
        return vec![false; means.len()];
    };
    let shown = column.show(Some(top));
    means.iter().map(|mean| mean.is_some() && column.show(*mean) == shown).collect()
}

/// Which arms have the best mean of the report's column at a place.
pub(super) fn best_arms(report: &Report, place: usize) -> Vec<bool> {
    let Some(column) = report.columns.get(place) else { return vec![false; report.arms.len()] };
    let none = Score::default();
    best(column, report.arms.iter().map(|arm| arm.scores.get(place).unwrap_or(&none)))
}

/// What bold numbers are, for the foot of a table that has any.
pub(super) fn said(any: bool) -> &'static str {
    if any { " The best mean of a column is bold." } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(key: &str, higher_is_better: bool, means: &[Option<f64>]) -> Vec<bool> {
        let (key, title) = (key.to_owned(), key.to_owned());
        let column = Column { key, title, percent: true, higher_is_better, decimals: 1 };
        let scores: Vec<Score> = means.iter().map(|&mean| Score { mean, ..Score::default() }).collect();
        best(&column, &scores)
    }

    #[test]
    fn the_best_by_the_direction_of_the_metric() {
        let means = [Some(0.5), None, Some(0.75), Some(f64::NAN)];
        assert_eq!(marked("top1", true, &means), [false, false, true, false]);
        assert_eq!(marked("cross_entropy", false, &means), [true, false, false, false]);
    }

    #[test]
    fn what_reads_the_same_is_equally_good() {
        assert_eq!(marked("top1", true, &[Some(0.7501), Some(0.7504), Some(0.74)]), [true, true, false]);
    }

    #[test]
    fn nothing_is_best_alone_or_by_chance() {
        assert_eq!(marked("top1", true, &[None, Some(0.5)]), [false, false]);
        assert_eq!(marked("mask_overlap_chance", true, &[Some(0.25), Some(0.5)]), [false, false]);
        assert!(marked("top1", true, &[]).is_empty());
    }
}
