//! The folders of parts and classes, and the images in them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mga_core::wording::counted;

use super::exclude::Exclude;
use super::settings::{ImageFolderSettings, Layout};
use crate::dataset::Split;
use crate::datasets::file_set::{FileSetBuilder, relative};
use crate::datasets::listing::{Listing, folders, same_place};
use crate::error::{Error, Result, shown};

/// Folders within the folders of classes, which may have been meant for the classes.
#[derive(Default)]
pub(super) struct Nested {
    inner: BTreeSet<PathBuf>,
}

impl Nested {
    /// Looks where the images of the class folder `folder`, itself below `base`, lie.
    pub(super) fn look(&mut self, base: &Path, folder: &Path, images: &[PathBuf]) {
        for image in images {
            let inner = image.strip_prefix(folder).ok().and_then(|path| path.components().next());
            if let Some(inner) = inner.map(|inner| folder.join(inner)).filter(|inner| inner != image) {
                self.inner.insert(inner.strip_prefix(base).unwrap_or(&inner).to_path_buf());
            }
        }
    }

    pub(super) fn note(&self) -> Option<String> {
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
pub(super) struct ClassFolders {
    pub(super) classes: Vec<(String, PathBuf)>,
    /// Images that are taken without a label.
    pub(super) unlabelled: Vec<PathBuf>,
}

/// What the reading of one tree needs throughout.
pub(super) struct Walk<'a> {
    pub(super) root: &'a Path,
    pub(super) mask_root: Option<&'a Path>,
    pub(super) exclude: Exclude,
}

impl Walk<'_> {
    /// The folders that hold the classes' folders.
    pub(super) fn parts(
        &self,
        settings: &ImageFolderSettings,
        set: &mut FileSetBuilder,
    ) -> Result<Vec<(PathBuf, Option<Split>)>> {
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
    pub(super) fn class_folders(
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
    pub(super) fn images(&self, folder: &Path, set: &mut FileSetBuilder) -> Result<Vec<PathBuf>> {
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
pub(super) fn part_of(path: &Path) -> Option<Split> {
    Split::named(&name(path))
}
