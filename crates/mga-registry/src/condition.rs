//! Settings of a component that count only beside certain values of others.

use serde_json::{Map, Value};

/// The condition under which a setting of a component has an effect. A setting without effect is reported.
#[derive(Debug, Clone, Copy)]
pub struct Condition {
    /// The setting: a key beside the component's name.
    pub key: &'static str,
    /// Whether it counts beside these settings of the component.
    pub holds: fn(&Map<String, Value>) -> bool,
    /// The setting that decides: a key beside the component's name.
    pub by: &'static str,
    /// The condition in words, after "counts only with": `data.background = "clutter"`.
    pub words: &'static str,
}
