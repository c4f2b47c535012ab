//! What each class is taken for: a matrix of every arm, how it differs from its baseline's, and the pairs that are confused
//! most.

use super::class_counts::{OfArm, classes, counts, of_arms, share};
use super::figure::{Figure, file_name};
use super::section::{Content, Reported};
use super::table::{Cell, Head, Table};
use crate::Report;
use crate::plots::{DifferenceMap, HeatMap};

/// Pairs of classes in the table.
const PAIRS: usize = 20;

/// The names of the axes.
const ROWS: &str = "class";
const COLUMNS: &str = "predicted class";

/// The section.
pub(super) fn section(seen: &Reported<'_>) -> anyhow::Result<Content> {
    // What could not be read, the section on classes has noted.
    let (arms, _) = of_arms(seen);
    let (report, unit) = (seen.report, seen.report.counted.as_str());
    let matrices = arms.iter().map(|of_arm| matrix(report, of_arm, unit)).collect();
    let content = Content::default().figures(matrices).figures(differences(report, &arms));
    let Some((table, shown, all)) = confused(report, &arms) else { return Ok(content) };
    let most = if shown < all {
        format!("the {shown} of {all} pairs that are confused most often")
    } else {
        "all pairs that are confused".to_owned()
    };
    let said = format!(
        "Most confused pairs: {most}, with the number of {unit} in all runs of an arm, and their share of the class."
    );
    Ok(content.paragraph(said).table(table))
}

fn matrix(report: &Report, of_arm: &OfArm, unit: &str) -> Figure {
    let name = &report.arms[of_arm.arm].name;
    let runs = of_arm.runs.len();
    let plot = HeatMap {
        title: name.clone(),
        row_name: ROWS.to_owned(),
        column_name: COLUMNS.to_owned(),
        classes: of_arm.pooled.classes.clone(),
        counts: of_arm.pooled.counts.clone(),
    };
    let differ = if of_arm.differs() { ", whose classes differ" } else { "" };
    let of_runs = if runs == 1 { "of one run".to_owned() } else { format!("of {runs} runs together") };
    let caption = format!("Counts of {unit}, {of_runs}{differ}; colour: share of the class.");
    Figure { name: file_name("confusion", of_arm.arm, name), plot: plot.draw(), caption, arm: Some(of_arm.arm) }
}

/// A map for every arm that is compared: its shares of each class minus the baseline's, in the runs that are pairs. All have
/// the same colours.
fn differences(report: &Report, arms: &[OfArm]) -> Vec<Figure> {
    let mut maps: Vec<(usize, DifferenceMap)> = vec![];
    for of_arm in arms {
        let Some(comparison) = &report.arms[of_arm.arm].comparison else { continue };
        let Some(baseline) = arms.iter().find(|other| other.arm == comparison.against) else { continue };
        let pooled = |of: &OfArm, side: usize| of.of_runs(comparison.pairs.iter().map(|pair| pair.runs[side]));
        let Some((own, other)) = pooled(of_arm, 0).zip(pooled(baseline, 1)) else { continue };
        if comparison.pairs.is_empty() {
            continue;
        }
        let classes = other.classes.clone();
        let difference = |class: &String, predicted: &String| {
            Some(share(&own, class, predicted)? - share(&other, class, predicted)?)
        };
        let row = |class: &String| classes.iter().map(|predicted| difference(class, predicted)).collect();
        let title = format!("{} minus {}", report.arms[of_arm.arm].name, report.arms[baseline.arm].name);
        let differences = classes.iter().map(row).collect();
        maps.push((
            of_arm.arm,
            DifferenceMap {
                title,
                row_name: ROWS.to_owned(),
                column_name: COLUMNS.to_owned(),
                differences,
                classes,
                full: 0.0,
            },
        ));
    }
    let all = maps.iter().flat_map(|(_, map)| map.differences.iter().flatten().flatten());
    let full = all.fold(0.0, |most: f64, share| most.max(share.abs()));
    let figure = |(arm, map): (usize, DifferenceMap)| {
        Figure {
        name: file_name("confusion-difference", arm, &report.arms[arm].name),
        plot: DifferenceMap { full, ..map }.draw(),
        caption: "Percentage points of the class, over the pairs of runs. Blue: predicted so more often than by the baseline, which is better on the \
                  diagonal and worse off it; orange: less often."
            .to_owned(),
        arm: Some(arm),
    }
    };
    maps.into_iter().map(figure).collect()
}

/// The table of the pairs that are confused most, how many it has, and how many are confused at all.
fn confused(report: &Report, arms: &[OfArm]) -> Option<(Table, usize, usize)> {
    let classes = classes(arms);
    let mut pairs: Vec<(&str, &str, u64)> = vec![];
    for class in &classes {
        for predicted in classes.iter().filter(|predicted| *predicted != class) {
            let counts = arms.iter().filter_map(|of_arm| counts(&of_arm.pooled, class, predicted));
            let count = counts.map(|(_, count)| count).sum::<u64>();
            if count > 0 {
                pairs.push((class, predicted, count));
            }
        }
    }
    // Of equally many, what comes first in the data set's order: the sort is stable.
    pairs.sort_by_key(|pair| std::cmp::Reverse(pair.2));
    let all = pairs.len();
    pairs.truncate(PAIRS);
    let mut heads = vec![Head::words("class"), Head::words("predicted class")];
    heads.extend(arms.iter().map(|of_arm| Head::number(report.arms[of_arm.arm].name.as_str())));
    let row = |&(class, predicted, _): &(&str, &str, u64)| {
        let cell = |of_arm: &OfArm| match counts(&of_arm.pooled, class, predicted) {
            Some((all, count)) => {
                let share = 100.0 * count as f64 / all as f64;
                Cell::number(&format!("{count} ({share:.1} %)"), Some(share))
            }
            None => Cell::number("-", None),
        };
        [Cell::text(class), Cell::text(predicted)].into_iter().chain(arms.iter().map(cell)).collect()
    };
    let rows: Vec<Vec<Cell>> = pairs.iter().map(row).collect();
    let shown = rows.len();
    let label = "Pairs of classes that are confused most".to_owned();
    (shown > 0).then_some((Table { label, id: "confused", heads, rows, rows_are: "pairs" }, shown, all))
}
