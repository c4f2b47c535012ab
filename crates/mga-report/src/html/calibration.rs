//! The calibration of the arms: does confidence match the share of correct predictions?

use mga_core::metrics::{CALIBRATION_BINS, Calibration};

use super::figure::{Figure, file_name};
use super::section::{Content, Reported};
use crate::plots::{Reliability, ReliabilityBin};

/// The section.
pub(super) fn section(seen: &Reported<'_>) -> anyhow::Result<Content> {
    let (figures, notes) = figures(seen);
    Ok(Content::default().figures(figures).notes(notes))
}

/// A reliability diagram an arm; and what could not be read.
fn figures(Reported { report, records }: &Reported<'_>) -> (Vec<Figure>, Vec<String>) {
    let (mut figures, mut notes) = (vec![], vec![]);
    for (index, arm) in report.arms.iter().enumerate() {
        let (mut pooled, mut errors): (Vec<(f64, bool)>, Vec<f64>) = (vec![], vec![]);
        for &run in arm.runs.iter().filter(|&&run| report.runs[run].counted && records[run].predicts()) {
            match records[run].predictions() {
                Ok(predictions) => {
                    let said: Vec<_> = predictions.0.iter().map(|row| (row.confidence, row.correct)).collect();
                    errors.extend(Calibration::of(said.iter().copied(), CALIBRATION_BINS).error);
                    pooled.extend(said);
                }
                Err(error) => notes.push(format!("{error:#}")),
            }
        }
        let calibration = Calibration::of(pooled, CALIBRATION_BINS);
        let Some(error) = calibration.error else { continue };
        let bins = calibration.bins.iter().map(|bin| ReliabilityBin {
            low: bin.low,
            high: bin.high,
            count: bin.count,
            accuracy: bin.accuracy,
            confidence: bin.confidence,
        });
        let plot = Reliability {
            title: arm.name.clone(),
            series: index,
            error: format!("ECE {:.1} %", 100.0 * error),
            bins: bins.collect(),
        };
        let most = calibration.bins.iter().map(|bin| bin.count).max().unwrap_or(0);
        let faded = format!(" Bars fade where predictions are few; the darkest stands for {most}.");
        let caption = if errors.len() > 1 {
            let n = errors.len();
            let mean = 100.0 * errors.iter().sum::<f64>() / n as f64;
            format!("Predictions of {n} runs together. Mean ECE of the single runs: {mean:.1} %.")
        } else {
            "Predictions of one run.".to_owned()
        };
        figures.push(Figure {
            name: file_name("calibration", index, &arm.name),
            plot: plot.draw(),
            caption: caption + &faded,
            arm: Some(index),
        });
    }
    (figures, notes)
}
