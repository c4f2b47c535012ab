//! The error of a checkpoint that cannot be read.

use mga_core::Error;

/// A file that is refused, and why.
pub(super) fn refused(why: impl Into<String>) -> Error {
    Error::Weights(why.into())
}
