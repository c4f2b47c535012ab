//! Writing weights: the file appears whole or not at all.

use std::collections::HashMap;
use std::path::Path;

use candle_core::Tensor;
use mga_core::{Error, Result};

/// Writes named tensors and metadata as safetensors: to a temporary file beside it, synced, then renamed.
pub fn save_file(tensors: &[(String, Tensor)], metadata: HashMap<String, String>, path: &Path) -> Result<()> {
    let cpu = tensors
        .iter()
        .map(|(name, tensor)| Ok((name.as_str(), tensor.to_device(&candle_core::Device::Cpu)?.contiguous()?)))
        .collect::<Result<Vec<_>>>()?;
    let views = cpu.iter().map(|(name, tensor)| (*name, tensor));
    write_by_rename(path, |file| Ok(safetensors::serialize_to_file(views, Some(metadata), file)?))
}

/// Lets `write` make a temporary file beside `path`, syncs it and renames it to `path`; takes it away where that fails.
pub(super) fn write_by_rename(path: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let failed = |e: std::io::Error| Error::Weights(format!("{}: cannot be written: {e}", path.display()));
    let written = write(&temporary)
        .map_err(|e| Error::Weights(format!("{}: cannot be written: {e}", path.display())))
        .and_then(|()| {
            let renamed = (|| {
                // safetensors makes files for their owner alone; weights are files like any other.
                #[cfg(unix)]
                std::fs::set_permissions(&temporary, std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
                std::fs::File::open(&temporary)?.sync_all()?;
                std::fs::rename(&temporary, path)?;
                // The rename itself must survive a power cut.
                match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                    Some(parent) => std::fs::File::open(parent)?.sync_all(),
                    None => Ok(()),
                }
            })();
            renamed.map_err(failed)
        });
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written
}
