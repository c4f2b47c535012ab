//! `mga weights convert`: a PyTorch checkpoint as safetensors.

use std::path::PathBuf;

use mga_models::weights::{convert, write_converted};

use crate::output::print;

const EXAMPLE: &str = "\
Examples:
  mga weights convert mganet_best.pth mganet.safetensors
  mga weights convert deeplabv3_resnet50_coco.pth deeplabv3.safetensors

A checkpoint is a program for Python's pickle machine. Nothing of it is run: tensors and plain values are read, whatever
else it asks for is refused by name. The state dict may lie below net, state_dict, params, model and their like.";

/// Arguments of `mga weights convert`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// The checkpoint: a zip archive, as PyTorch writes since version 1.6.
    #[arg(value_name = "IN.pth")]
    input: PathBuf,
    /// The file to write.
    #[arg(value_name = "OUT.safetensors")]
    output: PathBuf,
    /// Replace a file that is there already.
    #[arg(long)]
    force: bool,
}

/// Runs the command.
///
/// # Errors
/// A checkpoint that is refused, and why; an output that is there already or cannot be written.
pub(super) fn run(args: Args) -> anyhow::Result<()> {
    anyhow::ensure!(
        args.output.extension().is_some_and(|extension| extension == "safetensors"),
        "{}: the output is a safetensors file; name it NAME.safetensors",
        args.output.display()
    );
    anyhow::ensure!(
        args.force || !args.output.exists(),
        "{}: there already; --force replaces it",
        args.output.display()
    );
    let converted = convert(&args.input)?;
    write_converted(&converted, &args.output)?;
    let types: Vec<String> = converted.types().iter().map(|(name, count)| format!("{count} {name}")).collect();
    let mut text = format!(
        "{}: {} tensors ({}), {} numbers\n",
        args.output.display(),
        converted.tensors.len(),
        types.join(", "),
        converted.numbers()
    );
    if !converted.below.is_empty() {
        text += &format!("they lay below {}\n", converted.below.join("."));
    }
    if let Some(layout) = converted.layout {
        text += &format!("renamed: {layout}\n");
    }
    if !converted.left_out.is_empty() {
        text += &format!("left out, being no tensors: {}\n", converted.left_out.join(", "));
    }
    Ok(print(text)?)
}
