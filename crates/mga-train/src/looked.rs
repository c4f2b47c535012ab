//! The look at the files of a data set before training.

/// The result of a look at the data.
#[derive(Debug, Default)]
pub struct Looked {
    /// Kinds of mask file with their numbers, a line each.
    pub kinds: Vec<String>,
    /// The notes on what is worth a look, one line each.
    pub notes: Vec<String>,
}
