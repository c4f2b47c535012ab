//! Mask files that prove what they are: 8-bit grey PNG with a hash over the image's content and their pixels.

use std::io::Cursor;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::decode::MAX_PIXELS;
use crate::error::{Error, Result};
use crate::export::write_whole;
use crate::picture::Mask;

/// The text in the file that holds the hash.
const KEYWORD: &str = "mga-mask";

/// Writes a mask, whose values 8 bits hold, of the image with that content hash. The folder has to be there.
///
/// # Errors
/// A file that cannot be written.
pub(super) fn write(path: &Path, image: &str, mask: &Mask) -> Result<()> {
    let bytes: Vec<u8> = mask.values().iter().map(|value| (value * 255.0).round() as u8).collect();
    let unwritten = |e: png::EncodingError| Error::file(path, format!("cannot be encoded as PNG: {e}"));
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, mask.width() as u32, mask.height() as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let proof = proof(image, (mask.width(), mask.height()), &bytes);
    encoder.add_text_chunk(KEYWORD.to_owned(), proof).map_err(unwritten)?;
    let mut writer = encoder.write_header().map_err(unwritten)?;
    writer.write_image_data(&bytes).and_then(|()| writer.finish()).map_err(unwritten)?;
    write_whole(path, &png)
}

/// Reads what [`write`] wrote for that image; `None`: the file is anything else.
pub(super) fn read(path: &Path, image: &str) -> Option<Mask> {
    let bytes = std::fs::read(path).ok()?;
    let mut reader = png::Decoder::new(Cursor::new(bytes)).read_info().ok()?;
    let (width, height) = (reader.info().width as usize, reader.info().height as usize);
    let grey = reader.output_color_type() == (png::ColorType::Grayscale, png::BitDepth::Eight);
    if !grey || (width as u64) * (height as u64) > MAX_PIXELS {
        return None;
    }
    let mut pixels = vec![0; reader.output_buffer_size()?];
    reader.next_frame(&mut pixels).ok()?;
    pixels.truncate(width * height);
    let proof = proof(image, (width, height), &pixels);
    let texts = &reader.info().uncompressed_latin1_text;
    let proven = texts.iter().any(|text| text.keyword == KEYWORD && text.text == proof);
    let values = || pixels.iter().map(|&byte| f32::from(byte) / 255.0).collect();
    if proven { Mask::new(width, height, values()) } else { None }
}

fn proof(image: &str, (width, height): (usize, usize), pixels: &[u8]) -> String {
    let mut digest = Sha256::new();
    digest.update(image.as_bytes());
    digest.update((width as u64).to_le_bytes());
    digest.update((height as u64).to_le_bytes());
    digest.update(pixels);
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
