//! Doubles that are easily changed by writing and reading them, for tests.

use mga_core::random::Generator;

/// Shares of images, sums with a rounding error, the ends of the range, and five thousand drawn by their bits; all finite.
pub fn doubles() -> Vec<f64> {
    let shares = (1..40).flat_map(|all| (0..=all).map(move |right| f64::from(right) / f64::from(all)));
    let ends = [-0.0, 5e-324, f64::MIN_POSITIVE, f64::EPSILON, f64::MAX, f64::MIN, 1e22, 1e23, 9_007_199_254_740_993.0];
    let mut generator = Generator::new(11, "doubles", &[]);
    let drawn = std::iter::repeat_with(move || f64::from_bits(generator.bits())).filter(|double| double.is_finite());
    shares.chain([0.1 + 0.2, 1.0 - 0.9]).chain(ends).chain(drawn.take(5000)).collect()
}

/// Returns whether the two lists are the same to the bit.
pub fn same_bits(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}
