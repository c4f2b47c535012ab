//! Weight files: safetensors with torchvision's names, the authors' names, or our own.

mod content;
mod convert;
mod export;
mod file_format;
mod header;
mod load;
mod network;
mod optimiser_state;
mod pickle;
pub mod published;
mod read;
mod rename;
mod save;

pub use content::check_content;
pub use convert::{Converted, convert, write_converted};
pub use export::{AttentionDescription, ComponentSettings, ModelDescription, Preprocessing, model_py};
pub use header::{Header, TensorHeader};
pub use load::{LoadReport, Misfit, load_file, load_file_for_other_head, load_tensors};
pub use network::load_network;
pub use optimiser_state::is_optimiser_state;
pub use pickle::{Checkpoint, StoredTensor, read_checkpoint};
pub use published::{PublishedWeights, Weights};
pub use rename::{normalise, ours, rename, rename_back};
pub use save::save_file;

/// Explains why the file at `path`, which should be safetensors, cannot be read, and what to do about it. `error` is
/// the reader's error.
pub fn not_safetensors(path: &std::path::Path, error: &dyn std::fmt::Display) -> String {
    file_format::not_safetensors(path, error)
}
