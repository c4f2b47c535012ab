//! Folds of the images of a folder.

use std::path::Path;

use super::k_folds::{FoldSettings, Folds};
use super::named::{OPTION, WAY_ON};
use super::rows::{FILE, RowSettings};
use super::table::fold;
use crate::check::from_table;
use crate::dataset::Dataset;
use crate::datasets::entry::OpenContext;
use crate::datasets::file_set::relative;
use crate::datasets::image_folder::{ImageFolderSettings, open_as};
use crate::datasets::listing::{Listing, folders};
use crate::error::{Error, Result};
use crate::name_pattern::NamePattern;
use crate::recognition::mask_files::{beside, in_folder, trees};
use crate::text_table::TextTable;

/// Folds the images of a folder, and writes them to `output` as a table of `file` and `label`, with `group` and `mask` where
/// there are such, and the folds as [`super::write_folds`] does. Classes and groups are read from the names; without a class
/// in the pattern, the folders are the classes. A folder of masks, and masks beside images, are no images.
///
/// # Errors
/// No images or classes; names that do not match; those of [`super::k_folds`].
pub fn write_folds_of_folder(
    folder: &Path,
    output: &Path,
    rows: &RowSettings,
    settings: &FoldSettings,
) -> Result<Folds> {
    for (option, column) in [("--group", &settings.group), ("--stratify", &settings.stratify), ("--file", &rows.file)] {
        if column.is_some() {
            let what = "names a column of a table, and a folder has none: --label reads classes and what stays together from \
                        names, such as '(?P<class>[A-Za-z]+)_(?P<plant>\\d+)'";
            return Err(Error::setting(option, what));
        }
    }
    let says_class = match &rows.label {
        Some(text) => NamePattern::new(text, OPTION)?.has_class(),
        None => false,
    };
    let (base, masks) = trees(folder)?;
    let all = Listing::read(&base, true, masks.as_deref())?.images;
    if all.is_empty() {
        return Err(Error::file(folder, "holds no images: expected JPEG, PNG or another format that can be read"));
    }
    let inner = folders(&base)?.into_iter().any(|path| masks.as_ref() != Some(&path));
    if !says_class && !inner {
        let what = "has no folders of classes; --label reads the classes from names, such as \
                    '(?P<class>[A-Za-z]+)_(?P<plant>\\d+)'";
        return Err(Error::file(folder, what));
    }
    let mut choice = ImageFolderSettings {
        label: rows.label.clone(),
        class_level: (!says_class).then_some(1),
        check_files: false,
        ..ImageFolderSettings::default()
    };
    let mut of_others = None;
    let found = match &masks {
        Some(masks) => {
            choice.exclude.push(format!("{}/*", relative(masks, &base)));
            let found = in_folder(&all, &base, masks)?;
            if found.is_none() {
                of_others = Some(format!("{}: masks of under half of the images: passed over", masks.display()));
            }
            found
        }
        None => beside(&all, &base)?.map(|(found, _)| found),
    };
    if let Some(found) = &found {
        let end = found.name.as_deref().filter(|_| found.folder == base);
        choice.exclude.extend(end.map(|name| format!("*{}", name.trim_start_matches("{stem}"))));
        choice.mask_root = Some(std::path::absolute(&found.folder).map_err(Error::io(&found.folder))?);
        choice.mask_name.clone_from(&found.name);
        choice.mask_layout = found.layout;
    }
    let context = OpenContext { root: Some(base), skip_errors: rows.skip_errors, ..OpenContext::default() };
    let set = open_as(&choice, &context, OPTION).map_err(|error| match error {
        Error::Many(lines) => Error::Many(lines.into_iter().chain([WAY_ON.to_owned()]).collect()),
        other => other,
    })?;
    let records = set.records();
    let (grouped, masked) = (records.iter().any(|record| record.group.is_some()), found.is_some());
    let kept = [true, true, grouped, masked];
    let row = |cells: [String; 4]| -> Vec<String> {
        cells.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(cell, _)| cell).collect()
    };
    let mut cells = Vec::with_capacity(records.len());
    for (index, record) in records.iter().enumerate() {
        let file = record.path.as_deref().map(|path| from_table(path, output)).transpose()?.unwrap_or_default();
        let mask = set.mask_path(index).map(|path| from_table(path, output)).transpose()?.unwrap_or_default();
        let label = record.label.and_then(|label| set.classes().get(label)).cloned().unwrap_or_default();
        cells.push(row([file, label, record.group.clone().unwrap_or_default(), mask]));
    }
    let mut table = TextTable::made(folder, row([FILE, "label", "group", "mask"].map(str::to_owned)), cells);
    // A pattern that matches no image of the masks is no oddity of the folder.
    table.notes.extend(set.warnings().iter().filter(|note| !note.contains("`data.exclude`")).cloned());
    table.notes.extend(of_others);
    if records.iter().any(|record| record.split.is_some()) {
        table
            .notes
            .push(format!("{}: the parts of the folder are pooled; the folds take their place", folder.display()));
    }
    let settings = FoldSettings {
        group: grouped.then(|| "group".to_owned()),
        stratify: Some("label".to_owned()),
        ..settings.clone()
    };
    fold(table, (folder, output), output, rows, &settings)
}
