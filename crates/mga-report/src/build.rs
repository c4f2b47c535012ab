//! The construction of a report from the records of runs.

use std::collections::{BTreeMap, BTreeSet};

use mga_core::statistics::Resampling;

use super::baseline::{baselines, nearest_baseline};
use super::columns::{columns, first, measured};
use super::comparing::{adjust, compare};
use super::component_words::ComponentWords;
use super::flag_evidence::Seen;
use super::flags::flags;
use super::grouping::groups;
use super::images::Images;
use super::latex_narrow;
use super::masks::arm_masks;
use super::methods::methods;
use super::model::{Arm, Column, Report, Run, SharedStage};
use super::scores::score;
use super::search::{search, selection, validation};
use super::table_columns;
use super::table_form::TableForm;
use super::trials::TrialTables;
use crate::results::{NO_IDENTITY, Record, Results, SearchSpace};

/// The request for a report.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The arm that others are compared with: its name, its variant, or settings; left out: the one that the sweep marks.
    pub baseline: Option<String>,
    /// The metric that arms are compared by; left out: the one that the experiments select checkpoints by.
    pub metric: Option<String>,
    /// The bootstrap over images.
    pub resampling: Resampling,
    /// The items that the confusion matrices of each task count, in the plural. Other tasks count test images.
    pub counted: BTreeMap<String, String>,
    /// What a paper calls the components.
    pub words: ComponentWords,
    /// The form of the table of arms in Markdown and LaTeX.
    pub form: TableForm,
}

/// Chance of an interval to cover.
const CONFIDENCE: f64 = 0.95;

/// Builds the report.
///
/// # Errors
/// No arm is meant by the baseline; no run has the metric, or a column of the table; the table does not fit; there are no runs.
pub fn build(results: &Results, request: &Request) -> anyhow::Result<Report> {
    let records = &results.records;
    anyhow::ensure!(!records.is_empty(), "there are no runs to report on");
    let groups = groups(records, &results.name);
    let marked = baselines(&groups, request.baseline.as_deref())?;
    let duplicates = duplicates(records);
    let counted = |record: usize| records[record].is_finished() && !duplicates.contains(&record);
    let finished: Vec<&Record> = (0..records.len()).filter(|&i| counted(i)).map(|i| &records[i]).collect();
    let columns = columns(&finished, request.metric.as_deref(), &request.form.columns)?;
    let column = first(&columns)?.clone();

    let mut runs: Vec<Run> = vec![];
    for (index, record) in records.iter().enumerate() {
        let arm = groups.iter().position(|group| group.members.contains(&index)).unwrap_or(0);
        let reported = record.summary.as_ref().and_then(|summary| summary.reported());
        runs.push(Run {
            key: record.key.clone(),
            folder: record.folder.clone(),
            arm,
            replicate: record.cell.replicate_label(),
            replicate_settings: record.cell.replicate.clone(),
            state: record.state,
            error: record.error.clone(),
            counted: counted(index),
            seconds: record.seconds,
            values: columns.iter().map(|column| record.metric(&column.key)).collect(),
            validation_score: record.summary.as_ref().and_then(|summary| summary.validation_score()),
            epoch: reported.and_then(|evaluation| evaluation.epoch()),
            images: reported.and_then(|evaluation| evaluation.images()),
            notes: record.notes.clone(),
        });
    }

    let test_images = finished.iter().filter_map(|record| record.summary.as_ref()?.reported()?.images()).min();
    let selected_by = selection(&finished, test_images.unwrap_or(0));
    let validated = |members: &[usize], counted: &dyn Fn(usize) -> bool| -> Vec<(&Record, f64)> {
        let counted = members.iter().copied().filter(|&member| counted(member));
        counted.filter_map(|m| Some((&records[m], validation(&records[m], &selected_by)?))).collect()
    };
    let mut images = Images::of(records, request.resampling, CONFIDENCE);
    let mut trials = TrialTables::of(records);
    let mut arms: Vec<Arm> = vec![];
    for (index, group) in groups.iter().enumerate() {
        let members = || group.members.iter().copied().filter(|&member| counted(member));
        let scores = columns.iter().enumerate().map(|(place, column)| {
            let values: Vec<_> = members().filter_map(|m| Some((&records[m], runs[m].values[place]?))).collect();
            score(&values, column, CONFIDENCE)
        });
        let of_test = |member: usize| records[member].summary.as_ref().is_some_and(|summary| summary.selected_on_test);
        arms.push(Arm {
            name: group.name.clone(),
            variant: group.variant.clone(),
            settings: group.settings.clone(),
            baseline: marked.contains(&index),
            runs: group.members.clone(),
            finished: members().count(),
            failed: group.members.iter().filter(|&&m| runs[m].state == crate::results::RunState::Failed).count(),
            scores: scores.collect(),
            comparison: None,
            draw: group.draw,
            validation: score(&validated(&group.members, &|m| counted(m)), &selected_by, CONFIDENCE),
            best_validated: false,
            image_interval: images.interval(&column.key, &members().collect::<Vec<_>>()),
            trials: trials.score(&column.key, &members().collect::<Vec<_>>()),
            masks: arm_masks(records, &group.members, counted),
            seconds: group.members.iter().filter_map(|&member| records[member].seconds).sum(),
            selected_on_test: members().any(of_test),
            flags: vec![],
        });
    }
    // Of missing identities a flag tells.
    let mut notes: Vec<String> = results
        .all_notes()
        .filter(|note| note.message != NO_IDENTITY)
        .map(|note| format!("{}: {}", note.path.display(), note.message))
        .collect();
    for index in (0..arms.len()).filter(|index| !marked.contains(index)) {
        match nearest_baseline(&groups, &marked, index) {
            Some(baseline) => {
                let seen = (&arms[..], &runs[..], &records[..]);
                arms[index].comparison =
                    Some(compare((index, baseline), seen, &column, (&mut images, &mut trials), CONFIDENCE));
            }
            None if marked.is_empty() => (),
            None => notes.push(format!(
                "{}: several baselines are equally near, so it is compared with none; name one with --baseline",
                arms[index].name
            )),
        }
    }
    if marked.is_empty() && arms.len() > 1 {
        notes.push("no arm is marked as the baseline, so nothing is compared; name one with --baseline".to_owned());
    }
    notes.append(&mut trials.notes);
    adjust(&mut arms, &column);
    let left_out: Vec<usize> = duplicates.iter().copied().collect();
    let flags = flags(&Seen { arms: &arms, runs: &runs, records, column: &column, duplicates: &left_out });
    for (index, arm) in arms.iter_mut().enumerate() {
        arm.flags = flags.iter().enumerate().filter(|(_, flag)| flag.arms.contains(&index)).map(|(at, _)| at).collect();
    }
    let search = results.search.as_ref().map(|space| {
        mark_best(&mut arms, space, &selected_by);
        let searched: Vec<_> = (0..records.len())
            .filter(|run| !left_out.contains(run))
            .map(|run| {
                let value = validation(&records[run], &selected_by).filter(|_| counted(run));
                (&records[run], runs[run].arm, value)
            })
            .collect();
        search(space, &selected_by, &searched, CONFIDENCE)
    });
    let shared = shared_stages(records);
    let mut report = Report {
        title: results.name.clone(),
        made_by: format!("mga {}", env!("CARGO_PKG_VERSION")),
        seconds: arms.iter().map(|arm| arm.seconds).sum::<f64>()
            + shared.iter().map(|stage| stage.seconds).sum::<f64>(),
        shared_stages: shared,
        columns,
        arms,
        runs,
        flags,
        methods: vec![],
        notes,
        confidence: CONFIDENCE,
        counted: of_confusions(records, request),
        form: request.form.clone(),
        measured: measured(&finished).into_iter().map(str::to_owned).collect(),
        validated_by: Some(selected_by),
        search,
    };
    table_columns::chosen(&report)?;
    if report.form.narrow {
        latex_narrow::check(&report)?;
    }
    report.methods = methods(&report, records, request.resampling.resamples, &request.words);
    Ok(report)
}

/// The stages that runs share, in the order of the runs.
fn shared_stages(records: &[Record]) -> Vec<SharedStage> {
    let mut stages: Vec<SharedStage> = vec![];
    for (run, record) in records.iter().enumerate() {
        for place in &record.shared {
            let at = stages.iter().position(|stage| stage.id == place.id).unwrap_or_else(|| {
                let (name, id) = (place.name.clone(), place.id.clone());
                stages.push(SharedStage { name, id, runs: vec![], seconds: 0.0 });
                stages.len() - 1
            });
            stages[at].runs.push(run);
            stages[at].seconds += place.spent.trained;
        }
    }
    stages
}

/// What the confusion matrices of these runs count, in the plural.
fn of_confusions(records: &[Record], request: &Request) -> String {
    let mut tasks = records.iter().filter_map(|record| record.setting("task")?.as_str());
    tasks.find_map(|task| request.counted.get(task).cloned()).unwrap_or_else(|| "test images".to_owned())
}

/// Marks the arms of the best mean on validation images, each among those that differ in what is drawn alone, and whose runs
/// all have a score; of equals the first.
fn mark_best(arms: &mut [Arm], space: &SearchSpace, column: &Column) {
    let family = |arm: &Arm| {
        let mut rest = arm.settings.clone();
        rest.retain(|key, _| !space.ranges.contains_key(key));
        (arm.variant.clone(), rest)
    };
    let mut best: Vec<(usize, f64)> = vec![];
    for (index, arm) in arms.iter().enumerate() {
        let Some(mean) = arm.validation.mean.filter(|_| arm.validation.n == arm.runs.len()) else { continue };
        let better = |other: f64| if column.higher_is_better { mean > other } else { mean < other };
        match best.iter_mut().find(|(known, _)| family(&arms[*known]) == family(arm)) {
            None => best.push((index, mean)),
            Some(known) if better(known.1) => *known = (index, mean),
            Some(_) => (),
        }
    }
    best.iter().for_each(|&(index, _)| arms[index].best_validated = true);
}

/// Finished runs of a cell that an earlier finished run fills.
fn duplicates(records: &[Record]) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    let cell = |record: &Record| (record.cell.arm_key(), record.cell.replicate_key());
    (0..records.len()).filter(|&i| records[i].is_finished() && !seen.insert(cell(&records[i]))).collect()
}

#[cfg(test)]
mod tests {
    use mga_core::random::Generator;
    use serde_json::json;

    use super::*;
    use crate::model::Verdict;
    use crate::results::Evaluation;

    /// A sweep whose arms are all equally good: top-1 on 100 images, five seeds, a baseline and three arms.
    fn null_sweep(template: &Record, generator: &mut Generator) -> Results {
        let mut records = vec![];
        for arm in ["baseline", "a", "b", "c"] {
            for seed in 1..=5 {
                let truth = 0.7 + 0.03 * generator.normal();
                let top1 = (0..100).filter(|_| generator.chance(truth)).count() as f64 / 100.0;
                let mut record = template.clone();
                record.cell.settings.insert("arm".to_owned(), json!(arm));
                record.cell.replicate.insert("seed".to_owned(), json!(seed));
                record.cell.baseline = arm == "baseline";
                if let (Some(summary), serde_json::Value::Object(values)) =
                    (&mut record.summary, json!({ "top1": top1 }))
                {
                    summary.last = Some(Evaluation(values));
                }
                records.push(record);
            }
        }
        Results { name: "null".to_owned(), records, ..Results::default() }
    }

    /// The whole way from records to verdicts; what single tests do is simulated in mga-core.
    #[test]
    fn tables_without_an_effect_seldom_claim_one_and_their_intervals_cover() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("cell.json"), "{}").unwrap();
        std::fs::write(folder.path().join("summary.json"), r#"{"split": "test"}"#).unwrap();
        let template = Record::read(folder.path()).unwrap();
        let tables = 2000;
        let (mut claims, mut covered) = (0, 0);
        for table in 0..tables {
            let results = null_sweep(&template, &mut Generator::new(7, "null table", &[table]));
            let report = build(&results, &Request::default()).unwrap();
            let claim =
                |arm: &Arm| matches!(arm.comparison.as_ref().unwrap().verdict, Verdict::Better | Verdict::Worse);
            claims += u32::from(report.arms[1..].iter().any(claim));
            let covers =
                |arm: &&Arm| arm.scores[0].interval.is_some_and(|interval| interval.low <= 0.7 && 0.7 <= interval.high);
            covered += report.arms.iter().filter(covers).count();
        }
        let (claims, covered) = (f64::from(claims) / tables as f64, covered as f64 / (4 * tables) as f64);
        // Three standard errors of 5 % over the tables on top: sqrt(0.05 0.95 / 2000) is 0.5 %.
        assert!(claims <= 0.05 + 0.015, "{claims} of the tables claim a difference");
        assert!((0.93..=0.97).contains(&covered), "intervals cover {covered}");
    }
}
