//! `mga weights inspect`: what is in a weight file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use indicatif::BinaryBytes;
use mga_core::wording::counted;
use mga_experiment::Components;
use mga_experiment::weight_file;
use mga_models::weights::not_safetensors;
use serde_json::json;

use super::pull;
use crate::output::print;

/// Arguments of `mga weights inspect`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mga weights inspect runs/first/checkpoints/best.safetensors\n  \
                        mga weights inspect timm/resnet18.tv_in1k --json")]
pub(super) struct Args {
    /// A safetensors file, the folder of a run or of an exported model, or a name as `mga weights pull` takes it.
    #[arg(value_name = "FILE|DIR|NAME")]
    weights: String,
    /// Print JSON: `file`, `metadata`, and `tensors` with name, dtype and shape.
    #[arg(long)]
    json: bool,
}

/// What the header of a file says.
struct Header {
    metadata: BTreeMap<String, String>,
    /// Name, type, shape, bytes; in the file's order of names.
    tensors: Vec<(String, String, Vec<usize>, usize)>,
}

/// Runs the command.
///
/// # Errors
/// A file that is not there or is no safetensors file, a name that leads to none.
pub(super) fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let local = PathBuf::from(args.weights.strip_prefix("file:").unwrap_or(&args.weights));
    let path = if local.exists() { weight_file(&local)? } else { pull::find(&args.weights, components)?.path };
    let header = read(&path)?;
    if args.json {
        let tensors: Vec<_> = header.tensors.iter().map(tensor_json).collect();
        let all = json!({ "file": path, "metadata": header.metadata, "tensors": tensors });
        return Ok(print(serde_json::to_string_pretty(&all)? + "\n")?);
    }
    let mut text = format!("{}\n", path.display());
    for (key, value) in &header.metadata {
        let shown: String = value.chars().take(200).collect();
        text += &format!("  {key}: {shown}{}\n", if shown.len() < value.len() { "…" } else { "" });
    }
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["tensor", "type", "shape"]);
    for (name, dtype, shape, _) in &header.tensors {
        table.add_row([name.clone(), dtype.clone(), format!("{shape:?}")]);
    }
    let numbers: usize = header.tensors.iter().map(|(_, _, shape, _)| shape.iter().product::<usize>()).sum();
    let bytes: usize = header.tensors.iter().map(|(.., bytes)| bytes).sum();
    let tensors = counted(header.tensors.len(), "tensor", "tensors");
    text += &format!("{table}\n{tensors}, {numbers} numbers, {}\n", BinaryBytes(bytes as u64));
    Ok(print(text)?)
}

fn tensor_json((name, dtype, shape, bytes): &(String, String, Vec<usize>, usize)) -> serde_json::Value {
    json!({ "name": name, "dtype": dtype, "shape": shape, "bytes": bytes })
}

/// Reads the header alone.
fn read(path: &Path) -> anyhow::Result<Header> {
    let header = mga_hub::read_header(path, &path.display().to_string()).map_err(|error| match error {
        mga_hub::Error::Broken { file, what } => anyhow::anyhow!("{file}: {}", not_safetensors(path, &what)),
        other => other.into(),
    })?;
    let tensors: BTreeMap<_, _> = header.tensors().into_iter().collect();
    let tensors = tensors.into_iter().map(|(name, info)| {
        (name, info.dtype.to_string(), info.shape.clone(), info.data_offsets.1 - info.data_offsets.0)
    });
    Ok(Header {
        tensors: tensors.collect(),
        metadata: header.metadata().iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect(),
    })
}
