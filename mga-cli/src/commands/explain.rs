//! `mga explain`: image, mask, attention and Grad-CAM side by side, and how much the network needs what they show.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use mga_core::wording::counted;
use mga_data::Source;
use mga_experiment::{Components, OnError, nearest};
use mga_train::assemble;
use mga_train::csv_file::CsvFile;
use mga_train::data_set;
use mga_train::deletion::{Deletion, Fill};
use mga_train::described_model::DescribedModel;
use mga_train::gallery::{Explained, Explanation, explain};
use mga_train::image_files::ImageFiles;
use mga_train::loaders;
use mga_train::network_input::needs_no_masks;
use mga_train::prediction::{Chosen, spread};
use serde_json::{Value, json};

use super::model_args::ModelArgs;
use crate::output;
use crate::signals;

const EXAMPLE: &str = "\
Examples:
  mga explain --weights runs/first --split test --count 12 --out pictures/
  mga explain photos/ --weights runs/first --out pictures/ --class cultivar-03
  mga explain --weights runs/first --count 4 --out print/ --size 1200 --plain
  mga explain --weights runs/first --count 50 --out pictures/ --deletion --steps 50

Each picture shows the image as the network sees it, its mask and the attention map if they exist, and Grad-CAM, which marks
the parts that speak for the class, with headings, the class and a scale. overview.png shows the first twelve together. Maps
lie over the image in grey, and their colours are stretched over the range of each map.

With --size, the images are cut out of the originals at that size, for print. With --plain, each of the pictures is also
written to a file of its own without any words, such as leaf.attention.png.

With --deletion, pixels are removed in the order of each map, the most important first. The score is the area under the
probability of the class (RISE, Petsiuk et al. 2018), from 0 to 1, lower is better. `random` removes them in random order.
deletion.json holds the curves.";

/// The colour that replaces removed pixels.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum FillArg {
    /// The mean colour, which normalisation turns into 0, as in RISE.
    Mean,
    /// Black.
    Black,
}

impl From<FillArg> for Fill {
    fn from(argument: FillArg) -> Self {
        match argument {
            FillArg::Mean => Self::Mean,
            FillArg::Black => Self::Black,
        }
    }
}

/// Arguments of `mga explain`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    /// Images, and folders of images; left out: images of a split of the experiment's data set.
    #[arg(conflicts_with_all = ["split", "count"])]
    images: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArgs,
    /// The split to take images from.
    #[arg(long, default_value = "test", value_parser = ["train", "validation", "test"])]
    split: String,
    /// The number of images, evenly spread over the split.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// The folder for the pictures.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The class that Grad-CAM and the deletion score are about: `predicted`, `true`, or a class by its name.
    #[arg(long, value_name = "CLASS", default_value = "predicted")]
    class: String,
    /// The longer side of each picture in pixels, cut out of the original image; left out: as the network sees it.
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(64..=8192))]
    size: Option<u32>,
    /// Also write image, mask and maps to files of their own, without words.
    #[arg(long)]
    plain: bool,
    /// Compute the deletion score of attention and Grad-CAM.
    #[arg(long)]
    deletion: bool,
    /// The number of steps in which all pixels are removed. Each costs one forward pass per image and map.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..), requires = "deletion")]
    steps: u32,
    /// The colour that replaces removed pixels.
    #[arg(long, value_enum, default_value_t = FillArg::Mean, requires = "deletion")]
    fill: FillArg,
}

/// Runs the command.
///
/// # Errors
/// A wrong experiment, weights that do not fit or have no attention, images that cannot be read.
pub fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let interrupt = signals::listen()?;
    let described = match args.model.has_experiment() {
        true => None,
        false => DescribedModel::of_export(args.model.weights(), args.model.set(), components)?,
    };
    let (loaded, described) = match described {
        Some(described) => {
            anyhow::ensure!(
                !args.images.is_empty(),
                "{}: an exported model has no data set of its own; name images or folders of images, or an --experiment",
                args.model.weights().display()
            );
            assemble::use_threads(described.loaded.experiment.threads);
            let (model, classes) = (described.model(components)?, described.classes);
            (described.loaded, Some((model, classes)))
        }
        None => (args.model.load(components, !args.images.is_empty())?, None),
    };
    let originals = |source: Arc<dyn Source>| args.size.map(|side| loaders::originals(&loaded, source, side as usize));
    let (loader, classes, originals) = if args.images.is_empty() {
        let data = data_set::open_to_evaluate(&loaded, components)?;
        data.notes().iter().for_each(|note| say!("note: {note}"));
        let indices = match args.split.as_str() {
            "train" => &data.splits.train,
            "validation" => &data.splits.validation,
            _ => &data.splits.test,
        };
        anyhow::ensure!(!indices.is_empty(), "the data set has no {} images", args.split);
        let indices = spread(indices, args.count as usize);
        let originals = originals(data.eval_source()).transpose()?;
        (loaders::one_by_one(&loaded, data.eval_source(), indices)?, data.dataset.classes().to_vec(), originals)
    } else {
        let files = Arc::new(ImageFiles::find(&args.images, &loaded.experiment.data)?);
        files.notes.iter().for_each(|note| say!("note: {note}"));
        let indices = (0..files.len()).collect();
        let classes = match &described {
            Some((_, classes)) => classes.clone(),
            None => args.model.classes(&loaded, components)?,
        };
        (
            loaders::one_by_one_as_far_as_possible(&loaded, Arc::<ImageFiles>::clone(&files), indices)?,
            classes,
            originals(files).transpose()?,
        )
    };
    let model = match described {
        Some((model, _)) => model,
        None => args.model.model(&loaded, components, &classes)?,
    };
    if !args.images.is_empty() {
        needs_no_masks(&model, "images named on the command line have none; leave them out, and take a --split")?;
    }
    let normalisation = assemble::normalisation(&loaded.experiment);
    let deletion = args.deletion.then_some(Deletion { steps: args.steps as usize, fill: args.fill.into() });
    let class = chosen(&args.class, &classes)?;
    let print = originals.as_ref();
    let explanation = Explanation { class, deletion, classes: &classes, print, plain: args.plain };
    let predictions = explain(&model, &loader, normalisation, &args.out, explanation, &interrupt)?;
    let skipped = loader.skipped();
    for skipped in &skipped {
        say!("skipped: {skipped}");
    }
    let mut table = CsvFile::new();
    let maps: Vec<&str> =
        predictions.first().iter().flat_map(|explained| &explained.deletion).map(|(map, _)| *map).collect();
    let header = ["path", "label", "predicted", "confidence", "picture", "class"].map(str::to_owned);
    let columns = maps.iter().map(|map| format!("deletion_{}", map.replace('-', "_")));
    table.row(header.into_iter().chain(columns))?;
    for explained in &predictions {
        let class = |class: Option<usize>| class.and_then(|class| classes.get(class)).map_or("", String::as_str);
        let confidence = format!("{:.6}", explained.confidence);
        let picture = args.out.join(&explained.picture);
        let picture = picture.to_string_lossy();
        let (label, predicted) = (class(explained.label), class(explained.predicted));
        let fixed = [explained.id.as_str(), label, predicted, &confidence, &picture, class(explained.class)];
        let scores = explained.deletion.iter().map(|(_, score)| format!("{:.6}", score.score));
        table.row(fixed.into_iter().map(str::to_owned).chain(scores))?;
    }
    if let Some(deletion) = deletion {
        let report = deletion_report(&deletion, &predictions, &classes, &maps);
        let path = args.out.join("deletion.json");
        output::write_file(&path, (serde_json::to_string_pretty(&report)? + "\n").as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))?;
        let means: Vec<String> = maps.iter().map(|map| format!("{map} {:.3}", mean(&predictions, map))).collect();
        let images = counted(predictions.len(), "image", "images");
        say!("deletion score, mean of {images}, lower is better: {}", means.join(", "));
    }
    output::print(table.text()?)?;
    anyhow::ensure!(
        skipped.is_empty() || loaded.experiment.data.on_error == OnError::Skip,
        "{} could not be explained, as listed above; the others were (with data.on_error = \"skip\" this is no error)",
        counted(skipped.len(), "image", "images")
    );
    Ok(())
}

/// `predicted`, `true`, or a class by its name.
fn chosen(class: &str, classes: &[String]) -> anyhow::Result<Chosen> {
    match class {
        "predicted" => Ok(Chosen::Predicted),
        "true" => Ok(Chosen::Label),
        name => {
            let found = classes.iter().position(|class| class == name).map(Chosen::Class);
            found.with_context(|| {
                let near = nearest(name, classes.iter().map(String::as_str));
                let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                format!("--class {name}: no such class{near} expected predicted, true, or a class's name")
            })
        }
    }
}

/// The mean score of a map over the images.
fn mean(predictions: &[Explained], map: &str) -> f64 {
    let scores = predictions.iter().flat_map(|explained| &explained.deletion).filter(|(name, _)| *name == map);
    let (sum, count) = scores.fold((0.0, 0.0), |(sum, count), (_, score)| (sum + score.score, count + 1.0));
    sum / count
}

/// `deletion.json`: settings, means, and the curve of every image and map.
fn deletion_report(deletion: &Deletion, predictions: &[Explained], classes: &[String], maps: &[&str]) -> Value {
    let image = |explained: &Explained| {
        let scores: serde_json::Map<_, _> =
            explained.deletion.iter().map(|(map, score)| ((*map).to_owned(), json!(score))).collect();
        let class = explained.class.and_then(|class| classes.get(class));
        json!({ "path": explained.id, "class": class, "maps": scores })
    };
    let means: serde_json::Map<_, _> =
        maps.iter().map(|map| ((*map).to_owned(), json!(mean(predictions, map)))).collect();
    let images: Vec<Value> = predictions.iter().map(image).collect();
    json!({ "steps": deletion.steps, "fill": deletion.fill, "mean": means, "images": images })
}
