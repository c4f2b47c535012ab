//! A setting that is added later leaves identities alone: its schema says what older releases did without it, or no number
//! depends on it.

use std::collections::BTreeSet;
use std::path::Path;

use mga_data::registry::PATH_MARK;
use mga_data::transforms::Rounding;
use mga_experiment::{Experiment, OLDER_RELEASES, Overrides, experiment_schema, load_text};
use mga_train::identity::{experiment_hash, is_neutral};
use serde_json::{Value, json};

/// The settings of release 0.1.0, as [`Walk`] writes them.
const FROZEN: &str = include_str!("settings-0.1.0.txt");

/// The hash of an experiment in its identity.
fn hash_of(settings: &str) -> String {
    let components = mga_train::builtin();
    let text = format!(
        "eval.select_on = 'last'\ndata.dataset = 'leaves'\nmodel.backbone = 'conv4'\nschedule.epochs = 1\n{settings}"
    );
    let loaded = load_text(&text, &Overrides::default(), &components).unwrap();
    experiment_hash(&loaded.experiment, &experiment_schema(&components)).unwrap()
}

#[test]
fn a_default_that_is_written_out_changes_no_identity() {
    let none = hash_of("");
    for written in [
        "model.attention = 'residual'",
        "model.attention = { name = 'residual' }",
        "model.attention = { name = 'residual', map = 'mga' }",
        "model.head = 'linear'",
        "model.head = { name = 'linear' }",
        "method.name = 'mga'",
    ] {
        assert_eq!(hash_of(written), none, "{written}");
    }
    let unguided = hash_of("model.mask_guidance = false");
    for written in ["method.name = 'plain'", "method.name = 'plain'\nmodel.mask_guidance = false"] {
        assert_eq!(hash_of(written), unguided, "{written}");
    }
    let cosine = hash_of("model.head = 'cosine'");
    assert_eq!(hash_of("model.head = { name = 'cosine', scale = 10, learn_scale = false }"), cosine);
    assert_ne!(hash_of("model.head = { name = 'cosine', scale = 20.0 }"), cosine);
    for other in ["model.attention = { name = 'residual', map = 'cbam' }", "model.mask_guidance = false"] {
        assert_ne!(hash_of(other), none, "{other}");
    }
}

/// Goes through the settings of a schema. A setting is written as its keys, with the component that it belongs to in
/// brackets: `data[dataset=table].columns.file`.
struct Walk<'a> {
    root: &'a Value,
    known: &'a BTreeSet<&'a str>,
    all: BTreeSet<String>,
    /// Settings that are in no release before, and whose schema says nothing of those.
    unsaid: BTreeSet<String>,
}

impl<'a> Walk<'a> {
    fn new(root: &'a Value, known: &'a BTreeSet<&'a str>) -> Self {
        let mut walk = Self { root, known, all: BTreeSet::new(), unsaid: BTreeSet::new() };
        walk.table(root, "", false, &[]);
        walk
    }

    /// `excused`: no older release had what the settings are of.
    fn table(&mut self, schema: &'a Value, path: &str, excused: bool, within: &[&str]) {
        let target = schema.get("$ref").and_then(Value::as_str).filter(|target| !within.contains(target));
        if let Some(target) = target {
            let found = self.root.pointer(target.trim_start_matches('#')).unwrap();
            return self.table(found, path, excused, &[within, &[target]].concat());
        }
        for (key, property) in schema["properties"].as_object().into_iter().flatten().filter(|(_, p)| p.is_object()) {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            let excused = excused || property.get(OLDER_RELEASES).is_some();
            let is_neutral = property.get(PATH_MARK).is_some() || is_neutral(&plain(&path));
            if !excused && !self.known.contains(path.as_str()) && !is_neutral {
                self.unsaid.insert(path.clone());
            }
            self.table(property, &path, excused, within);
            self.all.insert(path);
        }
        let parts = ["oneOf", "anyOf", "allOf"].into_iter().filter_map(|key| schema[key].as_array()).flatten();
        for part in parts {
            let Some((tag, names)) = self.named(part) else {
                self.table(part, path, excused, within);
                continue;
            };
            for name in names {
                let path = format!("{path}[{tag}={name}]");
                let is_new = !self.known.contains(format!("{path}.{tag}").as_str());
                self.table(part, &path, excused || is_new, within);
            }
        }
        if schema["items"].is_object() {
            self.table(&schema["items"], &format!("{path}[]"), excused, within);
        }
        if schema["additionalProperties"].is_object() {
            self.table(&schema["additionalProperties"], &format!("{path}.*"), excused, within);
        }
    }

    /// The key and the names of the components that an alternative is for.
    fn named(&self, part: &'a Value) -> Option<(&'a str, Vec<&'a str>)> {
        let found =
            part.get("$ref").and_then(Value::as_str).and_then(|at| self.root.pointer(at.trim_start_matches('#')));
        let properties = found.unwrap_or(part)["properties"].as_object()?;
        properties.iter().find_map(|(key, schema)| {
            let one = schema["const"].as_str().map(|name| vec![name]);
            let many = || schema["enum"].as_array()?.iter().map(Value::as_str).collect();
            Some((key.as_str(), one.or_else(many)?))
        })
    }
}

/// The keys alone: `data.columns.file`.
fn plain(path: &str) -> String {
    let mut keys = String::new();
    let mut depth = 0;
    for letter in path.chars() {
        match letter {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ if depth == 0 => keys.push(letter),
            _ => {}
        }
    }
    keys
}

fn frozen() -> BTreeSet<&'static str> {
    FROZEN.lines().filter(|line| !line.starts_with('#')).collect()
}

#[test]
fn every_setting_that_came_later_says_what_older_releases_did() {
    let (schema, known) = (experiment_schema(&mga_train::builtin()), frozen());
    let walk = Walk::new(&schema, &known);
    assert!(
        walk.unsaid.is_empty(),
        "{:#?}: in no release yet. Say in the setting's struct what releases without it behaved as, so that runs keep their \
         identities: #[schemars(extend(\"{OLDER_RELEASES}\" = VALUE))], null for left out; or, where no number depends on \
         it, name it in mga_train::identity",
        walk.unsaid
    );
    let gone: Vec<_> = known.iter().filter(|key| !walk.all.contains(**key)).collect();
    assert!(gone.is_empty(), "settings of release 0.1.0 that are known no more: {gone:#?}");
}

#[test]
fn a_setting_that_says_nothing_is_found() {
    let mut schema = experiment_schema(&mga_train::builtin());
    let own = json!({ "type": "boolean" });
    schema["properties"]["new"] = own.clone();
    schema["definitions"]["Data"]["properties"]["new"] = own.clone();
    schema["definitions"]["Masks"]["properties"]["new"] = own.clone();
    let table = schema["definitions"]["Data"]["oneOf"].as_array_mut().unwrap();
    let of =
        |part: &Value, name: &str| part["properties"]["dataset"]["enum"].as_array().unwrap().contains(&json!(name));
    table.iter_mut().find(|part| of(part, "table")).unwrap()["properties"]["new"] = own;
    let known = frozen();
    let unsaid: Vec<_> = Walk::new(&schema, &known).unsaid.into_iter().collect();
    // `eval.reference_masks` is new as a whole.
    assert_eq!(unsaid, ["data.masks.new", "data.new", "data[dataset=table].new", "new"]);
}

#[test]
fn the_value_of_older_releases_stands_in_no_identity_and_another_does() {
    let components = mga_train::builtin();
    let schema = experiment_schema(&components);
    let quickstart = Path::new(env!("CARGO_MANIFEST_DIR")).join("../experiments/quickstart.toml");
    let text = std::fs::read_to_string(quickstart).unwrap();
    let hash = |change: &dyn Fn(&mut Experiment)| {
        let mut loaded = load_text(&text, &Overrides::default(), &components).unwrap_or_else(|error| panic!("{error}"));
        change(&mut loaded.experiment);
        experiment_hash(&loaded.experiment, &schema).unwrap()
    };
    let plain = hash(&|_| ());
    let white = |value| hash(&move |experiment| experiment.data.white_point = Some(value));
    assert_eq!((white(u16::MAX) == plain, white(4095) == plain), (true, false));
    let rounded = |value| hash(&move |experiment| experiment.data.resize_rounding = Some(value));
    assert_eq!((rounded(Rounding::None) == plain, rounded(Rounding::EightBit) == plain), (true, false));
    let weighed = |value| hash(&move |experiment| experiment.objective.weigh_classes = value);
    assert_eq!((weighed(false) == plain, weighed(true) == plain), (true, false));
    // In a component's own settings, which the experiment holds as they were written.
    let folder = |level: Option<usize>| {
        hash(&move |experiment| {
            experiment.data.dataset = "image-folder".to_owned();
            experiment.data.settings =
                level.map(|level| ("class_level".to_owned(), level.into())).into_iter().collect();
        })
    };
    assert_eq!((folder(Some(1)) == folder(None), folder(Some(2)) == folder(None)), (true, false));
}
