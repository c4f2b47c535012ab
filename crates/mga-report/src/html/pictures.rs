//! Pictures small enough for a page: scaled down, and written as data within it.

use std::io::Cursor;
use std::path::Path;

use anyhow::Context;
use base64::Engine;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{DynamicImage, ImageFormat};
use mga_train::pictures::Place;

/// A picture for the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Embedded {
    /// `data:image/jpeg;base64,…`
    pub(super) source: String,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// Widths that are tried, in pixels, until the picture is small enough.
const WIDTHS: [u32; 5] = [1200, 900, 700, 500, 350];

/// Of JPEG; edges of masks stay clean to the eye.
const QUALITY: u8 = 82;

/// Reads a picture and makes it as wide as it can be within so many bytes. The narrowest is taken whatever its size.
///
/// # Errors
/// It is not there or is no picture.
pub(super) fn embedded(path: &Path, bytes: usize) -> anyhow::Result<Embedded> {
    let failed = || format!("{}: cannot be read as a picture", path.display());
    let data = std::fs::read(path).with_context(failed)?;
    let format = image::guess_format(&data).with_context(failed)?;
    let picture = image::load_from_memory(&data).with_context(failed)?;
    let small = picture.width() <= WIDTHS[0] && data.len() <= bytes;
    // What is small as it is, is taken as it is, in the forms that browsers know.
    if let Some(kind) = kind(format).filter(|_| small) {
        return Ok(embed(kind, &data, &picture));
    }
    let mut result = None;
    for width in WIDTHS {
        let scaled = scaled(&picture, width);
        let mut data = Cursor::new(vec![]);
        let encoder = JpegEncoder::new_with_quality(&mut data, QUALITY);
        scaled.to_rgb8().write_with_encoder(encoder).with_context(failed)?;
        let fits = data.get_ref().len() <= bytes;
        result = Some(embed("jpeg", data.get_ref(), &scaled));
        if fits {
            break;
        }
    }
    result.with_context(failed)
}

/// Cuts a part out of a picture and makes it this wide at most.
///
/// # Errors
/// The part is not within the picture.
pub(super) fn part(picture: &DynamicImage, place: Place, width: u32) -> anyhow::Result<Embedded> {
    let side = |length: usize| u32::try_from(length).context("too large");
    let (x, y, wide, high) = (side(place.x)?, side(place.y)?, side(place.width)?, side(place.height)?);
    let within =
        |from: u32, length: u32, all: u32| length > 0 && from.checked_add(length).is_some_and(|end| end <= all);
    anyhow::ensure!(
        within(x, wide, picture.width()) && within(y, high, picture.height()),
        "it is said to show something at {x}, {y}, where it ends"
    );
    let cut = scaled(&picture.crop_imm(x, y, wide, high), width);
    let mut data = Cursor::new(vec![]);
    cut.to_rgb8().write_with_encoder(JpegEncoder::new_with_quality(&mut data, QUALITY))?;
    Ok(embed("jpeg", data.get_ref(), &cut))
}

fn kind(format: ImageFormat) -> Option<&'static str> {
    match format {
        ImageFormat::Png => Some("png"),
        ImageFormat::Jpeg => Some("jpeg"),
        ImageFormat::WebP => Some("webp"),
        _ => None,
    }
}

fn scaled(picture: &DynamicImage, width: u32) -> DynamicImage {
    if picture.width() <= width {
        return picture.clone();
    }
    picture.resize(width, u32::MAX, FilterType::Triangle)
}

fn embed(kind: &str, data: &[u8], picture: &DynamicImage) -> Embedded {
    let text = base64::engine::general_purpose::STANDARD.encode(data);
    Embedded { source: format!("data:image/{kind};base64,{text}"), width: picture.width(), height: picture.height() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_pictures_are_scaled_down_and_small_ones_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        // Noise does not compress.
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let picture = image::RgbImage::from_fn(1600, 800, |_, _| image::Rgb([next(), next(), next()]));
        picture.save(&path).unwrap();
        let large = embedded(&path, usize::MAX).unwrap();
        assert_eq!((large.width, large.height), (1200, 600));
        let small = embedded(&path, 1000).unwrap();
        assert_eq!((small.width, small.height), (350, 175));
        assert!(small.source.starts_with("data:image/jpeg;base64,") && small.source.len() < large.source.len());
        image::RgbImage::new(40, 30).save(&path).unwrap();
        assert!(embedded(&path, 100_000).unwrap().source.starts_with("data:image/png;base64,"));
        let picture = image::open(&path).unwrap();
        let half = part(&picture, Place { x: 20, y: 0, width: 20, height: 30 }, 10).unwrap();
        assert_eq!((half.width, half.height), (10, 15));
        assert!(part(&picture, Place { x: 30, y: 0, width: 20, height: 30 }, 10).is_err());
        std::fs::write(&path, "no picture").unwrap();
        assert!(embedded(&path, 1000).unwrap_err().to_string().contains("cannot be read as a picture"));
    }
}
