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

/// Makes a picture of 48 x 48 pixels: grey waves, other ones for every number, in no position like those of another.
pub fn waves(number: u64) -> RgbImage {
    // SplitMix64: numbers in a row give numbers that have nothing to do with each other.
    let drawn = |k: u64| {
        let mut mixed = (number << 16 | k).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ mixed >> 31) as f64 / u64::MAX as f64
    };
    let waves: Vec<[f64; 3]> =
        (0..30).map(|k| [50.0 * drawn(3 * k), 50.0 * drawn(3 * k + 1), 7.0 * drawn(3 * k + 2)]).collect();
    RgbImage::from_fn(48, 48, |x, y| {
        let (x, y) = (f64::from(x) / 48.0, f64::from(y) / 48.0);
        let sum: f64 = waves.iter().map(|[along, down, from]| (along * x + down * y + from).sin()).sum();
        Rgb([(110.0 + 7.0 * sum) as u8; 3])
    })
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
