//! `report.csv`: a row an arm, numbers as they were measured and in full, and nothing that a spreadsheet would calculate.

use mga_train::csv_file::CsvFile;

use super::model::{Interval, Report};

/// Columns that came later stand last: what the deviations are over, and what was selected by.
const LAST: [&str; 6] =
    ["deviation_over", "draw", "validation_n", "validation_mean", "validation_deviation", "best_on_validation"];

/// Columns of reports with masks: what they cover, and what guidance made of the attention.
const MASKS: [&str; 10] = [
    "masks",
    "coverage_mean",
    "coverage_deviation",
    "coverage_least",
    "coverage_most",
    "masks_blank",
    "guidance_runs",
    "mask_mse_start",
    "mask_mse_end",
    "guidance_hardly_moved",
];

/// Columns of reports with independent trials, such as episodes.
const TRIALS: [&str; 7] = [
    "trials",
    "mean_trials_low",
    "mean_trials_high",
    "difference_trials",
    "difference_trials_low",
    "difference_trials_high",
    "difference_trials_p",
];

/// Returns the table.
///
/// # Errors
/// None that is known: it is written into memory.
pub fn text(report: &Report) -> anyhow::Result<String> {
    let mut file = CsvFile::new();
    let mut header: Vec<String> =
        ["arm", "baseline", "settings", "runs", "finished", "failed", "seconds", "selected_on_test", "flags"]
            .map(str::to_owned)
            .to_vec();
    for column in &report.columns {
        let parts = ["n", "mean", "deviation", "deviation_n", "low", "high"];
        header.extend(parts.map(|part| format!("{}_{part}", column.key)));
    }
    let of_comparison = [
        "mean_images_low",
        "mean_images_high",
        "against",
        "pairs",
        "difference",
        "difference_deviation",
        "difference_deviation_n",
        "difference_low",
        "difference_high",
        "test",
        "t",
        "degrees",
        "p",
        "p_holm",
        "paired_t_p",
        "mcnemar_arm_only",
        "mcnemar_baseline_only",
        "mcnemar_p",
        "mcnemar_exact",
        "mcnemar_clustered_p",
        "difference_images_low",
        "difference_images_high",
        "verdict",
    ];
    header.extend(of_comparison.map(str::to_owned));
    header.extend(LAST.map(str::to_owned));
    let masked = report.arms.iter().any(|arm| arm.masks.is_some());
    header.extend(MASKS.iter().filter(|_| masked).map(|&key| key.to_owned()));
    let tried = report.arms.iter().any(|arm| arm.trials.is_some());
    header.extend(TRIALS.iter().filter(|_| tried).map(|&key| key.to_owned()));
    file.row(&header)?;
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let ends = |interval: Option<Interval>| [number(interval.map(|i| i.low)), number(interval.map(|i| i.high))];
    for arm in &report.arms {
        let mut row = vec![
            arm.name.clone(),
            arm.baseline.to_string(),
            serde_json::to_string(&arm.settings)?,
            arm.runs.len().to_string(),
            arm.finished.to_string(),
            arm.failed.to_string(),
            arm.seconds.to_string(),
            arm.selected_on_test.to_string(),
            report.flags_of(arm).map(|flag| word(&flag.kind)).collect::<Vec<_>>().join(" "),
        ];
        for score in &arm.scores {
            row.extend([score.n.to_string(), number(score.mean), number(score.deviation)]);
            row.push(score.values.to_string());
            row.extend(ends(score.interval));
        }
        row.extend(ends(arm.image_interval));
        if let Some(comparison) = &arm.comparison {
            let test = comparison.test.as_ref();
            let mcnemar = comparison.mcnemar.as_ref();
            row.extend([report.arms[comparison.against].name.clone(), comparison.pairs.len().to_string()]);
            row.extend([number(comparison.difference), number(comparison.deviation), comparison.values.to_string()]);
            row.extend(ends(comparison.interval));
            row.push(test.map(|test| word(&test.kind)).unwrap_or_default());
            row.extend([test.map(|t| t.t), test.map(|t| t.degrees), test.map(|t| t.p)].map(number));
            row.extend([comparison.p_adjusted, comparison.paired_t.as_ref().map(|test| test.p)].map(number));
            row.extend(
                [mcnemar.map(|m| m.arm_only), mcnemar.map(|m| m.baseline_only)].map(|n| number(n.map(|n| n as f64))),
            );
            row.push(number(mcnemar.map(|m| m.p)));
            row.push(mcnemar.map(|m| m.exact.to_string()).unwrap_or_default());
            row.push(number(mcnemar.and_then(|m| m.p_clustered)));
            row.extend(ends(comparison.bootstrap.map(|bootstrap| bootstrap.interval)));
            row.push(word(&comparison.verdict));
        }
        let last = LAST.len() + if masked { MASKS.len() } else { 0 } + if tried { TRIALS.len() } else { 0 };
        row.resize(header.len() - last, String::new());
        let over = arm.scores.first().map_or("", |score| score.over.word());
        row.push(over.to_owned());
        row.push(arm.draw.map(|draw| draw.to_string()).unwrap_or_default());
        row.extend([arm.validation.n.to_string(), number(arm.validation.mean), number(arm.validation.deviation)]);
        row.push(if report.search.is_some() { arm.best_validated.to_string() } else { String::new() });
        if let Some(masks) = &arm.masks {
            let coverage = &masks.coverage;
            row.push(masks.source.clone());
            row.extend([coverage.mean, coverage.deviation, coverage.least, coverage.most].map(|n| n.to_string()));
            row.push(coverage.blank.to_string());
            let guidance = masks.guidance.as_ref();
            row.push(guidance.map(|guidance| guidance.runs.to_string()).unwrap_or_default());
            row.extend([guidance.map(|guidance| guidance.start), guidance.map(|guidance| guidance.end)].map(number));
            row.push(guidance.map(|guidance| guidance.hardly_moved.to_string()).unwrap_or_default());
        }
        row.resize(header.len() - if tried { TRIALS.len() } else { 0 }, String::new());
        if let Some(trials) = &arm.trials {
            row.push(trials.trials.to_string());
            row.extend(ends(Some(trials.interval)));
            if let Some(paired) = arm.comparison.as_ref().and_then(|comparison| comparison.trials.as_ref()) {
                row.push(paired.difference.to_string());
                row.extend(ends(Some(paired.interval)));
                row.push(number(paired.p));
            }
        }
        row.resize(header.len(), String::new());
        file.row(&row)?;
    }
    file.text()
}

/// A unit variant as JSON writes it, without the quotes.
fn word(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
