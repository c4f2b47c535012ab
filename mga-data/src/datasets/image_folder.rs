//! Images in one folder a class, as most public data sets come.
//!
//! ```text
//! ROOT/train/CLASS/*  ROOT/val/CLASS/*  ROOT/test/CLASS/*      parts given by the folders
//! ROOT/CLASS/*                                                 one tree, split by the experiment
//! ROOT/GENUS/SPECIES/*                                         the same with class_level = 2
//! classes = { bird = ["animals/birds", "more/birds"], ... }    one tree, folders named by hand
//! ```

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use globset::{Glob, GlobSet, GlobSetBuilder};
use mga_core::wording::counted;
use mga_registry::Entry;
use serde_json::Value;

use crate::background::{self, Background};
use crate::dataset::{Dataset, Record, Split};
use crate::datasets::entry::{Datasets, OfferedMasks, OpenContext, RegisteredDataset, Root, settings};
use crate::datasets::file_set::{FileEntry, FileSet, FileSetBuilder, relative};
use crate::datasets::listing::{Listing, folders, same_place};
use crate::error::{Error, Result, shown};
use crate::masks::{MaskFinder, MaskLayout, png_or_same};

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

    let mut found: Vec<Found> = Vec::new();
    let mut expected: BTreeSet<String> = settings.classes.keys().cloned().collect();
    let mut nested = Nested::default();
    for (base, split) in walk.parts(settings, &mut set)? {
        let folders = walk.class_folders(&base, split, settings, &mut set)?;
        for (class, folder) in folders.classes {
            expected.insert(class.clone());
            let images = walk.images(&folder, &mut set)?;
            nested.look(&base, &folder, &images);
            found.extend(images.into_iter().map(|path| Found { class: Some(class.clone()), split, path }));
        }
        found.extend(folders.unlabelled.into_iter().map(|path| Found { class: None, split, path }));
    }
    if settings.classes.is_empty() && settings.class_level.is_none() {
        set.warnings.extend(nested.note());
    }
    set.classes = class_names(&expected, &found, root, &mut set);
    for Found { class, split, path } in found {
        let label = class.and_then(|class| set.classes.binary_search(&class).ok());
        let place = path.strip_prefix(root).unwrap_or(&path);
        let mask = finder.as_mut().map(|finder| finder.find(place)).transpose()?.flatten();
        let id = relative(&path, root);
        let record = Record { id, path: None, label, group: None, split };
        set.entries.push(FileEntry { record, path, mask, listed: None });
    }
    for pattern in walk.exclude.unused() {
        set.warnings.push(format!("`data.exclude` has the pattern `{pattern}`, which no image matches"));
    }
    set.finder = finder;
    set.finish(root)
}

/// An image with its class and part.
struct Found {
    class: Option<String>,
    split: Option<Split>,
    path: PathBuf,
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

/// Folders within the folders of classes, which may have been meant for the classes.
#[derive(Default)]
struct Nested {
    inner: BTreeSet<PathBuf>,
}

impl Nested {
    /// Looks where the images of the class folder `folder`, itself below `base`, lie.
    fn look(&mut self, base: &Path, folder: &Path, images: &[PathBuf]) {
        for image in images {
            let inner = image.strip_prefix(folder).ok().and_then(|path| path.components().next());
            if let Some(inner) = inner.map(|inner| folder.join(inner)).filter(|inner| inner != image) {
                self.inner.insert(inner.strip_prefix(base).unwrap_or(&inner).to_path_buf());
            }
        }
    }

    fn note(&self) -> Option<String> {
        let first = self.inner.first()?;
        let class = shown(first.parent().unwrap_or(first));
        Some(format!(
            "the folders of classes hold {}: the class of `{first}` is `{class}`, the first level. \
             data.class_level = 2 makes `{first}` a class; data.class_level = 1 says that this is intended",
            counted(self.inner.len(), "further folder", "further folders"),
            first = shown(first)
        ))
    }
}

/// The folders of the classes below one part, and what lies beside them.
struct ClassFolders {
    classes: Vec<(String, PathBuf)>,
    /// Images that are taken without a label.
    unlabelled: Vec<PathBuf>,
}

/// What the reading of one tree needs throughout.
struct Walk<'a> {
    root: &'a Path,
    mask_root: Option<&'a Path>,
    exclude: Exclude,
}

impl Walk<'_> {
    /// The folders that hold the classes' folders.
    fn parts(&self, settings: &ImageFolderSettings, set: &mut FileSetBuilder) -> Result<Vec<(PathBuf, Option<Split>)>> {
        let folders: Vec<PathBuf> = folders(self.root)?.into_iter().filter(|path| !self.is_mask_root(path)).collect();
        let (parts, others): (Vec<PathBuf>, Vec<PathBuf>) =
            folders.into_iter().partition(|path| part_of(path).is_some());
        let split = match settings.layout {
            Layout::Split => true,
            Layout::Tree => false,
            Layout::Auto => settings.classes.is_empty() && self.are_parts(&parts, &others, set)?,
        };
        if !split {
            return Ok(vec![(self.root.to_path_buf(), None)]);
        }
        for other in others {
            set.warnings.push(format!("{}: is none of train, val and test: passed over", shown(&other)));
        }
        let mut parts: Vec<_> = parts.into_iter().map(|path| (part_of(&path), path)).collect();
        parts.sort_by_key(|(split, _)| *split);
        if parts.first().is_none_or(|(split, _)| *split != Some(Split::Train)) {
            set.problem(&self.root.join("train"), "there is no such folder, which `layout = \"split\"` expects");
        }
        Ok(parts.into_iter().map(|(split, path)| (path, split)).collect())
    }

    /// Whether folders named after parts are parts, and not classes that happen to be called so.
    fn are_parts(&self, parts: &[PathBuf], others: &[PathBuf], set: &mut FileSetBuilder) -> Result<bool> {
        let told = || {
            let one = |path: &PathBuf| Some(format!("`{}` is {}", name(path), part_of(path)?.name()));
            parts.iter().filter_map(one).collect::<Vec<_>>().join(", ")
        };
        let usual = |path: &PathBuf| ["train", "val", "valid", "validation", "test"].contains(&name(path).as_str());
        if parts.iter().any(|path| name(path) == "train") {
            if !parts.iter().all(usual) {
                set.warnings.push(format!("folders are taken for parts: {} (see data.layout)", told()));
            }
            return Ok(true);
        }
        let mut train = parts.iter().filter(|path| part_of(path) == Some(Split::Train)).peekable();
        if train.peek().is_none() {
            return Ok(false);
        }
        let mut with_classes = false;
        for path in train {
            with_classes |= !folders(path)?.is_empty();
        }
        if parts.len() < 2 || !with_classes {
            set.warnings.push(format!(
                "folders that are called as parts are taken for classes: {}; data.layout = \"split\" takes them for parts",
                parts.iter().map(|path| format!("`{}`", name(path))).collect::<Vec<_>>().join(", ")
            ));
            return Ok(false);
        }
        if let Some(other) = others.first() {
            return Err(Error::file(
                self.root,
                format!(
                    "folders may be parts or classes: {}, but `{}` is no part. data.layout = \"split\" takes the parts and \
                     passes over the others, data.layout = \"tree\" takes every folder for a class",
                    told(),
                    name(other)
                ),
            ));
        }
        set.warnings
            .push(format!("folders are taken for parts: {} (data.layout = \"tree\" takes them for classes)", told()));
        Ok(true)
    }

    /// The classes below `base`, the folder of a part or the root, each with its folder.
    fn class_folders(
        &self,
        base: &Path,
        split: Option<Split>,
        settings: &ImageFolderSettings,
        set: &mut FileSetBuilder,
    ) -> Result<ClassFolders> {
        let (mut classes, mut unlabelled) = (Vec::new(), Vec::new());
        if settings.classes.is_empty() {
            let mut level = vec![base.to_path_buf()];
            let mut loose = Vec::new();
            for _ in 0..settings.class_level.unwrap_or(1) {
                let mut below = Vec::new();
                for folder in &level {
                    loose.append(&mut self.excluded(Listing::read(folder, false, None)?).images);
                    below.extend(folders(folder)?.into_iter().filter(|path| !self.is_mask_root(path)));
                }
                level = below;
            }
            if settings.unlabelled_test == Some(true) && split == Some(Split::Test) {
                let listing = Listing { images: std::mem::take(&mut loose), ..Listing::default() };
                unlabelled = set.images_of(listing);
            }
            if let Some(first) = loose.first() {
                let test = if split == Some(Split::Test) {
                    "; data.unlabelled_test = true takes them as test images without a label"
                } else {
                    ""
                };
                set.warnings.push(format!(
                    "passed over {} outside the class folders (first: {}){test}",
                    counted(loose.len(), "image", "images"),
                    shown(first)
                ));
            }
            for path in level {
                match path.to_str() {
                    Some(_) => classes.push((relative(&path, base), path)),
                    None => set.nameless(&path),
                }
            }
            return Ok(ClassFolders { classes, unlabelled });
        }
        if settings.class_level.is_some() {
            let what = "stands beside `data.classes`, which names the folders: drop one";
            return Err(Error::setting("data.class_level", what));
        }
        for (class, paths) in &settings.classes {
            for path in paths.paths() {
                let folder = base.join(path);
                if folder.is_dir() {
                    classes.push((class.clone(), folder));
                } else {
                    set.problem(&folder, format!("there is no such folder, which `data.classes.{class}` names"));
                }
            }
        }
        Ok(ClassFolders { classes, unlabelled })
    }

    /// The images of one class folder and all below it that no pattern excludes.
    fn images(&self, folder: &Path, set: &mut FileSetBuilder) -> Result<Vec<PathBuf>> {
        let listing = self.excluded(Listing::read(folder, true, self.mask_root)?);
        Ok(set.images_of(listing))
    }

    /// The listing without what a pattern excludes.
    fn excluded(&self, mut listing: Listing) -> Listing {
        let kept = |path: &PathBuf| !self.exclude.covers(&relative(path, self.root));
        listing.unsupported.retain(|(path, _)| kept(path));
        listing.others.retain(kept);
        listing.images.retain(kept);
        listing
    }

    fn is_mask_root(&self, path: &Path) -> bool {
        self.mask_root.is_some_and(|root| same_place(root, path))
    }
}

/// The name of a folder.
fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The part that a folder is called after.
fn part_of(path: &Path) -> Option<Split> {
    Split::named(&name(path))
}

/// The patterns of `data.exclude`, and which of them ever matched.
struct Exclude {
    patterns: Vec<String>,
    set: GlobSet,
    used: RefCell<BTreeSet<usize>>,
}

impl Exclude {
    fn new(patterns: &[String]) -> Result<Self> {
        let bad = |e: globset::Error| Error::setting("data.exclude", e.to_string());
        let mut builder = GlobSetBuilder::new();
        for pattern in patterns {
            builder.add(Glob::new(pattern).map_err(bad)?);
        }
        Ok(Self { patterns: patterns.to_vec(), set: builder.build().map_err(bad)?, used: RefCell::default() })
    }

    fn covers(&self, id: &str) -> bool {
        let matches = self.set.matches(id);
        self.used.borrow_mut().extend(&matches);
        !matches.is_empty()
    }

    fn unused(&self) -> impl Iterator<Item = &String> {
        let used = self.used.borrow();
        self.patterns.iter().enumerate().filter(move |(i, _)| !used.contains(i)).map(|(_, pattern)| pattern)
    }
}

#[cfg(test)]
mod tests;
