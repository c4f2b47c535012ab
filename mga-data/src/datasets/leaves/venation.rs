//! The differences between cultivars: the secondary veins' angle, number and curvature, and the branching between them.

use mga_core::random::Generator;

use super::noise::between;
use super::outline::Outline;

/// Number of traits that define a cultivar.
const TRAITS: usize = 4;

/// A cultivar, or an individual of one: each trait in `0..=1` of its range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Venation([f64; TRAITS]);

impl Venation {
    /// The definitions of `count` cultivars, drawn together by `difficulty`.
    ///
    /// Each is the one of 2048 candidates that is farthest from all before it, so that however many are wanted, they
    /// are spread evenly and the first few sit in far corners. The candidates are the additive recurrence of Roberts
    /// (2018) with the generalised golden ratio of four dimensions, shifted at random.
    pub(super) fn cultivars(seed: u64, count: usize, difficulty: f64) -> Vec<Self> {
        // The root of x^5 = x + 1.
        const RATIO: f64 = 1.167_303_978_261_418_7;
        let mut generator = Generator::new(seed, "leaves/cultivars", &[]);
        let shift: [f64; TRAITS] = std::array::from_fn(|_| generator.uniform());
        // Candidate and its distance to the nearest cultivar chosen so far.
        let mut candidates: Vec<([f64; TRAITS], f64)> = (0..2048)
            .map(|i| std::array::from_fn(|d| (shift[d] + f64::from(i + 1) / RATIO.powi(d as i32 + 1)).fract()))
            .map(|point| (point, f64::INFINITY))
            .collect();
        let spread = 1.0 - 0.75 * difficulty;
        let mut chosen = Vec::with_capacity(count);
        while chosen.len() < count {
            let Some(&(next, _)) = candidates.iter().rev().max_by(|a, b| a.1.total_cmp(&b.1)) else { break };
            for (point, nearest) in &mut candidates {
                *nearest = nearest.min(distance(point, &next));
            }
            chosen.push(Self(next.map(|v| 0.5 + (v - 0.5) * spread)));
        }
        chosen
    }

    /// An individual: every trait moved by a normal deviate, the more the higher the difficulty.
    pub(super) fn individual(&self, generator: &mut Generator, difficulty: f64) -> Self {
        let deviation = 0.025 + 0.05 * difficulty;
        Self(self.0.map(|v| (v + deviation * generator.normal()).clamp(-0.15, 1.15)))
    }

    /// Any venation at all, for the leaves that lie about on the ground.
    pub(super) fn any(generator: &mut Generator) -> Self {
        Self(std::array::from_fn(|_| generator.uniform()))
    }

    /// Angle between midrib and secondary veins where they part, radians.
    fn angle(&self) -> f32 {
        (33.0 + 45.0 * self.0[0] as f32).to_radians()
    }

    /// Distance of neighbouring secondary veins along the midrib; between 4 and 11 of them fit on a side.
    fn spacing(&self) -> f32 {
        0.86 / (4.0 * 2.75_f32.powf(self.0[1] as f32))
    }

    /// How fast a secondary vein turns towards the tip: its angle falls by the factor e in 1 / this, in leaf lengths.
    fn curvature(&self) -> f32 {
        2.5 * self.0[2].max(0.0) as f32
    }

    /// Cross veins between two secondary veins, per tenth of a leaf's length.
    fn branching(&self) -> f32 {
        1.3 * self.0[3].max(0.0) as f32
    }

    /// Grows the veins of one leaf into its blade. Width and irregularities come from `generator`; the higher the
    /// difficulty, the thinner the veins.
    pub(super) fn grow(&self, outline: &Outline, generator: &mut Generator, difficulty: f64) -> Veins {
        // Free: veins part at a wider or narrower angle towards the tip, opposite or alternate.
        let fan = between(generator, -0.1, 0.1);
        let alternate = between(generator, 0.0, 1.0);
        let phase = between(generator, 0.0, 1.0);
        let midrib_width = between(generator, 0.022, 0.034);
        let ink = between(generator, 0.14, 0.21) * (1.0 - 0.4 * difficulty as f32);
        let mut veins = Vec::new();
        for side in 0..2 {
            let mut previous: Option<Vec<(f32, f32)>> = None;
            let offset = (phase + if side == 1 { alternate } else { 0.0 }).fract();
            let mut start = 0.05 + offset * self.spacing();
            while start < 0.93 {
                let from = start + 0.06 * self.spacing() * generator.normal() as f32;
                let angle = self.angle() + fan * (start - 0.5) + 0.035 * generator.normal() as f32;
                start += self.spacing();
                let path = self.secondary(outline, side, from, angle);
                if path.len() < 3 {
                    continue;
                }
                if let Some(last) = &previous {
                    self.cross(last, &path, generator, &mut veins);
                }
                veins.push(Vein { path: path.clone(), width: (1.0, 0.4) });
                previous = Some(path);
            }
        }
        // All leaves spend the same share of their blade on veins, whatever their number: otherwise colour alone, by
        // the amount of vein colour, would tell the cultivar.
        let drawn: f32 = veins.iter().map(Vein::area).sum();
        let scale = (ink * outline.area() / drawn.max(1e-6)).clamp(0.004, 0.07);
        for vein in &mut veins {
            vein.width = (vein.width.0 * scale, vein.width.1 * scale);
        }
        let midrib: Vec<(f32, f32)> = (0..=24).map(|i| (i as f32 / 24.0 * 0.985, 0.0)).collect();
        veins.push(Vein { path: midrib, width: (midrib_width, 0.004) });
        Veins { veins, petiole_width: midrib_width }
    }

    /// A secondary vein from the midrib at `from` until shortly before the margin.
    fn secondary(&self, outline: &Outline, side: usize, from: f32, angle: f32) -> Vec<(f32, f32)> {
        const STEP: f32 = 0.018;
        let sign = if side == 0 { 1.0 } else { -1.0 };
        let (mut x, mut y, mut gone) = (from.max(0.0), 0.0_f32, 0.0);
        let mut path = vec![(x, y)];
        while gone < 1.2 {
            let heading = angle * (-self.curvature() * gone).exp();
            x += STEP * heading.cos();
            y += STEP * heading.sin();
            gone += STEP;
            if y > 0.94 * outline.half_width(side, x) {
                break;
            }
            path.push((x, sign * y));
        }
        path
    }

    /// Cross veins (tertiaries) between two neighbouring secondary veins.
    fn cross(&self, lower: &[(f32, f32)], upper: &[(f32, f32)], generator: &mut Generator, veins: &mut Vec<Vein>) {
        let reach = 0.018 * lower.len().min(upper.len()) as f32;
        // Rounded up or down at random, so that the number follows the trait without steps.
        let count = f64::from(self.branching() * reach / 0.1) + generator.uniform();
        let count = count as usize;
        for i in 0..count {
            let share = (i as f32 + 0.55 + 0.12 * generator.normal() as f32) / count as f32;
            let steps = share.clamp(0.08, 0.97) * reach / 0.018;
            let (Some(a), Some(b)) = (point_at(lower, steps), point_at(upper, steps * between(generator, 0.8, 1.0)))
            else {
                continue;
            };
            let sag = 0.12 * generator.normal() as f32;
            let middle = (0.5 * (a.0 + b.0) - sag * (b.1 - a.1), 0.5 * (a.1 + b.1) + sag * (b.0 - a.0));
            veins.push(Vein { path: vec![a, middle, b], width: (0.5, 0.5) });
        }
    }
}

/// The point `steps` vertices along a path.
fn point_at(path: &[(f32, f32)], steps: f32) -> Option<(f32, f32)> {
    let index = (steps.max(0.0) as usize).min(path.len().checked_sub(2)?);
    let t = (steps - index as f32).clamp(0.0, 1.0);
    let (a, b) = (path.get(index)?, path.get(index + 1)?);
    Some((a.0 + (b.0 - a.0) * t, a.1 + (b.1 - a.1) * t))
}

fn distance(a: &[f64; TRAITS], b: &[f64; TRAITS]) -> f64 {
    a.iter().zip(b).map(|(p, q)| (p - q) * (p - q)).sum::<f64>().sqrt()
}

/// One vein: a path that tapers.
#[derive(Debug, Clone)]
pub(super) struct Vein {
    /// Vertices in the leaf's frame.
    path: Vec<(f32, f32)>,
    /// Full width at the start and at the end, leaf lengths.
    width: (f32, f32),
}

impl Vein {
    fn area(&self) -> f32 {
        let length: f32 = self.path.windows(2).map(|p| (p[1].0 - p[0].0).hypot(p[1].1 - p[0].1)).sum();
        length * 0.5 * (self.width.0 + self.width.1)
    }

    /// The vein's closed border once its vertices are moved by `place`, `scale` pixels to the leaf's length. All
    /// borders turn the same way, so that where veins overlap a non-zero winding fill stays filled.
    pub(super) fn border(&self, place: impl Fn((f32, f32)) -> (f32, f32), scale: f32) -> Vec<(f32, f32)> {
        let points: Vec<(f32, f32)> = self.path.iter().map(|&p| place(p)).collect();
        let last = points.len().saturating_sub(1);
        let mut left = Vec::with_capacity(2 * points.len());
        let mut right = Vec::with_capacity(points.len());
        for (i, &(x, y)) in points.iter().enumerate() {
            let (before, after) = (points[i.saturating_sub(1)], points[(i + 1).min(last)]);
            let (dx, dy) = (after.0 - before.0, after.1 - before.1);
            let length = dx.hypot(dy).max(1e-6);
            let width = self.width.0 + (self.width.1 - self.width.0) * i as f32 / last.max(1) as f32;
            let (nx, ny) = (-dy / length * 0.5 * width * scale, dx / length * 0.5 * width * scale);
            left.push((x + nx, y + ny));
            right.push((x - nx, y - ny));
        }
        left.extend(right.into_iter().rev());
        left
    }
}

/// The veins of one leaf.
#[derive(Debug, Clone)]
pub(super) struct Veins {
    /// Cross veins, secondary veins and last the midrib.
    pub(super) veins: Vec<Vein>,
    /// Width of the stalk where it meets the blade, leaf lengths.
    pub(super) petiole_width: f32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cultivars_are_spread_and_difficulty_draws_them_together() {
        let closest = |count, difficulty| {
            let points = Venation::cultivars(7, count, difficulty);
            assert_eq!(points.len(), count);
            let pairs = (0..count).flat_map(|i| (0..i).map(move |j| (i, j)));
            pairs.map(|(i, j)| distance(&points[i].0, &points[j].0)).fold(f64::INFINITY, f64::min)
        };
        // In deviations of an individual: far apart where it is easy, overlapping where it is hard.
        assert!(closest(10, 0.0) > 20.0 * 0.025, "{}", closest(10, 0.0));
        assert!(closest(10, 1.0) < 3.0 * 0.075, "{}", closest(10, 1.0));
        assert!(closest(200, 0.0) > 5.0 * 0.025, "{}", closest(200, 0.0));
        assert_ne!(Venation::cultivars(7, 10, 0.0), Venation::cultivars(8, 10, 0.0));
    }

    #[test]
    fn leaves_of_all_cultivars_carry_the_same_amount_of_vein() {
        let mean = |venation: &Venation| {
            let shares = (0..40).map(|i| {
                let mut generator = Generator::new(2, "grow", &[i]);
                let outline = Outline::draw(&mut generator);
                let veins = venation.grow(&outline, &mut generator, 0.0).veins;
                veins[..veins.len() - 1].iter().map(Vein::area).sum::<f32>() / outline.area()
            });
            shares.sum::<f32>() / 40.0
        };
        let shares: Vec<f32> = Venation::cultivars(7, 10, 0.0).iter().map(mean).collect();
        let (low, high) = shares.iter().fold((1.0f32, 0.0f32), |(l, h), v| (l.min(*v), h.max(*v)));
        assert!(high - low < 0.02, "shares from {low} to {high}: {shares:?}");
    }

    #[test]
    fn secondary_veins_end_inside_the_blade() {
        for i in 0..30 {
            let mut generator = Generator::new(4, "inside", &[i]);
            let outline = Outline::draw(&mut generator);
            let venation = Venation::any(&mut generator);
            for vein in venation.grow(&outline, &mut generator, 0.0).veins {
                for (x, y) in &vein.path {
                    let side = usize::from(*y < 0.0);
                    assert!(y.abs() <= outline.half_width(side, *x) + 0.05, "leaf {i}: {x} {y}");
                }
            }
        }
    }
}
