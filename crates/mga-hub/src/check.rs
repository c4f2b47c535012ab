//! Checks that a file is what the hub says it is: length, hash, and the header of safetensors.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use safetensors::tensor::Metadata;
use sha2::Digest;

use crate::error::{Error, Result};

/// Hash of what the hub calls a file by: its ETag is the file's sha256 (64 digits, large files) or git's sha1 (40).
#[derive(Clone)]
pub(crate) enum Hasher {
    Sha256(sha2::Sha256),
    GitBlob(sha1::Sha1),
    /// The ETag is neither: only length and header can be checked.
    None,
}

impl Hasher {
    /// For a file of `size` bytes called `etag`.
    pub(crate) fn new(etag: &str, size: u64) -> Self {
        let hexadecimal = etag.bytes().all(|b| b.is_ascii_hexdigit());
        match etag.len() {
            64 if hexadecimal => Self::Sha256(sha2::Sha256::new()),
            40 if hexadecimal => {
                let mut hasher = sha1::Sha1::new();
                hasher.update(format!("blob {size}\0").as_bytes());
                Self::GitBlob(hasher)
            }
            _ => Self::None,
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::GitBlob(hasher) => hasher.update(bytes),
            Self::None => {}
        }
    }

    /// What is wrong with the hash.
    pub(crate) fn verdict(self, etag: &str) -> std::result::Result<(), String> {
        let (name, found) = match self {
            Self::Sha256(hasher) => ("sha256", hex(&hasher.finalize())),
            Self::GitBlob(hasher) => ("git sha1", hex(&hasher.finalize())),
            Self::None => return Ok(()),
        };
        if found.eq_ignore_ascii_case(etag) {
            return Ok(());
        }
        Err(format!("its {name} is {found}, the hub says {etag}: it was damaged on the way, or changed on the disk"))
    }

    /// Takes in a whole file.
    pub(crate) fn read(&mut self, path: &Path) -> Result<u64> {
        let mut file = File::open(path).map_err(Error::io(path))?;
        let mut buffer = vec![0; 1 << 20];
        let mut length = 0;
        loop {
            let read = file.read(&mut buffer).map_err(Error::io(path))?;
            let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { return Ok(length) };
            self.update(bytes);
            length += bytes.len() as u64;
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Computes the SHA-256 of `bytes`, in hexadecimal. The hub identifies large files by it.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&sha2::Sha256::digest(bytes))
}

/// Computes git's hash of a file with the contents `bytes`, in hexadecimal. The hub identifies small files by it.
pub fn git_blob_sha1(bytes: &[u8]) -> String {
    let mut hasher = sha1::Sha1::new();
    hasher.update(format!("blob {}\0", bytes.len()).as_bytes());
    hasher.update(bytes);
    hex(&hasher.finalize())
}

/// Returns whether the file at `path` is the one that the hub calls `etag`, with `size` bytes if the size is known; a
/// file called `*.safetensors` must have the header of one. `name` is for messages.
///
/// # Errors
/// [`Error::Broken`], or the file cannot be read.
pub fn check_file(path: &Path, name: &str, etag: &str, size: Option<u64>) -> Result<()> {
    let broken = |what: String| Error::Broken { file: name.to_owned(), what };
    let length = path.metadata().map_err(Error::io(path))?.len();
    if let Some(size) = size.filter(|size| *size != length) {
        return Err(broken(format!("{length} bytes, the hub says {size}")));
    }
    let mut hasher = Hasher::new(etag, length);
    if !matches!(hasher, Hasher::None) {
        hasher.read(path)?;
        hasher.verdict(etag).map_err(broken)?;
    }
    if name.ends_with(".safetensors") { check_safetensors(path, name) } else { Ok(()) }
}

/// Returns whether the file at `path` is safetensors of its whole length; see [`read_header`].
///
/// # Errors
/// [`Error::Broken`], or the file cannot be read.
pub fn check_safetensors(path: &Path, name: &str) -> Result<()> {
    read_header(path, name).map(drop)
}

/// Reads the header of the safetensors file at `path`, and nothing else of the file. The tensors that it lists follow
/// each other and end where the file ends. `name` is for messages.
///
/// # Errors
/// [`Error::Broken`], or the file cannot be read.
pub fn read_header(path: &Path, name: &str) -> Result<Metadata> {
    /// The longest header that safetensors allows.
    const LONGEST: u64 = 100_000_000;
    let broken = |what: String| Error::Broken { file: name.to_owned(), what: format!("no safetensors file: {what}") };
    let mut file = File::open(path).map_err(Error::io(path))?;
    let length = file.metadata().map_err(Error::io(path))?.len();
    let mut first = [0; 8];
    if length < 8 {
        return Err(broken(format!("{length} bytes")));
    }
    file.read_exact(&mut first).map_err(Error::io(path))?;
    let header = u64::from_le_bytes(first);
    if header > LONGEST.min(length - 8) {
        return Err(broken(format!("it begins with {:?}", String::from_utf8_lossy(&first))));
    }
    let mut text = vec![];
    file.take(header).read_to_end(&mut text).map_err(Error::io(path))?;
    let metadata: Metadata = serde_json::from_slice(&text).map_err(|e| broken(e.to_string()))?;
    let mut end = 0;
    for key in metadata.offset_keys() {
        let Some(info) = metadata.info(&key) else { continue };
        let (from, to) = info.data_offsets;
        let numbers = info.shape.iter().try_fold(1_usize, |product, side| product.checked_mul(*side));
        let bits = numbers.and_then(|numbers| numbers.checked_mul(info.dtype.bitsize()));
        if from != end || to < from || bits != (to - from).checked_mul(8) {
            return Err(broken(format!("`{key}` does not lie where its header says")));
        }
        end = to;
    }
    let expected = 8 + header + end as u64;
    if expected != length {
        return Err(broken(format!("{length} bytes, its header says {expected}")));
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_git_and_sha256sum() {
        // `echo hello | git hash-object --stdin`, `echo hello | sha256sum`.
        assert_eq!(git_blob_sha1(b"hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
        assert_eq!(sha256(b"hello\n"), "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
    }

    #[test]
    fn a_file_that_differs_in_anything_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let written = |bytes: &[u8]| std::fs::write(&path, bytes).unwrap();
        written(b"hello\n");
        let (git, sha) = (git_blob_sha1(b"hello\n"), sha256(b"hello\n"));
        for etag in [git.as_str(), sha.as_str(), "something-else"] {
            check_file(&path, "x", etag, Some(6)).unwrap();
            assert!(check_file(&path, "x", etag, Some(7)).unwrap_err().to_string().contains("6 bytes"));
        }
        written(b"hellO\n");
        for etag in [git.as_str(), sha.as_str()] {
            assert!(check_file(&path, "x", etag, Some(6)).unwrap_err().to_string().contains("the hub says"));
        }
        let header = br#"{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}"#;
        let mut whole = (header.len() as u64).to_le_bytes().to_vec();
        whole.extend(header);
        whole.extend([1, 2, 3]);
        written(&whole);
        check_safetensors(&path, "x").unwrap();
        written(&whole[..whole.len() - 1]);
        assert!(check_safetensors(&path, "x").unwrap_err().to_string().contains("its header says"));
        written(b"<html>not found</html>");
        assert!(check_safetensors(&path, "x").unwrap_err().to_string().contains("<html>"));
        written(b"DENIED");
        assert!(check_safetensors(&path, "x").is_err());
    }
}
