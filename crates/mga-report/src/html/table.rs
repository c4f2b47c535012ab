//! Tables that can be sorted and filtered.

use askama::Template;

/// A column's head.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    pub(super) title: String,
    /// Whether it is of numbers, which stand to the right and are sorted as numbers.
    pub(super) number: bool,
}

/// What a cell shows.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shown {
    Text(String),
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
pub(super) struct Cell {
    shown: Shown,
    key: String,
}

/// A table with a field to filter it. The heads are buttons; the script sorts.
#[derive(Debug, Clone, PartialEq, Template)]
#[template(path = "html/table.html")]
pub(super) struct Table {
    /// What it is, for those who cannot see where it stands.
    pub(super) label: String,
    /// Its id, `arms`.
    pub(super) id: &'static str,
    pub(super) heads: Vec<Head>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// What its rows are called: `arms`.
    pub(super) rows_are: &'static str,
}

impl Head {
    pub(super) fn words(title: &str) -> Self {
        Self { title: title.to_owned(), number: false }
    }

    pub(super) fn number(title: impl Into<String>) -> Self {
        Self { title: title.into(), number: true }
    }
}

impl Cell {
    /// Foreign text, sorted as it reads.
    pub(super) fn text(text: &str) -> Self {
        Self::sorted(Shown::Text(text.to_owned()), text)
    }

    /// What is shown, and the text it is sorted by.
    pub(super) fn sorted(shown: Shown, key: &str) -> Self {
        Self { shown, key: key.to_owned() }
    }

    /// A number as it is shown, and its value; one that is missing comes last.
    pub(super) fn number(shown: &str, value: Option<f64>) -> Self {
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
            rows: vec![vec![Cell::text("<script>\"'"), Cell::number("1.5", Some(1.5))]],
            rows_are: "arms",
        };
        let text = table.render().unwrap();
        assert!(!text.contains("<script") && !text.contains("<b>"));
        assert!(text.contains("data-key=\"&#60;script&#62;&#34;&#39;\"") && text.contains("data-key=\"1.5\">1.5</td>"));
        assert!(text.contains("aria-sort=\"none\"") && text.contains("1 arms"));
    }
}
