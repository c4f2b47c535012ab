//! What an experiment says of its data before they are opened.

use super::settings::Experiment;

/// Data sets that bring no validation images of their own. Of the others that is known only once they are opened:
/// there the runner asks [`super::Loaded::check_validation`].
pub(super) const WITHOUT_VALIDATION: [&str; 5] = ["mganet", "cifar10", "mnist", "fashion-mnist", "leaves"];

/// Whether the experiment takes validation images from train.
pub(super) fn takes_validation(experiment: &Experiment) -> bool {
    experiment.data.validation.takes_images()
}

/// Whether there may be validation images, as far as that is known before the data set is open.
pub(super) fn may_have_validation(experiment: &Experiment) -> bool {
    takes_validation(experiment) || !WITHOUT_VALIDATION.contains(&experiment.data.dataset.as_str())
}

/// Whether the data set lies in files below `data.root`.
pub(super) fn reads_files(experiment: &Experiment) -> bool {
    experiment.data.dataset != "leaves"
}
