//! Copies of images, exact and near.
//!
//! Exact copies have the same decoded pixels (SHA-256), whatever their files. Near copies have perceptual hashes that differ
//! in few bits: of the lowest 16 x 16 cosine coefficients, which are above their median. Scaling and compressing again hardly
//! move low coefficients, a gain moves the median with them, and an offset is in one of them alone. Mirrored and turned copies
//! are found because every image is hashed in all eight positions of a square; of two images it is enough that one is turned.
//!
//! Comparing all pairs of 20 000 images is 1.6 10^9 distances, most of them known to be too large after one word of four.

use std::collections::BTreeMap;

use image::RgbImage;
use image::imageops::{flip_horizontal, rotate90};
use image_hasher::{HashAlg, Hasher, HasherConfig};
use rayon::prelude::*;

use crate::content_hash::content_digest;
use crate::dataset::Split;
use crate::picture::Picture;
use crate::transforms::{Interpolation, resize_picture};

/// Side of the picture that is hashed; the hash itself looks at 32 x 32.
const THUMBNAIL: usize = 64;

/// Positions of a square: four quarter turns, of it and of its mirror image.
const POSITIONS: usize = 8;

/// Bits of a perceptual hash.
type Bits = [u64; 4];

/// An image's exact hash, and its perceptual one in every position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Print {
    digest: [u8; 32],
    perceptual: [Bits; POSITIONS],
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
        let mut thumbnail = RgbImage::from_raw(side, side, bytes).unwrap_or_else(|| RgbImage::new(side, side));
        let mut perceptual = [Bits::default(); POSITIONS];
        for (position, bits) in perceptual.iter_mut().enumerate() {
            *bits = self.bits(&thumbnail);
            thumbnail = rotate90(&thumbnail);
            if position == 3 {
                thumbnail = flip_horizontal(&thumbnail);
            }
        }
        Print { digest, perceptual }
    }

    fn bits(&self, thumbnail: &RgbImage) -> Bits {
        let mut bits = Bits::default();
        for (word, bytes) in bits.iter_mut().zip(self.0.hash_image(thumbnail).as_bytes().chunks(8)) {
            *word = bytes.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
        }
        bits
    }
}

impl Print {
    /// The bits in which the images differ in the position where these are fewest; `None`: more than `most` in each.
    fn distance(&self, other: &Self, most: u32) -> Option<u32> {
        let upright = &other.perceptual[0];
        let of = |bits: &Bits| {
            let mut sum = 0;
            for (a, b) in bits.iter().zip(upright) {
                sum += (a ^ b).count_ones();
                if sum > most {
                    return None;
                }
            }
            Some(sum)
        };
        self.perceptual.iter().filter_map(of).min()
    }

    /// Whether the images are copies, exact or near within `most` bits.
    pub(super) fn is_copy(&self, other: &Self, most: u32) -> bool {
        self.digest == other.digest || most > 0 && self.distance(other, most).is_some()
    }
}

/// Sets of images with the same pixels, in the order of their first.
pub(super) fn exact(prints: &[(usize, Split, &Print)]) -> Vec<Vec<(usize, Split)>> {
    let mut sets = BTreeMap::<[u8; 32], Vec<(usize, Split)>>::new();
    prints.iter().for_each(|&(index, split, print)| sets.entry(print.digest).or_default().push((index, split)));
    let mut sets: Vec<_> = sets.into_values().filter(|set| set.len() > 1).collect();
    sets.sort_unstable();
    sets
}

/// For every image outside train the closest image of another part, where that is within `distance` and not an exact
/// copy: train for validation, train and validation for test. So there are never more pairs than images.
pub(super) fn near(prints: &[(usize, Split, &Print)], distance: u32) -> Vec<Near> {
    prints
        .par_iter()
        .filter(|(_, split, _)| *split != Split::Train)
        .filter_map(|&(index, split, print)| {
            prints
                .iter()
                .filter(|(_, other_split, other)| *other_split < split && other.digest != print.digest)
                .filter_map(|&(other, other_split, other_print)| {
                    Some((print.distance(other_print, distance)?, other, other_split))
                })
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
        let print = |tag: u8, low: u64| {
            // Turned, they are like nothing else here.
            let mut perceptual = [[0, u64::MAX, u64::from(tag) << 40, 0]; POSITIONS];
            perceptual[0] = [low, 0, 0, u64::MAX];
            Print { digest: [tag; 32], perceptual }
        };
        let made = [print(0, 0b1111), print(1, 0b0111), print(2, 0b0001), print(3, 0b0011), print(0, 0b1111)];
        let parts = [Split::Train, Split::Train, Split::Validation, Split::Test, Split::Test];
        let prints: Vec<_> =
            parts.iter().zip(&made).enumerate().map(|(at, (split, print))| (at, *split, print)).collect();
        let near_of =
            |distance| near(&prints, distance).iter().map(|n| (n.image.0, n.other.0, n.distance)).collect::<Vec<_>>();
        // 3 is one bit from both 1 and 2: the earlier record; 4 is an exact copy of 0, so 1 is its near one.
        assert_eq!(near_of(2), [(2, 1, 2), (3, 1, 1), (4, 1, 1)]);
        assert_eq!(near_of(1), [(3, 1, 1), (4, 1, 1)]);
        assert_eq!(exact(&prints), [[(0, Split::Train), (4, Split::Test)]]);
    }

    /// Waves of several directions and down to an eighth of the side, as fine as the hash sees, squeezed into a rectangle and
    /// seen through `look`: no two positions are alike.
    fn waves(width: usize, height: usize, number: u64, look: impl Fn(f64) -> f64) -> Picture {
        let mut generator = mga_core::random::Generator::new(number, "waves", &[]);
        let waves: Vec<[f64; 3]> = (0..30).map(|_| [(); 3].map(|()| generator.uniform_in(0.0, 55.0))).collect();
        let mut picture = Picture::filled(width, height, 0.0);
        for (i, pixel) in picture.values_mut().chunks_exact_mut(3).enumerate() {
            let x = ((i % width) as f64 + 0.5) / width as f64;
            let y = ((i / width) as f64 + 0.5) / height as f64;
            let sum: f64 = waves.iter().map(|w| (w[0] * x + w[1] * y + w[2]).sin()).sum();
            pixel.fill(look(0.5 + sum / 36.0).clamp(0.0, 1.0) as f32);
        }
        picture
    }

    /// A copy by pixel: `of` says where each comes from.
    fn moved(from: &Picture, (width, height): (usize, usize), of: impl Fn(usize, usize) -> (usize, usize)) -> Picture {
        let mut picture = Picture::filled(width, height, 0.0);
        for (i, pixel) in picture.values_mut().chunks_exact_mut(3).enumerate() {
            let (x, y) = of(i % width, i / width);
            pixel.copy_from_slice(&from.pixels()[3 * (y * from.width() + x)..][..3]);
        }
        picture
    }

    #[test]
    fn mirrored_turned_scaled_and_brightened_copies_are_near_and_others_are_not() {
        const MOST: u32 = 24;
        let printer = Printer::new();
        let (w, h) = (120, 80);
        for number in 1..=8 {
            let whole = waves(w, h, number, |v| v);
            let print = printer.print(whole.clone());
            let copies = [
                ("mirrored", moved(&whole, (w, h), |x, y| (w - 1 - x, y))),
                ("upside down", moved(&whole, (w, h), |x, y| (w - 1 - x, h - 1 - y))),
                ("turned to the right", moved(&whole, (h, w), |x, y| (y, h - 1 - x))),
                ("turned to the left", moved(&whole, (h, w), |x, y| (w - 1 - y, x))),
                ("turned and mirrored", moved(&whole, (h, w), |x, y| (y, x))),
                ("half as large", waves(w / 2, h / 2, number, |v| v)),
                ("of another shape", waves(h, h, number, |v| v)),
                ("darker", waves(w, h, number, |v| 0.6 * v)),
                ("brighter", waves(w, h, number, |v| v + 0.1)),
                ("of another gamma", waves(w, h, number, |v| v.max(0.0).powf(0.7))),
            ];
            for (what, copy) in copies {
                let copy = printer.print(copy);
                let distance = print.distance(&copy, MOST);
                assert!(distance.is_some() && copy.distance(&print, MOST).is_some(), "{number} {what}");
                assert!(print.is_copy(&copy, MOST), "{number} {what}");
            }
            for other in (1..=8).filter(|&other| other != number) {
                let other = printer.print(waves(w, h, other, |v| v));
                assert!(print.distance(&other, 2 * MOST).is_none() && !print.is_copy(&other, MOST));
            }
        }
    }
}
