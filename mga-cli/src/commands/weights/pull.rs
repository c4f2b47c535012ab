//! `mga weights pull`: weights into the cache.

use mga_experiment::Components;
use mga_train::weights_source::{self, WeightsFile};

use crate::output::print;

/// Arguments of `mga weights pull`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mga weights pull densenet161                          the default of that backbone
  mga weights pull timm/resnet50.a1_in1k@main
  HF_ENDPOINT=https://mirror.example mga weights pull owner/name@refs/pr/2

HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE are those of Python's huggingface_hub.")]
pub(super) struct Args {
    /// Published names, repositories of the hub (owner/name[@revision]), or backbones and segmentation networks.
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
}

/// Runs the command: a line a name, with the file's path.
///
/// # Errors
/// What [`weights_source::find`] says of a name.
pub(super) fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    for name in &args.names {
        let found = find(name, components)?;
        print(format!("{}\n  {}\n", found.label, found.path.display()))?;
    }
    Ok(())
}

/// The weights called `name` whatever they are for.
///
/// # Errors
/// What [`weights_source::find`] says.
pub(super) fn find(name: &str, components: &Components) -> anyhow::Result<WeightsFile> {
    let networks = components.networks();
    let id = name.split('@').next().unwrap_or(name);
    let published = networks.published(id).or_else(|| networks.default_weights(id));
    let (text, component) = match published {
        Some(weights) => (name.replacen(id, weights.name, 1), weights.component),
        None => {
            anyhow::ensure!(
                name.contains('/'),
                "`{name}` is neither a network with published weights nor owner/name; `mga weights list` shows those known"
            );
            (name.to_owned(), "")
        }
    };
    let found = weights_source::find(&text, component, networks, &components.hub)?;
    found.ok_or_else(|| anyhow::anyhow!("`{name}` names no weights"))
}
