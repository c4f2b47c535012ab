//! The interface of a data set: records that can be listed without decoding, and pictures and masks by index.

use std::path::PathBuf;

use crate::error::Result;
use crate::masks::contents::MaskContents;
use crate::picture::{Mask, Picture};

/// A part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// Images the weights are fitted to.
    Train,
    /// Images taken from train to select a checkpoint on.
    Validation,
    /// Images evaluated once, at the end.
    Test,
}

impl Split {
    /// Returns the part that a word stands for, in any case: `train`, `Training`, `train_set`, `val`, `TEST images`,
    /// ...
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        let word = word.trim().to_lowercase();
        let stem = ["set", "images", "data"].iter().find_map(|more| word.strip_suffix(more)).unwrap_or(&word);
        match stem.trim_end_matches([' ', '_', '-']) {
            "train" | "training" => Some(Self::Train),
            "val" | "valid" | "validation" | "dev" => Some(Self::Validation),
            "test" | "testing" => Some(Self::Test),
            _ => None,
        }
    }

    /// Returns the name: `train`, `validation` or `test`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

/// An image of a data set, as known before it is decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The name shown to people and written to `predictions.csv`: a path relative to the root where there is one.
    /// Unique within the data set.
    pub id: String,
    /// The path of the image, for data sets of files.
    pub path: Option<PathBuf>,
    /// Index into [`Dataset::classes`]; `None` where the image carries no label.
    pub label: Option<usize>,
    /// Images that must never be on two sides of a split (one plant, one specimen).
    pub group: Option<String>,
    /// The split the data set itself assigns; `None` where it leaves that to the experiment.
    pub split: Option<Split>,
}

/// The origin of an image or a mask. The pixels stay the same as long as the origin does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file of its own.
    File(PathBuf),
    /// A file that holds many, and its place there.
    Within(PathBuf, usize),
    /// A rule, with all that it depends on written out; a mask's rule may use its image too.
    Rule(String),
    /// Of a mask: the file of its image.
    Image,
    /// There is none.
    Absent,
    /// Not known: it has to be decoded.
    Pixels,
}

/// A labelled set of images, some with masks. Shared by the loader's threads.
pub trait Dataset: Send + Sync {
    /// Class names in the order of the labels.
    fn classes(&self) -> &[String];

    /// Every image, in an order that depends on the data alone.
    fn records(&self) -> &[Record];

    /// Decodes image `index` of [`Dataset::records`].
    fn image(&self, index: usize) -> Result<Picture>;

    /// The masks this data set can give, first the default: `"folder"`, `"alpha"`, `"silhouette"`, ...
    fn mask_sources(&self) -> &[&'static str];

    /// Decodes a mask of image `index` from one of [`Dataset::mask_sources`]. `None`: this image has no such mask.
    fn mask(&self, index: usize, source: &str) -> Result<Option<Mask>>;

    /// Whether image `index` has a mask from `source`, told without decoding pixels. Controls that pair images ask it.
    fn has_mask(&self, index: usize, source: &str) -> bool {
        index < self.len() && self.mask_sources().contains(&source)
    }

    /// What image `index` is made of.
    fn origin(&self, index: usize) -> Origin {
        match self.records().get(index).and_then(|record| record.path.clone()) {
            Some(path) => Origin::File(path),
            None => Origin::Pixels,
        }
    }

    /// What the mask of image `index` from `source` is made of.
    fn mask_origin(&self, index: usize, source: &str) -> Origin {
        if self.has_mask(index, source) { Origin::Pixels } else { Origin::Absent }
    }

    /// What the file of the mask of image `index` from `source` holds. `None`: there is no such mask, or it lies in no file.
    ///
    /// # Errors
    /// A file that cannot be read as a mask.
    fn mask_contents(&self, _index: usize, _source: &str) -> Result<Option<MaskContents>> {
        Ok(None)
    }

    /// Where the mask of image `index` from `source` was looked for, and what lies near, for the message that there is none;
    /// empty where nothing can be said.
    fn missing_mask(&self, _index: usize, _source: &str) -> String {
        String::new()
    }

    /// What was noticed while masks were read, a line each.
    fn mask_notes(&self) -> Vec<String> {
        Vec::new()
    }

    /// Image and one of its masks together; overridden where both come from one file or one computation.
    fn image_and_mask(&self, index: usize, source: &str) -> Result<(Picture, Option<Mask>)> {
        Ok((self.image(index)?, self.mask(index, source)?))
    }

    /// Number of images.
    fn len(&self) -> usize {
        self.records().len()
    }

    /// Whether there is no image at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was left out or looked odd while opening (skipped files, resized masks), for the log.
    fn warnings(&self) -> &[String] {
        &[]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_parts() {
        for (word, split) in [
            ("train", Some(Split::Train)),
            ("TRAIN", Some(Split::Train)),
            ("Training", Some(Split::Train)),
            ("train_set", Some(Split::Train)),
            ("Test images", Some(Split::Test)),
            ("testset", Some(Split::Test)),
            ("Validation", Some(Split::Validation)),
            (" val ", Some(Split::Validation)),
            ("trains", None),
            ("oak", None),
            ("set", None),
            ("", None),
        ] {
            assert_eq!(Split::named(word), split, "{word}");
        }
    }
}
