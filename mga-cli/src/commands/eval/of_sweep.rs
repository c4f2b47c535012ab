//! All runs of a sweep evaluated with other settings, as a folder that `mga report` reads.

use std::path::Path;

use anyhow::Context;
use mga_core::wording::counted;
use mga_experiment::Components;
use mga_report::results;
use mga_train::assemble;
use mga_train::interrupt::{Interrupt, Interrupted};
use mga_train::run_folder::RunFolder;
use mga_train::runners::evaluated_run::{EVALUATED, evaluate_run};
use serde_json::{Value, json};

use super::args::Args;
use crate::commands::train::load_run;

/// Whether the folder is a sweep's, and no run's.
pub(super) fn is_sweep(path: &Path) -> bool {
    path.join("runs").is_dir() && !RunFolder::at(path).experiment().is_file()
}

/// Evaluates every finished run.
///
/// # Errors
/// Arguments that a sweep does not take; no finished run; a folder that holds other evaluations or cannot be written to.
pub(super) fn run(args: &Args, components: &Components, interrupt: &Interrupt) -> anyhow::Result<()> {
    let sweep = args.run.display();
    anyhow::ensure!(
        args.weights.is_none() && args.split == "test" && !args.logits,
        "{sweep} is a sweep: every run is evaluated with its own weights on its test images; leave out --weights, --split \
         and --logits, or name one run below {sweep}/runs"
    );
    let out = args.out.as_deref().with_context(|| {
        format!("{sweep} is a sweep: name a folder for its evaluations with --out, which `mga report` reads then")
    })?;
    anyhow::ensure!(
        !args.set.is_empty(),
        "{sweep} is a sweep: with its own settings it was evaluated at the end of each run, which `mga report {sweep}` \
         shows; name the settings to change with --set, such as --set data.background=clutter"
    );
    let own = |path: &Path| std::fs::canonicalize(path).ok();
    anyhow::ensure!(
        own(out).is_none() || own(out) != own(&args.run),
        "{sweep}: --out is the sweep itself; name another folder"
    );
    let found = results::read(&[&args.run])?;
    let (finished, others): (Vec<_>, Vec<_>) = found.records.iter().partition(|record| record.is_finished());
    for record in others {
        say!("note: {}: left out, it is {}", record.key, record.state.word());
    }
    anyhow::ensure!(!finished.is_empty(), "{sweep}: none of its runs is finished");
    let title = format!("{}, evaluated with {}", found.name, args.set.join(", "));
    for (number, record) in finished.iter().enumerate() {
        if interrupt.is_raised() {
            let done = format!("interrupted after {} of {} runs; the same command goes on", number, finished.len());
            return Err(Interrupted(done).into());
        }
        let place = RunFolder::at(out.join("runs").join(&record.key));
        let progress = format!("[{:>2}/{}] {}", number + 1, finished.len(), record.key);
        if done_already(&place, &args.set)? {
            say!("{progress}: evaluated already");
            continue;
        }
        let mut loaded = load_run(&record.folder, &args.set, components)?;
        assemble::use_threads(loaded.experiment.threads);
        let source = RunFolder::at(&record.folder);
        let evaluated =
            evaluate_run(&source, &mut loaded, &args.set, components, &place, interrupt, &|line| say!("{line}"))
                .with_context(|| record.key.clone())?;
        place.write_json("cell.json", &cell(&record.folder, &title)?)?;
        for skipped in &evaluated.skipped {
            say!("skipped: {skipped}");
        }
        say!("{progress}: {}", evaluated.outcome.lines().trim().lines().next().unwrap_or("evaluated"));
    }
    say!("evaluated: {}; see them with: mga report {}", counted(finished.len(), "run", "runs"), out.display());
    Ok(())
}

/// Whether this run was evaluated with these settings before.
///
/// # Errors
/// It was evaluated with other ones.
fn done_already(place: &RunFolder, set: &[String]) -> anyhow::Result<bool> {
    let (summary, cell) = (place.summary(), place.path().join("cell.json"));
    if !summary.is_file() {
        anyhow::ensure!(
            !place.experiment().is_file() || place.path().join("identity.json").is_file(),
            "{}: holds something else than an evaluation; name another --out",
            place.path().display()
        );
        return Ok(false);
    }
    let text = std::fs::read_to_string(&summary).with_context(|| format!("{}: cannot be read", summary.display()))?;
    let read: Value = serde_json::from_str(&text).with_context(|| format!("{}: not JSON", summary.display()))?;
    anyhow::ensure!(
        read[EVALUATED]["set"] == json!(set),
        "{}: holds a run, or an evaluation with other settings; name another --out",
        place.path().display()
    );
    Ok(cell.is_file())
}

/// The cell that the run fills, under the name of this evaluation.
fn cell(run: &Path, title: &str) -> anyhow::Result<Value> {
    let path = run.join("cell.json");
    let mut cell = match path.is_file() {
        false => json!({}),
        true => {
            let text = std::fs::read_to_string(&path).with_context(|| format!("{}: cannot be read", path.display()))?;
            serde_json::from_str(&text).with_context(|| format!("{}: not JSON", path.display()))?
        }
    };
    cell["sweep"] = json!(title);
    Ok(cell)
}
