//! Pictures side by side, and rows of them below each other.

use mga_data::{Mask, Picture};

use super::overlay::upsampled;

/// Pixels of white between pictures.
const GAP: usize = 4;

/// Pictures side by side with a thin white gap, all as high as the first, their aspects kept. `None`: no pictures.
#[must_use]
pub fn panel(pictures: &[Picture]) -> Option<Picture> {
    grid(std::slice::from_ref(&pictures.to_vec()))
}

/// Arranges rows of pictures below each other, all as high as the first picture, with their aspect ratios kept. Shorter
/// rows are filled with white, and empty rows are left out. It returns `None` if all rows are empty.
#[must_use]
pub fn grid(rows: &[Vec<Picture>]) -> Option<Picture> {
    let height = rows.iter().flatten().next()?.height();
    let mut placed = Vec::new();
    for (row, pictures) in rows.iter().filter(|row| !row.is_empty()).enumerate() {
        let mut x = 0;
        for picture in pictures {
            let picture = resized(picture, scaled_side(picture.width(), height, picture.height()), height);
            let width = picture.width();
            placed.push(((x, row * (height + GAP)), picture));
            x += width + GAP;
        }
    }
    Some(laid_out(&placed))
}

/// `side * to / from`, rounded, at least 1.
fn scaled_side(side: usize, to: usize, from: usize) -> usize {
    ((side * to + from / 2) / from).max(1)
}

/// Bilinear; for looking at, not for measuring.
fn resized(picture: &Picture, width: usize, height: usize) -> Picture {
    if (picture.width(), picture.height()) == (width, height) {
        return picture.clone();
    }
    let mut result = Picture::filled(width, height, 0.0);
    for channel in 0..3 {
        let mut plane = Mask::filled(picture.width(), picture.height(), 0.0);
        let values = picture.pixels().iter().skip(channel).step_by(3);
        plane.values_mut().iter_mut().zip(values).for_each(|(to, from)| *to = *from);
        let plane = upsampled(&plane, width, height);
        let pixels = result.values_mut().iter_mut().skip(channel).step_by(3);
        pixels.zip(plane.values()).for_each(|(to, from)| *to = *from);
    }
    result
}

/// Pictures at places (column, row) on white that holds them all.
fn laid_out(placed: &[((usize, usize), Picture)]) -> Picture {
    let width = placed.iter().map(|((x, _), picture)| x + picture.width()).max().unwrap_or(1);
    let height = placed.iter().map(|((_, y), picture)| y + picture.height()).max().unwrap_or(1);
    let mut result = Picture::filled(width, height, 1.0);
    for ((x, y), picture) in placed {
        let lines = result.values_mut().chunks_exact_mut(3 * width).skip(*y);
        for (line, from) in lines.zip(picture.pixels().chunks_exact(3 * picture.width())) {
            line[3 * x..3 * x + from.len()].copy_from_slice(from);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The red of a pixel.
    fn at(picture: &Picture, x: usize, y: usize) -> f32 {
        picture.pixels()[3 * (y * picture.width() + x)]
    }

    #[test]
    fn pictures_stand_side_by_side_at_one_height() {
        let (a, b) = (Picture::filled(3, 2, 0.25), Picture::filled(8, 4, 0.5));
        let both = panel(&[a.clone(), b]).unwrap();
        assert_eq!((both.width(), both.height()), (3 + GAP + 4, 2));
        assert_eq!([0, 2, 3, 6, 7, 10].map(|x| at(&both, x, 1)), [0.25, 0.25, 1.0, 1.0, 0.5, 0.5]);
        assert_eq!(panel(std::slice::from_ref(&a)), Some(a));
        assert_eq!(panel(&[]), None);
    }

    #[test]
    fn rows_stand_below_each_other_at_one_height() {
        let rows =
            [vec![Picture::filled(2, 2, 0.25), Picture::filled(2, 2, 0.25)], vec![], vec![Picture::filled(6, 6, 0.5)]];
        let result = grid(&rows).unwrap();
        assert_eq!((result.width(), result.height()), (4 + GAP, 4 + GAP));
        assert_eq!([0, 1, 2, 5, 6, 7].map(|y| at(&result, 0, y)), [0.25, 0.25, 1.0, 1.0, 0.5, 0.5]);
        assert_eq!([1, 2, 7].map(|x| at(&result, x, 7)), [0.5, 1.0, 1.0]);
        assert_eq!(grid(&[vec![]]), None);
    }

    #[test]
    fn channels_keep_apart_when_resized() {
        let picture = Picture::new(1, 2, vec![0.1, 0.2, 0.3, 0.1, 0.2, 0.3]).unwrap();
        let resized = resized(&picture, 2, 1);
        assert!(resized.pixels().iter().zip([0.1, 0.2, 0.3, 0.1, 0.2, 0.3]).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}
