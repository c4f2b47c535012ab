//! Transforms as a kind of component.

use std::marker::PhantomData;
use std::sync::Arc;

use mga_registry::{Entry, Kind};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::operation::Operation;
use crate::error::{Error, Result};

/// The kind of component that `op` names in a list of transforms.
#[derive(Debug)]
pub struct Transforms;

impl Kind for Transforms {
    type Item = dyn RegisteredTransform;
    const TITLE: &'static str = "transforms";
    const KEY: &'static str = "op";
}

impl Transforms {
    /// Returns the entry of a transform whose settings, the keys beside `op`, are the fields of `T`.
    #[must_use]
    pub fn entry<T>(name: &str, about: &str) -> Entry<Self>
    where
        T: Operation + DeserializeOwned + JsonSchema + 'static,
    {
        Entry::new(name, about, Arc::new(Settings::<T>(PhantomData)) as Arc<dyn RegisteredTransform>)
            .with_settings(schemars::schema_for!(T))
    }
}

/// A transform that is registered by its name; the schema of its settings, a table without `op`, is that of its entry.
pub trait RegisteredTransform: Send + Sync {
    /// Builds the transform from its table, which fits the schema.
    ///
    /// # Errors
    /// Settings that cannot be read.
    fn build(&self, settings: &Value) -> Result<Arc<dyn Operation>>;
}

/// A transform that is the struct of its settings.
struct Settings<T>(PhantomData<fn() -> T>);

impl<T: Operation + DeserializeOwned + 'static> RegisteredTransform for Settings<T> {
    fn build(&self, settings: &Value) -> Result<Arc<dyn Operation>> {
        let read = serde_json::from_value::<T>(settings.clone());
        Ok(Arc::new(read.map_err(|error| Error::settings(error.to_string()))?))
    }
}
