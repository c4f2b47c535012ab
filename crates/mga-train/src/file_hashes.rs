//! SHA-256 of files, remembered from one program to the next: sixty runs on one data set read it once.
//!
//! What is remembered is a file's hash under its path, in a small table for each folder in the user's cache, as long as the
//! file is the same: its size, the times of its contents and, where the system keeps them, of its last change of any kind and
//! its number (inode). The time of contents alone can be set, as a copy that keeps times does. A table that cannot be read
//! or written costs time and nothing else.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use mga_core::whole_file::write_all;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A file changed so shortly ago may change again within the resolution of its time.
const SETTLED: Duration = Duration::from_secs(2);

/// What tells a file from the one that was there before, short of its contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    size: u64,
    changed_nanoseconds: u64,
    /// Time of the last change of any kind, and the file's number; none where the system keeps no such thing, and in tables
    /// of version 0.1.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    inode: Option<(i64, i64, u64)>,
}

impl State {
    /// The state of a file; `None` where its times cannot be told, or are so new that they do not tell.
    fn of(metadata: &Metadata, settled: Duration) -> Option<Self> {
        let changed = metadata.modified().ok()?;
        let changed_nanoseconds = u64::try_from(changed.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()?;
        let (inode, last) = inode(metadata).map_or((None, changed), |(inode, last)| (Some(inode), last.max(changed)));
        let age = SystemTime::now().duration_since(last).ok()?;
        (age >= settled).then_some(Self { size: metadata.len(), changed_nanoseconds, inode })
    }
}

/// Time of the last change of any kind, in seconds and nanoseconds, and number of a file; and the time once more.
#[cfg(unix)]
fn inode(metadata: &Metadata) -> Option<((i64, i64, u64), SystemTime)> {
    use std::os::unix::fs::MetadataExt;
    let (seconds, nanoseconds) = (metadata.ctime(), metadata.ctime_nsec());
    let time = UNIX_EPOCH + Duration::new(u64::try_from(seconds).ok()?, u32::try_from(nanoseconds).ok()?);
    Some(((seconds, nanoseconds, metadata.ino()), time))
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> Option<((i64, i64, u64), SystemTime)> {
    None
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    #[serde(flatten)]
    state: State,
    sha256: String,
}

/// Known hashes of one folder, by name of the file.
type Table = BTreeMap<String, Known>;

/// Hashes of files, through the cache.
#[derive(Debug)]
pub struct FileHashes {
    cache: Option<PathBuf>,
    settled: Duration,
    tables: Mutex<BTreeMap<PathBuf, (Table, bool)>>,
}

impl FileHashes {
    /// Opens the tables in the user's cache: the folder `hashes` of [`user_cache`].
    #[must_use]
    pub fn of_user() -> Self {
        Self::in_folder(user_cache().map(|cache| cache.join("hashes")))
    }

    /// Opens the tables in `cache`; with `None` nothing is remembered.
    #[must_use]
    pub fn in_folder(cache: Option<PathBuf>) -> Self {
        Self { cache, settled: SETTLED, tables: Mutex::default() }
    }

    /// Returns the hashes of `files`, in their order: hexadecimal SHA-256 of the contents.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn of(&self, files: &[PathBuf]) -> anyhow::Result<Vec<String>> {
        let hashes = files.par_iter().map(|file| self.one(file)).collect();
        self.keep();
        hashes
    }

    fn one(&self, file: &Path) -> anyhow::Result<String> {
        let unreadable = || format!("{}: cannot be read", file.display());
        let metadata = file.metadata().with_context(unreadable)?;
        let place = State::of(&metadata, self.settled).zip(self.place(file));
        if let Some((state, (table, name))) = &place
            && let Some(known) = self.known(table, name)
            && known.state == *state
        {
            return Ok(known.sha256);
        }
        let sha256 = sha256(file).with_context(unreadable)?;
        if let Some((state, (table, name))) = place
            && let Ok(mut tables) = self.tables.lock()
            && let Some((table, fresh)) = tables.get_mut(&table)
        {
            table.insert(name, Known { state, sha256: sha256.clone() });
            *fresh = true;
        }
        Ok(sha256)
    }

    /// The table a file's hash is kept in, and its name there.
    fn place(&self, file: &Path) -> Option<(PathBuf, String)> {
        let cache = self.cache.as_ref()?;
        let file = std::path::absolute(file).ok()?;
        let folder = Sha256::digest(file.parent()?.as_os_str().as_encoded_bytes());
        let name = file.file_name()?.to_str()?.to_owned();
        Some((cache.join(format!("{}.json", &hex(&folder)[..32])), name))
    }

    fn known(&self, table: &Path, name: &str) -> Option<Known> {
        let mut tables = self.tables.lock().ok()?;
        let (table, _) = tables.entry(table.to_path_buf()).or_insert_with(|| (read(table), false));
        table.get(name).cloned()
    }

    /// Writes what is new. Another program may have written meanwhile: what it knows is kept too.
    fn keep(&self) {
        let Ok(mut tables) = self.tables.lock() else { return };
        for (path, (table, fresh)) in tables.iter_mut().filter(|(_, (_, fresh))| *fresh) {
            let mut all = read(path);
            all.extend(table.iter().map(|(name, known)| (name.clone(), known.clone())));
            let written = path
                .parent()
                .is_some_and(|folder| std::fs::create_dir_all(folder).is_ok())
                .then(|| serde_json::to_vec(&all).ok())
                .flatten()
                .is_some_and(|text| write_all(path, &text).is_ok());
            *fresh = !written;
        }
    }
}

/// Returns the user's cache: MGA_CACHE, else XDG_CACHE_HOME/mga, else ~/.cache/mga.
#[must_use]
pub fn user_cache() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    variable("MGA_CACHE")
        .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("mga")))
        .or_else(|| variable("HOME").map(|home| home.join(".cache/mga")))
}

fn read(table: &Path) -> Table {
    std::fs::read(table).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// Computes the SHA-256 of a file's contents, in hexadecimal.
///
/// # Errors
/// A file that cannot be read.
pub fn sha256(path: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; 1 << 18]);
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex(&digest.finalize()));
        }
        digest.update(&buffer[..read]);
    }
}

/// Returns the bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hashes of one file, without waiting for its times to settle.
    struct One {
        folder: tempfile::TempDir,
        settled: Duration,
    }

    impl One {
        fn file(&self) -> PathBuf {
            self.folder.path().join("a.bin")
        }

        fn hash(&self) -> String {
            let cache = Some(self.folder.path().join("cache"));
            let hashes = FileHashes { settled: self.settled, ..FileHashes::in_folder(cache) };
            hashes.of(&[self.file()]).unwrap().remove(0)
        }

        /// Writes the file, with the time of its contents an hour ago whatever they are.
        fn write(&self, bytes: &[u8], time: SystemTime) {
            std::fs::write(self.file(), bytes).unwrap();
            std::fs::File::options().write(true).open(self.file()).unwrap().set_modified(time).unwrap();
        }

        /// What the tables say, as text.
        fn tables(&self) -> String {
            let tables = std::fs::read_dir(self.folder.path().join("cache")).into_iter().flatten().flatten();
            tables.map(|table| std::fs::read_to_string(table.path()).unwrap()).collect()
        }
    }

    fn of(bytes: &[u8]) -> String {
        hex(&Sha256::digest(bytes))
    }

    #[test]
    fn a_file_is_read_again_only_when_it_has_changed() {
        let one = One { folder: tempfile::tempdir().unwrap(), settled: Duration::ZERO };
        let time = SystemTime::now() - Duration::from_secs(3600);
        one.write(b"one", time);
        assert_eq!(one.hash(), of(b"one"));
        // The table answers: what it says is taken.
        let table = std::fs::read_dir(one.folder.path().join("cache")).unwrap().next().unwrap().unwrap().path();
        let lie = one.tables().replace(&of(b"one"), &of(b"lie"));
        std::fs::write(&table, lie).unwrap();
        assert_eq!(one.hash(), of(b"lie"));
        // Another time, or another size: the file is read.
        one.write(b"two", time + Duration::from_secs(1));
        assert_eq!(one.hash(), of(b"two"));
        one.write(b"three", time + Duration::from_secs(1));
        assert_eq!(one.hash(), of(b"three"));
        // A broken table is no obstacle.
        std::fs::write(&table, "{").unwrap();
        assert_eq!(one.hash(), of(b"three"));
        assert!(FileHashes::in_folder(None).of(&[one.folder.path().join("none")]).is_err());
    }

    /// The change of a file is told by a clock that may tick slowly.
    #[cfg(unix)]
    fn changed_since(file: &Path, before: &Metadata) -> bool {
        inode(&file.metadata().unwrap()).map(|(inode, _)| inode) != inode(before).map(|(inode, _)| inode)
    }

    #[cfg(unix)]
    #[test]
    fn a_file_of_the_same_size_and_time_is_known_to_be_another() {
        let one = One { folder: tempfile::tempdir().unwrap(), settled: Duration::ZERO };
        let time = SystemTime::now() - Duration::from_secs(3600);
        one.write(b"one", time);
        assert_eq!(one.hash(), of(b"one"));
        // Written over in place, with its time put back.
        let before = one.file().metadata().unwrap();
        one.write(b"two", time);
        while !changed_since(&one.file(), &before) {
            one.write(b"two", time);
        }
        assert_eq!(one.hash(), of(b"two"));
        // Replaced by a copy that keeps times, as rsync and `cp -p` make.
        let copy = One { folder: tempfile::tempdir().unwrap(), settled: Duration::ZERO };
        copy.write(b"six", time);
        std::fs::rename(copy.file(), one.file()).or_else(|_| std::fs::copy(copy.file(), one.file()).map(drop)).unwrap();
        std::fs::File::options().write(true).open(one.file()).unwrap().set_modified(time).unwrap();
        assert_eq!(one.file().metadata().unwrap().modified().unwrap(), time);
        assert_eq!(one.hash(), of(b"six"));
    }

    #[test]
    fn what_changed_just_now_is_not_remembered() {
        let one = One { folder: tempfile::tempdir().unwrap(), settled: Duration::from_secs(3600) };
        one.write(b"one", SystemTime::now());
        assert_eq!((one.hash(), one.tables()), (of(b"one"), String::new()));
    }

    #[test]
    fn a_table_of_version_0_1_0_is_read_and_not_believed() {
        let text = r#"{"a.bin": {"size": 3, "changed_nanoseconds": 1, "sha256": "00"}}"#;
        let table: Table = serde_json::from_str(text).unwrap();
        assert_eq!(table["a.bin"].state.inode, None);
    }
}
