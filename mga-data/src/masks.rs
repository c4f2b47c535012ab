//! Which mask an image trains with: the data set's own, or a control that tells whether the mask matters.
//!
//! | source | the mask |
//! |---|---|
//! | `"folder"`, `"alpha"`, `"silhouette"`, ... | the data set's own of that name |
//! | `"ones"` | 1 everywhere |
//! | `"shuffled"` | another image's, stretched to this one |
//! | `"inverted"` | 1 minus the data set's own |
//! | `"centre"` | a Gaussian about the middle of the picture |
//! | `"silhouette"` | where the data set does not know the outline: the convex hull of its own mask |
//! | `"none"` | none |

mod aspect;
mod cache;
pub(crate) mod contents;
mod controls;
pub(crate) mod files;
mod finder;
mod hull;
mod leftovers;
mod orientation;
mod proven;
mod reading;
mod settings;
mod supplied;
mod survey;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use mga_core::error::InvalidSetting;

pub use crate::area_resize::resize_area;
use crate::dataset::{Dataset, Record};
use crate::error::{Error, Result};
use crate::picture::{Mask, Picture};
pub use aspect::same_aspect;
pub use cache::{CachedMasks, MaskMaker};
pub use contents::MaskContents;
pub use files::{MaskFiles, mask_place, write_mask};
pub(crate) use finder::png_or_same;
pub use finder::{MaskFinder, MaskLayout};
pub use leftovers::remove_half_written;
pub use orientation::MaskOrientation;
pub(crate) use orientation::turned_as;
pub use reading::MaskReading;
use settings::SOURCE;
pub use settings::{EmptyMask, MaskSettings, MissingMask};
pub use supplied::{MaskSupply, Supplied};
pub(crate) use survey::other_aspect;
pub use survey::{MaskKind, MaskSurvey, survey};

/// The sources that need no data set to offer them.
pub const CONTROLS: [&str; 5] = ["ones", "shuffled", "inverted", "centre", "silhouette"];

/// The images behind [`MaskCounts`], by their numbers in the data set.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct MaskNotes {
    /// Images that have no mask.
    pub missing: Vec<usize>,
    /// Images whose mask is 0 everywhere.
    pub blank: Vec<usize>,
    /// Images whose mask has another size.
    pub resized: Vec<usize>,
}

/// How many images were seen without mask, with a blank one, or with one of another size. Each image counts once,
/// however often it was loaded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct MaskCounts {
    /// Images that have no mask.
    pub missing: usize,
    /// Masks that are 0 everywhere.
    pub blank: usize,
    /// Masks brought to their image's size by area average.
    pub resized: usize,
}

const MISSING: u8 = 1;
const BLANK: u8 = 2;
const RESIZED: u8 = 4;

enum Kind {
    None,
    Ones,
    Centre,
    Native(&'static str),
    Inverted(&'static str),
    Hull(&'static str),
    /// Of each image, the one whose mask it gets.
    Shuffled(&'static str, Vec<Option<usize>>),
}

/// Images of a data set with the masks the experiment asks for. Shared by the loader's threads; what it gives is a
/// function of settings, data set and index.
pub struct MaskSource {
    settings: MaskSettings,
    name: String,
    dataset: Arc<dyn Dataset>,
    kind: Kind,
    seen: Vec<AtomicU8>,
}

impl MaskSource {
    /// Resolves the source's name against what the data set offers: its first source where the settings name none.
    ///
    /// # Errors
    /// A source that is neither a control nor offered, no source at all, and `"shuffled"` where fewer than two images have
    /// masks.
    pub fn new(settings: MaskSettings, dataset: Arc<dyn Dataset>) -> Result<Self> {
        let offered = dataset.mask_sources();
        let native = |key, name: &str| {
            offered.iter().copied().find(|o| *o == name).ok_or_else(|| unknown_source_at(key, name, offered))
        };
        // Where nothing is offered either, the error says where masks in files are set.
        let name = settings.source.as_deref().or(offered.first().copied()).unwrap_or("folder").to_owned();
        let of = || match &settings.of {
            Some(name) => native("data.masks.of", name),
            None => offered.first().copied().ok_or_else(|| unknown_source(&name, offered)),
        };
        let kind = match name.as_str() {
            "none" => Kind::None,
            "ones" => Kind::Ones,
            "centre" => Kind::Centre,
            "inverted" => Kind::Inverted(of()?),
            "silhouette" if !offered.contains(&"silhouette") => Kind::Hull(of()?),
            "shuffled" => {
                let of = of()?;
                Kind::Shuffled(of, controls::partners(dataset.as_ref(), of, settings.seed)?)
            }
            name => Kind::Native(native(SOURCE, name)?),
        };
        let seen = (0..dataset.len()).map(|_| AtomicU8::new(0)).collect();
        Ok(Self { settings, name, dataset, kind, seen })
    }

    /// The name of the source or control that the masks come from.
    pub fn source(&self) -> &str {
        &self.name
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &MaskSettings {
        &self.settings
    }

    /// The data set behind.
    pub fn dataset(&self) -> &Arc<dyn Dataset> {
        &self.dataset
    }

    /// The data set's source that the masks come from, or that a control is made from; `None`: they come from nowhere.
    pub fn made_from(&self) -> Option<&'static str> {
        match &self.kind {
            Kind::Native(name) | Kind::Inverted(name) | Kind::Hull(name) | Kind::Shuffled(name, _) => Some(name),
            Kind::None | Kind::Ones | Kind::Centre => None,
        }
    }

    /// Image `index` and its mask, of one size. `None`: the source is `"none"`, or the mask is missing or blank and the
    /// settings have the image train without.
    ///
    /// # Errors
    /// What cannot be decoded, a mask of another aspect, and a missing mask where `missing = "error"`.
    pub fn load(&self, index: usize) -> Result<(Picture, Option<Mask>)> {
        let (picture, mask) = self.load_optional(index)?;
        if mask.is_none() && self.settings.missing == MissingMask::Error && self.has(index, MISSING) {
            return Err(self.fault(index, &self.missing(index)));
        }
        Ok((picture, mask))
    }

    /// What the files of these images' masks hold. Empty where the masks lie in no files.
    pub fn survey(&self, images: &[usize]) -> MaskSurvey {
        match self.made_from() {
            Some(from) => survey(self.dataset.as_ref(), from, images, &self.settings.reading),
            None => MaskSurvey::default(),
        }
    }

    /// What to say of image `index`, which has no mask and needs one.
    pub fn missing(&self, index: usize) -> String {
        let source = &self.name;
        let looked = self.made_from().map_or_else(String::new, |from| self.dataset.missing_mask(index, from));
        let looked = if looked.is_empty() { looked } else { format!(" ({looked})") };
        format!("has no mask from source `{source}`{looked}: add one, or set data.masks.missing = \"no-loss\"")
    }

    /// [`MaskSource::load`] for evaluation, which needs no masks: a missing one is `None` whatever the settings.
    ///
    /// # Errors
    /// What cannot be decoded, and a mask of another aspect.
    pub fn load_optional(&self, index: usize) -> Result<(Picture, Option<Mask>)> {
        // A mask within the image's file is decoded with it, once.
        let (picture, own) = match self.own() {
            Some(name) => self.dataset.image_and_mask(index, name)?,
            None => (self.dataset.image(index)?, None),
        };
        let mask = self.made(index, (picture.width(), picture.height()), own)?;
        Ok((picture, mask))
    }

    /// The mask alone, for whoever has image `index` already, which is of this size (width, height).
    ///
    /// # Errors
    /// As [`MaskSource::load_optional`].
    pub fn mask_of(&self, index: usize, size: (usize, usize)) -> Result<Option<Mask>> {
        let own = self.own().map(|name| self.dataset.mask(index, name)).transpose()?.flatten();
        self.made(index, size, own)
    }

    /// The data set's source that an image's mask is made from, where it is made from its own.
    fn own(&self) -> Option<&'static str> {
        match &self.kind {
            Kind::Native(name) | Kind::Inverted(name) | Kind::Hull(name) => Some(name),
            Kind::None | Kind::Ones | Kind::Centre | Kind::Shuffled(..) => None,
        }
    }

    /// The mask of an image of this size, made from the data set's own where the source needs it; what is odd is noted.
    fn made(&self, index: usize, size: (usize, usize), own: Option<Mask>) -> Result<Option<Mask>> {
        let (width, height) = size;
        let mask = match &self.kind {
            Kind::None => return Ok(None),
            Kind::Ones => Some(Mask::filled(width, height, 1.0)),
            Kind::Centre => Some(controls::centre(width, height)),
            Kind::Native(name) => self.sized(index, name, size, own)?,
            Kind::Inverted(name) => self.sized(index, name, size, own)?.map(|mut mask| {
                mask.values_mut().iter_mut().for_each(|v| *v = 1.0 - *v);
                mask
            }),
            Kind::Hull(name) => self.sized(index, name, size, own)?.map(|mask| hull::filled(&mask)),
            Kind::Shuffled(of, partners) => {
                let partner = partners.get(index).copied().flatten();
                let mask = partner.map(|partner| self.dataset.mask(partner, of)).transpose()?.flatten();
                mask.map(|mask| resize_area(&mask, width, height))
            }
        };
        let Some(mask) = mask else {
            self.note(index, MISSING);
            return Ok(None);
        };
        // Neither what is 0 nor what is ignored says anything.
        let blank = !mask.values().iter().any(|&v| v > 0.0);
        if blank {
            self.note(index, BLANK);
        }
        let skip = blank && self.settings.empty == EmptyMask::Skip;
        Ok((!skip).then_some(mask))
    }

    /// Whether image `index` has no mask, as far as that is told without decoding pixels.
    pub fn lacks(&self, index: usize) -> bool {
        match &self.kind {
            Kind::None => true,
            Kind::Ones | Kind::Centre => false,
            Kind::Native(of) | Kind::Inverted(of) | Kind::Hull(of) => !self.dataset.has_mask(index, of),
            Kind::Shuffled(_, partners) => partners.get(index).copied().flatten().is_none(),
        }
    }

    /// The data set's own mask at the picture's size.
    fn sized(&self, index: usize, source: &str, size: (usize, usize), mask: Option<Mask>) -> Result<Option<Mask>> {
        let Some(mask) = mask else { return Ok(None) };
        let own = (mask.width(), mask.height());
        if size == own {
            return Ok(Some(mask));
        }
        if !self.settings.reading.stretch && !same_aspect(size, own) {
            let ((w, h), (mw, mh)) = (size, own);
            let what = format!(
                "is {w} x {h}, but its mask from source `{source}` is {mw} x {mh}: expected one aspect; make it anew, or \
                 set data.masks.stretch = true where masks were squeezed to another shape"
            );
            return Err(self.fault(index, &what));
        }
        self.note(index, RESIZED);
        Ok(Some(resize_area(&mask, size.0, size.1)))
    }

    /// What was seen so far.
    pub fn counts(&self) -> MaskCounts {
        let count = |flag| (0..self.seen.len()).filter(|&index| self.has(index, flag)).count();
        MaskCounts { missing: count(MISSING), blank: count(BLANK), resized: count(RESIZED) }
    }

    /// What was seen so far that a person should know of, one line each, with the first image it concerns.
    pub fn warnings(&self) -> Vec<String> {
        let kinds = [
            (MISSING, "have no mask"),
            (BLANK, "have a mask that is 0 everywhere"),
            (RESIZED, "have a mask of another size, resized by area average"),
        ];
        let line = |(flag, what)| {
            let mut images = (0..self.seen.len()).filter(|&index| self.has(index, flag));
            let first = images.next()?;
            let id = self.dataset.records().get(first).map_or("", |record| record.id.as_str());
            Some(format!("{} images {what} (first: {id})", 1 + images.count()))
        };
        kinds.into_iter().filter_map(line).chain(self.dataset.mask_notes()).collect()
    }

    /// What was seen so far, image by image, to be kept with the state of a run.
    pub fn notes(&self) -> MaskNotes {
        let all = |flag| (0..self.seen.len()).filter(|&index| self.has(index, flag)).collect();
        MaskNotes { missing: all(MISSING), blank: all(BLANK), resized: all(RESIZED) }
    }

    /// Counts what an earlier process saw as seen. Numbers of images that are not there are ignored.
    pub fn recall(&self, notes: &MaskNotes) {
        for (indices, flag) in [(&notes.missing, MISSING), (&notes.blank, BLANK), (&notes.resized, RESIZED)] {
            indices.iter().for_each(|&index| self.note(index, flag));
        }
    }

    fn note(&self, index: usize, flag: u8) {
        if let Some(seen) = self.seen.get(index) {
            seen.fetch_or(flag, Ordering::Relaxed);
        }
    }

    fn has(&self, index: usize, flag: u8) -> bool {
        self.seen.get(index).is_some_and(|seen| seen.load(Ordering::Relaxed) & flag != 0)
    }

    fn fault(&self, index: usize, what: &str) -> Error {
        match self.dataset.records().get(index) {
            Some(Record { path: Some(path), .. }) => Error::file(path, what),
            Some(record) => Error::file(&record.id, what),
            None => Error::settings(format!("image {index} {what}")),
        }
    }
}

/// The error of a mask source that is neither offered nor a control.
pub(crate) fn unknown_source(name: &str, offered: &[&'static str]) -> Error {
    unknown_source_at(SOURCE, name, offered)
}

/// The same of a source that the setting `key` names.
fn unknown_source_at(key: &str, name: &str, offered: &[&'static str]) -> Error {
    let controls = CONTROLS.into_iter().filter(|control| !offered.contains(control));
    let known: Vec<&str> = offered.iter().copied().chain(controls).chain(["none"]).collect();
    let nearest =
        known.iter().copied().max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)));
    let hint = match name {
        "folder" => "; masks in files need their folder (`data.mask_root`, or the column `mask` of a table)".to_owned(),
        _ if CONTROLS.contains(&name) => "; this control is made from masks, and the data set has none".to_owned(),
        _ => nearest
            .filter(|nearest| strsim::jaro_winkler(nearest, name) > 0.8)
            .map_or_else(String::new, |nearest| format!("; did you mean `{nearest}`?")),
    };
    let what = format!("this data set offers no masks `{name}`{hint}; expected one of: {}", known.join(", "));
    Error::UnknownMaskSource(InvalidSetting { key: key.to_owned(), what })
}

#[cfg(test)]
mod tests;
