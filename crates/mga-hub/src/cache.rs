//! The cache on the disk, laid out as Python's `huggingface_hub` does, so that each finds the other's files:
//!
//! ```text
//! models--OWNER--NAME/blobs/ETAG                the contents, by hash
//! models--OWNER--NAME/blobs/ETAG.incomplete     what has arrived of one
//! models--OWNER--NAME/snapshots/COMMIT/FILE     a link to its blob
//! models--OWNER--NAME/refs/REVISION             the commit that a branch or tag was at
//! .locks/models--OWNER--NAME/ETAG.lock          held while a blob is written and shown
//! .locks/models--OWNER--NAME/.refs.lock         held while a reference is written
//! ```
//!
//! What is being made is called `.NAME.PROCESS.tmp`; [`crate::leftovers`] clears what a killed process left of it.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::repo::{Kind, Repo, is_commit};
use crate::temporary::temporary;

/// The lock of references, called as no blob is.
pub(crate) const REFS_LOCK: &str = ".refs";

/// The cache.
#[derive(Debug, Clone)]
pub struct Cache(PathBuf);

/// A repository in the cache, at one commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachedRepo {
    /// `owner/name`.
    pub id: String,
    /// The commit.
    pub commit: String,
    /// Branches and tags that were at this commit when last asked for.
    pub refs: Vec<String>,
    /// Files with their lengths in bytes.
    pub files: Vec<(String, u64)>,
}

impl Cache {
    /// Creates the cache in the folder `root`.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// Returns the folder of the cache.
    pub fn root(&self) -> &Path {
        &self.0
    }

    fn name(repo: &Repo) -> String {
        format!("{}--{}--{}", repo.kind.plural(), repo.owner, repo.name)
    }

    /// The repository's folder.
    pub(crate) fn folder(&self, repo: &Repo) -> PathBuf {
        self.0.join(Self::name(repo))
    }

    /// The blob called `etag`.
    #[cfg_attr(not(feature = "network"), expect(dead_code, reason = "nothing is written without the network"))]
    pub(crate) fn blob(&self, repo: &Repo, etag: &str) -> PathBuf {
        self.folder(repo).join("blobs").join(etag)
    }

    /// The file as a snapshot of `commit` shows it.
    pub(crate) fn snapshot(&self, repo: &Repo, commit: &str, file: &str) -> PathBuf {
        self.folder(repo).join("snapshots").join(commit).join(file)
    }

    /// Returns the commit that the revision of the repository had when it was last asked for. A commit stands for
    /// itself.
    pub fn commit(&self, repo: &Repo) -> Option<String> {
        if repo.is_pinned() {
            return Some(repo.revision.clone());
        }
        let commit = std::fs::read_to_string(self.folder(repo).join("refs").join(&repo.revision)).ok()?;
        let commit = commit.trim().to_owned();
        is_commit(&commit).then_some(commit)
    }

    /// Returns the file at the revision of the repository, if it is in the cache.
    pub fn find(&self, repo: &Repo, file: &str) -> Option<(PathBuf, String)> {
        let commit = self.commit(repo)?;
        let path = self.snapshot(repo, &commit, file);
        path.is_file().then_some((path, commit))
    }

    /// Returns the files in the cache at the repository's revision, and its commit.
    pub fn files(&self, repo: &Repo) -> Option<(Vec<String>, String)> {
        let commit = self.commit(repo)?;
        let files = list(&self.snapshot(repo, &commit, ""));
        (!files.is_empty()).then(|| (files.into_iter().map(|(file, _)| file).collect(), commit))
    }

    /// Returns all cached repositories of one kind, ordered by name and commit.
    pub fn repos(&self, kind: Kind) -> Vec<CachedRepo> {
        let mut repos = vec![];
        let prefix = format!("{}--", kind.plural());
        for folder in entries(&self.0) {
            let Some((owner, name)) = folder.strip_prefix(&prefix).and_then(|rest| rest.split_once("--")) else {
                continue;
            };
            let refs = list(&self.0.join(&folder).join("refs"));
            for commit in entries(&self.0.join(&folder).join("snapshots")) {
                let at = |(name, _): &(String, u64)| {
                    let there = std::fs::read_to_string(self.0.join(&folder).join("refs").join(name));
                    there.is_ok_and(|there| there.trim() == commit)
                };
                repos.push(CachedRepo {
                    id: format!("{owner}/{name}"),
                    refs: refs.iter().filter(|entry| at(entry)).map(|(name, _)| name.clone()).collect(),
                    files: list(&self.0.join(&folder).join("snapshots").join(&commit)),
                    commit,
                });
            }
        }
        repos
    }

    /// The file that is locked while the blob called `etag` is made.
    pub(crate) fn lock_file(&self, repo: &Repo, etag: &str) -> PathBuf {
        self.0.join(".locks").join(Self::name(repo)).join(format!("{etag}.lock"))
    }

    /// Takes the lock of a blob, waiting for whoever holds it; `waiting` is called where that takes time. The lock goes
    /// with the file, or with the process.
    pub(crate) fn lock(&self, repo: &Repo, etag: &str, waiting: impl FnOnce()) -> Result<File> {
        let path = self.lock_file(repo, etag);
        make(path.parent().unwrap_or(&self.0))?;
        let file = File::options().create(true).append(true).open(&path).map_err(Error::io(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                waiting();
                file.lock().map_err(Error::io(&path))?;
            }
            // A file system without locks: blobs still appear by renaming alone.
            Err(std::fs::TryLockError::Error(_)) => {}
        }
        Ok(file)
    }

    /// Shows a blob as `file` of a commit, and remembers that the revision is at that commit.
    #[cfg_attr(not(feature = "network"), expect(dead_code, reason = "nothing is written without the network"))]
    pub(crate) fn publish(&self, repo: &Repo, commit: &str, file: &str, etag: &str) -> Result<PathBuf> {
        let path = self.snapshot(repo, commit, file);
        let folder = path.parent().unwrap_or(&self.0);
        make(folder)?;
        let up = "../".repeat(file.split('/').count() + 1);
        let target = format!("{up}blobs/{etag}");
        if std::fs::read_link(&path).ok().as_deref() != Some(Path::new(&target)) {
            let temporary = folder.join(temporary(etag));
            let _ = std::fs::remove_file(&temporary);
            #[cfg(unix)]
            std::os::unix::fs::symlink(&target, &temporary).map_err(Error::io(&temporary))?;
            // Without links the contents move to where they are shown, which is what Python does there too.
            #[cfg(not(unix))]
            std::fs::copy(self.blob(repo, etag), &temporary).map_err(Error::io(&temporary))?;
            std::fs::rename(&temporary, &path).map_err(Error::io(&path))?;
        }
        if !repo.is_pinned() {
            let reference = self.folder(repo).join("refs").join(&repo.revision);
            let present = std::fs::read_to_string(&reference);
            if !present.is_ok_and(|present| present == commit) {
                let _lock = self.lock(repo, REFS_LOCK, || ())?;
                write(&reference, commit.as_bytes())?;
            }
        }
        Ok(path)
    }
}

/// Writes a small file by renaming.
fn write(path: &Path, contents: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    make(folder)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = folder.join(temporary(&name));
    let written = File::create(&temporary).and_then(|mut file| {
        file.write_all(contents)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written.map_err(Error::io(path))
}

pub(crate) fn make(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::io(folder))
}

/// Names in a folder, sorted; none where there is no folder.
fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.retain(|name| !name.starts_with('.'));
    names.sort();
    names
}

/// Files below a folder, at any depth, with their lengths; links are followed, broken ones left out.
fn list(folder: &Path) -> Vec<(String, u64)> {
    let mut files = vec![];
    for name in entries(folder) {
        let path = folder.join(&name);
        match path.metadata() {
            Ok(found) if found.is_dir() => {
                files.extend(list(&path).into_iter().map(|(inner, length)| (format!("{name}/{inner}"), length)));
            }
            Ok(found) => files.push((name, found.len())),
            Err(_) => {}
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_published_blob_is_found_by_revision_and_by_commit() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path());
        let repo = Repo::dataset("a/b@refs/pr/2").unwrap();
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let blob = cache.blob(&repo, "abc");
        make(blob.parent().unwrap()).unwrap();
        std::fs::write(&blob, "hello").unwrap();
        assert_eq!(cache.find(&repo, "data/x.parquet"), None);
        let path = cache.publish(&repo, commit, "data/x.parquet", "abc").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "hello");
        for revision in ["refs/pr/2", commit] {
            let found = cache.find(&repo.at(revision), "data/x.parquet");
            assert_eq!(found, Some((path.clone(), commit.to_owned())));
        }
        assert_eq!(cache.find(&repo.at("main"), "data/x.parquet"), None);
        let listed = cache.repos(Kind::Dataset);
        assert_eq!(listed.len(), 1);
        assert_eq!((listed[0].id.as_str(), listed[0].refs.as_slice()), ("a/b", &["refs/pr/2".to_owned()][..]));
        assert_eq!(listed[0].files, [("data/x.parquet".to_owned(), 5)]);
        assert!(cache.repos(Kind::Model).is_empty());
    }
}
