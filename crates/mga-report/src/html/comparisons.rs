//! Arms against their baselines: the differences, and the pairs behind them.

use super::figure::Figure;
use super::section::{Content, Reported};
use crate::Report;
use crate::model::Column;
use crate::plots::{DotRows, Dots, Paired, PairedPanel, Scale, Spot};
use crate::wording::{difference_interval, p_equals};

/// The section, with nothing to show where nothing is compared.
pub(super) fn section(seen: &Reported<'_>) -> anyhow::Result<Content> {
    Ok(Content::default().figures(figures(seen.report)))
}

/// The differences with their intervals, and every pair.
fn figures(report: &Report) -> Vec<Figure> {
    report
        .metric()
        .map(|column| [differences(report, column), pairs(report, column)].into_iter().flatten().collect())
        .unwrap_or_default()
}

fn differences(report: &Report, column: &Column) -> Option<Figure> {
    let (mut rows, mut notes, mut spots, mut values) = (vec![], vec![], vec![], vec![0.0]);
    for (series, arm) in report.arms.iter().enumerate() {
        let Some(comparison) = &arm.comparison else { continue };
        let cloud: Vec<(f64, String)> = comparison
            .pairs
            .iter()
            .map(|pair| {
                let difference = column.scale(pair.arm - pair.baseline);
                (difference, format!("{}: {difference:+.2}", pair.replicate))
            })
            .collect();
        let range = comparison.interval.map(|range| (column.scale(range.low), column.scale(range.high)));
        values
            .extend(cloud.iter().map(|(value, _)| *value).chain(range.into_iter().flat_map(|(low, high)| [low, high])));
        rows.push(arm.name.clone());
        let p = comparison.p_adjusted.map(|p| format!(", {}", p_equals(p))).unwrap_or_default();
        notes.push(format!("{}{p}", column.show_difference(comparison.difference)));
        let said = difference_interval(column, comparison.interval);
        let said = said.map(|range| format!("{}: 95 % from {range}", arm.name)).unwrap_or_default();
        let value = comparison.difference.map(|value| column.scale(value));
        spots.push(Spot { value, range, cloud, said, series: Some(series) });
    }
    if rows.is_empty() {
        return None;
    }
    let plot = DotRows {
        title: format!("Difference to the baseline, {}", column.title),
        x_name: format!("arm minus baseline{}", column.difference_unit().replace(" points", " (percentage points)")),
        x: Scale::over(values, 6),
        rows,
        notes,
        dots: vec![Dots { name: "difference".to_owned(), series: 0, spots }],
        reference: Some(0.0),
    };
    let caption = "Mark: mean of the paired differences; line: its 95 % interval; small discs: the single pairs. p is \
                   adjusted by Holm over the table.";
    Some(Figure { name: "differences".to_owned(), plot: plot.draw(), caption: caption.to_owned(), arm: None })
}

fn pairs(report: &Report, column: &Column) -> Option<Figure> {
    let mut panels = vec![];
    for (series, arm) in report.arms.iter().enumerate() {
        let Some(comparison) = arm.comparison.as_ref().filter(|comparison| !comparison.pairs.is_empty()) else {
            continue;
        };
        let against = report.arms.get(comparison.against)?;
        let pair =
            |pair: &crate::model::Pair| (pair.replicate.clone(), column.scale(pair.baseline), column.scale(pair.arm));
        panels.push(PairedPanel {
            name: arm.name.clone(),
            series,
            against: against.name.clone(),
            against_series: comparison.against,
            pairs: comparison.pairs.iter().map(pair).collect(),
        });
    }
    if panels.is_empty() {
        return None;
    }
    let values = panels.iter().flat_map(|panel| &panel.pairs).flat_map(|(_, from, to)| [*from, *to]);
    let plot = Paired {
        title: format!("Pairs of runs, {}", column.title),
        y_name: format!("{}{}", column.title, if column.percent { " (%)" } else { "" }),
        y: axis(column, values),
        panels,
    };
    let caption = "A line joins two runs of one seed and split: the baseline's at the left, the arm's at the right. Short \
                   bars: their means.";
    Some(Figure { name: "pairs".to_owned(), plot: plot.draw(), caption: caption.to_owned(), arm: None })
}

/// An axis for values of a column.
pub(super) fn axis(column: &Column, values: impl IntoIterator<Item = f64>) -> Scale {
    if column.percent { Scale::of_share(values, 100.0, 5) } else { Scale::over(values, 5) }
}
