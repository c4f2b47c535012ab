//! The check of everything that a classifier's run will read, before its first epoch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Context;
use mga_data::dataset::Origin;
use mga_data::source::{ImagesOnly, load_caught};
use mga_data::{Source, decode};
use mga_experiment::{Experiment, Verify};
use rayon::prelude::*;

use crate::data_set::OpenData;
use crate::fingerprint::Contents;
use crate::interrupt::{Interrupt, Interrupted};
use crate::progress::Listener;
use crate::remembered::{Remembered, key};
use crate::verification::{VERSION, tell};

/// Seconds after which people without a bar are told what took them.
const LONG: f64 = 5.0;

/// Looks over what a run of `experiment` on `data` reads; `contents` says what images and masks are made of.
///
/// # Errors
/// Images or masks that cannot be read, unless the experiment skips them; a signal.
pub(super) fn verify(
    experiment: &Experiment,
    data: &OpenData,
    contents: &Contents,
    remembered: &Remembered,
    voice: &dyn Listener,
    interrupt: &Interrupt,
) -> anyhow::Result<()> {
    if experiment.data.verify == Verify::Off {
        return Ok(());
    }
    // With notes of its own: what is remembered is not read here, and would be missing among what the run has seen.
    let unseen = data.unseen();
    let masks_by_rule =
        |index| data.masks.made_from().is_some_and(|name| matches!(mask_origin(data, index, name), Origin::Rule(_)));
    let parts = [
        ("train", data.splits.train.as_slice(), unseen.train_source()),
        ("validation", &data.splits.validation, unseen.eval_source()),
        ("test", &data.splits.test, unseen.eval_source()),
    ];
    let plain: Arc<dyn Source> = Arc::new(ImagesOnly(Arc::clone(&data.dataset)));
    let mut images = vec![];
    for (part, indices, source) in &parts {
        for &index in *indices {
            let rule = masks_by_rule(index);
            if !is_on_disk(data, index, rule) {
                continue;
            }
            // Masks by rule are made when they are needed, each once; here they would be made without need.
            let source = if rule { &plain } else { source };
            // Whether a mask may lack depends on the part.
            let key = key(&[VERSION, if *part == "train" { "train" } else { "" }, &contents.of(index)]);
            images.push(Image { index, source, key });
        }
    }
    let all = images.len();
    images.retain(|image| remembered.get(&image.key).is_none());
    let begun = Instant::now();
    let counter = voice.images(images.len());
    let headers = experiment.data.verify == Verify::Headers;
    let stopped = AtomicBool::new(false);
    let look = |image: &Image<'_>| -> Option<String> {
        if stopped.load(Ordering::Relaxed) || interrupt.is_raised() {
            stopped.store(true, Ordering::Relaxed);
            return None;
        }
        let looked =
            if headers { header(data, image.index) } else { load_caught(image.source.as_ref(), image.index, drop) };
        counter.one_more();
        match looked {
            Ok(()) if headers => None,
            Ok(()) => {
                remembered.note(image.key.clone(), "whole");
                None
            }
            Err(error) => Some(error.to_string()),
        }
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(experiment.data.workers).build();
    let pool = pool.context("the threads that look images over cannot be started")?;
    let faults: Vec<String> = pool.install(|| images.par_iter().filter_map(look).collect());
    drop(counter);
    remembered.keep();
    if stopped.into_inner() {
        return Err(Interrupted("interrupted while looking the images over; nothing was trained yet".to_owned()).into());
    }
    if begun.elapsed().as_secs_f64() > LONG {
        let seconds = begun.elapsed().as_secs_f64();
        voice.say(&format!("looked {} images over in {seconds:.0} s (data.verify); they are remembered", images.len()));
    }
    tell(&faults, all, experiment.data.on_error, voice)
}

/// One image of a part of the run.
struct Image<'a> {
    index: usize,
    source: &'a Arc<dyn Source>,
    key: String,
}

fn mask_origin(data: &OpenData, index: usize, name: &str) -> Origin {
    data.masks.dataset().mask_origin(index, name)
}

/// Whether something of an image, or of its mask, lies in a file.
fn is_on_disk(data: &OpenData, index: usize, mask_by_rule: bool) -> bool {
    let in_file = |origin: Origin| matches!(origin, Origin::File(_) | Origin::Within(..));
    in_file(data.dataset.origin(index))
        || !mask_by_rule && data.masks.made_from().is_some_and(|name| in_file(mask_origin(data, index, name)))
}

/// Reads the headers of an image's own files.
fn header(data: &OpenData, index: usize) -> mga_data::error::Result<()> {
    let mask = data.masks.made_from().map(|name| mask_origin(data, index, name));
    for origin in std::iter::once(data.dataset.origin(index)).chain(mask) {
        if let Origin::File(path) = origin {
            decode::size(&path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use image::{Rgb, RgbImage};
    use mga_experiment::{Overrides, load};

    use super::super::fingerprint;
    use super::*;
    use crate::data_set;
    use crate::file_hashes::FileHashes;
    use crate::progress::Silent;
    use crate::torn_groups::TornGroups;
    use crate::verification::decoding_settings;

    fn opened(folder: &Path) -> (Experiment, OpenData) {
        for (shade, place) in ["train/a", "train/b", "test/a", "test/b"].into_iter().enumerate() {
            let path = folder.join("images").join(place);
            std::fs::create_dir_all(&path).unwrap();
            RgbImage::from_pixel(8, 8, Rgb([60 * shade as u8; 3])).save(path.join("x.png")).unwrap();
        }
        let text = format!(
            "[data]\ndataset = \"image-folder\"\nroot = {:?}\n[model]\nbackbone = \"conv4\"\nattention = \"none\"\n\
             mask_guidance = false\n[eval]\nselect_on = \"last\"\n",
            folder.join("images")
        );
        std::fs::write(folder.join("x.toml"), text).unwrap();
        let loaded = load(&folder.join("x.toml"), &Overrides::default(), &crate::builtin());
        let loaded = loaded.unwrap_or_else(|error| panic!("{error}"));
        let data = data_set::open(&loaded, &crate::builtin(), TornGroups::Refused).unwrap();
        (loaded.experiment, data)
    }

    #[test]
    fn what_is_remembered_is_not_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let (experiment, data) = opened(folder.path());
        let (_, contents) = fingerprint::with_contents(&data, &FileHashes::in_folder(None)).unwrap();
        let look = |cache: &str| {
            let remembered = Remembered::in_folder(Some(folder.path().join(cache)), "whole", "");
            let voice = &Silent;
            verify(&experiment, &data, &contents, &remembered, voice, &Interrupt::default())
        };
        look("cache").unwrap();
        std::fs::remove_dir_all(folder.path().join("images")).unwrap();
        look("cache").unwrap();
        let message = look("empty").unwrap_err().to_string();
        assert!(message.contains("4 of 4 images that the run reads cannot be used"), "{message}");
        let interrupt = Interrupt::default();
        interrupt.raise();
        let remembered = Remembered::default();
        let ended = verify(&experiment, &data, &contents, &remembered, &Silent, &interrupt).unwrap_err();
        assert!(ended.is::<Interrupted>(), "{ended:#}");
    }

    #[test]
    fn settings_of_training_are_not_those_of_decoding() {
        let folder = tempfile::tempdir().unwrap();
        let (experiment, _) = opened(folder.path());
        let mut other = experiment.clone();
        (other.data.batch_size, other.data.workers, other.data.root) = (3, 2, None);
        let kinds = crate::builtin().kinds;
        let settings = |experiment: &Experiment| decoding_settings(experiment, &kinds);
        assert_eq!(settings(&other), settings(&experiment));
        other.data.masks.settings.seed = 1;
        assert_ne!(settings(&other), settings(&experiment));
    }
}
