//! `otsu`: foreground by brightness or colourfulness, the threshold found for each image (N. Otsu 1979).

use std::sync::Arc;

use candle_core::Tensor;
use mga_core::Result;
use mga_registry::{Entry, OwnSettings};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::each_pixel::each;
use super::histogram::otsu_threshold;
use super::registered::{RegisteredRule, RegisteredSegmenter, Segmenters};
use crate::segmenter::Segmenter;
use crate::settings::read_settings;

/// The entry of `otsu` in the registry.
pub(super) fn entry() -> Entry<Segmenters> {
    let about = "Otsu's threshold (1979) of luminance or saturation, for each image; no weights";
    let rule = Arc::new(RegisteredSegmenter::Rule(Box::new(Registered)));
    Entry::<Segmenters>::new("otsu", about, rule).with_settings(schemars::schema_for!(OtsuSettings))
}

struct Registered;

impl RegisteredRule for Registered {
    fn build(&self, settings: OwnSettings<'_>) -> Result<Box<dyn Segmenter>> {
        Ok(Box::new(Otsu(read_settings(settings)?)))
    }
}

/// Options of `otsu`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OtsuSettings {
    /// What is compared with the threshold.
    pub of: Channel,
    /// Which side of the threshold is foreground.
    pub foreground: Side,
}

/// What is compared with the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).
    #[default]
    Luminance,
    /// (max - min) / max of R, G and B, as in HSV; 0 for black.
    Saturation,
}

/// A side of the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// What is brighter or more colourful.
    #[default]
    Above,
    /// What is darker or less colourful.
    Below,
}

/// Otsu's threshold. An image of a single level has no foreground.
#[derive(Debug, Clone, Copy, Default)]
pub struct Otsu(pub OtsuSettings);

impl Segmenter for Otsu {
    fn masks(&self, images: &Tensor) -> Result<Tensor> {
        let value = |[r, g, b]: &[f64; 3]| match self.0.of {
            Channel::Luminance => 0.299 * r + 0.587 * g + 0.114 * b,
            Channel::Saturation => {
                let (most, least) = (r.max(*g).max(*b), r.min(*g).min(*b));
                if most > 0.0 { (most - least) / most } else { 0.0 }
            }
        };
        each(images, |pixels| {
            let values: Vec<f64> = pixels.iter().map(value).collect();
            let Some(threshold) = otsu_threshold(&values, (0.0, 1.0)) else { return vec![false; values.len()] };
            values.iter().map(|&value| (value > threshold) == (self.0.foreground == Side::Above)).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    /// The masks of two images of one row of four pixels.
    fn masks(settings: OtsuSettings, pixels: [[[f32; 3]; 4]; 2]) -> Result<Vec<f32>> {
        let images = Tensor::new(&pixels, &Device::Cpu)?.permute((0, 2, 1))?.unsqueeze(2)?.contiguous()?;
        let masks = Otsu(settings).masks(&images)?;
        assert_eq!(masks.dims(), [2, 1, 1, 4]);
        Ok(masks.flatten_all()?.to_vec1()?)
    }

    #[test]
    fn each_image_has_a_threshold_of_its_own() -> Result<()> {
        // Luminances 0.1, 0.2, 0.8, 0.9, and 0.1, 0.1, 0.1, 0.3.
        let grey = |v: f32| [v; 3];
        let pixels = [[0.1, 0.2, 0.8, 0.9].map(grey), [0.1, 0.1, 0.1, 0.3].map(grey)];
        let above = masks(OtsuSettings::default(), pixels)?;
        assert_eq!(above, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0]);
        let below = masks(OtsuSettings { foreground: Side::Below, ..Default::default() }, pixels)?;
        assert!(above.iter().zip(below).all(|(a, b)| a + b == 1.0));
        Ok(())
    }

    #[test]
    fn luminance_weighs_green_most_and_saturation_ignores_brightness() -> Result<()> {
        // Luminances 0.114, 0.299, 0.587, 0.114: the third stands apart. Saturations 1, 1, 1, 0.
        let blue_red_green_grey = [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.114; 3]];
        // Saturations 0.5, 0.5, 0 and 0, dark and bright.
        let pairs = [[0.2, 0.1, 0.2], [1.0, 0.5, 0.75], [0.1; 3], [1.0; 3]];
        let pixels = [blue_red_green_grey, pairs];
        assert_eq!(masks(OtsuSettings::default(), pixels)?[..4], [0.0, 0.0, 1.0, 0.0]);
        let saturated = OtsuSettings { of: Channel::Saturation, ..Default::default() };
        assert_eq!(masks(saturated, pixels)?, [1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0]);
        Ok(())
    }

    #[test]
    fn an_image_of_one_level_has_no_foreground_and_options_are_checked() -> Result<()> {
        for foreground in [Side::Above, Side::Below] {
            let settings = OtsuSettings { foreground, ..Default::default() };
            assert_eq!(masks(settings, [[[0.5; 3]; 4]; 2])?, [0.0; 8]);
        }
        let build = |options: &serde_json::Value| {
            Registered.build(OwnSettings::new("data.masks.segmenter.options", options.as_object().unwrap()))
        };
        let built = build(&serde_json::json!({ "of": "saturation", "foreground": "below" }));
        assert!(built.is_ok());
        let error = build(&serde_json::json!({ "off": "hue" })).err().unwrap().to_string();
        assert!(error.starts_with("data.masks.segmenter.options.off: unknown field"), "{error}");
        Ok(())
    }
}
