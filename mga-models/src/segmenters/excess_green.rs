//! `excess-green`: plants by their colour (Woebbecke, Meyer, Von Bargen and Mortensen 1995, "Color indices for weed
//! identification under various soil, residue, and lighting conditions").

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

/// The entry of `excess-green` in the registry.
pub(super) fn entry() -> Entry<Segmenters> {
    let about = "excess green 2g - r - b (Woebbecke et al. 1995) above Otsu's or a fixed threshold; no weights";
    let rule = Arc::new(RegisteredSegmenter::Rule(Box::new(Registered)));
    Entry::<Segmenters>::new("excess-green", about, rule).with_settings(schemars::schema_for!(ExcessGreenSettings))
}

struct Registered;

impl RegisteredRule for Registered {
    fn build(&self, settings: OwnSettings<'_>) -> Result<Box<dyn Segmenter>> {
        Ok(Box::new(ExcessGreen(read_settings(settings)?)))
    }
}

/// Options of `excess-green`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExcessGreenSettings {
    /// Foreground is above this, in -1 to 2; left out: Otsu's threshold of each image.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -1.0, max = 2.0))]
    pub threshold: Option<f64>,
}

/// `2g - r - b` with `r = R / (R + G + B)` and so on, in -1 to 2; 0 for black and grey.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExcessGreen(pub ExcessGreenSettings);

impl Segmenter for ExcessGreen {
    fn masks(&self, images: &Tensor) -> Result<Tensor> {
        let value = |[r, g, b]: &[f64; 3]| {
            let sum = r + g + b;
            if sum > 0.0 { (2.0 * g - r - b) / sum } else { 0.0 }
        };
        each(images, |pixels| {
            let values: Vec<f64> = pixels.iter().map(value).collect();
            let threshold = self.0.threshold.or_else(|| otsu_threshold(&values, (-1.0, 2.0)));
            values.iter().map(|&value| threshold.is_some_and(|threshold| value > threshold)).collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    fn mask(threshold: Option<f64>, pixels: [[f32; 3]; 5]) -> Result<Vec<f32>> {
        let image = Tensor::new(&[pixels], &Device::Cpu)?.permute((0, 2, 1))?.unsqueeze(2)?.contiguous()?;
        Ok(ExcessGreen(ExcessGreenSettings { threshold }).masks(&image)?.flatten_all()?.to_vec1()?)
    }

    /// Excess green 2, (2 x 0.5 - 0.25 - 0.5) / 1.25 = 0.2, 0, 0 and -1.
    const PIXELS: [[f32; 3]; 5] = [[0.0, 0.5, 0.0], [0.25, 0.5, 0.5], [0.5; 3], [0.0; 3], [0.0, 0.0, 1.0]];

    #[test]
    fn a_fixed_threshold_by_hand() -> Result<()> {
        assert_eq!(mask(Some(0.19), PIXELS)?, [1.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(mask(Some(0.21), PIXELS)?, [1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(mask(Some(-0.5), PIXELS)?, [1.0, 1.0, 1.0, 1.0, 0.0]);
        Ok(())
    }

    #[test]
    fn otsus_threshold_is_each_images_own() -> Result<()> {
        // Means: 2 against (0.2 + 0 + 0 - 1) / 4 = -0.2, 4 x 1 x 2.2^2 = 19.4; behind -1 alone 0.55 against -1, 4 x 1.55^2
        // = 9.6; between 0 and 0.2, 1.1 against -1/3, 6 x 1.43^2 = 12.3. So the green pixel stands alone.
        assert_eq!(mask(None, PIXELS)?, [1.0, 0.0, 0.0, 0.0, 0.0]);
        assert_eq!(mask(None, [[0.5; 3]; 5])?, [0.0; 5]);
        Ok(())
    }
}
