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

    /// The same of bytes, 255 for 1.
    pub fn from_bytes(width: usize, height: usize, bytes: Vec<u8>) -> Option<Self> {
        let fits = width > 0 && height > 0 && bytes.len() == width * height * 3;
        fits.then_some(Self { width, height, pixels: Pixels::Bytes(bytes, OnceLock::new()) })
    }

    /// Every value `value`.
    pub fn filled(width: usize, height: usize, value: f32) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        Self { width, height, pixels: Pixels::Numbers(vec![value; width * height * 3]) }
    }

    /// Pixels from left to right.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Pixels from top to bottom.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The values, row by row.
    pub fn pixels(&self) -> &[f32] {
        match &self.pixels {
            Pixels::Numbers(pixels) => pixels,
            Pixels::Bytes(bytes, numbers) => numbers.get_or_init(|| bytes.iter().map(|&byte| value_of(byte)).collect()),
        }
    }

    /// The values as bytes, where they are kept so.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.pixels {
            Pixels::Numbers(_) => None,
            Pixels::Bytes(bytes, _) => Some(bytes),
        }
    }

    /// The values as bytes, to change in place, where they are kept so.
    pub fn bytes_mut(&mut self) -> Option<&mut [u8]> {
        match &mut self.pixels {
            Pixels::Numbers(_) => None,
            Pixels::Bytes(bytes, numbers) => {
                numbers.take();
                Some(bytes)
            }
        }
    }

    /// The values, row by row, to change in place; they are no longer kept as bytes.
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

/// A mask, values in `0..=1` (1: what the attention should look at), row-major: `[height, width]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Mask {
    width: usize,
    height: usize,
    values: Vec<f32>,
}

impl Mask {
    /// Takes the values over; `None` where their number does not fit the size or a side is zero.
    pub fn new(width: usize, height: usize, values: Vec<f32>) -> Option<Self> {
        (width > 0 && height > 0 && values.len() == width * height).then_some(Self { width, height, values })
    }

    /// Every value `value`.
    pub fn filled(width: usize, height: usize, value: f32) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        Self { width, height, values: vec![value; width * height] }
    }

    /// Pixels from left to right.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Pixels from top to bottom.
    pub fn height(&self) -> usize {
        self.height
    }

    /// The values, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The values, row by row, to change in place.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }
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
}
