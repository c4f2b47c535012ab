//! `mga explain`: image, mask and attention side by side.

use std::path::PathBuf;
use std::sync::Arc;

use super::model_args::ModelArgs;
use crate::components::Components;
use crate::data_set;
use crate::gallery::explain;
use crate::image_files::ImageFiles;
use crate::interrupt::Interrupt;
use crate::prediction::spread;
use crate::{assemble, loaders, output};

const EXAMPLE: &str = "\
Examples:
  mga explain --weights runs/first --split test --count 12 --out pictures/
  mga explain photos/ --weights runs/first --out pictures/

Each picture shows the image as the network saw it, its mask where there is one, and where the network looked;
overview.png shows the first twelve together. The colours are stretched over each map's own range.";

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
    /// How many images of the split, evenly spread over it.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// The folder for the pictures.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// A wrong experiment, weights that do not fit or have no attention, images that cannot be read.
pub fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let interrupt = Interrupt::listen()?;
    let loaded = args.model.load(components, !args.images.is_empty())?;
    let (loader, classes) = if args.images.is_empty() {
        let data = data_set::open_to_evaluate(&loaded, components)?;
        data.notes().iter().for_each(|note| eprintln!("note: {note}"));
        let indices = match args.split.as_str() {
            "train" => &data.splits.train,
            "validation" => &data.splits.validation,
            _ => &data.splits.test,
        };
        anyhow::ensure!(!indices.is_empty(), "the data set has no {} images", args.split);
        let indices = spread(indices, args.count as usize);
        (loaders::one_by_one(&loaded, data.eval_source(), indices)?, data.dataset.classes().to_vec())
    } else {
        let files = ImageFiles::find(&args.images, &loaded.experiment.data)?;
        files.notes.iter().for_each(|note| eprintln!("note: {note}"));
        let indices = (0..files.len()).collect();
        (loaders::one_by_one(&loaded, Arc::new(files), indices)?, args.model.classes(&loaded, components)?)
    };
    let model = args.model.model(&loaded, components, classes.len())?;
    anyhow::ensure!(model.has_attention(), "this model has no attention map to show");
    let normalisation = assemble::normalisation(&loaded.experiment);
    let predictions = explain(&model, &loader, normalisation, &args.out, &interrupt)?;
    for skipped in loader.skipped() {
        eprintln!("skipped: {skipped}");
    }
    let mut writer = csv::Writer::from_writer(vec![]);
    writer.write_record(["path", "label", "predicted", "confidence", "picture"])?;
    for explained in &predictions {
        let class = |class: Option<usize>| class.and_then(|class| classes.get(class)).map_or("", String::as_str);
        let confidence = format!("{:.6}", explained.confidence);
        let picture = args.out.join(&explained.picture);
        let picture = picture.to_string_lossy();
        let (label, predicted) = (class(explained.label), class(explained.predicted));
        writer.write_record([explained.id.as_str(), label, predicted, &confidence, &picture])?;
    }
    Ok(output::print(String::from_utf8(writer.into_inner()?)?)?)
}
