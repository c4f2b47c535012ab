//! Weight files: safetensors with torchvision's names, the authors' names, or our own.

mod load;
pub mod published;
mod rename;
mod save;

pub use load::{LoadReport, load_file, load_tensors};
pub use published::PublishedWeights;
pub use rename::{normalise, rename, rename_back};
pub use save::save_file;

/// Whether a tensor of a checkpoint belongs to the optimiser and not to the model.
pub fn is_optimiser_state(name: &str) -> bool {
    ["sgd.", "adamw."].iter().any(|prefix| name.starts_with(prefix))
}
