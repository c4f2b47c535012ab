//! `mga weights list`: the registry and the cache.

use indicatif::BinaryBytes;
use mga_experiment::Components;
use mga_hub::{CachedRepo, Kind};
use mga_train::weights_source::short;
use serde_json::json;

use crate::output::print;

/// Arguments of `mga weights list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mga weights list --json")]
pub(super) struct Args {
    /// Print JSON: `published` weights, and the `cached` repositories with their files.
    #[arg(long)]
    json: bool,
}

/// Runs the command. Nothing is asked of the hub.
///
/// # Errors
/// Standard output cannot be written.
pub(super) fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let cache = components.hub.cache();
    let mut cached = cache.repos(Kind::Model);
    cached.retain(|repo| repo.files.iter().any(|(file, _)| file.ends_with(".safetensors")));
    if args.json {
        let published: Vec<_> = components.networks().weights().map(|weights| published(weights, &cached)).collect();
        let cached: Vec<_> = cached.iter().map(cached_json).collect();
        let all = json!({ "cache": cache.root(), "published": published, "cached": cached });
        return Ok(print(serde_json::to_string_pretty(&all)? + "\n")?);
    }
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["name", "for", "images", "classes", "licence", "in the cache"]);
    for weights in components.networks().weights() {
        let found = of(weights.repo, &cached);
        let size =
            found.iter().flat_map(|repo| &repo.files).find(|(file, _)| file == weights.file).map(|(_, size)| *size);
        table.add_row([
            weights.name.to_owned(),
            if weights.default { format!("{} (imagenet)", weights.component) } else { weights.component.to_owned() },
            format!("{} px {}", weights.size, weights.interpolation),
            weights.classes.to_string(),
            if weights.licence.is_empty() { "not known".to_owned() } else { weights.licence.to_owned() },
            size.map_or_else(|| "-".to_owned(), |size| BinaryBytes(size).to_string()),
        ]);
    }
    let mut text = format!("{table}\n\ncache: {}\n", cache.root().display());
    for repo in &cached {
        let size: u64 = repo.files.iter().map(|(_, size)| size).sum();
        let refs = if repo.refs.is_empty() { String::new() } else { format!(" ({})", repo.refs.join(", ")) };
        text += &format!("  {}@{}{refs}  {}\n", repo.id, short(&repo.commit), BinaryBytes(size));
    }
    Ok(print(text)?)
}

fn of<'a>(id: &str, cached: &'a [CachedRepo]) -> Vec<&'a CachedRepo> {
    cached.iter().filter(|repo| repo.id == id).collect()
}

fn published(weights: &mga_models::weights::PublishedWeights, cached: &[CachedRepo]) -> serde_json::Value {
    json!({
        "name": weights.name,
        "component": weights.component,
        "default": weights.default,
        "repo": weights.repo,
        "file": weights.file,
        "revision": weights.revision,
        "mean": weights.mean,
        "std": weights.std,
        "size": weights.size,
        "interpolation": weights.interpolation,
        "crop_pct": weights.crop_pct,
        "classes": weights.classes,
        "licence": if weights.licence.is_empty() { None } else { Some(weights.licence) },
        "cached": of(weights.repo, cached).into_iter().map(cached_json).collect::<Vec<_>>(),
    })
}

fn cached_json(repo: &CachedRepo) -> serde_json::Value {
    let files: Vec<_> = repo.files.iter().map(|(file, size)| json!({ "file": file, "bytes": size })).collect();
    json!({ "repo": repo.id, "commit": repo.commit, "refs": repo.refs, "files": files })
}
