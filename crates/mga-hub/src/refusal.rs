//! The meaning of a refusal by the hub.

use crate::error::Error;
use crate::repo::Repo;
use crate::settings::Settings;

/// A refusal in the hub's words.
pub(crate) struct Refusal<'a> {
    pub(crate) status: u16,
    pub(crate) code: &'a str,
    pub(crate) message: &'a str,
}

impl Refusal<'_> {
    /// What it means; `None`: nothing that is known.
    pub(crate) fn error(&self, settings: &Settings, repo: &Repo, file: &str) -> Option<Error> {
        let (endpoint, id, token) = (settings.endpoint.to_string(), repo.id(), settings.token.is_some());
        Some(match (self.code, self.status) {
            ("GatedRepo", _) => Error::Gated { endpoint, repo: format!("{}{id}", repo.kind.prefix()), token },
            ("RevisionNotFound", _) => Error::NoSuchRevision { repo: id, revision: repo.revision.clone() },
            ("EntryNotFound", _) => {
                Error::NoSuchFile { repo: repo.to_string(), file: file.to_owned(), present: vec![] }
            }
            ("RepoNotFound", _) | (_, 404) => Error::NoSuchRepo { endpoint, repo: id, token },
            (_, status @ (401 | 403)) => {
                Error::Denied { endpoint, repo: id, status, token, message: self.message.to_owned() }
            }
            _ => return None,
        })
    }
}
