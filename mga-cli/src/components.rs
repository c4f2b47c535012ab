//! What the program was built with. A downstream crate adds its own components here and runs [`crate::run`].

use mga_data::registry::DatasetEntry;
use schemars::{Schema, json_schema};

/// A backbone as the experiment file and `mga list` know it.
#[derive(Debug, Clone)]
pub struct BackboneComponent {
    /// The name in `model.backbone`.
    pub name: String,
    /// One line for `mga list`.
    pub about: String,
    /// JSON schema of its own settings, the keys that stand beside `backbone` in `[model]`; `None`: it has none.
    pub schema: Option<Schema>,
    /// The stages that `model.freeze_through` can name, in order; empty: not checked while loading.
    pub stages: Vec<String>,
    /// The published weights that `model.weights` can name; empty: not checked while loading.
    pub weights: Vec<String>,
}

/// Every registered component.
#[derive(Clone)]
pub struct Components {
    /// Data sets, for `data.dataset`.
    pub datasets: Vec<DatasetEntry>,
    /// Backbones, for `model.backbone`.
    pub backbones: Vec<BackboneComponent>,
    /// JSON schema of one transform: a `oneOf` of tables by their `op`.
    pub transforms: Schema,
    /// What is wrong with a transform that fits the schema, such as a range the wrong way round.
    pub transform_problems: fn(&serde_json::Value) -> Vec<String>,
}

impl Components {
    /// The components of this workspace.
    #[must_use]
    pub fn builtin() -> Self {
        Self {
            datasets: mga_data::registry::builtin(),
            backbones: Vec::new(),
            transforms: json_schema!({
                "type": "object",
                "properties": { "op": { "type": "string", "description": "Name of the transform." } },
                "required": ["op"],
                "additionalProperties": true,
            }),
            transform_problems: |_| Vec::new(),
        }
    }

    /// Backbones that share their settings together: names, description, schema of the settings.
    pub(crate) fn backbones_by_settings(&self) -> Vec<(Vec<String>, String, Schema)> {
        let mut groups: Vec<(Vec<String>, String, Schema)> = Vec::new();
        for backbone in &self.backbones {
            let schema = backbone.schema.clone().unwrap_or_else(|| json_schema!({ "type": "object" }));
            match groups.iter_mut().find(|(_, _, other)| *other == schema) {
                Some((names, about, _)) => {
                    names.push(backbone.name.clone());
                    about.push_str("; ");
                    about.push_str(&backbone.about);
                }
                None => groups.push((vec![backbone.name.clone()], backbone.about.clone(), schema)),
            }
        }
        groups
    }
}
