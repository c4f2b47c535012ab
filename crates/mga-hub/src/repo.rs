//! Names of repositories: `owner/name`, or `owner/name@revision`.

use crate::error::{Error, Result};

/// The kind of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Weights.
    Model,
    /// A data set.
    Dataset,
}

impl Kind {
    /// Returns `models` or `datasets`, the names in cache folders and in the hub's interface.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Model => "models",
            Self::Dataset => "datasets",
        }
    }

    /// What stands before `owner/name` in addresses of the hub.
    #[cfg_attr(not(feature = "network"), expect(dead_code, reason = "no address is asked without the network"))]
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Model => "",
            Self::Dataset => "datasets/",
        }
    }
}

/// A repository of the hub, and the revision of it that is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Repo {
    /// The kind of the repository.
    pub kind: Kind,
    /// The owner.
    pub owner: String,
    /// The name.
    pub name: String,
    /// A branch, a tag, a commit, or `refs/pr/2`; `main` where none was named.
    pub revision: String,
}

impl Repo {
    /// Reads `owner/name[@revision]` of a repository with weights.
    ///
    /// # Errors
    /// [`Error::Name`].
    pub fn model(text: &str) -> Result<Self> {
        Self::parse(Kind::Model, text)
    }

    /// Reads `owner/name[@revision]` of a repository with a data set.
    ///
    /// # Errors
    /// [`Error::Name`].
    pub fn dataset(text: &str) -> Result<Self> {
        Self::parse(Kind::Dataset, text)
    }

    fn parse(kind: Kind, text: &str) -> Result<Self> {
        let wrong = |what: &str| Error::Name { name: text.to_owned(), what: what.to_owned() };
        let (id, revision) = match text.split_once('@') {
            Some((id, revision)) => (id, revision),
            None => (text, "main"),
        };
        let (owner, name) = id.split_once('/').ok_or_else(|| wrong("there is no `/`"))?;
        for part in [owner, name] {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if part.is_empty() || !part.chars().all(plain) || part.starts_with('.') || part.contains("--") {
                return Err(wrong("owner and name consist of letters, digits, `-`, `_` and `.`"));
            }
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.+/".contains(c);
        let parts = revision.split('/');
        if !revision.chars().all(plain) || parts.clone().any(|part| part.is_empty() || part.starts_with('.')) {
            return Err(wrong("the revision behind `@` is a branch, a tag, a commit or `refs/pr/NUMBER`"));
        }
        Ok(Self { kind, owner: owner.to_owned(), name: name.to_owned(), revision: revision.to_owned() })
    }

    /// Returns `owner/name`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// Returns the same repository at another revision.
    #[must_use]
    pub fn at(&self, revision: &str) -> Self {
        Self { revision: revision.to_owned(), ..self.clone() }
    }

    /// Returns whether the revision is a full commit, whose files never change.
    pub fn is_pinned(&self) -> bool {
        is_commit(&self.revision)
    }
}

impl std::fmt::Display for Repo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}@{}", self.owner, self.name, self.revision)
    }
}

/// Whether `text` is a full commit: 40 hexadecimal digits in lower case.
pub(crate) fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Whether `file` is a path inside a repository and nothing else.
pub(crate) fn is_inside(file: &str) -> bool {
    !file.is_empty() && !file.contains('\\') && file.split('/').all(|part| !["", ".", ".."].contains(&part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_with_every_kind_of_revision() {
        let repo = Repo::model("timm/densenet161.tv_in1k").unwrap();
        assert_eq!((repo.id().as_str(), repo.revision.as_str()), ("timm/densenet161.tv_in1k", "main"));
        for revision in ["v1.0", "refs/pr/2", "feature/x", "0123456789abcdef0123456789abcdef01234567"] {
            let repo = Repo::model(&format!("a/b@{revision}")).unwrap();
            assert_eq!(repo.revision, revision);
            assert_eq!(repo.is_pinned(), revision.len() == 40);
        }
    }

    #[test]
    fn names_that_would_leave_the_cache_are_refused() {
        for name in
            ["resnet18", "a/", "/b", "a/b/c", "a/../b", "../b", "a/b@", "a/b@../../x", "a/b@x y", "a--b/c", "a/b@/x"]
        {
            assert!(Repo::model(name).is_err(), "{name}");
        }
        assert!(!is_inside("../x") && !is_inside("/x") && !is_inside("a//b") && is_inside("data/train.parquet"));
    }
}
