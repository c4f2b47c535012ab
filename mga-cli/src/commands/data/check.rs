//! `mga data check`: the data of an experiment looked over before numbers from it are trusted.

use std::collections::BTreeSet;

use mga_core::wording::counted;
use mga_data::check::{CheckSettings, DataReport, inspect, nearly_black};
use mga_data::content_hash::content_hash;
use mga_experiment::{Components, Experiment, Loaded, MissingMask, NetworkKind};
use mga_train::TaskComponents;
use mga_train::data_set::{self, OpenData};
use mga_train::segmenting::training_images;
use mga_train::torn_groups::TornGroups;
use serde_json::{Value, json};

use crate::commands::experiment_args::ExperimentArgs;
use crate::images_bar::images_bar;
use crate::output;

const EXAMPLE: &str = "\
Example:
  mga data check experiments/quickstart.toml
  mga data check experiments/stamps.toml --set data.root=stamps --json

Exits with 1 if there are problems: images that cannot be read or have no label, copies and groups on both sides of a
split, classes without a training image, training images without a mask if data.masks.missing = \"error\", and test images
that the segmenter of the masks was trained on. Notes, such as near duplicates, are worth a look but may be intended.";

/// Arguments of `mga data check`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    #[command(flatten)]
    experiment: ExperimentArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Report images as near duplicates if their perceptual hashes differ in at most this many of 256 bits; 0 finds
    /// only exact copies.
    #[arg(long, value_name = "BITS", default_value_t = CheckSettings::default().near_distance)]
    near: u32,
}

/// Runs the command.
///
/// # Errors
/// A wrong experiment, or problems with its data.
pub(super) fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let loaded = args.experiment.load(components)?;
    if components.task_of(&loaded.experiment)?.network() != NetworkKind::Backbone {
        anyhow::bail!(
            "`mga data check` looks over the images of classifiers; `mga check` counts what is annotated, and of an \
             experiment that trains with the segmenter's masks `mga data check` says whether it saw test images"
        );
    }
    let data = data_set::open(&loaded, components, TornGroups::Noted)?;
    for note in data.notes() {
        say!("note: {note}");
    }
    let settings = CheckSettings { near_distance: args.near, threads: loaded.experiment.data.workers };
    let bar = images_bar(data.splits.parts().iter().map(|(_, images)| images.len()).sum());
    let (records, classes) = (data.dataset.records(), data.dataset.classes());
    let progress = |done: usize| bar.set_position(done as u64);
    let mut report = inspect(data.eval_source().as_ref(), records, classes, &data.splits, &settings, &progress)?;
    bar.finish_and_clear();
    let all: Vec<usize> = data.splits.parts().iter().flat_map(|(_, images)| images.iter().copied()).collect();
    report.masks.files = Some(data.masks.survey(&all)).filter(|survey| survey.of > 0);
    for note in data.masks.dataset().mask_notes() {
        say!("note: {note}");
    }
    if loaded.experiment.data.white_point.is_none() {
        // What cannot be read is in the report.
        if let Ok(Some(note)) = nearly_black(data.dataset.as_ref(), &all) {
            say!("note: {note}");
        }
    }
    let unmasked = unmasked(&loaded, &data, &report);
    let seen = seen_by_the_segmenter(&loaded.experiment, &data)?;
    let added: Vec<String> = unmasked.into_iter().chain(seen).collect();
    let problems: Vec<String> = report.problems().into_iter().chain(added.clone()).collect();
    if args.json {
        let mut value = json!({ "problems": problems, "notes": report.notes() });
        if let (Value::Object(all), Value::Object(report)) = (&mut value, json!(report)) {
            all.extend(report);
        }
        output::print(serde_json::to_string_pretty(&value)? + "\n")?;
    } else {
        let added: String = added.iter().map(|line| format!("\n{line}\n")).collect();
        output::print(report.to_string() + &added)?;
    }
    let number = counted(problems.len(), "problem", "problems");
    anyhow::ensure!(problems.is_empty(), "{number} with the data, listed above");
    Ok(())
}

/// Training would stop at these images, though each could be meant.
fn unmasked(loaded: &Loaded, data: &OpenData, report: &DataReport) -> Option<String> {
    let experiment = &loaded.experiment;
    let wanted = experiment.model.mask_guidance || experiment.model.needs_masks(&loaded.kinds);
    if !wanted || experiment.data.masks.settings.missing != MissingMask::Error {
        return None;
    }
    let without: BTreeSet<&str> = report.masks.missing.iter().map(String::as_str).collect();
    let source = data.train_source();
    // A blank mask that `empty = "skip"` leaves out looks missing in the report, but training takes it.
    let stops = |index: &&usize| without.contains(source.id(**index)) && source.load(**index).is_err();
    let mut images = data.splits.train.iter().filter(stops);
    let first = images.next()?;
    let looked =
        data.masks.made_from().map_or_else(String::new, |from| data.masks.dataset().missing_mask(*first, from));
    let looked = if looked.is_empty() { looked } else { format!(" ({looked})") };
    Some(format!(
        "{} without a mask, which data.masks.missing = \"error\" refuses (\"no-loss\" trains on them without one); the \
         first: {}{looked}",
        counted(1 + images.count(), "training image", "training images"),
        source.id(*first)
    ))
}

/// Test images that the segmenter behind the masks was trained on: their masks are better than a new image's would be.
fn seen_by_the_segmenter(experiment: &Experiment, data: &OpenData) -> anyhow::Result<Option<String>> {
    let Some(trained) = training_images(experiment)?.filter(|trained| !trained.images.is_empty()) else {
        return Ok(None);
    };
    let mut seen = vec![];
    for &index in &data.splits.test {
        // What cannot be read is a problem of its own.
        let Ok(picture) = data.dataset.image(index) else { continue };
        if let (Some(_), Some(record)) =
            (trained.images.get(&content_hash(&picture)), data.dataset.records().get(index))
        {
            seen.push(record.id.as_str());
        }
    }
    let first = seen.first().map(|first| {
        format!(
            "{} among the {} that the segmenter of the masks was trained on ({}); the first: {first}",
            counted(seen.len(), "test image", "test images"),
            counted(trained.images.len(), "image", "images"),
            trained.run.display()
        )
    });
    Ok(first)
}
