//! What a run's data are, in a few hashes: images, labels, splits and masks, whatever folder they lie in.

use std::path::PathBuf;

use mga_data::content_hash::content_hash;
use mga_data::dataset::{Dataset, Origin};
use mga_data::{Mask, MaskSource, Splits};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::data_set::{AnnotatedData, OpenData};
use crate::file_hashes::{FileHashes, hex};

/// Hashes of a data set as an experiment uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// Over everything: images, labels, splits, masks.
    pub data: String,
    /// Over the images and their labels, whichever split they are in.
    pub images: String,
    /// Over the images that are tested on, in their order: equal where predictions can be paired.
    pub test: String,
    /// Over the masks; `"none"` where none are used.
    pub masks: String,
    /// Number of classes.
    pub classes: usize,
}

/// The fingerprint of a data set to classify.
///
/// # Errors
/// An image or mask that cannot be read.
pub fn of_data(data: &OpenData, hashes: &FileHashes) -> anyhow::Result<Fingerprint> {
    let images = image_hashes(data.dataset.as_ref(), hashes)?;
    let masks = mask_hash(&data.masks, &images, hashes)?;
    Ok(put_together(data.dataset.as_ref(), &data.splits, &images, masks))
}

/// The fingerprint of annotated images.
///
/// # Errors
/// An image or annotation that cannot be read.
pub fn of_annotated(data: &AnnotatedData, hashes: &FileHashes) -> anyhow::Result<Fingerprint> {
    let images = image_hashes(data.dataset.as_ref(), hashes)?;
    let used: Vec<usize> = data.splits.parts().iter().flat_map(|(_, indices)| indices.iter().copied()).collect();
    let map = |&index: &usize| -> anyhow::Result<String> {
        let map = data.load(index)?.and_then(|(_, map)| map);
        Ok(format!("{index} {}\n", map.as_ref().map_or_else(String::new, values_hash)))
    };
    let maps = used.par_iter().map(map).collect::<anyhow::Result<Vec<_>>>()?;
    let mut fingerprint = put_together(data.dataset.as_ref(), &data.splits, &images, hash_of(&maps));
    fingerprint.classes = data.annotated.classes().len();
    Ok(fingerprint)
}

fn put_together(dataset: &dyn Dataset, splits: &Splits, images: &[String], masks: String) -> Fingerprint {
    let classes = dataset.classes();
    let line = |index: usize| {
        let record = dataset.records().get(index);
        let label = record.and_then(|record| classes.get(record.label?)).map_or("", String::as_str);
        let id = record.map_or("", |record| record.id.as_str());
        // JSON keeps apart what a separator could run together.
        serde_json::json!([id, label, images.get(index)]).to_string() + "\n"
    };
    let lines: Vec<String> = (0..dataset.len()).map(line).collect();
    let of_lines = |indices: &[usize]| hash_of(indices.iter().filter_map(|&index| lines.get(index)));
    let images = hash_of([classes.join("\n")].iter().chain(&lines));
    let parts = splits.parts().map(|(split, indices)| format!("{split:?} {}\n", of_lines(indices)));
    let test = of_lines(&splits.test);
    let data = hash_of([&images, &masks].into_iter().chain(&parts));
    Fingerprint { data, images, test, masks, classes: classes.len() }
}

/// What every image is made of, hashed.
fn image_hashes(dataset: &dyn Dataset, hashes: &FileHashes) -> anyhow::Result<Vec<String>> {
    let origins: Vec<Origin> = (0..dataset.len()).map(|index| dataset.origin(index)).collect();
    resolve(&origins, hashes, |index| Ok(content_hash(&dataset.image(index)?)))
}

fn mask_hash(masks: &MaskSource, images: &[String], hashes: &FileHashes) -> anyhow::Result<String> {
    let settings = masks.settings();
    if settings.source == "none" {
        return Ok("none".to_owned());
    }
    let mut lines = vec![format!("{}\n", settings.source)];
    if let Some(native) = masks.made_from() {
        let dataset = masks.dataset();
        let origins: Vec<Origin> = (0..dataset.len()).map(|index| dataset.mask_origin(index, native)).collect();
        let pixels = |index| {
            let mask = dataset.mask(index, native)?;
            Ok(mask.as_ref().map_or_else(String::new, values_hash))
        };
        let own = resolve(&origins, hashes, pixels)?;
        lines.push(format!("{native} {}\n", settings.seed));
        // A mask made by a rule is made of its image.
        let of_image = |index: usize| match origins.get(index) {
            Some(Origin::Rule(_)) => images.get(index).map_or("", String::as_str),
            _ => "",
        };
        lines.extend(own.iter().enumerate().map(|(index, own)| format!("{own} {}\n", of_image(index))));
    }
    Ok(hash_of(&lines))
}

/// A hash, or a short text in its place, for each origin; `pixels` hashes what has to be decoded.
fn resolve(
    origins: &[Origin],
    hashes: &FileHashes,
    pixels: impl Fn(usize) -> anyhow::Result<String> + Sync,
) -> anyhow::Result<Vec<String>> {
    let mut files: Vec<_> = origins
        .iter()
        .filter_map(|origin| match origin {
            Origin::File(path) | Origin::Within(path, _) => Some(path.clone()),
            _ => None,
        })
        .collect();
    files.sort();
    files.dedup();
    let known = hashes.of(&files)?;
    let of_file =
        |path: &PathBuf| files.binary_search(path).ok().and_then(|at| known.get(at)).map_or("", String::as_str);
    let one = |(index, origin): (usize, &Origin)| {
        Ok(match origin {
            Origin::File(path) => of_file(path).to_owned(),
            Origin::Within(path, place) => format!("{} {place}", of_file(path)),
            Origin::Rule(rule) => rule.clone(),
            Origin::Image => "image".to_owned(),
            Origin::Absent => "absent".to_owned(),
            Origin::Pixels => pixels(index)?,
        })
    };
    origins.par_iter().enumerate().map(one).collect()
}

fn values_hash(mask: &Mask) -> String {
    let mut digest = Sha256::new();
    digest.update((mask.width() as u64).to_le_bytes());
    digest.update((mask.height() as u64).to_le_bytes());
    mask.values().iter().for_each(|value| digest.update(value.to_le_bytes()));
    hex(&digest.finalize()[..16])
}

fn hash_of<'a>(lines: impl IntoIterator<Item = &'a String>) -> String {
    let mut digest = Sha256::new();
    lines.into_iter().for_each(|line| digest.update(line.as_bytes()));
    hex(&digest.finalize()[..16])
}
