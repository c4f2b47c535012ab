//! What a backbone gives of a batch of images.

use mga_core::tape::Value;
use mga_core::{Error, Result};

use crate::stage::StageId;

/// Maps of the stages that were asked for, and what some networks give beside them. Attention and heads see all of it.
#[derive(Debug, Clone, Default)]
pub struct Features {
    /// The outputs of stages, `[N, C, h, w]` each, first stage to last.
    pub maps: Vec<(StageId, Value)>,
    /// The tokens that stand before those of the places, `[N, T, C]`, of a transformer that has some.
    pub prefix: Option<Value>,
    /// One vector an image, `[N, C]`, of a network that pools by itself.
    pub pooled: Option<Value>,
    /// The masks of the images, `[N, 1, H, W]` in 0 to 1, where the attention needs them.
    pub masks: Option<Value>,
}

impl Features {
    /// Returns the map of one stage alone.
    #[must_use]
    pub fn of(stage: StageId, map: Value) -> Self {
        Self { maps: vec![(stage, map)], ..Self::default() }
    }

    /// Returns the map of the last stage that was asked for, `[N, C, h, w]`.
    ///
    /// # Errors
    /// There is none.
    pub fn last(&self) -> Result<&Value> {
        self.maps.last().map(|(_, map)| map).ok_or_else(|| Error::shape("backbone", "it has no stages"))
    }

    /// Returns the map of a stage.
    ///
    /// # Errors
    /// The stage was not asked for.
    pub fn at(&self, stage: StageId) -> Result<&Value> {
        let found = self.maps.iter().find(|(known, _)| *known == stage).map(|(_, map)| map);
        found.ok_or_else(|| Error::shape("backbone", format!("stage {} was not asked for", stage.0)))
    }

    /// Returns the features with another map in place of the last.
    #[must_use]
    pub fn with_last(mut self, map: Value) -> Self {
        if let Some((_, last)) = self.maps.last_mut() {
            *last = map;
        }
        self
    }

    /// Returns the map of the last stage alone, and drops the rest.
    ///
    /// # Errors
    /// There is none.
    pub fn into_last(mut self) -> Result<Value> {
        self.maps.pop().map(|(_, map)| map).ok_or_else(|| Error::shape("backbone", "it has no stages"))
    }
}
