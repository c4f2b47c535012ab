//! Small pictures and masks, and folders of them.

use std::path::Path;

use image::{GrayImage, Luma, Rgb, RgbImage};

/// The side of the pictures.
pub const SIDE: u32 = 32;

/// Writes a picture of 32 x 32 pixels, its red and green running from edge to edge, and of one `blue`.
pub fn picture(path: &Path, blue: u8) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    RgbImage::from_fn(SIDE, SIDE, |x, y| Rgb([x as u8 * 8, y as u8 * 8, blue])).save(path).unwrap();
}

/// Writes a mask of a picture: its left half.
pub fn left_half(path: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    GrayImage::from_fn(SIDE, SIDE, |x, _| Luma([if x < SIDE / 2 { 255 } else { 0 }])).save(path).unwrap();
}

/// Writes `images/PART/CLASS/NUMBER.png` and `masks/PART/CLASS/NUMBER.png`: train, val and test, classes a and b, four of
/// each, no two alike.
pub fn photographs(folder: &Path) {
    for (p, part) in ["train", "val", "test"].into_iter().enumerate() {
        for (c, class) in ["a", "b"].into_iter().enumerate() {
            for index in 0..4 {
                let name = format!("{part}/{class}/{index}.png");
                picture(&folder.join("images").join(&name), (40 * index + 20 * c + 5 * p) as u8);
                left_half(&folder.join("masks").join(&name));
            }
        }
    }
}
