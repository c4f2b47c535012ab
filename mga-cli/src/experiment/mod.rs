//! The experiment file: settings, loading, checking and the schema.

mod consistency;
mod data;
mod evaluation;
mod extends;
mod key_path;
mod layer;
mod load;
mod merge;
mod model;
mod nearest;
mod objective;
mod optimiser;
mod problem;
mod schedule;
mod schema;
mod schema_reading;
mod segmenter;
mod settings;
mod training;
mod validate;
mod wording;

pub use data::{Data, EmptyMask, EvalData, Masks, MissingMask, OnError, TestSplit, TrainData, Validation};
pub use evaluation::{Evaluation, Metric, SelectOn};
pub use key_path::{KeyPath, Segment};
pub use load::{Loaded, Overrides, load};
pub use model::{Attention, Input, Model};
pub use nearest::nearest;
pub use objective::Objective;
pub use optimiser::{AdamW, Optimiser, Sgd, UpdateRule};
pub use problem::{ExperimentError, Place, Problem, Severity, SourceFile};
pub use schedule::{Polynomial, Schedule, Shape, Step};
pub use schema::{experiment_schema, schema_of};
pub use segmenter::{ClassName, SegmenterSettings};
pub use settings::{Experiment, Task};
pub use training::Training;
