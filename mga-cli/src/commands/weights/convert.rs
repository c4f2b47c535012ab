//! `mga weights convert`: a PyTorch checkpoint as safetensors.

use std::path::PathBuf;

use mga_core::wording::counted;
use mga_models::weights::{convert, write_converted};

use crate::output::print;

const EXAMPLE: &str = "\
Examples:
  mga weights convert mganet_best.pth mganet.safetensors
  mga weights convert deeplabv3_resnet50_coco.pth deeplabv3.safetensors

  mga weights convert run.pth averages.safetensors --key state_dict_ema

A checkpoint is a program for Python's pickle machine, and nothing of it is run. Tensors and plain values are read, other
objects are left out and named, and a file that asks Python to run a program is refused. The state dict may be below
state_dict, model, net and similar keys.";

/// Arguments of `mga weights convert`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub(super) struct Args {
    /// The checkpoint: a file of torch.save, of any version since 2017.
    #[arg(value_name = "IN.pth")]
    input: PathBuf,
    /// The file to write.
    #[arg(value_name = "OUT.safetensors")]
    output: PathBuf,
    /// The key of the weights, if the checkpoint has several: state_dict_ema, or model.ema for a key below another.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Replace an existing file.
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
        "{}: already exists; --force replaces it",
        args.output.display()
    );
    let converted = convert(&args.input, args.key.as_deref())?;
    write_converted(&converted, &args.output)?;
    let types: Vec<String> = converted.types().iter().map(|(name, count)| format!("{count} {name}")).collect();
    let mut text = format!(
        "{}: {} ({}), {} numbers\n",
        args.output.display(),
        counted(converted.tensors.len(), "tensor", "tensors"),
        types.join(", "),
        converted.numbers()
    );
    if !converted.below.is_empty() {
        text += &format!("found below {}\n", converted.below.join("."));
    }
    if !converted.wrapper.is_empty() {
        text += &format!("removed from all names: the prefix `{}`\n", converted.wrapper);
    }
    if let Some(layout) = converted.layout {
        text += &format!("renamed: {layout}\n");
    }
    if !converted.left_out.is_empty() {
        text += &format!("left out: {}\n", converted.left_out.join(", "));
    }
    converted.notes.iter().for_each(|note| text += &format!("note: {note}\n"));
    Ok(print(text)?)
}
