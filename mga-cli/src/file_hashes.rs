//! SHA-256 of files, remembered from one program to the next: sixty runs on one data set read it once.
//!
//! What is remembered is a file's hash under its path, size and time of change, in a small table for each folder in the
//! user's cache. A table that cannot be read or written costs time and nothing else.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::output::write_file;

/// A file changed so shortly ago may change again within the resolution of its time.
const SETTLED: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    size: u64,
    changed_nanoseconds: u64,
    sha256: String,
}

/// Known hashes of one folder, by name of the file.
type Table = BTreeMap<String, Known>;

/// Hashes of files, through the cache.
#[derive(Debug)]
pub struct FileHashes {
    cache: Option<PathBuf>,
    tables: Mutex<BTreeMap<PathBuf, (Table, bool)>>,
}

impl FileHashes {
    /// With the user's cache: MGA_CACHE/hashes, else XDG_CACHE_HOME/mga/hashes, else ~/.cache/mga/hashes.
    #[must_use]
    pub fn of_user() -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = variable("MGA_CACHE")
            .or_else(|| variable("XDG_CACHE_HOME").map(|cache| cache.join("mga")))
            .or_else(|| variable("HOME").map(|home| home.join(".cache/mga")));
        Self::in_folder(cache.map(|cache| cache.join("hashes")))
    }

    /// With tables in `cache`; `None`: nothing is remembered.
    #[must_use]
    pub fn in_folder(cache: Option<PathBuf>) -> Self {
        Self { cache, tables: Mutex::default() }
    }

    /// The hashes of `files`, in their order: hexadecimal SHA-256 of the contents.
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
        let changed = metadata.modified().ok();
        let since_epoch = changed.and_then(|changed| changed.duration_since(UNIX_EPOCH).ok());
        let changed_nanoseconds = since_epoch.and_then(|since| u64::try_from(since.as_nanos()).ok());
        let settled = changed.and_then(|changed| SystemTime::now().duration_since(changed).ok());
        let place = changed_nanoseconds.zip(self.place(file));
        if let Some((changed_nanoseconds, (table, name))) = &place
            && let Some(known) = self.known(table, name)
            && (known.size, known.changed_nanoseconds) == (metadata.len(), *changed_nanoseconds)
        {
            return Ok(known.sha256);
        }
        let sha256 = sha256(file).with_context(unreadable)?;
        if let Some((changed_nanoseconds, (table, name))) = place
            && settled.is_some_and(|age| age > SETTLED)
            && let Ok(mut tables) = self.tables.lock()
            && let Some((table, fresh)) = tables.get_mut(&table)
        {
            table.insert(name, Known { size: metadata.len(), changed_nanoseconds, sha256: sha256.clone() });
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
                .is_some_and(|text| write_file(path, &text).is_ok());
            *fresh = !written;
        }
    }
}

fn read(table: &Path) -> Table {
    std::fs::read(table).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// SHA-256 of a file's contents, hexadecimal.
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

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_again_only_when_it_has_changed() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, file) = (folder.path().join("cache"), folder.path().join("a.bin"));
        let of = || FileHashes::in_folder(Some(cache.clone())).of(std::slice::from_ref(&file)).unwrap().remove(0);
        let set = |bytes: &[u8], age: u64| {
            std::fs::write(&file, bytes).unwrap();
            let time = SystemTime::now() - Duration::from_secs(age);
            std::fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
            time
        };
        let time = set(b"one", 100);
        let one = of();
        assert_eq!(one, hex(&Sha256::digest(b"one")));
        // Other contents of equal size and time: the table answers.
        std::fs::write(&file, b"two").unwrap();
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
        assert_eq!(of(), one);
        assert_eq!(FileHashes::in_folder(None).of(std::slice::from_ref(&file)).unwrap()[0], sha256(&file).unwrap());
        // Another time, another size, or a change of just now: the file is read.
        set(b"two", 50);
        assert_eq!(of(), sha256(&file).unwrap());
        set(b"three", 0);
        assert_eq!(of(), sha256(&file).unwrap());
        std::fs::write(&file, b"fours").unwrap();
        assert_eq!(of(), sha256(&file).unwrap());
        // A broken table is no obstacle.
        for table in std::fs::read_dir(&cache).unwrap() {
            std::fs::write(table.unwrap().path(), "{").unwrap();
        }
        assert_eq!(of(), sha256(&file).unwrap());
        assert!(FileHashes::in_folder(None).of(&[folder.path().join("none")]).is_err());
    }
}
