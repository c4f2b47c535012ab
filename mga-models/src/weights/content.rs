//! The hash that a weight file carries over its own content, so that damage is noticed where the file is read.
//!
//! Two entries of the metadata: `mga.hash` says that there is a hash and of which kind, `mga.sha256` holds it. It is taken
//! over the rest of the header, in an order of its own, and over the tensors' bytes as they lie in the file.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use mga_core::{Error, Result};
use safetensors::SafeTensors;
use safetensors::tensor::TensorInfo;
use sha2::{Digest, Sha256};

use super::file_format::not_safetensors;

/// Says that there is a hash: one flipped bit cannot take both entries away.
pub(super) const KIND: (&str, &str) = ("mga.hash", "sha256");

/// The entry that holds it, as hexadecimal digits.
pub(super) const HASH: &str = "mga.sha256";

/// The digest of a header without its own hash; the tensors' bytes are still to come.
pub(super) fn begin<'m, 't>(
    metadata: impl IntoIterator<Item = (&'m String, &'m String)>,
    tensors: impl IntoIterator<Item = (&'t str, &'t TensorInfo)>,
) -> Result<Sha256> {
    let metadata: BTreeMap<_, _> = metadata.into_iter().filter(|(key, _)| *key != HASH).collect();
    let tensors: BTreeMap<_, _> = tensors.into_iter().collect();
    let header = serde_json::to_vec(&(metadata, tensors));
    let header = header.map_err(|e| Error::Weights(format!("a header that cannot be written: {e}")))?;
    Ok(Sha256::new().chain_update(header))
}

/// A digest's end as text.
pub(super) fn end(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns whether the whole safetensors file `bytes` carries a hash over its content, which then agrees. Files of
/// other programs carry none, and neither do those of mga 0.1.0: damage to them does not show.
///
/// # Errors
/// The content is not what was saved; no safetensors file. `path` is for messages.
pub fn check_content(bytes: &[u8], path: &Path) -> Result<bool> {
    let failed = |what: String| Error::Weights(format!("{}: {what}", path.display()));
    let none = |e: safetensors::SafeTensorError| failed(not_safetensors(path, &e));
    let (length, header) = SafeTensors::read_metadata(bytes).map_err(none)?;
    let empty = HashMap::new();
    let metadata = header.metadata().as_ref().unwrap_or(&empty);
    let damaged = || {
        failed(
            "its content is not what was saved: it was damaged on the way, or changed by another program. Copy it again, or \
             go back to another checkpoint"
                .to_owned(),
        )
    };
    match (metadata.get(KIND.0).map(String::as_str), metadata.get(HASH)) {
        (None, None) => Ok(false),
        (Some(kind), Some(hash)) if kind == KIND.1 => {
            let tensors = header.tensors();
            let digest = begin(metadata, tensors.iter().map(|(name, info)| (name.as_str(), *info)))?;
            let data = bytes.get(8 + length..).unwrap_or_default();
            if end(digest.chain_update(data)) == *hash { Ok(true) } else { Err(damaged()) }
        }
        _ => Err(damaged()),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor};

    use super::*;
    use crate::weights::save_file;

    #[test]
    fn every_flipped_bit_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
        let tensors = [("b".to_owned(), tensor(&[1.0, -0.0])), ("a".to_owned(), tensor(&[f32::NAN]))];
        let metadata = HashMap::from([("mga.progress".to_owned(), "{\"best\":0.1}".to_owned())]);
        save_file(&tensors, metadata, &path).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        assert!(check_content(&bytes, &path).unwrap());
        for at in 0..bytes.len() {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                assert!(check_content(&bytes, &path).is_err(), "bit {bit} of byte {at}");
                bytes[at] ^= 1 << bit;
            }
        }
        bytes.push(0);
        assert!(check_content(&bytes, &path).is_err());
        let message = check_content(&bytes[..bytes.len() - 4], &path).unwrap_err().to_string();
        assert!(message.contains("x.safetensors") && message.contains("cut short"), "{message}");
    }

    #[test]
    fn files_of_other_programs_carry_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let tensor = Tensor::new(&[1f32], &Device::Cpu).unwrap();
        candle_core::safetensors::save(&HashMap::from([("a", tensor)]), &path).unwrap();
        assert!(!check_content(&std::fs::read(&path).unwrap(), &path).unwrap());
        assert!(check_content(b"no file of ours", &path).is_err());
    }
}
