//! A plot with what is said of it.

use askama::Template;

use super::markup::Markup;
use crate::plots::Plot;

/// A plot on the page, and a file beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The file's name without its ending, unique in the report.
    pub name: String,
    /// The plot.
    pub plot: Plot,
    /// The explanation of the figure, in plain text.
    pub caption: String,
    /// The arm that it is of alone.
    pub arm: Option<usize>,
}

/// Plots side by side. One whose arm can be hidden says whose it is.
#[derive(Template)]
#[template(path = "html/figures.html")]
struct Figures<'a> {
    figures: &'a [&'a Figure],
}

/// The plots as an element; `None`: there are none.
pub(super) fn element<'a>(figures: impl IntoIterator<Item = &'a Figure>) -> anyhow::Result<Option<Markup>> {
    let figures: Vec<&Figure> = figures.into_iter().collect();
    if figures.is_empty() { Ok(None) } else { Markup::of(&Figures { figures: &figures }).map(Some) }
}

/// A file's name for something of an arm: its number, which is unique, and what is left of its name.
pub(super) fn file_name(kind: &str, arm: usize, name: &str) -> String {
    let mut slug = String::new();
    for character in name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == ' ' || *c == '-' || *c == '_') {
        slug.push(if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '-' });
        if slug.len() == 40 {
            break;
        }
    }
    let slug: Vec<&str> = slug.split('-').filter(|part| !part.is_empty()).collect();
    [&[kind.to_owned(), format!("{:02}", arm + 1)][..], &slug.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>()]
        .concat()
        .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_are_plain_and_unique() {
        assert_eq!(file_name("confusion", 0, "attention = none, x"), "confusion-01-attention-none-x");
        assert_eq!(file_name("confusion", 11, "../../<evil>/.."), "confusion-12-evil");
        assert_eq!(file_name("confusion", 2, "楓"), "confusion-03");
    }
}
