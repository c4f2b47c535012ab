//! Results of runs, read from their folders (`docs/runs.md`): the folders are the truth, and nothing else is asked.
//!
//! [`read`] takes sweep folders, folders of runs and single runs alike. It is tolerant of folders that are half finished,
//! failed or not runs at all, and never silent about them: a run that cannot be read in full is still a [`Record`], with
//! [`Record::notes`]; a folder that is no run is a [`Note`].

mod arms;
mod cell;
mod confusion;
mod curves;
mod data_check;
mod json_file;
mod logits;
mod predictions;
mod read;
mod record;
mod search;
mod summary;
mod trials;

pub use arms::derive_cells;
pub use cell::Cell;
pub use confusion::Confusion;
pub use curves::{Curves, Line};
pub use data_check::{DATA_CHECK, DataCheck};
pub use logits::Logits;
pub use mga_sweep::RunState;
pub use predictions::{Prediction, Predictions};
pub use read::{Note, Results, read};
pub use record::{NO_IDENTITY, Record, TrainingLog, flatten};
pub use search::SearchSpace;
pub use summary::{Evaluation, Summary};
pub use trials::Trials;
