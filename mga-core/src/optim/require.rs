//! Settings out of range, refused by name.

use crate::error::{Error, Result};

/// An error that names the setting unless `holds` (which is false for NaN where it compares).
pub(super) fn require(holds: bool, key: &str, expected: &str, found: f64) -> Result<()> {
    if holds && found.is_finite() {
        return Ok(());
    }
    Err(Error::setting(key, format!("expected {expected}, found {found}")))
}
