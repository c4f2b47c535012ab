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
        let mask = image.mask.as_ref().map(|mask| text(mask)).transpose()?.unwrap_or_default();
        let group = image.group.clone().unwrap_or_default();
        writer.write_record(row([text(&image.file)?, image.class.clone(), group, mask]))?;
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

/// An absolute path, so that the table reads alike from everywhere.
fn text(path: &Path) -> anyhow::Result<String> {
    let path = std::path::absolute(path)?;
    let text = path.to_str().with_context(|| format!("{}: the name is not UTF-8; rename the file", path.display()))?;
    Ok(text.to_owned())
}
