//! The removal of what killed processes left half made in a repository's part of the cache, by the next process that
//! uses it.
//!
//! Whatever is made here is made under a lock that goes with its process: whoever gets the lock knows that what lies there
//! is nobody's, whatever machine it came from. Where there is no lock to ask, what is old is nobody's.
//!
//! What has arrived of a download (`ETAG.incomplete`) stays: the next attempt goes on with it. It goes where the whole blob
//! is there, which nobody goes on with.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cache::{Cache, REFS_LOCK};
use crate::repo::Repo;
#[cfg(test)]
use crate::temporary::temporary;

/// A link or a line of text is made in an instant.
const OLD: Duration = Duration::from_secs(600);

/// The name that `temporary` was made of.
fn made_of(temporary: &str) -> Option<&str> {
    let (name, process) = temporary.strip_prefix('.')?.strip_suffix(".tmp")?.rsplit_once('.')?;
    let is_number = !process.is_empty() && process.bytes().all(|b| b.is_ascii_digit());
    (is_number && !name.is_empty()).then_some(name)
}

/// Clears the repository's folder. What cannot be removed, as in a cache that is only read, does no harm.
pub(crate) fn clear(cache: &Cache, repo: &Repo) {
    let folder = cache.folder(repo);
    for (path, name) in below(&folder.join("snapshots")) {
        // A file of the repository may be called like that, but does not contain its own hash.
        if let Some(etag) = made_of(&name)
            && leads_to(&path, etag)
        {
            remove(&cache.lock_file(repo, etag), &path);
        }
    }
    for (path, name) in below(&folder.join("refs")) {
        if made_of(&name).is_some() {
            remove(&cache.lock_file(repo, REFS_LOCK), &path);
        }
    }
    for (path, name) in below(&folder.join("blobs")) {
        if let Some(etag) = name.strip_suffix(".incomplete")
            && folder.join("blobs").join(etag).is_file()
        {
            remove(&cache.lock_file(repo, etag), &path);
        }
    }
}

/// Files and links below a folder, at any depth, with their names.
fn below(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = vec![];
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match (entry.file_type(), entry.file_name().into_string()) {
            (Ok(kind), _) if kind.is_dir() => found.extend(below(&entry.path())),
            (Ok(_), Ok(name)) => found.push((entry.path(), name)),
            _ => {}
        }
    }
    found
}

/// Whether `path` is what shows the blob `etag`: a link to it, or a copy where there are no links.
fn leads_to(path: &Path, etag: &str) -> bool {
    match std::fs::read_link(path) {
        Ok(target) => target.file_name().is_some_and(|name| name == etag),
        Err(_) => cfg!(not(unix)),
    }
}

/// Removes `path` where nobody holds `lock`, which is held meanwhile.
fn remove(lock: &Path, path: &Path) {
    let lock = File::options().append(true).open(lock);
    let is_left = match lock.as_ref().map(File::try_lock) {
        Ok(Ok(())) => true,
        Ok(Err(TryLockError::WouldBlock)) => false,
        Ok(Err(TryLockError::Error(_))) | Err(_) => is_old(path),
    };
    if is_left {
        let _ = std::fs::remove_file(path);
    }
}

fn is_old(path: &Path) -> bool {
    let time = std::fs::symlink_metadata(path).and_then(|data| data.modified()).ok();
    time.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > OLD)
}

#[cfg(test)]
#[cfg(all(unix, feature = "network"))]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    struct Left {
        folder: tempfile::TempDir,
        cache: Cache,
        repo: Repo,
    }

    impl Left {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (cache, repo) = (Cache::at(folder.path()), Repo::model("a/b").unwrap());
            for part in ["blobs", "refs/pr", &format!("snapshots/{COMMIT}/sub")] {
                std::fs::create_dir_all(cache.folder(&repo).join(part)).unwrap();
            }
            Self { folder, cache, repo }
        }

        fn at(&self, name: &str) -> PathBuf {
            self.cache.folder(&self.repo).join(name)
        }

        /// Everything that is there, by its place in the repository's folder.
        fn names(&self) -> Vec<String> {
            let folder = self.cache.folder(&self.repo);
            let name = |(path, _): (PathBuf, String)| path.strip_prefix(&folder).unwrap().to_str().unwrap().to_owned();
            let mut names: Vec<String> = below(&folder).into_iter().map(name).collect();
            names.sort();
            names
        }
    }

    #[test]
    fn what_a_killed_process_left_goes_and_what_a_living_one_makes_stays() {
        let left = Left::new();
        let lock = left.cache.lock(&left.repo, "alive", || ()).unwrap();
        for etag in ["dead", "alive"] {
            drop((etag == "dead").then(|| left.cache.lock(&left.repo, etag, || ()).unwrap()));
            symlink(format!("../../../blobs/{etag}"), left.at(&format!("snapshots/{COMMIT}/sub/.{etag}.1.tmp")))
                .unwrap();
            std::fs::write(left.at(&format!("blobs/{etag}")), "whole").unwrap();
            std::fs::write(left.at(&format!("blobs/{etag}.incomplete")), "ha").unwrap();
        }
        drop(left.cache.lock(&left.repo, REFS_LOCK, || ()).unwrap());
        for name in ["refs/.main.77.tmp", "refs/pr/.2.77.tmp", "refs/main", "blobs/begun.incomplete"] {
            std::fs::write(left.at(name), COMMIT).unwrap();
        }
        // A file of the repository that is called alike.
        symlink("../../blobs/dead", left.at(&format!("snapshots/{COMMIT}/.notes.1.tmp"))).unwrap();
        clear(&left.cache, &left.repo);
        let kept = [
            "blobs/alive",
            "blobs/alive.incomplete",
            "blobs/begun.incomplete",
            "blobs/dead",
            "refs/main",
            &format!("snapshots/{COMMIT}/.notes.1.tmp"),
            &format!("snapshots/{COMMIT}/sub/.alive.1.tmp"),
        ];
        assert_eq!(left.names(), kept);
        drop(lock);
        clear(&left.cache, &left.repo);
        assert_eq!(left.names().len(), kept.len() - 2);
        assert!(left.folder.path().join(".locks").is_dir());
    }

    #[test]
    fn without_a_lock_only_what_is_old_is_nobodys() {
        let left = Left::new();
        for name in ["refs/.main.1.tmp", "refs/.main.2.tmp"] {
            std::fs::write(left.at(name), COMMIT).unwrap();
        }
        let old = std::time::SystemTime::now() - 2 * OLD;
        File::options().write(true).open(left.at("refs/.main.1.tmp")).unwrap().set_modified(old).unwrap();
        clear(&left.cache, &left.repo);
        assert_eq!(left.names(), ["refs/.main.2.tmp"]);
    }

    #[test]
    fn names_that_are_not_ours_are_left_alone() {
        for name in ["main.1.tmp", ".main.tmp", ".main..tmp", ".main.1x.tmp", "..1.tmp", ".main.1.tmp.bak"] {
            assert_eq!(made_of(name), None, "{name}");
        }
        assert_eq!(made_of(&temporary("v1.0")), Some("v1.0"));
    }
}
