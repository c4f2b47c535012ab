//! The blade's outline: free for every image, and blind to the cultivar.
//!
//! A leaf lies in its own frame: the midrib runs from the base at `(0, 0)` to the tip at `(1, 0)`, so that every
//! length is a fraction of the blade's. `y` is positive on side 0 and negative on side 1.

use mga_core::random::Generator;

use super::noise::{Noise, between};

/// Half widths of a blade along its midrib, and what the margin looks like.
#[derive(Debug, Clone)]
pub(super) struct Outline {
    half_width: [f32; 2],
    widest: f32,
    base_power: f32,
    tip_power: f32,
    cordate: f32,
    lobes: f32,
    lobe_depth: f32,
    lobe_phase: [f32; 2],
    teeth: f32,
    tooth_depth: f32,
    tooth_phase: [f32; 2],
    waviness: f32,
    wave: Noise,
}

impl Outline {
    /// A blade of any kind: narrow or broad, pointed or blunt, entire, toothed or lobed.
    pub(super) fn draw(generator: &mut Generator) -> Self {
        let g = generator;
        let half = between(g, 0.21, 0.38);
        let skew = between(g, -0.06, 0.06);
        let widest = between(g, 0.3, 0.58);
        let (base_power, tip_power) = (between(g, 0.45, 1.0), between(g, 0.7, 1.5));
        let cordate = if g.chance(0.3) { between(g, 0.05, 0.25) } else { 0.0 };
        let lobe_depth = if g.chance(0.2) { between(g, 0.06, 0.2) } else { 0.0 };
        let tooth_depth = if g.chance(0.55) { between(g, 0.006, 0.025) } else { 0.0 };
        Self {
            half_width: [half * (1.0 + skew), half * (1.0 - skew)],
            widest,
            base_power,
            tip_power,
            cordate,
            lobes: between(g, 1.6, 4.5),
            lobe_depth,
            lobe_phase: [between(g, 0.0, 1.0), between(g, 0.0, 1.0)],
            // Drawn here and not from the number of veins: a tooth at every vein's end would give the class away.
            teeth: between(g, 9.0, 34.0),
            tooth_depth,
            tooth_phase: [between(g, 0.0, 1.0), between(g, 0.0, 1.0)],
            waviness: between(g, 0.0, 0.05),
            wave: Noise::draw(g),
        }
    }

    /// The distance from the midrib to the margin at `x` on a side, without teeth.
    pub(super) fn half_width(&self, side: usize, x: f32) -> f32 {
        if x <= 0.0 || x >= 1.0 {
            return 0.0;
        }
        let quarter = std::f32::consts::FRAC_PI_2;
        let profile = if x < self.widest {
            (quarter * x / self.widest).sin().powf(self.base_power)
        } else {
            (quarter * (1.0 - x) / (1.0 - self.widest)).sin().powf(self.tip_power)
        };
        let side = side.min(1);
        let turn = std::f32::consts::TAU * (self.lobes * x + self.lobe_phase[side]);
        let lobes = 1.0 - self.lobe_depth * (0.5 - 0.5 * turn.cos());
        let wave = 1.0 + self.waviness * self.wave.at(6.0 * x, 40.0 * side as f32);
        self.half_width[side] * profile * lobes * wave
    }

    /// The blade's area, with the midrib's length as unit; teeth left out.
    pub(super) fn area(&self) -> f32 {
        let steps = 64;
        (0..steps)
            .map(|i| (i as f32 + 0.5) / steps as f32)
            .map(|x| (self.half_width(0, x) + self.half_width(1, x)) / steps as f32)
            .sum()
    }

    /// The closed margin, from the base over side 0 to the tip and back over side 1.
    pub(super) fn margin(&self) -> Vec<(f32, f32)> {
        const STEPS: usize = 150;
        let along = |i: usize, side: usize| {
            // Closer together at both ends, where the margin turns.
            let x = 0.5 - 0.5 * (std::f32::consts::PI * i as f32 / STEPS as f32).cos();
            let width = self.half_width(side, x);
            let tooth = (self.teeth * x + self.tooth_phase[side]).fract();
            let tooth = if tooth < 0.75 { tooth / 0.75 } else { (1.0 - tooth) / 0.25 };
            // Teeth fade out where the blade has no width to carry them.
            let tooth = self.tooth_depth * (tooth - 0.3) * (width / 0.08).min(1.0);
            let sign = if side == 0 { 1.0 } else { -1.0 };
            // Heart-shaped bases reach back behind the end of the midrib.
            let back = (1.0 - x / 0.3).max(0.0);
            (x - self.cordate * back * back * (width / self.half_width[side]), sign * (width + tooth).max(0.0))
        };
        (0..=STEPS).map(|i| along(i, 0)).chain((0..STEPS).rev().map(|i| along(i, 1))).collect()
    }
}

/// Where a leaf lies in the picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pose {
    /// Length of the midrib, pixels.
    pub(super) length: f32,
    /// Middle of the midrib's chord, pixels.
    pub(super) centre: (f32, f32),
    /// Direction from base to tip, radians, clockwise from the picture's right.
    pub(super) heading: f32,
    /// How far the middle of the midrib is bent aside, as a fraction of its length.
    pub(super) bend: f32,
}

impl Pose {
    /// A pose for the leaf that the picture (`size` pixels square) is about: upright, turned by up to `rotation`
    /// degrees to either side.
    pub(super) fn draw(generator: &mut Generator, size: f32, rotation: f32) -> Self {
        let turn = between(generator, -rotation, rotation).to_radians();
        let length = size * between(generator, 0.74, 0.95);
        // The smaller the leaf, the more room it has.
        let room = 0.5 * (size - length) + 0.03 * size;
        Self {
            length,
            centre: (
                0.5 * size + between(generator, -1.2, 1.2) * room,
                0.5 * size + between(generator, -0.7, 0.7) * room,
            ),
            heading: turn - std::f32::consts::FRAC_PI_2,
            bend: between(generator, -0.05, 0.05),
        }
    }

    fn bent(&self, x: f32) -> f32 {
        4.0 * self.bend * x * (1.0 - x)
    }

    /// From the leaf's frame to pixels.
    pub(super) fn place(&self, (x, y): (f32, f32)) -> (f32, f32) {
        let (u, v) = ((x - 0.5) * self.length, (y + self.bent(x)) * self.length);
        let (sin, cos) = self.heading.sin_cos();
        (self.centre.0 + u * cos - v * sin, self.centre.1 + u * sin + v * cos)
    }

    /// From pixels to the leaf's frame: the inverse of [`Pose::place`], row by row cheap.
    pub(super) fn locate(&self) -> impl Fn(f32, f32) -> (f32, f32) {
        let (pose, (sin, cos)) = (*self, self.heading.sin_cos());
        move |px, py| {
            let (dx, dy) = ((px - pose.centre.0) / pose.length, (py - pose.centre.1) / pose.length);
            let x = dx * cos + dy * sin + 0.5;
            (x, dy * cos - dx * sin - pose.bent(x))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pose_and_its_inverse_agree() {
        let pose = Pose::draw(&mut Generator::new(5, "pose", &[]), 96.0, 180.0);
        for point in [(0.0, 0.0), (0.3, 0.2), (1.0, -0.1)] {
            let (px, py) = pose.place(point);
            let (x, y) = pose.locate()(px, py);
            assert!((x - point.0).abs() < 1e-4 && (y - point.1).abs() < 1e-4, "{point:?} became {x} {y}");
        }
    }

    #[test]
    fn blades_close_at_both_ends_and_vary_in_shape() {
        let ratios: Vec<f32> = (0..50)
            .map(|i| {
                let outline = Outline::draw(&mut Generator::new(1, "outline", &[i]));
                assert_eq!(outline.half_width(0, 0.0), 0.0);
                assert_eq!(outline.half_width(1, 1.0), 0.0);
                assert!(outline.margin().iter().all(|(x, y)| x.is_finite() && y.abs() < 0.5));
                outline.area()
            })
            .collect();
        let (low, high) = ratios.iter().fold((1.0f32, 0.0f32), |(l, h), v| (l.min(*v), h.max(*v)));
        assert!(low > 0.12 && high < 0.75 && high / low > 1.6, "areas from {low} to {high}");
    }
}
