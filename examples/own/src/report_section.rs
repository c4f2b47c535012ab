//! A section of reports: how long the runs of each arm trained.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use mga_registry::Entry;
use mga_report::html::{Cell, Content, Head, ReportSection, ReportSections, Reported, SectionPlace, Table};
use serde_json::Value;

/// Returns the section that `report` shows between the table of runs and their settings.
pub fn entry() -> Entry<ReportSections> {
    Entry::<ReportSections>::new("training-time", "how long the runs of each arm trained", Arc::new(TrainingTime))
}

struct TrainingTime;

impl ReportSection for TrainingTime {
    fn title(&self) -> &str {
        "Training time"
    }

    fn place(&self) -> SectionPlace {
        SectionPlace::After("every-run")
    }

    fn content(&self, seen: &Reported<'_>) -> anyhow::Result<Content> {
        let (mut rows, mut content) = (vec![], Content::default());
        for (index, arm) in seen.report.arms.iter().enumerate() {
            let mut times = vec![];
            for &run in arm.runs.iter().filter(|&&run| seen.report.runs[run].counted) {
                match training_seconds(&seen.records[run].folder) {
                    Ok(seconds) => times.push(seconds),
                    // The page lists it at its end.
                    Err(error) => content = content.note(format!("{error:#}")),
                }
            }
            if times.is_empty() {
                continue;
            }
            let mean = times.iter().sum::<f64>() / times.len() as f64;
            let longest = times.iter().copied().fold(0.0, f64::max);
            let seconds = |value: f64| Cell::number(&format!("{value:.1}"), Some(value));
            let runs = Cell::number(&times.len().to_string(), Some(times.len() as f64));
            rows.push(vec![Cell::arm(index, &arm.name), runs, seconds(mean), seconds(longest)]);
        }
        if rows.is_empty() {
            return Ok(content);
        }
        let mut heads = vec![Head::words("arm")];
        heads.extend(["runs", "mean, s", "longest, s"].map(Head::number));
        let label = "Training time of each arm".to_owned();
        let table = Table { label, id: "training-times", heads, rows, rows_are: "arms" };
        Ok(content.paragraph("Time of the training steps alone, without evaluations.").table(table))
    }
}

/// The seconds that a finished run trained.
fn training_seconds(run: &Path) -> anyhow::Result<f64> {
    let path = run.join("summary.json");
    let text = std::fs::read(&path).with_context(|| format!("{}: cannot be read", path.display()))?;
    let summary: Value = serde_json::from_slice(&text).with_context(|| format!("{}: is not JSON", path.display()))?;
    summary["training_seconds"].as_f64().with_context(|| format!("{}: has no training_seconds", path.display()))
}
