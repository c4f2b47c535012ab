//! The tables as text, cell by cell: what terminal, Markdown and LaTeX set in their own ways.

use mga_core::wording::counted;
use mga_sweep::duration;

use super::model::{Arm, Column, Comparison, Interval, Report, Score, TrialDifference};
use super::search_cells::{chosen, families, heading};
use super::text_table::Cells;
use super::wording::{difference_interval, interval, p_equals, p_value};
use crate::results::RunState;

/// `5`, or `4 of 5` where not all are finished; with the folds that they are in: `10 (5 folds)`.
pub(super) fn runs(arm: &Arm) -> String {
    let (finished, all) = (arm.finished, arm.runs.len());
    let runs = if finished == all { all.to_string() } else { format!("{finished} of {all}") };
    match arm.scores.first().and_then(|score| score.over.count(score.values)) {
        Some(folds) => format!("{runs} ({folds})"),
        None => runs,
    }
}

/// `10`, with the folds that they are in: `10 (5 folds)`.
pub(super) fn pairs(comparison: &Comparison) -> String {
    let pairs = comparison.pairs.len().to_string();
    comparison.over.count(comparison.values).map_or_else(|| pairs.clone(), |folds| format!("{pairs} ({folds})"))
}

/// `93.5 ± 1.2`; without a deviation of one run; with its n where not all of the arm's runs have it.
pub(super) fn value(column: &Column, score: &Score, arm: &Arm) -> String {
    let mut text = column.show(score.mean);
    if score.deviation.is_some() {
        text += &format!(" ± {}", column.show(score.deviation));
    }
    if score.n > 0 && score.n != arm.finished {
        text += &format!(" (n = {})", score.n);
    }
    text
}

pub(super) fn dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

/// One trial in a word, where the report's runs have independent trials: `episode`.
pub(super) fn trial(report: &Report) -> Option<&str> {
    report.arms.iter().find_map(|arm| Some(arm.trials.as_ref()?.of.as_str()))
}

/// A row for each arm that is compared.
pub(super) fn comparisons(report: &Report) -> Option<Cells> {
    let column = report.metric()?;
    let unit = if column.percent { ", points" } else { "" };
    let over = format!("95 % over {}", trial(report).map_or_else(|| "images".to_owned(), |trial| format!("{trial}s")));
    let header = [
        "arm",
        "against",
        "pairs",
        &format!("{} difference{unit}", column.title),
        "95 % interval",
        "p",
        "p, Holm",
        "McNemar p",
        &over,
    ];
    let mut cells = Cells::new(header.iter().map(|&text| text.to_owned()).collect(), 2);
    for (arm, comparison) in report.arms.iter().filter_map(|arm| Some((arm, arm.comparison.as_ref()?))) {
        cells.rows.push(vec![
            arm.name.clone(),
            report.arms[comparison.against].name.clone(),
            pairs(comparison),
            column.show_difference(comparison.difference),
            dash(difference_interval(column, comparison.interval)),
            dash(comparison.test.as_ref().map(|test| p_value(test.p))),
            dash(comparison.p_adjusted.map(p_value)),
            mcnemar(comparison),
            dash(difference_interval(column, over_samples(comparison))),
        ]);
    }
    (!cells.rows.is_empty()).then_some(cells)
}

/// The interval of a difference for these very models: over trials, where there are any, else over images.
fn over_samples(comparison: &Comparison) -> Option<Interval> {
    let trials = comparison.trials.as_ref().map(|trials| trials.interval);
    trials.or(comparison.bootstrap.map(|bootstrap| bootstrap.interval))
}

/// `0.012 (34 : 12)`: the p value, and what each side alone has right.
fn mcnemar(comparison: &Comparison) -> String {
    let Some(test) = &comparison.mcnemar else { return "-".to_owned() };
    let clustered = test.p_clustered.filter(|_| comparison.pairs.len() > 1);
    let clustered = clustered.map(|p| format!(", by image {}", p_value(p))).unwrap_or_default();
    format!("{}{clustered} ({} : {})", p_value(test.p), test.arm_only, test.baseline_only)
}

/// A row for each arm that learns from masks: what they cover, and what guidance made of the attention.
pub(super) fn masks(report: &Report) -> Option<Cells> {
    let header = [
        "arm",
        "masks",
        "looked at",
        "coverage, %",
        "least to most, %",
        "blank",
        "at the border, %",
        "mask MSE at the start",
        "at the end",
    ];
    let mut cells = Cells::new(header.iter().map(|&text| text.to_owned()).collect(), 2);
    for (arm, masks) in report.arms.iter().filter_map(|arm| Some((arm, arm.masks.as_ref()?))) {
        let (coverage, guidance) = (&masks.coverage, masks.guidance.as_ref());
        let percent = |share: f64| format!("{:.1}", 100.0 * share);
        cells.rows.push(vec![
            arm.name.clone(),
            masks.source.clone(),
            coverage.masks.to_string(),
            format!("{} ± {}", percent(coverage.mean), percent(coverage.deviation)),
            format!("{} to {}", percent(coverage.least), percent(coverage.most)),
            coverage.blank.to_string(),
            dash(coverage.border.map(percent)),
            dash(guidance.map(|guidance| format!("{:.4}", guidance.start))),
            dash(guidance.map(|guidance| format!("{:.4}", guidance.end))),
        ]);
    }
    (!cells.rows.is_empty()).then_some(cells)
}

/// A row a run.
pub(super) fn every_run(report: &Report) -> Cells {
    let mut header: Vec<String> = ["arm", "run", "state"].map(str::to_owned).to_vec();
    header.extend(report.search.as_ref().map(|search| heading(&search.column)));
    header.extend(report.metric().map(|column| format!("{}{}", column.title, column.unit().replace(' ', ", "))));
    header.extend(["epoch".to_owned(), "time".to_owned()]);
    let mut cells = Cells::new(header, 3);
    for run in &report.runs {
        let left_out = if run.state == RunState::Finished && !run.counted { ", left out" } else { "" };
        let mut row =
            vec![report.arms[run.arm].name.clone(), run.replicate.clone(), format!("{}{left_out}", run.state.word())];
        row.extend(report.search.as_ref().map(|search| {
            let better = if search.column.higher_is_better { 1.0 } else { -1.0 };
            search.column.show(run.validation_score.map(|score| better * score))
        }));
        row.extend(report.metric().map(|column| column.show(run.values.first().copied().flatten())));
        row.push(dash(run.epoch.map(|epoch| (epoch + 1).to_string())));
        row.push(dash(run.seconds.map(duration)));
        cells.rows.push(row);
    }
    cells
}

/// What there is to say below the tables: what comparisons say, then of arms whose spread is not known.
pub(super) fn sentences(report: &Report) -> Vec<String> {
    let compared = report.arms.iter().filter_map(|arm| arm.comparison.as_ref()).map(|c| c.sentence.clone());
    let mut sentences: Vec<String> = chosen(report).into_iter().chain(families(report)).chain(compared).collect();
    let Some(column) = report.metric() else { return sentences };
    sentences.extend(report.arms.iter().filter_map(|arm| paired_trials(report, arm, column)));
    for arm in &report.arms {
        let images = interval(column, arm.image_interval)
            .map(|range| format!(" Resampling the test images, for these models: {range}{} (95 %).", column.unit()));
        match arm.scores.first() {
            Some(score) if score.n == 1 => sentences.push(format!(
                "{}: one run only, so there is neither deviation nor interval over seeds.{}",
                arm.name,
                images.unwrap_or_default()
            )),
            Some(score) if score.n > 1 && score.deviation == Some(0.0) => sentences.push(format!(
                "{}: all {} have the same {}, so there is no interval over seeds.{}",
                arm.name,
                counted(score.n, "run", "runs"),
                column.title,
                images.unwrap_or_default()
            )),
            _ => (),
        }
    }
    sentences
}

/// What a difference paired by trial says of these models; it decides nothing about other seeds.
fn paired_trials(report: &Report, arm: &Arm, column: &Column) -> Option<String> {
    let comparison = arm.comparison.as_ref()?;
    let TrialDifference { of, trials, difference, interval, p } = comparison.trials.as_ref()?;
    let p = p.map(|p| format!("; {}, not adjusted", p_equals(p))).unwrap_or_default();
    Some(format!(
        "{} against {}, the same {trials} {of}s: {}{} (95 % interval {}{p}). This is about these models and other {of}s, and \
         says nothing of other seeds.",
        arm.name,
        report.arms[comparison.against].name,
        column.show_difference(Some(*difference)),
        column.difference_unit(),
        difference_interval(column, Some(*interval))?,
    ))
}

/// The first line: how much is behind the report.
pub(super) fn headline(report: &Report) -> String {
    let finished = report.runs.iter().filter(|run| run.counted).count();
    format!(
        "{}: {}, {}, {finished} counted, {} of compute",
        report.title,
        counted(report.arms.len(), "arm", "arms"),
        counted(report.runs.len(), "run", "runs"),
        duration(report.seconds)
    )
}
