//! A mask source: a disc in the middle of every image. Controls can be made of it: `source = "inverted", of = "disc"`.

use std::sync::Arc;

use mga_data::dataset::Origin;
use mga_data::masks::{MadeOf, MaskSettings, MaskSources, MaskSupply, RegisteredMaskSource};
use mga_data::{Dataset, Mask, Picture, Result};
use mga_registry::{Entry, OwnSettings};
use schemars::JsonSchema;
use serde::Deserialize;

const NAME: &str = "disc";

/// Returns the mask source that an experiment selects with `data.masks.source = "disc"`.
pub fn entry() -> Entry<MaskSources> {
    let about = "a disc in the middle of the image";
    Entry::<MaskSources>::new(NAME, about, Arc::new(Disc)).with_settings(schemars::schema_for!(DiscSettings))
}

/// The settings, which stand beside `source` in `[data.masks]`.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct DiscSettings {
    /// Radius, as a share of the shorter side.
    #[schemars(range(min = 0.0, max = 1.0))]
    radius: f64,
}

impl Default for DiscSettings {
    fn default() -> Self {
        Self { radius: 0.35 }
    }
}

struct Disc;

impl RegisteredMaskSource for Disc {
    fn made_of(&self) -> MadeOf {
        MadeOf::Rule
    }

    fn supply(&self, settings: &MaskSettings, _: &dyn Dataset) -> Result<Option<Arc<dyn MaskSupply>>> {
        let settings: DiscSettings = OwnSettings::new("data.masks", &settings.own).read()?;
        Ok(Some(Arc::new(Discs(settings))))
    }
}

/// The masks of all images.
struct Discs(DiscSettings);

impl MaskSupply for Discs {
    fn name(&self) -> &'static str {
        NAME
    }

    fn has(&self, _: usize) -> bool {
        true
    }

    /// All that a mask depends on beside its image.
    fn origin(&self, _: usize) -> Origin {
        Origin::Rule(format!("disc 1: radius {}", self.0.radius))
    }

    fn mask(&self, index: usize, dataset: &dyn Dataset, picture: Option<&Picture>) -> Result<Option<Mask>> {
        let (width, height) = match picture {
            Some(picture) => (picture.width(), picture.height()),
            None => dataset.image(index).map(|picture| (picture.width(), picture.height()))?,
        };
        let radius = self.0.radius * width.min(height) as f64;
        let mut mask = Mask::filled(width, height, 0.0);
        for (at, value) in mask.values_mut().iter_mut().enumerate() {
            let along = |at: usize, side: usize| at as f64 + 0.5 - side as f64 / 2.0;
            if along(at % width, width).hypot(along(at / width, height)) <= radius {
                *value = 1.0;
            }
        }
        Ok(Some(mask))
    }
}
