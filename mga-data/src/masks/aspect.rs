//! The comparison of a mask's aspect ratio with that of its image.

/// How far a mask's aspect may be from its image's.
const ASPECT_TOLERANCE: f64 = 0.01;

/// Returns whether two sizes (width, height) have one aspect, up to a hundredth.
pub fn same_aspect(a: (usize, usize), b: (usize, usize)) -> bool {
    let (one, other) = (a.0 as f64 * b.1 as f64, a.1 as f64 * b.0 as f64);
    (one - other).abs() <= ASPECT_TOLERANCE * one.max(other)
}
