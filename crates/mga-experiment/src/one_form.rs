//! One form of equal settings: a component that is named beside its settings is written without those that have its
//! defaults, so that `{ name = "residual", map = "mga" }` is `"residual"`, as older releases wrote it.

use mga_data::masks::MaskSources;
use mga_models::{Attentions, Heads, Networks};
use mga_registry::{Choice, Kind, Registry, same_value};

use super::settings::Experiment;

/// Brings the components that the experiment names beside their settings to that form.
pub(super) fn bring(experiment: &mut Experiment, kinds: &Registry) {
    let model = &mut experiment.model;
    shorten::<Attentions>(&mut model.attention, kinds);
    let own = Networks::of(kinds).backbone(&model.backbone).map(|backbone| backbone.head());
    if let Some(head) = &mut model.head {
        match own.filter(|own| own.name == head.name) {
            None => shorten::<Heads>(head, kinds),
            // The backbone gives its head settings, which are what leaving them out gives.
            Some(own) => {
                let defaults = |key: &str| -> Option<serde_json::Value> {
                    let schema = kinds.get::<Heads>(&own.name)?.schema.as_ref()?;
                    own.settings.get(key).or_else(|| schema.get("properties")?.get(key)?.get("default")).cloned()
                };
                head.settings.retain(|key, value| !defaults(key).is_some_and(|default| same_value(&default, value)));
                if head.settings.is_empty() {
                    model.head = None;
                }
            }
        }
    }
    let reference = experiment.eval.reference_masks.as_mut();
    for masks in [Some(&mut experiment.data.masks), reference].into_iter().flatten() {
        if let Some(of) = &mut masks.settings.of {
            shorten::<MaskSources>(of, kinds);
        }
    }
}

fn shorten<K: Kind>(choice: &mut Choice, kinds: &Registry) {
    if let Some(entry) = kinds.get::<K>(&choice.name) {
        choice.settings = entry.without_defaults(&choice.settings);
    }
}
