//! Which layer of an experiment wins, and that a resolved one runs again.

use mga_experiment::{Defaults, Overrides};
use serde_json::json;

use super::fixture::{SMALLEST, experiment, faults, folder, loaded, overrides};

#[test]
fn defaults_are_the_authors_settings() {
    let experiment = experiment(&[("x.toml", SMALLEST)], &Overrides::default());
    assert_eq!(experiment.device, "auto");
    assert_eq!(experiment.model.attention, "residual".into());
    assert_eq!(experiment.model.residual_weights, [0.5, 0.5]);
    assert_eq!(experiment.objective.mask_weight, 0.1);
    assert_eq!(experiment.schedule.name, "cosine");
    assert_eq!(experiment.schedule.epochs, 150);
    let sgd = json!({ "name": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": false, "weight_decay": 5e-4,
        "learning_rates": {} });
    assert_eq!(json!(experiment.optimiser), sgd);
}

#[test]
fn each_layer_is_stronger_than_the_one_before() {
    let grand = ("base/grand.toml", "seed = 1\nthreads = 1\n[train]\naccumulate = 1\nlog_every = 1\nclip_norm = 1");
    let first = ("base/first.toml", "extends = 'grand.toml'\nthreads = 2\ntrain.accumulate = 2\ntrain.log_every = 2\n");
    let second = ("base/second.toml", "train.accumulate = 3\ntrain.log_every = 3\n[data]\nbatch_size = 3");
    let top = format!("extends = ['../base/first.toml', '../base/second.toml']\ntrain.log_every = 4\n{SMALLEST}");
    let files = [grand, first, second, ("mga/x.toml", top.as_str())];
    let experiment = experiment(
        &files,
        &overrides(
            &[("MGA__DATA__BATCH_SIZE", "5"), ("MGA__MODEL__DROPOUT", "0.5"), ("PATH", "/bin"), ("MGA_CACHE", "x")],
            &["model.dropout=0.25", "train.clip_norm=6", "train.clip_norm=7"],
        ),
    );
    assert_eq!(experiment.seed, 1);
    assert_eq!(experiment.threads, 2);
    assert_eq!(experiment.train.accumulate, 3);
    assert_eq!(experiment.train.log_every, 4);
    assert_eq!(experiment.data.batch_size, 5);
    assert_eq!(experiment.model.dropout, Some(0.25));
    assert_eq!(experiment.train.clip_norm, 7.0);
}

#[test]
fn arrays_replace_and_tables_merge() {
    let base = "[data.train]\ntransforms = [{ op = 'horizontal-flip' }, { op = 'random-crop', size = 4 }]\n\
                [optimiser.learning_rates]\n'classifier.' = 0.1\n'Attention.a' = 0.2";
    let top = "extends = 'base.toml'\noptimiser.learning_rates.'classifier.' = 0.5\n\
               data.train.transforms = [{ op = 'random-crop', size = 8 }]\n\
               data.dataset = 'leaves'\ndata.validation.fraction = 0.25\nmodel.backbone = 'net18'\n";
    let experiment = experiment(&[("base.toml", base), ("x.toml", top)], &Overrides::default());
    assert_eq!(experiment.data.train.transforms, [json!({ "op": "random-crop", "size": 8 })]);
    let rates: Vec<_> = experiment.optimiser.learning_rates.iter().map(|(key, rate)| (key.as_str(), *rate)).collect();
    assert_eq!(rates, [("Attention.a", 0.2), ("classifier.", 0.5)]);
}

#[test]
fn environment_and_flags_take_toml_values_and_quoted_keys() {
    let experiment = experiment(
        &[("x.toml", SMALLEST)],
        &overrides(
            &[
                ("MGA__DATA__TRAIN__TRANSFORMS", "[{ op = 'random-crop', size = 8 }]"),
                ("MGA__OPTIMISER__LEARNING_RATES", "{ 'classifier.' = 0.1 }"),
                ("MGA__MODEL__WEIGHTS", "me/net18"),
                ("MGA__NAME", "'3'"),
            ],
            &[
                "optimiser.learning_rates.\"fc.weight\" = 1",
                "description=a = b",
                "data.mean=[0.1, 0.2, 0.3]",
                "data.std=[1, 1, 1]",
            ],
        ),
    );
    assert_eq!(experiment.data.train.transforms, [json!({ "op": "random-crop", "size": 8 })]);
    assert_eq!(experiment.optimiser.learning_rates["classifier."], 0.1);
    assert_eq!(experiment.optimiser.learning_rates["fc.weight"], 1.0);
    assert_eq!(experiment.model.weights, "me/net18");
    assert_eq!(experiment.name.as_deref(), Some("3"));
    assert_eq!(experiment.description.as_deref(), Some("a = b"));
    assert_eq!(experiment.data.std, Some([1.0; 3]));
}

#[test]
fn another_component_drops_what_only_the_old_one_knows() {
    let folder_of_pictures = tempfile::tempdir().unwrap();
    let base = format!(
        "[data]\ndataset = 'pictures'\nroot = '{}'\nblur = 0.5\nbatch_size = 3\nvalidation.fraction = 0.5\n\
         [model]\nbackbone = 'net50'\ngrowth = 7\nweights = 'imagenet'\n\
         [optimiser]\nmomentum = 0.5\nlearning_rate = 0.3\nlearning_rates = {{ 'classifier.' = 0.1 }}\n\
         [schedule]\nname = 'step'\nevery = 2\nepochs = 7",
        folder_of_pictures.path().display()
    );
    let top = "extends = 'base.toml'\n[data]\ndataset = 'leaves'\n[model]\nbackbone = 'net18'\n\
               [optimiser]\nname = 'adamw'\n[schedule]\nname = 'polynomial'\npower = 2";
    let files = [("base.toml", base.as_str()), ("x.toml", top)];
    let changed = experiment(&files, &Overrides::default());
    // What is not the component's own stays, but for the optimiser: a learning rate belongs to its rule.
    assert_eq!(changed.data.batch_size, 3);
    assert_eq!(changed.model.weights, "imagenet");
    assert_eq!(changed.schedule.epochs, 7);
    assert_eq!(changed.optimiser.settings["learning_rate"], 1e-3);
    assert!(changed.optimiser.learning_rates.is_empty());
    assert_eq!(changed.data.settings.keys().collect::<Vec<_>>(), ["cultivars"]);
    assert!(changed.model.settings.is_empty());

    // Within one layer the order does not matter: no flag undoes another.
    let flags = ["optimiser.learning_rate=0.2", "optimiser.name=sgd", "optimiser.momentum=0.7"];
    let flags = experiment(&files, &overrides(&[], &flags));
    let sgd = json!({ "name": "sgd", "learning_rate": 0.2, "momentum": 0.7, "nesterov": false, "weight_decay": 5e-4,
        "learning_rates": {} });
    assert_eq!(json!(flags.optimiser), sgd);

    // Naming the same component again drops nothing.
    let same = "extends = 'base.toml'\noptimiser.name = 'sgd'\nmodel.backbone = 'net50'\n";
    let same = experiment(&[("base.toml", base.as_str()), ("x.toml", same)], &Overrides::default());
    assert_eq!(same.optimiser.settings["learning_rate"], 0.3);
    assert_eq!(same.model.settings["growth"], 7);
}

#[test]
fn a_misspelt_key_does_not_vanish_with_the_component_it_was_meant_for() {
    let base = "[optimiser]\nmomentun = 0.5";
    let top = format!("extends = 'base.toml'\noptimiser.name = 'adamw'\n{SMALLEST}");
    let message = faults(&[("base.toml", base), ("x.toml", &top)], &Overrides::default());
    assert!(message.starts_with("error: base.toml:2:1: optimiser.momentun: unknown key"), "{message}");
}

#[test]
fn a_resolved_experiment_is_complete_and_runs_again() {
    let text = "description = \"quotes \\\" and é\"\nseed = 213\n\
                [data]\ndataset = 'leaves'\nvalidation = { per_class = 2, seed = 5 }\n\
                train.transforms = [{ op = 'horizontal-flip' }, { op = 'random-crop', size = 8 }]\n\
                mean = [0.485, 0.456, 0.406]\nstd = [0.229, 0.224, 0.225]\nmasks.source = 'shuffled'\n\
                [model]\nbackbone = 'net50'\ngrowth = 3\nfreeze_through = 'x'\n\
                [optimiser]\nname = 'adamw'\nlearning_rate = 1e-5\nlearning_rates = { 'classifier.' = 0.1 }\n\
                [schedule]\nname = 'step'\nepochs = 3\n";
    let folder = folder(&[("x.toml", text)]);
    let first = loaded(folder.path(), "x.toml", &Overrides::default()).experiment;
    // Defaults of components are written out too.
    assert_eq!(first.data.train.transforms[0], json!({ "op": "horizontal-flip", "p": 0.5 }));
    assert_eq!(first.data.settings["cultivars"], 0);

    let resolved = first.resolved_toml().unwrap();
    std::fs::write(folder.path().join("resolved.toml"), &resolved).unwrap();
    let second = loaded(folder.path(), "resolved.toml", &Overrides::default());
    assert_eq!(second.experiment, first);
    assert!(second.warnings.is_empty(), "{:?}", second.warnings);
    assert_eq!(second.experiment.resolved_toml().unwrap(), resolved);
    for key in ["threads = 0", "beta2 = 0.999", "gamma = 0.1", "\"classifier.\" = 0.1", "select_on = \"validation\""] {
        assert!(resolved.contains(key), "{key} is not in\n{resolved}");
    }
    assert!(resolved.starts_with("# Resolved by mga"));
}

#[test]
fn new_defaults_are_for_files_that_people_wrote() {
    let takes = |text: &str, overrides: &Overrides| {
        let folder = folder(&[("base.toml", "seed = 3\n"), ("x.toml", text)]);
        loaded(folder.path(), "x.toml", overrides).takes_new_default("model.dropout")
    };
    let (plain, set) = (Overrides::default(), overrides(&[], &["model.dropout=0.5"]));
    assert!(takes(SMALLEST, &plain) && !takes(SMALLEST, &set));
    // What mga resolved, whichever of them it was, says all that was decided.
    let resolved = |version: &str| format!("# Resolved by mga {version}: every setting\n{SMALLEST}");
    assert!(!takes(&resolved("0.1.0"), &plain) && !takes(&resolved("0.2.0"), &plain));
    // The file that is named decides, and not what it builds on.
    assert!(takes(&format!("extends = 'base.toml'\n{SMALLEST}"), &plain));
    let old = Overrides { defaults: Defaults::Old, ..Overrides::default() };
    assert!(!takes(SMALLEST, &old));
}

#[test]
fn settings_know_where_they_were_written() {
    let folder = folder(&[("x.toml", SMALLEST)]);
    let loaded = loaded(folder.path(), "x.toml", &overrides(&[], &["model.dropout=0.5"]));
    let at = |key: &str| super::fixture::plain(&loaded.error(key, "no").to_string(), folder.path());
    assert_eq!(
        at("data.dataset"),
        "error: x.toml:2:11: data.dataset: no\n  |\n2 | dataset = \"leaves\"\n  |           ^^^^^^^^"
    );
    assert_eq!(at("model.dropout"), "error: --set model.dropout=0.5: model.dropout: no");
    assert_eq!(at("model.weights"), "error: x.toml:4:2: model.weights: no\n  |\n4 | [model]\n  |  ^^^^^");
    assert_eq!(at("seed"), "error: x.toml: seed: no");
    assert!(loaded.is_set("model.dropout") && !loaded.is_set("seed"));
    assert!(loaded.check_validation(3).is_ok());
    assert!(loaded.check_validation(0).unwrap_err().to_string().contains("data.validation.fraction"));
}

#[test]
fn the_design_s_own_example_is_sound() {
    let folder = folder(&[("x.toml", include_str!("design.toml"))]);
    let loaded = mga_experiment::load(&folder.path().join("x.toml"), &Overrides::default(), &mga_train::builtin());
    let loaded = loaded.unwrap_or_else(|error| panic!("{error}"));
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(loaded.experiment.data.train.transforms.len(), 3);
    assert_eq!(loaded.experiment.train.accumulate, 4);
    assert_eq!(loaded.experiment.optimiser.settings["weight_decay"], 5e-4);
}
