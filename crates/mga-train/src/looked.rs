//! What is said of the files of a data set before it is trained on.

/// What was found.
#[derive(Debug, Default)]
pub struct Looked {
    /// Kinds of mask file with their numbers, a line each.
    pub kinds: Vec<String>,
    /// What is worth a look, a line each.
    pub notes: Vec<String>,
}
