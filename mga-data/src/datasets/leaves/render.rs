//! One leaf's picture and masks: the coverage of its parts, and the light on them.

use mga_core::random::Generator;
use tiny_skia::{FillRule, Mask as Coverage, Path, PathBuilder, Pixmap, Transform};

use super::colour::{Colour, foliage, from_hsv, mix, scaled};
use super::ground;
use super::noise::{Noise, between, blur};
use super::outline::{Outline, Pose};
use super::venation::{Veins, Venation};
use crate::picture::{Mask, Picture};

/// The random streams of one image. None but `venation` and `veins` belongs to a cultivar's leaf; all others know an
/// image's number alone.
pub(super) struct Streams<'a> {
    /// Seed of the images' split.
    pub(super) seed: u64,
    /// Name of the images' split.
    pub(super) split: &'a str,
    /// The image's number within the split.
    pub(super) number: u64,
}

impl Streams<'_> {
    /// The stream for one aspect of the image.
    pub(super) fn of(&self, aspect: &str) -> Generator {
        Generator::new(self.seed, &format!("leaves/{}/{aspect}", self.split), &[self.number])
    }
}

/// What is in the picture, before any light falls on it.
pub(super) struct Leaf {
    size: usize,
    outline: Outline,
    pose: Pose,
    veins: Veins,
}

impl Leaf {
    /// Grows an individual of `cultivar` and lays it down in a picture of `size` pixels square, turned by up to
    /// `rotation` degrees.
    pub(super) fn grow(cultivar: &Venation, streams: &Streams, size: usize, rotation: f32, difficulty: f64) -> Self {
        let outline = Outline::draw(&mut streams.of("outline"));
        let pose = Pose::draw(&mut streams.of("pose"), size as f32, rotation);
        let individual = cultivar.individual(&mut streams.of("venation"), difficulty);
        let veins = individual.grow(&outline, &mut streams.of("veins"), difficulty);
        Self { size, outline, pose, veins }
    }

    /// Coverage of the blade, `0..=1`, anti-aliased.
    pub(super) fn blade(&self) -> Vec<f32> {
        self.coverage(ground::closed(self.outline.margin().into_iter().map(|p| self.pose.place(p))))
    }

    /// Coverage of the veins that lie on a blade of the given coverage.
    pub(super) fn veins(&self, blade: &[f32]) -> Vec<f32> {
        let mut builder = PathBuilder::new();
        for vein in &self.veins.veins {
            let border = vein.border(|p| self.pose.place(p), self.pose.length);
            for (i, (x, y)) in border.into_iter().enumerate() {
                if i == 0 { builder.move_to(x, y) } else { builder.line_to(x, y) }
            }
            builder.close();
        }
        let mut coverage = self.coverage(builder.finish());
        for (vein, blade) in coverage.iter_mut().zip(blade) {
            *vein *= blade;
        }
        coverage
    }

    /// Coverage of the stalk, which reaches from just inside the blade away from it.
    fn petiole(&self, generator: &mut Generator) -> Vec<f32> {
        let (length, bow) = (between(generator, 0.08, 0.3), between(generator, -0.12, 0.12));
        let width = self.veins.petiole_width;
        let spine = |t: f32| (0.04 - (length + 0.04) * t, bow * t * t);
        let side = |sign: f32| {
            (0..=8).map(move |i| i as f32 / 8.0).map(move |t| {
                let (x, y) = spine(t);
                (x, y + sign * 0.5 * width * (1.0 + 0.5 * t * t))
            })
        };
        let right: Vec<_> = side(-1.0).collect();
        self.coverage(ground::closed(side(1.0).chain(right.into_iter().rev()).map(|p| self.pose.place(p))))
    }

    fn coverage(&self, path: Option<Path>) -> Vec<f32> {
        let pixels = self.size * self.size;
        let Some((path, mut mask)) = path.zip(Coverage::new(self.size as u32, self.size as u32)) else {
            return vec![0.0; pixels];
        };
        mask.fill_path(&path, FillRule::Winding, true, Transform::identity());
        mask.data().iter().map(|v| f32::from(*v) / 255.0).collect()
    }

    /// The picture, given the coverages of this leaf's blade and veins.
    pub(super) fn picture(&self, blade: &[f32], veins: &[f32], streams: &Streams, difficulty: f64) -> Picture {
        let size = self.size;
        let light = Light::draw(&mut streams.of("light"));
        let mut pixels = self.ground(streams, &light, difficulty);
        let petiole = self.petiole(&mut streams.of("petiole"));
        self.shadow(&mut pixels, blade, &petiole, &light);
        let surface = Surface::draw(&mut streams.of("surface"), difficulty);
        for (pixel, stalk) in pixels.iter_mut().zip(&petiole) {
            *pixel = mix(*pixel, surface.stalk, *stalk);
        }
        self.shade(&mut pixels, blade, veins, &surface, &light);
        let mut values = pixels.into_flattened();
        Camera::draw(&mut streams.of("camera")).expose(&mut values, size);
        Picture::new(size, size, values).unwrap_or_else(|| Picture::filled(size, size, 0.0))
    }

    fn ground(&self, streams: &Streams, light: &Light, difficulty: f64) -> Vec<Colour> {
        let Some(mut pixmap) = Pixmap::new(self.size as u32, self.size as u32) else { return Vec::new() };
        ground::paint(&mut pixmap, &mut streams.of("ground"), light.across, difficulty);
        let gain = light.ground;
        pixmap.pixels().iter().map(|p| [p.red(), p.green(), p.blue()].map(|v| f32::from(v) / 255.0 * gain)).collect()
    }

    /// The leaf's shadow, away from the light and blurred by the leaf's height above the ground.
    fn shadow(&self, pixels: &mut [Colour], blade: &[f32], petiole: &[f32], light: &Light) {
        let size = self.size;
        let reach = light.height * size as f32;
        let (dx, dy) = ((light.across.0 * reach) as isize, (light.across.1 * reach) as isize);
        let mut shadow = vec![0.0_f32; size * size];
        for (i, slot) in shadow.iter_mut().enumerate() {
            let (x, y) = ((i % size) as isize - dx, (i / size) as isize - dy);
            if (0..size as isize).contains(&x) && (0..size as isize).contains(&y) {
                let from = y as usize * size + x as usize;
                *slot = blade[from].max(petiole[from]);
            }
        }
        blur(&mut shadow, size, 1 + (0.5 * reach) as usize);
        for (pixel, shadow) in pixels.iter_mut().zip(shadow) {
            *pixel = scaled(*pixel, 1.0 - light.depth * shadow);
        }
    }

    /// Lays the lit blade with its veins over the ground.
    fn shade(&self, pixels: &mut [Colour], blade: &[f32], veins: &[f32], surface: &Surface, light: &Light) {
        let size = self.size;
        // The blade bulges between its veins: relief is what the light makes of the slope of the blurred veins.
        let mut height = veins.to_vec();
        blur(&mut height, size, (size / 96).max(1));
        let locate = self.pose.locate();
        for y in 0..size {
            for x in 0..size {
                let i = y * size + x;
                if blade[i] <= 0.0 {
                    continue;
                }
                let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
                let (along, aside) = locate(px, py);
                let side = usize::from(aside < 0.0);
                let out = (aside.abs() / self.outline.half_width(side, along).max(0.01)).min(1.0);
                let at = |dx: isize, dy: isize| {
                    let (cx, cy) =
                        ((x as isize + dx).clamp(0, size as isize - 1), (y as isize + dy).clamp(0, size as isize - 1));
                    height[cy as usize * size + cx as usize]
                };
                let slope = (at(1, 0) - at(-1, 0)) * light.across.0 + (at(0, 1) - at(0, -1)) * light.across.1;
                // Along the light's way over the picture, and over the two halves folded at the midrib.
                let way = (px - self.pose.centre.0) * light.across.0 + (py - self.pose.centre.1) * light.across.1;
                let fold = surface.fold * (aside * 25.0).clamp(-1.0, 1.0);
                let mottle = surface.mottle.fractal(along * surface.grain, aside * surface.grain, 3);
                let bright = light.leaf
                    * (1.0 - light.falloff * way / size as f32
                        + fold
                        + surface.relief * slope
                        + surface.roughness * mottle
                        + surface.rim * out.powi(4));
                let hue = surface.tint.at(along * 2.5, aside * 2.5);
                let mut colour = mix(surface.blade, surface.second, (0.35 + 0.5 * hue).clamp(0.0, 1.0));
                for spot in &surface.spots {
                    let distance = (along - spot.0).hypot(aside - spot.1);
                    colour = mix(colour, surface.scorch, (1.6 * (1.0 - distance / spot.2)).clamp(0.0, 0.85));
                }
                colour = mix(colour, surface.vein, surface.contrast * veins[i]);
                pixels[i] = mix(pixels[i], scaled(colour, bright.max(0.05)), blade[i]);
            }
        }
    }
}

/// Where the light comes from, and how hard it is.
struct Light {
    /// The way it takes over the picture, a unit vector.
    across: (f32, f32),
    /// How far shadows reach, as a fraction of the picture.
    height: f32,
    /// How dark shadows are.
    depth: f32,
    /// Exposure of the ground.
    ground: f32,
    /// Exposure of the leaf.
    leaf: f32,
    /// How much darker the blade gets over the picture's width.
    falloff: f32,
}

impl Light {
    fn draw(g: &mut Generator) -> Self {
        let direction = between(g, 0.0, std::f32::consts::TAU);
        Self {
            across: (direction.cos(), direction.sin()),
            height: between(g, 0.015, 0.07),
            depth: between(g, 0.2, 0.65),
            ground: between(g, 0.75, 1.2),
            leaf: between(g, 0.9, 1.15),
            falloff: between(g, 0.1, 0.7),
        }
    }
}

/// The blade's own colours and texture.
struct Surface {
    blade: Colour,
    second: Colour,
    vein: Colour,
    stalk: Colour,
    scorch: Colour,
    /// Share of the vein's colour on a vein.
    contrast: f32,
    fold: f32,
    relief: f32,
    roughness: f32,
    rim: f32,
    grain: f32,
    mottle: Noise,
    tint: Noise,
    /// Discoloured spots: along, aside, radius in leaf lengths.
    spots: Vec<(f32, f32, f32)>,
}

impl Surface {
    fn draw(g: &mut Generator, difficulty: f64) -> Self {
        let blade = foliage(g);
        let second = mix(blade, foliage(g), between(g, 0.1, 0.5));
        // Mostly paler than the blade and yellower; where it is not easy, sometimes dark.
        let ease = 1.0 - difficulty as f32;
        let dark = g.chance(0.3 * difficulty);
        let pale = from_hsv(between(g, 45.0, 85.0), between(g, 0.1, 0.4), between(g, 0.8, 1.0));
        let blade = scaled(blade, 1.0 - 0.3 * ease);
        let second = scaled(second, 1.0 - 0.3 * ease);
        let vein = if dark {
            scaled(mix(blade, pale, 0.1), between(g, 0.3, 0.45))
        } else {
            mix(blade, pale, 0.7 + 0.2 * ease)
        };
        let faint = 0.6 * (1.0 - ease);
        let spots = if g.chance(0.35) { 1 + g.below(5) } else { 0 };
        Self {
            blade,
            second,
            vein,
            stalk: scaled(mix(blade, pale, between(g, 0.1, 0.6)), between(g, 0.7, 1.0)),
            scorch: from_hsv(between(g, 15.0, 45.0), between(g, 0.3, 0.7), between(g, 0.15, 0.5)),
            contrast: between(g, 0.75, 1.0) * (1.0 - faint),
            fold: between(g, -0.18, 0.18),
            relief: between(g, 0.1, 0.5) * (1.0 - faint),
            roughness: between(g, 0.03, 0.1),
            rim: between(g, -0.15, 0.12),
            grain: between(g, 10.0, 30.0),
            mottle: Noise::draw(g),
            tint: Noise::draw(g),
            spots: (0..spots)
                .map(|_| (between(g, 0.05, 0.95), between(g, -0.3, 0.3), between(g, 0.01, 0.05)))
                .collect(),
        }
    }
}

/// What the camera does to the scene: focus, white balance, exposure, sensor noise, 8 bits.
struct Camera {
    defocus: f32,
    gain: Colour,
    gamma: f32,
    noise: f32,
    grain: Noise,
}

impl Camera {
    fn draw(g: &mut Generator) -> Self {
        let exposure = between(g, 0.85, 1.25);
        Self {
            defocus: if g.chance(0.6) { between(g, 0.0, 0.22) } else { 0.0 },
            gain: [0.0; 3].map(|_: f32| exposure * between(g, 0.92, 1.08)),
            gamma: between(g, 0.85, 1.2),
            noise: between(g, 0.003, 0.03),
            grain: Noise::draw(g),
        }
    }

    /// Takes the picture: `[size, size, 3]` in place, every value a whole number of 255ths in the end, so that an
    /// exported PNG holds the very same picture.
    fn expose(&self, values: &mut [f32], size: usize) {
        if self.defocus > 0.0 {
            soften(values, size, self.defocus);
        }
        // A table for the gamma curve: a power for every value would cost more than all the rest of the camera.
        let curve: Vec<f32> = (0..=1024).map(|i| (i as f32 / 1024.0).powf(self.gamma)).collect();
        for (i, pixel) in values.chunks_exact_mut(3).enumerate() {
            let noise = self.grain.white((i % size) as u32, (i / size) as u32);
            for ((value, gain), noise) in pixel.iter_mut().zip(self.gain).zip(noise) {
                let exposed = (*value * gain).clamp(0.0, 1.0);
                let seen = curve[(exposed * 1024.0 + 0.5) as usize] + self.noise * noise;
                *value = (seen.clamp(0.0, 1.0) * 255.0 + 0.5).floor() / 255.0;
            }
        }
    }
}

/// Mixes every pixel with its neighbours, `share` of each along rows and then columns; borders mix with themselves.
fn soften(values: &mut [f32], size: usize, share: f32) {
    let source = values.to_vec();
    let last = size.saturating_sub(1);
    let row = 3 * size;
    for y in 0..size {
        for x in 0..size {
            let (here, left, right) =
                (y * row + 3 * x, y * row + 3 * x.saturating_sub(1), y * row + 3 * (x + 1).min(last));
            for c in 0..3 {
                values[here + c] =
                    source[here + c] * (1.0 - 2.0 * share) + share * (source[left + c] + source[right + c]);
            }
        }
    }
    let source = values.to_vec();
    for y in 0..size {
        let (above, below) = (y.saturating_sub(1) * row, (y + 1).min(last) * row);
        for i in 0..row {
            let here = y * row + i;
            values[here] = source[here] * (1.0 - 2.0 * share) + share * (source[above + i] + source[below + i]);
        }
    }
}

/// A coverage as a mask.
pub(super) fn mask(size: usize, coverage: Vec<f32>) -> Mask {
    // The product of two coverages is no whole number of 255ths: rounded, so that an exported PNG holds the same mask.
    let values = coverage.into_iter().map(|v| (v * 255.0 + 0.5).floor() / 255.0).collect();
    Mask::new(size, size, values).unwrap_or_else(|| Mask::filled(size, size, 0.0))
}
