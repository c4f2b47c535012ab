//! The cluttered ground a leaf lies on: soil or stone under gravel, twigs, blades of grass and other leaves' scraps.
//!
//! Nothing here is given the cultivar.

use mga_core::random::Generator;
use tiny_skia::{FillRule, Paint, Path, PathBuilder, Pixmap, Transform};

use super::colour::{Colour, earth, foliage, mix, scaled};
use super::noise::{Noise, between};
use super::outline::{Outline, Pose};
use super::venation::Venation;

/// A closed path through `points`; `None` where they span nothing.
pub(super) fn closed(points: impl IntoIterator<Item = (f32, f32)>) -> Option<Path> {
    let mut builder = PathBuilder::new();
    for (i, (x, y)) in points.into_iter().enumerate() {
        if i == 0 { builder.move_to(x, y) } else { builder.line_to(x, y) }
    }
    builder.close();
    builder.finish()
}

/// Paints the ground over the whole (square) pixmap. `light` points from the light's side across the picture; the
/// higher the difficulty, the rougher the ground and the plainer the other leaves' veins.
pub(super) fn paint(pixmap: &mut Pixmap, generator: &mut Generator, light: (f32, f32), difficulty: f64) {
    let g = generator;
    let size = pixmap.width() as f32;
    soil(pixmap, g, difficulty);
    let mut scene = Clutter { pixmap, size, light, difficulty };
    for _ in 0..g.below(4) {
        scene.patch(g);
    }
    // Gravel comes in all densities, from none to a bed of it.
    let stones = if g.chance(0.6) { g.below(60) } else { g.below(6) };
    let coarse = between(g, 0.012, 0.05);
    let stone_colour = earth(g);
    for _ in 0..stones {
        scene.stone(g, coarse, stone_colour);
    }
    for _ in 0..g.below(5) {
        scene.scrap(g);
    }
    for _ in 0..g.below(7) {
        scene.twig(g);
    }
}

/// The bare ground: two colours mottled at one scale, grain at another.
fn soil(pixmap: &mut Pixmap, g: &mut Generator, difficulty: f64) {
    let size = pixmap.width();
    let (first, second) = (earth(g), earth(g));
    let second = mix(first, second, between(g, 0.2, 0.7));
    let (mottle, grain) = (Noise::draw(g), Noise::draw(g));
    let (mottle_scale, grain_scale) = (between(g, 2.0, 7.0) / size as f32, between(g, 14.0, 45.0) / size as f32);
    let strength = between(g, 0.15, 0.5) * (0.5 + 0.5 * difficulty as f32);
    for (i, pixel) in pixmap.data_mut().chunks_exact_mut(4).enumerate() {
        let (x, y) = ((i as u32 % size) as f32, (i as u32 / size) as f32);
        let share = 0.5 + 0.7 * mottle.fractal(x * mottle_scale, y * mottle_scale, 2);
        let bright = 1.0 + strength * grain.fractal(x * grain_scale, y * grain_scale, 2);
        let colour = scaled(mix(first, second, share.clamp(0.0, 1.0)), bright);
        for (byte, value) in pixel.iter_mut().zip(colour) {
            *byte = (value.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
        }
        pixel[3] = 255;
    }
}

struct Clutter<'a> {
    pixmap: &'a mut Pixmap,
    size: f32,
    light: (f32, f32),
    difficulty: f64,
}

impl Clutter<'_> {
    fn fill(&mut self, points: impl IntoIterator<Item = (f32, f32)>, colour: Colour, opacity: f32) {
        let mut paint = Paint::default();
        let byte = |v: f32| (v.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
        paint.set_color_rgba8(byte(colour[0]), byte(colour[1]), byte(colour[2]), byte(opacity));
        if let Some(path) = closed(points) {
            self.pixmap.fill_path(&path, &paint, FillRule::Winding, Transform::identity(), None);
        }
    }

    fn anywhere(&self, g: &mut Generator) -> (f32, f32) {
        (between(g, -0.05, 1.05) * self.size, between(g, -0.05, 1.05) * self.size)
    }

    /// An irregular closed shape.
    fn blob(&self, g: &mut Generator, centre: (f32, f32), radius: f32, corners: usize) -> Vec<(f32, f32)> {
        let (stretch, turn) = (between(g, 0.6, 1.0), between(g, 0.0, 6.3));
        let (sin, cos) = turn.sin_cos();
        (0..corners)
            .map(|i| {
                let angle = std::f32::consts::TAU * i as f32 / corners as f32;
                let r = radius * between(g, 0.8, 1.15);
                let (u, v) = (r * angle.cos(), r * stretch * angle.sin());
                (centre.0 + u * cos - v * sin, centre.1 + u * sin + v * cos)
            })
            .collect()
    }

    /// A large, faint patch of another colour: damp soil, moss, a fleck of sun.
    fn patch(&mut self, g: &mut Generator) {
        let (centre, colour) = (self.anywhere(g), earth(g));
        let radius = self.size * between(g, 0.1, 0.35);
        for ring in [1.0, 0.9, 0.8] {
            let shape = self.blob(g, centre, radius * ring, 14);
            self.fill(shape, colour, between(g, 0.08, 0.28));
        }
    }

    fn stone(&mut self, g: &mut Generator, coarse: f32, colour: Colour) {
        let centre = self.anywhere(g);
        let radius = self.size * coarse * between(g, 0.4, 1.6);
        let shape = self.blob(g, centre, radius, 8);
        let colour = scaled(mix(colour, earth(g), between(g, 0.0, 0.5)), between(g, 0.8, 1.3));
        let (lx, ly) = (self.light.0 * radius, self.light.1 * radius);
        self.fill(shape.iter().map(|(x, y)| (x + 0.35 * lx, y + 0.35 * ly)), [0.03, 0.03, 0.03], 0.5);
        self.fill(shape.iter().copied(), scaled(colour, 0.8), 1.0);
        let lit = |(x, y): &(f32, f32)| {
            let (dx, dy) = (x - centre.0, y - centre.1);
            (centre.0 + 0.65 * dx - 0.2 * lx, centre.1 + 0.65 * dy - 0.2 * ly)
        };
        self.fill(shape.iter().map(lit), scaled(colour, 1.12), 0.8);
    }

    /// A twig or, where it is green, a blade of grass.
    fn twig(&mut self, g: &mut Generator) {
        let (x, y) = self.anywhere(g);
        let (heading, length) = (between(g, 0.0, 6.3), self.size * between(g, 0.2, 0.8));
        let width = self.size * between(g, 0.006, 0.022);
        let sag = between(g, -0.2, 0.2) * length;
        let (sin, cos) = heading.sin_cos();
        let line = |t: f32, aside: f32| {
            let (u, v) = ((t - 0.5) * length, sag * 4.0 * t * (1.0 - t) + aside * width * (1.0 - 0.6 * t));
            (x + u * cos - v * sin, y + u * sin + v * cos)
        };
        let band = |low: f32, high: f32| {
            let there = (0..=10).map(move |i| (i as f32 / 10.0, low));
            there.chain((0..=10).rev().map(move |i| (i as f32 / 10.0, high))).map(|(t, a)| line(t, a))
        };
        let colour = if g.chance(0.4) { foliage(g) } else { scaled(earth(g), 0.8) };
        let (lx, ly) = (self.light.0 * width * 0.8, self.light.1 * width * 0.8);
        self.fill(band(-0.5, 0.5).map(|(px, py)| (px + lx, py + ly)), [0.03, 0.03, 0.03], 0.45);
        self.fill(band(-0.5, 0.5), scaled(colour, 0.85), 1.0);
        self.fill(band(-0.3, 0.1), scaled(colour, 1.15), 0.8);
    }

    /// A smaller leaf or a piece of one, veins of its own: of no cultivar in particular.
    fn scrap(&mut self, g: &mut Generator) {
        let (outline, venation) = (Outline::draw(g), Venation::any(g));
        let pose = Pose {
            length: self.size * between(g, 0.18, 0.5),
            centre: self.anywhere(g),
            heading: between(g, 0.0, 6.3),
            bend: between(g, -0.1, 0.1),
        };
        let colour = if g.chance(0.5) { foliage(g) } else { earth(g) };
        let margin: Vec<_> = outline.margin().into_iter().step_by(4).map(|p| pose.place(p)).collect();
        let (lx, ly) = (self.light.0 * 0.02 * self.size, self.light.1 * 0.02 * self.size);
        self.fill(margin.iter().map(|(x, y)| (x + lx, y + ly)), [0.03, 0.03, 0.03], 0.45);
        self.fill(margin.iter().copied(), colour, 1.0);
        let half = outline.margin().into_iter().step_by(4).filter(|(_, y)| *y >= 0.0).map(|p| pose.place(p));
        self.fill(half.collect::<Vec<_>>(), scaled(colour, 0.75), between(g, 0.0, 0.5));
        let vein_colour = scaled(colour, between(g, 0.75, 1.5));
        let opacity = between(g, 0.2, 0.7) * (0.25 + 0.75 * self.difficulty as f32);
        for vein in venation.grow(&outline, g, self.difficulty).veins {
            self.fill(vein.border(|p| pose.place(p), pose.length), vein_colour, opacity);
        }
    }
}
