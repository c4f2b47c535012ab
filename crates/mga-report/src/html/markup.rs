//! HTML that came out of a template.

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;

/// HTML that came out of a template, which has escaped what is foreign in it. Another template takes it as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Markup(String);

impl Markup {
    /// Fills a template.
    pub(super) fn of(template: &impl Template) -> anyhow::Result<Self> {
        Ok(Self(template.render()?))
    }

    /// Takes what this program wrote by itself: a plot, its styles.
    pub(super) fn own(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Markup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl HtmlSafe for Markup {}
