//! `mga predict`: classes of images that nobody labelled.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use candle_core::{Device, Tensor};
use mga_experiment::{Components, Loaded, OnError};
use mga_models::{MgaModel, weights};
use mga_train::assemble;
use mga_train::csv_file::CsvFile;
use mga_train::described_model::DescribedModel;
use mga_train::gallery::attention_over;
use mga_train::image_files::ImageFiles;
use mga_train::interrupt::Interrupted;
use mga_train::loaders;
use mga_train::network_input::needs_no_masks;
use mga_train::pictures::{FileNames, save_png};
use mga_train::prediction::{Prediction, predict};
use mga_train::weights_source::{is_name, of_file};
use serde_json::json;

use super::model_args::ModelArgs;
use crate::output;
use crate::signals;

const EXAMPLE: &str = "\
Examples:
  mga predict photos/ --weights runs/first --out predictions.csv --overlays overlays/
  mga predict leaf.jpg --weights model.safetensors --experiment experiments/mga/soybean_2_1.toml --json
  mga predict photos/ --weights exported/
  mga predict photos/ --weights timm/resnet50.tv_in1k
  mga predict coffee.png --weights resnet50.safetensors --backbone resnet50

A folder written by `mga weights export` describes itself. A plain published classifier needs the name of its backbone, and
predicts the classes of ImageNet if it has a thousand. A config.json in its repository or folder comes first: it gives the
network, the names of the classes and the preprocessing. A note says what was used.";

/// Arguments of `mga predict`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    /// Images, and folders of images at any depth.
    #[arg(required = true)]
    images: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// The backbone of a plain published classifier, in place of an experiment; `mga list` shows them.
    #[arg(long, value_name = "NAME", conflicts_with = "experiment")]
    backbone: Option<String>,
    /// Write to this file instead of standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write JSON instead of CSV.
    #[arg(long)]
    json: bool,
    /// The number of most probable classes to list.
    #[arg(long, value_name = "K", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    top: u16,
    /// A folder for pictures of the images with the attention over them.
    #[arg(long, value_name = "DIR")]
    overlays: Option<PathBuf>,
    /// The longer side of each of these pictures in pixels, cut out of the original image; left out: as the network sees
    /// it.
    #[arg(long, value_name = "PIXELS", requires = "overlays", value_parser = clap::value_parser!(u32).range(64..=8192))]
    size: Option<u32>,
    /// A safetensors file for the class scores, `logits` [N, classes] in the order of the images.
    #[arg(long, value_name = "FILE")]
    logits: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// A wrong experiment, weights that do not fit. Images that cannot be read or that the network cannot take are named, the
/// others are predicted, and the command fails at the end (unless `data.on_error = "skip"`).
pub fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let interrupt = signals::listen()?;
    let (loaded, classes, model) = described(&args, components)?;
    needs_no_masks(&model, "`mga predict` has images alone; `mga eval RUN` evaluates it on its data set, with masks")?;
    let files = ImageFiles::find(&args.images, &loaded.experiment.data)?;
    files.notes.iter().for_each(|note| say!("note: {note}"));
    if let Some(folder) = &args.overlays {
        anyhow::ensure!(model.has_attention(), "this model has no attention map, so there are no overlays");
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut unpredicted = files.notes.len();
    let named = files.len() + unpredicted;
    let indices: Vec<usize> = (0..files.len()).collect();
    let files = Arc::new(files);
    let originals = args.size.map(|side| loaders::originals(&loaded, Arc::<ImageFiles>::clone(&files), side as usize));
    let originals = originals.transpose()?;
    let loader = loaders::one_by_one_as_far_as_possible(&loaded, files, indices)?;
    let normalisation = assemble::normalisation(&loaded.experiment);
    let (mut rows, mut names, mut logits) = (Vec::new(), FileNames::default(), Vec::new());
    for batch in loader.epoch(0, 0) {
        if interrupt.is_raised() {
            return Err(Interrupted("interrupted while predicting; nothing was written but overlays".to_owned()).into());
        }
        // The loader ends with an error where it could load nothing at all; each image is named below.
        let batch = match batch {
            Err(_) if loader.skipped().len() + unpredicted == named => break,
            batch => batch?,
        };
        let predictions = match predict(&model, &batch, normalisation) {
            Ok(predictions) => predictions,
            Err(error) => {
                let (_, _, height, width) = batch.images.dims4()?;
                for id in &batch.ids {
                    say!(
                        "not predicted: {id}: the network cannot take an image of {width} x {height} pixels: {error:#}"
                    );
                }
                unpredicted += batch.len();
                continue;
            }
        };
        for prediction in predictions {
            rows.push(Row::of(&prediction, &classes, usize::from(args.top)));
            if args.logits.is_some() {
                logits.extend_from_slice(&prediction.logits);
            }
            let Some(folder) = &args.overlays else { continue };
            let path = folder.join(names.name(&prediction.id));
            if let Some(picture) = attention_over(prediction, &classes, originals.as_ref())? {
                save_png(&picture, &path).with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
    }
    for skipped in loader.skipped() {
        say!("not predicted: {skipped}");
        unpredicted += 1;
    }
    if let Some(path) = &args.logits {
        let logits = Tensor::from_vec(logits, (rows.len(), classes.len()), &Device::Cpu)?;
        weights::save_file(&[("logits".to_owned(), logits)], Default::default(), path)?;
    }
    let text = if args.json { as_json(&rows)? } else { as_csv(&rows, usize::from(args.top).min(classes.len()))? };
    match &args.out {
        None => output::print(text)?,
        Some(path) => {
            output::write_file(path, text.as_bytes()).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    let passed_over = loaded.experiment.data.on_error == OnError::Skip;
    anyhow::ensure!(
        unpredicted == 0 || passed_over,
        "{unpredicted} of {named} images could not be predicted, as listed above; the others were \
         (with data.on_error = \"skip\" this is no error)"
    );
    Ok(())
}

/// The experiment, the classes and the network, from whatever describes them.
fn described(args: &Args, components: &Components) -> anyhow::Result<(Loaded, Vec<String>, MgaModel)> {
    let (path, set) = (args.model.weights(), args.model.set());
    let named = path.to_str().filter(|name| is_name(name) && !path.exists() && !args.model.has_experiment());
    let backbone = args.backbone.as_deref();
    let described = match (named, backbone) {
        (Some(name), backbone) => Some(
            DescribedModel::of_name(name, backbone, set, components)
                .with_context(|| format!("{name}: there is no such file or folder, so it was looked for on the hub"))?,
        ),
        (None, Some(backbone)) => Some(DescribedModel::of_classifier(&of_file(path)?, backbone, set, components)?),
        (None, None) if args.model.has_experiment() => None,
        (None, None) => DescribedModel::of_export(path, set, components)?,
    };
    if let Some(described) = described {
        assemble::use_threads(described.loaded.experiment.threads);
        let model = described.model(components)?;
        return Ok((described.loaded, described.classes, model));
    }
    let loaded = args.model.load(components, true)?;
    let classes = args.model.classes(&loaded, components)?;
    let model = args.model.model(&loaded, components, &classes)?;
    Ok((loaded, classes, model))
}

/// What is said of one image: the most probable classes, first first, with their index.
struct Row {
    path: String,
    top: Vec<(usize, String, f64)>,
}

impl Row {
    fn of(prediction: &Prediction, classes: &[String], top: usize) -> Self {
        let named = |&(class, probability): &(usize, f64)| {
            (class, classes.get(class).cloned().unwrap_or_else(|| class.to_string()), probability)
        };
        Self { path: prediction.id.clone(), top: prediction.ranking.iter().take(top).map(named).collect() }
    }
}

/// `path,predicted,confidence,index,predicted_2,confidence_2,index_2,...`
fn as_csv(rows: &[Row], top: usize) -> anyhow::Result<String> {
    let mut table = CsvFile::new();
    let mut header = ["path", "predicted", "confidence", "index"].map(str::to_owned).to_vec();
    let columns = |place| [format!("predicted_{place}"), format!("confidence_{place}"), format!("index_{place}")];
    header.extend((2..=top).flat_map(columns));
    table.row(&header)?;
    for row in rows {
        let one = |(index, class, probability): &(usize, String, f64)| {
            [class.clone(), format!("{probability:.6}"), index.to_string()]
        };
        let said = row.top.iter().flat_map(one);
        table.row(std::iter::once(row.path.clone()).chain(said))?;
    }
    table.text()
}

fn as_json(rows: &[Row]) -> anyhow::Result<String> {
    let row = |row: &Row| {
        let one =
            |(index, class, p): &(usize, String, f64)| json!({ "index": index, "class": class, "probability": p });
        let top: Vec<_> = row.top.iter().map(one).collect();
        let first = row.top.first();
        json!({
            "path": row.path,
            "predicted": first.map(|(_, class, _)| class),
            "confidence": first.map(|(.., probability)| probability),
            "index": first.map(|(index, ..)| index),
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
        let top = vec![(7, "a, b".to_owned(), 0.75), (0, "c".to_owned(), 0.25)];
        let rows = [Row { path: "x.png".to_owned(), top }];
        let csv = "path,predicted,confidence,index,predicted_2,confidence_2,index_2\n\
                   x.png,\"a, b\",0.750000,7,c,0.250000,0\n";
        assert_eq!(as_csv(&rows, 2).unwrap(), csv);
        let json: serde_json::Value = serde_json::from_str(&as_json(&rows).unwrap()).unwrap();
        assert_eq!(json[0]["index"], 7);
        assert_eq!((&json[0]["predicted"], &json[0]["top"][1]["probability"]), (&"a, b".into(), &0.25.into()));
    }
}
