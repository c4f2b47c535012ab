//! `mga weights export`: a run as a folder for the hub.

use std::path::{Path, PathBuf};

use anyhow::Context;
use mga_core::whole_file;
use mga_core::wording::counted;
use mga_experiment::{Components, Experiment, Loaded, MODEL, experiment_schema};
use mga_models::MgaModel;
use mga_models::weights::{
    AttentionDescription, ComponentSettings, ModelDescription, Preprocessing, model_py, rename_back, save_file,
};
use mga_report::results::{Cell, Record};
use mga_train::assemble::normalisation_wide;
use mga_train::identity::experiment_hash;
use mga_train::loaders;
use mga_train::network_input::needs_no_masks;
use mga_train::run_folder::RunFolder;
use serde_json::{Value, json};

use super::model_card::model_card;
use crate::commands::model_args::ModelArgs;
use crate::output::{print, write_file};

const EXAMPLE: &str = "\
Example:
  mga weights export runs/first leaves-densenet161

The folder holds model.safetensors (with the network, its classes and its preprocessing in the metadata), config.json,
README.md with the numbers of the run, and model.py, which rebuilds the network in PyTorch. Upload it as it is;
`mga predict --weights` and `mga explain --weights` take the folder, `mga predict` also OWNER/NAME from the hub, and
`mga eval FOLDER --data PHOTOS` scores it on photographs in a folder for each class.";

/// Arguments of `mga weights export`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// The folder of a finished run.
    run: PathBuf,
    /// The folder to write, new or empty.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// A run that is not finished; a folder that holds something or cannot be written.
pub(super) fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let run = RunFolder::at(&args.run);
    let summary = std::fs::read_to_string(run.summary()).with_context(|| {
        format!(
            "{0}: no finished run (there is no summary.json); `mga train --resume {0}` finishes one",
            args.run.display()
        )
    })?;
    let summary: Value = serde_json::from_str(&summary).with_context(|| format!("{}", run.summary().display()))?;
    anyhow::ensure!(
        !args.folder.exists() || std::fs::read_dir(&args.folder).is_ok_and(|mut entries| entries.next().is_none()),
        "{}: already exists, and is not an empty folder",
        args.folder.display()
    );
    let model_args = ModelArgs::of_run(&args.run);
    let loaded = model_args.load(components, true)?;
    let classes = model_args.classes(&loaded, components)?;
    let model = model_args.model(&loaded, components, &classes)?;
    needs_no_masks(&model, "an exported model is shown images alone")?;
    let description = describe(&loaded, &model, classes, components)?;

    // Written beside it and renamed: the folder is whole or not there.
    let parent = args.folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    let unwritten = || format!("cannot write {}", args.folder.display());
    let cell = Record::read(&args.run).map(|record| record.cell);
    let said = Said { summary: &summary, cell: cell.as_ref() };
    whole_file::write_folder(&args.folder, |folder| write(folder, &loaded, &model, &description, said, components))
        .with_context(unwritten)?;
    remove_leftovers(parent);
    Ok(print(format!(
        "{}: {} with attention \"{}\", {}\n",
        args.folder.display(),
        description.backbone,
        description.attention.kind,
        counted(description.classes.len(), "class", "classes")
    ))?)
}

/// What the run says of its network.
fn describe(
    loaded: &Loaded,
    model: &MgaModel,
    classes: Vec<String>,
    components: &Components,
) -> anyhow::Result<ModelDescription> {
    let experiment = &loaded.experiment;
    let (mean, std) = normalisation_wide(experiment);
    let own = &experiment.model;
    Ok(ModelDescription {
        backbone: experiment.model.backbone.clone(),
        attention: AttentionDescription {
            kind: own.attention.name.clone(),
            residual_weights: residual_weights(experiment, components),
            map: model.has_attention(),
        },
        settings: ComponentSettings {
            backbone: own.settings.clone(),
            attention: own.attention.settings.clone(),
            head: own.head.clone(),
        },
        classes,
        preprocessing: Preprocessing {
            mean,
            std,
            transforms: experiment.data.eval.transforms.clone(),
            background: experiment.data.settings.get("background").cloned(),
            background_seed: experiment.data.settings.get("background_seed").and_then(Value::as_u64),
            resize_rounding: experiment.data.resize_rounding.map(serde_json::to_value).transpose()?,
            white_point: experiment.data.white_point,
        },
        experiment: experiment_hash(experiment, &experiment_schema(components))?,
    })
}

/// The weights of the sum: the attention's own, or else the model's.
fn residual_weights(experiment: &Experiment, components: &Components) -> [f64; 2] {
    let attention = &experiment.model.attention;
    let weighs = components.networks().attention(&attention.name).is_some_and(|known| known.uses_residual_weights());
    let own = attention.settings.get("weights").filter(|_| weighs);
    let own = own.and_then(|weights| serde_json::from_value(weights.clone()).ok());
    own.unwrap_or(experiment.model.residual_weights)
}

/// What the run's folder says of it.
#[derive(Clone, Copy)]
struct Said<'a> {
    summary: &'a Value,
    cell: Option<&'a Cell>,
}

fn write(
    folder: &Path,
    loaded: &Loaded,
    model: &MgaModel,
    description: &ModelDescription,
    Said { summary, cell }: Said<'_>,
    components: &Components,
) -> anyhow::Result<()> {
    let renames = components.networks().renames(&description.backbone);
    // torchvision's name of the classifier where ours is another: `fc`.
    let named = |name: String| rename_back(&name, &renames, |from| from == "fc");
    let tensors: Vec<_> = model.store().tensors().into_iter().map(|(name, tensor)| (named(name), tensor)).collect();
    save_file(&tensors, description.to_metadata()?, &folder.join(MODEL))?;
    let size = loaders::pipeline(loaded, "data.eval.transforms", &description.preprocessing.transforms)?.output_size();
    let timm = components.networks().timm_name(&description.backbone);
    let config = config(description, timm, model, size);
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        write_file(&path, text.as_bytes()).with_context(|| format!("{}: cannot be written", path.display()))
    };
    write("config.json", &(serde_json::to_string_pretty(&config)? + "\n"))?;
    let networks = components.networks();
    let program = model_py(description, networks);
    write("README.md", &model_card(loaded, (description, timm), summary, cell, program.is_some()))?;
    if let Some(program) = program {
        write("model.py", &program)?;
    }
    Ok(())
}

/// timm's fields, and `mga` with what timm has no field for.
fn config(description: &ModelDescription, timm: &str, model: &MgaModel, size: Option<(usize, usize)>) -> Value {
    let Preprocessing { mean, std, transforms, .. } = &description.preprocessing;
    let backbone = model.backbone();
    let features = backbone.stages().get(backbone.last().0).map_or(0, |stage| stage.channels);
    let interpolation = transforms.iter().rev().find_map(|transform| transform.get("interpolation"));
    let (height, width) = size.unwrap_or((224, 224));
    let mut config = json!({
        "architecture": timm,
        "num_classes": description.classes.len(),
        "num_features": features,
        "label_names": description.classes,
        "pretrained_cfg": {
            "tag": "mga",
            "input_size": [3, height, width],
            "fixed_input_size": false,
            "interpolation": interpolation.cloned().unwrap_or_else(|| json!("bilinear")),
            "crop_pct": 1.0,
            "mean": mean,
            "std": std,
            "num_classes": description.classes.len(),
        },
        "mga": {
            "backbone": description.backbone,
            "attention": description.attention,
            "preprocessing": description.preprocessing,
            "experiment": description.experiment,
        },
    });
    if description.settings != ComponentSettings::default() {
        config["mga"]["settings"] = json!(description.settings);
    }
    config
}

/// Removes what killed exports of version 0.1.0 left beside their folders. Theirs is what has such a name, and nothing in it
/// but what an export writes.
fn remove_leftovers(parent: &Path) {
    const FILES: [&str; 4] = [MODEL, "config.json", "README.md", "model.py"];
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let random = name.strip_prefix(".export-").unwrap_or_default();
        if random.len() != 6 || !random.chars().all(|c| c.is_ascii_alphanumeric()) {
            continue;
        }
        let ours = |name: &str| FILES.contains(&name) || name.starts_with(whole_file::TEMPORARY);
        let files: Vec<_> = std::fs::read_dir(entry.path()).into_iter().flatten().flatten().collect();
        if files.iter().all(|file| ours(&file.file_name().to_string_lossy())) {
            // Where it cannot be removed it does no harm.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
