//! The mask that an image trains with: the data set's own, or a control that tells whether the mask matters.
//!
//! Sources are components ([`MaskSources`]); these are this crate's, each a file below `sources`.
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
pub(crate) mod files;
mod finder;
pub(crate) mod hull;
mod leftovers;
mod orientation;
mod proven;
mod reading;
pub(crate) mod settings;
pub(crate) mod source_kind;
pub(crate) mod sources;
pub(crate) mod supplied;
mod supplying;
mod survey;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use mga_core::error::InvalidSetting;
use mga_registry::{Entry, Registry};
use serde_json::{Map, Value};

pub use crate::area_resize::resize_area;
use crate::dataset::{Dataset, Record};
use crate::datasets::entry::PATH_MARK;
use crate::error::{Error, Result};
use crate::picture::{Mask, Picture};
use crate::spelling::nearest;
pub use aspect::same_aspect;
pub use cache::{CachedMasks, MaskMaker};
pub use contents::MaskContents;
pub use files::{MaskFiles, mask_place, write_mask};
pub(crate) use finder::png_or_same;
pub use finder::{MaskFinder, MaskLayout};
pub use leftovers::remove_half_written;
use mga_core::wording::counted;
pub use orientation::MaskOrientation;
pub(crate) use orientation::turned_as;
pub use reading::MaskReading;
pub use settings::{EmptyMask, FOLDER, MaskSettings, MissingMask};
use settings::{OF, SOURCE};
pub use source_kind::{MadeOf, MaskControl, MaskSources, RegisteredMaskSource};
pub(crate) use sources::Alpha;
pub use supplied::{MaskSupply, Supplied};
pub use supplying::with_supplied_masks;
pub(crate) use survey::other_aspect;
pub use survey::{MaskKind, MaskSurvey, survey};

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

/// The counts of images without a mask, with a blank mask, or with a mask of another size. Each image counts once,
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
    /// The data set's masks of that name.
    Native(&'static str),
    /// A control, and the data set's masks that it is made from.
    Control(MaskControl, Option<&'static str>),
}

/// What is told by the source alone.
struct About {
    kind: Kind,
    /// Its own settings, as text; see [`MaskSource::own_settings`].
    own_settings: String,
    coverage_is_meant: bool,
}

/// Images of a data set with the masks the experiment asks for. Shared by the loader's threads; what it gives is a
/// function of settings, data set and index.
pub struct MaskSource {
    settings: MaskSettings,
    name: String,
    dataset: Arc<dyn Dataset>,
    about: Arc<About>,
    seen: Vec<AtomicU8>,
}

impl MaskSource {
    /// Resolves the source's name against what the data set offers, its first source where the settings name none, and then
    /// against the sources that are registered. `dataset` is as [`with_supplied_masks`] gives it.
    ///
    /// # Errors
    /// A source that is neither offered nor registered, no source at all, one that gives no masks though it is meant to, and
    /// `"shuffled"` where fewer than two images have masks.
    pub fn new(settings: MaskSettings, dataset: Arc<dyn Dataset>, registry: &Registry) -> Result<Self> {
        let offered = dataset.mask_sources();
        let native = |key, name: &str| {
            let found = offered.iter().copied().find(|offered| *offered == name);
            found.ok_or_else(|| unknown_source_at(key, name, offered, registry))
        };
        // Where nothing is offered either, the error says where masks in files are set.
        let name = settings.source_name().or(offered.first().copied()).unwrap_or(FOLDER).to_owned();
        let of = || match &settings.of {
            Some(of) => native(OF, &of.name),
            None => offered.first().copied().ok_or_else(|| unknown_source(&name, offered, registry)),
        };
        let entry = registry.get::<MaskSources>(&name);
        let control = entry.filter(|entry| !offered.contains(&name.as_str()) && entry.item.made_of() != MadeOf::Files);
        let kind = match control {
            None => Kind::Native(native(SOURCE, &name)?),
            Some(entry) => {
                let of = if entry.item.made_of() == MadeOf::Masks { Some(of()?) } else { None };
                let control = entry.item.control(&settings, dataset.as_ref(), of.unwrap_or_default())?;
                if matches!(control, MaskControl::Absent) && entry.item.made_of() != MadeOf::Nothing {
                    let what = format!(
                        "mask source `{name}` supplies no masks to this data set, and is no control; name another \
                         source, or \"none\" to have no masks"
                    );
                    return Err(Error::setting(SOURCE, what));
                }
                Kind::Control(control, of)
            }
        };
        let own_settings = entry.map_or_else(String::new, |entry| own_settings(entry, &settings.own));
        let coverage_is_meant = control.is_some_and(|entry| entry.item.coverage_is_meant());
        let about = Arc::new(About { kind, own_settings, coverage_is_meant });
        Ok(Self::of(settings, name, dataset, about))
    }

    /// Creates a source without masks for any image.
    #[must_use]
    pub fn none(dataset: Arc<dyn Dataset>) -> Self {
        let kind = Kind::Control(MaskControl::Absent, None);
        let about = Arc::new(About { kind, own_settings: String::new(), coverage_is_meant: false });
        Self::of(MaskSettings::of_source("none"), "none".to_owned(), dataset, about)
    }

    /// Returns the same masks with no counts yet.
    #[must_use]
    pub fn unseen(&self) -> Self {
        Self::of(self.settings.clone(), self.name.clone(), Arc::clone(&self.dataset), Arc::clone(&self.about))
    }

    fn of(settings: MaskSettings, name: String, dataset: Arc<dyn Dataset>, about: Arc<About>) -> Self {
        let seen = (0..dataset.len()).map(|_| AtomicU8::new(0)).collect();
        Self { settings, name, dataset, about, seen }
    }

    /// Returns the name of the source or control that the masks come from.
    pub fn source(&self) -> &str {
        &self.name
    }

    /// Returns the settings it was made with.
    pub fn settings(&self) -> &MaskSettings {
        &self.settings
    }

    /// Returns the data set behind.
    pub fn dataset(&self) -> &Arc<dyn Dataset> {
        &self.dataset
    }

    /// Returns whether no image has a mask.
    pub fn is_none(&self) -> bool {
        matches!(self.about.kind, Kind::Control(MaskControl::Absent, _))
    }

    /// Returns whether images get the masks of others.
    pub fn is_exchanged(&self) -> bool {
        matches!(self.about.kind, Kind::Control(MaskControl::Exchanged(_), _))
    }

    /// Returns whether the masks cover what they are meant to cover, be it everything or nothing.
    pub fn coverage_is_meant(&self) -> bool {
        self.about.coverage_is_meant
    }

    /// Returns the source's own settings as JSON, in alphabetical order and without those that are paths; empty: it has
    /// none. Masks with other settings are other masks.
    pub fn own_settings(&self) -> &str {
        &self.about.own_settings
    }

    /// Returns the data set's source that the masks come from, or that a control is made from; `None`: they come from
    /// nowhere.
    pub fn made_from(&self) -> Option<&'static str> {
        match &self.about.kind {
            Kind::Native(name) => Some(name),
            Kind::Control(_, of) => *of,
        }
    }

    /// Loads image `index` and its mask, of one size. The mask is `None` if the source is `"none"`, or if the mask is
    /// missing or blank and the settings let the image train without it.
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

    /// Returns the survey of the files of these images' masks. It is empty if the masks are not files.
    pub fn survey(&self, images: &[usize]) -> MaskSurvey {
        match self.made_from() {
            Some(from) => survey(self.dataset.as_ref(), from, images, &self.settings.reading),
            None => MaskSurvey::default(),
        }
    }

    /// Returns the message about image `index`, which has no mask and needs one.
    pub fn missing(&self, index: usize) -> String {
        let source = &self.name;
        let looked = self.made_from().map_or_else(String::new, |from| self.dataset.missing_mask(index, from));
        let looked = if looked.is_empty() { looked } else { format!(" ({looked})") };
        format!("has no mask from source `{source}`{looked}: add one, or set data.masks.missing = \"no-loss\"")
    }

    /// Loads image and mask like [`MaskSource::load`], but for evaluation, which needs no masks. A missing mask is
    /// `None` whatever the settings.
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

    /// Returns the mask alone, for whoever has image `index` already, which is of this size (width, height).
    ///
    /// # Errors
    /// As [`MaskSource::load_optional`].
    pub fn mask_of(&self, index: usize, size: (usize, usize)) -> Result<Option<Mask>> {
        let own = self.own().map(|name| self.dataset.mask(index, name)).transpose()?.flatten();
        self.made(index, size, own)
    }

    /// The data set's source that an image's mask is made from, where it is made from its own.
    fn own(&self) -> Option<&'static str> {
        match &self.about.kind {
            Kind::Native(name) | Kind::Control(MaskControl::Changed(_), Some(name)) => Some(name),
            Kind::Control(..) => None,
        }
    }

    /// The mask of an image of this size, made from the data set's own where the source needs it; what is odd is noted.
    fn made(&self, index: usize, size: (usize, usize), own: Option<Mask>) -> Result<Option<Mask>> {
        let (width, height) = size;
        let mask = match &self.about.kind {
            Kind::Native(name) => self.sized(index, name, size, own)?,
            Kind::Control(MaskControl::Absent, _) => return Ok(None),
            Kind::Control(MaskControl::Drawn(draw), _) => Some(draw(width, height)),
            Kind::Control(MaskControl::Changed(change), of) => {
                self.sized(index, of.unwrap_or_default(), size, own)?.map(change)
            }
            Kind::Control(MaskControl::Exchanged(partners), of) => {
                let partner = partners.get(index).copied().flatten().zip(*of);
                let mask = partner.map(|(partner, of)| self.dataset.mask(partner, of)).transpose()?.flatten();
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

    /// Returns whether image `index` has no mask, as far as that is told without decoding pixels.
    pub fn lacks(&self, index: usize) -> bool {
        match &self.about.kind {
            Kind::Native(of) | Kind::Control(MaskControl::Changed(_), Some(of)) => !self.dataset.has_mask(index, of),
            Kind::Control(MaskControl::Drawn(_), _) => false,
            Kind::Control(MaskControl::Exchanged(partners), _) => partners.get(index).copied().flatten().is_none(),
            Kind::Control(MaskControl::Absent | MaskControl::Changed(_), _) => true,
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

    /// Returns the counts of images seen so far.
    pub fn counts(&self) -> MaskCounts {
        let count = |flag| (0..self.seen.len()).filter(|&index| self.has(index, flag)).count();
        MaskCounts { missing: count(MISSING), blank: count(BLANK), resized: count(RESIZED) }
    }

    /// Returns the warnings about images seen so far, one line each, with the first image concerned.
    pub fn warnings(&self) -> Vec<String> {
        let kinds = [
            (MISSING, "without a mask"),
            (BLANK, "with a mask that is 0 everywhere"),
            (RESIZED, "with a mask of another size, resized by area average"),
        ];
        let line = |(flag, what)| {
            let mut images = (0..self.seen.len()).filter(|&index| self.has(index, flag));
            let first = images.next()?;
            let id = self.dataset.records().get(first).map_or("", |record| record.id.as_str());
            Some(format!("{} {what} (first: {id})", counted(1 + images.count(), "image", "images")))
        };
        kinds.into_iter().filter_map(line).chain(self.dataset.mask_notes()).collect()
    }

    /// Returns the notes on images seen so far, image by image, for the state of a run.
    pub fn notes(&self) -> MaskNotes {
        let all = |flag| (0..self.seen.len()).filter(|&index| self.has(index, flag)).collect();
        MaskNotes { missing: all(MISSING), blank: all(BLANK), resized: all(RESIZED) }
    }

    /// Counts images that an earlier process noted as seen. Indices of images that do not exist are ignored.
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

/// A source's own settings as JSON, in alphabetical order and without paths; empty where it has none.
fn own_settings(entry: &Entry<MaskSources>, own: &Map<String, Value>) -> String {
    let paths: Vec<&str> = entry.marked(PATH_MARK).into_iter().map(|(key, _)| key).collect();
    let known = |key: &&String| !paths.contains(&key.as_str());
    let sorted: BTreeMap<&String, &Value> = own.iter().filter(|(key, _)| known(key)).collect();
    if sorted.is_empty() { String::new() } else { serde_json::json!(sorted).to_string() }
}

/// The error of a mask source that is neither offered nor registered.
pub(crate) fn unknown_source(name: &str, offered: &[&'static str], registry: &Registry) -> Error {
    unknown_source_at(SOURCE, name, offered, registry)
}

/// The same of a source that the setting `key` names.
fn unknown_source_at(key: &str, name: &str, offered: &[&'static str], registry: &Registry) -> Error {
    let registered = |segmenters: bool| {
        let of_kind = move |made_of| made_of != MadeOf::Files && (made_of == MadeOf::Segmenter) == segmenters;
        let all = registry.all::<MaskSources>().iter().filter(move |entry| of_kind(entry.item.made_of()));
        all.map(|entry| entry.name.as_str()).filter(|name| !offered.contains(name))
    };
    let known: Vec<&str> = offered.iter().copied().chain(registered(false)).collect();
    let segmenters: Vec<&str> = registered(true).collect();
    let near = nearest(name, known.iter().chain(&segmenters).copied());
    let hint = match registry.get::<MaskSources>(name).map(|entry| entry.item.made_of()) {
        Some(MadeOf::Files) => {
            "; masks in files need their folder (`data.mask_root`, or the column `mask` of a table)".to_owned()
        }
        Some(MadeOf::Masks) => "; this control is made from masks, and the data set has none".to_owned(),
        _ => near.map_or_else(String::new, |near| format!("; did you mean `{near}`?")),
    };
    let mut what = format!("this data set offers no masks `{name}`{hint}; expected one of: {}", known.join(", "));
    if !segmenters.is_empty() {
        what += &format!("; or a segmenter: {}", segmenters.join(", "));
    }
    Error::UnknownMaskSource(InvalidSetting { key: key.to_owned(), what })
}

#[cfg(test)]
mod tests;
