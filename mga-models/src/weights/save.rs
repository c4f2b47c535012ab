//! Writing weights: the file appears whole or not at all, and carries a hash over its content.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Seek, Write};
use std::path::Path;

use candle_core::Tensor;
use mga_core::{Error, Result, whole_file};
use safetensors::View;
use safetensors::tensor::TensorInfo;
use serde_json::{Map, Value, json};
use sha2::Digest;

use super::content::{self, HASH, KIND};

/// Writes named tensors and metadata as safetensors, by rename. The same tensors and metadata give the same bytes.
///
/// # Errors
/// The file cannot be written.
pub fn save_file(tensors: &[(String, Tensor)], metadata: HashMap<String, String>, path: &Path) -> Result<()> {
    let cpu = tensors
        .iter()
        .map(|(name, tensor)| Ok((name.as_str(), tensor.to_device(&candle_core::Device::Cpu)?.contiguous()?)))
        .collect::<Result<Vec<_>>>()?;
    save_views(cpu.iter().map(|(name, tensor)| (*name, tensor)).collect(), metadata, path)
}

/// [`save_file`] of anything that safetensors can look at.
pub(super) fn save_views<V: View>(
    mut tensors: Vec<(&str, V)>,
    metadata: HashMap<String, String>,
    path: &Path,
) -> Result<()> {
    let failed = |e: &dyn std::fmt::Display| Error::Weights(format!("{}: cannot be written: {e}", path.display()));
    // As safetensors itself lays them out: the widest numbers first, so that all are aligned.
    tensors.sort_by(|(a, left), (b, right)| right.dtype().cmp(&left.dtype()).then(a.cmp(b)));
    let mut offset = 0;
    let infos: Vec<TensorInfo> = tensors
        .iter()
        .map(|(_, tensor)| {
            let data_offsets = (offset, offset + tensor.data_len());
            offset = data_offsets.1;
            TensorInfo { dtype: tensor.dtype(), shape: tensor.shape().to_vec(), data_offsets }
        })
        .collect();
    let named = || tensors.iter().zip(&infos).map(|((name, _), info)| (*name, info));
    let mut metadata: BTreeMap<String, String> = metadata.into_iter().collect();
    metadata.insert(KIND.0.to_owned(), KIND.1.to_owned());
    let mut digest = content::begin(&metadata, named())?;
    // As long as the hash that takes its place.
    metadata.insert(HASH.to_owned(), "0".repeat(64));
    let unhashed = header(&metadata, named()).map_err(|e| failed(&e))?;
    whole_file::write(path, |file, _| {
        file.write_all(&unhashed)?;
        for (_, tensor) in &tensors {
            let data = tensor.data();
            digest.update(&data);
            file.write_all(&data)?;
        }
        metadata.insert(HASH.to_owned(), content::end(std::mem::take(&mut digest)));
        file.rewind()?;
        file.write_all(&header(&metadata, named())?)
    })
    .map_err(|e: io::Error| failed(&e))?;
    // The rename itself must survive a power cut.
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => whole_file::sync_folder(parent).map_err(|e| failed(&e)),
        None => Ok(()),
    }
}

/// The beginning of a safetensors file: the header's length and the header, filled up to a multiple of eight bytes.
fn header<'a>(
    metadata: &BTreeMap<String, String>,
    tensors: impl Iterator<Item = (&'a str, &'a TensorInfo)>,
) -> io::Result<Vec<u8>> {
    let mut all = Map::from_iter([("__metadata__".to_owned(), json!(metadata))]);
    for (name, info) in tensors {
        all.insert(name.to_owned(), serde_json::to_value(info)?);
    }
    let mut text = Value::Object(all).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut bytes = (text.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut text);
    Ok(bytes)
}
