//! Decoded images and masks in memory.

use std::sync::OnceLock;

/// An RGB picture, values in `0..=1`, row-major and interleaved: `[height, width, 3]`.
///
/// One decoded from 8 bits a channel keeps its bytes until somebody changes values that bytes cannot hold: crops and
/// mirrored images stay a quarter of the size, and are turned into numbers once, when they are normalised.
#[derive(Debug, Clone)]
pub struct Picture {
    width: usize,
    height: usize,
    pixels: Pixels,
}

#[derive(Debug, Clone)]
enum Pixels {
    Numbers(Vec<f32>),
    /// The bytes, and the numbers they stand for where somebody asked.
    Bytes(Vec<u8>, OnceLock<Vec<f32>>),
}

/// What a byte stands for.
pub(crate) fn value_of(byte: u8) -> f32 {
    f32::from(byte) / 255.0
}

impl Picture {
    /// Takes the values over; `None` where their number does not fit the size or a side is zero.
    pub fn new(width: usize, height: usize, pixels: Vec<f32>) -> Option<Self> {
        let fits = width > 0 && height > 0 && pixels.len() == width * height * 3;
        fits.then_some(Self { width, height, pixels: Pixels::Numbers(pixels) })
    }

    /// Creates a picture from bytes, where 255 stands for 1.
    pub fn from_bytes(width: usize, height: usize, bytes: Vec<u8>) -> Option<Self> {
        let fits = width > 0 && height > 0 && bytes.len() == width * height * 3;
        fits.then_some(Self { width, height, pixels: Pixels::Bytes(bytes, OnceLock::new()) })
    }

    /// Creates a picture or mask in which every value is `value`.
    pub fn filled(width: usize, height: usize, value: f32) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        Self { width, height, pixels: Pixels::Numbers(vec![value; width * height * 3]) }
    }

    /// Returns the width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Returns the values, row by row.
    pub fn pixels(&self) -> &[f32] {
        match &self.pixels {
            Pixels::Numbers(pixels) => pixels,
            Pixels::Bytes(bytes, numbers) => numbers.get_or_init(|| bytes.iter().map(|&byte| value_of(byte)).collect()),
        }
    }

    /// Returns the values as bytes, where they are kept so.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.pixels {
            Pixels::Numbers(_) => None,
            Pixels::Bytes(bytes, _) => Some(bytes),
        }
    }

    /// Returns the values as bytes, to change in place, where they are kept so.
    pub fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        match &mut self.pixels {
            Pixels::Numbers(_) => None,
            Pixels::Bytes(bytes, numbers) => {
                numbers.take();
                Some(bytes)
            }
        }
    }

    /// Returns the values, row by row, to change in place; they are no longer kept as bytes.
    pub fn values_mut(&mut self) -> &mut [f32] {
        if let Pixels::Bytes(bytes, numbers) = &mut self.pixels {
            let numbers = numbers.take().unwrap_or_else(|| bytes.iter().map(|&byte| value_of(byte)).collect());
            self.pixels = Pixels::Numbers(numbers);
        }
        match &mut self.pixels {
            Pixels::Numbers(pixels) => pixels,
            Pixels::Bytes(..) => &mut [],
        }
    }
}

/// Equal values, however they are kept.
impl PartialEq for Picture {
    fn eq(&self, other: &Self) -> bool {
        (self.width, self.height, self.pixels()) == (other.width, other.height, other.pixels())
    }
}

/// A mask, values in `0..=1` (1: what the attention should look at), row-major: `[height, width]`; not a number where a
/// pixel is to be ignored. Or a label map ([`Mask::label_map`]): the number of each pixel's class, which transforms sample
/// by the nearest pixel.
#[derive(Debug, Clone, PartialEq)]
pub struct Mask {
    width: usize,
    height: usize,
    values: Vec<f32>,
    labels: bool,
}

impl Mask {
    /// Takes the values over; `None` where their number does not fit the size or a side is zero.
    pub fn new(width: usize, height: usize, values: Vec<f32>) -> Option<Self> {
        (width > 0 && height > 0 && values.len() == width * height).then_some(Self {
            width,
            height,
            values,
            labels: false,
        })
    }

    /// Creates a picture or mask in which every value is `value`.
    pub fn filled(width: usize, height: usize, value: f32) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        Self { width, height, values: vec![value; width * height], labels: false }
    }

    /// Returns the width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Returns the values, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Returns the values, row by row, to change in place.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }
}

impl Mask {
    /// The label of pixels that count nowhere: not annotated, or moved in from outside the picture.
    pub const IGNORE: u8 = 255;

    /// Returns a label map: the class of every pixel, or [`Mask::IGNORE`], row by row; `None` where their number does
    /// not fit the size.
    pub fn label_map(width: usize, height: usize, labels: &[u8]) -> Option<Self> {
        let mask = Self::new(width, height, labels.iter().map(|&label| f32::from(label)).collect())?;
        Some(Self { labels: true, ..mask })
    }

    /// Returns whether a pixel of a mask is to be ignored. (Label maps have [`Mask::IGNORE`] for that.)
    pub fn has_ignored(&self) -> bool {
        !self.labels && self.values.iter().any(|value| value.is_nan())
    }

    /// What `resample` makes of a mask with ignored pixels: a new pixel is the mean of those it covers that count, and is
    /// itself ignored where less than half of it does.
    pub(crate) fn resampled(&self, resample: impl Fn(&Self) -> Self) -> Self {
        let (mut values, mut counts) = (self.clone(), self.clone());
        values.values.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = 0.0);
        counts.values.iter_mut().for_each(|value| *value = if value.is_nan() { 0.0 } else { 1.0 });
        let (mut values, counts) = (resample(&values), resample(&counts));
        for (value, &share) in values.values.iter_mut().zip(&counts.values) {
            *value = if share >= 0.5 { (*value / share).min(1.0) } else { f32::NAN };
        }
        values
    }

    /// Returns whether the values are class numbers.
    pub fn is_label_map(&self) -> bool {
        self.labels
    }

    /// Returns the value that transforms use where nothing is known: 0, or [`Mask::IGNORE`] in a label map.
    pub fn outside(&self) -> f32 {
        if self.labels { f32::from(Self::IGNORE) } else { 0.0 }
    }

    /// Creates a mask of the same kind and another size, with [`Mask::outside`] everywhere.
    pub fn blank(&self, width: usize, height: usize) -> Self {
        Self { labels: self.labels, ..Self::filled(width, height, self.outside()) }
    }

    /// Returns the window of `height` x `width` pixels from (`top`, `left`); `None` where it reaches outside.
    pub fn window(&self, (top, left): (usize, usize), (height, width): (usize, usize)) -> Option<Self> {
        let values = rows(&self.values, self.width, (top, left), (height, width));
        Self::new(width, height, values).map(|mask| Self { labels: self.labels, ..mask })
    }
}

impl Picture {
    /// Returns the window of `height` x `width` pixels from (`top`, `left`); `None` where it reaches outside.
    pub fn window(&self, (top, left): (usize, usize), (height, width): (usize, usize)) -> Option<Self> {
        let (from, size) = ((top, left * 3), (height, width * 3));
        match self.bytes() {
            Some(bytes) => Self::from_bytes(width, height, rows(bytes, self.width * 3, from, size)),
            None => Self::new(width, height, rows(self.pixels(), self.width * 3, from, size)),
        }
    }
}

/// Rows `top..top + height` of lines of `line` numbers, each from `left` on.
fn rows<T: Copy>(values: &[T], line: usize, (top, left): (usize, usize), (height, width): (usize, usize)) -> Vec<T> {
    let lines = values.chunks_exact(line.max(1)).skip(top).take(height);
    lines.filter_map(|values| values.get(left..left + width)).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_the_numbers_they_stand_for_are_one_picture() {
        let bytes = vec![0, 51, 255, 7, 8, 9];
        let numbers: Vec<f32> = bytes.iter().map(|&b| f32::from(b) / 255.0).collect();
        let mut kept = Picture::from_bytes(2, 1, bytes.clone()).expect("fits");
        let plain = Picture::new(2, 1, numbers).expect("fits");
        assert_eq!(kept, plain);
        assert_eq!((kept.bytes(), plain.bytes()), (Some(&bytes[..]), None));
        // Changed bytes are seen as numbers, and the other way round.
        kept.bytes_mut().expect("bytes")[0] = 255;
        assert_eq!(kept.pixels()[0], 1.0);
        kept.values_mut()[1] = 0.123;
        assert_eq!((kept.pixels()[..3].to_vec(), kept.bytes()), (vec![1.0, 0.123, 1.0], None));
        assert!(Picture::from_bytes(2, 2, bytes.clone()).is_none() && Picture::from_bytes(0, 1, vec![]).is_none());
    }

    #[test]
    fn windows_are_cut_out_or_refused() {
        let mask = Mask::label_map(3, 2, &[0, 1, 2, 3, 4, 255]).unwrap();
        let cut = mask.window((0, 1), (2, 2)).unwrap();
        assert_eq!((cut.values(), cut.is_label_map(), cut.outside()), (&[1.0, 2.0, 4.0, 255.0][..], true, 255.0));
        assert!(mask.window((1, 1), (2, 2)).is_none() && mask.window((0, 2), (1, 2)).is_none());
        let picture = Picture::new(2, 1, vec![0.0, 0.1, 0.2, 0.3, 0.4, 0.5]).unwrap();
        assert_eq!(picture.window((0, 1), (1, 1)).unwrap().pixels(), [0.3, 0.4, 0.5]);
        assert_eq!(mask.blank(1, 2).values(), [255.0, 255.0]);
    }

    #[test]
    fn ignored_pixels_have_no_share_in_what_a_mask_is_resized_to() {
        let ignored = f32::NAN;
        let mask = Mask::new(4, 1, vec![1.0, ignored, ignored, 0.25]).unwrap();
        assert!(mask.has_ignored() && !Mask::filled(2, 2, 1.0).has_ignored());
        assert!(!Mask::label_map(1, 1, &[255]).unwrap().has_ignored());
        for half in [crate::masks::resize_area(&mask, 2, 1), crate::transforms::resize_mask(mask.clone(), 1, 2)] {
            assert_eq!(half.values(), [1.0, 0.25]);
        }
        let third = crate::transforms::resize_mask(Mask::new(3, 1, vec![ignored, ignored, 1.0]).unwrap(), 1, 1);
        assert!(third.values()[0].is_nan(), "two thirds of it are ignored");
    }
}
