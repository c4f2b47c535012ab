//! Tables that can be sorted and filtered on the page.

use askama::Template;

use crate::text_table::mean_first;

/// The head of a column.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The title.
    pub title: String,
    /// Whether it is of numbers, which stand to the right and are sorted as numbers.
    pub number: bool,
}

/// What a cell shows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shown {
    Text(String),
    /// A number that is the best of its column, and what stands behind it.
    Best {
        whole: String,
        mean: String,
        rest: String,
    },
    /// A key, in the letters of code.
    Code(String),
    /// Text in the colour of what is better or worse, by its class.
    Toned {
        text: String,
        tone: &'static str,
    },
    /// An arm with its colour, what it is, and the marks of its flags as links.
    Arm {
        index: usize,
        name: String,
        tags: Vec<&'static str>,
        marks: Vec<String>,
    },
    /// A run's folder, and what is amiss in it.
    Folder {
        key: String,
        error: Option<String>,
        notes: Vec<String>,
    },
}

/// A cell: what is shown, and what it is sorted by.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    shown: Shown,
    key: String,
}

/// A table with a field to filter it. The heads are buttons; the script sorts.
#[derive(Debug, Clone, PartialEq, Template)]
#[template(path = "html/table.html")]
pub struct Table {
    /// The label of the table, for readers who cannot see its place.
    pub label: String,
    /// The id on the page, such as `arms`: letters and dashes. No other table or section has it.
    pub id: &'static str,
    /// The heads of the columns.
    pub heads: Vec<Head>,
    /// The rows: a cell for each column.
    pub rows: Vec<Vec<Cell>>,
    /// The name of the rows, such as `arms`.
    pub rows_are: &'static str,
}

impl Head {
    /// Returns the head of a column of words.
    #[must_use]
    pub fn words(title: &str) -> Self {
        Self { title: title.to_owned(), number: false }
    }

    /// Returns the head of a column of numbers.
    #[must_use]
    pub fn number(title: impl Into<String>) -> Self {
        Self { title: title.into(), number: true }
    }
}

impl Cell {
    /// Returns text, sorted as it reads.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::sorted(Shown::Text(text.to_owned()), text)
    }

    /// Returns the name of an arm with its colour; `index` is its place in `Report::arms`.
    #[must_use]
    pub fn arm(index: usize, name: &str) -> Self {
        Self::sorted(Shown::Arm { index, name: name.to_owned(), tags: vec![], marks: vec![] }, name)
    }

    /// The cell as plain text.
    pub(crate) fn plain(&self) -> &str {
        match &self.shown {
            Shown::Text(text) | Shown::Code(text) | Shown::Toned { text, .. } => text,
            Shown::Best { whole, .. } => whole,
            Shown::Arm { name, .. } => name,
            Shown::Folder { key, .. } => key,
        }
    }

    /// What is shown, and the text it is sorted by.
    pub(super) fn sorted(shown: Shown, key: &str) -> Self {
        Self { shown, key: key.to_owned() }
    }

    /// The same cell, with what it begins with marked as the best of its column.
    pub(super) fn best(self) -> Self {
        let whole = self.plain().to_owned();
        let (mean, rest) = mean_first(&whole);
        let (mean, rest) = (mean.to_owned(), rest.to_owned());
        Self { shown: Shown::Best { whole, mean, rest }, key: self.key }
    }

    /// Returns a number as it is shown, sorted by its value; one that is missing comes last.
    #[must_use]
    pub fn number(shown: &str, value: Option<f64>) -> Self {
        let key = value.filter(|value| value.is_finite()).map(|value| value.to_string());
        Self { shown: Shown::Text(shown.to_owned()), key: key.unwrap_or_default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_in_cells_is_text() {
        let table = Table {
            label: "\"><script>".to_owned(),
            id: "arms",
            heads: vec![Head::words("<b>"), Head::number("x")],
            rows: vec![
                vec![Cell::text("<script>\"'"), Cell::number("1.5", Some(1.5))],
                vec![Cell::text("best"), Cell::number("2.5 ± 0.1", Some(2.5)).best()],
            ],
            rows_are: "arms",
        };
        let text = table.render().unwrap();
        assert!(!text.contains("<script") && !text.contains("<b>"));
        assert!(text.contains("data-key=\"&#60;script&#62;&#34;&#39;\"") && text.contains("data-key=\"1.5\">1.5</td>"));
        assert!(text.contains("data-key=\"2.5\"><strong>2.5</strong> ± 0.1</td>"), "{text}");
        assert_eq!(Cell::number("1.5 ± 0.2", Some(1.5)).best().plain(), "1.5 ± 0.2");
        assert!(text.contains("aria-sort=\"none\"") && text.contains("2 arms"));
    }
}
