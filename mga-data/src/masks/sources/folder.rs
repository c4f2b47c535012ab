//! `folder`: mask files in a folder that the experiment names, or that the data set knows.

use std::sync::Arc;

use mga_registry::Entry;

use crate::dataset::Dataset;
use crate::error::Result;
use crate::masks::files::MaskFiles;
use crate::masks::settings::{FOLDER, MaskSettings};
use crate::masks::source_kind::{MadeOf, MaskSources, RegisteredMaskSource};
use crate::masks::supplied::MaskSupply;
use crate::recognition::{MaskPlace, RecognisedMasks, mask_files};

/// Returns `folder` as it is registered.
pub(super) fn entry() -> Entry<MaskSources> {
    Entry::<MaskSources>::new(FOLDER, "mask files", Arc::new(Folder))
}

struct Folder;

impl RegisteredMaskSource for Folder {
    fn made_of(&self) -> MadeOf {
        MadeOf::Files
    }

    /// Of the folder that the settings name; without one the data set brings the files itself.
    fn supply(&self, settings: &MaskSettings, dataset: &dyn Dataset) -> Result<Option<Arc<dyn MaskSupply>>> {
        let MaskSettings { folder, mask_name, mask_layout, reading, .. } = settings;
        let Some(folder) = folder else { return Ok(None) };
        let how = (mask_name.as_deref(), *mask_layout);
        Ok(Some(Arc::new(MaskFiles::find(dataset, folder, how, reading.clone())?)))
    }

    /// Those in a folder of masks beside the images.
    fn recognise(&self, place: &MaskPlace<'_>) -> Result<Option<RecognisedMasks>> {
        let Some(files) = mask_files(place.folder, place.images)? else { return Ok(None) };
        let count = files.iter().flatten().count();
        let why = format!("a folder of masks has those of {count} of {} images", place.images.len());
        Ok(Some(RecognisedMasks { images: count, files: Some(files), settings: Vec::new(), why }))
    }
}
