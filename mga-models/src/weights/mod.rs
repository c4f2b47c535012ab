//! Weight files: safetensors with torchvision's names, the authors' names, or our own.

mod convert;
mod export;
mod header;
mod load;
mod network;
mod pickle;
pub mod published;
mod rename;
mod save;

pub use convert::{Converted, convert, write_converted};
pub use export::{AttentionDescription, ModelDescription, Preprocessing, model_py, timm_name};
pub use header::{Header, TensorHeader};
pub use load::{LoadReport, Misfit, load_file, load_tensors};
pub use network::load_network;
pub use pickle::{Checkpoint, StoredTensor, read_checkpoint};
pub use published::PublishedWeights;
pub use rename::{normalise, rename, rename_back};
pub use save::save_file;

/// Whether a tensor of a checkpoint belongs to the optimiser and not to the model.
pub fn is_optimiser_state(name: &str) -> bool {
    ["sgd.", "adamw."].iter().any(|prefix| name.starts_with(prefix))
}
