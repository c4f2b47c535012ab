//! `mga data make`: a data set written to disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use mga_core::wording::counted;
use mga_data::dataset::Dataset;
use mga_data::export::export;
use mga_data::registry::{Datasets, OpenContext, Root};
use mga_experiment::Components;
use mga_experiment::nearest;
use mga_train::data_set;
use serde_json::{Map, Value};

use crate::commands::experiment_args::ExperimentArgs;
use crate::images_bar::images_bar;
use crate::output;
use crate::status::Usage;

const EXAMPLE: &str = "\
Examples:
  mga data make --dataset leaves --out data/leaves --set cultivars=20 --set size=256
  mga data make experiments/quickstart.toml --out data/leaves --masks silhouette

The folder holds {train,val,test}/CLASS/NAME.png, and masks of the same names below masks/: data.dataset = \"image-folder\"
with data.mask_root = \"masks\" reads it.";

/// Arguments of `mga data make`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// Write the data set of this experiment file, with the splits it brings.
    #[arg(required_unless_present = "dataset", conflicts_with = "dataset")]
    experiment: Option<PathBuf>,
    /// Write this registered data set.
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// Set a setting of the data set with --dataset (`cultivars=20`, or `root=FOLDER` if it reads a folder), or any key
    /// of the experiment. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// The masks to write, one of the data set's sources, or `none`. Left out: its first source.
    #[arg(long, value_name = "SOURCE")]
    masks: Option<String>,
    /// The folder to write to: new, empty, or one in which the same command was interrupted, which is then continued.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// A data set that cannot be opened or written.
pub(super) fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let dataset = match (&args.dataset, args.experiment) {
        (Some(name), _) => open(name, &args.set, components)?,
        (None, Some(experiment)) => {
            let loaded = ExperimentArgs { experiment, set: args.set }.load(components)?;
            data_set::open_to_evaluate(&loaded, components)?.dataset
        }
        (None, None) => anyhow::bail!("name an experiment or a data set"),
    };
    for warning in dataset.warnings() {
        say!("warning: {warning}");
    }
    let masks = match args.masks.as_deref() {
        Some("none") => None,
        Some(source) => Some(source),
        None => dataset.mask_sources().first().copied(),
    };
    let bar = images_bar(dataset.len());
    let progress = |done: usize, _: usize| bar.set_position(done as u64);
    let written = export(dataset.as_ref(), masks, &args.out, &progress)?;
    bar.finish_and_clear();
    let source = masks.map_or_else(String::new, |source| format!(" (`{source}`)"));
    let (images, masks) = (counted(written.images, "image", "images"), counted(written.masks, "mask", "masks"));
    Ok(output::print(format!("{}: {images}, {masks}{source}\n", args.out.display()))?)
}

/// Opens a data set by name with `KEY=VALUE` settings of its own.
fn open(name: &str, set: &[String], components: &Components) -> anyhow::Result<Arc<dyn Dataset>> {
    let names = || components.kinds.all::<Datasets>().iter().map(|entry| entry.name.as_str());
    let Some(entry) = components.kinds.get::<Datasets>(name) else {
        let meant = nearest(name, names()).map(|meant| format!(", did you mean `{meant}`?"));
        let end = meant.unwrap_or_else(|| format!("; expected one of {}", names().collect::<Vec<_>>().join(", ")));
        return Err(misused(format!("unknown data set `{name}`{end}")));
    };
    let mut settings = Map::new();
    for setting in set {
        let Some((key, value)) = setting.split_once('=') else {
            return Err(misused(format!("--set {setting}: expected KEY=VALUE")));
        };
        settings.insert(key.trim().to_owned(), value_of(value)?);
    }
    let root = match settings.shift_remove("root") {
        Some(Value::String(root)) => Some(Path::new(&root).to_path_buf()),
        Some(other) => Some(PathBuf::from(other.to_string())),
        None if entry.item.root() == Root::Required => {
            return Err(misused(format!("data set `{name}` reads a folder; name it with --set root=FOLDER")));
        }
        None => None,
    };
    let context = OpenContext { root, hub: Some(components.hub.clone()), ..OpenContext::default() };
    Ok(entry.item.open(&Value::Object(settings), &context)?)
}

/// TOML's values, else a string, as `--set` means everywhere.
fn value_of(text: &str) -> anyhow::Result<Value> {
    let parsed = toml::from_str::<toml::Table>(&format!("value = {text}")).ok();
    match parsed.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value")) {
        Some(toml::Value::Datetime(_)) | None => Ok(Value::String(text.to_owned())),
        // JSON has no such numbers, and would take them for a setting left out.
        Some(toml::Value::Float(number)) if !number.is_finite() => {
            Err(misused(format!("--set: `{text}` is not a finite number")))
        }
        Some(value) => Ok(serde_json::to_value(value)?),
    }
}

fn misused(message: String) -> anyhow::Error {
    Usage(clap::Error::raw(clap::error::ErrorKind::ValueValidation, message + "\n")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_tomls_or_strings() {
        let texts = ["20", "0.5", "true", "[1, 2]", "\"a\"", "leaves/x", "1\nb = 2", "2020-01-01"];
        let values: Vec<Value> = texts.iter().map(|text| value_of(text).unwrap()).collect();
        let expected = serde_json::json!([20, 0.5, true, [1, 2], "a", "leaves/x", "1\nb = 2", "2020-01-01"]);
        assert_eq!(Value::Array(values), expected);
        for text in ["nan", "-inf"] {
            let message = value_of(text).unwrap_err().to_string();
            assert!(message.contains("is not a finite number"), "{message}");
        }
    }
}
