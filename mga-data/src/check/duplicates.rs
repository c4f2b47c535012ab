//! Copies of images, exact and near.
//!
//! Exact copies have the same decoded pixels (SHA-256), whatever their files. Near copies (scaled, recompressed, brightened) have
//! perceptual hashes that differ in few bits: the signs of the lowest 16 x 16 cosine coefficients against their median.
//! Comparing all pairs of 20 000 images is 10^8 distances of four words, under a second; a search tree would not pay.

use std::collections::BTreeMap;

use image::RgbImage;
use image_hasher::{HashAlg, Hasher, HasherConfig};
use rayon::prelude::*;

use crate::content_hash::content_digest;
use crate::dataset::Split;
use crate::picture::Picture;
use crate::transforms::{Interpolation, resize_picture};

/// Side of the picture that is hashed; the hash itself looks at 32 x 32.
const THUMBNAIL: usize = 64;

/// An image's two hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Print {
    digest: [u8; 32],
    perceptual: [u64; 4],
}

/// Makes prints; shared by threads.
pub(super) struct Printer(Hasher<[u8; 32]>);

/// An image with the closest one of another part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Near {
    pub(super) image: (usize, Split),
    pub(super) other: (usize, Split),
    pub(super) distance: u32,
}

impl Printer {
    pub(super) fn new() -> Self {
        let config = HasherConfig::with_bytes_type::<[u8; 32]>().hash_size(16, 16);
        Self(config.hash_alg(HashAlg::Median).preproc_dct().to_hasher())
    }

    pub(super) fn print(&self, picture: Picture) -> Print {
        let digest = content_digest(&picture);
        let small = resize_picture(picture, THUMBNAIL, THUMBNAIL, Interpolation::Bilinear);
        let bytes = small.pixels().iter().map(|v| (v * 255.0).round() as u8).collect();
        let side = THUMBNAIL as u32;
        // The buffer has the size that is named, so there is always an image; a black one would do no harm.
        let thumbnail = RgbImage::from_raw(side, side, bytes).unwrap_or_else(|| RgbImage::new(side, side));
        let mut perceptual = [0u64; 4];
        for (word, bytes) in perceptual.iter_mut().zip(self.0.hash_image(&thumbnail).as_bytes().chunks(8)) {
            *word = bytes.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
        }
        Print { digest, perceptual }
    }
}

impl Print {
    fn distance(&self, other: &Self) -> u32 {
        self.perceptual.iter().zip(&other.perceptual).map(|(a, b)| (a ^ b).count_ones()).sum()
    }
}

/// Sets of images with the same pixels, in the order of their first.
pub(super) fn exact(prints: &[(usize, Split, Print)]) -> Vec<Vec<(usize, Split)>> {
    let mut sets = BTreeMap::<[u8; 32], Vec<(usize, Split)>>::new();
    prints.iter().for_each(|&(index, split, print)| sets.entry(print.digest).or_default().push((index, split)));
    let mut sets: Vec<_> = sets.into_values().filter(|set| set.len() > 1).collect();
    sets.sort_unstable();
    sets
}

/// For every image outside train the closest image of another part, where that is within `distance` and not an exact
/// copy: train for validation, train and validation for test. So there are never more pairs than images.
pub(super) fn near(prints: &[(usize, Split, Print)], distance: u32) -> Vec<Near> {
    prints
        .par_iter()
        .filter(|(_, split, _)| *split != Split::Train)
        .filter_map(|&(index, split, print)| {
            prints
                .iter()
                .filter(|(_, other_split, other)| *other_split < split && other.digest != print.digest)
                .map(|&(other, other_split, ref other_print)| (print.distance(other_print), other, other_split))
                .filter(|candidate| candidate.0 <= distance)
                .min()
                .map(|(distance, other, other_split)| Near {
                    image: (index, split),
                    other: (other, other_split),
                    distance,
                })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat_with_dot(at: usize) -> Picture {
        let mut picture = Picture::filled(4, 2, 0.5);
        picture.values_mut()[at] = 0.25;
        picture
    }

    #[test]
    fn equal_pixels_have_equal_digests_and_the_shape_counts() {
        let printer = Printer::new();
        let digest = |picture| printer.print(picture).digest;
        assert_eq!(digest(flat_with_dot(3)), digest(flat_with_dot(3)));
        assert_ne!(digest(flat_with_dot(3)), digest(flat_with_dot(4)));
        assert_ne!(digest(Picture::filled(4, 2, 0.5)), digest(Picture::filled(2, 4, 0.5)));
    }

    #[test]
    fn the_closest_of_an_earlier_part_is_found() {
        let print = |tag: u8, low: u64| Print { digest: [tag; 32], perceptual: [low, 0, 0, u64::MAX] };
        let prints = [
            (0, Split::Train, print(0, 0b1111)),
            (1, Split::Train, print(1, 0b0111)),
            (2, Split::Validation, print(2, 0b0001)),
            (3, Split::Test, print(3, 0b0011)),
            (4, Split::Test, print(0, 0b1111)),
        ];
        let near_of =
            |distance| near(&prints, distance).iter().map(|n| (n.image.0, n.other.0, n.distance)).collect::<Vec<_>>();
        // 3 is one bit from both 1 and 2: the earlier record; 4 is an exact copy of 0, so 1 is its near one.
        assert_eq!(near_of(2), [(2, 1, 2), (3, 1, 1), (4, 1, 1)]);
        assert_eq!(near_of(1), [(3, 1, 1), (4, 1, 1)]);
        assert_eq!(exact(&prints), [[(0, Split::Train), (4, Split::Test)]]);
    }
}
