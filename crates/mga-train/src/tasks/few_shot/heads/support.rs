//! The support images of an episode as classes: their labels, and their pooled means.

use mga_core::matching::class_means;
use mga_core::ops;
use mga_core::tape::{Tape, Value};

use super::super::head::Episode;

/// The class of each support image within the episode.
pub(super) fn support_labels(episode: &Episode<'_>) -> Vec<u32> {
    (0..episode.shot * episode.way).map(|at| (at % episode.way) as u32).collect()
}

/// Pooled features of the classes `[way, C]`, the means of their support images, and of the query images `[Q, C]`.
pub(super) fn pooled(tape: &mut Tape, episode: &Episode<'_>) -> mga_core::Result<(Value, Value)> {
    let mut vectors = |maps: &Value| {
        let pooled = ops::adaptive_avg_pool2d(tape, maps.clone(), (1, 1))?;
        ops::flatten(tape, pooled)
    };
    let (support, query) = (vectors(&episode.support)?, vectors(&episode.query)?);
    Ok((class_means(tape, support, &support_labels(episode), episode.way)?, query))
}
