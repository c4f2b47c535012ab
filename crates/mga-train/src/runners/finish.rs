//! The end of a run: its checkpoints evaluated on the test images, everything written, and what came of it put into words.

use std::path::Path;

use mga_core::wording::counted;
use mga_experiment::{Loaded, Metrics, SelectOn, StageWork};
use serde_json::{Value, json};

use super::evaluation::EvaluationContext;
use super::learner::Outcome;
use crate::checkpoint::{self, Progress};
use crate::identity::Identity;
use crate::interrupt::Interrupt;
use crate::loaders;
use crate::metrics_log::MetricsLog;
use crate::progress::Listener;
use crate::run_folder::RunFolder;
use crate::tasks::{Job, TaskData, described, read_extracted};
use crate::trackers::Tracking;
use crate::world::World;

/// Whoever follows a run, and those it shares its work with.
#[derive(Clone, Copy)]
pub(super) struct Around<'a> {
    pub(super) voice: &'a dyn Listener,
    pub(super) interrupt: &'a Interrupt,
    pub(super) world: &'a dyn World,
    pub(super) tracking: &'a Tracking<'a>,
}

/// A stage whose work is done, but for its last evaluation.
pub(super) struct Finished<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) job: &'a dyn Job,
    pub(super) data: &'a dyn TaskData,
    pub(super) folder: &'a RunFolder,
    pub(super) progress: &'a Progress,
}

/// Evaluates test on the last and on the selected checkpoint, writes everything, and returns the result in words. Ranks
/// other than 0 take part in the evaluation alone. `before` is the summary of the stages before, and `log` that of a stage
/// that trains nothing, in which this evaluation is the only line.
///
/// # Errors
/// Images that cannot be read; a folder that cannot be written to; a signal.
pub(super) fn finish(
    run: &Finished<'_>,
    before: Option<&[Value]>,
    around: &Around<'_>,
    log: &mut Option<MetricsLog>,
) -> anyhow::Result<String> {
    let Around { voice, interrupt, world, tracking } = *around;
    let Finished { loaded, job, data, folder, progress } = *run;
    let fits = loaded.work == StageWork::Fit;
    let (experiment, splits) = (&loaded.experiment, data.splits());
    let mut skipped = progress.skipped.clone();
    let (split, indices) =
        if splits.test.is_empty() { ("validation", &splits.validation) } else { ("test", &splits.test) };
    let has_best = experiment.eval.select_on != SelectOn::Last && folder.best().is_file();
    let mut result_of = |checkpoint: &Path| -> anyhow::Result<Option<Box<dyn Outcome>>> {
        // Of a run without images to evaluate too: what is looked at below is the reported checkpoint.
        checkpoint::load_job(checkpoint, job, None)?;
        if let Some((tensors, left_out)) = read_extracted(folder)? {
            skipped.extend(left_out);
            job.take_extracted(&tensors)?;
        }
        if indices.is_empty() {
            return Ok(None);
        }
        let loader = loaders::of_source(loaded, data.source(false), indices.clone(), false)?;
        let mut seen = |_| ();
        let result = job.evaluate(&loader, &mut EvaluationContext::new(interrupt, &mut seen).with_world(world))?;
        skipped.extend(loader.skipped());
        Ok(Some(result))
    };
    let last = result_of(&folder.last())?;
    if world.rank() == 0 && experiment.eval.select_on == SelectOn::Last && evaluates_others(job)? {
        // The last checkpoint goes on with training; other programs take the weights that were evaluated.
        job.as_evaluated(&mut || checkpoint::save_job(&folder.best(), job, None, progress))?;
    }
    let selected = if has_best && last.is_some() { result_of(&folder.best())? } else { None };
    if world.rank() > 0 {
        return Ok(String::new());
    }
    let reported = selected.as_ref().or(last.as_ref());
    if let (Some(result), Some(log)) = (reported, log) {
        let line = result.line(split, None);
        log.append(&line)?;
        log.sync()?;
        tracking.line(&line);
    }
    if let Some(result) = reported {
        result.notes(split).iter().for_each(|note| voice.say(&format!("warning: {note}")));
        result.write(folder)?;
        job.pictures(indices, folder)?;
    }
    let closing = job.close(folder, interrupt)?;
    closing.warnings.iter().for_each(|warning| voice.say(&format!("warning: {warning}")));
    skipped.sort();
    skipped.dedup();
    let best_epoch = progress.best_epoch;
    let last_epoch = fits.then(|| progress.epoch.saturating_sub(1));
    let mut summary = json!({
        "status": "finished",
        "task": experiment.task,
        "split": split,
        "select_on": experiment.eval.select_on,
        "selected_on_test": fits && experiment.eval.select_on == SelectOn::Test,
        "epochs": progress.epoch,
        "steps": progress.step,
        "stopped_early": progress.stopped_early,
        "best_epoch": best_epoch,
        "best_score": progress.best,
        "selected": selected.as_ref().map(|result| result.line(split, best_epoch)),
        "last": last.as_ref().map(|result| result.line(split, last_epoch)),
        "classes": data.classes().len(),
        "class_names": data.classes(),
        "train_images": splits.train.len(),
        "validation_images": splits.validation.len(),
        "test_images": splits.test.len(),
    });
    let line = reported.map(|result| result.line(split, None));
    let given = |name: &str| line.as_ref().is_some_and(|line| line.get(name).is_some());
    summary["metrics"] = json!(described(loaded.kinds.all::<Metrics>().iter().filter(|metric| given(&metric.name))));
    closing.summary.into_iter().for_each(|(key, value)| summary[key] = value);
    summary["skipped"] = json!(skipped);
    summary["training_seconds"] = json!(progress.seconds);
    summary["test_images_replaced"] = json!(Identity::was_evaluated_again(folder)?);
    if let Some(stage) = experiment.stage() {
        summary["stage"] = json!(stage);
        summary["work"] = json!(loaded.work);
    }
    if let Some(before) = before {
        let own = stage_line(loaded, folder, &summary, Path::new("."))?;
        summary["stages"] = before.iter().cloned().chain([own]).collect();
    }
    folder.write_json("summary.json", &summary)?;
    let mut text = String::new();
    if !skipped.is_empty() {
        text += &format!("skipped {} (see summary.json)\n", counted(skipped.len(), "image", "images"));
    }
    if splits.test.is_empty() {
        let instead =
            if indices.is_empty() { "; there are no validation images either, so there is no score" } else { "" };
        text += &format!("\nnot tested: there are no test images{instead}\n");
    }
    if let Some(result) = reported {
        let flatters = if experiment.eval.select_on == SelectOn::Test { "TEST, which flatters" } else { "validation" };
        let chosen = match best_epoch.filter(|_| has_best) {
            Some(epoch) => format!("epoch {} (best on {flatters})", epoch + 1),
            None if !fits => "nothing was trained".to_owned(),
            None => "the last epoch".to_owned(),
        };
        if result.unlabelled() > 0 {
            let unlabelled = counted(result.unlabelled(), "image", "images");
            text += &format!("\n{split}: {unlabelled} without a label: predicted, not scored");
        }
        text += &format!("\n{split}: {} images, {chosen}\n{}", result.images(), result.lines());
    }
    text += &closing.lines;
    text += &format!("run: {}\n{}", folder.path().display(), closing.next);
    Ok(text)
}

/// Whether other parameters are evaluated than those that are trained.
fn evaluates_others(job: &dyn Job) -> anyhow::Result<bool> {
    let ids = || -> Vec<_> { job.store().entries().iter().map(|entry| entry.tensor().id()).collect() };
    let (trained, mut evaluated) = (ids(), Vec::new());
    job.as_evaluated(&mut || {
        evaluated = ids();
        Ok(())
    })?;
    Ok(trained != evaluated)
}

/// What the summary of a run says of one of its stages, whose own summary is `summary`; `place` is its folder, from the run's.
pub(super) fn stage_line(loaded: &Loaded, folder: &RunFolder, summary: &Value, place: &Path) -> anyhow::Result<Value> {
    let id = Identity::of_run(folder.path())?.map(|identity| identity.id);
    let reported = ["selected", "last"].into_iter().filter_map(|key| summary.get(key)).find(|line| !line.is_null());
    Ok(json!({
        "name": loaded.experiment.stage(),
        "work": loaded.work,
        "id": id,
        "folder": place,
        "split": summary.get("split"),
        "reported": reported,
        "training_seconds": summary.get("training_seconds"),
        "train_images": summary.get("train_images"),
        "validation_images": summary.get("validation_images"),
        "test_images": summary.get("test_images"),
    }))
}
