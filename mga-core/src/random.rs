//! Seeded random numbers that are a function of what they are for, never of when they are drawn.
//!
//! Candle's CPU generator cannot be seeded, and a single shared generator would make every number depend on the order
//! of threads. So a [`Generator`] is derived from a seed and a key, `(seed, "augment", epoch, index)` for example:
//! nothing about it has to be saved to resume a run, and one thread or eight give the same numbers.

use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A random generator for one purpose (ChaCha with eight rounds, portable across platforms and versions).
#[derive(Debug, Clone)]
pub struct Generator(ChaCha8Rng);

impl Generator {
    /// Creates the generator of `seed` for `purpose` and the `position` within it (an epoch, an index).
    pub fn new(seed: u64, purpose: &str, position: &[u64]) -> Self {
        // Splitmix64 finaliser over an FNV-1a running hash: well mixed, and stable for ever.
        let mut state = fnv1a64(purpose.as_bytes()) ^ splitmix64(seed);
        for &number in position {
            state = splitmix64(state ^ splitmix64(number.wrapping_add(0x5851_F42D_4C95_7F2D)));
        }
        Self(ChaCha8Rng::seed_from_u64(state))
    }

    /// Returns a number that is uniform in `[0, 1)`.
    pub fn uniform(&mut self) -> f64 {
        self.0.random::<f64>()
    }

    /// Returns a number that is uniform in `[low, high)`, or `low` if the range is empty.
    pub fn uniform_in(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// Returns a whole number in `0..bound`; 0 where `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        if bound <= 1 { 0 } else { self.0.random_range(0..bound as u64) as usize }
    }

    /// Returns `true` with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.uniform() < p
    }

    /// Returns a standard normal number (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Shuffles in place (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    /// Returns the next 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }
}

/// Computes the 64-bit FNV-1a hash of `bytes`.
pub fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// Computes one step of splitmix64.
pub fn splitmix64(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_gives_its_own_stream() {
        let draw = |purpose: &str, position: &[u64]| Generator::new(7, purpose, position).bits();
        assert_eq!(draw("augment", &[1, 2]), draw("augment", &[1, 2]));
        assert_ne!(draw("augment", &[1, 2]), draw("augment", &[2, 1]));
        assert_ne!(draw("augment", &[1]), draw("order", &[1]));
        assert_ne!(draw("augment", &[]), draw("augment", &[0]));
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut generator = Generator::new(1, "moments", &[]);
        let n = 20_000;
        let normal: Vec<f64> = (0..n).map(|_| generator.normal()).collect();
        let mean = normal.iter().sum::<f64>() / n as f64;
        let variance = normal.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n as f64;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.04, "{mean} {variance}");
        let uniform = (0..n).map(|_| generator.uniform()).sum::<f64>() / n as f64;
        assert!((uniform - 0.5).abs() < 0.01, "{uniform}");
    }
}
