//! `[train]`: the training loop.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The training loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Training {
    /// Batches whose gradients are averaged into one step; batch norms see one batch at a time.
    #[schemars(range(min = 1))]
    pub accumulate: usize,
    /// Gradients longer than this (2-norm over all tensors) are scaled down to it; 0: off.
    #[schemars(range(min = 0.0))]
    pub clip_norm: f64,
    /// Epochs without improvement after which training ends; 0: off.
    pub early_stopping: usize,
    /// Compute parts of the forward pass again on the way back instead of keeping them: less memory for some more time,
    /// and the same numbers. It applies to DenseNets.
    pub recompute: bool,
    /// Steps between two checkpoints; 0: one at the end of each epoch.
    pub checkpoint_every: usize,
    /// Steps between two lines of `metrics.jsonl` on steps; 0: only lines on epochs and evaluations.
    pub log_every: usize,
}

impl Default for Training {
    fn default() -> Self {
        Self { accumulate: 1, clip_norm: 0.0, early_stopping: 0, recompute: false, checkpoint_every: 0, log_every: 10 }
    }
}
