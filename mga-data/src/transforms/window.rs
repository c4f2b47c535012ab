//! Cutting a window out of image and mask; what lies outside is fill in the image and 0 in the mask (ignored in a
//! label map).

use crate::picture::{Mask, Picture};

/// A rectangle in pixels; `top` and `left` may be negative and it may reach beyond the picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) top: isize,
    pub(super) left: isize,
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Window {
    /// Cuts this window out of image and mask.
    pub(super) fn cut(self, picture: &Picture, mask: Option<Mask>, fill: [f32; 3]) -> (Picture, Option<Mask>) {
        let out = self.cut_bytes(picture).unwrap_or_else(|| {
            let mut out = Picture::filled(self.width, self.height, 0.0);
            out.values_mut().chunks_exact_mut(3).for_each(|pixel| pixel.copy_from_slice(&fill));
            self.copy(picture.pixels(), picture.width(), picture.height(), 3, out.values_mut());
            out
        });
        let mask = mask.map(|mask| {
            let mut out = mask.blank(self.width, self.height);
            self.copy(mask.values(), mask.width(), mask.height(), 1, out.values_mut());
            out
        });
        (out, mask)
    }

    /// The same of a picture kept as bytes, where nothing has to be filled: bytes cannot hold every fill.
    fn cut_bytes(self, picture: &Picture) -> Option<Picture> {
        let bytes = picture.bytes()?;
        let (top, left) = (usize::try_from(self.top).ok()?, usize::try_from(self.left).ok()?);
        if top + self.height > picture.height() || left + self.width > picture.width() {
            return None;
        }
        let rows = bytes.chunks_exact(picture.width() * 3).skip(top).take(self.height);
        let rows: Vec<&[u8]> = rows.map(|row| &row[left * 3..][..self.width * 3]).collect();
        Picture::from_bytes(self.width, self.height, rows.concat())
    }

    fn copy(self, from: &[f32], width: usize, height: usize, channels: usize, to: &mut [f32]) {
        let columns = overlap(self.left, self.width, width);
        for y in overlap(self.top, self.height, height) {
            let source = (y as isize + self.top) as usize * width * channels;
            let source = &from[source..source + width * channels];
            let start = (columns.start as isize + self.left) as usize * channels;
            let count = columns.len() * channels;
            let target = (y * self.width + columns.start) * channels;
            if count > 0 {
                to[target..target + count].copy_from_slice(&source[start..start + count]);
            }
        }
    }
}

/// Positions within a window of `length` at `start` that lie inside `0..extent`.
fn overlap(start: isize, length: usize, extent: usize) -> std::ops::Range<usize> {
    let first = (-start).max(0) as usize;
    let end = (extent as isize - start).clamp(0, length as isize) as usize;
    first.min(end)..end
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn bytes_are_cut_as_their_numbers_are() {
        let bytes: Vec<u8> = (0..60).collect();
        let kept = Picture::from_bytes(5, 4, bytes).expect("fits");
        let plain = Picture::new(5, 4, kept.pixels().to_vec()).expect("fits");
        for (top, left, height, width) in [(0, 0, 4, 5), (1, 2, 3, 2), (-1, 0, 2, 2), (2, 3, 3, 3), (0, 4, 1, 2)] {
            let window = Window { top, left, height, width };
            let inside = top >= 0 && top + height as isize <= 4 && left + width as isize <= 5;
            let cut = window.cut(&kept, None, FILL).0;
            assert_eq!(cut, window.cut(&plain, None, FILL).0);
            assert_eq!(cut.bytes().is_some(), inside, "{window:?}");
        }
    }

    #[test]
    fn a_window_may_lie_inside_across_or_outside() {
        let (picture, mask) = coordinates(3, 2);
        let cut = |top, left, height, width| Window { top, left, height, width }.cut(&picture, mask.clone(), FILL);
        let (inside, inside_mask) = cut(0, 1, 2, 2);
        assert_eq!(origins(&inside), [Some((1, 0)), Some((2, 0)), Some((1, 1)), Some((2, 1))]);
        assert!(aligned(&inside, &inside_mask));
        let (across, across_mask) = cut(-1, -1, 3, 3);
        let blank = None;
        assert_eq!(origins(&across)[..3], [blank; 3]);
        assert_eq!(origins(&across)[3..], [blank, Some((0, 0)), Some((1, 0)), blank, Some((0, 1)), Some((1, 1))]);
        assert!(aligned(&across, &across_mask));
        assert_eq!(origins(&cut(5, 9, 1, 2).0), [blank; 2]);
        assert_eq!(origins(&cut(-5, -9, 1, 2).0), [blank; 2]);
    }
}
