//! The JSON schema of the sweep file.

use mga_experiment::document_schema;
use mga_registry::Entry;
use serde_json::Value;

use super::file::SweepFile;
use crate::launchers::{Launchers, embed};

/// Returns the JSON schema of the sweep file, with the settings of these launchers.
#[must_use]
pub fn sweep_schema(launchers: &[Entry<Launchers>]) -> Value {
    let mut schema = document_schema::<SweepFile>("mga sweep");
    embed(&mut schema, launchers);
    schema
}
