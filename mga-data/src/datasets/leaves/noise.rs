//! Random fields and ranges: a value noise that any pixel can ask for, and draws in single precision.

use mga_core::random::{Generator, splitmix64};

/// Uniform in `[low, high)`.
pub(super) fn between(generator: &mut Generator, low: f32, high: f32) -> f32 {
    generator.uniform_in(f64::from(low), f64::from(high)) as f32
}

/// Smooth noise over the plane: values at whole-numbered points, eased between them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noise(u64);

impl Noise {
    /// A field of its own, drawn from `generator`.
    pub(super) fn draw(generator: &mut Generator) -> Self {
        Self(generator.bits())
    }

    /// Three independent values in `[-1, 1)` that belong to a whole-numbered point, rough from one to the next.
    pub(super) fn white(self, x: u32, y: u32) -> [f32; 3] {
        let bits = splitmix64(self.0 ^ (u64::from(x) << 32 | u64::from(y)));
        [bits, bits >> 21, bits >> 42].map(|part| (part & 0x1F_FFFF) as f32 / 1_048_576.0 - 1.0)
    }

    /// The field at a point, in `[-1, 1)`; features have a size of about one unit.
    pub(super) fn at(self, x: f32, y: f32) -> f32 {
        let (column, row) = (x.floor(), y.floor());
        let ease = |t: f32| t * t * (3.0 - 2.0 * t);
        let (u, v) = (ease(x - column), ease(y - row));
        // A 32-bit integer hash of the lattice point (lowbias32): this is asked for millions of times.
        let corner = |dx: i32, dy: i32| {
            let (cx, cy) = ((column as i32).wrapping_add(dx) as u32, (row as i32).wrapping_add(dy) as u32);
            let mut bits = (cx.wrapping_mul(0x9E37_79B1) ^ cy.wrapping_mul(0x85EB_CA77)).wrapping_add(self.0 as u32);
            bits = (bits ^ (bits >> 15)).wrapping_mul(0x2C1B_3C6D);
            bits = (bits ^ (bits >> 12)).wrapping_mul(0x297A_2D39);
            ((bits ^ (bits >> 15)) >> 8) as f32 / 8_388_608.0 - 1.0
        };
        let top = corner(0, 0) + (corner(1, 0) - corner(0, 0)) * u;
        let bottom = corner(0, 1) + (corner(1, 1) - corner(0, 1)) * u;
        top + (bottom - top) * v
    }

    /// Sum of `octaves` fields, each twice as fine and half as strong as the one before; about `-1..1`.
    pub(super) fn fractal(self, x: f32, y: f32, octaves: u32) -> f32 {
        let (mut sum, mut scale) = (0.0, 1.0);
        for octave in 0..octaves {
            // Shifted, so that the octaves' lattices do not share their points.
            let shift = 17.3 * octave as f32;
            sum += self.at(x * scale + shift, y * scale - shift) / scale;
            scale *= 2.0;
        }
        sum
    }
}

/// Blurs a plane of `width` columns by the mean over `2 radius + 1` pixels, along rows and then along columns, twice.
pub(super) fn blur(plane: &mut [f32], width: usize, radius: usize) {
    let height = plane.len() / width.max(1);
    if radius == 0 || width == 0 || height == 0 {
        return;
    }
    let mut line = vec![0.0; width.max(height)];
    for _ in 0..2 {
        for y in 0..height {
            mean_along(&mut plane[y * width..(y + 1) * width], 1, width, radius, &mut line);
        }
        for x in 0..width {
            mean_along(&mut plane[x..], width, height, radius, &mut line);
        }
    }
}

/// Running mean over `count` values that lie `stride` apart; the border value is repeated outside.
fn mean_along(values: &mut [f32], stride: usize, count: usize, radius: usize, line: &mut [f32]) {
    for (i, slot) in line.iter_mut().enumerate().take(count) {
        *slot = values[i * stride];
    }
    let at = |i: isize| line[i.clamp(0, count as isize - 1) as usize];
    let mut sum: f32 = (-(radius as isize)..=radius as isize).map(at).sum();
    let scale = 1.0 / (2 * radius + 1) as f32;
    for i in 0..count {
        values[i * stride] = sum * scale;
        sum += at((i + radius + 1) as isize) - at(i as isize - radius as isize);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blur_keeps_the_mean_of_a_spot_and_spreads_it() {
        let mut plane = vec![0.0; 21 * 15];
        plane[7 * 21 + 10] = 1.0;
        blur(&mut plane, 21, 1);
        assert!((plane.iter().sum::<f32>() - 1.0).abs() < 1e-4);
        // Two passes of three: the triangle 1 2 3 2 1 over 9, along both axes.
        assert!((plane[7 * 21 + 10] - 1.0 / 9.0).abs() < 1e-4, "{}", plane[7 * 21 + 10]);
        assert!((plane[7 * 21 + 12] - 1.0 / 27.0).abs() < 1e-4, "{}", plane[7 * 21 + 12]);
    }

    #[test]
    fn noise_is_smooth_and_spans_its_range() {
        let noise = Noise::draw(&mut Generator::new(3, "noise", &[]));
        let values: Vec<f32> = (0..4000).map(|i| noise.at(i as f32 * 0.05 - 40.0, 3.3)).collect();
        assert!(values.windows(2).all(|pair| (pair[0] - pair[1]).abs() < 0.16));
        let (low, high) = values.iter().fold((1.0f32, -1.0f32), |(l, h), v| (l.min(*v), h.max(*v)));
        assert!(low < -0.6 && high > 0.6 && low >= -1.0 && high < 1.0, "{low} {high}");
    }
}
