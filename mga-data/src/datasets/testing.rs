//! Small image files for the tests of data sets.

use std::path::Path;

use image::{GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};

fn make_way(path: &Path) {
    std::fs::create_dir_all(path.parent().expect("a path in a folder")).expect("a writable folder");
}

/// A grey PNG of the given values.
pub(crate) fn grey_png(path: &Path, width: u32, height: u32, value: impl Fn(u32, u32) -> u8) {
    make_way(path);
    GrayImage::from_fn(width, height, |x, y| Luma([value(x, y)])).save(path).expect("a PNG");
}

/// A PNG of one colour with alpha.
pub(crate) fn alpha_png(path: &Path, width: u32, height: u32, colour: [u8; 3], alpha: impl Fn(u32, u32) -> u8) {
    make_way(path);
    let [r, g, b] = colour;
    RgbaImage::from_fn(width, height, |x, y| Rgba([r, g, b, alpha(x, y)])).save(path).expect("a PNG");
}

/// A JPEG of one colour.
pub(crate) fn rgb_jpeg(path: &Path, width: u32, height: u32) {
    make_way(path);
    RgbImage::from_pixel(width, height, Rgb([200, 100, 50])).save(path).expect("a JPEG");
}
