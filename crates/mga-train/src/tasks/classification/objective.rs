//! The loss of a classifier's scores, with what all objectives share.

use std::sync::Arc;

use mga_core::loss::{ClassObjective, Shared};
use mga_experiment::{ExperimentError, Loaded};

/// Returns the loss that `[objective]` names; `class_weights` are those of the classes, `None`: all the same.
///
/// # Errors
/// Settings that it refuses, at the place where they were written.
pub(super) fn objective_of(
    loaded: &Loaded,
    class_weights: Option<Vec<f64>>,
) -> Result<Arc<ClassObjective>, ExperimentError> {
    let settings = &loaded.experiment.objective;
    let loss = settings.loss(&loaded.kinds).map_err(|error| loaded.error_in("objective", error))?;
    let shared = Shared { label_smoothing: settings.label_smoothing, class_weights };
    Ok(Arc::new(ClassObjective { loss, shared }))
}
