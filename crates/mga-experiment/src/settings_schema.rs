//! The JSON schema of a settings struct by itself.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

/// The schema of a settings struct, as registries keep it.
#[must_use]
pub fn schema_of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft07().into_generator().into_root_schema_for::<T>()
}
