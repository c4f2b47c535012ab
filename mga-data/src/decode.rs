//! Image files into [`Picture`] and [`Mask`].
//!
//! The format is told by content, never by extension; EXIF orientation is applied; 8 and 16 bit, grey, palette and
//! alpha all come out as values in `0..=1`. Of an animation the first frame is taken.

mod jpeg;
pub(crate) mod stored;

use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read, Seek};
use std::path::Path;

use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use crate::background::Backdrop;
use crate::error::{Error, Result};
use crate::picture::{Mask, Picture};

/// The most pixels a file may declare, checked before anything is decoded: a few bytes can claim terabytes.
pub const MAX_PIXELS: u64 = 200_000_000;

/// The most bytes that decoding a file and normalising what comes out may take: a scanned A4 page at 1200 dpi, 139 million
/// pixels of 8 bit RGB, fits. A file of a few bytes can claim any number of pixels, and some formats can fill them.
pub const MAX_MEMORY: u64 = 1 << 31;

const EXTENSIONS: [&str; 15] =
    ["jpg", "jpeg", "jpe", "jfif", "png", "tif", "tiff", "bmp", "dib", "webp", "gif", "pnm", "pbm", "pgm", "ppm"];

/// Extensions of pictures that are not read, and what they are called.
const UNSUPPORTED: [(&str, &str); 24] = [
    ("heic", "HEIC"),
    ("heif", "HEIF"),
    ("hif", "HEIF"),
    ("avif", "AVIF"),
    ("jxl", "JPEG XL"),
    ("jp2", "JPEG 2000"),
    ("psd", "Photoshop"),
    ("3fr", "camera raw (3FR)"),
    ("arw", "camera raw (ARW)"),
    ("cr2", "camera raw (CR2)"),
    ("cr3", "camera raw (CR3)"),
    ("crw", "camera raw (CRW)"),
    ("dng", "camera raw (DNG)"),
    ("erf", "camera raw (ERF)"),
    ("iiq", "camera raw (IIQ)"),
    ("mrw", "camera raw (MRW)"),
    ("nef", "camera raw (NEF)"),
    ("nrw", "camera raw (NRW)"),
    ("orf", "camera raw (ORF)"),
    ("pef", "camera raw (PEF)"),
    ("raf", "camera raw (RAF)"),
    ("rw2", "camera raw (RW2)"),
    ("sr2", "camera raw (SR2)"),
    ("srw", "camera raw (SRW)"),
];

/// Returns whether the extension is that of a format this crate reads. For listing folders; decoding goes by content.
pub fn is_image_path(path: &Path) -> bool {
    extension(path).is_some_and(|e| EXTENSIONS.contains(&e.as_str()))
}

/// Returns the name of an unsupported picture format, by the extension of `path`.
pub fn unsupported_format(path: &Path) -> Option<&'static str> {
    let extension = extension(path)?;
    UNSUPPORTED.iter().find(|(e, _)| *e == extension).map(|&(_, name)| name)
}

fn extension(path: &Path) -> Option<String> {
    Some(path.extension()?.to_str()?.to_ascii_lowercase())
}

/// Decodes the file at `path`; transparent parts are composited over the backdrop of image `id`.
///
/// # Errors
/// A file that cannot be read, is empty, truncated, no image, of an unsupported format, or over [`MAX_PIXELS`] or
/// [`MAX_MEMORY`].
pub fn picture(path: &Path, backdrop: &Backdrop, id: &str) -> Result<Picture> {
    Ok(picture_and_alpha(path, backdrop, id)?.0)
}

/// Decodes picture and alpha channel of one file. `None`: it has no alpha channel. Errors as [`picture`].
pub fn picture_and_alpha(path: &Path, backdrop: &Backdrop, id: &str) -> Result<(Picture, Option<Mask>)> {
    picture_and_alpha_from_bytes(&read(path)?, path, backdrop, id)
}

/// Decodes a file that is already in memory, like [`picture_and_alpha`]; `path` is for messages.
pub fn picture_and_alpha_from_bytes(
    bytes: &[u8],
    path: &Path,
    backdrop: &Backdrop,
    id: &str,
) -> Result<(Picture, Option<Mask>)> {
    let image = decode(bytes, path)?;
    let (width, height) = (image.width() as usize, image.height() as usize);
    if !image.color().has_alpha() && is_eight_bit(&image) {
        let picture = Picture::from_bytes(width, height, image.into_rgb8().into_raw());
        return Ok((picture.ok_or_else(|| Error::file(path, "has no pixels"))?, None));
    }
    let deep = is_sixteen_bit(image.color());
    let (mut rgb, alpha) = channels(image, path)?;
    if let Some(white) = backdrop.white_point.filter(|_| deep) {
        let scale = 65535.0 / f32::from(white.max(1));
        rgb.iter_mut().for_each(|value| *value = (*value * scale).min(1.0));
    }
    if let Some(alpha) = &alpha {
        backdrop.composite(&mut rgb, alpha, width, height, id);
    }
    let picture = Picture::new(width, height, rgb).ok_or_else(|| Error::file(path, "has no pixels"))?;
    Ok((picture, alpha.and_then(|values| Mask::new(width, height, values))))
}

/// Decodes a mask: grey, or the strongest channel of a coloured file, times alpha where there is one.
///
/// Files of 0 and 1, of 0 and 255 and grey ones all come out in `0..=1`: a largest value of 1 means 0/1, and in a
/// 16 bit file one of 255 means 0 to 255. Errors as [`picture`].
pub fn mask(path: &Path) -> Result<Mask> {
    mask_from_bytes(&read(path)?, path)
}

/// Decodes a file that is already in memory, like [`mask`]; `path` is for messages.
pub fn mask_from_bytes(bytes: &[u8], path: &Path) -> Result<Mask> {
    let image = decode(bytes, path)?;
    let (width, height) = (image.width() as usize, image.height() as usize);
    let full = if is_eight_bit(&image) { 255.0 } else { 65535.0 };
    let (rgb, alpha) = channels(image, path)?;
    let mut values: Vec<f32> = rgb.chunks_exact(3).map(|pixel| pixel.iter().fold(0.0, |a: f32, &b| a.max(b))).collect();
    let largest = (values.iter().fold(0.0, |a: f32, &b| a.max(b)) * full).round();
    let unit = match largest {
        1.0 => full,
        255.0 => full / 255.0,
        _ => 1.0,
    };
    values.iter_mut().for_each(|v| *v = (*v * unit).min(1.0));
    for (value, alpha) in values.iter_mut().zip(alpha.iter().flatten()) {
        *value *= alpha;
    }
    Mask::new(width, height, values).ok_or_else(|| Error::file(path, "has no pixels"))
}

/// Reads width and height in pixels from the header alone, with the EXIF orientation applied. Errors are those of
/// [`picture`], as far as the header shows them.
pub fn size(path: &Path) -> Result<(usize, usize)> {
    Ok(header(path)?.upright())
}

/// What the head of an image file tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Width and height of the pixels as they are stored.
    pub(crate) stored: (usize, usize),
    /// How EXIF says that they are turned to stand upright.
    pub(crate) orientation: Orientation,
    /// Whether a channel has 16 bits of whole numbers.
    pub(crate) deep: bool,
}

impl Header {
    /// Width and height of the upright picture.
    pub(crate) fn upright(&self) -> (usize, usize) {
        let (width, height) = self.stored;
        if swaps_sides(self.orientation) { (height, width) } else { (width, height) }
    }
}

/// The head of the file at `path`. Errors as [`size`].
pub(crate) fn header(path: &Path) -> Result<Header> {
    let (file, format) = open(path)?;
    header_of(file, format, path)
}

/// [`header`] of a file already in memory; `path` is for messages.
pub(crate) fn header_from_bytes(bytes: &[u8], path: &Path) -> Result<Header> {
    header_of(Cursor::new(bytes), format(bytes, path)?, path)
}

fn header_of<R: BufRead + Seek>(mut file: R, format: ImageFormat, path: &Path) -> Result<Header> {
    // The decoder would read the whole file into memory first.
    let ((width, height), orientation, colour) = if format == ImageFormat::Jpeg {
        let damaged = || Error::file(path, "is no readable JPEG: its header is damaged or cut off; replace it");
        let (size, orientation) = jpeg::header(&mut file).ok().flatten().ok_or_else(damaged)?;
        (size, orientation, ColorType::Rgb8)
    } else {
        let mut decoder = ImageReader::with_format(file, format).into_decoder().map_err(unreadable(path, format))?;
        let orientation = decoder.orientation().map_err(unreadable(path, format))?;
        (decoder.dimensions(), orientation, decoder.color_type())
    };
    check_size(width, height, path)?;
    check_memory((width, height), colour, path)?;
    Ok(Header { stored: (width as usize, height as usize), orientation, deep: is_sixteen_bit(colour) })
}

/// Whether the colours are whole numbers of 16 bits, of which a camera may fill twelve.
fn is_sixteen_bit(color: ColorType) -> bool {
    matches!(color, ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16)
}

/// Returns whether the file has an alpha channel, from its header alone. Errors as [`size`].
pub fn has_alpha(path: &Path) -> Result<bool> {
    let (file, format) = open(path)?;
    if format == ImageFormat::Jpeg {
        return Ok(false);
    }
    let decoder = ImageReader::with_format(file, format).into_decoder().map_err(unreadable(path, format))?;
    Ok(decoder.color_type().has_alpha())
}

/// The file at its beginning, and its format by content.
fn open(path: &Path) -> Result<(BufReader<File>, ImageFormat)> {
    refuse_unsupported(path)?;
    let mut file = BufReader::new(File::open(path).map_err(Error::io(path))?);
    let mut start = Vec::new();
    file.by_ref().take(64).read_to_end(&mut start).map_err(Error::io(path))?;
    let format = format(&start, path)?;
    file.rewind().map_err(Error::io(path))?;
    Ok((file, format))
}

fn swaps_sides(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(orientation, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    refuse_unsupported(path)?;
    std::fs::read(path).map_err(Error::io(path))
}

/// Raw files are TIFF by content, so what the extension says has to be asked first.
fn refuse_unsupported(path: &Path) -> Result<()> {
    unsupported_format(path).map_or(Ok(()), |name| Err(not_supported(path, name)))
}

fn not_supported(path: &Path, name: &str) -> Error {
    Error::file(path, format!("is {name}, which is not supported: convert it to JPEG or PNG first"))
}

fn format(bytes: &[u8], path: &Path) -> Result<ImageFormat> {
    if bytes.is_empty() {
        return Err(Error::file(path, "is empty: replace it, or leave it out"));
    }
    // ISO media files: `ftyp` and a brand.
    if bytes.get(4..8) == Some(b"ftyp") {
        let name = match bytes.get(8..12) {
            Some(b"avif" | b"avis") => "AVIF",
            Some(b"crx ") => "camera raw (CR3)",
            _ => "HEIC",
        };
        return Err(not_supported(path, name));
    }
    let format = image::guess_format(bytes).map_err(|_| {
        Error::file(path, "is no image that can be read: expected JPEG, PNG, TIFF, BMP, WebP, GIF or PNM content")
    })?;
    if format.reading_enabled() { Ok(format) } else { Err(not_supported(path, &format!("{format:?}"))) }
}

fn check_size(width: u32, height: u32, path: &Path) -> Result<()> {
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        let most = MAX_PIXELS / 1_000_000;
        return Err(Error::file(
            path,
            format!("says it is {width} x {height} pixels, more than the limit of {most} million: shrink it first"),
        ));
    }
    Ok(())
}

/// Refuses what would take more than [`MAX_MEMORY`], before the first pixel is decoded.
fn check_memory((width, height): (u32, u32), colour: ColorType, path: &Path) -> Result<()> {
    let eight = colour.bytes_per_pixel() == colour.channel_count();
    // Per pixel, at the moment when most is held: numbers beside their source, then the normalised numbers beside them.
    let each = match (colour.has_alpha(), eight) {
        (true, _) => 32,
        (false, false) => 24,
        (false, true) => 15,
    };
    let bytes = u64::from(width) * u64::from(height) * each;
    if bytes > MAX_MEMORY {
        let gib = |bytes: u64| bytes as f64 / f64::from(1 << 30);
        return Err(Error::file(
            path,
            format!(
                "says it is {width} x {height} pixels, which take {:.1} GiB to read, more than the limit of {:.0} GiB: \
                 shrink it first, or cut it into parts",
                gib(bytes),
                gib(MAX_MEMORY)
            ),
        ));
    }
    Ok(())
}

fn unreadable(path: &Path, format: ImageFormat) -> impl FnOnce(image::ImageError) -> Error {
    move |e| Error::file(path, format!("cannot be decoded as {format:?}: {e}; replace it, or leave it out"))
}

fn decode(bytes: &[u8], path: &Path) -> Result<DynamicImage> {
    let format = format(bytes, path)?;
    // The decoder fills what is missing of a JPEG with grey, without a word.
    if format == ImageFormat::Jpeg && !jpeg::is_complete(bytes) {
        return Err(Error::file(path, "is a truncated JPEG, it has no end marker: copy it again, or leave it out"));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unreadable(path, format))?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, path)?;
    check_memory((width, height), decoder.color_type(), path)?;
    let orientation = decoder.orientation().map_err(unreadable(path, format))?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(unreadable(path, format))?;
    image.apply_orientation(orientation);
    Ok(image)
}

fn is_eight_bit(image: &DynamicImage) -> bool {
    let color = image.color();
    color.bytes_per_pixel() == color.channel_count()
}

/// Interleaved RGB and, where the file has one, alpha, in `0..=1`.
fn channels(image: DynamicImage, path: &Path) -> Result<(Vec<f32>, Option<Vec<f32>>)> {
    let (alpha, eight) = (image.color().has_alpha(), is_eight_bit(&image));
    let values: Vec<f32> = match (alpha, eight) {
        (false, true) => image.into_rgb8().into_raw().into_iter().map(|v| f32::from(v) / 255.0).collect(),
        (true, true) => image.into_rgba8().into_raw().into_iter().map(|v| f32::from(v) / 255.0).collect(),
        (false, false) => image.into_rgb32f().into_raw(),
        (true, false) => image.into_rgba32f().into_raw(),
    };
    // Only TIFF of floating point numbers can be out of range.
    if let Some(bad) = values.iter().find(|v| !(0.0..=1.0).contains(*v)) {
        return Err(Error::file(
            path,
            format!("holds the value {bad}: expected numbers from 0 to 1, rescale it first"),
        ));
    }
    if !alpha {
        return Ok((values, None));
    }
    let pixels = values.as_chunks::<4>().0;
    // Room for just what comes: the limit on memory reckons with it.
    let (mut rgb, mut alpha) = (Vec::with_capacity(3 * pixels.len()), Vec::with_capacity(pixels.len()));
    for [red, green, blue, opacity] in pixels {
        rgb.extend([red, green, blue]);
        alpha.push(*opacity);
    }
    Ok((rgb, Some(alpha)))
}

#[cfg(test)]
mod tests;
