//! The zip archive of a checkpoint: `NAME/data.pkl` and the numbers in `NAME/data/KEY`, all stored as they are.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use mga_core::Result;
use zip::{CompressionMethod, ZipArchive};

use super::refused;

/// The pickle of a checkpoint is a list of names; real ones have less than one MiB.
const LARGEST_PICKLE: u64 = 32 << 20;

/// A checkpoint's archive.
pub(super) struct Archive {
    zip: ZipArchive<BufReader<File>>,
    /// The folder inside, with its slash.
    folder: String,
    /// Length of the file in bytes: no entry can be longer.
    length: u64,
}

impl Archive {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let failed = |e: std::io::Error| refused(format!("cannot be read: {e}"));
        let mut file = File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if !metadata.is_file() {
            return Err(refused("not a file"));
        }
        let mut start = vec![];
        Read::by_ref(&mut file).take(16).read_to_end(&mut start).map_err(failed)?;
        if !start.starts_with(b"PK\x03\x04") {
            return Err(refused(other_format(&start)));
        }
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        let zip = ZipArchive::new(BufReader::new(file))
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
        let mut archive = Self { zip, folder, length: metadata.len() };
        if let Some(order) = archive.read_if_there("byteorder", 16)?
            && order.trim_ascii() != b"little"
        {
            return Err(refused("its numbers are big-endian; save it anew on a machine that is not"));
        }
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

    /// The bytes of a storage.
    pub(super) fn storage(&mut self, key: &str) -> Result<Vec<u8>> {
        let name = format!("data/{key}");
        self.read_if_there(&name, u64::MAX)?.ok_or_else(|| refused(format!("{name} is not in the archive")))
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
            return Err(refused(format!("{name}: {} bytes, more than any checkpoint needs", entry.size())));
        }
        let mut bytes = vec![];
        entry.read_to_end(&mut bytes).map_err(|e| broken(&e))?;
        Ok(Some(bytes))
    }
}

/// What a file is that begins like this and not like a zip archive.
fn other_format(start: &[u8]) -> String {
    // `torch.save` before version 1.6 wrote a pickle whose first object is this number.
    const LEGACY: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
    if start.get(2..14) == Some(LEGACY) {
        return "a legacy checkpoint of PyTorch before 1.6, which is not read; save it anew in Python: \
                torch.save(torch.load(FILE, map_location=\"cpu\", weights_only=True), NEW)"
            .to_owned();
    }
    if let [0x80, 2..=5, ..] = start {
        return "a bare pickle and not a PyTorch zip checkpoint; load it in Python if you trust it, and save its state \
                dict with torch.save"
            .to_owned();
    }
    if start.get(8) == Some(&b'{') {
        return "this looks like a safetensors file already; it needs no conversion".to_owned();
    }
    if start.is_empty() { "an empty file" } else { "not a PyTorch zip checkpoint" }.to_owned()
}
