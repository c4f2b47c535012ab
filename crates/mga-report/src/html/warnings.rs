//! Warnings that a reader must know before trusting the numbers.

use askama::Template;

use super::section::{Content, Reported};
use crate::results::RunState;

/// The flags, the runs that failed with their errors, and what could not be read.
#[derive(Template)]
#[template(path = "html/warnings.html")]
struct Warnings<'a> {
    flags: Vec<Flag<'a>>,
    failed: Vec<Failed<'a>>,
    notes: &'a [String],
}

struct Flag<'a> {
    mark: &'a str,
    message: &'a str,
    concerns: String,
}

struct Failed<'a> {
    arm: &'a str,
    replicate: &'a str,
    error: &'a str,
}

/// The section, with nothing to show where all is well.
pub(super) fn section(seen: &Reported<'_>) -> anyhow::Result<Content> {
    let report = seen.report;
    let flags = report.flags.iter().map(|flag| {
        let arms = flag.arms.iter().filter_map(|&arm| report.arms.get(arm)).map(|arm| arm.name.as_str());
        let arms: Vec<&str> = arms.collect();
        let all = arms.is_empty() || arms.len() == report.arms.len();
        let concerns = if all { "all arms".to_owned() } else { arms.join("; ") };
        Flag { mark: &flag.mark, message: &flag.message, concerns }
    });
    let failed = report.runs.iter().filter(|run| run.state == RunState::Failed).map(|run| Failed {
        arm: report.arms.get(run.arm).map_or("", |arm| arm.name.as_str()),
        replicate: &run.replicate,
        error: run.error.as_deref().unwrap_or("no error was left behind"),
    });
    let warnings = Warnings { flags: flags.collect(), failed: failed.collect(), notes: &report.notes };
    if warnings.flags.is_empty() && warnings.failed.is_empty() && warnings.notes.is_empty() {
        return Ok(Content::default());
    }
    Content::default().template(&warnings)
}
