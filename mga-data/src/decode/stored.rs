//! The numbers of a mask file as they are stored: a palette's indices, grey values, or the strongest of three colours.

use std::path::Path;

use image::{DynamicImage, GrayImage, ImageDecoder, ImageFormat, ImageReader};

use super::{Cursor, decode, format, unreadable};
use crate::error::{Error, Result};
use crate::label_map::read_numbers;

/// What kind of picture a mask file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Form {
    /// One channel.
    Grey,
    /// Three channels that agree everywhere.
    GreyInColour,
    /// A palette that holds nothing but greys: it is read as they are.
    GreyPalette,
    /// A palette that holds colours, of which this file shows greys only.
    ColourPalette,
    /// A palette whose colours the file shows.
    ColourPaletteShown,
    /// Three channels that differ.
    Colours,
    /// Floating point numbers.
    Floats,
}

/// A mask file, decoded but not yet read as a mask.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) format: ImageFormat,
    pub(crate) form: Form,
    /// The number of full brightness: 255 or 65535.
    pub(crate) full: u16,
    /// Of every pixel: the index into a coloured palette; else its grey, or the strongest of its colours. Empty where the
    /// file holds floating point numbers.
    pub(crate) numbers: Vec<u16>,
    /// The colours of a palette.
    pub(crate) palette: Vec<[u8; 3]>,
    /// What is not transparent, `0..=1`.
    pub(crate) alpha: Option<Vec<f32>>,
}

impl Stored {
    /// Decodes a mask file in memory; `path` is for messages. Errors as [`super::picture`].
    pub(crate) fn read(bytes: &[u8], path: &Path) -> Result<Self> {
        let format = format(bytes, path)?;
        let image = decode(bytes, path)?;
        let (width, height) = (image.width() as usize, image.height() as usize);
        let mut stored = Self {
            width,
            height,
            format,
            form: Form::Grey,
            full: 255,
            numbers: Vec::new(),
            palette: Vec::new(),
            alpha: None,
        };
        // The colour type of a PNG's header: a palette.
        if format == ImageFormat::Png && bytes.get(25) == Some(&3) {
            let (indices, palette) = indices(bytes, path)?;
            let grey = |&[r, g, b]: &[u8; 3]| r == g && g == b;
            let shown = |index: &u8| palette.get(usize::from(*index)).is_none_or(grey);
            stored.form = match (palette.iter().all(grey), indices.iter().all(shown)) {
                (true, _) => Form::GreyPalette,
                (false, true) => Form::ColourPalette,
                (false, false) => Form::ColourPaletteShown,
            };
            let number = |&index: &u8| match stored.form {
                Form::GreyPalette => palette.get(usize::from(index)).map_or(0, |colour| u16::from(colour[0])),
                _ => u16::from(index),
            };
            stored.numbers = indices.iter().map(number).collect();
            stored.palette = palette;
            if image.color().has_alpha() {
                let alpha = image.into_rgba8().into_raw().into_iter().skip(3).step_by(4);
                stored.alpha = Some(alpha.map(|value| f32::from(value) / 255.0).collect());
            }
            return Ok(stored);
        }
        match image {
            DynamicImage::ImageLuma8(grey) => stored.numbers = wide(grey.into_raw()),
            DynamicImage::ImageLuma16(grey) => (stored.numbers, stored.full) = (grey.into_raw(), u16::MAX),
            DynamicImage::ImageLumaA8(grey) => stored.take(&wide(grey.into_raw()), 2, 255),
            DynamicImage::ImageLumaA16(grey) => stored.take(&grey.into_raw(), 2, u16::MAX),
            DynamicImage::ImageRgb8(colours) => stored.take(&wide(colours.into_raw()), 3, 255),
            DynamicImage::ImageRgba8(colours) => stored.take(&wide(colours.into_raw()), 4, 255),
            DynamicImage::ImageRgb16(colours) => stored.take(&colours.into_raw(), 3, u16::MAX),
            DynamicImage::ImageRgba16(colours) => stored.take(&colours.into_raw(), 4, u16::MAX),
            _ => stored.form = Form::Floats,
        }
        Ok(stored)
    }

    /// Takes interleaved pixels of so many channels; an even number of them ends with alpha.
    fn take(&mut self, pixels: &[u16], channels: usize, full: u16) {
        let colours = channels - usize::from(channels.is_multiple_of(2));
        let of = |pixel: &[u16]| pixel.iter().take(colours).copied().fold(0, u16::max);
        let differs = |pixel: &[u16]| pixel.iter().take(colours).any(|value| *value != pixel[0]);
        self.full = full;
        self.numbers = pixels.chunks_exact(channels).map(of).collect();
        self.form = match colours {
            1 => Form::Grey,
            _ if pixels.chunks_exact(channels).any(differs) => Form::Colours,
            _ => Form::GreyInColour,
        };
        if colours < channels {
            let alpha = pixels.iter().skip(colours).step_by(channels);
            self.alpha = Some(alpha.map(|&value| f32::from(value) / f32::from(full)).collect());
        }
    }

    /// How bright a number of this file looks, `0..=1`: that of a palette's index is its colour's strongest channel.
    pub(crate) fn brightness(&self, number: u16) -> f32 {
        match self.form {
            Form::ColourPalette | Form::ColourPaletteShown => {
                let colour = self.palette.get(usize::from(number)).copied().unwrap_or_default();
                f32::from(colour.into_iter().fold(0, u8::max)) / 255.0
            }
            _ => f32::from(number) / f32::from(self.full),
        }
    }
}

fn wide(bytes: Vec<u8>) -> Vec<u16> {
    bytes.into_iter().map(u16::from).collect()
}

/// The indices of a PNG with a palette, turned as EXIF says, and the palette.
fn indices(bytes: &[u8], path: &Path) -> Result<(Vec<u8>, Vec<[u8; 3]>)> {
    let numbers = read_numbers(bytes, path)?;
    let mut decoder = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Png)
        .into_decoder()
        .map_err(unreadable(path, ImageFormat::Png))?;
    let orientation = decoder.orientation().map_err(unreadable(path, ImageFormat::Png))?;
    let bytes = numbers.values.iter().map(|&value| value.min(255) as u8).collect();
    let image = GrayImage::from_raw(numbers.width as u32, numbers.height as u32, bytes);
    let mut image = DynamicImage::ImageLuma8(image.ok_or_else(|| Error::file(path, "has no pixels"))?);
    image.apply_orientation(orientation);
    Ok((image.into_luma8().into_raw(), numbers.palette))
}
