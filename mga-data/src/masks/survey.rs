//! A survey of mask files: kinds of file and numbers, counted over a data set, and what looks odd about them.

use std::collections::{BTreeMap, BTreeSet};

use image::metadata::Orientation;
use mga_core::wording::counted;
use rayon::prelude::*;
use serde::Serialize;

use super::aspect::same_aspect;
use super::contents::{FEW, MaskContents, Range};
use super::reading::MaskReading;
use crate::dataset::Dataset;
use crate::decode::stored::Form;
use crate::decode::{self, Header};
use crate::error::{Error, Result};
use crate::summed_up::some_of;

/// Mask files of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MaskKind {
    /// Format, depth and form: `PNG, 8-bit grey`.
    pub kind: String,
    /// The number of files.
    pub files: usize,
    /// The different numbers in them, where each holds few; empty where they hold many.
    pub numbers: BTreeSet<u16>,
    /// Their largest number.
    pub largest: u16,
    /// The image that the first of them belongs to.
    pub first: String,
}

/// A survey of the mask files of a data set.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct MaskSurvey {
    /// The number of files that were read.
    pub files: usize,
    /// The number of all files.
    pub of: usize,
    /// Their kinds.
    pub kinds: Vec<MaskKind>,
    /// The files that cannot be used, one line each, with the path.
    pub unreadable: Vec<String>,
    /// The problems that make training on them wrong, one line each.
    pub problems: Vec<String>,
    /// The notes on what is worth a look, one line each.
    pub notes: Vec<String>,
}

/// Looks at the masks of these images from one source, in parallel, as `reading` reads them. Masks that lie in no file are
/// passed over.
pub fn survey(dataset: &dyn Dataset, source: &str, images: &[usize], reading: &MaskReading) -> MaskSurvey {
    let looks: Vec<(usize, Result<Option<Look>>)> =
        images.par_iter().map(|&index| (index, look(dataset, source, index, reading))).collect();
    let mut found = Found::default();
    let mut survey = MaskSurvey::default();
    for (index, look) in looks {
        let id = dataset.records().get(index).map_or("", |record| record.id.as_str());
        match look {
            Ok(Some(look)) => found.add(id, look),
            Ok(None) => {}
            Err(error) => survey.unreadable.push(error.to_string()),
        }
    }
    survey.files = found.files.len();
    survey.of = survey.files + survey.unreadable.len();
    survey.kinds = found.kinds();
    (survey.problems, survey.notes) = found.odd(reading);
    survey
}

/// A mask file with what its image says of it.
struct Look {
    contents: MaskContents,
    /// Whether EXIF turns or mirrors the image and the shape of the mask does not show which way it was drawn.
    undecided: bool,
}

fn look(dataset: &dyn Dataset, source: &str, index: usize, reading: &MaskReading) -> Result<Option<Look>> {
    let Some(contents) = dataset.mask_contents(index, source)? else { return Ok(None) };
    let record = dataset.records().get(index);
    // An image that cannot be read is told where images are.
    let header = record.and_then(|record| record.path.as_deref()).and_then(|path| decode::header(path).ok());
    let Some(header) = header else { return Ok(Some(Look { contents, undecided: false })) };
    let mask = (contents.width, contents.height);
    if !reading.fits(&header, mask) {
        let ((w, h), (mw, mh), hint) = (header.upright(), mask, other_aspect(&header, mask));
        let path = record.and_then(|record| record.path.clone()).unwrap_or_default();
        return Err(Error::file(
            path,
            format!("is {w} x {h}, but its mask is {mw} x {mh}: expected one aspect; {hint}"),
        ));
    }
    let turned = header.orientation != Orientation::NoTransforms && !contents.turned;
    let both = same_aspect(header.stored, mask) == same_aspect(header.upright(), mask);
    Ok(Some(Look { contents, undecided: turned && both && reading.orientation.is_none() }))
}

/// What to do about a mask that has another aspect than its image.
pub(crate) fn other_aspect(image: &Header, mask: (usize, usize)) -> &'static str {
    let (stored, upright) = (image.stored, image.upright());
    if stored != upright && same_aspect(stored, mask) {
        "it fits the pixels as they are stored, before EXIF turns them: data.masks.orientation = \"stored\" takes it so"
    } else if stored != upright && same_aspect(upright, mask) {
        "it fits the upright picture: leave out data.masks.orientation = \"stored\""
    } else if same_aspect(upright, (mask.1, mask.0)) {
        "it lies on its side: was the photograph turned since? make it anew"
    } else {
        "make it anew, or set data.masks.stretch = true where masks were squeezed to another shape"
    }
}

/// All files that were looked at, each with its image.
#[derive(Default)]
struct Found {
    files: Vec<(String, MaskContents)>,
    undecided: Vec<String>,
}

impl Found {
    fn add(&mut self, id: &str, look: Look) {
        if look.undecided {
            self.undecided.push(id.to_owned());
        }
        self.files.push((id.to_owned(), look.contents));
    }

    fn kinds(&self) -> Vec<MaskKind> {
        let mut kinds: BTreeMap<(&str, Range), MaskKind> = BTreeMap::new();
        for (id, contents) in &self.files {
            let kind = kinds.entry((&contents.kind, contents.range())).or_insert_with(|| MaskKind {
                kind: contents.kind.clone(),
                files: 0,
                numbers: BTreeSet::new(),
                largest: 0,
                first: id.clone(),
            });
            kind.files += 1;
            kind.numbers.extend(contents.numbers.iter().flatten());
            kind.largest = kind.largest.max(contents.largest);
        }
        kinds.into_values().collect()
    }

    /// The images of files of which something holds.
    fn of(&self, holds: impl Fn(&MaskContents) -> bool) -> Vec<String> {
        self.files.iter().filter(|(_, contents)| holds(contents)).map(|(id, _)| id.clone()).collect()
    }

    fn odd(&self, reading: &MaskReading) -> (Vec<String>, Vec<String>) {
        let (mut problems, mut notes) = (Vec::new(), Vec::new());
        if reading.lists_numbers() {
            self.unused(reading, &mut problems, &mut notes);
        } else {
            problems.extend(self.coloured_palettes());
            self.dubious(&mut notes);
        }
        if !self.files.is_empty() && self.files.iter().all(|(_, contents)| contents.blank) && self.files.len() > 1 {
            notes.push(format!("every one of the {} masks is 0 everywhere", self.files.len()));
        }
        let several: BTreeSet<(&str, Range)> =
            self.files.iter().map(|(_, c)| (c.kind.as_str(), c.range())).filter(|(_, r)| *r != Range::Zero).collect();
        if several.len() > 1 {
            notes.push(format!("masks are of {} kinds: {}", several.len(), lines(&self.kinds()).join("; ")));
        }
        if !self.undecided.is_empty() {
            notes.push(format!(
                "EXIF turns or mirrors {} in a way that the shape of their masks does not show ({}): the masks are taken as \
                 drawn on the upright image; data.masks.orientation = \"upright\" confirms this, \"stored\" says that they \
                 were drawn on the pixels as stored",
                counted(self.undecided.len(), "photograph", "photographs"),
                some_of(&self.undecided)
            ));
        }
        (problems, notes)
    }

    /// Palettes whose colours are shown have two readings.
    fn coloured_palettes(&self) -> Option<String> {
        let images = self.of(|contents| contents.form == Form::ColourPaletteShown);
        if images.is_empty() {
            return None;
        }
        let colours: BTreeMap<u16, ([u8; 3], f32)> =
            self.files.iter().flat_map(|(_, contents)| contents.colours.clone()).collect();
        let readings: Vec<String> = colours
            .iter()
            .take(8)
            .map(|(index, (colour, bright))| {
                format!("index {index} is the colour {colour:?}, as brightness {bright:.2}")
            })
            .collect();
        let more = if colours.len() > readings.len() { ", ..." } else { "" };
        Some(format!(
            "{} with a palette of colours ({}), which can be read by index or by brightness: {}{more}; say which \
             indices are the object, data.masks.foreground = [..] (and background and ignore), or save them in grey",
            masks(images.len()),
            some_of(&images),
            readings.join(", ")
        ))
    }

    /// Listed numbers that are nowhere.
    fn unused(&self, reading: &MaskReading, problems: &mut Vec<String>, notes: &mut Vec<String>) {
        // Of files with many numbers it is not known which.
        if self.files.is_empty() || self.files.iter().any(|(_, contents)| contents.numbers.is_none()) {
            return;
        }
        let found: BTreeSet<u16> = self.files.iter().flat_map(|(_, c)| c.numbers.iter().flatten()).copied().collect();
        let all: Vec<String> = found.iter().map(u16::to_string).collect();
        for (key, list) in
            [("foreground", &reading.foreground), ("background", &reading.background), ("ignore", &reading.ignore)]
        {
            let absent: Vec<String> = list.iter().filter(|n| !found.contains(n)).map(u16::to_string).collect();
            if absent.is_empty() {
                continue;
            }
            let line = format!(
                "data.masks.{key} names {}, which no mask holds; they hold {}",
                absent.join(", "),
                some_of(&all)
            );
            let useless = absent.len() == list.len() && key != "ignore";
            if useless { problems.push(line) } else { notes.push(line) }
        }
        let named =
            |n: &&u16| ![&reading.foreground, &reading.background, &reading.ignore].iter().any(|l| l.contains(n));
        let rest: Vec<String> = found.iter().filter(named).map(u16::to_string).collect();
        let means = match (reading.foreground.is_empty(), reading.background.is_empty()) {
            (false, true) => "background",
            (true, false) => "foreground",
            _ => "brightness",
        };
        if !rest.is_empty() {
            notes.push(format!("numbers that data.masks does not name are {means}: {}", some_of(&rest)));
        }
    }

    /// What brightness may not be meant by.
    fn dubious(&self, notes: &mut Vec<String>) {
        let classes = self.of(MaskContents::is_classes);
        if !classes.is_empty() {
            let numbers: BTreeSet<u16> = self
                .files
                .iter()
                .filter(|(_, contents)| contents.is_classes())
                .flat_map(|(_, contents)| contents.numbers.iter().flatten())
                .copied()
                .collect();
            let numbers: Vec<String> = numbers.iter().map(u16::to_string).collect();
            notes.push(format!(
                "{} with only a few whole numbers ({}; images: {}), as in trimaps and class numbers: read as brightness, \
                 the attention is trained towards the largest; say which numbers are the object: data.masks.foreground = \
                 [..] (and background and ignore)",
                masks(classes.len()),
                some_of(&numbers),
                some_of(&classes)
            ));
        }
        let is_dim = |contents: &MaskContents| contents.is_dim() && !contents.is_classes();
        let dim = self.of(is_dim);
        let brightest = self.files.iter().filter(|(_, c)| is_dim(c)).map(|(_, c)| (c.largest, c.full)).max();
        if let Some((largest, full)) = brightest {
            let twelve = if full > 255 && (256..=4095).contains(&largest) { ", twelve bits in sixteen" } else { "" };
            notes.push(format!(
                "nearly black: {}, whose brightest value is {largest} of {full}{twelve} ({}); scale them to the \
                 full range, or say which numbers are the object: data.masks.foreground = [..]",
                masks(dim.len()),
                some_of(&dim)
            ));
        }
        let colours = self.of(|contents| contents.form == Form::Colours);
        if !colours.is_empty() {
            notes.push(format!(
                "{} in colour ({}), of which the strongest channel is read, because a mask has one number per pixel",
                masks(colours.len()),
                some_of(&colours)
            ));
        }
    }
}

fn masks(n: usize) -> String {
    counted(n, "mask", "masks")
}

/// One line for each kind.
pub(crate) fn lines(kinds: &[MaskKind]) -> Vec<String> {
    let line = |kind: &MaskKind| {
        let numbers: Vec<String> = kind.numbers.iter().map(u16::to_string).collect();
        let holds = match numbers.len() {
            0 => format!("many values up to {}", kind.largest),
            1..=FEW => numbers.join(", "),
            _ => format!("few values each, {} to {}", numbers[0], kind.largest),
        };
        format!("{} {}: {holds} (first: {})", kind.files, kind.kind, kind.first)
    };
    kinds.iter().map(line).collect()
}

impl MaskSurvey {
    /// Describes each kind of file in one line.
    pub fn lines(&self) -> Vec<String> {
        lines(&self.kinds)
    }
}

#[cfg(test)]
mod tests;
