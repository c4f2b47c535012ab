//! Everything a run will read, looked over before its first epoch: an image that cannot be read would else end it after
//! hours, the test images after the last epoch.
//!
//! Images and masks are decoded by the very code that loads them, on as many threads as the loader has. What was found to be
//! whole is remembered by its content, so that the sixty runs of a sweep decode once. What is drawn by a rule is not looked
//! over: nothing of it lies on a disk.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::Context;
use mga_data::dataset::Origin;
use mga_data::source::{ImagesOnly, load_caught};
use mga_data::{Source, decode};
use mga_experiment::{Experiment, OnError, Verify};
use rayon::prelude::*;

use crate::data_set::OpenData;
use crate::file_hashes::FileHashes;
use crate::fingerprint::{Contents, resolve, values_hash};
use crate::identity::PATHS;
use crate::interrupt::{Interrupt, Interrupted};
use crate::progress::Listener;
use crate::remembered::{Remembered, key};
use crate::tasks::segmentation::AnnotatedData;

/// Changes when the decoders do: what an older program found whole is looked over again.
const VERSION: &str = "1";

/// Faults that are told one by one.
const TOLD: usize = 20;

/// Seconds after which people without a bar are told what took them.
const LONG: f64 = 5.0;

/// The settings that decoding images and masks may depend on, as a text.
#[must_use]
pub fn decoding_settings(experiment: &Experiment) -> String {
    const OTHERS: [&str; 14] = [
        "train",
        "eval",
        "batch_size",
        "shuffle",
        "drop_last",
        "workers",
        "prefetch",
        "verify",
        "on_error",
        "validation",
        "split",
        "mean",
        "std",
        "check_files",
    ];
    // An experiment that was loaded can be written; one that cannot shares nothing with others.
    let Ok(mut value) = serde_json::to_value(&experiment.data) else { return format!("{:?}", experiment.data) };
    if let Some(table) = value.as_object_mut() {
        OTHERS.into_iter().chain(PATHS).for_each(|key| drop(table.shift_remove(key)));
    }
    value.to_string()
}

/// The hash of the label map of every annotated image that trains, selects or tests, by number. `images` says what images
/// are made of. What was found out of contents is remembered; all else is decoded, image and map.
///
/// # Errors
/// Images or annotations that cannot be read, unless the experiment skips them: then their hash is empty.
pub fn label_maps(
    data: &AnnotatedData,
    images: &[String],
    hashes: &FileHashes,
    remembered: &Remembered,
    voice: &dyn Listener,
) -> anyhow::Result<BTreeMap<usize, String>> {
    let used: Vec<usize> = data.splits.parts().iter().flat_map(|(_, indices)| indices.iter().copied()).collect();
    let in_file = |origin: &Origin| matches!(origin, Origin::File(_) | Origin::Within(..));
    let origins: Vec<Origin> = used.iter().map(|&index| data.annotated.origin(index)).collect();
    let maps = resolve(&origins, hashes, |_| Ok(String::new()))?;
    let counter = voice.images(used.len());
    let one = |(at, &index): (usize, &usize)| -> Result<(usize, String), (usize, String)> {
        let on_disk = origins.get(at).is_some_and(in_file) && in_file(&data.dataset.origin(index));
        let image = images.get(index).map_or("", String::as_str);
        let key = on_disk.then(|| key(&[VERSION, image, maps.get(at).map_or("", String::as_str)]));
        if let Some(hash) = key.as_deref().and_then(|key| remembered.get(key)) {
            return Ok((index, hash.to_owned()));
        }
        let mut hash = String::new();
        load_caught(data.annotated.as_ref(), index, |(_, map)| {
            hash = map.as_ref().map_or_else(String::new, values_hash);
        })
        .map_err(|error| (index, error.to_string()))?;
        counter.one_more();
        if let Some(key) = key {
            remembered.note(key, &hash);
        }
        Ok((index, hash))
    };
    let looked: Vec<_> = used.par_iter().enumerate().map(one).collect();
    drop(counter);
    remembered.keep();
    let (mut found, mut faults) = (BTreeMap::new(), vec![]);
    for looked in looked {
        match looked {
            Ok((index, hash)) => drop(found.insert(index, hash)),
            Err((index, fault)) => {
                found.insert(index, String::new());
                faults.push(fault);
            }
        }
    }
    let on_error = if data.skips { OnError::Skip } else { OnError::Stop };
    tell(&faults, used.len(), on_error, voice)?;
    Ok(found)
}

/// Looks over what a run of `experiment` on `data` reads; `contents` says what images and masks are made of.
///
/// # Errors
/// Images or masks that cannot be read, unless the experiment skips them; a signal.
pub fn verify(
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
    let unseen = data.unseen()?;
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

/// Refuses what cannot be read, or says that it is skipped.
///
/// # Errors
/// Faults that the experiment does not skip.
fn tell(faults: &[String], all: usize, on_error: OnError, voice: &dyn Listener) -> anyhow::Result<()> {
    if faults.is_empty() {
        return Ok(());
    }
    let mut list = faults.iter().take(TOLD).map(|fault| format!("\n  {fault}")).collect::<String>();
    if faults.len() > TOLD {
        list += &format!("\n  and {} more", faults.len() - TOLD);
    }
    let what = format!("{} of {all} images that the run reads cannot be used", faults.len());
    match on_error {
        OnError::Skip => voice.say(&format!("warning: {what}, and are skipped:{list}")),
        OnError::Stop => anyhow::bail!(
            "{what}:{list}\nnothing was trained: repair or replace them, or have them left out with data.on_error = \"skip\""
        ),
    }
    Ok(())
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

    use super::*;
    use crate::data_set;
    use crate::fingerprint;
    use crate::progress::Silent;

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
        let data = data_set::open(&loaded, &crate::builtin(), data_set::TornGroups::Refused).unwrap();
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
        assert_eq!(decoding_settings(&other), decoding_settings(&experiment));
        other.data.masks.settings.seed = 1;
        assert_ne!(decoding_settings(&other), decoding_settings(&experiment));
    }
}
