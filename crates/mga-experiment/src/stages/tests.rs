//! Stages of a task that only has rules.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::super::check::Check;
use super::super::components::bare;
use super::super::defaults::Defaults;
use super::super::load::load_text;
use super::super::loaded::Loaded;
use super::super::overrides::Overrides;
use super::super::settings::Experiment;
use super::super::task::{Known, NetworkKind, OwnTable, StageWork};
use super::*;
use mga_core::metrics::Predictions;
use mga_registry::schema_of;

struct Staged;

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Ways {
    /// Classes of an episode.
    #[schemars(range(min = 2))]
    ways: usize,
    /// Images of each.
    #[serde(default)]
    shots: usize,
}

impl TaskRules for Staged {
    fn name(&self) -> &'static str {
        "staged"
    }

    fn about(&self) -> &'static str {
        "Stages."
    }

    fn network(&self) -> NetworkKind {
        NetworkKind::Backbone
    }

    fn predictions(&self) -> Predictions {
        Predictions::Scores
    }

    fn default_metric(&self) -> &'static str {
        "top1"
    }

    fn own_settings(&self) -> &'static [&'static str] {
        &[]
    }

    fn own_tables(&self) -> Vec<OwnTable> {
        vec![OwnTable { table: "ways", about: "Episodes.", schema: schema_of::<Ways>() }]
    }

    fn stages(&self) -> &'static [StageRules] {
        &[
            StageRules { name: "fit", about: "Fits.", work: StageWork::Fit },
            StageRules { name: "more", about: "Fits more.", work: StageWork::Fit },
            StageRules { name: "test", about: "Tests.", work: StageWork::Test },
        ]
    }

    fn problems(&self, _: &Experiment, _: &Known<'_>, _: &mut Check<'_>) {}
}

const TEXT: &str = r#"
    task = "staged"
    data = { dataset = "leaves", size = 16, validation = { per_class = 1 } }
    model = { backbone = "conv4", attention = "none", mask_guidance = false }
    optimiser = { name = "sgd", learning_rate = 0.5 }
    schedule = { epochs = 7 }
    ways = { ways = 5 }
    [stages.more]
    optimiser = { name = "adamw", learning_rate = 0.5 }
    schedule = { epochs = 3 }
    [stages.test]
    data = { size = 32, validation = { per_class = 2 } }
    ways = { shots = 4 }
"#;

fn loaded(text: &str, set: &[&str]) -> Result<Loaded, String> {
    let mut components = bare();
    components.tasks.push(Arc::new(Staged));
    let overrides = Overrides { set: set.iter().map(|set| (*set).to_owned()).collect(), ..Overrides::default() };
    load_text(text, &overrides, &components).map_err(|error| error.to_string())
}

#[test]
fn each_stage_has_the_settings_at_the_top_under_its_own() {
    let all = loaded(TEXT, &["schedule.epochs=9"]).unwrap();
    let stages: Vec<&Experiment> = all.stages().map(|stage| &stage.experiment).collect();
    assert_eq!(stages.iter().filter_map(|stage| stage.stage()).collect::<Vec<_>>(), ["fit", "more", "test"]);
    assert_eq!(stages.iter().map(|stage| stage.schedule.epochs).collect::<Vec<_>>(), [9, 3, 9]);
    assert_eq!(
        stages.iter().map(|stage| stage.model.weights.as_str()).collect::<Vec<_>>(),
        ["none", PREVIOUS, PREVIOUS]
    );
    let ways: Vec<Ways> = stages.iter().map(|stage| stage.own("ways").unwrap()).collect();
    assert_eq!(ways, [0, 0, 4].map(|shots| Ways { ways: 5, shots }));
    assert_eq!(all.work, StageWork::Test);
}

#[test]
fn the_resolved_file_gives_equal_stages() {
    for set in [&[][..], &["stages.more.model.weights=none"], &["run_stages=[\"more\", \"test\"]"]] {
        let first = loaded(TEXT, set).unwrap();
        let text = first.resolved(Defaults::New).unwrap();
        let again = loaded(&text, &[]).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let stages = |loaded: &Loaded| loaded.stages().map(|stage| stage.experiment.clone()).collect::<Vec<_>>();
        assert_eq!(stages(&again), stages(&first), "{text}");
        assert!(again.warnings.is_empty(), "{:?}", again.warnings);
    }
}

#[test]
fn what_is_wrong_is_told_at_the_stage_and_once() {
    let refused = |set: &str| loaded(TEXT, &[set]).unwrap_err();
    assert!(refused("stages.more.schedule.epochs=0").contains("stages.more.schedule.epochs: expected at least 1"));
    let message = refused("model.backbone=conv5");
    assert_eq!(message.matches("model.backbone: ").count(), 1, "{message}");
    assert!(refused("stages.test.schedule.epochs=3").contains("counts only with a stage that fits a model: `test`"));
    let drawn = loaded(TEXT, &["run_stages=[\"test\"]"]).unwrap_err();
    assert!(drawn.contains("model.weights: `none`, but this stage trains nothing"), "{drawn}");
    // A layer that names another component at the top drops settings of the old one, as without stages.
    let text = TEXT.replace(
        "learning_rate = 0.5 }\n    schedule = { epochs = 7 }",
        "learning_rate = 0.5, momentum = 0.8 }\n    schedule = { epochs = 7 }",
    );
    let text = text.replace("    optimiser = { name = \"adamw\", learning_rate = 0.5 }\n", "");
    assert!(loaded(&text, &["optimiser.name=adamw", "optimiser.learning_rate=0.5"]).is_ok());
    assert!(refused("ways.ways=1").contains("ways.ways: expected at least 2"));
    let missing = loaded(&TEXT.replace("ways = { ways = 5 }", ""), &[]).unwrap_err();
    assert!(missing.contains("ways.ways: missing"), "{missing}");
    // Each stage that runs has its own.
    let lost = loaded(TEXT, &["run_stages=[\"more\"]", "schedule.epochs=2"]).unwrap_err();
    assert!(lost.contains("schedule.epochs: does nothing here: every stage that uses it"), "{lost}");
    // What is written for other stages is no mistake where they do not run.
    assert!(loaded(TEXT, &["run_stages=[\"fit\"]"]).is_ok());
}
