//! Resampling of images and masks.
//!
//! Images are resampled as PIL does, antialiased when they shrink. Masks are averaged over the area each new pixel
//! covers when they shrink and interpolated linearly when they grow, never by the nearest pixel: thin veins must lose
//! contrast rather than vanish.

use fast_image_resize::images::TypedImage;
use fast_image_resize::pixels::F32x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use super::eight_bit;
use super::interpolation::Interpolation;
use crate::picture::{Mask, Picture};

/// Resamples a picture; sides of zero are taken as one. Overshoot of the sharper filters is clamped to `0..=1`.
pub fn resize_picture(picture: Picture, height: usize, width: usize, interpolation: Interpolation) -> Picture {
    let (height, width) = (height.max(1), width.max(1));
    if (picture.height(), picture.width()) == (height, width) {
        return picture;
    }
    let filter = match interpolation {
        Interpolation::Bilinear => FilterType::Bilinear,
        Interpolation::Bicubic => FilterType::CatmullRom,
        Interpolation::Lanczos => FilterType::Lanczos3,
    };
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).use_alpha(false);
    let pixels: Vec<F32x3> = picture.pixels().chunks_exact(3).map(|p| F32x3::new([p[0], p[1], p[2]])).collect();
    let mut target = TypedImage::<F32x3>::new(width as u32, height as u32);
    let resized = TypedImage::from_pixels(picture.width() as u32, picture.height() as u32, pixels)
        .is_ok_and(|source| Resizer::new().resize_typed(&source, &mut target, &options).is_ok());
    let mut out = Picture::filled(width, height, 0.0);
    if resized {
        for (to, from) in out.values_mut().chunks_exact_mut(3).zip(target.pixels()) {
            to.copy_from_slice(&from.0.map(|v| v.clamp(0.0, 1.0)));
        }
    } else {
        // The crate refuses empty images only, which a `Picture` cannot be; were that to change, resample as masks are.
        let values = resample(picture.pixels(), (picture.height(), picture.width()), (height, width), 3);
        out.values_mut().copy_from_slice(&values);
    }
    out
}

/// Resamples a picture in 8 bits a channel, as PIL does: what is not kept as bytes is rounded first, and what comes out is
/// bytes. Sides of zero are taken as one.
pub fn resize_bytes(picture: Picture, height: usize, width: usize, interpolation: Interpolation) -> Picture {
    let (height, width) = (height.max(1), width.max(1));
    if (picture.height(), picture.width()) == (height, width) {
        return picture;
    }
    let whole = |value: &f32| (value * 255.0).round().clamp(0.0, 255.0) as u8;
    let bytes = picture.bytes().map_or_else(|| picture.pixels().iter().map(whole).collect(), <[u8]>::to_vec);
    let from = (picture.height(), picture.width());
    let resized = eight_bit::resample(&bytes, from, (height, width), interpolation);
    // As many as fit, always.
    Picture::from_bytes(width, height, resized).unwrap_or(picture)
}

/// Resizes a mask: along each axis by area average where it shrinks, linearly where it grows; a label map by the nearest
/// pixel. Ignored pixels have no share. Sides of zero are taken as one.
pub fn resize_mask(mask: Mask, height: usize, width: usize) -> Mask {
    let (height, width) = (height.max(1), width.max(1));
    if (mask.height(), mask.width()) == (height, width) {
        return mask;
    }
    if mask.has_ignored() {
        return mask.resampled(|mask| resize_mask(mask.clone(), height, width));
    }
    let mut out = mask.blank(width, height);
    if mask.is_label_map() {
        for (y, row) in out.values_mut().chunks_exact_mut(width).enumerate() {
            let from = nearest(y, height, mask.height()) * mask.width();
            for (x, value) in row.iter_mut().enumerate() {
                *value = mask.values()[from + nearest(x, width, mask.width())];
            }
        }
        return out;
    }
    out.values_mut().copy_from_slice(&resample(mask.values(), (mask.height(), mask.width()), (height, width), 1));
    out
}

/// The old position, of `from`, that the centre of new position `i`, of `to`, lies in.
fn nearest(i: usize, to: usize, from: usize) -> usize {
    (((2 * i + 1) * from) / (2 * to)).min(from - 1)
}

/// Separable resampling of `[h, w, channels]`, rows first.
fn resample(values: &[f32], from: (usize, usize), to: (usize, usize), channels: usize) -> Vec<f32> {
    let columns = axis_weights(from.1, to.1);
    let mut narrow = Vec::with_capacity(from.0 * to.1 * channels);
    for row in values.chunks_exact(from.1 * channels) {
        for (first, weights) in &columns {
            for c in 0..channels {
                let sum: f64 =
                    weights.iter().enumerate().map(|(k, w)| w * f64::from(row[(first + k) * channels + c])).sum();
                narrow.push(sum as f32);
            }
        }
    }
    let row = to.1 * channels;
    let mut out = Vec::with_capacity(to.0 * row);
    for (first, weights) in axis_weights(from.0, to.0) {
        out.extend((0..row).map(|x| {
            let sum: f64 = weights.iter().enumerate().map(|(k, w)| w * f64::from(narrow[(first + k) * row + x])).sum();
            sum as f32
        }));
    }
    out
}

/// For each of `to` new positions the first old one that counts, and the weights from there on, which sum to 1.
fn axis_weights(from: usize, to: usize) -> Vec<(usize, Vec<f64>)> {
    if to < from {
        // In units of 1/to of an old pixel everything is whole: new pixel i covers i*from .. (i+1)*from.
        (0..to)
            .map(|i| {
                let (low, high) = (i * from, (i + 1) * from);
                let (first, last) = (low / to, high.div_ceil(to));
                let cover = |j: usize| (high.min((j + 1) * to) - low.max(j * to)) as f64 / from as f64;
                (first, (first..last).map(cover).collect())
            })
            .collect()
    } else {
        (0..to)
            .map(|i| {
                let centre = ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, (from - 1) as f64);
                let first = centre.floor() as usize;
                let second = centre - first as f64;
                (first, if second > 0.0 { vec![1.0 - second, second] } else { vec![1.0] })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn label_maps_take_the_nearest_pixel() {
        let map = Mask::label_map(4, 1, &[0, 3, 255, 1]).unwrap();
        let small = resize_mask(map.clone(), 1, 2);
        // Centres at 1 and 3, each the left edge of a pixel.
        assert_eq!((small.values(), small.is_label_map()), (&[3.0, 1.0][..], true));
        assert_eq!(resize_mask(map, 2, 6).values()[..6], [0.0, 3.0, 3.0, 255.0, 1.0, 1.0]);
    }

    #[test]
    fn masks_shrink_by_area() {
        // Three pixels into two: each new one covers one and a half old ones.
        let mask = Mask::new(3, 1, vec![1.0, 0.5, 0.0]).expect("a mask");
        let values = resize_mask(mask, 1, 2);
        let expected = [(1.0 + 0.25) / 1.5, 0.25 / 1.5];
        assert!(values.values().iter().zip(expected).all(|(a, b): (&f32, f64)| (f64::from(*a) - b).abs() < 1e-6));
        // One vein pixel of sixteen stays visible: nearest would drop it.
        let mut vein = Mask::filled(4, 4, 0.0);
        vein.values_mut()[5] = 1.0;
        assert_eq!(resize_mask(vein, 1, 1).values(), [0.0625]);
    }

    #[test]
    fn masks_grow_linearly_and_axes_are_apart() {
        let mask = Mask::new(2, 1, vec![0.0, 1.0]).expect("a mask");
        assert_eq!(resize_mask(mask, 1, 4).values(), [0.0, 0.25, 0.75, 1.0]);
        let mask = Mask::new(4, 1, vec![0.0, 1.0, 0.0, 0.5]).expect("a mask");
        assert_eq!(resize_mask(mask, 2, 2).values(), [0.5, 0.25, 0.5, 0.25]);
    }

    #[test]
    fn constants_stay_exactly_constant() {
        for (height, width) in [(3, 7), (13, 2), (5, 5), (1, 11)] {
            let mask = resize_mask(Mask::filled(6, 5, 1.0), height, width);
            assert!(mask.values().iter().all(|&v| v == 1.0), "{height} x {width}");
        }
    }

    #[test]
    fn images_shrink_antialiased() {
        // PIL's rule for six pixels into three: a triangle reaching 2 to each side of the centres 1, 3 and 5, so each
        // old pixel weighs 1 - |x + 0.5 - centre| / 2, and the weights are divided by their sum.
        let row = [0.0f32, 0.1, 0.9, 0.4, 0.2, 0.7];
        let picture = Picture::new(6, 1, row.iter().flat_map(|&v| [v; 3]).collect()).expect("a picture");
        let out = resize_picture(picture, 1, 3, Interpolation::Bilinear);
        for (i, pixel) in out.pixels().chunks_exact(3).enumerate() {
            let centre = 2.0 * i as f32 + 1.0;
            let weight = |x: usize| (1.0 - (x as f32 + 0.5 - centre).abs() / 2.0).max(0.0);
            let sum: f32 = (0..6).map(weight).sum();
            let expected = (0..6).map(|x| weight(x) * row[x]).sum::<f32>() / sum;
            assert!((pixel[0] - expected).abs() < 1e-5 && pixel[0] == pixel[2], "{pixel:?} {expected}");
        }
    }

    #[test]
    fn sharp_filters_stay_in_range_and_constants_stay() {
        let pixels: Vec<f32> = (0..8 * 8).flat_map(|i| [if i % 8 < 4 { 0.0 } else { 1.0 }; 3]).collect();
        let picture = Picture::new(8, 8, pixels).expect("a picture");
        for interpolation in [Interpolation::Bilinear, Interpolation::Bicubic, Interpolation::Lanczos] {
            for side in [3, 20] {
                let out = resize_picture(picture.clone(), side, side, interpolation);
                assert!(out.pixels().iter().all(|v| (0.0..=1.0).contains(v)));
                let flat = resize_picture(Picture::filled(5, 9, 0.25), side, side, interpolation);
                assert!(flat.pixels().iter().all(|v| (v - 0.25).abs() < 1e-6), "{interpolation:?}");
            }
        }
    }

    #[test]
    fn only_what_is_resized_is_rounded() {
        let picture = Picture::filled(4, 4, 0.3);
        assert_eq!(resize_bytes(picture.clone(), 4, 4, Interpolation::Bilinear), picture);
        let small = resize_bytes(picture, 2, 2, Interpolation::Bilinear);
        assert_eq!(small.bytes(), Some(&[77; 12][..]), "numbers are rounded first");
    }
}
