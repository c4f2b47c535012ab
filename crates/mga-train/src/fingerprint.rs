//! The fingerprint of a run's data: images, labels, splits and masks, whatever folder they lie in.

use std::path::PathBuf;

use mga_data::content_hash::content_hash;
use mga_data::dataset::{Dataset, Origin};
use mga_data::{Mask, Splits};
use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::file_hashes::{FileHashes, hex};

/// Hashes of a data set as an experiment uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint {
    /// The hash over everything: images, labels, splits and masks.
    pub data: String,
    /// The hash over the images and their labels, whichever split they are in.
    pub images: String,
    /// The hash over the images that are tested on, in their order. Predictions can be paired if it is equal.
    pub test: String,
    /// The hash over the masks, or `"none"` if none are used.
    pub masks: String,
    /// The hash over the names and labels of all images, and over the contents of those that train and select. A
    /// trained model depends only on these if nothing was selected on test.
    pub trained: String,
    /// The hash over the reference masks that attention is measured against; `None` if the experiment names none.
    pub reference: Option<String>,
    /// Number of classes.
    pub classes: usize,
}

/// Short texts that identify the contents of images and masks: the hash of a file, a position in one, or a rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Contents {
    /// Of the images.
    pub(crate) images: Vec<String>,
    /// Of the data set's masks; none where none are read.
    pub(crate) masks: Vec<String>,
    /// Of all masks, where an image may get another's.
    pub(crate) mixed: String,
}

impl Contents {
    /// Identifies image `index` and its mask.
    #[must_use]
    pub fn of(&self, index: usize) -> String {
        let [image, mask] = [&self.images, &self.masks].map(|all| all.get(index).map_or("", String::as_str));
        format!("{image} {mask} {}", self.mixed)
    }
}

/// `masks` is the hash of all masks, `mask` says what of it belongs to an image.
pub(crate) fn put_together(
    dataset: &dyn Dataset,
    splits: &Splits,
    images: &[String],
    masks: String,
    mask: impl Fn(usize) -> String,
) -> Fingerprint {
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
    let names: Vec<String> = dataset
        .records()
        .iter()
        .map(|record| {
            let label = record.label.and_then(|label| classes.get(label)).map_or("", String::as_str);
            serde_json::json!([record.id, label]).to_string() + "\n"
        })
        .collect();
    let read = splits.train.iter().chain(&splits.validation);
    let read: Vec<String> = read.filter_map(|&index| Some(lines.get(index)?.clone() + &mask(index))).collect();
    let order = format!("{:?}", splits.parts());
    let trained = hash_of([classes.join("\n"), order].iter().chain(&names).chain(&read));
    let images = hash_of([classes.join("\n")].iter().chain(&lines));
    let parts = splits.parts().map(|(split, indices)| format!("{split:?} {}\n", of_lines(indices)));
    let test = of_lines(&splits.test);
    let data = hash_of([&images, &masks].into_iter().chain(&parts));
    Fingerprint { data, images, test, masks, trained, reference: None, classes: classes.len() }
}

/// What every image is made of, hashed.
pub(crate) fn image_hashes(dataset: &dyn Dataset, hashes: &FileHashes) -> anyhow::Result<Vec<String>> {
    let origins: Vec<Origin> = (0..dataset.len()).map(|index| dataset.origin(index)).collect();
    resolve(&origins, hashes, |index| Ok(content_hash(&dataset.image(index)?)))
}

/// The file of every image, hashed, with its place where the file holds many; `None` for images that are no files. A rule
/// makes many images, so it tells none from another.
///
/// # Errors
/// A file that cannot be read.
pub fn file_contents(dataset: &dyn Dataset, hashes: &FileHashes) -> anyhow::Result<Vec<Option<String>>> {
    let origins: Vec<Origin> = (0..dataset.len()).map(|index| dataset.origin(index)).collect();
    let known = resolve(&origins, hashes, |_| Ok(String::new()))?;
    let of_file =
        |(origin, hash): (&Origin, String)| matches!(origin, Origin::File(_) | Origin::Within(..)).then_some(hash);
    Ok(origins.iter().zip(known).map(of_file).collect())
}

/// A hash, or a short text in its place, for each origin; `pixels` hashes what has to be decoded.
pub(crate) fn resolve(
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

/// Returns a hash of a mask's size and values.
#[must_use]
pub fn values_hash(mask: &Mask) -> String {
    let mut digest = Sha256::new();
    digest.update((mask.width() as u64).to_le_bytes());
    digest.update((mask.height() as u64).to_le_bytes());
    mask.values().iter().for_each(|value| digest.update(value.to_le_bytes()));
    hex(&digest.finalize()[..16])
}

pub(crate) fn hash_of<'a>(lines: impl IntoIterator<Item = &'a String>) -> String {
    let mut digest = Sha256::new();
    lines.into_iter().for_each(|line| digest.update(line.as_bytes()));
    hex(&digest.finalize()[..16])
}
