//! Whether a folder is one of images by class, and how it would be read.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::opening::open;
use super::settings::ImageFolderSettings;
use super::walk::part_of;
use crate::dataset::Dataset;
use crate::datasets::entry::OpenContext;
use crate::datasets::file_set::relative;
use crate::datasets::listing::{Listing, folders};
use crate::error::{Error, Result, shown};
use crate::masks::{Alpha, MaskLayout, RegisteredMaskSource};
use crate::name_pattern::guess;
use crate::recognition::mask_files::{Masks, beside, in_folder, refuse_inner, trees};
use crate::recognition::{Decision, MaskPlace, Place, Recognised};

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
    refuse_inner(&all, &base, masks.as_deref())?;
    let mut settings = ImageFolderSettings { check_files: false, ..ImageFolderSettings::default() };
    let mut masked = None;
    if let Some(folder) = &masks {
        masked = in_folder(&all, &base, folder)?;
        if masked.is_none() {
            let what =
                "a folder of masks whose files are called after none of the images: name them alike, or move them away";
            return Err(Error::file(folder, what));
        }
    }
    let images = match beside(&all, &base)?.filter(|_| masked.is_none()) {
        Some((found, images)) => {
            let end = found.name.as_deref().unwrap_or_default().trim_start_matches("{stem}");
            settings.exclude.push(format!("*{end}"));
            decisions.push(Decision::new("exclude", json!(settings.exclude), "masks that lie beside their images"));
            masked = Some(found);
            images
        }
        None => all,
    };
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
        Classes::PlantFolders => {
            let pattern = r"^[^/]+/(?P<plant>[^/]+)/";
            settings.label = Some(pattern.to_owned());
            decisions.push(Decision::new(
                "class_level",
                1,
                "the folders within those of the classes are alike or numbered",
            ));
            decisions.push(Decision::new(
                "label",
                pattern,
                "images of one such folder stay together, as those of one plant",
            ));
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
    Ok(Some(Recognised { images: with_class, described: false, decisions, masks }))
}

/// Where the classes stand.
enum Classes {
    First,
    /// Folders within those of the classes hold what belongs together.
    PlantFolders,
    Second,
    InNames(&'static str),
}

fn classes(base: &Path, images: &[PathBuf], masks: Option<&Path>) -> Result<Option<Classes>> {
    let level = |path: &PathBuf| path.strip_prefix(base).map_or(0, |path| path.components().count() - 1);
    let mut at: BTreeMap<usize, usize> = BTreeMap::new();
    images.iter().for_each(|path| *at.entry(level(path)).or_default() += 1);
    let most = at.iter().max_by_key(|(level, count)| (**count, Reverse(**level))).map(|(&level, _)| level);
    let tops: Vec<PathBuf> = folders(base)?.into_iter().filter(|path| masks != Some(path.as_path())).collect();
    let parts = tops.iter().any(|path| part_of(path).is_some());
    Ok(match (most, parts) {
        (None, _) => None,
        (Some(0), _) => {
            let names: Vec<String> = images.iter().map(|path| relative(path, base)).collect();
            guess::classes(&names).map(Classes::InNames)
        }
        (Some(2), false) if tops.len() >= 2 && at.keys().all(|&level| level >= 2) => {
            let mut inner: BTreeMap<String, usize> = BTreeMap::new();
            for top in &tops {
                folders(top)?.iter().for_each(|path| *inner.entry(relative(path, top)).or_default() += 1);
            }
            let alike = inner.values().any(|&count| count > 1)
                || inner.keys().all(|name| name.chars().any(|c| c.is_ascii_digit()));
            Some(if alike { Classes::PlantFolders } else { Classes::Second })
        }
        _ => Some(Classes::First),
    })
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
    let alpha = Alpha.recognise(&MaskPlace { folder: base, images })?;
    Ok(alpha.map(|found| Decision::new("masks.source", Value::from("alpha"), found.why)))
}
