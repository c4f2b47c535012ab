//! Label maps in PNG files: the number of each pixel's class, as an index into a palette or as a grey value.

use std::io::Cursor;
use std::path::Path;

use png::{BitDepth, ColorType};

use crate::decode::MAX_PIXELS;
use crate::error::{Error, Result};
use crate::picture::Mask;

/// Reads the label map at `path`; every pixel holds a number below `classes`, or 255 where it counts nowhere.
///
/// # Errors
/// A file that cannot be read, is no PNG, has colours in place of indices, or holds a number that is no class.
pub fn read_label_map(path: &Path, classes: usize) -> Result<Mask> {
    let Numbers { width, height, values, .. } = read_numbers(&std::fs::read(path).map_err(Error::io(path))?, path)?;
    let is_class = |value: u16| usize::from(value) < classes || value == u16::from(Mask::IGNORE);
    if let Some(at) = values.iter().position(|&value| !is_class(value)) {
        let (value, x, y) = (values[at], at % width.max(1), at / width.max(1));
        return Err(Error::file(
            path,
            format!(
                "holds {value} at column {x} of row {y}, but there are {classes} classes, numbered from 0 (and 255 for \
                 what counts nowhere): name every class in data.annotations.classes, or save it anew"
            ),
        ));
    }
    let labels: Vec<u8> = values.iter().map(|&value| value.min(255) as u8).collect();
    Mask::label_map(width, height, &labels).ok_or_else(|| Error::file(path, "has no pixels"))
}

/// The numbers of a PNG as they are stored.
#[derive(Debug)]
pub(crate) struct Numbers {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Of every pixel, row by row.
    pub(crate) values: Vec<u16>,
    /// The colours that the numbers stand for, where they are a palette's indices.
    pub(crate) palette: Vec<[u8; 3]>,
}

/// The numbers of a PNG in memory; `path` is for messages.
///
/// # Errors
/// No PNG, too large, or with several numbers a pixel.
pub(crate) fn read_numbers(bytes: &[u8], path: &Path) -> Result<Numbers> {
    let unreadable = |e: png::DecodingError| Error::file(path, format!("cannot be decoded as PNG: {e}; save it anew"));
    let mut decoder = png::Decoder::new(Cursor::new(bytes));
    // The numbers as they are stored: nothing is expanded or scaled.
    decoder.set_transformations(png::Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(unreadable)?;
    let (colour, depth) = reader.output_color_type();
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    if (width as u64) * (height as u64) > MAX_PIXELS {
        return Err(Error::file(path, format!("says it is {width} x {height} pixels; shrink it first")));
    }
    if !matches!(colour, ColorType::Indexed | ColorType::Grayscale) {
        return Err(Error::file(
            path,
            format!(
                "is a PNG of {colour:?} colours: a label map has one number a pixel; save it with a palette or in grey"
            ),
        ));
    }
    let palette = reader.info().palette.as_deref().map(|palette| palette.as_chunks::<3>().0.to_vec());
    let line = reader.output_line_size(width as u32).ok_or_else(|| Error::file(path, "is too large"))?;
    let mut buffer = vec![0; reader.output_buffer_size().ok_or_else(|| Error::file(path, "is too large"))?];
    reader.next_frame(&mut buffer).map_err(unreadable)?;
    let mut values = Vec::with_capacity(width * height);
    for row in buffer.chunks_exact(line.max(1)).take(height) {
        values.extend((0..width).map(|x| value(row, x, depth)));
    }
    Ok(Numbers { width, height, values, palette: palette.unwrap_or_default() })
}

/// The number at column `x` of a row of packed numbers.
fn value(row: &[u8], x: usize, depth: BitDepth) -> u16 {
    let byte = |at: usize| u16::from(row.get(at).copied().unwrap_or(0));
    let packed = |bits: usize| {
        let (at, shift) = (x * bits / 8, 8 - bits - x * bits % 8);
        (byte(at) >> shift) & ((1 << bits) - 1)
    };
    match depth {
        BitDepth::One => packed(1),
        BitDepth::Two => packed(2),
        BitDepth::Four => packed(4),
        BitDepth::Eight => byte(x),
        BitDepth::Sixteen => byte(2 * x) << 8 | byte(2 * x + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(colour: ColorType, depth: BitDepth, (width, height): (u32, u32), data: &[u8]) -> tempfile::TempPath {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut encoder = png::Encoder::new(file.reopen().unwrap(), width, height);
        encoder.set_color(colour);
        encoder.set_depth(depth);
        if colour == ColorType::Indexed {
            encoder.set_palette((0..48).collect::<Vec<u8>>());
        }
        encoder.write_header().unwrap().write_image_data(data).unwrap();
        file.into_temp_path()
    }

    #[test]
    fn indices_and_grey_values_of_every_depth_are_the_labels() {
        let cases: [(ColorType, BitDepth, &[u8]); 6] = [
            (ColorType::Indexed, BitDepth::One, &[0b0110_0000, 0b1000_0000]),
            (ColorType::Indexed, BitDepth::Two, &[0b0001_0100, 0b0100_0000]),
            (ColorType::Indexed, BitDepth::Four, &[0x01, 0x10, 0x10, 0x00]),
            (ColorType::Indexed, BitDepth::Eight, &[0, 1, 1, 1, 0, 0]),
            (ColorType::Grayscale, BitDepth::Eight, &[0, 1, 1, 1, 0, 0]),
            (ColorType::Grayscale, BitDepth::Sixteen, &[0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0]),
        ];
        for (colour, depth, data) in cases {
            let map = read_label_map(&write(colour, depth, (3, 2), data), 2).unwrap();
            assert_eq!((map.values(), map.width()), (&[0.0, 1.0, 1.0, 1.0, 0.0, 0.0][..], 3), "{colour:?} {depth:?}");
            assert!(map.is_label_map());
        }
    }

    #[test]
    fn what_is_no_label_map_is_refused() {
        let refused = |path: &Path| read_label_map(path, 2).unwrap_err().to_string();
        let two = write(ColorType::Grayscale, BitDepth::Eight, (2, 1), &[255, 2]);
        assert!(refused(&two).contains("holds 2 at column 1 of row 0"), "{}", refused(&two));
        let rgb = write(ColorType::Rgb, BitDepth::Eight, (1, 1), &[0, 1, 2]);
        assert!(refused(&rgb).contains("one number a pixel"));
        std::fs::write(&rgb, b"no png").unwrap();
        assert!(refused(&rgb).contains("cannot be decoded"));
        let ignored = write(ColorType::Grayscale, BitDepth::Eight, (2, 1), &[255, 1]);
        assert_eq!(read_label_map(&ignored, 2).unwrap().values(), [255.0, 1.0]);
    }
}
