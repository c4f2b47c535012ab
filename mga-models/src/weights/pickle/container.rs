//! A checkpoint's file, whichever way PyTorch packed it: the pickle, and the numbers of each storage by its key.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use mga_core::Result;

use super::super::file_format::{FileFormat, START};
use super::archive::Archive;
use super::legacy::Legacy;
use super::machine;
use super::machine::Built;
use super::refusal::refused;

/// An opened checkpoint.
pub(super) enum Container {
    Zip(Box<Archive>),
    Legacy(Legacy),
}

impl Container {
    /// Opens a file, and runs its pickle.
    ///
    /// # Errors
    /// A file of another format, which is named; what the formats say.
    pub(super) fn open(path: &Path) -> Result<(Self, Built)> {
        let failed = |e: std::io::Error| refused(format!("cannot be read: {e}"));
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(refused("not a file"));
        }
        let mut start = vec![];
        Read::by_ref(&mut file).take(START as u64).read_to_end(&mut start).map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        match FileFormat::of(&start) {
            FileFormat::Zip => {
                let mut archive = Archive::open(file, metadata.len())?;
                let built = machine::run(&archive.pickle()?)?;
                Ok((Self::Zip(Box::new(archive)), built))
            }
            FileFormat::Legacy => {
                let (legacy, built) = Legacy::open(file, metadata.len())?;
                Ok((Self::Legacy(legacy), built))
            }
            FileFormat::Other(what) => Err(refused(what)),
        }
    }

    /// Length of the file in bytes.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Zip(archive) => archive.length(),
            Self::Legacy(legacy) => legacy.length(),
        }
    }

    /// Whether its numbers begin with their highest byte.
    pub(super) fn is_big_endian(&self) -> bool {
        match self {
            Self::Zip(archive) => archive.is_big_endian(),
            // Written with the lowest byte first by machines of either kind.
            Self::Legacy(_) => false,
        }
    }

    /// The bytes of a storage, at most `most`.
    pub(super) fn storage(&mut self, key: &str, most: u64) -> Result<Vec<u8>> {
        match self {
            Self::Zip(archive) => archive.storage(key, most),
            Self::Legacy(legacy) => legacy.storage(key, most),
        }
    }
}
