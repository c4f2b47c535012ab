//! Learning curves: the training loss and the score on validation images, by epoch.

use std::collections::BTreeMap;

use super::comparisons::axis;
use super::figure::Figure;
use super::section::{Content, Reported};
use crate::Report;
use crate::plots::{BandPoint, LineChart, LineSeries, Scale};
use crate::results::Curves;

/// Values of an arm's runs by epoch, from 0.
type ByEpoch = BTreeMap<u64, Vec<f64>>;

/// The section.
pub(super) fn section(seen: &Reported<'_>) -> anyhow::Result<Content> {
    let (figures, notes) = figures(seen);
    Ok(Content::default().figures(figures).notes(notes))
}

/// The plots, and what could not be read.
fn figures(Reported { report, records }: &Reported<'_>) -> (Vec<Figure>, Vec<String>) {
    let mut notes = vec![];
    let mut arms: Vec<Vec<Curves>> = vec![];
    for arm in &report.arms {
        let mut curves = vec![];
        for &run in arm.runs.iter().filter(|&&run| report.runs[run].counted) {
            match records[run].curves() {
                Ok(read) => curves.push(read),
                Err(error) => notes.push(format!("{error:#}")),
            }
        }
        arms.push(curves);
    }
    let loss = by_epoch(&arms, |curves| curves.epochs("loss"));
    let mut figures: Vec<Figure> = vec![];
    figures.extend(figure(report, &loss, ("loss", "Training loss", "mean loss of the epoch's steps"), |values| {
        Scale::over(values, 5)
    }));
    if let Some(column) = report.metric() {
        let scores = |split: &'static str| {
            by_epoch(&arms, |curves| {
                curves.evaluations(split, &column.key).map(|(epoch, value)| (epoch, column.scale(value))).collect()
            })
        };
        let validation = scores("validation");
        let unit = if column.percent { " (%)" } else { "" };
        let y_name = format!("{}{unit}", column.title);
        let of = |split: &str| format!("Score on {split} images");
        if validation.iter().any(|arm| !arm.is_empty()) {
            let named = ("validation", of("validation"));
            figures.extend(figure(report, &validation, (named.0, &named.1, &y_name), |values| axis(column, values)));
        }
        // Where checkpoints were selected on test images, every epoch was evaluated on them: more than one point a run.
        let test = scores("test");
        if test.iter().any(|arm| arm.len() > 2) {
            let title = of("test");
            figures.extend(figure(report, &test, ("test", &title, &y_name), |values| axis(column, values)));
        }
    }
    // How the attention came to the masks: the same in every arm, where they are measured against the same.
    for (key, title) in
        [("reference_auc", "Attention against reference masks"), ("mask_auc", "Attention against masks")]
    {
        let values = by_epoch(&arms, |curves| curves.evaluations("validation", key).collect());
        if values.iter().any(|arm| !arm.is_empty()) {
            let scale = |values: Vec<f64>| Scale::over(values.into_iter().chain([0.5]), 5);
            figures.extend(figure(report, &values, (&key.replace('_', "-"), title, "AUC on validation images"), scale));
            break;
        }
    }
    (figures, notes)
}

fn by_epoch(arms: &[Vec<Curves>], values: impl Fn(&Curves) -> Vec<(u64, f64)>) -> Vec<ByEpoch> {
    let of_arm = |runs: &Vec<Curves>| {
        let mut by_epoch = ByEpoch::new();
        for run in runs {
            // The last checkpoint is evaluated once more at the end: one value an epoch and run.
            let once: BTreeMap<u64, f64> = values(run).into_iter().filter(|(_, value)| value.is_finite()).collect();
            once.into_iter().for_each(|(epoch, value)| by_epoch.entry(epoch).or_default().push(value));
        }
        by_epoch
    };
    arms.iter().map(of_arm).collect()
}

fn figure(
    report: &Report,
    arms: &[ByEpoch],
    (name, title, y_name): (&str, &str, &str),
    scale: impl Fn(Vec<f64>) -> Scale,
) -> Option<Figure> {
    let last = arms.iter().filter_map(|arm| arm.keys().next_back()).max()?;
    let values: Vec<f64> = arms.iter().flat_map(|arm| arm.values().flatten().copied()).collect();
    let lines = arms.iter().enumerate().filter(|(_, arm)| !arm.is_empty()).map(|(series, arm)| LineSeries {
        name: report.arms[series].name.clone(),
        series,
        points: arm.iter().map(|(epoch, values)| point(*epoch, values)).collect(),
    });
    let chart = LineChart {
        title: title.to_owned(),
        x_name: "epoch".to_owned(),
        x: Scale::whole(1, last + 1, 8),
        y_name: y_name.to_owned(),
        y: scale(values),
        lines: lines.collect(),
    };
    let uneven = arms.iter().any(|arm| {
        let most = arm.values().map(Vec::len).max().unwrap_or(0);
        arm.values().any(|values| values.len() != most)
    });
    let mut caption = "Line: mean over an arm's runs; band: from the lowest run to the highest.".to_owned();
    if uneven {
        caption += " Not every run has every epoch: the mean is over those that have it.";
    }
    Some(Figure { name: name.to_owned(), plot: chart.draw(), caption, arm: None })
}

/// Mean and range of values of which there is one at least.
fn point(epoch: u64, values: &[f64]) -> BandPoint {
    let value = values.iter().sum::<f64>() / values.len() as f64;
    let (low, high) = values.iter().fold((value, value), |(low, high), &v| (low.min(v), high.max(v)));
    BandPoint { x: (epoch + 1) as f64, value, low, high }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_an_epoch_and_run() {
        let arms = vec![vec![Curves::default(), Curves::default()], vec![]];
        let values = by_epoch(&arms, |_| vec![(0, 1.0), (1, 3.0), (1, 5.0), (2, f64::NAN)]);
        assert_eq!(values[0], BTreeMap::from([(0, vec![1.0, 1.0]), (1, vec![5.0, 5.0])]));
        assert!(values[1].is_empty());
        assert_eq!(point(3, &[1.0, 4.0]), BandPoint { x: 4.0, value: 2.5, low: 1.0, high: 4.0 });
    }
}
