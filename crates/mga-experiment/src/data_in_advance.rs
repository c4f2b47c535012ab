//! The parts of an experiment's data that are known before they are opened.

use mga_data::registry::{Datasets, OfferedMasks, RegisteredDataset, Root};

use super::settings::Experiment;
use crate::Components;

/// Whether the experiment takes validation images from train.
pub(super) fn takes_validation(experiment: &Experiment) -> bool {
    experiment.data.validation.takes_images()
}

/// Whether there may be validation images. Whether there are is known once the data set is open: then the runner asks
/// [`super::Loaded::check_validation`].
pub(super) fn may_have_validation(experiment: &Experiment, components: &Components) -> bool {
    let held_out = experiment.data.class_split.as_ref().is_some_and(|split| split.validation.is_some());
    held_out
        || takes_validation(experiment)
        || dataset(experiment, components).is_none_or(RegisteredDataset::may_have_validation)
}

/// Whether the data set reads files below `data.root`.
pub(super) fn reads_root(experiment: &Experiment, components: &Components) -> bool {
    dataset(experiment, components).is_none_or(|dataset| dataset.root() != Root::Unused)
}

/// The masks of that name that the data set may bring.
pub(super) fn offered_masks(experiment: &Experiment, components: &Components, name: &str) -> Option<OfferedMasks> {
    dataset(experiment, components)?.masks().iter().find(|masks| masks.name == name).copied()
}

fn dataset<'a>(experiment: &Experiment, components: &'a Components) -> Option<&'a dyn RegisteredDataset> {
    components.kinds.get::<Datasets>(&experiment.data.dataset).map(|entry| entry.item.as_ref())
}
