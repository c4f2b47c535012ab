//! `mga bench`: times steps of a network, loading and transport, to be held against other programs (see docs/performance.md).

mod gradients;
mod load;
mod steps;
mod transport;

use std::path::PathBuf;

use mga_experiment::Components;
use steps::{Setting, Work};

use crate::output;

const EXAMPLE: &str = "\
Examples:
  mga bench train --backbone densenet161 --size 448 --batch 2 --freeze-through transition2 --attention residual
  mga bench infer --backbone resnet50 --batch 8 --threads 2 --json
  mga bench transport --solver sinkhorn --nodes 25 --threads 1";

/// Arguments of `mga bench`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    /// What to time.
    #[command(subcommand)]
    work: Bench,
}

/// What can be timed.
#[derive(Debug, clap::Subcommand)]
enum Bench {
    /// Training steps: forward, backward, SGD with momentum.
    Train(Train),
    /// Forward passes in evaluation mode.
    Infer(Network),
    /// Loading images: decode, random crop, flip, normalise.
    Load(load::Load),
    /// Optimal transport between the nodes of images.
    Transport(transport::Transport),
}

/// The network and its input.
#[derive(Debug, clap::Args)]
struct Network {
    /// The backbone, by its registered name.
    #[arg(long)]
    backbone: String,
    /// Height and width of the images, in pixels.
    #[arg(long, default_value_t = 224)]
    size: usize,
    /// Images in a batch.
    #[arg(long, default_value_t = 8)]
    batch: usize,
    /// The attention: none, multiply, residual, concat or cbam-spatial. If it is left out, there is no attention map.
    #[arg(long)]
    attention: Option<String>,
    /// Threads; 0 uses one per core.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// The number of timed steps, after two untimed steps. More are timed if `--seconds` requires it.
    #[arg(long, default_value_t = 5)]
    steps: usize,
    /// Continue until this many seconds were timed.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// The device: cpu, cuda:0 or auto.
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Print one line of JSON.
    #[arg(long)]
    json: bool,
}

/// Training beside the network.
#[derive(Debug, clap::Args)]
struct Train {
    #[command(flatten)]
    network: Network,
    /// The last frozen stage.
    #[arg(long)]
    freeze_through: Option<String>,
    /// Drop what the backward pass can compute again: less memory, somewhat more time.
    #[arg(long)]
    recompute: bool,
    /// Compute the gradients for the weights, images and labels in this file (written by `scripts/compare/step.py`)
    /// instead of timing, and fail if they are farther than 1e-5 from those in the file.
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// An unknown name; a size the network cannot take; gradients that disagree.
pub fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let (work, network, freeze_through, check) = match args.work {
        Bench::Train(train) => {
            (Work::Train { recompute: train.recompute }, train.network, train.freeze_through, train.check)
        }
        Bench::Infer(network) => (Work::Infer, network, None, None),
        Bench::Load(load) => return load::run(load),
        Bench::Transport(args) => return transport::run(args, components),
    };
    mga_train::assemble::use_threads(network.threads);
    let json = network.json;
    let setting = Setting {
        backbone: network.backbone,
        size: network.size,
        batch: network.batch,
        attention: network.attention,
        freeze_through,
        device: network.device,
        least: (network.steps, network.seconds),
    };
    if let Some(file) = check {
        return Ok(output::print(gradients::check(&setting, work, &file, components)?)?);
    }
    let times = steps::time(&setting, work, components)?;
    let text = if json { serde_json::to_string(&times)? + "\n" } else { times.to_string() };
    Ok(output::print(text)?)
}
