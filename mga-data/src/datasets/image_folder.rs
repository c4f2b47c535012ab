//! Images in one folder a class, as most public data sets come.
//!
//! ```text
//! ROOT/train/CLASS/*  ROOT/val/CLASS/*  ROOT/test/CLASS/*      parts given by the folders
//! ROOT/CLASS/*                                                 one tree, split by the experiment
//! ROOT/GENUS/SPECIES/*                                         the same with class_level = 2
//! classes = { bird = ["animals/birds", "more/birds"], ... }    one tree, folders named by hand
//! ROOT/oak_07_2.jpg                                            label = "(?P<class>[a-z]+)_(?P<plant>\\d+)"
//! ```

mod exclude;
mod names;
mod recognised;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mga_registry::Entry;
use serde_json::Value;

use crate::background::{self, Background};
use crate::dataset::{Dataset, Record};
use crate::datasets::entry::{Datasets, OfferedMasks, OpenContext, RegisteredDataset, Root, settings};
use crate::datasets::file_set::{FileEntry, FileSet, FileSetBuilder, relative};
use crate::error::{Error, Result};
use crate::masks::{MaskFinder, MaskLayout, png_or_same};
use crate::recognition::{Place, Recognised};
use exclude::Exclude;
use names::{Found, Names};
use walk::{Nested, Walk};

/// Settings of the `image-folder` data set: one folder a class.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ImageFolderSettings {
    /// How the root is laid out: "auto" takes "split" where `classes` is left out and it has a folder `train`, or nothing but
    /// folders named after parts (`Train`, `Validation`, `TEST`, `train_set`), one of training images with class folders in
    /// it and another.
    pub layout: Layout,
    /// Class names and their folders below the root (with `layout = "split"`: below each part), sub-folders included.
    /// Left out: every folder is a class.
    pub classes: BTreeMap<String, OneOrMany>,
    /// Which folders below the root (with `layout = "split"`: below each part) are the classes: 1 the first ones, 2 those in
    /// them, named `Acer/rubrum`, and so on. Left out: 1, and what lies deeper is told.
    #[schemars(range(min = 1), extend("x-older-releases" = 1))]
    pub class_level: Option<usize>,
    /// A regular expression that reads the class, and what stays together, from the path of each image without extension:
    /// `(?P<class>[A-Za-z]+)_(?P<plant>\d+)`. Without `class` in it the folders are the classes. A `group` stands by itself;
    /// any other name, such as `plant`, counts within its class.
    #[schemars(extend("x-older-releases" = null))]
    pub label: Option<String>,
    /// Take images of the test part that lie in no class folder for test images without a label, which are predicted and
    /// not scored. Left out: they are passed over, and told.
    #[schemars(extend("x-older-releases" = false))]
    pub unlabelled_test: Option<bool>,
    /// Images to leave out: glob patterns of paths below the root, such as "*.gif" or "birds/*cartoon*" (`*` reaches
    /// into sub-folders).
    pub exclude: Vec<String>,
    /// A tree laid out as the root, of masks called `STEM.png` or as the image (mask source "folder"); below the root
    /// where relative.
    #[schemars(extend("x-path" = "place"))]
    pub mask_root: Option<PathBuf>,
    /// What masks are called instead: "{stem}_segmentation.png", where {stem} is the image's name without extension and
    /// {name} with it.
    #[schemars(extend("x-path" = "place"))]
    pub mask_name: Option<String>,
    /// "tree": masks lie in sub-folders as the images; "flat": all in `mask_root` itself. Left out: "tree".
    #[schemars(extend("x-path" = "place"))]
    pub mask_layout: Option<MaskLayout>,
    /// The background of transparent pixels: "white", "black", "grey", "clutter", or [red, green, blue] of 0 to 255.
    pub background: Background,
    /// Seed of the cluttered backgrounds.
    pub background_seed: u64,
    /// Read the header of every image and mask when opening, so that all faults are told at once.
    pub check_files: bool,
}

impl Default for ImageFolderSettings {
    fn default() -> Self {
        Self {
            layout: Layout::Auto,
            classes: BTreeMap::new(),
            class_level: None,
            label: None,
            unlabelled_test: None,
            exclude: Vec::new(),
            mask_root: None,
            mask_name: None,
            mask_layout: None,
            background: Background::default(),
            background_seed: 0,
            check_files: true,
        }
    }
}

/// How a tree of images is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// As the folders suggest.
    Auto,
    /// Folders named after parts, in any case (`train`, `val` or `Validation`, `test`), each with the classes in it.
    Split,
    /// The classes directly; the experiment splits.
    Tree,
}

/// A folder or several.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged, expecting = "expected the path of a folder, or a list of such paths")]
pub enum OneOrMany {
    /// One folder.
    One(PathBuf),
    /// Several folders that make one class.
    Many(Vec<PathBuf>),
}

impl OneOrMany {
    fn paths(&self) -> &[PathBuf] {
        match self {
            Self::One(path) => std::slice::from_ref(path),
            Self::Many(paths) => paths,
        }
    }
}

/// Returns `image-folder` as it is registered.
#[must_use]
pub fn entry() -> Entry<Datasets> {
    let about = "one folder of images a class, split by folders or by the experiment";
    let entry = Entry::<Datasets>::new("image-folder", about, Arc::new(ImageFolder));
    entry.with_settings(schemars::schema_for!(ImageFolderSettings)).with_conditions(&[background::CONDITION])
}

struct ImageFolder;

impl RegisteredDataset for ImageFolder {
    fn open(&self, own: &Value, context: &OpenContext) -> Result<Arc<dyn Dataset>> {
        Ok(Arc::new(open(&settings("image-folder", own)?, context)?))
    }

    fn root(&self) -> Root {
        Root::Required
    }

    fn masks(&self) -> &[OfferedMasks] {
        &OfferedMasks::OF_FILES
    }

    fn recognise(&self, place: &Place<'_>) -> Result<Option<Recognised>> {
        recognised::recognise(place)
    }
}

/// Opens the data set at `data.root`.
///
/// # Errors
/// No root, a bad pattern; and, all in one message, folders that are missing or empty, images that cannot be read and
/// masks of another aspect. With `skip_errors` those are left out instead.
pub fn open(settings: &ImageFolderSettings, context: &OpenContext) -> Result<FileSet> {
    let root = context
        .root
        .as_deref()
        .ok_or_else(|| Error::settings("data set `image-folder` needs `data.root`: the folder of the images"))?;
    if !root.is_dir() {
        return Err(Error::file(root, "there is no such folder; check `data.root` (relative to where mga is started)"));
    }
    let mask_root = settings.mask_root.as_ref().map(|path| root.join(path));
    if let Some(path) = mask_root.as_deref().filter(|path| !path.is_dir()) {
        return Err(Error::file(path, "there is no such folder; check `data.mask_root`"));
    }
    let mut set = FileSetBuilder {
        backdrop: context.backdrop(&settings.background, settings.background_seed),
        reading: context.masks.clone(),
        check_files: settings.check_files,
        mask_files: mask_root.is_some(),
        skip_errors: context.skip_errors,
        ..FileSetBuilder::default()
    };
    let walk = Walk { root, mask_root: mask_root.as_deref(), exclude: Exclude::new(&settings.exclude)? };
    let how = (settings.mask_name.as_deref(), settings.mask_layout);
    let mut finder = mask_root.as_ref().map(|folder| MaskFinder::new(folder, "data.", how, png_or_same)).transpose()?;

    let names = Names::of(settings)?;
    let mut found: Vec<Found> = Vec::new();
    let mut expected: BTreeSet<String> = settings.classes.keys().cloned().collect();
    let mut nested = Nested::default();
    for (base, split) in walk.parts(settings, &mut set)? {
        if names.say_classes() {
            let images = walk.images(&base, &mut set)?;
            found.extend(images.into_iter().filter_map(|path| names.named(None, (&base, split), path, &mut set)));
            continue;
        }
        let folders = walk.class_folders(&base, split, settings, &mut set)?;
        for (class, folder) in folders.classes {
            expected.insert(class.clone());
            let images = walk.images(&folder, &mut set)?;
            nested.look(&base, &folder, &images);
            let named = |path| names.named(Some(&class), (&base, split), path, &mut set);
            found.extend(images.into_iter().filter_map(named));
        }
        let unlabelled = |path| Found { class: None, group: None, split, path };
        found.extend(folders.unlabelled.into_iter().map(unlabelled));
    }
    if settings.classes.is_empty() && settings.class_level.is_none() {
        set.warnings.extend(nested.note());
    }
    set.classes = class_names(&expected, &found, root, &mut set);
    for Found { class, group, split, path } in found {
        let label = class.and_then(|class| set.classes.binary_search(&class).ok());
        let place = path.strip_prefix(root).unwrap_or(&path);
        let mask = finder.as_mut().map(|finder| finder.find(place)).transpose()?.flatten();
        let id = relative(&path, root);
        let record = Record { id, path: None, label, group, split };
        set.entries.push(FileEntry { record, path, mask, listed: None });
    }
    for pattern in walk.exclude.unused() {
        set.warnings.push(format!("`data.exclude` has the pattern `{pattern}`, which no image matches"));
    }
    set.finder = finder;
    set.finish(root)
}

/// Sorted names of the classes that have images; those without are told.
fn class_names(expected: &BTreeSet<String>, found: &[Found], root: &Path, set: &mut FileSetBuilder) -> Vec<String> {
    let with_images: BTreeSet<&String> = found.iter().filter_map(|found| found.class.as_ref()).collect();
    for class in expected.iter().filter(|class| !with_images.contains(class)) {
        let what = format!("class `{class}` has no image: fill its folder or remove it");
        set.problem_of("classes without an image", root, what);
    }
    with_images.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests;
