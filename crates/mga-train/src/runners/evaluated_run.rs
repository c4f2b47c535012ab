//! A run evaluated with other settings than it was trained with, as a run's folder that a report reads.

use std::path::Path;

use anyhow::Context;
use mga_experiment::{Components, Loaded, experiment_schema};
use serde_json::{Value, json};

use super::evaluate::{EvaluatedSplit, Weights, evaluate_and_look};
use crate::file_hashes::FileHashes;
use crate::identity::{self, Identity};
use crate::interrupt::Interrupt;
use crate::mask_survey;
use crate::progress::Silent;
use crate::run_folder::RunFolder;

/// The key in `summary.json` that says with what settings a run was evaluated, and which run it is.
pub const EVALUATED: &str = "evaluated";

/// Files of a run that say how it was trained, which an evaluation takes over.
const TAKEN_OVER: [&str; 4] = ["environment.json", "state.json", "metrics.jsonl", mask_survey::FILE];

/// Evaluates the reported checkpoint of `run` on the test images as `loaded` says, which is the run's own experiment with
/// the settings `set` changed, and writes the result as the folder of a run: `out`. What was trained is not touched.
/// `note` hears what people should know.
///
/// # Errors
/// A run that is not finished; a folder that cannot be written to; as [`evaluate`](super::evaluate::evaluate).
pub fn evaluate_run(
    run: &RunFolder,
    loaded: &mut Loaded,
    set: &[String],
    components: &Components,
    out: &RunFolder,
    interrupt: &Interrupt,
    note: &dyn Fn(&str),
) -> anyhow::Result<EvaluatedSplit> {
    let trained = run.summary();
    let text = std::fs::read_to_string(&trained)
        .with_context(|| format!("{}: expected the summary of a finished run", trained.display()))?;
    let mut summary: Value = serde_json::from_str(&text).with_context(|| format!("{}: not JSON", trained.display()))?;
    let checkpoint =
        run.reported().with_context(|| format!("{}: has no checkpoint left to evaluate", run.path().display()))?;
    out.make()?;
    let pictures = out.pictures();
    std::fs::create_dir_all(&pictures).with_context(|| format!("{}: cannot be made", pictures.display()))?;
    let (own, schema) = (Identity::of_run(run.path())?, experiment_schema(components));
    let experiment = loaded.experiment.clone();
    let evaluated = evaluate_and_look(
        loaded,
        components,
        Weights::Checkpoint(&checkpoint),
        "test",
        interrupt,
        note,
        &|job, data, indices| {
            if let Some(own) = &own {
                let (fingerprint, _) = data.fingerprint(&FileHashes::of_user(), &Silent)?;
                let previous = own.previous.as_deref();
                let identity = Identity::new(&experiment, &schema, &fingerprint, &own.weights, previous)?;
                out.write_json(identity::FILE, &identity)?;
            }
            job.pictures(indices, out)
        },
    )?;
    let outcome = &evaluated.outcome;
    outcome.write(out)?;
    for name in TAKEN_OVER {
        copy(run, out, Path::new(name))?;
    }
    copy(run, out, &Path::new("pictures").join(mask_survey::SHEET))?;
    out.write("experiment.toml", loaded.experiment.resolved_toml()?)?;
    let key = if summary["selected"].is_null() { "last" } else { "selected" };
    let epoch = summary[key]["epoch"].as_u64().and_then(|epoch| usize::try_from(epoch).ok());
    summary["selected"] = Value::Null;
    summary["last"] = Value::Null;
    summary[key] = outcome.line("test", epoch);
    summary["split"] = json!("test");
    summary["test_images"] = json!(outcome.images());
    summary["skipped"] = json!(evaluated.skipped);
    summary[EVALUATED] = json!({ "run": run.path(), "set": set });
    // This last: where it is, the evaluation is done.
    out.write_json("summary.json", &summary)?;
    Ok(evaluated)
}

/// Copies a file that the run has.
fn copy(run: &RunFolder, out: &RunFolder, name: &Path) -> anyhow::Result<()> {
    let from = run.path().join(name);
    if !from.is_file() {
        return Ok(());
    }
    let bytes = std::fs::read(&from).with_context(|| format!("{}: cannot be read", from.display()))?;
    let to = out.path().join(name);
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    }
    mga_core::whole_file::write_all(&to, &bytes).with_context(|| format!("{}: cannot be written", to.display()))
}
