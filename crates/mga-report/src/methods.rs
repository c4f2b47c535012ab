//! Paragraphs for a paper's section on methods, written from what the runs say of themselves.

use mga_core::wording::counted;
use mga_sweep::duration;

use super::attention_words::attention;
use super::cells::trial;
use super::columns;
use super::common::Common;
use super::component_words::ComponentWords;
use super::data_words::data;
use super::legend::deviation_over;
use super::model::{Report, TTestKind};
use super::pairing::resamples_test;
use super::recipe;
use super::search_methods::searched;
use super::wording::{list, show};
use crate::results::Record;

/// The paragraphs: data, attention, training, repetition and selection, statistics, software and hardware.
///
/// `records` are those of `report.runs`.
pub(super) fn methods(report: &Report, records: &[Record], resamples: usize, words: &ComponentWords) -> Vec<String> {
    let counted = report.runs.iter().zip(records).filter(|(run, _)| run.counted);
    let finished: Vec<&Record> = counted.map(|(_, record)| record).collect();
    if finished.is_empty() {
        return vec!["No run is finished yet.".to_owned()];
    }
    let common = Common(&finished);
    [
        data(&common),
        attention(report, records, words),
        training(&common, report, words),
        searched(report, words),
        repetition(&common, report),
        agreement(report),
        statistics(report, resamples),
        software(&common, report),
    ]
    .into_iter()
    .filter(|paragraph| !paragraph.is_empty())
    .collect()
}

fn training(common: &Common<'_>, report: &Report, words: &ComponentWords) -> String {
    let mut text = recipe::training(common.records(), words);
    let mut varied: Vec<&str> = vec![];
    for key in report.arms.iter().flat_map(|arm| arm.settings.keys()) {
        if !varied.contains(&key.as_str())
            && report.arms.iter().any(|a| a.settings.get(key) != report.arms[0].settings.get(key))
        {
            varied.push(key);
        }
    }
    if !varied.is_empty() {
        text += &format!(" The {} differ in {}.", counted(report.arms.len(), "arm", "arms"), list(&varied));
    }
    text.trim_start().to_owned()
}

fn repetition(common: &Common<'_>, report: &Report) -> String {
    let mut keys: Vec<&String> = vec![];
    for key in common.records().iter().flat_map(|record| record.cell.replicate.keys()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let each = keys.iter().map(|&key| {
        let values = common.values(|record| record.cell.replicate.get(key).map(show));
        let name = key.strip_prefix("data.").unwrap_or(key).replace(['.', '_'], " ");
        let plural = if values.len() == 1 { "" } else { "s" };
        format!("{} {name}{plural} ({})", values.len(), values.join(", "))
    });
    let each: Vec<String> = each.collect();
    let (finished, all) = (report.runs.iter().filter(|run| run.counted).count(), report.runs.len());
    let mut text = if each.is_empty() {
        "Each arm was run once.".to_owned()
    } else {
        format!("Arms were repeated over {}.", list(&each))
    };
    text += &format!(" {finished} of {} finished and are counted.", counted(all, "run", "runs"));
    let metric = common.text("eval.metric").map_or_else(|| "score".to_owned(), |metric| columns::title(&metric));
    match common.text("eval.select_on").as_deref() {
        Some("validation") => {
            text += &format!(
                " The checkpoint with the best {metric} on the validation images was evaluated once on the test images."
            );
        }
        Some("last") => text += " The checkpoint of the last epoch was evaluated once on the test images.",
        Some("test") => {
            text += &format!(
                " The checkpoint with the best {metric} on the TEST images is reported: these numbers flatter, and are not \
                 an estimate of accuracy on new images."
            );
        }
        _ => text += " Checkpoints were selected differently in different arms; see the flags.",
    }
    text
}

fn statistics(report: &Report, resamples: usize) -> String {
    let Some(column) = report.metric() else { return String::new() };
    let splits = report.runs.iter().any(|run| run.replicate_settings.keys().any(|key| resamples_test(key)));
    let mut text = format!(
        "Cells are means with standard deviations {}; 95 % intervals of means are Student's t",
        deviation_over(report)
    );
    if splits {
        text += ", with the variance corrected for overlapping training sets (Nadeau and Bengio 2003)";
    }
    text += ".";
    let comparisons: Vec<_> = report.arms.iter().filter_map(|arm| arm.comparison.as_ref()).collect();
    if comparisons.is_empty() {
        return text + &over_trials(report);
    }
    let tested = comparisons.iter().filter(|comparison| comparison.test.is_some()).count();
    let corrected = comparisons
        .iter()
        .any(|comparison| comparison.test.as_ref().is_some_and(|test| test.kind == TTestKind::CorrectedResampled));
    let test = if corrected { "the corrected resampled t test (Nadeau and Bengio 2003)" } else { "the paired t test" };
    text += &format!(" Arms were compared with the baseline by {}, paired by {}", column.title, paired_by(report));
    if tested == 1 {
        text += &format!(
            ", with {test}, two-sided; it is the table's only comparison, so its p value is not adjusted, and the arm is \
             called better or worse at a p of at most 0.05"
        );
    } else if tested > 1 {
        text += &format!(
            ", with {test}, two-sided; p values were adjusted by Holm's step-down over the table's {tested} comparisons, and \
             an arm is called better or worse at an adjusted p of at most 0.05"
        );
    } else {
        text += "; there were too few pairs for a test";
    }
    text += ".";
    if comparisons.iter().any(|comparison| comparison.mcnemar.is_some()) {
        text += " McNemar's test is on the predictions of all pairs of runs pooled (exact binomial below 25 discordant \
                 predictions, else chi-squared with continuity correction); it treats several predictions of one image \
                 as independent, so it is given next to the version that keeps an image's predictions together (Durkalski \
                 et al. 2003) and decides nothing.";
    }
    text += &over_trials(report);
    if comparisons.iter().any(|comparison| comparison.bootstrap.is_some()) {
        text += &format!(
            " Intervals over test images are percentile bootstraps of {resamples} resamples, all predictions of an image \
             drawn together; they describe other images with these models, not other seeds."
        );
    }
    text
}

/// What intervals over independent trials are, where the runs have any.
fn over_trials(report: &Report) -> String {
    trial(report).map_or_else(String::new, |of| {
        format!(
            " Intervals over {of}s are 1.96 standard errors to both sides of the mean; differences between arms are paired by \
             {of}. They describe other {of}s with these models, not other seeds."
        )
    })
}

/// How attention was compared with masks, where the table says so.
fn agreement(report: &Report) -> String {
    let has = |key: &str| report.columns.iter().any(|column| column.key == key);
    let masks = match (has("reference_auc"), has("mask_auc")) {
        (true, _) => "the reference masks, the same in every arm",
        (false, true) => "each arm's own masks",
        (false, false) => return String::new(),
    };
    format!(
        "Attention was compared with {masks}, averaged to the size of the attention map; a place belongs to the mask where \
         that is above half of its maximum. AUC is the area under the ROC curve of attention over these places, 0.5 by \
         chance; correlation is Pearson's, with the averaged mask; overlap is the intersection over union with as many \
         places of the highest attention as the mask has, next to its chance level. All are means over images."
    )
}

fn paired_by(report: &Report) -> String {
    let mut keys: Vec<String> = vec![];
    for key in report.runs.iter().flat_map(|run| run.replicate_settings.keys()) {
        let name = key.strip_prefix("data.").unwrap_or(key).replace(['.', '_'], " ");
        if !keys.contains(&name) {
            keys.push(name);
        }
    }
    if keys.is_empty() { "run".to_owned() } else { list(&keys) }
}

fn software(common: &Common<'_>, report: &Report) -> String {
    let said = |key: &'static str| common.values(move |record| record.environment(key).map(show));
    let numerics = common.values(|record| record.identity.as_ref().map(|identity| identity.numerics.to_string()));
    let mut text = format!("Runs were made with mga {} (candle {}", known(&said("mga")), known(&said("candle")));
    text += &if numerics.is_empty() { ")".to_owned() } else { format!(", numerics {})", known(&numerics)) };
    let machines = [said("system"), said("processor")].map(|values| known(&values));
    let cores = known(&said("cores"));
    let plural = if cores == "1" { "" } else { "s" };
    text += &format!(" on {} ({}, {cores} core{plural}; {})", known(&said("device")), machines[1], machines[0]);
    text += &format!("; all runs together took {}.", duration(report.seconds));
    text + &format!(" The report was made with {}.", report.made_by)
}

fn known(values: &[String]) -> String {
    if values.is_empty() { "(unknown)".to_owned() } else { values.join(" and ") }
}
