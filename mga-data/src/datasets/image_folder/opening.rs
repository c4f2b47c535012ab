//! Opening the data set: its images with classes, groups, parts and masks.

use std::collections::BTreeSet;
use std::path::Path;

use super::exclude::Exclude;
use super::names::{Found, LABEL, Names};
use super::settings::ImageFolderSettings;
use super::walk::{Nested, Walk};
use crate::dataset::Record;
use crate::datasets::entry::OpenContext;
use crate::datasets::file_set::{FileEntry, FileSet, FileSetBuilder, relative};
use crate::error::{Error, Result};
use crate::masks::{MaskFinder, png_or_same};

/// Opens the data set at `data.root`.
///
/// # Errors
/// No root, a bad pattern; and, all in one message, folders that are missing or empty, images that cannot be read and
/// masks of another aspect. With `skip_errors` those are left out instead.
pub fn open(settings: &ImageFolderSettings, context: &OpenContext) -> Result<FileSet> {
    open_as(settings, context, LABEL)
}

/// Opens it as [`open`] does; messages call the pattern of names `key`.
pub(crate) fn open_as(settings: &ImageFolderSettings, context: &OpenContext, key: &'static str) -> Result<FileSet> {
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

    let names = Names::of(settings, key)?;
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
