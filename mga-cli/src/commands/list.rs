//! `mga list`: what an experiment can name.

use mga_data::registry::Datasets;
use mga_data::transforms::Transforms;
use mga_experiment::{Components, experiment_schema};
use mga_models::{Attentions, Backbones, Heads, Segmenters};
use mga_registry::Kind;
use mga_report::html::{ReportSections, builtin as builtin_sections, sections};
use mga_sweep::launchers::{Launchers, launchers};
use mga_sweep::search::{Searches, searches};
use serde_json::{Value, json};

use crate::output;

const EXAMPLE: &str = "\
Example:
  mga list
  mga list --json

The settings of each component are in `mga schema`.";

/// Masks that are no component of their own: what data sets offer, and the controls.
const MASK_SOURCES: [(&str, &str); 9] = [
    ("folder", "mask files, for image-folder, mganet and table"),
    ("column", "the column of masks, for hub"),
    ("alpha", "the images' own alpha channel, for image-folder, mganet and table"),
    ("veins", "the exact veins, for leaves"),
    ("silhouette", "control: the filled outline, exact for leaves, else the convex hull of the mask"),
    ("ones", "control: 1 everywhere"),
    ("centre", "control: a Gaussian around the centre of the image"),
    ("shuffled", "control: another image's mask"),
    ("inverted", "control: 1 minus the mask"),
];

/// Arguments of `mga list`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Args {
    /// Print JSON: a list of groups, each with its title, the key of the experiment that names it, and its components.
    #[arg(long)]
    json: bool,
}

/// Components of one kind.
#[derive(Debug, PartialEq, serde::Serialize)]
pub struct Group {
    /// The title of the kind.
    pub title: &'static str,
    /// The key of the experiment that names one.
    pub key: &'static str,
    /// Name and one line about it.
    pub components: Vec<Component>,
}

/// A listed component.
#[derive(Debug, PartialEq, serde::Serialize)]
pub struct Component {
    /// The name in the experiment file.
    pub name: String,
    /// A description in one line.
    pub about: String,
}

/// Returns every component, by kind.
#[must_use]
pub fn groups(components: &Components) -> Vec<Group> {
    // The descriptions of settings are in the schema, and nowhere twice.
    let schema = experiment_schema(components);
    let group = |title, key, components| Group { title, key, components };
    let component = |name: &str, about: &str| Component { name: name.to_owned(), about: one_line(about) };
    let mut groups = vec![
        group(
            "data sets",
            "data.dataset",
            components.kinds.all::<Datasets>().iter().map(|entry| component(&entry.name, &entry.about)).collect(),
        ),
        registered::<Backbones>(components),
        group(
            "segmentation networks, trained with task = \"segmentation\"",
            "model.backbone",
            components.trained_networks().map(|(entry, _)| component(&entry.name, &entry.about)).collect(),
        ),
        group(
            "segmenters",
            "data.masks.source, and mga masks --segmenter",
            segmenters(components).map(|(name, about)| component(name, about)).collect(),
        ),
        group("network inputs", "model.input", named(&schema, "Input", None)),
        registered::<Attentions>(components),
        registered::<Heads>(components),
        group(
            "mask sources",
            "data.masks.source",
            MASK_SOURCES.iter().map(|(name, about)| component(name, about)).collect(),
        ),
        group(
            Transforms::TITLE,
            "op, in data.train.transforms",
            components.kinds.all::<Transforms>().iter().map(|entry| component(&entry.name, &entry.about)).collect(),
        ),
        group("optimisers", "optimiser.name", named(&schema, "Optimiser", Some("name"))),
        group("schedules", "schedule.name", named(&schema, "Schedule", Some("name"))),
    ];
    let known = launchers(components);
    let known = known.iter().map(|entry| component(&entry.name, &entry.about)).collect();
    groups.push(group(Launchers::TITLE, "mga sweep --launcher", known));
    let known = searches(components);
    let known = known.iter().map(|entry| component(&entry.name, &entry.about)).collect();
    groups.push(group(Searches::TITLE, Searches::KEY, known));
    let known = sections(components).unwrap_or_else(|_| builtin_sections());
    let known = known.iter().map(|entry| component(&entry.name, &entry.about)).collect();
    groups.push(group(ReportSections::TITLE, ReportSections::KEY, known));
    for kind in components.kinds.listing() {
        if groups.iter().any(|known| known.title == kind.title) {
            continue;
        }
        let known = kind.components.iter().map(|known| component(&known.name, &known.about));
        groups.push(group(kind.title, kind.key, known.collect()));
    }
    groups
}

/// The components of a kind.
fn registered<K: Kind>(components: &Components) -> Group {
    let known = components.kinds.all::<K>().iter();
    let known = known.map(|entry| Component { name: entry.name.clone(), about: one_line(&entry.about) });
    Group { title: K::TITLE, key: K::KEY, components: known.collect() }
}

/// Everything that gives images masks: files, rules, networks.
fn segmenters(components: &Components) -> impl Iterator<Item = (&str, &str)> {
    let files = [("file", "mask files, as the source `folder`"), ("alpha", "the images' own alpha channel")];
    let known = components.kinds.all::<Segmenters>().iter().map(|entry| (entry.name.as_str(), entry.about.as_str()));
    files.into_iter().chain(known)
}

/// The alternatives of a definition of the schema: by the constant under `tag`, or constants themselves.
fn named(schema: &Value, definition: &str, tag: Option<&str>) -> Vec<Component> {
    let alternatives = schema["definitions"][definition]["oneOf"].as_array();
    let component = |alternative: &Value| {
        let name = match tag {
            Some(tag) => &alternative["properties"][tag]["const"],
            None => &alternative["const"],
        };
        let about = alternative["description"].as_str().unwrap_or_default();
        Some(Component { name: name.as_str()?.to_owned(), about: one_line(about) })
    };
    alternatives.into_iter().flatten().filter_map(component).collect()
}

/// Without its last full stop, on one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned()
}

/// Runs the command.
///
/// # Errors
/// Standard output cannot be written.
pub fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let groups = groups(components);
    if args.json {
        return Ok(output::print(serde_json::to_string_pretty(&json!(groups))? + "\n")?);
    }
    let names = groups.iter().flat_map(|group| &group.components).map(|component| component.name.chars().count());
    let width = names.max().unwrap_or(0);
    let mut text = String::new();
    for group in &groups {
        text += &format!("{} ({})\n", group.title, group.key);
        for Component { name, about } in &group.components {
            text += &format!("  {name:width$}  {about}\n");
        }
        text += "\n";
    }
    Ok(output::print(text.trim_end().to_owned() + "\n")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_component_has_a_line() {
        let groups = groups(&mga_train::builtin());
        let names = |title: &str| -> Vec<&str> {
            let group = groups.iter().find(|group| group.title == title).unwrap();
            group.components.iter().map(|component| component.name.as_str()).collect()
        };
        assert!(names("data sets").contains(&"leaves") && names("backbones").contains(&"densenet161"));
        let segmenters = names("segmenters");
        assert!(["file", "alpha", "otsu", "excess-green", "unet_small"].iter().all(|name| segmenters.contains(name)));
        assert_eq!(names("attention"), ["none", "multiply", "residual", "concat", "cbam-spatial"]);
        assert_eq!(names("heads"), ["linear", "vgg", "cosine"]);
        assert_eq!(names("network inputs"), ["image", "image-and-mask", "masked-image"]);
        assert_eq!(names("optimisers"), ["sgd", "adamw"]);
        assert_eq!(names("schedules"), ["cosine", "step", "polynomial", "constant"]);
        assert!(names("transforms").contains(&"random-erase"));
        assert_eq!(names("tasks"), ["classification", "segmentation"]);
        assert_eq!(names("methods"), ["mga", "plain"]);
        assert!(mga_data::masks::CONTROLS.iter().all(|control| names("mask sources").contains(control)));
        for component in groups.iter().flat_map(|group| &group.components) {
            assert!(!component.about.is_empty() && !component.about.contains('\n'), "{component:?}");
        }
    }

    #[test]
    fn the_mask_sources_of_leaves_are_listed() {
        let entry = mga_data::registry::builtin().get::<Datasets>("leaves").unwrap().clone();
        let leaves = entry.item.open(&json!({}), &mga_data::registry::OpenContext::default()).unwrap();
        assert!(leaves.mask_sources().iter().all(|source| MASK_SOURCES.iter().any(|(name, _)| name == source)));
    }
}
