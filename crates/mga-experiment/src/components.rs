//! The components that an experiment can name. A program is built with these components, and a downstream crate adds
//! its own.

use std::sync::Arc;

use mga_core::loss::{Objectives, PixelObjectives};
use mga_core::metrics::{Metrics, Predictions};
use mga_core::optim::{Optimisers, Schedules};
use mga_data::masks::{MadeOf, MaskSources};
use mga_data::registry::Datasets;
use mga_hub::Hub;
use mga_models::{Attentions, Backbones, Heads, Networks, RegisteredNetwork, Segmenters};
use mga_registry::{Condition, Entry, Kind};
use schemars::{Schema, json_schema};
use serde_json::{Map, Value};

use crate::hidden::hidden_settings;
use crate::problem::Problem;
use crate::settings::Experiment;
use crate::task::{Known, StageWork, TaskRules};

/// A table of the experiment, such as `[method]`, whose `name` is that of a registered component, and whose other keys are
/// the component's own settings; or a list, such as `trackers`, of names and such tables. An experiment without it has none
/// of the kind.
#[derive(Debug, Clone, Copy)]
pub struct TableKind {
    /// The table or list.
    pub table: &'static str,
    /// Whether it is a list.
    pub list: bool,
    /// A description in one sentence, for the schema.
    pub about: &'static str,
    /// The components and their settings.
    pub(crate) alternatives: fn(&mga_registry::Registry) -> Vec<Alternative>,
    /// Which settings of the component of that name count.
    conditions: fn(&mga_registry::Registry, &str) -> Vec<Condition>,
    /// What is wrong with the names of their settings.
    pub(crate) hidden: fn(&mga_registry::Registry) -> Vec<Problem>,
}

/// Names that share their settings, one line about them, and the schema of the settings.
pub(crate) type Alternative = (Vec<String>, String, Schema);

fn conditions<K: Kind>(registry: &mga_registry::Registry, name: &str) -> Vec<Condition> {
    registry.get::<K>(name).map_or_else(Vec::new, |entry| entry.conditions.clone())
}

/// Returns the components of a kind, each with its settings.
pub(crate) fn alternatives<K: Kind>(registry: &mga_registry::Registry) -> Vec<Alternative> {
    let none = || json_schema!({ "type": "object" });
    let settings = |entry: &Entry<K>| entry.schema.clone().unwrap_or_else(none);
    registry.all::<K>().iter().map(|entry| (vec![entry.name.clone()], entry.about.clone(), settings(entry))).collect()
}

/// Every registered component.
#[derive(Clone)]
pub struct Components {
    /// The tasks that `task` can name: the part of each task that the experiment file depends on.
    pub tasks: Vec<Arc<dyn TaskRules>>,
    /// Components of every kind, each kind defined by the crate that acts on it.
    pub kinds: mga_registry::Registry,
    /// Tables of the experiment that name a component of such a kind.
    pub tables: Vec<TableKind>,
    /// The hub that weights and data sets are downloaded from, with its cache.
    pub hub: Hub,
}

impl Components {
    /// Returns the backbones, segmenters, data sets and transforms of this workspace, and no task: those are registered by
    /// the crate that runs them. Weights and data sets are downloaded through `hub`.
    #[must_use]
    pub fn without_tasks(hub: Hub) -> Self {
        let kinds = mga_core::register(mga_models::register(mga_data::registry::builtin()));
        Self { tasks: Vec::new(), kinds, tables: Vec::new(), hub }
    }

    /// Returns the names that tasks need to know of the components.
    #[must_use]
    pub fn known(&self) -> Known<'_> {
        Known { kinds: &self.kinds }
    }

    /// Returns the backbones, segmenters and published weights.
    #[must_use]
    pub fn networks(&self) -> Networks<'_> {
        Networks::of(&self.kinds)
    }

    /// Returns the rules of the task of that name, on which the experiment file depends.
    #[must_use]
    pub fn task(&self, name: &str) -> Option<&dyn TaskRules> {
        self.tasks.iter().find(|task| task.name() == name).map(AsRef::as_ref)
    }

    /// Returns the metrics that are computed in the evaluations of a task, in the order of registration.
    pub fn metrics_of(&self, task: &dyn TaskRules) -> impl Iterator<Item = &Entry<Metrics>> {
        let predictions = task.predictions();
        self.kinds.all::<Metrics>().iter().filter(move |metric| metric.item.predictions() == predictions)
    }

    /// Returns what the evaluations of the task of that name predict; of an unknown one, class scores.
    #[must_use]
    pub fn predictions(&self, task: &str) -> Predictions {
        self.task(task).map_or(Predictions::Scores, TaskRules::predictions)
    }

    /// Returns what is done in the stage that this is the experiment of; without stages a model is fitted.
    #[must_use]
    pub fn work(&self, experiment: &Experiment) -> StageWork {
        let stages = self.task(&experiment.task).map(TaskRules::stages).unwrap_or_default();
        let stage = stages.iter().find(|stage| Some(stage.name) == experiment.stage());
        stage.map_or(StageWork::Fit, |stage| stage.work)
    }

    /// Returns the components with a table of the experiment that names a component of kind `K`; see [`TableKind`].
    #[must_use]
    pub fn with_table<K: Kind>(self, about: &'static str) -> Self {
        self.with_kind::<K>(about, false)
    }

    /// Returns the components with a list of the experiment that names components of kind `K`; see [`TableKind`].
    #[must_use]
    pub fn with_list<K: Kind>(self, about: &'static str) -> Self {
        self.with_kind::<K>(about, true)
    }

    fn with_kind<K: Kind>(mut self, about: &'static str, list: bool) -> Self {
        let table = K::KEY.split('.').next().unwrap_or(K::KEY);
        self.tables.retain(|known| known.table != table);
        self.tables.push(TableKind {
            table,
            list,
            about,
            alternatives: alternatives::<K>,
            conditions: conditions::<K>,
            hidden: |kinds| hidden_settings(kinds.all::<K>(), &["name"]),
        });
        self
    }

    /// Returns the components with one more component of any kind, such as a data set or a method. A component of the
    /// same name is replaced.
    #[must_use]
    pub fn with<K: Kind>(mut self, entry: Entry<K>) -> Self {
        self.kinds.add(entry);
        self
    }

    /// Returns what masks of the source of that name are made of, where it is registered or a segmenter. A data set's own
    /// masks, which hide a source of the same name, are not asked.
    #[must_use]
    pub fn masks_made_of(&self, source: &str) -> Option<MadeOf> {
        let registered = self.kinds.get::<MaskSources>(source).map(|entry| entry.item.made_of());
        let segmenter = || self.networks().is_segmenter(source);
        registered.or_else(|| segmenter().then_some(MadeOf::Segmenter))
    }

    /// Returns when settings count that are a component's own, of all components that the experiment names: the table that
    /// the settings stand in, all of them, and the condition.
    pub(crate) fn conditions<'a>(
        &self,
        experiment: &'a Experiment,
    ) -> Vec<(&'static str, &'a Map<String, Value>, Condition)> {
        let data = &experiment.data;
        let of_data = conditions::<Datasets>(&self.kinds, &data.dataset).into_iter();
        let mut all: Vec<_> = of_data.map(|condition| ("data", &data.settings, condition)).collect();
        let model = &experiment.model;
        let of_model = conditions::<Backbones>(&self.kinds, &model.backbone).into_iter();
        all.extend(of_model.map(|condition| ("model", &model.settings, condition)));
        let of_attention = conditions::<Attentions>(&self.kinds, &model.attention.name).into_iter();
        all.extend(of_attention.map(|condition| ("model.attention", &model.attention.settings, condition)));
        if let Some(head) = &model.head {
            let of_head = conditions::<Heads>(&self.kinds, &head.name).into_iter();
            all.extend(of_head.map(|condition| ("model.head", &head.settings, condition)));
        }
        let Experiment { objective, optimiser, schedule, .. } = experiment;
        let of_loss = match self.predictions(&experiment.task) {
            Predictions::LabelMaps => conditions::<PixelObjectives>(&self.kinds, &objective.name),
            Predictions::Scores | Predictions::Task(_) => conditions::<Objectives>(&self.kinds, &objective.name),
        };
        all.extend(of_loss.into_iter().map(|condition| ("objective", &objective.settings, condition)));
        let of_optimiser = conditions::<Optimisers>(&self.kinds, &optimiser.name).into_iter();
        all.extend(of_optimiser.map(|condition| ("optimiser", &optimiser.settings, condition)));
        let of_schedule = conditions::<Schedules>(&self.kinds, &schedule.name).into_iter();
        all.extend(of_schedule.map(|condition| ("schedule", &schedule.settings, condition)));
        let reference = experiment.eval.reference_masks.as_ref().map(|masks| ("eval.reference_masks", masks));
        let reference = reference.map(|(at, masks)| (at, "eval.reference_masks.of", masks));
        for (at, at_of, masks) in [("data.masks", "data.masks.of", &data.masks)].into_iter().chain(reference) {
            let of_source = conditions::<MaskSources>(&self.kinds, masks.settings.source_name().unwrap_or_default());
            all.extend(of_source.into_iter().map(|condition| (at, &masks.settings.own, condition)));
            if let Some(of) = &masks.settings.of {
                let of_source = conditions::<MaskSources>(&self.kinds, &of.name);
                all.extend(of_source.into_iter().map(|condition| (at_of, &of.settings, condition)));
            }
        }
        for kind in &self.tables {
            let Some((name, table)) = experiment.named(kind.table) else { continue };
            let Some(settings) = table.as_object() else { continue };
            let own = (kind.conditions)(&self.kinds, name).into_iter();
            all.extend(own.map(|condition| (kind.table, settings, condition)));
        }
        all
    }

    /// Returns the components in offline mode, in which no connection is opened.
    #[must_use]
    pub fn offline(mut self) -> Self {
        self.hub = self.hub.offline();
        self
    }

    /// Losses that `objective.name` can name: those of class scores, and those of pixels. Two of one name are one alternative
    /// with the settings of both; the task tells which is meant, and it refuses the settings of the other.
    pub(crate) fn objectives(&self) -> Vec<Alternative> {
        let mut all = alternatives::<Objectives>(&self.kinds);
        for (names, about, schema) in alternatives::<PixelObjectives>(&self.kinds) {
            let about = format!("Segmentation: {about}");
            let Some((_, other_about, other)) = all.iter_mut().find(|(others, ..)| *others == names) else {
                all.push((names, about, schema));
                continue;
            };
            other_about.push(' ');
            other_about.push_str(&about);
            let more = schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
            let own = other.ensure_object().entry("properties").or_insert_with(|| Value::Object(Map::new()));
            for (key, value) in more {
                own.as_object_mut().map(|own| own.entry(key).or_insert(value));
            }
        }
        all
    }

    /// Networks that `model.backbone` can name, those that share their settings together: names, description, schema of the
    /// settings. Backbones come first.
    pub(crate) fn networks_by_settings(&self) -> Vec<Alternative> {
        let mut groups = by_settings(self.kinds.all::<Backbones>().iter());
        let alone = |entry: &&Entry<Segmenters>| self.kinds.get::<Backbones>(&entry.name).is_none();
        groups.extend(by_settings(self.trained_networks().map(|(entry, _)| entry).filter(alone)));
        groups
    }

    /// Iterates over the segmentation networks that `model.backbone` can name with task = "segmentation".
    pub fn trained_networks(&self) -> impl Iterator<Item = (&Entry<Segmenters>, &dyn RegisteredNetwork)> {
        self.networks().networks().filter(|(_, network)| network.trainable())
    }
}

/// Components that share their settings together.
fn by_settings<'a, K: Kind>(entries: impl Iterator<Item = &'a Entry<K>>) -> Vec<Alternative> {
    let mut groups: Vec<Alternative> = Vec::new();
    for entry in entries {
        let schema = entry.schema.clone().unwrap_or_else(|| json_schema!({ "type": "object" }));
        match groups.iter_mut().find(|(_, _, other)| *other == schema) {
            Some((names, about, _)) => {
                names.push(entry.name.clone());
                about.push_str("; ");
                about.push_str(&entry.about);
            }
            None => groups.push((vec![entry.name.clone()], entry.about.clone(), schema)),
        }
    }
    groups
}

/// The components of this workspace without its tasks, for the tests.
#[cfg(test)]
pub(crate) fn bare() -> Components {
    Components::without_tasks(Hub::new(mga_hub::Settings::from_env(), Arc::new(mga_hub::Silent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backbones_of_equal_settings_share_an_alternative() {
        let own = json_schema!({ "type": "object", "properties": { "growth": { "type": "integer" } } });
        let conv4 = bare().kinds.get::<Backbones>("conv4").unwrap().clone();
        let named = |name: &str| Entry::<Backbones> { name: name.to_owned(), ..conv4.clone() };
        let kinds = bare().kinds.without::<Backbones>();
        let kinds = kinds.with(named("a")).with(named("b").with_settings(own)).with(named("c"));
        let groups = Components { kinds, ..bare() }.networks_by_settings();
        let names: Vec<String> = groups.iter().map(|(names, ..)| names.join(" ")).collect();
        assert_eq!(names[..2], ["a c", "b"]);
        assert!(names[2].split(' ').any(|name| name == "unet_small"), "{names:?}");
    }

    #[test]
    fn conditions_of_every_component_that_is_named_are_asked() {
        const NEVER: Condition = Condition { key: "own", holds: |_| false, by: "other", words: "another" };
        fn conditional<K: Kind>(components: Components, name: &str) -> Components {
            let entry = components.kinds.get::<K>(name).unwrap().clone().with_conditions(&[NEVER]);
            components.with(entry)
        }
        let minimal = serde_json::json!({ "data": { "dataset": "leaves" }, "model": { "backbone": "conv4" } });
        let mut experiment: Experiment = serde_json::from_value(minimal).unwrap();
        experiment.model.attention = "residual".into();
        experiment.model.head = Some("cosine".into());
        let components = conditional::<Attentions>(bare(), "residual");
        let components = conditional::<Heads>(components, "cosine");
        let components = conditional::<Objectives>(components, &experiment.objective.name);
        let components = conditional::<Optimisers>(components, &experiment.optimiser.name);
        let components = conditional::<Schedules>(components, &experiment.schedule.name);
        let asked = components.conditions(&experiment);
        let asked: Vec<_> = asked.iter().filter(|(.., own)| own.key == "own").map(|(table, ..)| *table).collect();
        assert_eq!(asked, ["model.attention", "model.head", "objective", "optimiser", "schedule"]);
    }
}
