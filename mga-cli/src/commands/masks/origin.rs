//! The images that get masks, and where the masks come from.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use mga_data::background::Backdrop;
use mga_data::dataset::Dataset;
use mga_data::error::shown;
use mga_data::masks::{MaskMaker, MaskReading, mask_place, resize_area, same_aspect};
use mga_data::{Mask, Picture, decode};
use mga_train::file_hashes::hex;
use mga_train::image_files;
use mga_train::segmenting::{Maker, Provenance};
use sha2::{Digest, Sha256};

/// Images with names, perhaps with classes.
pub(super) enum Images {
    /// A data set's.
    Dataset(Arc<dyn Dataset>),
    /// Files below a folder, named relative to it.
    Files {
        /// Path and name.
        files: Vec<(PathBuf, String)>,
        /// What was passed over.
        notes: Vec<String>,
    },
}

impl Images {
    pub(super) fn of_dataset(dataset: Arc<dyn Dataset>) -> Self {
        Self::Dataset(dataset)
    }

    /// Every image below `folder`, sorted.
    pub(super) fn of_folder(folder: &Path) -> anyhow::Result<Self> {
        let (mut found, mut notes) = (Vec::new(), Vec::new());
        image_files::collect(folder, &mut found, &mut notes)?;
        anyhow::ensure!(!found.is_empty(), "{}: there is no image in this folder", folder.display());
        // Masks are named after their images, and two such names could become one.
        if let Some(path) = found.iter().find(|path| path.to_str().is_none()) {
            anyhow::bail!("{}: has a name that is not UTF-8: rename it, and others like it", shown(path));
        }
        let name = |path: &Path| {
            let parts = path.strip_prefix(folder).unwrap_or(path).components();
            parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
        };
        let files = found.into_iter().map(|path| (path.clone(), name(&path))).collect();
        Ok(Self::Files { files, notes })
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Dataset(dataset) => dataset.len(),
            Self::Files { files, .. } => files.len(),
        }
    }

    pub(super) fn notes(&self) -> &[String] {
        match self {
            Self::Dataset(dataset) => dataset.warnings(),
            Self::Files { notes, .. } => notes,
        }
    }

    pub(super) fn id(&self, index: usize) -> &str {
        match self {
            Self::Dataset(dataset) => dataset.records().get(index).map_or("", |record| &record.id),
            Self::Files { files, .. } => files.get(index).map_or("", |(_, name)| name),
        }
    }

    /// The class of an image; of files the folder that they lie in.
    pub(super) fn class(&self, index: usize) -> Option<String> {
        match self {
            Self::Dataset(dataset) => dataset.classes().get(dataset.records().get(index)?.label?).cloned(),
            Self::Files { files, .. } => files.get(index)?.1.rsplit_once('/').map(|(folder, _)| folder.to_owned()),
        }
    }

    pub(super) fn picture(&self, index: usize) -> anyhow::Result<Picture> {
        match self {
            Self::Dataset(dataset) => Ok(dataset.image(index)?),
            Self::Files { files, .. } => {
                let (path, id) = files.get(index).context("no such image")?;
                Ok(decode::picture(path, &Backdrop::default(), id)?)
            }
        }
    }

    /// Where each mask lies in the folder.
    ///
    /// # Errors
    /// Two images with one place, by name.
    pub(super) fn places(&self) -> anyhow::Result<Vec<PathBuf>> {
        let mut taken = std::collections::BTreeMap::new();
        let mut places = vec![];
        for index in 0..self.len() {
            let place = mask_place(self.id(index));
            if let Some(other) = taken.insert(place.clone(), index) {
                anyhow::bail!(
                    "the masks of `{}` and `{}` would both be {}; rename one of the images",
                    self.id(other),
                    self.id(index),
                    place.display()
                );
            }
            places.push(place);
        }
        Ok(places)
    }
}

/// Where masks come from.
pub(super) enum Origin {
    /// The images' own: `file` and `alpha`.
    Own {
        /// The data set's name of them.
        source: &'static str,
        /// How files are read.
        reading: MaskReading,
    },
    /// A segmenter's.
    Made(Box<Maker>),
}

impl Origin {
    pub(super) fn provenance(&self) -> Provenance {
        match self {
            Self::Made(maker) => maker.provenance().clone(),
            Self::Own { source, reading } => Provenance {
                segmenter: (if *source == "folder" { "file" } else { source }).to_owned(),
                // Files read in another way are other masks.
                identity: if *reading == MaskReading::default() {
                    format!("own-{source}")
                } else {
                    let read = reading.written_out().to_string();
                    format!("own-{source}-{}", hex(&Sha256::digest(read)[..8]))
                },
                weights: None,
                weights_name: None,
                weights_sha256: None,
                settings: if *reading == MaskReading::default() {
                    serde_json::json!({})
                } else {
                    reading.written_out()
                },
                trained_on: None,
            },
        }
    }

    pub(super) fn mask(&self, images: &Images, index: usize, picture: &Picture) -> anyhow::Result<Mask> {
        let (source, reading) = match self {
            Self::Made(maker) => return Ok(maker.make(picture)?),
            Self::Own { source, reading } => (source, reading),
        };
        let mask = match images {
            Images::Dataset(dataset) if dataset.mask_sources().contains(source) => dataset.mask(index, source)?,
            Images::Dataset(dataset) => {
                anyhow::bail!("this data set has no masks `{source}`; it has {}", dataset.mask_sources().join(", "))
            }
            Images::Files { files, .. } if *source == "alpha" => {
                let (path, id) = files.get(index).context("no such image")?;
                decode::picture_and_alpha(path, &Backdrop::default(), id)?.1
            }
            Images::Files { .. } => {
                anyhow::bail!("`file` copies the masks of a data set; name an experiment, not a folder")
            }
        };
        let mask = mask.with_context(|| format!("has no mask from `{source}`"))?;
        let (size, own) = ((picture.width(), picture.height()), (mask.width(), mask.height()));
        anyhow::ensure!(
            reading.stretch || same_aspect(size, own),
            "is {} x {}, but its mask is {} x {}: expected one aspect; data.masks.stretch = true stretches it",
            size.0,
            size.1,
            own.0,
            own.1
        );
        Ok(resize_area(&mask, picture.width(), picture.height()))
    }
}
