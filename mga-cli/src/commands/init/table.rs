//! The table with folds that an experiment on few images reads.

use std::path::Path;

use anyhow::Context;
use mga_data::folds::{FoldSettings, RowSettings, write_folds};

use super::decide::Plan;
use super::look::Looked;

/// Writes the images, with class, group, mask and fold, and returns what is to be said of the folds.
///
/// # Errors
/// Folds that cannot be made; files that cannot be written; a path that is no text.
pub(super) fn write(looked: &Looked, plan: &Plan, file: &Path) -> anyhow::Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let plain = folder.path().join("images.csv");
    let masked = looked.images.iter().any(|image| image.mask.is_some());
    let mut writer = csv::Writer::from_path(&plain)?;
    let columns = ["file", "label", "group", "mask"];
    let kept = [true, true, plan.grouped, masked];
    let row = |cells: [String; 4]| -> Vec<String> {
        cells.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(cell, _)| cell).collect()
    };
    writer.write_record(row(columns.map(str::to_owned)))?;
    for image in &looked.images {
        let mask = image.mask.as_ref().map(|mask| text(mask, &plan.folder)).transpose()?.unwrap_or_default();
        let group = image.group.clone().unwrap_or_default();
        writer.write_record(row([text(&image.file, &plan.folder)?, image.class.clone(), group, mask]))?;
    }
    writer.flush()?;
    let settings = FoldSettings {
        folds: plan.folds.unwrap_or(2),
        repeats: 1,
        seed: 0,
        group: plan.grouped.then(|| "group".to_owned()),
        stratify: Some("label".to_owned()),
    };
    let notes =
        write_folds(&plain, file, &RowSettings { delimiter: Some(','), ..RowSettings::default() }, &settings)?.notes;
    let (made, named) = (plain.display().to_string(), file.display().to_string());
    Ok(notes.into_iter().map(|note| note.replace(&made, &named)).collect())
}

/// A path below the folder as the rest of it, so that the table goes with the folder, or else an absolute path.
fn text(path: &Path, folder: &Path) -> anyhow::Result<String> {
    let (path, folder) = (std::path::absolute(path)?, std::path::absolute(folder)?);
    let shown = path.strip_prefix(&folder).unwrap_or(&path);
    let text = shown.to_str().with_context(|| format!("{}: the name is not UTF-8; rename the file", path.display()))?;
    Ok(text.replace(std::path::MAIN_SEPARATOR, "/"))
}
