//! Tasks: what a model can learn, each a plugin of its own.
//!
//! The order of a run is the same for all ([`crate::runners`]): a [`Task`] opens the data of an experiment, the open data
//! ([`TaskData`]) build a model with its loss and evaluation ([`Job`]), and the job is trained, evaluated and reported on.
//! To add a task, write its file and a line in [`builtin`]; no code outside its folder names one.

mod class_weights;
pub mod classification;
mod extracted;
pub mod few_shot;
mod job;
mod labelled;
mod measured;
mod previous;
mod registered;
pub mod segmentation;
mod task;

use std::sync::Arc;

pub use class_weights::label_counts;
pub use extracted::Extracted;
pub(crate) use extracted::read_extracted;
pub use job::{Closing, Job};
pub use labelled::{BuildJob, Labelled};
pub use measured::{Measured, described};
pub use previous::Previous;
pub use registered::{TaskComponents, Tasks};
pub use task::{Purpose, Task, TaskData};

/// Returns the tasks of this workspace.
#[must_use]
pub fn builtin() -> Vec<Arc<dyn Task>> {
    vec![Arc::new(classification::Classification), Arc::new(segmentation::Segmentation), Arc::new(few_shot::FewShot)]
}
