//! PyTorch's checkpoints, of every age since 2017, read without running anything in them.
//!
//! A checkpoint is a pickle: a program for a stack machine that may call any Python function. The machine here knows
//! tensors and plain values only: the few functions that `torch.save` calls for them are recognised by name and done in
//! Rust. What others would build is left out and named, and a name that runs programs ends the reading. Nothing the file
//! says sizes an allocation before it was held against the length of the file.
//!
//! candle's own reader (`candle_core::pickle`) does not do for files of unknown origin: it keeps calls of any function as
//! values, passes over what it does not understand, reads no strided tensors, and shares no bound on sizes.

mod archive;
mod calls;
mod container;
mod globals;
mod labels;
mod legacy;
mod machine;
mod object;
mod refusal;
mod state_dict;
mod tensor;

use std::path::Path;

use mga_core::{Error, Result};

pub use tensor::StoredTensor;
pub(super) use tensor::is_float;

/// The state dict of a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The tensors, in the order of the file.
    pub tensors: Vec<(String, StoredTensor)>,
    /// The keys below which they lay, from the outside: `["net"]`.
    pub below: Vec<String>,
    /// The other entries of the checkpoint, with their kind: `epoch (an integer)`, `best_acc1 (a tensor)`.
    pub left_out: Vec<String>,
    /// Notes on other weights in the file, and how to select them.
    pub notes: Vec<String>,
}

/// Reads the state dict of a checkpoint: the tensors that lie in it directly, below `state_dict`, `model`, `net` and their
/// like, or below the only other key that has weights; or those that lie below `key`, `ema.state_dict` for example.
///
/// # Errors
/// With the reason: no checkpoint, a truncated or inconsistent file, a name that runs programs, no state dict, several of
/// which none is the likeliest, a tensor whose numbers cannot be taken as they are (quantised, sparse).
pub fn read_checkpoint(path: &Path, key: Option<&str>) -> Result<Checkpoint> {
    let told = |error: Error| match error {
        Error::Weights(what) => Error::Weights(format!("{}: {what}", path.display())),
        other => other,
    };
    read(path, key).map_err(told)
}

fn read(path: &Path, key: Option<&str>) -> Result<Checkpoint> {
    let (mut file, built) = container::Container::open(path)?;
    let found = state_dict::find(&built.heap, built.root, key)?;
    drop(built);
    let tensors = tensor::read_all(&mut file, &found.views)?;
    Ok(Checkpoint { tensors, below: found.below, left_out: found.left_out, notes: found.notes })
}
