//! The errors of the hub, each with what to do about it.

use std::path::{Path, PathBuf};

/// Shorthand for results of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error about files of the hub.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a name of a repository.
    #[error("`{name}` names no repository of the hub: {what}; expected owner/name or owner/name@revision")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// The hub knows no such repository, or hides it.
    #[error("{endpoint} has no repository `{repo}`, or it is private{}; check the spelling", hint(*.token))]
    NoSuchRepo {
        /// The hub.
        endpoint: String,
        /// `owner/name`.
        repo: String,
        /// Whether a token was sent.
        token: bool,
    },
    /// The repository has no such branch, tag or commit.
    #[error("`{repo}` has no revision `{revision}`: expected a branch, a tag, a full commit, or refs/pr/NUMBER")]
    NoSuchRevision {
        /// `owner/name`.
        repo: String,
        /// The revision.
        revision: String,
    },
    /// The repository has no such file.
    #[error("`{repo}` has no file `{file}`{}", list(.present))]
    NoSuchFile {
        /// `owner/name@revision`.
        repo: String,
        /// The file.
        file: String,
        /// Files that would do, where known.
        present: Vec<String>,
    },
    /// The owner of the repository wants to know who uses it.
    #[error(
        "`{repo}` is gated: ask for access at {endpoint}/{repo}, then{}",
        if *.token { " use a token of the account that was granted it" } else { " set HF_TOKEN to a token of that account" }
    )]
    Gated {
        /// The hub.
        endpoint: String,
        /// `owner/name`, with `datasets/` before it for a data set.
        repo: String,
        /// Whether a token was sent.
        token: bool,
    },
    /// The hub does not let us in.
    #[error("{endpoint} refuses `{repo}` (status {status}{}){}", say(.message), hint(*.token))]
    Denied {
        /// The hub.
        endpoint: String,
        /// `owner/name`.
        repo: String,
        /// 401 or 403.
        status: u16,
        /// Whether a token was sent.
        token: bool,
        /// What the hub said.
        message: String,
    },
    /// Offline, and the cache lacks it.
    #[error("{what} is not in the cache {}, and {why}", cache.display())]
    NotCached {
        /// The file or repository.
        what: String,
        /// The cache.
        cache: PathBuf,
        /// Why it is not downloaded, and what to do.
        why: String,
    },
    /// The hub does not answer, or stops answering.
    #[error(
        "{url}: {what} ({attempts} attempts); check the connection, HF_ENDPOINT and proxies; what has arrived is kept, and \
         the next attempt goes on from there"
    )]
    Unreachable {
        /// What was asked.
        url: String,
        /// What happened last.
        what: String,
        /// Attempts made in vain.
        attempts: u32,
    },
    /// An answer that is no answer to what was asked.
    #[error("{url}: {what}; is HF_ENDPOINT a hub?")]
    Malformed {
        /// What was asked.
        url: String,
        /// What is wrong with the answer.
        what: String,
    },
    /// A file that is not what the hub says it is.
    #[error("{file}: {what}; nothing of it was kept")]
    Broken {
        /// The file.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// No room for the file.
    #[error(
        "{}: no room for {file} ({bytes} bytes): {cause}; free some, or set HF_HUB_CACHE to a folder on a larger disk",
        cache.display()
    )]
    Full {
        /// The file.
        file: String,
        /// Its length.
        bytes: u64,
        /// The cache.
        cache: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The cache cannot be read or written.
    #[error("{}: {cause}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
}

impl Error {
    /// An I/O error at `path`.
    pub(crate) fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        move |cause| Self::Io { path: path.as_ref().to_path_buf(), cause }
    }

    /// Whether the hub could not be asked at all, so that a cached file may do.
    pub(crate) fn is_connection(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

fn hint(token: bool) -> &'static str {
    if token {
        "; the token of HF_TOKEN (or of `hf auth login`) does not open it"
    } else {
        "; for a private one set HF_TOKEN"
    }
}

fn say(message: &str) -> String {
    let line = message.trim().lines().next().unwrap_or_default();
    let line: String = line.chars().filter(|c| !c.is_control()).take(120).collect();
    if line.is_empty() { line } else { format!(": {line}") }
}

fn list(present: &[String]) -> String {
    match present {
        [] => String::new(),
        present => format!("; it has {}", present.join(", ")),
    }
}
