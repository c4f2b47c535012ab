//! PyTorch's zip checkpoints, read without running anything in them.
//!
//! A checkpoint is a pickle: a program for a stack machine that may call any Python function. The machine here knows
//! tensors and plain values only: the few functions that `torch.save` calls for them are recognised by name and done in
//! Rust, and every other name ends the reading with an error that says it. Nothing the file says sizes an allocation
//! before it was held against the length of the file.
//!
//! candle's own reader (`candle_core::pickle`) does not do for files of unknown origin: it keeps calls of any function as
//! values, passes over what it does not understand, reads no strided tensors, and shares no bound on sizes.

mod archive;
mod globals;
mod machine;
mod object;
mod state_dict;
mod tensor;

use std::path::Path;

use mga_core::{Error, Result};

pub use state_dict::Checkpoint;
pub use tensor::StoredTensor;

/// Reads the state dict of a checkpoint: the tensors that lie in it directly, or below `net`, `state_dict`, `params`,
/// `model` and their like.
///
/// # Errors
/// With the reason: no zip checkpoint (a legacy one is named as such), a truncated or inconsistent file, a name other than
/// those of tensors and plain values, no state dict.
pub fn read_checkpoint(path: &Path) -> Result<Checkpoint> {
    let told = |error: Error| match error {
        Error::Weights(what) => Error::Weights(format!("{}: {what}", path.display())),
        other => other,
    };
    read(path).map_err(told)
}

fn read(path: &Path) -> Result<Checkpoint> {
    let mut archive = archive::Archive::open(path)?;
    let pickle = archive.pickle()?;
    let (heap, root) = machine::run(&pickle)?;
    let state = state_dict::find(&heap, root)?;
    tensor::read_all(&mut archive, state)
}

/// A file that is refused, and why.
fn refused(why: impl Into<String>) -> Error {
    Error::Weights(why.into())
}
