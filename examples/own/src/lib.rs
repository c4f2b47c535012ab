//! Components of one's own for the `mga` program, which `main.rs` starts. One idea a file, to be read in this order:
//!
//! | file | what it adds | an experiment names it by |
//! | --- | --- | --- |
//! | `backbone.rs` | a network | `model.backbone` |
//! | `attention.rs` | features that count more inside the mask | `model.attention` |
//! | `head.rs` | a classifier on several stages | `model.head` |
//! | `segmenter.rs` | masks by a rule | `data.masks.source` |
//! | `dataset.rs` | images drawn by a rule | `data.dataset` |
//! | `mask_source.rs` | masks that are a disc in the middle | `data.masks.source` |
//! | `transform.rs` | two more views of an image, and a record of how they were made | `op` |
//! | `sampler.rs` | batches with support and query images | `sampler.name` |
//! | `optimiser.rs` | a rule that updates parameters | `optimiser.name` |
//! | `schedule.rs` | a shape of the learning rate over the epochs | `schedule.name` |
//! | `metric.rs` | a number that evaluations give | `eval.metric` |
//! | `objective.rs` | a loss of class scores | `objective.name` |
//! | `pixel_objective.rs` | a loss of segmentation | `objective.name` |
//! | `transport.rs` | a solver of optimal transport | `transport.name` |
//! | `teacher.rs` | an average of the weights, which is evaluated in their place | |
//! | `method.rs` | two updates a batch, and a head with a learning rate of its own | `method.name` |
//! | `class_means.rs` | classes told apart by the nearest mean | |
//! | `task.rs` | a task that trains nothing | `task` |
//! | `episodes_task.rs` | a task of two stages, with a table of its own | `task`, `[stages.NAME]`, `[support]` |
//! | `tracker.rs` | the numbers of a run as a CSV file | `trackers` |
//! | `search.rs` | draws in narrowing windows around the best one | `search`, of a sweep |
//! | `report_section.rs` | the training time of each arm, in reports | |
//! | `launcher.rs` | a shell script that starts the runs of a sweep | `launcher.name`, of a sweep |
//!
//! `experiments/` holds an experiment of the method, one of each task, one that names a component of nearly each kind
//! (`everything.toml`), and sweeps:
//!
//! ```sh
//! cargo run --release -p mga-own -- train examples/own/experiments/swapped-patches.toml
//! ```

pub mod attention;
pub mod backbone;
pub mod class_means;
pub mod dataset;
pub mod episodes_task;
pub mod head;
pub mod launcher;
pub mod mask_source;
pub mod method;
pub mod metric;
pub mod objective;
pub mod optimiser;
pub mod pixel_objective;
pub mod report_section;
pub mod sampler;
pub mod schedule;
pub mod search;
pub mod segmenter;
pub mod task;
pub mod teacher;
pub mod tracker;
pub mod transform;
pub mod transport;

use std::sync::Arc;

use mga_experiment::Components;
use mga_sweep::launchers::LauncherComponents;
use mga_train::TaskComponents;

/// Returns the components of mga, and those of this crate.
#[must_use]
pub fn components() -> Components {
    mga_cli::components()
        .with(backbone::entry())
        .with(attention::entry())
        .with(head::entry())
        .with(segmenter::entry())
        .with(dataset::entry())
        .with(mask_source::entry())
        .with(transform::entry())
        .with(sampler::entry())
        .with(optimiser::entry())
        .with(schedule::entry())
        .with(metric::entry())
        .with(objective::entry())
        .with(pixel_objective::entry())
        .with(transport::entry())
        .with(method::entry())
        .with_task(Arc::new(task::NearestMean))
        .with_task(Arc::new(episodes_task::EpisodesTask))
        .with(tracker::entry())
        .with(search::entry())
        .with(report_section::entry())
        .with_launcher(Arc::new(launcher::ShellScript))
}
