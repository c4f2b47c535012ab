//! Pictures for people: attention laid over images, and images side by side.

mod colour_map;
mod contact_sheet;
mod figure;
mod file_names;
mod grey;
mod lettering;
mod overlay;
mod print;

use std::io;
use std::path::Path;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use mga_data::Picture;

pub use colour_map::inferno;
pub use contact_sheet::{ContactSheet, PAIRS_PER_ROW};
pub(crate) use figure::put;
pub use figure::{Entry, Figure, LEAST_SIDE, Place, Verdict};
pub use file_names::FileNames;
pub use grey::grey;
pub use overlay::{overlay, stretched, upsampled};
pub use print::{Print, PrintSource};

/// Writes a picture as an 8-bit PNG, by rename. Values outside `0..=1` are clamped.
///
/// # Errors
/// The folder is not there or cannot be written to; the picture is larger than PNG can say.
pub fn save_png(picture: &Picture, path: &Path) -> io::Result<()> {
    let bytes: Vec<u8> = picture.pixels().iter().map(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
    let side = |length: usize| u32::try_from(length).map_err(io::Error::other);
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(&bytes, side(picture.width())?, side(picture.height())?, ExtendedColorType::Rgb8)
        .map_err(io::Error::other)?;
    mga_core::whole_file::write_all(path, &png)
}

#[cfg(test)]
mod tests {
    use mga_data::Mask;

    use super::*;

    #[test]
    fn a_saved_picture_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let picture = Picture::new(2, 1, vec![0.0, 0.5, 1.0, -1.0, 0.2, 2.0]).unwrap();
        save_png(&picture, &path).unwrap();
        let read = image::open(&path).unwrap().to_rgb8();
        assert_eq!((read.dimensions(), read.into_raw()), ((2, 1), vec![0, 128, 255, 0, 51, 255]));
    }

    #[test]
    fn a_mask_becomes_grey() {
        let mask = Mask::new(1, 2, vec![0.25, 1.0]).unwrap();
        assert_eq!(grey(&mask).pixels(), [0.25, 0.25, 0.25, 1.0, 1.0, 1.0]);
    }
}
