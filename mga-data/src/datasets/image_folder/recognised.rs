//! Whether a folder is one of images by class, and how it would be read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{ImageFolderSettings, open, walk::part_of};
use crate::dataset::Dataset;
use crate::datasets::entry::OpenContext;
use crate::datasets::file_set::relative;
use crate::datasets::listing::{Listing, folders};
use crate::decode;
use crate::error::{Result, shown};
use crate::masks::{MaskFinder, MaskLayout, png_or_same};
use crate::name_pattern::guess;
use crate::recognition::{Decision, Place, Recognised};

/// What folders of masks are called, in small letters.
const MASKS: [&str; 8] = ["mask", "masks", "segmentation", "segmentations", "segmented", "annotations", "gt", "labels"];
/// What the folder of the images is called beside one of masks.
const IMAGES: [&str; 6] = ["images", "image", "imgs", "img", "photos", "pictures"];
/// What masks beside their images are called.
const BESIDE: [&str; 4] = ["{stem}_mask.png", "{stem}-mask.png", "{stem}_segmentation.png", "{stem}_seg.png"];
/// Images that are looked at for an alpha channel.
const LOOKED_AT: usize = 20;

/// What `image-folder` says of a folder; `None`: there are no classes in it.
pub(super) fn recognise(place: &Place<'_>) -> Result<Option<Recognised>> {
    if place.table.is_some() || !place.folder.is_dir() {
        return Ok(None);
    }
    let mut decisions = Vec::new();
    let (base, masks) = trees(place.folder)?;
    if base != place.folder {
        decisions.push(Decision::new("root", shown(&base), "the folder of the images, beside the one of masks"));
    }
    let all = Listing::read(&base, true, masks.as_deref())?.images;
    let mut settings = ImageFolderSettings { check_files: false, ..ImageFolderSettings::default() };
    let mut masked = None;
    if let Some(folder) = &masks {
        masked = in_folder(&all, &base, folder)?;
        if masked.is_none() {
            settings.exclude.push(format!("{}/*", relative(folder, &base)));
            decisions.push(Decision::new("exclude", json!(settings.exclude), "its files are called after no image"));
        }
    }
    let beside = BESIDE.into_iter().find(|name| all.iter().any(|path| is_mask(path, name)));
    if let Some(name) = beside {
        settings.exclude.push(name.replace("{stem}", "*"));
        let count = all.iter().filter(|path| is_mask(path, name)).count();
        masked = masked.or(Some(Masks { folder: base.clone(), name: Some(name), layout: None, count }));
        decisions.push(Decision::new("exclude", json!(settings.exclude), "masks that lie beside their images"));
    }
    let images: Vec<PathBuf> = all.into_iter().filter(|path| !beside.is_some_and(|name| is_mask(path, name))).collect();
    let Some(classes) = classes(&base, &images, masks.as_deref())? else { return Ok(None) };
    match &classes {
        Classes::InNames(pattern) => {
            settings.label = Some((*pattern).to_owned());
            decisions.push(Decision::new("label", *pattern, "classes stand in the names of the images"));
        }
        Classes::Second => {
            settings.class_level = Some(2);
            decisions.push(Decision::new("class_level", 2, "classes are the folders within folders"));
        }
        Classes::First => {}
    }
    // To look for classes; where masks are found, `mask_root` says where they are.
    settings.exclude.extend(masks.iter().map(|folder| format!("{}/*", relative(folder, &base))));
    let context = OpenContext { root: Some(base.clone()), skip_errors: true, ..OpenContext::default() };
    let set = open(&settings, &context)?;
    if set.classes().len() < 2 {
        return Ok(None);
    }
    if settings.label.is_none() {
        let named: Vec<(String, String)> = set
            .records()
            .iter()
            .filter_map(|record| Some((record.id.clone(), set.classes().get(record.label?)?.clone())))
            .collect();
        if let Some(pattern) = guess::groups(&named) {
            let why = "images of one class that share a number in their names stay together, as those of one plant";
            decisions.push(Decision::new("label", pattern, why));
        }
    }
    let with_class = set.records().iter().filter(|record| record.label.is_some()).count();
    let masks = masks_of(masked, &base, &images, &mut decisions)?;
    Ok(Some(Recognised { images: with_class, decisions, masks }))
}

/// The folder of the images, and that of masks where there is one.
fn trees(folder: &Path) -> Result<(PathBuf, Option<PathBuf>)> {
    let called = |path: &Path, names: &[&str]| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        names.contains(&name.as_str())
    };
    let inside = folders(folder)?;
    let masks = inside.iter().find(|path| called(path, &MASKS)).cloned();
    let images = inside.iter().find(|path| called(path, &IMAGES)).filter(|_| masks.is_some() || inside.len() == 1);
    Ok((images.cloned().unwrap_or_else(|| folder.to_path_buf()), masks))
}

/// Where the classes stand.
enum Classes {
    First,
    Second,
    InNames(&'static str),
}

fn classes(base: &Path, images: &[PathBuf], masks: Option<&Path>) -> Result<Option<Classes>> {
    let level = |path: &PathBuf| path.strip_prefix(base).map_or(0, |path| path.components().count() - 1);
    let mut at: BTreeMap<usize, usize> = BTreeMap::new();
    images.iter().for_each(|path| *at.entry(level(path)).or_default() += 1);
    let most = at.iter().max_by_key(|(_, count)| **count).map(|(&level, _)| level);
    let tops: Vec<PathBuf> = folders(base)?.into_iter().filter(|path| masks != Some(path.as_path())).collect();
    let parts = tops.iter().any(|path| part_of(path).is_some());
    Ok(match (most, parts) {
        (None, _) => None,
        (Some(0), _) => {
            let names: Vec<String> = images.iter().map(|path| relative(path, base)).collect();
            guess::classes(&names).map(Classes::InNames)
        }
        (Some(2), false) if tops.len() >= 2 => Some(Classes::Second),
        _ => Some(Classes::First),
    })
}

fn is_mask(path: &Path, name: &str) -> bool {
    let end = name.trim_start_matches("{stem}");
    path.file_name().is_some_and(|file| file.to_string_lossy().ends_with(end))
}

/// Masks that were found.
struct Masks {
    folder: PathBuf,
    /// What they are called, where not as usual.
    name: Option<&'static str>,
    layout: Option<MaskLayout>,
    /// Images that have one.
    count: usize,
}

/// The masks in a folder of them; `None`: under half of the images have one.
fn in_folder(images: &[PathBuf], base: &Path, folder: &Path) -> Result<Option<Masks>> {
    for layout in [None, Some(MaskLayout::Flat)] {
        for name in std::iter::once(None).chain(BESIDE.into_iter().map(Some)) {
            let mut finder = MaskFinder::new(folder, "data.", (name, layout), png_or_same)?;
            let mut count = 0;
            for image in images {
                count += usize::from(finder.find(image.strip_prefix(base).unwrap_or(image))?.is_some());
            }
            if count > 0 && count * 2 >= images.len() {
                return Ok(Some(Masks { folder: folder.to_path_buf(), name, layout, count }));
            }
        }
    }
    Ok(None)
}

/// The masks, told; those of files come before an alpha channel.
fn masks_of(
    found: Option<Masks>,
    base: &Path,
    images: &[PathBuf],
    decisions: &mut Vec<Decision>,
) -> Result<Option<Decision>> {
    if let Some(Masks { folder, name, layout, count }) = found {
        let beside = folder == base;
        let root = if beside { ".".to_owned() } else { shown(&std::path::absolute(&folder).unwrap_or(folder)) };
        let why = format!("masks of {count} of {} images", images.len());
        decisions.push(Decision::new("mask_root", root, why.clone()));
        if let Some(name) = name {
            decisions.push(Decision::new("mask_name", name, "what masks are called"));
        }
        if layout == Some(MaskLayout::Flat) {
            decisions.push(Decision::new("mask_layout", "flat", "all masks lie in one folder"));
        }
        return Ok(Some(Decision::new("masks.source", "folder", why)));
    }
    let step = images.len().div_ceil(LOOKED_AT).max(1);
    let looked: Vec<bool> = images.iter().step_by(step).map(|path| decode::has_alpha(path).unwrap_or(false)).collect();
    let alpha = looked.iter().filter(|&&alpha| alpha).count();
    let why = || format!("{alpha} of {} images that were looked at have an alpha channel", looked.len());
    Ok((alpha * 2 > looked.len()).then(|| Decision::new("masks.source", Value::from("alpha"), why())))
}
