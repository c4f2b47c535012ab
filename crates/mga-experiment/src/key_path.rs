//! The position of a setting in an experiment: `data.train.transforms[1].size`.

use std::fmt;

/// A step of a [`KeyPath`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Segment {
    /// A key of a table.
    Key(String),
    /// An element of an array, from 0.
    Index(usize),
}

/// The place of a setting in an experiment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct KeyPath(Vec<Segment>);

impl KeyPath {
    /// Creates a path of plain keys, with dots between them: `"data.masks.source"`. Keys that hold dots go through
    /// [`KeyPath::key`].
    #[must_use]
    pub fn dotted(text: &str) -> Self {
        Self(text.split('.').filter(|key| !key.is_empty()).map(|key| Segment::Key(key.to_owned())).collect())
    }

    /// Returns the path of a key of this table.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.then(Segment::Key(key.to_owned()))
    }

    /// Returns the path of an element of this array.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        self.then(Segment::Index(index))
    }

    /// Returns the path with one more step.
    #[must_use]
    pub fn then(&self, segment: Segment) -> Self {
        let mut path = self.clone();
        path.0.push(segment);
        path
    }

    /// Returns the table or array this stands in; `None` at the top.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let (_, rest) = self.0.split_last()?;
        Some(Self(rest.to_vec()))
    }

    /// Returns the steps from the top.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Returns whether this is `other` or stands somewhere inside it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0.starts_with(&other.0)
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) => {
                    if i > 0 {
                        f.write_str(".")?;
                    }
                    let bare =
                        !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
                    if bare {
                        f.write_str(key)?;
                    } else {
                        write!(f, "{key:?}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_toml_would_write_it() {
        let path = KeyPath::dotted("data.train.transforms").index(1).key("size");
        assert_eq!(path.to_string(), "data.train.transforms[1].size");
        assert_eq!(
            KeyPath::dotted("optimiser.learning_rates").key("classifier.").to_string(),
            "optimiser.learning_rates.\"classifier.\""
        );
    }

    #[test]
    fn within_counts_whole_steps() {
        assert!(KeyPath::dotted("data.eval").is_within(&KeyPath::dotted("data")));
        assert!(!KeyPath::dotted("database").is_within(&KeyPath::dotted("data")));
    }
}
