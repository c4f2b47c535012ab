//! The header of a safetensors file, read without its tensors.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufReader, Read};
use std::path::Path;

use mga_core::{Error, Result};
use serde::Deserialize;

use super::file_format::not_safetensors;

/// The longest header that safetensors allows, in bytes.
const LONGEST: u64 = 100_000_000;

/// The header of a safetensors file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Header {
    /// Keys and texts that stand beside the tensors.
    #[serde(rename = "__metadata__", default)]
    pub metadata: HashMap<String, String>,
    /// Every tensor, by name.
    #[serde(flatten)]
    pub tensors: BTreeMap<String, TensorHeader>,
}

/// The header's entry for one tensor.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct TensorHeader {
    /// The shape.
    pub shape: Vec<usize>,
}

impl Header {
    /// Reads the header alone; the tensors are checked when they are loaded.
    ///
    /// # Errors
    /// No safetensors file.
    pub fn read(path: &Path) -> Result<Self> {
        let failed = |what: String| Error::Weights(format!("{}: {what}", path.display()));
        let io = |e: std::io::Error| failed(format!("cannot be read: {e}"));
        let none = |e: &dyn std::fmt::Display| failed(not_safetensors(path, e));
        let mut file = std::fs::File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut start = [0; 8];
        file.read_exact(&mut start).map_err(|e| none(&e))?;
        let header = u64::from_le_bytes(start);
        if header > LONGEST.min(length.saturating_sub(8)) {
            return Err(none(&"its header is longer than the file, or than any"));
        }
        serde_json::from_reader(BufReader::new(file.take(header))).map_err(|e| none(&e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_read_alone() -> Result<()> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let tensor = candle_core::Tensor::zeros((2, 3), candle_core::DType::F32, &candle_core::Device::Cpu)?;
        let metadata = HashMap::from([("a".to_owned(), "b".to_owned())]);
        crate::weights::save_file(&[("x".to_owned(), tensor)], metadata.clone(), &path)?;
        let header = Header::read(&path)?;
        assert_eq!((&header.metadata["a"], header.tensors["x"].shape.as_slice()), (&metadata["a"], &[2, 3][..]));
        Ok(())
    }

    #[test]
    fn a_file_that_is_none_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        for bytes in [&b""[..], b"abc", b"\xff\xff\xff\xff\xff\xff\xff\xff{}", b"\x02\x00\x00\x00\x00\x00\x00\x00[]"] {
            std::fs::write(&path, bytes).unwrap();
            let message = Header::read(&path).unwrap_err().to_string();
            assert!(message.contains("safetensors") && message.contains("x.safetensors"), "{message}");
        }
    }
}
