//! The background of a picture with transparent parts.
//!
//! A cut-out on plain white would be told from a photograph by its background alone. `"clutter"` puts a different
//! cluttered scene behind every image, drawn from the image's name and a seed, so that it says nothing of the class.

use mga_core::random::{Generator, fnv1a64};
use mga_registry::Condition;
use tiny_skia::{FillRule, Paint, PathBuilder, Pixmap, Rect, Stroke, Transform};

use crate::picture::Picture;

/// The background of transparent pixels.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a background: \"white\", \"black\", \"grey\", \"clutter\", or [red, green, blue], each 0 to 255"
)]
pub enum Background {
    /// One of the backgrounds with a name.
    Named(NamedBackground),
    /// One colour: red, green, blue, each 0 to 255.
    Colour([u8; 3]),
}

/// The backgrounds with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NamedBackground {
    /// Plain white.
    White,
    /// Plain black.
    Black,
    /// Plain middle grey.
    Grey,
    /// A procedural cluttered scene, another one for each image.
    Clutter,
}

impl Default for Background {
    fn default() -> Self {
        Self::Named(NamedBackground::White)
    }
}

/// A data set's setting `background_seed` counts with cluttered scenes alone.
pub(crate) const CONDITION: Condition = Condition {
    key: "background_seed",
    holds: |settings| settings.get("background").is_some_and(|background| background == "clutter"),
    by: "background",
    words: "data.background = \"clutter\"",
};

/// The interpretation of stored pixels: the background of transparent ones, and the value of white in 16 bits.
#[derive(Debug, Clone, Default)]
pub struct Backdrop {
    /// The background.
    pub background: Background,
    /// Seed of the cluttered scenes; without effect on plain colours.
    pub seed: u64,
    /// The number that is white in images of 16 bits, 4095 where a camera fills twelve of them; `None`: 65535.
    pub white_point: Option<u16>,
}

impl Backdrop {
    /// Composites `rgb` (interleaved, `[height, width, 3]`) over the backdrop of image `id`, in place; `alpha`
    /// (`[height, width]`) says how much of `rgb` stays. Both in `0..=1`.
    pub(crate) fn composite(&self, rgb: &mut [f32], alpha: &[f32], width: usize, height: usize, id: &str) {
        let mut over = |behind: &dyn Fn(usize) -> [f32; 3]| {
            for (i, (pixel, &a)) in rgb.chunks_exact_mut(3).zip(alpha).enumerate() {
                if a < 1.0 {
                    for (value, back) in pixel.iter_mut().zip(behind(i)) {
                        *value = *value * a + back * (1.0 - a);
                    }
                }
            }
        };
        match self.background {
            Background::Colour(colour) => over(&|_| colour.map(|c| f32::from(c) / 255.0)),
            Background::Named(NamedBackground::White) => over(&|_| [1.0; 3]),
            Background::Named(NamedBackground::Black) => over(&|_| [0.0; 3]),
            Background::Named(NamedBackground::Grey) => over(&|_| [0.5; 3]),
            Background::Named(NamedBackground::Clutter) => {
                // An opaque picture is not worth a drawing.
                if alpha.iter().any(|&a| a < 1.0) {
                    let scene = clutter(width, height, self.seed, id);
                    let pixels = scene.pixels();
                    over(&|i| pixels.get(3 * i..).and_then(|p| p.first_chunk::<3>()).copied().unwrap_or([0.5; 3]));
                }
            }
        }
    }
}

/// Scenes are drawn at most this long and enlarged: texture finer than that is not needed behind a cut-out, and the
/// time does not grow with the camera.
const LONGEST_SIDE: usize = 1024;

/// Returns a cluttered scene of `width` by `height` pixels: soft blobs of colour under random ellipses and strokes. A
/// function of its arguments alone.
pub fn clutter(width: usize, height: usize, seed: u64, id: &str) -> Picture {
    let mut generator = Generator::new(seed, "clutter", &[fnv1a64(id.as_bytes())]);
    let shrink = (width.max(height) as f64 / LONGEST_SIDE as f64).max(1.0);
    let (w, h) = (((width as f64 / shrink) as usize).max(1), ((height as f64 / shrink) as usize).max(1));
    let mut scene = blobs(w, h, &mut generator);
    draw_shapes(&mut scene, &mut generator);
    enlarge(&scene, width, height)
}

/// Value noise in colour: two lattices of random colours, smoothly interpolated.
fn blobs(width: usize, height: usize, generator: &mut Generator) -> Picture {
    let coarse = Lattice::draw(3 + generator.below(4), generator);
    let fine = Lattice::draw(12 + generator.below(20), generator);
    let share = generator.uniform_in(0.15, 0.45) as f32;
    let mut scene = Picture::filled(width, height, 0.0);
    for (i, pixel) in scene.values_mut().chunks_exact_mut(3).enumerate() {
        let (x, y) = ((i % width) as f32 / width as f32, (i / width) as f32 / height as f32);
        let (a, b) = (coarse.at(x, y), fine.at(x, y));
        for (value, (a, b)) in pixel.iter_mut().zip(a.into_iter().zip(b)) {
            *value = a * (1.0 - share) + b * share;
        }
    }
    scene
}

/// Random colours on the corners of `cells` by `cells` squares over the unit square.
struct Lattice {
    cells: usize,
    colours: Vec<[f32; 3]>,
}

impl Lattice {
    fn draw(cells: usize, generator: &mut Generator) -> Self {
        let colours = (0..(cells + 1) * (cells + 1))
            .map(|_| [generator.uniform() as f32, generator.uniform() as f32, generator.uniform() as f32])
            .collect();
        Self { cells, colours }
    }

    fn at(&self, x: f32, y: f32) -> [f32; 3] {
        let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
        let (x, y) = (x * self.cells as f32, y * self.cells as f32);
        let (column, row) = ((x as usize).min(self.cells - 1), (y as usize).min(self.cells - 1));
        let (u, v) = (smooth(x - column as f32), smooth(y - row as f32));
        let corner = |dx: usize, dy: usize| self.colours[(row + dy) * (self.cells + 1) + column + dx];
        let (a, b, c, d) = (corner(0, 0), corner(1, 0), corner(0, 1), corner(1, 1));
        std::array::from_fn(|k| (a[k] * (1.0 - u) + b[k] * u) * (1.0 - v) + (c[k] * (1.0 - u) + d[k] * u) * v)
    }
}

/// Draws random ellipses and strokes into the scene.
fn draw_shapes(scene: &mut Picture, generator: &mut Generator) {
    let (width, height) = (scene.width(), scene.height());
    // Too large a side is the only way to fail, and ours is bounded: the blobs alone would do.
    let Some(mut canvas) = Pixmap::new(width as u32, height as u32) else { return };
    for (to, from) in canvas.data_mut().chunks_exact_mut(4).zip(scene.pixels().chunks_exact(3)) {
        for (byte, value) in to.iter_mut().zip(from.iter().chain(&[1.0])) {
            *byte = (value * 255.0).round() as u8;
        }
    }
    let side = width.max(height) as f64;
    for _ in 0..15 + generator.below(25) {
        let mut paint = Paint { anti_alias: true, ..Paint::default() };
        let mut channel = || (generator.uniform() * 255.0) as u8;
        paint.set_color_rgba8(channel(), channel(), channel(), 90 + channel() / 2);
        let mut point =
            || (generator.uniform_in(-0.1, 1.1) * width as f64, generator.uniform_in(-0.1, 1.1) * height as f64);
        let (x, y) = point();
        let (x, y) = (x as f32, y as f32);
        if generator.chance(0.6) {
            let (a, b) = (generator.uniform_in(0.01, 0.15) * side, generator.uniform_in(0.01, 0.15) * side);
            let turn = Transform::from_rotate_at(generator.uniform_in(0.0, 180.0) as f32, x, y);
            let oval = Rect::from_xywh(x - a as f32, y - b as f32, 2.0 * a as f32, 2.0 * b as f32);
            if let Some(path) = oval.and_then(PathBuilder::from_oval) {
                canvas.fill_path(&path, &paint, FillRule::Winding, turn, None);
            }
        } else {
            let mut point = || {
                let (x, y) = (generator.uniform_in(-0.1, 1.1), generator.uniform_in(-0.1, 1.1));
                ((x * width as f64) as f32, (y * height as f64) as f32)
            };
            let ((cx, cy), (dx, dy)) = (point(), point());
            let mut builder = PathBuilder::new();
            builder.move_to(x, y);
            builder.quad_to(cx, cy, dx, dy);
            let stroke = Stroke { width: (generator.uniform_in(0.003, 0.03) * side) as f32, ..Stroke::default() };
            if let Some(path) = builder.finish() {
                canvas.stroke_path(&path, &paint, &stroke, Transform::identity(), None);
            }
        }
    }
    for (to, from) in scene.values_mut().chunks_exact_mut(3).zip(canvas.data().chunks_exact(4)) {
        for (value, &byte) in to.iter_mut().zip(from) {
            *value = f32::from(byte) / 255.0;
        }
    }
}

/// Bilinear enlargement, pixel centres aligned.
fn enlarge(scene: &Picture, width: usize, height: usize) -> Picture {
    let (w, h) = (scene.width(), scene.height());
    if (w, h) == (width, height) {
        return scene.clone();
    }
    let source = |i: usize, to: usize, from: usize| {
        let at = ((i as f32 + 0.5) * from as f32 / to as f32 - 0.5).clamp(0.0, (from - 1) as f32);
        let low = at as usize;
        (low, (low + 1).min(from - 1), at - low as f32)
    };
    let columns: Vec<_> = (0..width).map(|x| source(x, width, w)).collect();
    let pixels = scene.pixels();
    let mut large = Picture::filled(width, height, 0.0);
    for (y, row) in large.values_mut().chunks_exact_mut(3 * width).enumerate() {
        let (top, bottom, v) = source(y, height, h);
        for (pixel, &(left, right, u)) in row.chunks_exact_mut(3).zip(&columns) {
            for (k, value) in pixel.iter_mut().enumerate() {
                let at = |x: usize, y: usize| pixels[3 * (y * w + x) + k];
                let upper = at(left, top) * (1.0 - u) + at(right, top) * u;
                let lower = at(left, bottom) * (1.0 - u) + at(right, bottom) * u;
                *value = upper * (1.0 - v) + lower * v;
            }
        }
    }
    large
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_names_or_a_colour() {
        let parse = |text: &str| serde_json::from_str::<Background>(text);
        assert_eq!(parse("\"clutter\"").unwrap(), Background::Named(NamedBackground::Clutter));
        assert_eq!(parse("[1, 2, 255]").unwrap(), Background::Colour([1, 2, 255]));
        let message = parse("\"whte\"").unwrap_err().to_string();
        assert!(message.contains("\"white\"") && message.contains("0 to 255"), "{message}");
        assert!(parse("[1, 2, 256]").is_err());
    }

    #[test]
    fn clutter_depends_on_name_and_seed_alone() {
        let a = clutter(64, 48, 1, "a.png");
        assert_eq!((a.width(), a.height()), (64, 48));
        assert_eq!(a, clutter(64, 48, 1, "a.png"));
        assert_ne!(a, clutter(64, 48, 1, "b.png"));
        assert_ne!(a, clutter(64, 48, 2, "a.png"));
        assert!(a.pixels().iter().all(|v| (0.0..=1.0).contains(v)));
        let mean = a.pixels().iter().sum::<f32>() / a.pixels().len() as f32;
        let spread = a.pixels().iter().map(|v| (v - mean).powi(2)).sum::<f32>() / a.pixels().len() as f32;
        assert!(spread > 0.005, "a scene, not a plain colour: variance {spread}");
    }

    #[test]
    fn large_scenes_are_the_small_ones_enlarged() {
        let large = clutter(2048, 1024, 3, "x");
        let small = clutter(1024, 512, 3, "x");
        let mean = |p: &Picture| p.pixels().iter().sum::<f32>() / p.pixels().len() as f32;
        assert!((mean(&large) - mean(&small)).abs() < 1e-3);
        assert_eq!((large.width(), large.height()), (2048, 1024));
    }

    #[test]
    fn alpha_mixes_picture_and_backdrop() {
        let mut rgb = vec![0.2, 0.4, 0.6, 0.2, 0.4, 0.6, 0.2, 0.4, 0.6];
        let backdrop = Backdrop { background: Background::Colour([255, 0, 51]), ..Backdrop::default() };
        backdrop.composite(&mut rgb, &[1.0, 0.0, 0.5], 3, 1, "");
        let expected = [0.2, 0.4, 0.6, 1.0, 0.0, 0.2, 0.6, 0.2, 0.4];
        assert!(rgb.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{rgb:?}");
    }
}
