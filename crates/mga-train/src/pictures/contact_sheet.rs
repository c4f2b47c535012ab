//! Many images on one sheet, each with its mask beside it, its name and how much the mask covers.

use mga_data::{Mask, Picture};

use super::figure::{Entry, Figure, LEAST_SIDE};
use super::grey;

/// Images with their masks side by side in a line.
pub const PAIRS_PER_ROW: usize = 4;

/// A sheet in the making.
#[derive(Debug, Clone, Default)]
pub struct ContactSheet(Vec<Entry>);

impl ContactSheet {
    /// Puts an image and its mask behind those that are there. The name and the coverage, from 0 to 1, stand below them.
    pub fn add(&mut self, picture: Picture, mask: &Mask, name: &str, coverage: f64) {
        let lines = vec![name.to_owned(), format!("covers {:.1} %", 100.0 * coverage)];
        self.0.push(Entry { pictures: vec![Some(picture), Some(grey(mask))], lines, verdict: None });
    }

    /// Returns the sheet; `None`: nothing was put on it.
    #[must_use]
    pub fn picture(&self) -> Option<Picture> {
        let heads = vec!["image".to_owned(), "mask".to_owned()];
        let entries = self.0.clone();
        let figure = Figure { heads, entries, per_line: PAIRS_PER_ROW, side: LEAST_SIDE, maps: false };
        figure.draw().map(|(sheet, _)| sheet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_stand_four_in_a_line_with_names_and_are_small() {
        let mut sheet = ContactSheet::default();
        assert_eq!(sheet.picture(), None);
        for _ in 0..5 {
            sheet.add(Picture::filled(400, 200, 0.5), &Mask::filled(400, 200, 1.0), "oak/01.jpg", 1.0);
        }
        let picture = sheet.picture().unwrap();
        assert!((8 * LEAST_SIDE..9 * LEAST_SIDE).contains(&picture.width()), "{}", picture.width());
        // Two lines of pictures half as high as wide, two lines of text below each, and the headings.
        assert!((LEAST_SIDE..2 * LEAST_SIDE).contains(&picture.height()), "{}", picture.height());
    }
}
