//! The components of this workspace, with its tasks.

use std::sync::Arc;

use mga_core::transport::TransportSolvers;
use mga_data::sampler::Samplers;
use mga_experiment::Components;
use mga_hub::{Hub, Settings, Silent};

use crate::methods::{self, Methods};
use crate::tasks::{self, TaskComponents};
use crate::trackers::{self, Trackers};

/// Returns all components of this workspace. What they download goes unshown.
#[must_use]
pub fn builtin() -> Components {
    components(Hub::new(Settings::from_env(), Arc::new(Silent)))
}

/// Returns all components of this workspace; weights and data sets are downloaded through `hub`.
#[must_use]
pub fn components(hub: Hub) -> Components {
    let mut components = Components::without_tasks(hub);
    methods::builtin().into_iter().for_each(|method| components.kinds.add(method));
    let about = "How the classifier is trained; left out: by mask guided attention where model.mask_guidance says so.";
    components = components.with_table::<Methods>(about);
    components = components.with_table::<Samplers>("Which images make a batch; left out: each once an epoch.");
    let about = "How optimal transport between the nodes of two images is solved; left out: exactly.";
    components = components.with_table::<TransportSolvers>(about);
    trackers::builtin().into_iter().for_each(|tracker| components.kinds.add(tracker));
    let about = "What hears of the numbers beside metrics.jsonl, each a name or a table with settings; left out: tensorboard. \
                 They change no number.";
    components = components.with_list::<Trackers>(about);
    components = tasks::few_shot::register(components);
    tasks::builtin().into_iter().fold(components, Components::with_task)
}
