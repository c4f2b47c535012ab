//! How networks were trained, in sentences: of runs of several stages what all share, then what is each stage's own.

use serde_json::{Map, Value};

use super::component_words::ComponentWords;
use super::transform_words;
use super::wording::show;
use crate::results::{Record, Summary};

/// Experiments of several runs, or of one stage of them.
struct Settings<'a>(Vec<&'a Value>);

impl<'a> Settings<'a> {
    /// A setting that all runs share.
    fn get(&self, key: &str) -> Option<&'a Value> {
        let at = |value: &'a Value| key.split('.').try_fold(value, |value, part| value.get(part));
        let first = at(self.0.first()?)?;
        self.0.iter().all(|value| at(value) == Some(first)).then_some(first)
    }

    /// The settings of a table that all runs share.
    fn table(&self, table: &str) -> Map<String, Value> {
        let keys = self.0.first().and_then(|value| value.get(table)?.as_object()).into_iter().flatten();
        keys.filter_map(|(key, _)| Some((key.clone(), self.get(&format!("{table}.{key}"))?.clone()))).collect()
    }

    fn text(&self, key: &str) -> Option<String> {
        self.get(key).map(show)
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.get(key).and_then(Value::as_f64)
    }
}

/// A stage that all runs have.
struct Stage<'a> {
    name: &'a str,
    settings: Settings<'a>,
    /// `fit`, `extract` or `test`.
    work: &'a str,
    /// What is said of it, a sentence each, that could be said of other stages too.
    sentences: Vec<String>,
    /// Its optimiser, schedule and the like; empty where nothing is trained.
    recipe: Vec<String>,
}

/// The paragraph on training of these runs.
pub(super) fn training(records: &[&Record], words: &ComponentWords) -> String {
    let stages = |record: &&Record| record.stages.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let Some(names) = records.first().map(stages) else { return String::new() };
    let same = records.iter().all(|record| stages(record) == names);
    if !same && records.iter().any(|record| record.stages.len() > 1) {
        return "The runs have different stages; the recipe of each stands in the run's experiment.toml.".to_owned();
    }
    if names.len() > 1 {
        return of_stages(records, words);
    }
    let settings = Settings(records.iter().filter_map(|record| record.experiment.as_ref()).collect());
    let fits = records.iter().all(|record| work(record.summary.as_ref()).is_none_or(|work| work == "fit"));
    let mut sentences = Vec::new();
    if let Some(backbone) = settings.text("model.backbone") {
        let start = start(&settings).map(|start| format!(", {start}")).unwrap_or_default();
        sentences.push(format!("The network is {backbone}{start}."));
    }
    sentences.extend(frozen(&settings));
    let recipe = if fits { recipe(&settings, words) } else { Vec::new() };
    if !recipe.is_empty() {
        sentences.push(format!("Training: {}.", recipe.join(", ")));
    }
    if !fits {
        sentences.push("Nothing was trained.".to_owned());
    }
    sentences.extend(transforms(&settings));
    sentences.join(" ")
}

/// What a summary says that was done.
fn work(summary: Option<&Summary>) -> Option<&str> {
    summary?.others.get("work")?.as_str()
}

fn of_stages(records: &[&Record], words: &ComponentWords) -> String {
    let line = |record: &'_ Record, name: &str| -> Option<Value> {
        let lines = record.summary.as_ref()?.others.get("stages")?.as_array()?;
        lines.iter().find(|line| line.get("name").is_some_and(|known| known == name)).cloned()
    };
    let Some(first) = records.first() else { return String::new() };
    let mut stages: Vec<Stage<'_>> = Vec::new();
    for (at, (name, _)) in first.stages.iter().enumerate() {
        let settings =
            Settings(records.iter().filter_map(|record| record.stages.get(at)).map(|(_, own)| own).collect());
        let told = line(first, name).unwrap_or_default();
        let work = match told.get("work").and_then(Value::as_str) {
            Some("extract") => "extract",
            Some("test") => "test",
            _ => "fit",
        };
        let mut sentences = Vec::new();
        sentences.extend(settings.text("model.backbone").map(|backbone| format!("The network is {backbone}.")));
        sentences.extend(settings.text("data.dataset").map(|set| {
            let count = |key: &str| told.get(key).and_then(Value::as_u64);
            let counts = ["train_images", "validation_images", "test_images"].map(count);
            match counts {
                [Some(train), Some(validation), Some(test)] => {
                    format!("Its data are {set}: {train} training, {validation} validation and {test} test images.")
                }
                _ => format!("Its data are {set}."),
            }
        }));
        sentences.extend(frozen(&settings));
        sentences.extend(transforms(&settings));
        let recipe = if work == "fit" { recipe(&settings, words) } else { Vec::new() };
        stages.push(Stage { name, settings, work, sentences, recipe });
    }
    let said = common(stages.iter().map(|stage| &stage.sentences));
    let trained = common(stages.iter().filter(|stage| stage.work == "fit").map(|stage| &stage.recipe));
    let mut text = vec![format!("A run has {} stages.", stages.len())];
    // The data of all stages are those of the paragraph on data.
    text.extend(said.iter().filter(|sentence| !sentence.starts_with("Its data are ")).cloned());
    if !trained.is_empty() {
        text.push(format!("Training in every stage that fits: {}.", trained.join(", ")));
    }
    for stage in &stages {
        let what = match stage.work {
            "extract" => " extracts tensors and trains nothing",
            "test" => " is evaluated and trains nothing",
            _ => " fits",
        };
        let mut sentence = format!("Stage {}{what}", stage.name);
        sentence += &start(&stage.settings).map(|start| format!(", {start}")).unwrap_or_default();
        let own: Vec<&str> = stage.recipe.iter().filter(|part| !trained.contains(part)).map(String::as_str).collect();
        if !own.is_empty() {
            sentence += &format!(": {}", own.join(", "));
        }
        text.push(sentence + ".");
        text.extend(stage.sentences.iter().filter(|sentence| !said.contains(sentence)).cloned());
    }
    text.join(" ")
}

/// What all of several lists have; of one list nothing is common.
fn common<'a>(mut lists: impl Iterator<Item = &'a Vec<String>>) -> Vec<String> {
    let first = lists.next().map(Vec::as_slice).unwrap_or_default();
    let rest: Vec<_> = lists.collect();
    let all = |part: &&String| !rest.is_empty() && rest.iter().all(|list| list.contains(part));
    first.iter().filter(all).cloned().collect()
}

/// What weights training starts from.
fn start(settings: &Settings<'_>) -> Option<String> {
    Some(match settings.text("model.weights")?.as_str() {
        "none" => "trained from scratch".to_owned(),
        "previous" => "starting from the selected checkpoint of the stage before".to_owned(),
        weights => format!("starting from the weights {weights}"),
    })
}

/// What is frozen.
fn frozen(settings: &Settings<'_>) -> Option<String> {
    let stage = settings.text("model.freeze_through").filter(|stage| stage != "none")?;
    Some(format!("Parameters through {stage} are frozen."))
}

/// Optimiser, schedule, batches and loss, a phrase each.
fn recipe(settings: &Settings<'_>, words: &ComponentWords) -> Vec<String> {
    let optimiser = settings.text("optimiser.name").map(|name| words.optimiser(&name, &settings.table("optimiser")));
    let mut recipe = vec![];
    recipe.extend(optimiser);
    recipe.extend(settings.text("optimiser.learning_rate").map(|rate| format!("learning rate {rate}")));
    recipe.extend(settings.text("optimiser.weight_decay").map(|decay| format!("weight decay {decay}")));
    recipe.extend(settings.text("schedule.name").map(|name| format!("{name} schedule")));
    recipe.extend(settings.text("schedule.epochs").map(|epochs| format!("{epochs} epochs")));
    recipe.extend(settings.text("data.batch_size").map(|size| {
        let batches = settings.number("train.accumulate").filter(|&n| n > 1.0).map(|n| format!(", {n} batches a step"));
        format!("batches of {size}{}", batches.unwrap_or_default())
    }));
    // Left out where it is the cross entropy.
    recipe.extend(settings.text("objective.name").map(|name| format!("{name} loss")));
    recipe.extend(
        settings
            .number("objective.label_smoothing")
            .filter(|&share| share > 0.0)
            .map(|s| format!("label smoothing {s}")),
    );
    recipe
}

fn transforms(settings: &Settings<'_>) -> Vec<String> {
    let parts = [("data.train.transforms", "training"), ("data.eval.transforms", "evaluation")];
    let sentence = |(key, on): (&str, &str)| {
        Some(format!("Transforms in {on}: {}.", transform_words::transforms(settings.get(key)?)?))
    };
    parts.into_iter().filter_map(sentence).collect()
}
