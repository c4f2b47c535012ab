//! The zip archive of a checkpoint: `NAME/data.pkl` and the numbers in `NAME/data/KEY`, all stored as they are.

use std::fs::File;
use std::io::{BufReader, Read};

use mga_core::Result;
use zip::read::{ArchiveOffset, Config};
use zip::{CompressionMethod, ZipArchive};

use super::refusal::refused;

/// The pickle of a checkpoint is a list of names; real ones have less than one MiB.
pub(super) const LARGEST_PICKLE: u64 = 32 << 20;

/// A checkpoint's archive.
pub(super) struct Archive {
    zip: ZipArchive<BufReader<File>>,
    /// The folder inside, with its slash.
    folder: String,
    /// Length of the file in bytes: no entry can be longer.
    length: u64,
    big_endian: bool,
}

impl Archive {
    pub(super) fn open(file: File, length: u64) -> Result<Self> {
        // PyTorch's archives begin where the file does. Left to find that out, the reader takes the records behind the
        // directory for a part of it where the first entry's name has 30 bytes, as with a top folder of 21 characters.
        let config = Config { archive_offset: ArchiveOffset::Known(0) };
        let zip = ZipArchive::with_config(config, BufReader::new(file))
            .map_err(|e| refused(format!("not a whole zip archive ({e}); was its download cut short?")))?;
        let names =
            zip.file_names().map(|name| name.map(|name| name.into_owned())).collect::<zip::result::ZipResult<Vec<_>>>();
        let names = names.map_err(|e| refused(format!("not a sound zip archive ({e})")))?;
        let ends = |end: &str| names.iter().filter(|name| name.ends_with(end)).cloned().collect::<Vec<String>>();
        if !ends("/constants.pkl").is_empty() {
            return Err(refused(
                "a TorchScript archive, which holds a program; save the state dict in Python: \
                 torch.save(torch.jit.load(...).state_dict(), ...)",
            ));
        }
        let folder = match ends("/data.pkl").as_slice() {
            [one] => one.trim_end_matches("data.pkl").to_owned(),
            [] => return Err(refused("a zip archive without data.pkl, so not a PyTorch checkpoint")),
            many => return Err(refused(format!("a zip archive with {} files data.pkl, expected one", many.len()))),
        };
        let mut archive = Self { zip, folder, length, big_endian: false };
        archive.big_endian = match archive.read_if_there("byteorder", 16)?.as_deref().map(<[u8]>::trim_ascii) {
            None | Some(b"little") => false,
            Some(b"big") => true,
            Some(_) => return Err(refused("the order of the bytes in its numbers is neither little nor big")),
        };
        Ok(archive)
    }

    /// Length of the file in bytes.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The program that builds the checkpoint.
    pub(super) fn pickle(&mut self) -> Result<Vec<u8>> {
        self.read_if_there("data.pkl", LARGEST_PICKLE)?.ok_or_else(|| refused("data.pkl is not there"))
    }

    /// Whether its numbers begin with their highest byte, as machines of IBM write them.
    pub(super) fn is_big_endian(&self) -> bool {
        self.big_endian
    }

    /// The bytes of a storage.
    pub(super) fn storage(&mut self, key: &str, most: u64) -> Result<Vec<u8>> {
        let name = format!("data/{key}");
        self.read_if_there(&name, most)?.ok_or_else(|| refused(format!("{name} is not in the archive")))
    }

    fn read_if_there(&mut self, name: &str, most: u64) -> Result<Option<Vec<u8>>> {
        let broken = |e: &dyn std::fmt::Display| refused(format!("{name}: cannot be read: {e}"));
        let mut entry = match self.zip.by_name(&format!("{}{name}", self.folder)) {
            Ok(entry) => entry,
            Err(zip::result::ZipError::FileNotFound) => return Ok(None),
            Err(error) => return Err(broken(&error)),
        };
        // PyTorch stores everything as it is; what is not could unfold to any size.
        if entry.compression() != CompressionMethod::Stored || entry.size() > self.length {
            return Err(refused(format!(
                "{name}: compressed, or larger than the file; PyTorch writes no such archive"
            )));
        }
        if entry.size() > most {
            return Err(refused(format!(
                "{name}: {} bytes, in all more than a checkpoint of this size needs",
                entry.size()
            )));
        }
        let mut bytes = vec![];
        entry.read_to_end(&mut bytes).map_err(|e| broken(&e))?;
        Ok(Some(bytes))
    }
}
