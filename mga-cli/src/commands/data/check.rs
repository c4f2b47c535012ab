//! `mga data check`: the data of an experiment looked over before numbers from it are trusted.

use std::path::PathBuf;

use anyhow::Context;
use mga_core::wording::counted;
use mga_data::check::CheckSettings;
use mga_experiment::{Components, Loaded, NetworkKind};
use mga_report::results::{DATA_CHECK, DataCheck};
use mga_train::TaskComponents;
use mga_train::data_set;
use mga_train::torn_groups::TornGroups;
use serde_json::{Value, json};

use super::looked_at::LookedAt;
use super::many;
use super::of_masks::of_masks;
use super::settings::{Setting, settings};
use crate::output;

const EXAMPLE: &str = "\
Examples:
  mga data check experiments/quickstart.toml
  mga data check experiments/stamps.toml --set data.root=stamps --json
  mga data check experiments/quickstart.toml --groups-out alike.csv
  mga data check experiments/ablations/leaves.toml --record runs/ablations/leaves

Exits with 1 if there are problems: images that cannot be read or have no label, copies and groups on both sides of a
split, classes without a training image, training images without a mask if data.masks.missing = \"error\", and test images
that the segmenter of the masks was trained on. Notes, such as near duplicates, are worth a look but may be intended.

With data.fold, every fold of every repeat of the table is looked at, and of a sweep file all data that differ among its
runs. Each image is decoded once for all of them.";

/// Arguments of `mga data check`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// The experiment file (TOML), or a sweep file.
    #[arg(value_name = "EXPERIMENT|SWEEP")]
    file: PathBuf,
    /// Set a key of the experiment, or of a sweep's base, to a TOML value, or else a string. It overrides the file and
    /// environment variables such as MGA__MODEL__ATTENTION. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Report images as near duplicates if their perceptual hashes differ in at most this many of 256 bits; 0 finds
    /// only exact copies. Mirrored, turned, scaled and brightened copies differ in few.
    #[arg(long, value_name = "BITS", default_value_t = CheckSettings::default().near_distance)]
    near: u32,
    /// Write images that look alike, in whatever parts, to this table of file and group, for
    /// `mga data split --keep-together`; it must not exist.
    #[arg(long, value_name = "CSV")]
    groups_out: Option<PathBuf>,
    /// Write the number of copies, and of near duplicates on two sides of a split, to data-check.json in the folder of a run
    /// or a sweep; the methods that `mga report` writes name it then.
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// A wrong experiment, or problems with its data.
pub(super) fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    if let Some(out) = &args.groups_out {
        anyhow::ensure!(!out.exists(), "{}: already exists; name a new file with --groups-out", out.display());
    }
    let mut settings = settings(&args.file, &args.set, components)?;
    for Setting { loaded, .. } in &settings {
        if components.task_of(&loaded.experiment)?.network() != NetworkKind::Backbone {
            anyhow::bail!(
                "`mga data check` looks over the images of classifiers; `mga check` counts what is annotated, and of an \
                 experiment that trains with the segmenter's masks `mga data check` says whether it saw test images"
            );
        }
    }
    let mut looked = LookedAt::new(args.near);
    if let Some(folder) = &args.record {
        anyhow::ensure!(
            folder.is_dir(),
            "{}: no such folder; --record names that of a run or a sweep",
            folder.display()
        );
    }
    let mut counted_alike = DataCheck { near_bits: args.near, ..DataCheck::default() };
    let (problems, text) = match settings.as_mut_slice() {
        [only] if only.folds.is_empty() => one(&only.loaded, components, &mut looked, args.json, &mut counted_alike)?,
        several => many::check(several, components, &mut looked, args.json, &mut counted_alike)?,
    };
    if let Some(folder) = &args.record {
        let path = folder.join(DATA_CHECK);
        let json = serde_json::to_string_pretty(&counted_alike)? + "\n";
        output::write_file(&path, json.as_bytes()).with_context(|| format!("{}: cannot be written", path.display()))?;
        say!("{}: written", path.display());
    }
    if let Some(out) = &args.groups_out {
        say!("{}", looked.write_groups(out)?);
    }
    output::print(text)?;
    let number = counted(problems, "problem", "problems");
    anyhow::ensure!(problems == 0, "{number} with the data, listed above");
    Ok(())
}

/// The report on the data of one experiment: the number of problems, and the text.
fn one(
    loaded: &Loaded,
    components: &Components,
    looked: &mut LookedAt,
    as_json: bool,
    counted_alike: &mut DataCheck,
) -> anyhow::Result<(usize, String)> {
    let data = data_set::open(loaded, components, TornGroups::Noted)?;
    for note in data.notes() {
        say!("note: {note}");
    }
    let all: Vec<usize> = data.splits.parts().iter().flat_map(|(_, images)| images.iter().copied()).collect();
    let report = looked.at(loaded, &data, &all)?;
    counted_alike.count(&report);
    looked.notes().for_each(|note| say!("note: {note}"));
    let added = of_masks(loaded, &data, &report)?;
    let problems: Vec<String> = report.problems().into_iter().chain(added.clone()).collect();
    let text = if as_json {
        let mut value = json!({ "problems": problems, "notes": report.notes() });
        if let (Value::Object(all), Value::Object(report)) = (&mut value, json!(report)) {
            all.extend(report);
        }
        serde_json::to_string_pretty(&value)? + "\n"
    } else {
        report.to_string() + &added.iter().map(|line| format!("\n{line}\n")).collect::<String>()
    };
    Ok((problems.len(), text))
}
