//! Turning about the centre. Draws: the angle, always.

use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::operation::{Context, Operation, bad_interval, out_of_range};
use super::registered::Transforms;
use crate::picture::{Mask, Picture};

/// Angles to draw from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected an angle in degrees, or [from, to]")]
pub enum Degrees {
    /// From minus this to this.
    UpTo(#[schemars(range(min = 0.0, max = 180.0))] f64),
    /// From the first to the second.
    Between(#[schemars(inner(range(min = -360.0, max = 360.0)))] [f64; 2]),
}

impl Degrees {
    fn interval(self) -> [f64; 2] {
        match self {
            Self::UpTo(angle) => [-angle, angle],
            Self::Between(interval) => interval,
        }
    }
}

/// Turns image and mask counter-clockwise about their centre by an angle drawn uniformly, with bilinear interpolation;
/// the size stays. Corners that come in from outside are zero (after normalisation) in the image, or `fill`, and 0 in
/// the mask. A mask's pixel that any ignored one has a share in is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// `d` for -d to d, or `[from, to]`.
    pub degrees: Degrees,
    /// Colour of the corners, red, green and blue in 0 to 1; left out: zero after normalisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(inner(range(min = 0.0, max = 1.0)))]
    pub fill: Option<[f32; 3]>,
}

/// Returns `rotation` as it is registered.
pub(super) fn entry() -> Entry<Transforms> {
    Transforms::entry::<Rotation>("rotation", "Turns about the centre by a random angle.")
}

impl Operation for Rotation {
    fn apply(&self, picture: Picture, mask: Option<Mask>, context: &mut Context<'_>) -> (Picture, Option<Mask>) {
        let [low, high] = self.degrees.interval();
        let angle = context.generator.uniform_in(low, high).to_radians();
        if angle == 0.0 {
            return (picture, mask);
        }
        let (width, height) = (picture.width(), picture.height());
        let mut turned = Picture::filled(width, height, 0.0);
        turn(picture.pixels(), width, angle, self.fill.unwrap_or(context.fill), turned.values_mut());
        let mask = mask.map(|mask| {
            let mut turned = mask.blank(width, height);
            if mask.is_label_map() {
                turn_labels(&mask, angle, &mut turned);
            } else {
                turn(mask.values(), width, angle, [0.0], turned.values_mut());
            }
            turned
        });
        (turned, mask)
    }

    fn problems(&self) -> Vec<String> {
        let angles = match self.degrees {
            Degrees::UpTo(angle) => out_of_range("degrees", angle, 0.0, 180.0),
            Degrees::Between(interval) => bad_interval("degrees", interval, -360.0, 360.0),
        };
        let fill = self.fill.into_iter().flatten().find_map(|v| out_of_range("fill", f64::from(v), 0.0, 1.0));
        angles.into_iter().chain(fill).collect()
    }
}

/// The nearest pixel of a label map turned by `angle` radians, into `to`, which is blank.
fn turn_labels(from: &Mask, angle: f64, to: &mut Mask) {
    let (width, height) = (from.width(), from.height());
    let (centre_x, centre_y) = ((width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0);
    let (sin, cos) = angle.sin_cos();
    for (i, out) in to.values_mut().iter_mut().enumerate() {
        let (dx, dy) = ((i % width) as f64 - centre_x, (i / width) as f64 - centre_y);
        let (x, y) = ((cos * dx - sin * dy + centre_x).round(), (sin * dx + cos * dy + centre_y).round());
        if x >= 0.0 && x < width as f64 && y >= 0.0 && y < height as f64 {
            *out = from.values()[y as usize * width + x as usize];
        }
    }
}

/// Samples `from` (`[h, width, C]`) turned by `angle` radians into `to` of the same size.
fn turn<const C: usize>(from: &[f32], width: usize, angle: f64, fill: [f32; C], to: &mut [f32]) {
    let height = from.len() / (width * C);
    let (centre_x, centre_y) = ((width as f64 - 1.0) / 2.0, (height as f64 - 1.0) / 2.0);
    let (sin, cos) = angle.sin_cos();
    // Without this a turn by 90 degrees would blend in a trace of each neighbour.
    let snap = |v: f64| if (v - v.round()).abs() < 1e-6 { v.round() } else { v };
    for (i, out) in to.chunks_exact_mut(C).enumerate() {
        let (dx, dy) = ((i % width) as f64 - centre_x, (i / width) as f64 - centre_y);
        let x = snap(cos * dx - sin * dy + centre_x);
        let y = snap(sin * dx + cos * dy + centre_y);
        let mut sum = [0.0f64; C];
        for (row, weight_y) in [(y.floor(), 1.0 - (y - y.floor())), (y.floor() + 1.0, y - y.floor())] {
            for (column, weight_x) in [(x.floor(), 1.0 - (x - x.floor())), (x.floor() + 1.0, x - x.floor())] {
                let inside = row >= 0.0 && row < height as f64 && column >= 0.0 && column < width as f64;
                let weight = weight_x * weight_y;
                if inside && weight > 0.0 {
                    let start = (row as usize * width + column as usize) * C;
                    // Relative to the fill, so that what lies wholly outside is exactly the fill.
                    for c in 0..C {
                        sum[c] += weight * (f64::from(from[start + c]) - f64::from(fill[c]));
                    }
                }
            }
        }
        for c in 0..C {
            out[c] = (f64::from(fill[c]) + sum[c]) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn by(degrees: f64) -> Rotation {
        Rotation { degrees: Degrees::Between([degrees, degrees]), fill: None }
    }

    #[test]
    fn label_maps_are_turned_by_the_nearest_pixel() {
        let picture = Picture::filled(3, 3, 0.5);
        let map = Mask::label_map(3, 3, &[0, 1, 2, 3, 4, 5, 6, 7, 8]);
        // Counter-clockwise: the right column comes to the top.
        let (_, turned) = run(&by(90.0), (picture.clone(), map.clone()), 0);
        assert_eq!(turned.unwrap().values(), [2.0, 5.0, 8.0, 1.0, 4.0, 7.0, 0.0, 3.0, 6.0]);
        let (_, turned) = run(&by(45.0), (picture, map), 0);
        let turned = turned.unwrap();
        assert!(turned.values().iter().all(|&v| v == 255.0 || v.fract() == 0.0 && v < 9.0));
        assert_eq!((turned.values()[0], turned.values()[4]), (1.0, 4.0));
    }

    #[test]
    fn a_quarter_turn_is_counter_clockwise_and_exact() {
        let (picture, mask) = run(&by(90.0), coordinates(3, 3), 0);
        let at = |x, y| Some((x, y));
        let expected = [at(2, 0), at(2, 1), at(2, 2), at(1, 0), at(1, 1), at(1, 2), at(0, 0), at(0, 1), at(0, 2)];
        assert_eq!(origins(&picture), expected);
        assert!(aligned(&picture, &mask));
    }

    #[test]
    fn corners_from_outside_are_exactly_the_fill() {
        let (picture, mask) = run(&by(90.0), coordinates(4, 2), 0);
        assert_eq!(picture.pixels()[..3], FILL);
        assert_eq!(picture.pixels()[21..], FILL);
        assert!(aligned(&picture, &mask));
        let white = Rotation { fill: Some([1.0; 3]), ..by(90.0) };
        assert_eq!(run(&white, coordinates(4, 2), 0).0.pixels()[..3], [1.0; 3]);
    }

    #[test]
    fn between_pixels_it_interpolates() {
        // 45 degrees about the centre of 3 x 3: the corner looks up (1 - sqrt 2, 1), the left edge (1 - s, 1 - s).
        let mut mask = Mask::filled(3, 3, 0.0);
        mask.values_mut()[0] = 1.0;
        let (_, turned) = run(&by(45.0), (Picture::filled(3, 3, 0.5), Some(mask)), 0);
        let s = 0.5f64.sqrt();
        let expected = [0.0, 0.0, 0.0, (s * s) as f32, 0.0, 0.0, 0.0, 0.0, 0.0];
        let turned = turned.expect("a mask");
        for (got, want) in turned.values().iter().zip(expected) {
            assert!((got - want).abs() < 1e-6, "{:?}", turned.values());
        }
    }

    #[test]
    fn angles_cover_the_interval() {
        let op = Rotation { degrees: Degrees::UpTo(90.0), fill: None };
        let distinct: std::collections::BTreeSet<String> =
            (0..20).map(|seed| format!("{:?}", run(&op, coordinates(5, 5), seed).0.pixels())).collect();
        assert_eq!(distinct.len(), 20);
        assert_eq!(run(&by(0.0), coordinates(4, 3), 0), coordinates(4, 3));
    }
}
