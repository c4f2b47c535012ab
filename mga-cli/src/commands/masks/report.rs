//! What came of `mga masks`: a summary, and a picture to look over.

use std::collections::BTreeMap;

use anyhow::Context;
use mga_data::transforms::{Interpolation, resize_picture};
use mga_data::{Mask, Picture, decode};
use serde_json::json;

use super::folder::MaskFolder;
use super::origin::Images;
use crate::output::write_file;
use crate::pictures::{grey, grid, save_png};
use crate::prediction::spread;
use crate::progress::percent;

/// Images on the contact sheet.
const SHOWN: usize = 24;
/// Their longer side, pixels.
const SIDE: usize = 192;
/// Blank masks that are named.
const NAMED: usize = 5;

/// Coverage over some masks.
#[derive(Debug, Default, Clone, Copy)]
struct Coverage {
    masks: usize,
    sum: f64,
    least: f64,
    most: f64,
    blank: usize,
}

impl Coverage {
    fn add(&mut self, coverage: f64) {
        self.least = if self.masks == 0 { coverage } else { self.least.min(coverage) };
        self.most = self.most.max(coverage);
        self.masks += 1;
        self.sum += coverage;
        self.blank += usize::from(coverage == 0.0);
    }

    fn mean(&self) -> Option<f64> {
        (self.masks > 0).then(|| self.sum / self.masks as f64)
    }

    fn json(&self) -> serde_json::Value {
        json!({ "masks": self.masks, "mean": self.mean(), "least": self.least, "most": self.most, "blank": self.blank })
    }
}

/// Writes `about/summary.json` and `about/contact-sheet.png`; gives the summary for people. `kept` masks were there before.
pub(super) fn write(images: &Images, folder: &MaskFolder, kept: usize) -> anyhow::Result<String> {
    let (mut all, mut classes, mut blank) = (Coverage::default(), BTreeMap::<String, Coverage>::new(), vec![]);
    for index in 0..images.len() {
        let Some(line) = folder.line(images.id(index)) else { continue };
        all.add(line.coverage);
        if let Some(class) = images.class(index) {
            classes.entry(class).or_default().add(line.coverage);
        }
        if line.coverage == 0.0 {
            blank.push(line.id.as_str());
        }
    }
    let about = folder.path().join("about");
    let by_class: serde_json::Map<_, _> = classes.iter().map(|(class, of)| (class.clone(), of.json())).collect();
    let summary = json!({ "coverage": all.json(), "classes": by_class, "blank": blank });
    let path = about.join("summary.json");
    write_file(&path, (serde_json::to_string_pretty(&summary)? + "\n").as_bytes())
        .with_context(|| format!("{}: cannot be written", path.display()))?;
    let sheet = about.join("contact-sheet.png");
    if let Some(picture) = contact_sheet(images, folder)? {
        save_png(&picture, &sheet).with_context(|| format!("{}: cannot be written", sheet.display()))?;
    }
    let mut text = format!(
        "{}: {} masks, {} of them made now\ncoverage: mean {}, from {} to {}\n",
        folder.path().display(),
        all.masks,
        folder.len().saturating_sub(kept),
        percent(all.mean()),
        percent(Some(all.least)),
        percent(Some(all.most))
    );
    for (class, of) in classes.iter().filter(|_| classes.len() > 1) {
        let blank = if of.blank > 0 { format!(", {} blank", of.blank) } else { String::new() };
        text += &format!("  {class}: mean {} of {} masks{blank}\n", percent(of.mean()), of.masks);
    }
    if !blank.is_empty() {
        let more = if blank.len() > NAMED { ", ..." } else { "" };
        let named = blank.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        text += &format!("warning: {} masks are blank: {named}{more}\n", blank.len());
    }
    text += &format!("contact sheet: {}\n", sheet.display());
    Ok(text)
}

/// Images with their masks beside them, spread over all, four pairs a line. `None`: there are none.
fn contact_sheet(images: &Images, folder: &MaskFolder) -> anyhow::Result<Option<Picture>> {
    let all: Vec<usize> = (0..images.len()).filter(|&index| folder.line(images.id(index)).is_some()).collect();
    let mut pairs = vec![];
    for index in spread(&all, SHOWN) {
        let Some(line) = folder.line(images.id(index)) else { continue };
        let picture = small(images.picture(index)?);
        let mask: Mask = decode::mask(&folder.path().join(&line.mask))?;
        pairs.push(vec![picture, small(grey(&mask))]);
    }
    Ok(grid(&pairs.chunks(4).map(<[_]>::concat).collect::<Vec<_>>()))
}

fn small(picture: Picture) -> Picture {
    let longer = picture.width().max(picture.height());
    if longer <= SIDE {
        return picture;
    }
    let side = |length: usize| (length * SIDE / longer).max(1);
    let (height, width) = (side(picture.height()), side(picture.width()));
    resize_picture(picture, height, width, Interpolation::Bilinear)
}
