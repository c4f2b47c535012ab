//! `mga list`: what an experiment can name.

use mga_core::optim::{Optimisers, Schedules};
use mga_data::masks::MaskSources;
use mga_data::registry::Datasets;
use mga_data::transforms::Transforms;
use mga_experiment::{Components, experiment_schema};
use mga_models::{Attentions, Backbones, Heads, Segmenters};
use mga_registry::{Kind, Registry};
use mga_report::html::{ReportSections, sections};
use mga_sweep::launchers::{Launchers, launchers};
use mga_sweep::search::{Searches, searches};
use serde_json::{Value, json};

use crate::output;

const EXAMPLE: &str = "\
Example:
  mga list
  mga list --json

The settings of each component are in `mga schema`.";

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
///
/// # Errors
/// A section of reports is to stand beside one that is not there.
pub fn groups(components: &Components) -> anyhow::Result<Vec<Group>> {
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
        of_kind::<Backbones>(components),
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
        group("network inputs", "model.input", named(&schema, "Input")),
        of_kind::<Attentions>(components),
        of_kind::<Heads>(components),
        group(
            MaskSources::TITLE,
            MaskSources::KEY,
            mask_sources(components).iter().map(|(name, about)| component(name, about)).collect(),
        ),
        group(
            Transforms::TITLE,
            "op, in data.train.transforms",
            components.kinds.all::<Transforms>().iter().map(|entry| component(&entry.name, &entry.about)).collect(),
        ),
        of_kind::<Optimisers>(components),
        of_kind::<Schedules>(components),
    ];
    let known = launchers(components);
    let known = known.iter().map(|entry| component(&entry.name, &entry.about)).collect();
    groups.push(group(Launchers::TITLE, "mga sweep --launcher", known));
    let known = searches(components);
    let known = known.iter().map(|entry| component(&entry.name, &entry.about)).collect();
    groups.push(group(Searches::TITLE, Searches::KEY, known));
    let known = sections(components)?;
    let known = known.iter().map(|entry| component(&entry.name, &entry.about)).collect();
    groups.push(group(ReportSections::TITLE, ReportSections::KEY, known));
    let stages = components.tasks.iter().flat_map(|task| task.stages().iter().map(|stage| (task.name(), stage)));
    let stages: Vec<Component> =
        stages.map(|(task, stage)| component(stage.name, &format!("of task {task}: {}", stage.about))).collect();
    if !stages.is_empty() {
        groups.push(group("stages", "stages.NAME, and run_stages", stages));
    }
    let listed = others(components).listing().into_iter().map(|kind| {
        let known = kind.components.iter().map(|known| component(&known.name, &known.about));
        group(kind.title, kind.key, known.collect())
    });
    groups.extend(listed);
    Ok(groups)
}

/// The kinds that [`groups`] has no words of its own for, told by their types: two kinds may have one title.
fn others(components: &Components) -> Registry {
    let kinds = components.kinds.clone().without::<Datasets>().without::<MaskSources>().without::<Transforms>();
    let kinds = kinds.without::<Backbones>().without::<Segmenters>().without::<Attentions>().without::<Heads>();
    let kinds = kinds.without::<Optimisers>().without::<Schedules>();
    kinds.without::<Launchers>().without::<Searches>().without::<ReportSections>()
}

/// What data sets bring, with the names of those that do, and then the registered sources.
fn mask_sources(components: &Components) -> Vec<(String, String)> {
    let mut offered: Vec<(&str, &str, Vec<&str>)> = Vec::new();
    for entry in components.kinds.all::<Datasets>() {
        for masks in entry.item.masks() {
            match offered.iter_mut().find(|(name, ..)| *name == masks.name) {
                Some((_, _, by)) => by.push(&entry.name),
                None => offered.push((masks.name, masks.about, vec![&entry.name])),
            }
        }
    }
    let registered = components.kinds.all::<MaskSources>().iter();
    let mut all: Vec<(String, String)> = Vec::new();
    for (name, about, by) in &offered {
        let (last, rest) = by.split_last().map_or(("", String::new()), |(last, rest)| (*last, rest.join(", ")));
        let by = if rest.is_empty() { last.to_owned() } else { format!("{rest} and {last}") };
        let otherwise = components.kinds.get::<MaskSources>(name).filter(|entry| entry.item.made_of().is_control());
        let otherwise = otherwise.map_or_else(String::new, |entry| format!("; otherwise {}", entry.about));
        all.push(((*name).to_owned(), format!("{about}, for {by}{otherwise}")));
    }
    let more = registered.filter(|entry| !offered.iter().any(|(name, ..)| *name == entry.name));
    all.extend(more.map(|entry| (entry.name.clone(), entry.about.clone())));
    all
}

/// The registered components of a kind.
fn of_kind<K: Kind>(components: &Components) -> Group {
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

/// The constants that a definition of the schema allows.
fn named(schema: &Value, definition: &str) -> Vec<Component> {
    let alternatives = schema["definitions"][definition]["oneOf"].as_array();
    let component = |alternative: &Value| {
        let about = alternative["description"].as_str().unwrap_or_default();
        Some(Component { name: alternative["const"].as_str()?.to_owned(), about: one_line(about) })
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
/// As of [`groups`]; standard output cannot be written.
pub fn run(args: Args, components: &Components) -> anyhow::Result<()> {
    let groups = groups(components)?;
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
    use std::sync::Arc;

    use mga_registry::Entry;
    use mga_report::html::{Content, ReportSection, Reported, SectionPlace};

    use super::*;

    #[test]
    fn every_component_has_a_line() {
        let groups = groups(&mga_train::builtin()).unwrap();
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
        assert_eq!(names("tasks"), ["classification", "segmentation", "few-shot"]);
        assert_eq!(names("methods"), ["mga", "plain"]);
        for source in ["alpha", "veins", "ones", "centre", "shuffled", "inverted", "silhouette", "none"] {
            assert!(names("mask sources").contains(&source), "{source}");
        }
        for component in groups.iter().flat_map(|group| &group.components) {
            assert!(!component.about.is_empty() && !component.about.contains('\n'), "{component:?}");
        }
    }

    #[test]
    fn the_masks_that_data_sets_bring_are_listed_with_them() {
        let listed = mask_sources(&mga_train::builtin());
        let about = |name: &str| listed.iter().find(|(known, _)| known == name).map(|(_, about)| about.as_str());
        assert_eq!(about("folder"), Some("mask files, for image-folder, mganet and table"));
        assert_eq!(
            about("silhouette"),
            Some("the exact outline, for leaves; otherwise control: the convex hull of the mask")
        );
        assert_eq!(about("shuffled"), Some("control: another image's mask"));
    }

    #[test]
    fn a_kind_that_shares_a_title_is_listed_too() {
        struct Others;
        impl Kind for Others {
            type Item = ();
            const TITLE: &'static str = Optimisers::TITLE;
            const KEY: &'static str = "other.name";
        }
        let entry = Entry::<Others>::new("other", "another", Arc::new(()));
        let groups = groups(&mga_train::builtin().with(entry)).unwrap();
        let titled = groups.iter().filter(|group| group.title == Optimisers::TITLE);
        assert_eq!(titled.map(|group| group.key).collect::<Vec<_>>(), [Optimisers::KEY, "other.name"]);
    }

    #[test]
    fn a_section_at_no_place_is_an_error() {
        struct Lost;
        impl ReportSection for Lost {
            fn title(&self) -> &str {
                "Lost"
            }
            fn place(&self) -> SectionPlace {
                SectionPlace::After("nothing")
            }
            fn content(&self, _: &Reported<'_>) -> anyhow::Result<Content> {
                Ok(Content::default())
            }
        }
        let entry = Entry::<ReportSections>::new("lost", "lost", Arc::new(Lost));
        let message = groups(&mga_train::builtin().with(entry)).unwrap_err().to_string();
        assert!(message.contains("`lost` stands beside `nothing`"), "{message}");
    }
}
