//! Transforms that another crate registers.

use std::sync::Arc;

use mga_registry::Kind;
use serde_json::Value;

use super::operation::Operation;
use crate::error::Result;

/// The kind of component that `op` names in a list of transforms, beside those of this crate.
#[derive(Debug)]
pub struct Transforms;

impl Kind for Transforms {
    type Item = dyn RegisteredTransform;
    const TITLE: &'static str = "transforms";
    const KEY: &'static str = "op";
}

/// A transform that is registered by its name; the schema of its settings, a table without `op`, is that of its entry.
pub trait RegisteredTransform: Send + Sync {
    /// Builds the transform from its table, which fits the schema.
    ///
    /// # Errors
    /// Settings that cannot be read.
    fn build(&self, settings: &Value) -> Result<Arc<dyn Operation>>;
}
