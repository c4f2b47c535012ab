//! Mask sources as a kind of component.

use std::sync::Arc;

use mga_registry::Kind;

use super::settings::MaskSettings;
use super::supplied::MaskSupply;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::picture::Mask;
use crate::recognition::{MaskPlace, RecognisedMasks};

/// The kind of component that `data.masks.source` names, and `eval.reference_masks.source`.
///
/// A data set's own masks ([`crate::registry::OfferedMasks`]) can be named there too, and hide a source of the same name. The
/// schema of a source's settings, keys beside `source`, is that of its entry; settings that say where files lie carry the
/// extension [`crate::registry::PATH_MARK`]. All other settings are part of a run's identity.
#[derive(Debug)]
pub struct MaskSources;

impl Kind for MaskSources {
    type Item = dyn RegisteredMaskSource;
    const TITLE: &'static str = "mask sources";
    const KEY: &'static str = "data.masks.source";
}

/// A source of masks that is registered by its name.
///
/// A source either supplies masks image by image, of which controls can be made too, or it is a control. The same settings,
/// data set and image give the same mask, on any thread, every time.
pub trait RegisteredMaskSource: Send + Sync {
    /// Says what its masks are made of, which is known before the data set is open.
    fn made_of(&self) -> MadeOf;

    /// Opens the masks that it supplies to a data set. `None`: it supplies none, and is asked for its control.
    ///
    /// # Errors
    /// Settings that do not fit the data set; files that cannot be read.
    fn supply(&self, _settings: &MaskSettings, _dataset: &dyn Dataset) -> Result<Option<Arc<dyn MaskSupply>>> {
        Ok(None)
    }

    /// Opens the control that it is. `of` names the masks of the data set that a control is made from; it is empty where
    /// [`MadeOf`] is not [`MadeOf::Masks`]. [`MaskControl::Absent`] is an error unless the source is made of
    /// [`MadeOf::Nothing`].
    ///
    /// # Errors
    /// Settings that do not fit the data set.
    fn control(&self, _settings: &MaskSettings, _dataset: &dyn Dataset, _of: &str) -> Result<MaskControl> {
        Ok(MaskControl::Absent)
    }

    /// Says which masks of this source lie with images that nobody has described, and how they would be read; `None`: none do.
    /// Nothing there is changed. `mga init` asks it where the data set brings no masks.
    ///
    /// # Errors
    /// Files that cannot be read.
    fn recognise(&self, _place: &MaskPlace<'_>) -> Result<Option<RecognisedMasks>> {
        Ok(None)
    }

    /// Whether its masks cover what they are meant to cover, be it everything or nothing: then nobody is warned of it.
    fn coverage_is_meant(&self) -> bool {
        false
    }

    /// Whether it draws from `data.masks.seed`.
    fn draws(&self) -> bool {
        false
    }
}

/// The origin of masks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MadeOf {
    /// Nothing: no image has a mask.
    Nothing,
    /// A rule of the source's own, whose settings stand beside its name.
    Rule,
    /// Files in the folder that `data.masks.folder` names, or those of the data set.
    Files,
    /// The image, by a segmenter that `data.masks.segmenter` sets up.
    Segmenter,
    /// The masks that `data.masks.of` names.
    Masks,
}

impl MadeOf {
    /// Returns whether it is a control: a source that needs no masks of a data set, or changes them.
    #[must_use]
    pub fn is_control(self) -> bool {
        matches!(self, Self::Rule | Self::Masks)
    }
}

/// A control, which gives an image its mask.
pub enum MaskControl {
    /// Not at all.
    Absent,
    /// Drawn from the picture's width and height.
    Drawn(Box<dyn Fn(usize, usize) -> Mask + Send + Sync>),
    /// Made of the image's own mask, which has the picture's size.
    Changed(Box<dyn Fn(Mask) -> Mask + Send + Sync>),
    /// Of each image the one whose mask it gets, stretched to the picture's size.
    Exchanged(Vec<Option<usize>>),
}
