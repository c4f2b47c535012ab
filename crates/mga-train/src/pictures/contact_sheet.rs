//! Many images on one sheet, each with its mask beside it.

use mga_data::transforms::{Interpolation, resize_picture};
use mga_data::{Mask, Picture};

use super::{grey, grid};

/// The longer side of a picture on the sheet, pixels.
const SIDE: usize = 192;

/// Images with their masks side by side in a line.
pub const PAIRS_PER_ROW: usize = 4;

/// A sheet in the making.
#[derive(Debug, Clone, Default)]
pub struct ContactSheet(Vec<Vec<Picture>>);

impl ContactSheet {
    /// Puts an image and its mask behind those that are there.
    pub fn add(&mut self, picture: Picture, mask: &Mask) {
        self.0.push(vec![small(picture), small(grey(mask))]);
    }

    /// Returns the sheet; `None`: nothing was put on it.
    #[must_use]
    pub fn picture(&self) -> Option<Picture> {
        grid(&self.0.chunks(PAIRS_PER_ROW).map(<[_]>::concat).collect::<Vec<_>>())
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_stand_four_in_a_line_and_are_small() {
        let mut sheet = ContactSheet::default();
        assert_eq!(sheet.picture(), None);
        for _ in 0..5 {
            sheet.add(Picture::filled(400, 200, 0.5), &Mask::filled(400, 200, 1.0));
        }
        let picture = sheet.picture().unwrap();
        // Eight pictures of 192 x 96 and their gaps of 4; two lines.
        assert_eq!((picture.width(), picture.height()), (8 * 192 + 7 * 4, 2 * 96 + 4));
        assert_eq!((picture.pixels()[0], picture.pixels()[3 * 200]), (0.5, 1.0));
    }
}
