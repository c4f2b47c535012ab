//! The JSON schema of the sweep file.

use mga_experiment::{document_schema, embed_choice};
use mga_registry::Entry;
use serde_json::Value;

use super::file::SweepFile;
use crate::launchers::{Launchers, embed};
use crate::search::Searches;

/// Returns the JSON schema of the sweep file, with the settings of these launchers and searches.
#[must_use]
pub fn sweep_schema(launchers: &[Entry<Launchers>], searches: &[Entry<Searches>]) -> Value {
    let mut schema = document_schema::<SweepFile>("mga sweep");
    embed(&mut schema, launchers);
    embed_choice(&mut schema, "search", searches);
    schema
}
