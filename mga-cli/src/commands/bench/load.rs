//! Times the loader: decode, random crop, horizontal flip, normalise, batch.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use image::codecs::jpeg::JpegEncoder;
use mga_core::random::Generator;
use mga_data::background::Backdrop;
use mga_data::scratch::Scratch;
use mga_data::system_files::is_passed_over;
use mga_data::transforms::{HorizontalFlip, Operation, RandomCrop, Size};
use mga_data::{Loader, LoaderSettings, Mask, Picture, Pipeline, Source, decode};

use crate::output;

/// Images drawn where `--images generated`.
const GENERATED: usize = 100;

/// The images and what is done to them.
#[derive(Debug, clap::Args)]
pub(super) struct Load {
    /// Side of the random crop, in pixels; smaller images are padded.
    #[arg(long, default_value_t = 448)]
    size: usize,
    /// A folder of images, or `generated`: 100 JPEGs of about 600 x 600 pixels.
    #[arg(long, value_name = "FOLDER|generated", default_value = "generated")]
    images: PathBuf,
    /// Images in a batch.
    #[arg(long, default_value_t = 8)]
    batch: usize,
    /// Loading threads; 0 uses one per core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// The number of timed epochs, after one untimed epoch.
    #[arg(long, default_value_t = 5)]
    epochs: u64,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

/// What `--json` prints; the rates are those of whole epochs.
#[derive(Debug, serde::Serialize)]
struct Rates {
    work: &'static str,
    size: usize,
    batch: usize,
    threads: usize,
    images: usize,
    epochs: usize,
    images_per_second: f64,
    least: f64,
    greatest: f64,
}

/// The image files of one folder, without masks or classes.
struct Files(Vec<(String, PathBuf)>);

impl Files {
    fn of(folder: &Path) -> anyhow::Result<Self> {
        let listed = std::fs::read_dir(folder).with_context(|| format!("--images {}", folder.display()))?;
        let mut files = vec![];
        for entry in listed {
            let path = entry?.path();
            if decode::is_image_path(&path) && !is_passed_over(&path) {
                files.push((path.display().to_string(), path));
            }
        }
        files.sort();
        anyhow::ensure!(!files.is_empty(), "--images {}: expected image files in it, found none", folder.display());
        Ok(Self(files))
    }

    fn get(&self, index: usize) -> mga_data::Result<&(String, PathBuf)> {
        self.0.get(index).ok_or_else(|| mga_data::Error::settings(format!("there is no image {index}")))
    }
}

impl Source for Files {
    fn load(&self, index: usize) -> mga_data::Result<(Picture, Option<Mask>)> {
        let (id, path) = self.get(index)?;
        Ok((decode::picture(path, &Backdrop::default(), id)?, None))
    }

    fn label(&self, _index: usize) -> Option<usize> {
        None
    }

    fn id(&self, index: usize) -> &str {
        self.0.get(index).map_or("", |(id, _)| id)
    }
}

/// Runs the command.
pub(super) fn run(load: Load) -> anyhow::Result<()> {
    anyhow::ensure!(load.epochs > 0, "--epochs 0: expected at least 1");
    let mut drawn = None;
    let folder = if load.images == Path::new("generated") { drawn.insert(draw()?).path() } else { &load.images };
    let files = Arc::new(Files::of(folder)?);
    let count = files.0.len();
    let transforms = vec![
        ("random-crop".to_owned(), Arc::new(RandomCrop::new(Size::Square(load.size))) as Arc<dyn Operation>),
        ("horizontal-flip".to_owned(), Arc::new(HorizontalFlip { p: 0.5 })),
    ];
    let settings =
        LoaderSettings { batch_size: load.batch, shuffle: true, threads: load.threads, ..LoaderSettings::default() };
    let loader = Loader::new(files, (0..count).collect(), Pipeline::new(transforms)?, settings)?;
    let mut rates = vec![];
    for epoch in 0..=load.epochs {
        let start = Instant::now();
        let mut loaded = 0;
        for batch in loader.epoch(epoch, 0) {
            loaded += batch?.len();
        }
        rates.push(loaded as f64 / start.elapsed().as_secs_f64());
    }
    // The first epoch reads the files from disk.
    let mut rates = rates.split_off(1);
    rates.sort_by(f64::total_cmp);
    let rates = Rates {
        work: "load",
        size: load.size,
        batch: load.batch,
        threads: if load.threads == 0 { rayon::current_num_threads() } else { load.threads },
        images: count,
        epochs: rates.len(),
        images_per_second: rates[rates.len() / 2],
        least: rates[0],
        greatest: rates[rates.len() - 1],
    };
    let text = if load.json {
        serde_json::to_string(&rates)? + "\n"
    } else {
        format!(
            "{} images, {} px, batch {}, {} threads\n{:.1} images a second, from {:.1} to {:.1} in {} epochs\n",
            rates.images,
            rates.size,
            rates.batch,
            rates.threads,
            rates.images_per_second,
            rates.least,
            rates.greatest,
            rates.epochs
        )
    };
    Ok(output::print(text)?)
}

/// A temporary folder of JPEGs: smooth blobs with some noise, of sizes about 600.
fn draw() -> anyhow::Result<Scratch> {
    let folder = Scratch::new().context("cannot make a temporary folder for generated images")?;
    for index in 0..GENERATED {
        let mut generator = Generator::new(0, "bench-image", &[index as u64]);
        let (width, height) = (560 + generator.below(81) as u32, 560 + generator.below(81) as u32);
        let waves: Vec<[f64; 4]> = (0..12)
            .map(|_| std::array::from_fn(|part| generator.uniform_in(0.0, if part < 2 { 0.2 } else { 6.3 })))
            .collect();
        let picture = image::RgbImage::from_fn(width, height, |x, y| {
            let noise = generator.uniform_in(-12.0, 12.0);
            image::Rgb(std::array::from_fn(|c| {
                let sum: f64 = waves
                    .iter()
                    .map(|w| (w[0] * f64::from(x) + w[1] * f64::from(y) + w[2] + w[3] * c as f64).sin())
                    .sum();
                (128.0 + 25.0 * sum + noise).clamp(0.0, 255.0) as u8
            }))
        });
        let path = folder.path().join(format!("{index:03}.jpg"));
        let mut bytes = vec![];
        JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(&picture)?;
        std::fs::write(&path, bytes).with_context(|| path.display().to_string())?;
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_images_are_loaded_and_a_folder_without_images_is_refused() {
        let folder = draw().unwrap();
        let files = Files::of(folder.path()).unwrap();
        assert_eq!(files.0.len(), GENERATED);
        let (picture, mask) = files.load(7).unwrap();
        assert!((560..=640).contains(&picture.width()) && mask.is_none());
        assert!(files.load(GENERATED).is_err() && files.id(GENERATED).is_empty());
        let empty = tempfile::tempdir().unwrap();
        let error = Files::of(empty.path()).err().unwrap().to_string();
        assert!(error.contains("--images") && error.contains("none"), "{error}");
    }
}
