//! The tensors of a checkpoint that are state of the optimiser.

/// Returns whether a tensor of a checkpoint belongs to the optimiser and not to the model.
pub fn is_optimiser_state(name: &str) -> bool {
    ["sgd.", "adamw.", "optimiser.", "method."].iter().any(|prefix| name.starts_with(prefix))
}
