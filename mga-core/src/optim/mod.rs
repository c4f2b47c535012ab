//! Optimisers, learning rate schedules, and what is done to gradients before a step.
//!
//! ```text
//! gradients of micro-batches -> accumulate -> clip_norm -> Optimiser::step(factor of the schedule)
//! ```

mod accumulate;
mod adamw;
mod builtin;
mod clip;
mod optimiser;
mod parameters;
mod require;
mod rule;
mod schedule;
mod settings;
mod sgd;
mod shape;
mod shapes;

pub use accumulate::accumulate;
pub use adamw::AdamWSettings;
pub use builtin::{optimisers, schedules};
pub use clip::clip_norm;
pub use optimiser::Optimiser;
pub use parameters::{Move, OptimisedParameters, Slots};
pub use rule::{Optimisers, UpdateRule};
pub use schedule::{Position, Schedule, ScheduleSettings};
pub use settings::OptimiserSettings;
pub use sgd::SgdSettings;
pub use shape::{Behind, ScheduleShape, Schedules};
pub use shapes::{PolynomialSettings, StepSettings};
