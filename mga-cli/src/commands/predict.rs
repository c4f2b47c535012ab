//! `mga predict`: classes of images that nobody labelled.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use serde_json::json;

use super::model_args::ModelArgs;
use crate::components::Components;
use crate::image_files::ImageFiles;
use crate::interrupt::Interrupt;
use crate::pictures::{FileNames, save_png};
use crate::prediction::{Prediction, predict};
use crate::status::Interrupted;
use crate::{assemble, loaders, output};

const EXAMPLE: &str = "\
Examples:
  mga predict photos/ --weights runs/first --out predictions.csv --overlays overlays/
  mga predict leaf.jpg --weights model.safetensors --experiment experiments/mga/soybean_2_1.toml --json";

/// Arguments of `mga predict`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    /// Images, and folders of images at any depth.
    #[arg(required = true)]
    images: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// Write to this file, and not to standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// JSON in place of CSV.
    #[arg(long)]
    json: bool,
    /// How many of the most probable classes to give.
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    /// A folder for pictures of the images with the attention over them.
    #[arg(long, value_name = "DIR")]
    overlays: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// A wrong experiment, weights that do not fit, images that cannot be read (unless `data.on_error = "skip"`).
pub fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let interrupt = Interrupt::listen()?;
    let loaded = args.model.load(components, true)?;
    let files = ImageFiles::find(&args.images, &loaded.experiment.data)?;
    files.notes.iter().for_each(|note| eprintln!("note: {note}"));
    let classes = args.model.classes(&loaded, components)?;
    let model = args.model.model(&loaded, components, classes.len())?;
    if let Some(folder) = &args.overlays {
        anyhow::ensure!(model.has_attention(), "this model has no attention map, so there are no overlays");
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let indices = (0..files.len()).collect();
    let loader = loaders::one_by_one(&loaded, Arc::new(files), indices)?;
    let normalisation = assemble::normalisation(&loaded.experiment);
    let (mut rows, mut names) = (Vec::new(), FileNames::default());
    for batch in loader.epoch(0, 0) {
        if interrupt.is_raised() {
            return Err(Interrupted("interrupted while predicting; nothing was written but overlays".to_owned()).into());
        }
        for prediction in predict(&model, &batch?, normalisation)? {
            if let (Some(folder), Some(overlay)) = (&args.overlays, prediction.overlay()) {
                let path = folder.join(names.name(&prediction.id));
                save_png(&overlay, &path).with_context(|| format!("cannot write {}", path.display()))?;
            }
            rows.push(Row::of(&prediction, &classes, usize::from(args.top)));
        }
    }
    for skipped in loader.skipped() {
        eprintln!("skipped: {skipped}");
    }
    let text = if args.json { as_json(&rows)? } else { as_csv(&rows, usize::from(args.top).min(classes.len()))? };
    match &args.out {
        None => Ok(output::print(text)?),
        Some(path) => {
            output::write_file(path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
        }
    }
}

/// What is said of one image: the most probable classes, first first.
struct Row {
    path: String,
    top: Vec<(String, f64)>,
}

impl Row {
    fn of(prediction: &Prediction, classes: &[String], top: usize) -> Self {
        let named = |&(class, probability): &(usize, f64)| {
            (classes.get(class).cloned().unwrap_or_else(|| class.to_string()), probability)
        };
        Self { path: prediction.id.clone(), top: prediction.ranking.iter().take(top).map(named).collect() }
    }
}

/// `path,predicted,confidence,predicted_2,confidence_2,...`
fn as_csv(rows: &[Row], top: usize) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(vec![]);
    let mut header = vec!["path".to_owned(), "predicted".to_owned(), "confidence".to_owned()];
    header.extend((2..=top).flat_map(|place| [format!("predicted_{place}"), format!("confidence_{place}")]));
    writer.write_record(&header)?;
    for row in rows {
        let said = row.top.iter().flat_map(|(class, probability)| [class.clone(), format!("{probability:.6}")]);
        writer.write_record(std::iter::once(row.path.clone()).chain(said))?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

fn as_json(rows: &[Row]) -> anyhow::Result<String> {
    let row = |row: &Row| {
        let top: Vec<_> = row.top.iter().map(|(class, p)| json!({ "class": class, "probability": p })).collect();
        let first = row.top.first();
        json!({
            "path": row.path,
            "predicted": first.map(|(class, _)| class),
            "confidence": first.map(|(_, probability)| probability),
            "top": top,
        })
    };
    Ok(serde_json::to_string_pretty(&rows.iter().map(row).collect::<Vec<_>>())? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_written_as_csv_and_json() {
        let top = vec![("a, b".to_owned(), 0.75), ("c".to_owned(), 0.25)];
        let rows = [Row { path: "x.png".to_owned(), top }];
        let csv = "path,predicted,confidence,predicted_2,confidence_2\nx.png,\"a, b\",0.750000,c,0.250000\n";
        assert_eq!(as_csv(&rows, 2).unwrap(), csv);
        let json: serde_json::Value = serde_json::from_str(&as_json(&rows).unwrap()).unwrap();
        assert_eq!((&json[0]["predicted"], &json[0]["top"][1]["probability"]), (&"a, b".into(), &0.25.into()));
    }
}
