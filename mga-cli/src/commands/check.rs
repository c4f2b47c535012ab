//! `mga check`: everything that can be said of an experiment before it trains.

use mga_core::parameter::Kind;
use mga_core::tape::Tape;
use mga_data::decode;
use mga_data::transforms::Rounding;
use mga_models::MgaModel;

use super::experiment_args::ExperimentArgs;
use crate::assemble;
use crate::components::Components;
use crate::data_set::{self, OpenData, TornGroups};
use crate::experiment::{Loaded, Task, UpdateRule};
use crate::interrupt::Interrupt;
use crate::loaders;
use crate::mask_files;
use crate::mask_survey;
use crate::network_input::network_input;
use crate::output::print;
use crate::rehearsal;
use crate::runners::class_weights::class_weights;
use crate::runners::segmentation_run;
use crate::weights_source::WeightsFile;

/// Images whose size is looked at, spread over the training images.
const SAMPLED: usize = 200;
/// A crop that sees less than this share of a picture draws a warning.
const SMALL_VIEW: f64 = 0.25;

/// Resolve an experiment, check it and its data, and say what will train.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mga check experiments/quickstart.toml --set model.backbone=resnet18")]
pub struct Args {
    #[command(flatten)]
    experiment: ExperimentArgs,
    /// Print the resolved experiment too.
    #[arg(long)]
    resolved: bool,
}

/// Checks.
///
/// # Errors
/// What is wrong with the experiment, its data or its weights.
pub fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let mut loaded = args.experiment.load(components)?;
    assemble::use_threads(loaded.experiment.threads);
    if loaded.experiment.task == Task::Segmentation {
        let text = segmentation_run::check(&mut loaded, components)?;
        let resolved = if args.resolved { loaded.experiment.resolved_toml()? + "\n" } else { String::new() };
        return Ok(print(resolved + &text)?);
    }
    assemble::settle_mask_weights(&mut loaded, components)?;
    let device = assemble::device(&loaded)?;
    let data = data_set::open(&loaded, components, TornGroups::Refused)?;
    let looked = mask_files::look(&loaded, &data, usize::MAX)?;
    let classes = data.dataset.classes();
    let weights_of_classes = class_weights(&loaded, classes, || Ok(data.training_counts()))?;
    let model = assemble::fresh_model(&loaded, components, classes.len(), &device)?;
    let own = loaded.experiment.data.mean.is_some();
    let found = assemble::settle_weights(&mut loaded, components)?;
    let weights = found.as_ref().map(|found| assemble::load_weights(&loaded, components, &model, found)).transpose()?;
    rehearsal::classifier(&loaded, components, &data, &model)?;
    let mut text = String::new();
    if args.resolved {
        text += &loaded.experiment.resolved_toml()?;
        text.push('\n');
    }
    data.notes().iter().chain(&looked.notes).for_each(|note| text += &format!("note: {note}\n"));
    text += &format!("device: {}, {} threads\n", assemble::device_name(&device), rayon::current_num_threads());
    text += &format!("weights: {}\n", weights.as_deref().unwrap_or("none, drawn from the seed"));
    text += &preprocessing_line(&loaded, own, found.as_ref());
    text += &data_lines(&loaded, &data)?;
    text += &class_weights_line(classes, weights_of_classes.as_deref());
    looked.kinds.iter().for_each(|kind| text += &format!("mask files: {kind}\n"));
    if let Some((survey, _)) = mask_survey::survey(&loaded, &data, &Interrupt::default())? {
        survey.lines().iter().for_each(|line| text += &format!("{line}\n"));
    }
    text += &model_table(&loaded, &model);
    text += &freezing_line(&loaded);
    text += &format!("memory, a rough estimate: {}\n", memory(&loaded, &data, &model)?);
    Ok(print(text)?)
}

/// What stays frozen though the experiment does not say so.
fn freezing_line(loaded: &Loaded) -> String {
    let model = &loaded.experiment.model;
    if model.freeze_through == "none" || loaded.is_set("model.freeze_through") {
        return String::new();
    }
    format!(
        "frozen through {}, as {} is where it starts from weights and model.freeze_through is left out (\"none\" trains \
         everything)\n",
        model.freeze_through, model.backbone
    )
}

/// How images are normalised, and who says so. `own`: the experiment did, before weights were settled.
pub(crate) fn preprocessing_line(loaded: &Loaded, own: bool, weights: Option<&WeightsFile>) -> String {
    let (mean, std) = assemble::normalisation(&loaded.experiment);
    let rounding = match loaded.experiment.data.resize_rounding {
        Some(Rounding::EightBit) => ", resized in 8 bits as PIL does",
        Some(Rounding::None) | None => "",
    };
    let theirs = weights.and_then(|weights| weights.preprocessing.as_ref());
    let from = match theirs {
        _ if own => "the experiment's own (data.mean, data.std)".to_owned(),
        Some(theirs) if theirs.trained_at.is_empty() => format!("from {}", theirs.from),
        Some(theirs) => format!("from {} (trained at {})", theirs.from, theirs.trained_at),
        None => "ImageNet's, since nothing says otherwise".to_owned(),
    };
    format!("preprocessing: mean {mean:?}, std {std:?}, {from}{rounding}\n")
}

/// What the classes weigh in the loss, where they do not weigh the same.
pub(crate) fn class_weights_line(classes: &[String], weights: Option<&[f64]>) -> String {
    let Some(weights) = weights else { return String::new() };
    let named = classes.iter().zip(weights).map(|(class, weight)| format!("{class} {}", rounded(*weight)));
    format!("class weights in the loss: {}\n", named.collect::<Vec<_>>().join(", "))
}

/// With four digits at most behind the point.
fn rounded(weight: f64) -> f64 {
    (weight * 1e4).round() / 1e4
}

fn data_lines(loaded: &Loaded, data: &OpenData) -> anyhow::Result<String> {
    let splits = &data.splits;
    let mut text = format!(
        "data: {}, {} classes; {} training, {} validation, {} test images; masks: {}\n",
        loaded.experiment.data.dataset,
        data.dataset.classes().len(),
        splits.train.len(),
        splits.validation.len(),
        splits.test.len(),
        data.masks.source()
    );
    let pipeline = loaders::pipeline(loaded, "data.train.transforms", &loaded.experiment.data.train.transforms)?;
    let sizes = sizes(data)?;
    let mut sides: Vec<(usize, usize)> = sizes.clone();
    sides.sort_by_key(|(w, h)| w * h);
    if let (Some(least), Some(most)) = (sides.first(), sides.last()) {
        let middle = sides[sides.len() / 2];
        text += &format!(
            "image sizes ({} looked at): {} x {} to {} x {}, median {} x {}\n",
            sides.len(),
            least.0,
            least.1,
            most.0,
            most.1,
            middle.0,
            middle.1
        );
    }
    let views: Vec<f64> = sizes.iter().map(|&(w, h)| pipeline.smallest_view(h, w)).collect();
    let small = views.iter().filter(|&&view| view < SMALL_VIEW).count();
    if small > 0 {
        let least = views.iter().copied().fold(1.0, f64::min);
        text += &format!(
            "warning: data.train.transforms: the crop sees under a quarter of {small} of {} images (of one only {:.0} %); \
             resize first, or crop larger\n",
            views.len(),
            100.0 * least
        );
    }
    Ok(text)
}

/// Width and height of some training images: from the file's header where there is a file, else by making the image.
fn sizes(data: &OpenData) -> anyhow::Result<Vec<(usize, usize)>> {
    let train = &data.splits.train;
    let step = train.len().div_ceil(SAMPLED).max(1);
    let size = |&index: &usize| -> anyhow::Result<(usize, usize)> {
        match &data.dataset.records()[index].path {
            Some(path) => Ok(decode::size(path)?),
            None => {
                let picture = data.dataset.image(index)?;
                Ok((picture.width(), picture.height()))
            }
        }
    };
    // Where images have no file they are all of one kind, and costly to make.
    let few = train.first().is_some_and(|&index| data.dataset.records()[index].path.is_none());
    train.iter().step_by(step).take(if few { 4 } else { SAMPLED }).map(size).collect()
}

fn model_table(loaded: &Loaded, model: &MgaModel) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["stage", "parameters", "trains", "batch norms: on the batch", "on running statistics"]);
    let rows = model.summary();
    for row in rows.iter().filter(|row| row.parameters > 0) {
        table.add_row([
            row.name.clone(),
            row.parameters.to_string(),
            if row.frozen { "frozen".into() } else { "yes".to_owned() },
            row.norms_on_batch.to_string(),
            row.norms_on_running.to_string(),
        ]);
    }
    let total: usize = rows.iter().map(|row| row.parameters).sum();
    let trained: usize = rows.iter().filter(|row| !row.frozen).map(|row| row.parameters).sum();
    let model = &loaded.experiment.model;
    format!("model: {}, {total} parameters, {trained} of them trained\n{table}\n", model.backbone)
}

/// Weights, gradients and optimiser state are counted; activations are those of a forward pass over two images, scaled to
/// the batch.
fn memory(loaded: &Loaded, data: &OpenData, model: &MgaModel) -> anyhow::Result<String> {
    let weights = |trained: bool| -> usize {
        let entries =
            model.store().entries().iter().filter(|e| e.kind() == Kind::Weight && (!trained || e.is_trained()));
        entries.map(|entry| entry.tensor().elem_count() * 4).sum()
    };
    let optimiser = match loaded.experiment.optimiser.rule {
        UpdateRule::Sgd(_) => 1,
        UpdateRule::Adamw(_) => 2,
    };
    let fixed = weights(false) + weights(true) * (1 + optimiser);
    let Some(batch) = loaders::training(loaded, data)?.epoch(0, 0).next().transpose()? else {
        anyhow::bail!("there is no training batch: fewer images than data.batch_size, with data.drop_last");
    };
    let probe = batch.len().min(2);
    let mut tape = Tape::train(0, 0);
    let images = tape.constant(&network_input(model, &batch)?.narrow(0, 0, probe)?)?;
    model.forward(&mut tape, images)?;
    let activations = tape.recorded_bytes() / probe * loaded.experiment.data.batch_size;
    let mib = |bytes: usize| bytes.div_ceil(1 << 20);
    Ok(format!(
        "{} MiB for weights, gradients and optimiser, {} MiB for the activations of {} images of {} x {}",
        mib(fixed),
        mib(activations),
        loaded.experiment.data.batch_size,
        batch.images.dim(3)?,
        batch.images.dim(2)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Overrides, load};

    /// An experiment on inception_v3 with these lines more in `[model]`.
    fn loaded(model: &str) -> Loaded {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.toml");
        let text = format!(
            "[data]\ndataset = \"leaves\"\n[model]\nbackbone = \"inception_v3\"\n{model}\n[eval]\nselect_on = \"last\"\n"
        );
        std::fs::write(&file, text).unwrap();
        load(&file, &Overrides::default(), &Components::builtin()).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn inception_is_frozen_as_its_authors_do_where_it_starts_from_weights() {
        let named = loaded("weights = \"imagenet\"");
        assert_eq!(named.experiment.model.freeze_through, "Mixed_6c");
        assert!(named.experiment.resolved_toml().unwrap().contains("freeze_through = \"Mixed_6c\""));
        assert!(freezing_line(&named).contains("through Mixed_6c"), "{}", freezing_line(&named));
        for said in ["weights = \"imagenet\"\nfreeze_through = \"none\"", "weights = \"none\"", ""] {
            let loaded = loaded(said);
            assert_eq!(
                (loaded.experiment.model.freeze_through.as_str(), freezing_line(&loaded)),
                ("none", String::new())
            );
        }
        let own = loaded("weights = \"imagenet\"\nfreeze_through = \"Mixed_5d\"");
        assert_eq!((own.experiment.model.freeze_through.as_str(), freezing_line(&own)), ("Mixed_5d", String::new()));
    }
}
