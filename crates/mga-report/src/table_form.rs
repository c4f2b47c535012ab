//! What was asked of the table of arms.

/// The form of the table of arms in Markdown and LaTeX.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableForm {
    /// The columns behind the arm's name, by metric or by name; empty: the usual ones.
    pub columns: Vec<String>,
    /// Whether the LaTeX table has to fit one column of a paper in two columns.
    pub narrow: bool,
}
