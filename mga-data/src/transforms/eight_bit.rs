//! Resampling in 8 bits a channel, to the last bit as PIL does it (`Resample.c`): weights of 22 bits behind the point, sums in
//! whole numbers, and values rounded to 8 bits after the rows and again after the columns.
//!
//! fast_image_resize keeps 15 bits of the weights, which comes out up to two grey levels from PIL.

use super::interpolation::Interpolation;

/// Bits of a weight behind the point: what 32 leave beside 8 for the value and 2 for overshoot.
const BITS: u32 = 32 - 8 - 2;

/// Resamples `[height, width, 3]` bytes; `from` and `to` are height and width.
pub(super) fn resample(bytes: &[u8], from: (usize, usize), to: (usize, usize), filter: Interpolation) -> Vec<u8> {
    let narrow =
        if from.1 == to.1 { bytes.to_vec() } else { rows(bytes, from.1, &windows(from.1, to.1, filter), to.1) };
    if from.0 == to.0 { narrow } else { columns(&narrow, 3 * to.1, &windows(from.0, to.0, filter)) }
}

/// The old positions that one new position is made from: the first, and a weight for each.
struct Window {
    first: usize,
    weights: Vec<i32>,
}

fn rows(bytes: &[u8], from: usize, windows: &[Window], to: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() / from * to);
    for row in bytes.chunks_exact(3 * from) {
        for window in windows {
            let mut sums = [1 << (BITS - 1); 3];
            for (pixel, weight) in row[3 * window.first..].chunks_exact(3).zip(&window.weights) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(*value) * weight;
                }
            }
            out.extend(sums.map(rounded));
        }
    }
    out
}

fn columns(bytes: &[u8], row: usize, windows: &[Window]) -> Vec<u8> {
    let mut out = Vec::with_capacity(windows.len() * row);
    let mut sums = vec![0; row];
    for window in windows {
        sums.fill(1 << (BITS - 1));
        for (values, weight) in bytes[window.first * row..].chunks_exact(row).zip(&window.weights) {
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += i32::from(*value) * weight;
            }
        }
        out.extend(sums.iter().copied().map(rounded));
    }
    out
}

fn rounded(sum: i32) -> u8 {
    (sum >> BITS).clamp(0, 255) as u8
}

/// For each of `to` new positions what it is made from.
fn windows(from: usize, to: usize, filter: Interpolation) -> Vec<Window> {
    let scale = from as f64 / to as f64;
    // Wider where the image shrinks, so that every old pixel counts.
    let stretch = scale.max(1.0);
    let reach = support(filter) * stretch;
    let window = |place: usize| {
        let centre = (place as f64 + 0.5) * scale;
        let first = (centre - reach + 0.5).max(0.0) as usize;
        let end = ((centre + reach + 0.5) as usize).min(from);
        let weight = |old: usize| value(filter, (old as f64 - centre + 0.5) / stretch);
        let weights: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        let whole = |weight: f64| (weight / sum * f64::from(1u32 << BITS)).round() as i32;
        Window { first, weights: weights.into_iter().map(whole).collect() }
    };
    (0..to).map(window).collect()
}

/// How far a filter reaches to each side.
fn support(filter: Interpolation) -> f64 {
    match filter {
        Interpolation::Bilinear => 1.0,
        Interpolation::Bicubic => 2.0,
        Interpolation::Lanczos => 3.0,
    }
}

/// The filter at a distance.
fn value(filter: Interpolation, distance: f64) -> f64 {
    let x = distance.abs();
    match filter {
        _ if x >= support(filter) => 0.0,
        Interpolation::Bilinear => 1.0 - x,
        // Keys' cubic with a = -1/2, as Catmull and Rom have it.
        Interpolation::Bicubic if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        Interpolation::Bicubic => (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5,
        Interpolation::Lanczos => sinc(x) * sinc(x / 3.0),
    }
}

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x == 0.0 { 1.0 } else { x.sin() / x }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `scripts/resizing/pillow.py`: crops of two photographs, and what Pillow makes of them.
    macro_rules! pillow {
        ($($name:literal),*) => {
            [$(($name, include_bytes!(concat!("pillow/", $name, ".png")).as_slice())),*]
        };
    }

    #[test]
    fn photographs_come_out_as_of_pillow() {
        let decoded = |png: &[u8]| image::load_from_memory(png).expect("a PNG").to_rgb8();
        let sources = pillow!["cat", "coffee"].map(|(name, png)| (name, decoded(png)));
        for (name, png) in pillow![
            "cat-bilinear-64x47",
            "cat-bicubic-64x47",
            "cat-lanczos-64x47",
            "cat-bicubic-40x100",
            "coffee-bilinear-31x100",
            "coffee-bicubic-48x36",
            "coffee-bicubic-144x108"
        ] {
            let parts: Vec<&str> = name.split('-').collect();
            let (_, source) = sources.iter().find(|(source, _)| *source == parts[0]).expect("its source");
            let filter = serde_json::from_value(parts[1].into()).expect("a filter");
            let theirs = decoded(png);
            let size = |image: &image::RgbImage| (image.height() as usize, image.width() as usize);
            let ours = resample(source.as_raw(), size(source), size(&theirs), filter);
            assert!(ours == *theirs.as_raw(), "{name}");
        }
    }

    #[test]
    fn constants_stay_and_one_axis_may_stay() {
        for filter in [Interpolation::Bilinear, Interpolation::Bicubic, Interpolation::Lanczos] {
            for to in [(1, 1), (3, 7), (5, 20), (11, 7), (30, 1)] {
                assert_eq!(resample(&[201; 5 * 7 * 3], (5, 7), to, filter), vec![201; to.0 * to.1 * 3], "{filter:?}");
            }
        }
    }
}
