//! Resizing of masks by area average.

use crate::picture::Mask;

/// Resizes a mask so that every pixel is the mean of what it covers of the source, edges counted by the fraction
/// covered. Sums over the mask keep their proportion, and thin structures such as veins fade instead of vanishing, as
/// they would in nearest-neighbour sampling. Ignored pixels have no share. A side of 0 is taken as 1.
pub fn resize_area(mask: &Mask, width: usize, height: usize) -> Mask {
    let (width, height) = (width.max(1), height.max(1));
    let (w, h) = (mask.width(), mask.height());
    if (w, h) == (width, height) {
        return mask.clone();
    }
    if mask.has_ignored() {
        return mask.resampled(|mask| resize_area(mask, width, height));
    }
    let (columns, rows) = (spans(w, width), spans(h, height));
    // One side at a time: the weight of a source pixel is the product of what is covered of its two sides.
    let mut narrow = vec![0.0f64; width * h];
    for (from, to) in mask.values().chunks_exact(w).zip(narrow.chunks_exact_mut(width)) {
        for (value, span) in to.iter_mut().zip(&columns) {
            *value = span.weights.iter().zip(&from[span.start..]).map(|(weight, &v)| weight * f64::from(v)).sum();
        }
    }
    let mut resized = Mask::filled(width, height, 0.0);
    let mut sums = vec![0.0f64; width];
    for (to, span) in resized.values_mut().chunks_exact_mut(width).zip(&rows) {
        sums.fill(0.0);
        for (weight, from) in span.weights.iter().zip(narrow.chunks_exact(width).skip(span.start)) {
            sums.iter_mut().zip(from).for_each(|(sum, v)| *sum += weight * v);
        }
        to.iter_mut().zip(&sums).for_each(|(value, &sum)| *value = (sum as f32).clamp(0.0, 1.0));
    }
    resized
}

/// The source pixels one result pixel covers along a side, with weights that sum to 1.
struct Span {
    start: usize,
    weights: Vec<f64>,
}

fn spans(from: usize, to: usize) -> Vec<Span> {
    // In units of 1 / (from * to) of the side, a source pixel is `to` long and a result pixel `from`: whole numbers,
    // so the weights are exact up to one division.
    (0..to)
        .map(|i| {
            let (begin, end) = (i * from, (i + 1) * from);
            let (start, stop) = (begin / to, end.div_ceil(to));
            let covered = |j: usize| ((j + 1) * to).min(end) - (j * to).max(begin);
            Span { start, weights: (start..stop).map(|j| covered(j) as f64 / from as f64).collect() }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(width: usize, height: usize, values: &[f32]) -> Mask {
        Mask::new(width, height, values.to_vec()).unwrap()
    }

    #[test]
    fn fractions_of_pixels_count_as_such() {
        // Three pixels onto two: each covers one and a half.
        let two = resize_area(&mask(3, 1, &[0.0, 0.6, 0.9]), 2, 1);
        assert!((two.values()[0] - 0.2).abs() < 1e-7 && (two.values()[1] - 0.8).abs() < 1e-7, "{two:?}");
        let column = resize_area(&mask(1, 3, &[0.0, 0.6, 0.9]), 1, 2);
        assert_eq!(column.values(), two.values());
        // Enlarged by three halves: the middle pixel lies half on each.
        assert_eq!(resize_area(&mask(2, 1, &[0.0, 1.0]), 3, 1).values(), [0.0, 0.5, 1.0]);
        assert_eq!(resize_area(&mask(4, 2, &[1.0, 0.0, 0.5, 0.5, 0.0, 1.0, 0.5, 0.5]), 2, 1).values(), [0.5, 0.5]);
    }

    #[test]
    fn the_mean_is_kept_and_thin_lines_survive() {
        // A line one pixel wide in a hundred, shrunk sevenfold: nearest sampling would mostly miss it.
        let mut line = Mask::filled(100, 60, 0.0);
        line.values_mut().iter_mut().skip(37).step_by(100).for_each(|v| *v = 1.0);
        for (w, h) in [(14, 9), (33, 17), (100, 7), (250, 61), (1, 1)] {
            let resized = resize_area(&line, w, h);
            let mean = resized.values().iter().sum::<f32>() / (w * h) as f32;
            assert!((mean - 0.01).abs() < 1e-6, "{w} x {h}: {mean}");
            assert!(resized.values().chunks_exact(w).all(|row| row.iter().any(|&v| v > 0.0)));
        }
    }
}
