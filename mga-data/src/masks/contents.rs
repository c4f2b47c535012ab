//! The contents of one mask file: its kind and its numbers.

use std::collections::{BTreeMap, BTreeSet};

use image::ImageFormat;
use image::metadata::Orientation;

use crate::decode::stored::{Form, Stored};
use crate::picture::Mask;

/// Files with more different numbers are taken for brightness.
pub(super) const FEW: usize = 16;

/// Numbers up to this are class numbers where there are few.
const SMALL: u16 = 32;

/// A mask whose brightest number is a smaller share of its full scale is nearly black.
const DIM: f32 = 0.25;

/// The contents of one mask file.
#[derive(Debug, Clone, PartialEq)]
pub struct MaskContents {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Format, depth and form, for people: `PNG, 8-bit grey`.
    pub(super) kind: String,
    pub(super) form: Form,
    /// The number of full brightness.
    pub(super) full: u16,
    /// The different numbers in it, where they are few.
    pub(super) numbers: Option<BTreeSet<u16>>,
    /// Its largest number.
    pub(super) largest: u16,
    /// Indices of a palette that shows colours: each with its colour and how bright that is.
    pub(super) colours: BTreeMap<u16, ([u8; 3], f32)>,
    /// Whether it is 0 everywhere as it is read, or ignored.
    pub(super) blank: bool,
    /// Whether its own EXIF turns it.
    pub(super) turned: bool,
}

/// What the numbers of a file look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Range {
    Zero,
    ZeroOne,
    BlackWhite,
    Few,
    Many,
}

impl MaskContents {
    pub(crate) fn new(stored: &Stored, mask: &Mask, orientation: Orientation) -> Self {
        let mut seen = vec![false; usize::from(u16::MAX) + 1];
        stored.numbers.iter().for_each(|&number| seen[usize::from(number)] = true);
        let mut present = (0..=u16::MAX).filter(|&number| seen[usize::from(number)]);
        let largest = present.clone().next_back().unwrap_or(0);
        let few: BTreeSet<u16> = present.by_ref().take(FEW).collect();
        let numbers = (present.next().is_none() && stored.form != Form::Floats).then_some(few);
        let shown = stored.form == Form::ColourPaletteShown;
        let colour = |&number: &u16| {
            let colour = stored.palette.get(usize::from(number)).copied().unwrap_or_default();
            (number, (colour, stored.brightness(number)))
        };
        let all = (0..=255u16).filter(|&number| shown && seen[usize::from(number)]);
        Self {
            width: mask.width(),
            height: mask.height(),
            kind: kind(stored),
            form: stored.form,
            full: stored.full,
            numbers,
            largest,
            colours: all.map(|number| colour(&number)).collect(),
            blank: !mask.values().iter().any(|&value| value > 0.0),
            turned: orientation != Orientation::NoTransforms,
        }
    }

    pub(super) fn range(&self) -> Range {
        let only = |allowed: [u16; 2]| self.numbers.as_ref().is_some_and(|n| n.iter().all(|n| allowed.contains(n)));
        match self.form {
            Form::ColourPalette | Form::ColourPaletteShown => Range::Few,
            _ if only([0, 0]) => Range::Zero,
            _ if only([0, 1]) => Range::ZeroOne,
            _ if only([0, self.full]) || only([0, 255]) => Range::BlackWhite,
            _ if self.numbers.is_some() => Range::Few,
            _ => Range::Many,
        }
    }

    /// Whether few small whole numbers are in it, that are not just 0 and 1.
    pub(super) fn is_classes(&self) -> bool {
        let small = |n: &u16| (1..=SMALL).contains(n);
        let shows_grey = !matches!(self.form, Form::ColourPaletteShown);
        shows_grey && self.range() == Range::Few && self.numbers.iter().flatten().any(small)
    }

    /// Whether its brightest number is a small share of its full scale.
    pub(super) fn is_dim(&self) -> bool {
        let full = if self.largest == 255 { 255 } else { self.full };
        self.largest > 1 && f32::from(self.largest) < DIM * f32::from(full) && self.form != Form::ColourPaletteShown
    }
}

fn kind(stored: &Stored) -> String {
    let format = match stored.format {
        ImageFormat::Jpeg => "JPEG".to_owned(),
        ImageFormat::WebP => "WebP".to_owned(),
        other => format!("{other:?}").to_uppercase(),
    };
    let bits = if stored.full == 255 { 8 } else { 16 };
    let form = match stored.form {
        Form::Grey => format!("{bits}-bit grey"),
        Form::GreyInColour => format!("{bits}-bit colour that shows greys"),
        Form::Colours => format!("{bits}-bit colour"),
        Form::GreyPalette => "palette of greys".to_owned(),
        Form::ColourPalette | Form::ColourPaletteShown => "palette of colours".to_owned(),
        Form::Floats => "floating point".to_owned(),
    };
    let alpha = if stored.alpha.is_some() { " with alpha" } else { "" };
    format!("{format}, {form}{alpha}")
}
