//! The foot of a table: what ± is of, and which numbers are better when lower.

use mga_core::wording::counted;
use mga_sweep::duration;

use super::cells::runs;
use super::model::{Over, Report};
use super::wording::list;

/// What the columns and ± mean, for the foot of a table with all columns.
pub(super) fn legend(report: &Report) -> String {
    legend_of(report, |_| true)
}

/// The same of a table with these columns alone, by the names of [`super::table_columns`].
pub(super) fn legend_of(report: &Report, shown: impl Fn(&str) -> bool) -> String {
    let mut legend: Vec<String> = vec![];
    if report.arms.iter().flat_map(|arm| &arm.scores).any(|score| score.deviation.is_some()) {
        legend.push(format!("± is the standard deviation {}.", deviation_over(report)));
    }
    let metrics = || report.columns.iter().filter(|column| shown(&column.key));
    let searched = report.search.as_ref().filter(|_| shown("validation")).map(|search| &search.column);
    let columns = || metrics().chain(searched);
    let mut lower: Vec<&str> = columns().filter(|c| !c.higher_is_better).map(|c| c.title.as_str()).collect();
    lower.dedup();
    if !lower.is_empty() {
        legend.push(format!("Lower is better: {}.", list(&lower)));
    }
    let has = |keys: &[&str]| metrics().any(|column| keys.contains(&column.key.as_str()));
    if has(&["mask_auc", "reference_auc"]) {
        legend.push("An AUC of 0.5 is chance.".to_owned());
    }
    if has(&["mask_iou"]) {
        let why = "takes attention above half of its own maximum, which is nearly everywhere: it says little";
        legend.push(format!("Mask IoU {why}."));
    }
    legend.extend(shared_stages(report).filter(|_| shown("compute")));
    if !shown("n") {
        legend.push(match same_runs(report) {
            Some(n) => format!("n = {n}."),
            None => "Arms have different numbers of runs.".to_owned(),
        });
    }
    legend.join(" ")
}

/// What stands for n in every row, where it is the same in all.
pub(super) fn same_runs(report: &Report) -> Option<String> {
    let mut all = report.arms.iter().map(runs);
    let first = all.next()?;
    all.all(|other| other == first).then_some(first)
}

/// What the time of stages that runs share counts for.
fn shared_stages(report: &Report) -> Option<String> {
    let mut names: Vec<&str> = vec![];
    for stage in &report.shared_stages {
        if !names.contains(&stage.name.as_str()) {
            names.push(&stage.name);
        }
    }
    let each = names.iter().map(|name| {
        let stages: Vec<_> = report.shared_stages.iter().filter(|stage| stage.name == *name).collect();
        let runs: usize = stages.iter().map(|stage| stage.runs.len()).sum();
        let time = duration(stages.iter().map(|stage| stage.seconds).sum());
        let times = if stages.len() == 1 { "once".to_owned() } else { format!("{} times", stages.len()) };
        format!("{name} was trained {times} for {}, in {time}", counted(runs, "run", "runs"))
    });
    let each: Vec<String> = each.collect();
    (!each.is_empty()).then(|| format!("Compute of an arm is without the stages that runs share: {}.", each.join("; ")))
}

/// What the deviations are of: an arm's runs, or the averages of its folds.
pub(super) fn deviation_over(report: &Report) -> String {
    let scores = || report.arms.iter().flat_map(|arm| &arm.scores).filter(|score| score.n > 0);
    let mut resampled: Vec<&str> = scores().map(|s| s.over).filter(|o| *o != Over::Runs).map(Over::word).collect();
    resampled.sort_unstable();
    resampled.dedup();
    if resampled.is_empty() {
        return "over an arm's n runs (n - 1)".to_owned();
    }
    let word = resampled.join(" or ");
    let several = scores().any(|score| score.values < score.n);
    let what = if several { format!("the averages of an arm's {word}") } else { format!("an arm's {word}") };
    let not = if several { ", not over its n runs" } else { "" };
    let mixed =
        if scores().any(|score| score.over == Over::Runs) { "; without such a number, over its runs" } else { "" };
    format!("over {what}, whose number stands in brackets{not}{mixed} (their number - 1)")
}
