//! The result of `mga masks`: a summary, and a picture to look over.

use std::collections::BTreeMap;

use anyhow::Context;
use mga_core::whole_file::write_all;
use mga_core::wording::counted;
use mga_data::{Picture, decode};
use mga_train::mask_coverage::{Coverage, Extent};
use mga_train::pictures::{ContactSheet, save_png};
use mga_train::prediction::spread;
use serde_json::json;

use super::folder::MaskFolder;
use super::origin::Images;

/// Images on the contact sheet.
const SHOWN: usize = 24;
/// Blank masks that are named.
const NAMED: usize = 5;

/// Writes `about/summary.json` and `about/contact-sheet.png`; gives the summary for people. `kept` masks were there before.
pub(super) fn write(images: &Images, folder: &MaskFolder, kept: usize) -> anyhow::Result<String> {
    let (mut all, mut classes, mut blank) = (vec![], BTreeMap::<String, Vec<Extent>>::new(), vec![]);
    for index in 0..images.len() {
        let Some(line) = folder.line(images.id(index)) else { continue };
        all.push(line.extent());
        if let Some(class) = images.class(index) {
            classes.entry(class).or_default().push(line.extent());
        }
        if line.coverage == 0.0 {
            blank.push(line.id.as_str());
        }
    }
    let all = Coverage::of_extents(&all);
    let classes: Vec<(String, Coverage)> =
        classes.into_iter().filter_map(|(class, of)| Some((class, Coverage::of_extents(&of)?))).collect();
    let odd = all.map(|all| all.oddities()).unwrap_or_default();
    let about = folder.path().join("about");
    let by_class: serde_json::Map<_, _> = classes.iter().map(|(class, of)| (class.clone(), json!(of))).collect();
    let summary = json!({ "coverage": all, "classes": by_class, "blank": blank, "odd": odd });
    let path = about.join("summary.json");
    write_all(&path, (serde_json::to_string_pretty(&summary)? + "\n").as_bytes())
        .with_context(|| format!("{}: cannot be written", path.display()))?;
    let sheet = about.join("contact-sheet.png");
    if let Some(picture) = contact_sheet(images, folder)? {
        save_png(&picture, &sheet).with_context(|| format!("{}: cannot be written", sheet.display()))?;
    }
    let mut text = format!(
        "{}: {}, {} of them made now\n",
        folder.path().display(),
        counted(all.map_or(0, |all| all.masks), "mask", "masks"),
        folder.len().saturating_sub(kept)
    );
    text += &all.map_or_else(String::new, |all| format!("coverage: {}\n", all.phrase()));
    for (class, of) in classes.iter().filter(|_| classes.len() > 1) {
        text += &format!("  {class}: {} ({})\n", of.phrase(), counted(of.masks, "mask", "masks"));
    }
    if !blank.is_empty() {
        let more = if blank.len() > NAMED { ", ..." } else { "" };
        let named = blank.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        text += &format!("warning: {}: {named}{more}\n", counted(blank.len(), "blank mask", "blank masks"));
    }
    odd.iter().for_each(|odd| text += &format!("warning: masks: {odd}; look at the contact sheet\n"));
    text += &format!("contact sheet: {}\n", sheet.display());
    Ok(text)
}

/// Images with their masks beside them, spread over all, four pairs a line. `None`: there are none.
fn contact_sheet(images: &Images, folder: &MaskFolder) -> anyhow::Result<Option<Picture>> {
    let all: Vec<usize> = (0..images.len()).filter(|&index| folder.line(images.id(index)).is_some()).collect();
    let mut sheet = ContactSheet::default();
    for index in spread(&all, SHOWN) {
        let Some(line) = folder.line(images.id(index)) else { continue };
        let mask = decode::mask(&folder.path().join(&line.mask))?;
        sheet.add(images.picture(index)?, &mask, &line.id, line.coverage);
    }
    Ok(sheet.picture())
}
