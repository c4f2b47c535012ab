//! Images in one folder a class, as most public data sets come.
//!
//! ```text
//! ROOT/train/CLASS/*  ROOT/val/CLASS/*  ROOT/test/CLASS/*      parts given by the folders
//! ROOT/CLASS/*                                                 one tree, split by the experiment
//! classes = { bird = ["animals/birds", "more/birds"], ... }    one tree, folders named by hand
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use globset::{Glob, GlobSet, GlobSetBuilder};

use crate::background::{Backdrop, Background};
use crate::dataset::{Record, Split};
use crate::datasets::file_set::{Entry, FileSet, FileSetBuilder, MaskFolder, relative};
use crate::datasets::listing::{Listing, folders, same_place};
use crate::error::{Error, Result};
use crate::registry::OpenContext;

/// Settings of the `image-folder` data set: one folder a class.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ImageFolderSettings {
    /// How the root is laid out: "auto" takes "split" where it has a folder `train` and `classes` is left out.
    pub layout: Layout,
    /// Class names and their folders below the root (with `layout = "split"`: below each part), sub-folders included.
    /// Left out: every folder is a class.
    pub classes: BTreeMap<String, OneOrMany>,
    /// Images to leave out: glob patterns of paths below the root, such as "*.gif" or "birds/*cartoon*" (`*` reaches
    /// into sub-folders).
    pub exclude: Vec<String>,
    /// A tree laid out as the root, of masks called `STEM.png` or as the image (mask source "folder"); below the root
    /// where relative.
    pub mask_root: Option<PathBuf>,
    /// What stands behind transparent pixels: "white", "black", "grey", "clutter", or [red, green, blue] of 0 to 255.
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
            exclude: Vec::new(),
            mask_root: None,
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
    /// `train`, `val` (or `valid`, `validation`) and `test`, each with the classes in it.
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

const PARTS: [(&str, Split); 5] = [
    ("train", Split::Train),
    ("val", Split::Validation),
    ("valid", Split::Validation),
    ("validation", Split::Validation),
    ("test", Split::Test),
];

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
        backdrop: Backdrop { background: settings.background.clone(), seed: settings.background_seed },
        check_files: settings.check_files,
        mask_files: mask_root.is_some(),
        skip_errors: context.skip_errors,
        ..FileSetBuilder::default()
    };
    let mut walk = Walk {
        root,
        mask_root: mask_root.as_deref(),
        exclude: Exclude::new(&settings.exclude)?,
        masks: BTreeMap::new(),
    };

    let mut found: Vec<Found> = Vec::new();
    let mut expected: BTreeSet<String> = settings.classes.keys().cloned().collect();
    for (base, split) in walk.parts(settings, &mut set)? {
        for (class, folder) in walk.class_folders(&base, settings, &mut set)? {
            expected.insert(class.clone());
            let images = walk.images(&folder, &mut set)?;
            found.extend(images.into_iter().map(|path| (class.clone(), split, path)));
        }
    }
    set.classes = class_names(&expected, &found, root, &mut set);
    for (class, split, path) in found {
        let label = set.classes.binary_search(&class).ok();
        let mask = walk.mask_of(&path)?;
        let id = relative(&path, root);
        set.entries.push(Entry { record: Record { id, path: None, label, group: None, split }, path, mask });
    }
    for pattern in walk.exclude.unused() {
        set.warnings.push(format!("`data.exclude` has the pattern `{pattern}`, which no image matches"));
    }
    set.finish(root)
}

/// An image with its class and part.
type Found = (String, Option<Split>, PathBuf);

/// Sorted names of the classes that have images; those without are told.
fn class_names(expected: &BTreeSet<String>, found: &[Found], root: &Path, set: &mut FileSetBuilder) -> Vec<String> {
    let with_images: BTreeSet<&String> = found.iter().map(|(class, _, _)| class).collect();
    for class in expected.iter().filter(|class| !with_images.contains(class)) {
        set.problem(root, format!("class `{class}` has no image: fill its folder or remove it"));
    }
    let trained: BTreeSet<&String> =
        found.iter().filter(|(_, split, _)| *split == Some(Split::Train)).map(|(class, _, _)| class).collect();
    if !trained.is_empty() {
        for class in with_images.iter().filter(|class| !trained.contains(*class)) {
            set.warnings.push(format!("class `{class}` has no training image"));
        }
    }
    with_images.into_iter().cloned().collect()
}

/// What the reading of one tree needs throughout.
struct Walk<'a> {
    root: &'a Path,
    mask_root: Option<&'a Path>,
    exclude: Exclude,
    masks: BTreeMap<PathBuf, MaskFolder>,
}

impl Walk<'_> {
    /// The folders that hold the classes' folders.
    fn parts(&self, settings: &ImageFolderSettings, set: &mut FileSetBuilder) -> Result<Vec<(PathBuf, Option<Split>)>> {
        let split = match settings.layout {
            Layout::Split => true,
            Layout::Tree => false,
            Layout::Auto => settings.classes.is_empty() && self.root.join("train").is_dir(),
        };
        if !split {
            return Ok(vec![(self.root.to_path_buf(), None)]);
        }
        let parts: Vec<_> = PARTS
            .iter()
            .map(|&(name, split)| (self.root.join(name), Some(split)))
            .filter(|(path, _)| path.is_dir())
            .collect();
        if !parts.iter().any(|(_, split)| *split == Some(Split::Train)) {
            set.problem(&self.root.join("train"), "there is no such folder, which `layout = \"split\"` expects");
        }
        for other in folders(self.root)? {
            if !parts.iter().any(|(path, _)| *path == other) && !self.is_mask_root(&other) {
                set.warnings.push(format!("{}: is none of train, val and test: passed over", other.display()));
            }
        }
        Ok(parts)
    }

    /// The classes below `base`, each with its folder.
    fn class_folders(
        &self,
        base: &Path,
        settings: &ImageFolderSettings,
        set: &mut FileSetBuilder,
    ) -> Result<Vec<(String, PathBuf)>> {
        let mut found = Vec::new();
        if settings.classes.is_empty() {
            let loose = Listing::read(base, false, None)?;
            if let Some(first) = loose.images.first() {
                let count = loose.images.len();
                set.warnings
                    .push(format!("{count} images lie in no class folder: passed over (first: {})", first.display()));
            }
            for path in folders(base)?.into_iter().filter(|path| !self.is_mask_root(path)) {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                found.push((name, path));
            }
            return Ok(found);
        }
        for (class, paths) in &settings.classes {
            for path in paths.paths() {
                let folder = base.join(path);
                if folder.is_dir() {
                    found.push((class.clone(), folder));
                } else {
                    set.problem(&folder, format!("there is no such folder, which `data.classes.{class}` names"));
                }
            }
        }
        Ok(found)
    }

    /// The images of one class folder and all below it that no pattern excludes.
    fn images(&mut self, folder: &Path, set: &mut FileSetBuilder) -> Result<Vec<PathBuf>> {
        let mut listing = Listing::read(folder, true, self.mask_root)?;
        let (root, exclude) = (self.root, &mut self.exclude);
        listing.unsupported.retain(|(path, _)| !exclude.covers(&relative(path, root)));
        listing.others.retain(|path| !exclude.covers(&relative(path, root)));
        listing.images.retain(|path| !exclude.covers(&relative(path, root)));
        set.note_other_files(&listing);
        Ok(listing.images)
    }

    fn is_mask_root(&self, path: &Path) -> bool {
        self.mask_root.is_some_and(|root| same_place(root, path))
    }

    /// The mask at the image's place in the mirrored tree.
    fn mask_of(&mut self, image: &Path) -> Result<Option<PathBuf>> {
        let Some(mask_root) = self.mask_root else { return Ok(None) };
        let parent = image.strip_prefix(self.root).unwrap_or(image).parent().unwrap_or(Path::new(""));
        let folder = mask_root.join(parent);
        if !self.masks.contains_key(&folder) {
            self.masks.insert(folder.clone(), MaskFolder::list(&folder)?);
        }
        Ok(self.masks.get(&folder).and_then(|masks| masks.of(&folder, image)))
    }
}

/// The patterns of `data.exclude`, and which of them ever matched.
struct Exclude {
    patterns: Vec<String>,
    set: GlobSet,
    used: BTreeSet<usize>,
}

impl Exclude {
    fn new(patterns: &[String]) -> Result<Self> {
        let bad = |e: globset::Error| Error::settings(format!("`data.exclude`: {e}"));
        let mut builder = GlobSetBuilder::new();
        for pattern in patterns {
            builder.add(Glob::new(pattern).map_err(bad)?);
        }
        Ok(Self { patterns: patterns.to_vec(), set: builder.build().map_err(bad)?, used: BTreeSet::new() })
    }

    fn covers(&mut self, id: &str) -> bool {
        let matches = self.set.matches(id);
        self.used.extend(&matches);
        !matches.is_empty()
    }

    fn unused(&self) -> impl Iterator<Item = &String> {
        self.patterns.iter().enumerate().filter(|(i, _)| !self.used.contains(i)).map(|(_, pattern)| pattern)
    }
}

#[cfg(test)]
mod tests;
