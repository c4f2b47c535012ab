//! Segmenters as mask sources, by one adaptor.

use std::sync::Arc;

use mga_core::error::InvalidSetting;
use mga_data::dataset::Dataset;
use mga_data::error::{Error, Result};
use mga_data::masks::{CachedMasks, MadeOf, MaskSettings, MaskSources, MaskSupply, RegisteredMaskSource};
use mga_experiment::{Components, Masks, SegmenterSettings};
use mga_models::Segmenters;
use mga_registry::{Entry, Registry};

use super::maker::{Maker, cache_folder};
use crate::assemble::device_called;

/// Returns the registered mask sources, and each segmenter as one more, set up as the table of masks says and run on the
/// device of that name.
#[must_use]
pub fn with_segmenters(components: &Components, masks: &Masks, device: &str) -> Registry {
    let mut registry = components.kinds.clone();
    for Entry { name, about, .. } in components.kinds.all::<Segmenters>() {
        // A source that was registered under the name stays.
        if registry.get::<MaskSources>(name).is_none() {
            let (name, settings, device) = (name.clone(), masks.segmenter.clone(), device.to_owned());
            let source = SegmenterSource { name: name.clone(), settings, components: components.clone(), device };
            registry.add(Entry::<MaskSources>::new(name, about.clone(), Arc::new(source)));
        }
    }
    registry
}

struct SegmenterSource {
    name: String,
    settings: Option<SegmenterSettings>,
    components: Components,
    device: String,
}

impl RegisteredMaskSource for SegmenterSource {
    fn made_of(&self) -> MadeOf {
        MadeOf::Segmenter
    }

    fn supply(&self, _: &MaskSettings, _: &dyn Dataset) -> Result<Option<Arc<dyn MaskSupply>>> {
        let key = if self.settings.is_some() { "data.masks.segmenter" } else { "data.masks.source" };
        let failed = |error: anyhow::Error| match error.downcast_ref::<InvalidSetting>() {
            Some(fault) => fault.clone().into(),
            None => Error::setting(key, format!("{error:#}")),
        };
        let settings = self.settings.clone().unwrap_or_default();
        let device = device_called(&self.device).map_err(|why| Error::setting("device", why))?;
        let maker = Maker::open(&self.name, &settings, &self.components, &device).map_err(failed)?;
        Ok(Some(Arc::new(CachedMasks::new(Arc::new(maker), &cache_folder(&settings)))))
    }
}
