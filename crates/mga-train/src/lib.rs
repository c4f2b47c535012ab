//! Trains, evaluates and applies what an experiment declares: the `mga` program as a library.
//!
//! [`check`], [`train`] and [`evaluate`] take a loaded experiment and the components it can name ([`builtin`]); [`Run`] puts
//! them together for a few lines of code, as `examples/train_folder.rs` shows.
//!
//! The library prints nothing, sets no signal handler and no global thread pool: a program listens with a
//! [`Listener`](progress::Listener), ends a run through an [`Interrupt`](interrupt::Interrupt), and takes notes that belong
//! to no run from the `log` crate.

#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod assemble;
pub mod checkpoint;
mod components;
pub mod csv_file;
pub mod data_set;
pub mod deletion;
pub mod described_model;
pub mod environment;
pub mod file_hashes;
pub mod fingerprint;
pub mod folder_lock;
pub mod gallery;
pub mod identity;
pub mod image_files;
pub mod interrupt;
pub mod loaders;
pub mod looked;
pub mod mask_coverage;
pub mod mask_files;
pub mod mask_sources;
pub mod mask_survey;
pub mod methods;
pub mod metrics_log;
pub mod network_input;
pub mod open_data;
pub mod pictures;
pub mod prediction;
pub mod preprocessing;
pub mod progress;
pub mod rehearsal;
pub mod remembered;
mod run;
pub mod run_folder;
pub mod runners;
pub mod segmenting;
pub mod stage_place;
pub mod tasks;
pub mod torn_groups;
pub mod trackers;
pub mod verification;
pub mod weights_config;
pub mod weights_file;
pub mod weights_folder;
pub mod weights_source;
pub mod world;

pub use components::{builtin, components};
pub use run::Run;
pub use runners::check::check;
pub use runners::evaluate::{EvaluatedSplit, Weights, evaluate};
pub use runners::train::{Trained, train, train_in};
pub use tasks::{TaskComponents, Tasks};
