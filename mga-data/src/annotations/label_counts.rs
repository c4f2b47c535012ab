//! The contents of annotated images: pixels of each class, and what cannot be trained on.

use image::metadata::Orientation;
use rayon::prelude::*;

use super::annotated::Annotated;
use super::settings::AnnotationKind;
use crate::decode;
use crate::error::Result;
use crate::masks::{MaskReading, MaskSurvey, survey};
use crate::source::{Source, caught};
use crate::summed_up::some_of;

/// Pixels of some annotated images, by class.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelCounts {
    /// The pixels of each class, in the order of the class numbers.
    pub classes: Vec<u64>,
    /// The pixels that are ignored.
    pub ignored: u64,
    /// Images or annotations that cannot be used, a line each, with the path.
    pub unreadable: Vec<String>,
    /// Images that EXIF turns in a way that the shape of their label map does not show.
    pub undecided: Vec<String>,
}

impl Annotated {
    /// Counts the pixels of these images in parallel.
    pub fn count(&self, images: &[usize]) -> LabelCounts {
        let counts = |&index: &usize| (index, caught(self, index, || self.counts_of(index)));
        let of_each: Vec<(usize, Result<LabelCounts>)> = images.par_iter().map(counts).collect();
        let mut all = LabelCounts { classes: vec![0; self.classes().len()], ..LabelCounts::default() };
        for (index, counts) in of_each {
            match counts {
                Ok(counts) => {
                    all.classes.iter_mut().zip(counts.classes).for_each(|(sum, count)| *sum += count);
                    all.ignored += counts.ignored;
                    if self.is_undecided(index) {
                        all.undecided.push(self.id(index).to_owned());
                    }
                }
                Err(error) => all.unreadable.push(error.to_string()),
            }
        }
        all
    }

    /// Returns the survey of the files of these images' masks, if masks are the annotations.
    pub fn survey_masks(&self, images: &[usize], reading: &MaskReading) -> MaskSurvey {
        match self.settings.source {
            AnnotationKind::Masks => survey(self.dataset.as_ref(), &self.masks, images, reading),
            _ => MaskSurvey::default(),
        }
    }

    fn counts_of(&self, index: usize) -> Result<LabelCounts> {
        let (_, map) = self.load(index)?;
        let mut counts = LabelCounts { classes: vec![0; self.classes().len()], ..LabelCounts::default() };
        for value in map.iter().flat_map(|map| map.values()) {
            match counts.classes.get_mut(*value as usize) {
                Some(count) => *count += 1,
                None => counts.ignored += 1,
            }
        }
        Ok(counts)
    }

    /// Whether EXIF turns or mirrors the image and nothing says on which pixels it was annotated.
    fn is_undecided(&self, index: usize) -> bool {
        if self.settings.orientation.is_some() || self.settings.source == AnnotationKind::Masks {
            return false;
        }
        let path = self.dataset.records().get(index).and_then(|record| record.path.as_deref());
        let header = path.and_then(|path| decode::header(path).ok());
        // Where the sides are swapped, the map that fits shows which it was.
        header.is_some_and(|header| {
            header.orientation != Orientation::NoTransforms
                && (header.stored == header.upright() || header.stored.0 == header.stored.1)
        })
    }

    /// Returns the problem if none of these pixels of training images belongs to a class after the first; `None` if
    /// some do.
    pub fn no_foreground(&self, counts: &LabelCounts) -> Option<String> {
        if counts.classes.iter().skip(1).any(|&count| count > 0) {
            return None;
        }
        let classes: Vec<String> = self.classes().iter().skip(1).map(|class| format!("`{class}`")).collect();
        let hint = match self.settings.source {
            AnnotationKind::Masks => format!(
                "no mask reaches data.annotations.threshold = {}; where mask files hold class numbers, \
                 data.masks.foreground = [..] says which are the object",
                self.settings.threshold
            ),
            AnnotationKind::IndexPng if counts.ignored > 0 => {
                "255 counts nowhere in index-png: files of 0 and 255 are read by data.annotations.source = \"masks\""
                    .to_owned()
            }
            AnnotationKind::IndexPng => "the files hold the number 0 alone: look at them".to_owned(),
            AnnotationKind::Labelme => "the shapes have other labels, or lie outside: look at the files".to_owned(),
        };
        Some(format!(
            "0 % of the annotated training pixels are foreground, so there is nothing to learn: none is {}; {hint}",
            some_of(&classes)
        ))
    }

    /// Returns notes on the counts of the split called `part`.
    pub fn odd(&self, counts: &LabelCounts, part: &str) -> Vec<String> {
        let mut notes = Vec::new();
        let absent = self.classes().iter().zip(&counts.classes).filter(|(_, count)| **count == 0);
        let absent: Vec<String> = absent.map(|(class, _)| format!("`{class}`")).collect();
        if !absent.is_empty() {
            notes.push(format!("no pixel of the {part} images is {}", some_of(&absent)));
        }
        if !counts.undecided.is_empty() {
            notes.push(format!(
                "EXIF turns or mirrors {} of the {part} images in a way that the shape of their annotations does not show \
                 ({}): they are taken as drawn on the upright picture; data.annotations.orientation = \"upright\" says that \
                 it is so, \"stored\" that they were drawn on the pixels as they are stored",
                counts.undecided.len(),
                some_of(&counts.undecided)
            ));
        }
        notes
    }
}
