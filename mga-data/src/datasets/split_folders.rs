//! Data sets that come as class folders in one folder for each part of their classes: tieredImageNet, FC100 and CIFAR-FS.
//!
//! ```text
//! ROOT/train/CLASS/*.jpg    base classes
//! ROOT/val/CLASS/*.jpg      validation classes
//! ROOT/test/CLASS/*.jpg     novel classes
//! ```

use std::path::Path;
use std::sync::Arc;

use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::class_split::ClassParts;
use crate::dataset::Dataset;
use crate::datasets::entry::{Datasets, OfferedMasks, OpenContext, RegisteredDataset, Root, settings};
use crate::datasets::file_set::FileSet;
use crate::datasets::image_folder::{self, ImageFolderSettings, Layout};
use crate::datasets::usual_folder::usual_folder;
use crate::error::{Error, Result};

/// Returns the data sets as they are registered.
#[must_use]
pub fn entries() -> Vec<Entry<Datasets>> {
    let entry = |kind: &'static Kind| {
        let about = format!("{}: class folders in train/, val/ and test/", kind.about);
        Entry::<Datasets>::new(kind.name, about, Arc::new(kind))
            .with_settings(schemars::schema_for!(SplitFoldersSettings))
    };
    [&TIERED_IMAGENET, &FC100, &CIFAR_FS].map(entry).into()
}

/// Settings of `tiered-imagenet`, `fc100` and `cifar-fs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SplitFoldersSettings {
    /// Read the header of every image when opening, so that all faults are told at once.
    pub check_files: bool,
}

impl Default for SplitFoldersSettings {
    fn default() -> Self {
        Self { check_files: true }
    }
}

/// What tells the data sets apart.
struct Kind {
    name: &'static str,
    about: &'static str,
    /// Folders below `data.root` that the usual archives unpack to.
    folders: &'static [&'static str],
}

const TIERED_IMAGENET: Kind = Kind {
    name: "tiered-imagenet",
    about: "tieredImageNet, 608 classes in 351 base, 97 validation and 160 novel ones",
    folders: &["tieredimagenet", "tiered_imagenet", "tiered-imagenet"],
};

const FC100: Kind = Kind {
    name: "fc100",
    about: "FC100, the classes of CIFAR-100 in 60 base, 20 validation and 20 novel ones",
    folders: &["FC100", "fc100"],
};

const CIFAR_FS: Kind = Kind {
    name: "cifar-fs",
    about: "CIFAR-FS, the classes of CIFAR-100 in 64 base, 16 validation and 20 novel ones",
    folders: &["cifar_fs", "CIFAR-FS", "cifar-fs"],
};

impl RegisteredDataset for &'static Kind {
    fn open(&self, own: &Value, context: &OpenContext) -> Result<Arc<dyn Dataset>> {
        Ok(Arc::new(open(self, &settings(self.name, own)?, context)?))
    }

    fn root(&self) -> Root {
        Root::Required
    }

    fn masks(&self) -> &[OfferedMasks] {
        &OfferedMasks::OF_FILES[1..]
    }
}

fn open(kind: &Kind, settings: &SplitFoldersSettings, context: &OpenContext) -> Result<FileSet> {
    let there = |folder: &Path| folder.join("train").is_dir() && folder.join("test").is_dir();
    let root = usual_folder(kind.name, context, kind.folders, there, "the folders train, val and test")?;
    let folders = ImageFolderSettings {
        layout: Layout::Split,
        check_files: settings.check_files,
        ..ImageFolderSettings::default()
    };
    let set = image_folder::open(&folders, &OpenContext { root: Some(root.clone()), ..context.clone() })?;
    let labels = set.records().iter().filter_map(|record| Some((record.split?, record.label?)));
    let overlaps = ClassParts::of(labels).overlaps(set.classes());
    if overlaps.is_empty() {
        return Ok(set);
    }
    let what = "; train (base), val (validation) and test (novel) must share no class folder. Data set `image-folder` takes \
                such folders, and [data.class_split] splits its classes";
    Err(Error::file(root, overlaps.join("; ") + what))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::Split;
    use crate::datasets::testing::rgb_jpeg;

    fn context(images: &[&str]) -> (tempfile::TempDir, OpenContext) {
        let folder = tempfile::tempdir().unwrap();
        images.iter().for_each(|image| rgb_jpeg(&folder.path().join(image), 8, 8));
        let context = OpenContext { root: Some(folder.path().to_path_buf()), ..OpenContext::default() };
        (folder, context)
    }

    #[test]
    fn each_folder_is_a_part() {
        for below in ["", "FC100/"] {
            let images = ["train/oak/1.jpg", "val/ash/1.jpg", "test/elm/1.jpg"].map(|image| format!("{below}{image}"));
            let (_folder, context) = context(&images.each_ref().map(String::as_str));
            let set = open(&FC100, &SplitFoldersSettings::default(), &context).unwrap();
            assert_eq!(set.classes(), ["ash", "elm", "oak"]);
            let rows: Vec<_> = set.records().iter().map(|r| (r.id.as_str(), r.label, r.split)).collect();
            assert_eq!(rows[0], ("train/oak/1.jpg", Some(2), Some(Split::Train)));
            assert_eq!(rows[2], ("test/elm/1.jpg", Some(1), Some(Split::Test)));
        }
    }

    #[test]
    fn a_class_in_two_parts_and_a_wrong_folder_are_told() {
        let (_folder, shared) = context(&["train/oak/1.jpg", "train/ash/1.jpg", "test/oak/2.jpg"]);
        let message = open(&CIFAR_FS, &SplitFoldersSettings::default(), &shared).unwrap_err().to_string();
        assert!(message.contains("1 class is in base and in novel: `oak`"), "{message}");
        let (_folder, empty) = context(&["oak/1.jpg"]);
        let message = open(&CIFAR_FS, &SplitFoldersSettings::default(), &empty).unwrap_err().to_string();
        assert!(
            message.contains("expects the folders train, val and test here, or in a folder `cifar_fs`"),
            "{message}"
        );
    }
}
