//! Colour jitter, of the image alone. Draws, always all: the order of the four changes (three draws), then the factors
//! of brightness, contrast, saturation and hue.

use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::operation::{Context, Operation, out_of_range};
use super::registered::Transforms;
use crate::picture::{Mask, Picture};

/// Changes brightness, contrast, saturation and hue in a random order, in torchvision's meaning. A strength of 0 leaves
/// that property alone.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ColourJitter {
    /// The picture is multiplied by a factor from `max(0, 1 - brightness)` to `1 + brightness`.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub brightness: f64,
    /// The distance to the mean grey is multiplied by a factor from `max(0, 1 - contrast)` to `1 + contrast`.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub contrast: f64,
    /// The distance to each pixel's grey is multiplied by a factor from `max(0, 1 - saturation)` to `1 + saturation`.
    #[schemars(range(min = 0.0, max = 10.0))]
    pub saturation: f64,
    /// The hue is turned by `-hue` to `hue` of a full circle.
    #[schemars(range(min = 0.0, max = 0.5))]
    pub hue: f64,
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Brightness,
    Contrast,
    Saturation,
    Hue,
}

/// Returns `colour-jitter` as it is registered.
pub(super) fn entry() -> Entry<Transforms> {
    Transforms::entry::<ColourJitter>(
        "colour-jitter",
        "Changes brightness, contrast, saturation and hue of the image; the mask stays.",
    )
}

impl Operation for ColourJitter {
    fn apply(&self, mut picture: Picture, mask: Option<Mask>, context: &mut Context<'_>) -> (Picture, Option<Mask>) {
        let mut order = [Change::Brightness, Change::Contrast, Change::Saturation, Change::Hue];
        context.generator.shuffle(&mut order);
        let mut factor = |strength: f64| context.generator.uniform_in((1.0 - strength).max(0.0), 1.0 + strength) as f32;
        let brightness = factor(self.brightness);
        let contrast = factor(self.contrast);
        let saturation = factor(self.saturation);
        let hue = context.generator.uniform_in(-self.hue, self.hue) as f32;
        let values = picture.values_mut();
        for change in order {
            match change {
                Change::Brightness if self.brightness > 0.0 => blend(values, brightness, |_| 0.0),
                Change::Contrast if self.contrast > 0.0 => {
                    let sum: f64 = values.chunks_exact(3).map(|p| f64::from(grey(p))).sum();
                    let mean = (sum / (values.len() / 3) as f64) as f32;
                    blend(values, contrast, |_| mean);
                }
                Change::Saturation if self.saturation > 0.0 => blend(values, saturation, grey),
                Change::Hue if self.hue > 0.0 => turn_hue(values, hue),
                _ => {}
            }
        }
        (picture, mask)
    }

    fn problems(&self) -> Vec<String> {
        [
            out_of_range("brightness", self.brightness, 0.0, 10.0),
            out_of_range("contrast", self.contrast, 0.0, 10.0),
            out_of_range("saturation", self.saturation, 0.0, 10.0),
            out_of_range("hue", self.hue, 0.0, 0.5),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Luma with torchvision's weights.
fn grey(pixel: &[f32]) -> f32 {
    0.2989 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]
}

/// `factor * pixel + (1 - factor) * other`, clamped to `0..=1`.
fn blend(values: &mut [f32], factor: f32, other: impl Fn(&[f32]) -> f32) {
    for pixel in values.chunks_exact_mut(3) {
        let base = (1.0 - factor) * other(pixel);
        pixel.iter_mut().for_each(|v| *v = (factor * *v + base).clamp(0.0, 1.0));
    }
}

/// Turns the hue of every pixel by `turn` of a circle, through hue, saturation and value.
fn turn_hue(values: &mut [f32], turn: f32) {
    for pixel in values.chunks_exact_mut(3) {
        let (r, g, b) = (pixel[0], pixel[1], pixel[2]);
        let value = r.max(g).max(b);
        let chroma = value - r.min(g).min(b);
        if chroma <= 0.0 {
            continue;
        }
        let sixth = if value == r {
            (g - b) / chroma
        } else if value == g {
            (b - r) / chroma + 2.0
        } else {
            (r - g) / chroma + 4.0
        };
        let hue = (sixth / 6.0 + turn).rem_euclid(1.0) * 6.0;
        for (channel, offset) in pixel.iter_mut().zip([5.0, 3.0, 1.0]) {
            let k = (offset + hue) % 6.0;
            *channel = value - chroma * k.min(4.0 - k).clamp(0.0, 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn close(a: &[f32], b: &[f32]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5)
    }

    #[test]
    fn each_change_by_hand() {
        let mut values = [0.2, 0.4, 0.8, 0.6, 0.6, 0.6];
        blend(&mut values, 1.5, |_| 0.0);
        assert!(close(&values, &[0.3, 0.6, 1.0, 0.9, 0.9, 0.9]), "{values:?}");
        let mut values = [1.0, 0.0, 0.0];
        blend(&mut values, 0.0, grey);
        assert!(close(&values, &[0.2989; 3]), "{values:?}");
    }

    #[test]
    fn the_hue_circle_is_red_green_blue() {
        for (turn, expected) in [
            (1.0 / 3.0, [0.0, 1.0, 0.0]),
            (-1.0 / 3.0, [0.0, 0.0, 1.0]),
            (0.5, [0.0, 1.0, 1.0]),
            (1.0 / 6.0, [1.0, 1.0, 0.0]),
            (0.0, [1.0, 0.0, 0.0]),
        ] {
            let mut values = [1.0, 0.0, 0.0];
            turn_hue(&mut values, turn);
            assert!(close(&values, &expected), "{turn}: {values:?}");
        }
        let mut values = [0.2, 0.7, 0.4, 0.9, 0.3, 0.1, 0.5, 0.5, 0.5];
        let before = values;
        turn_hue(&mut values, 0.37);
        turn_hue(&mut values, -0.37);
        assert!(close(&values, &before), "{values:?}");
    }

    #[test]
    fn only_what_is_asked_changes_and_never_the_mask() {
        let input = coordinates(4, 3);
        assert_eq!(run(&ColourJitter::default(), input.clone(), 5), input);
        let (picture, mask) = run(&ColourJitter { brightness: 0.5, ..Default::default() }, input.clone(), 5);
        assert_eq!(mask, input.1);
        let factor = picture.pixels()[2] / 0.5;
        assert!((0.5..=1.5).contains(&factor) && (factor - 1.0).abs() > 1e-3);
        for (new, old) in picture.pixels().iter().zip(input.0.pixels()) {
            assert!((new - factor * old).abs() < 1e-6);
        }
    }

    #[test]
    fn contrast_keeps_the_mean_grey_and_values_stay_in_range() {
        let flat = (Picture::filled(3, 3, 0.25), None);
        let (picture, _) = run(&ColourJitter { contrast: 0.9, ..Default::default() }, flat, 1);
        // The three luma weights add up to 0.9999, as torchvision's do.
        assert!(picture.pixels().iter().all(|v| (v - 0.25).abs() < 1e-4));
        let strong = ColourJitter { brightness: 5.0, contrast: 5.0, saturation: 5.0, hue: 0.5 };
        for seed in 0..30 {
            let (picture, _) = run(&strong, coordinates(9, 9), seed);
            assert!(picture.pixels().iter().all(|v| (0.0..=1.0).contains(v)));
        }
    }
}
