//! `mga masks`: masks for a whole data set, in a folder that experiments read.

mod folder;
mod origin;
mod report;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, anyhow};
use candle_core::Device;
use mga_core::error::InvalidSetting;
use mga_data::content_hash::content_hash;
use mga_data::masks::write_mask;
use mga_experiment::{ClassName, Components, Loaded, Overrides, SegmenterSettings, load};
use mga_train::assemble;
use mga_train::data_set;
use mga_train::interrupt::{Interrupt, Interrupted};
use mga_train::run_folder::RunFolder;
use mga_train::segmenting::Maker;
use mga_train::weights_source::as_setting;
use rayon::prelude::*;
use serde_json::Value;

use self::folder::{MaskFolder, Written};
use self::origin::{Images, Origin};
use crate::output::print;
use crate::signals;

const EXAMPLE: &str = "\
Examples:
  mga masks experiments/quickstart.toml --segmenter otsu --out masks/otsu
  mga masks photographs --segmenter excess-green --out masks/green
  mga masks experiments/leaves/mga-true-masks.toml --weights runs/veins --flip --out masks/veins
  mga masks photographs --weights nvidia/segformer-b0-finetuned-ade-512-512 --foreground plant,flower --out masks/plants

The masks have the names of their images, and about/ says how they were made. An experiment reads them with
data.masks.source = \"folder\" and data.masks.folder = \"masks/otsu\", or with mask_root if the data set has that setting.
Existing masks are not made again.";

/// Make masks for all images of an experiment's data set, or of a folder.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    /// An experiment file, or a folder of images.
    images: PathBuf,
    /// otsu, excess-green, a segmentation network, file or alpha; `mga list` shows them. Left out: the network of the
    /// run in --weights, else the one that the experiment names.
    #[arg(long, value_name = "NAME")]
    segmenter: Option<String>,
    /// Weights of a network: a run with task = "segmentation", a safetensors file, or a name of the hub.
    #[arg(long, value_name = "RUN|FILE|NAME")]
    weights: Option<PathBuf>,
    /// The folder to write to. If it holds masks made in the same way, the command continues with it.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The classes that are foreground, by number or by name; left out: all but the first, which must be a background.
    #[arg(long, value_name = "CLASS", value_delimiter = ',')]
    foreground: Vec<String>,
    /// Set the mask to 1 from this probability on and to 0 below; left out: the probability itself.
    #[arg(long)]
    threshold: Option<f64>,
    /// The side in pixels of the tiles that larger images are cut into; 0 uses the whole image.
    #[arg(long, value_name = "PIXELS")]
    tile: Option<usize>,
    /// Pixels that neighbouring tiles share.
    #[arg(long, value_name = "PIXELS")]
    overlap: Option<usize>,
    /// Sizes relative to the image's, whose masks are averaged: 0.5,1,1.5.
    #[arg(long, value_delimiter = ',')]
    scales: Vec<f64>,
    /// Average with the mask of the mirror image.
    #[arg(long)]
    flip: bool,
    /// The number of classes of the weights, if neither a run nor their publisher gives it; left out: 21.
    #[arg(long, value_name = "NUMBER")]
    classes: Option<usize>,
    /// An option of a segmenter without weights, such as of=saturation. May be repeated.
    #[arg(long = "option", value_name = "KEY=VALUE")]
    options: Vec<String>,
    /// The device: auto, cpu or cuda:N; left out: that of the experiment, or auto for a folder.
    #[arg(long)]
    device: Option<String>,
    /// Set a key of the experiment. May be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// Makes masks.
///
/// # Errors
/// Images, segmenter or weights that cannot be used; a folder that holds something else; a signal.
pub fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let interrupt = signals::listen()?;
    let loaded = if args.images.is_dir() { None } else { Some(experiment(&args, components)?) };
    let name = segmenter_name(&args, loaded.as_ref(), components)?;
    let settings = settings(&args, loaded.as_ref())?;
    let device = device(&args, loaded.as_ref())?;
    let images = match &loaded {
        Some(loaded) => {
            assemble::use_threads(loaded.experiment.threads);
            Images::of_dataset(data_set::open_dataset(loaded, components)?)
        }
        None => Images::of_folder(&args.images)?,
    };
    images.notes().iter().for_each(|note| say!("note: {note}"));
    let origin = match name.as_str() {
        "file" | "alpha" => Origin::Own {
            source: if name == "file" { "folder" } else { "alpha" },
            reading: loaded
                .as_ref()
                .map(|loaded| loaded.experiment.data.masks.settings.reading.clone())
                .unwrap_or_default(),
        },
        name => Origin::Made(Box::new(Maker::open(name, &settings, components, &device).map_err(at_option)?)),
    };
    // On a processor images are worked on side by side; a GPU takes one at a time.
    let side_by_side = if device.is_cpu() { rayon::current_num_threads() } else { 1 };
    let mut folder = MaskFolder::open(&args.out, &origin.provenance())?;
    let kept = folder.len();
    make(&images, &origin, &mut folder, side_by_side, &interrupt)?;
    let report = report::write(&images, &folder, kept)?;
    Ok(print(report)?)
}

/// Makes what is missing, a few images at a time, in the order of the images.
fn make(
    images: &Images,
    origin: &Origin,
    folder: &mut MaskFolder,
    side_by_side: usize,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    let places = images.places()?;
    let bar = crate::images_bar::images_bar(images.len());
    let done = AtomicUsize::new(0);
    let all: Vec<usize> = (0..images.len()).collect();
    for chunk in all.chunks(side_by_side.max(1) * 4) {
        if interrupt.is_raised() {
            let out = folder.path().display();
            let (done, all) = (done.into_inner(), images.len());
            return Err(Interrupted(format!(
                "interrupted after {done} of {all} images; the same command goes on with {out}"
            ))
            .into());
        }
        let one = |&index: &usize| -> anyhow::Result<Option<Written>> {
            let (id, place) = (images.id(index), &places[index]);
            let picture = images.picture(index).with_context(|| id.to_owned())?;
            let image = content_hash(&picture);
            let written = if folder.has(id, &image, place) {
                None
            } else {
                let mask = origin.mask(images, index, &picture).with_context(|| id.to_owned())?;
                let mask = write_mask(&folder.path().join(place), &mask)?;
                Some(Written::new(id, image, place, &mask, &folder.path().join(place))?)
            };
            bar.set_position(done.fetch_add(1, Ordering::Relaxed) as u64 + 1);
            Ok(written)
        };
        let written: Vec<anyhow::Result<Option<Written>>> = chunk.par_iter().map(one).collect();
        // What was made is noted even where another image of the chunk failed.
        let mut failed = None;
        for written in written {
            match written {
                Ok(Some(written)) => folder.append(written)?,
                Ok(None) => {}
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// The experiment, whose masks need not be there: they are to be made.
fn experiment(args: &Args, components: &Components) -> anyhow::Result<Loaded> {
    Ok(load(&args.images, &Overrides::from_process(args.set.clone()), components)?)
}

fn segmenter_name(args: &Args, loaded: Option<&Loaded>, components: &Components) -> anyhow::Result<String> {
    if let Some(name) = &args.segmenter {
        return Ok(name.clone());
    }
    if let Some(run) = args.weights.as_deref().filter(|weights| weights.is_dir()) {
        let file = RunFolder::at(run).experiment();
        anyhow::ensure!(file.is_file(), "{}: no run folder: there is no experiment.toml", run.display());
        let text = std::fs::read_to_string(&file).with_context(|| format!("{}: cannot be read", file.display()))?;
        let table: toml::Table =
            toml::from_str(&text).with_context(|| format!("{}: cannot be read", file.display()))?;
        let name = table.get("model").and_then(|model| model.get("backbone")).and_then(toml::Value::as_str);
        return name.map(str::to_owned).with_context(|| format!("{}: names no network", file.display()));
    }
    let published = args
        .weights
        .as_deref()
        .and_then(Path::to_str)
        .and_then(|name| components.networks().published(name.split('@').next().unwrap_or(name)));
    if let Some(published) = published {
        return Ok(published.component.to_owned());
    }
    let named = loaded.and_then(|loaded| loaded.experiment.data.masks.settings.source.as_deref());
    let known = |name: &&str| components.networks().is_segmenter(name);
    named.filter(known).map(str::to_owned).context("name a segmenter with --segmenter; `mga list` shows them")
}

/// The experiment's settings, and the arguments over them.
fn settings(args: &Args, loaded: Option<&Loaded>) -> anyhow::Result<SegmenterSettings> {
    let mut settings = loaded
        .and_then(|loaded| loaded.experiment.data.masks.segmenter.clone().filter(|_| args.segmenter.is_none()))
        .unwrap_or_default();
    if let Some(weights) = &args.weights {
        settings.weights = Some(as_setting(weights));
    }
    if !args.foreground.is_empty() {
        let class = |text: &String| text.parse().map_or_else(|_| ClassName::Name(text.clone()), ClassName::Number);
        settings.foreground = args.foreground.iter().map(class).collect();
    }
    if !args.scales.is_empty() {
        anyhow::ensure!(
            args.scales.iter().all(|&scale| scale > 0.0 && scale <= 8.0),
            "--scales: expected numbers above 0 and up to 8"
        );
        settings.scales.clone_from(&args.scales);
    }
    settings.threshold = args.threshold.or(settings.threshold);
    if let Some(threshold) = settings.threshold.filter(|threshold| !(0.0..=1.0).contains(threshold)) {
        anyhow::bail!("--threshold: expected 0 to 1, found {threshold}");
    }
    settings.classes = args.classes.or(settings.classes);
    settings.tile = args.tile.unwrap_or(settings.tile);
    settings.overlap = args.overlap.unwrap_or(if args.tile.is_some() { settings.tile / 8 } else { settings.overlap });
    anyhow::ensure!(
        settings.tile == 0 || settings.overlap < settings.tile,
        "--overlap: expected less than the tile's side, {}",
        settings.tile
    );
    settings.flip |= args.flip;
    for option in &args.options {
        let (key, value) = option.split_once('=').with_context(|| format!("--option {option}: expected KEY=VALUE"))?;
        let parsed = toml::from_str::<toml::Table>(&format!("value = {value}")).ok();
        let parsed = parsed.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
        let value = match parsed {
            Some(value) => serde_json::to_value(value)?,
            None => Value::String(value.to_owned()),
        };
        settings.options.insert(key.trim().to_owned(), value);
    }
    Ok(settings)
}

/// What is wrong with a setting of the segmenter, at the option of this command that sets it.
fn at_option(error: anyhow::Error) -> anyhow::Error {
    let Some(InvalidSetting { key, what }) = error.downcast_ref::<InvalidSetting>() else { return error };
    match key.strip_prefix("data.masks.segmenter.") {
        Some(key) => match key.strip_prefix("options.") {
            Some(own) => anyhow!("--option {own}: {what}"),
            None => anyhow!("--{key}: {what}"),
        },
        None => error,
    }
}

fn device(args: &Args, loaded: Option<&Loaded>) -> anyhow::Result<Device> {
    match (args.device.as_deref(), loaded) {
        (None, Some(loaded)) => assemble::device(loaded),
        (name, _) => assemble::device_called(name.unwrap_or("auto")).map_err(|why| anyhow!("--device: {why}")),
    }
}
