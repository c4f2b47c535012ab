//! The experiment file: settings, loading, checking and the schema.
//!
//! Settings that another crate acts on are that crate's types, with their bounds and defaults.

mod assigned;
mod check;
mod collected;
mod components;
mod consistency;
mod data;
mod data_in_advance;
mod defaults;
mod document;
mod effects;
mod evaluation;
mod extends;
mod hidden;
mod idle;
mod key_path;
mod layer;
mod leftovers;
mod load;
mod loaded;
mod marked;
mod mask_effects;
mod mask_schema;
mod merge;
mod model;
mod objective;
mod older;
mod one_form;
mod overrides;
mod problem;
mod reading;
mod registration;
mod resolved;
mod schema;
mod schema_closing;
mod schema_reading;
mod schema_tables;
mod segmenter;
mod settings;
mod sources;
mod stages;
mod stages_schema;
mod task;
mod training;
mod validate;
mod weight_file;
mod wording;

pub use mga_core::metrics::{Better, Metric, Metrics, Predictions, Unit};
pub use mga_core::optim::{
    AdamWSettings, OptimiserSettings, PolynomialSettings, ScheduleSettings, SgdSettings, StepSettings,
};
pub use mga_data::loader::OnError;
pub use mga_data::masks::{EmptyMask, MaskReading, MaskSettings, MissingMask};
pub use mga_data::split::{TestSettings, ValidationSettings};
pub use mga_models::Input;
pub use mga_registry::{nearest, schema_of};

pub use assigned::{Assignment, setting_path};
pub use check::Check;
pub use collected::collected_base;
pub use components::{Components, TableKind};
pub use data::{Data, EvalData, Masks, TrainData, Verify};
pub use defaults::{Defaults, resolved_header};
pub use document::Document;
pub use evaluation::{Evaluation, SelectOn};
pub use hidden::hidden_settings;
pub use idle::Idle;
pub use key_path::{KeyPath, Segment};
pub use layer::ENVIRONMENT_PREFIX;
pub use load::{load, load_assigned, load_text};
pub use loaded::Loaded;
pub use marked::marked_settings;
pub use model::Model;
pub use objective::{ByCount, ClassWeights, Objective};
pub use older::{OLDER_RELEASES, without_later_settings};
pub use overrides::Overrides;
pub use problem::{ExperimentError, Place, Problem, Severity, SourceFile};
pub use resolved::{last_stage, stage_experiments};
pub use schema::{document_schema, experiment_schema};
pub use schema_tables::embed_choice;
pub use segmenter::{ClassName, SegmenterSettings};
pub use settings::Experiment;
pub use task::{Known, NetworkKind, OwnTable, StageRules, StageWork, TaskRules};
pub use training::Training;
pub use weight_file::{BEST, EXPERIMENT, LAST, MODEL, PREVIOUS, default_name, weight_file};
