//! Writing weights: the file appears whole or not at all.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use candle_core::Tensor;
use mga_core::{Error, Result};

/// Writes named tensors and metadata as safetensors: to a temporary file beside it, synced, then renamed.
pub fn save_file(tensors: &[(String, Tensor)], metadata: HashMap<String, String>, path: &Path) -> Result<()> {
    let failed = |e: std::io::Error| Error::Weights(format!("{}: cannot be written: {e}", path.display()));
    let cpu = tensors
        .iter()
        .map(|(name, tensor)| Ok((name.as_str(), tensor.to_device(&candle_core::Device::Cpu)?.contiguous()?)))
        .collect::<Result<Vec<_>>>()?;
    let bytes = safetensors::serialize(cpu.iter().map(|(name, tensor)| (*name, tensor)), Some(metadata))?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let written = (|| {
        let mut file = std::fs::File::create(&temporary)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        // The rename itself must survive a power cut.
        match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            Some(parent) => std::fs::File::open(parent)?.sync_all(),
            None => Ok(()),
        }
    })();
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written.map_err(failed)
}
