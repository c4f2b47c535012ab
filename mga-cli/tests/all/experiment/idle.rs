//! Settings that do nothing: an error where the experiment itself has them, a warning where a file it extends has them or
//! where something stronger turned off what they belong to, silence in what mga resolved.

use std::path::Path;

use mga_experiment::{ClassWeights, ExperimentError, Loaded, Overrides, Severity, load};

use super::fixture::{folder, overrides};

/// Sound, with everything the cases below turn off.
const CLASSIFY: &str = "eval.select_on = 'last'\ndata.dataset = 'leaves'\nmodel.backbone = 'conv4'\n";
const SEGMENT: &str = "task = 'segmentation'\neval.select_on = 'last'\ndata.dataset = 'leaves'\n\
                       data.annotations.classes = ['background', 'vein']\nmodel.backbone = 'unet_small'\n";

fn read(files: &[(&str, &str)], overrides: &Overrides) -> Result<Loaded, ExperimentError> {
    let folder = folder(files);
    load(&folder.path().join(files.last().unwrap().0), overrides, &mga_train::builtin())
}

/// What is said of keys that do nothing: severity and key.
fn said(found: &Result<Loaded, ExperimentError>) -> Vec<(Severity, String)> {
    let problems = match found {
        Ok(loaded) => &loaded.warnings,
        Err(error) => &error.problems,
    };
    let idle = problems.iter().filter(|problem| problem.message.starts_with("does nothing here: it counts only with "));
    idle.map(|problem| (problem.severity, problem.key.to_string())).collect()
}

#[test]
fn what_does_nothing_is_an_error_in_the_file_and_by_set() {
    // The task, then settings that leave the key without effect.
    let cases: &[(&str, &[&str], &str)] = &[
        (CLASSIFY, &[], "objective.dice_weight=1.0"),
        (CLASSIFY, &[], "objective.auxiliary_weight=0.5"),
        (CLASSIFY, &[], "data.annotations={ source = 'labelme' }"),
        (CLASSIFY, &["model.attention='multiply'"], "model.residual_weights=[0.3, 0.7]"),
        (CLASSIFY, &["model.mask_guidance=false"], "objective.mask_weight=0.3"),
        (CLASSIFY, &["model.mask_guidance=false"], "data.masks.empty='skip'"),
        (CLASSIFY, &["model.mask_guidance=false"], "data.masks.missing='no-loss'"),
        (CLASSIFY, &[], "model.strict=false"),
        (CLASSIFY, &[], "model.freeze_norm=true"),
        (CLASSIFY, &[], "data.root='.'"),
        (CLASSIFY, &[], "data.resize_rounding='8-bit'"),
        (CLASSIFY, &[], "data.validation.seed=3"),
        (CLASSIFY, &[], "data.split.seed=3"),
        (CLASSIFY, &["data.masks.source='inverted'"], "data.masks.seed=3"),
        (CLASSIFY, &["data.masks.source='ones'"], "data.masks.of='silhouette'"),
        (CLASSIFY, &["data.masks.source='silhouette'"], "data.masks.of='veins'"),
        (CLASSIFY, &["data.masks.source='veins'"], "data.masks.folder='.'"),
        (CLASSIFY, &["data.masks.source='veins'"], "data.masks.segmenter={ threshold = 0.5 }"),
        (CLASSIFY, &["data.masks.source='otsu'"], "data.masks.segmenter.tile=512"),
        (CLASSIFY, &["data.masks.source='otsu'"], "data.masks.segmenter.flip=true"),
        (CLASSIFY, &["schedule.name='constant'"], "schedule.min_learning_rate=1e-5"),
        (CLASSIFY, &[], "objective.weigh_classes=true"),
        (CLASSIFY, &[], "eval.reference_masks.missing='no-loss'"),
        (CLASSIFY, &[], "eval.reference_masks.empty='skip'"),
        (CLASSIFY, &["eval.reference_masks.source='veins'"], "eval.reference_masks.folder='.'"),
        (CLASSIFY, &["eval.reference_masks.source='veins'"], "eval.reference_masks.segmenter={ threshold = 0.5 }"),
        (CLASSIFY, &["eval.reference_masks.source='inverted'"], "eval.reference_masks.seed=3"),
        (CLASSIFY, &["eval.reference_masks.source='ones'"], "eval.reference_masks.of='silhouette'"),
        (CLASSIFY, &["eval.reference_masks.source='silhouette'"], "eval.reference_masks.of='veins'"),
        (CLASSIFY, &["eval.reference_masks.source='veins'"], "eval.reference_masks.mask_name='{stem}.png'"),
        (CLASSIFY, &["eval.reference_masks.source='veins'"], "eval.reference_masks.mask_layout='flat'"),
        (CLASSIFY, &["eval.reference_masks.source='ones'"], "eval.reference_masks.foreground=[1]"),
        (CLASSIFY, &["eval.reference_masks.source='ones'"], "eval.reference_masks.background=[1]"),
        (CLASSIFY, &["eval.reference_masks.source='ones'"], "eval.reference_masks.ignore=[1]"),
        (CLASSIFY, &["eval.reference_masks.source='ones'"], "eval.reference_masks.orientation='stored'"),
        (CLASSIFY, &["eval.reference_masks.source='ones'"], "eval.reference_masks.stretch=true"),
        (CLASSIFY, &["eval.reference_masks.source='otsu'"], "eval.reference_masks.segmenter.tile=512"),
        (CLASSIFY, &["eval.reference_masks.source='otsu'"], "eval.reference_masks.segmenter.flip=true"),
        (SEGMENT, &[], "eval.reference_masks={ source = 'veins' }"),
        (SEGMENT, &[], "objective.mask_weight=0.1"),
        (SEGMENT, &[], "objective.label_smoothing=0.1"),
        (SEGMENT, &[], "objective.auxiliary_weight=1.0"),
        (SEGMENT, &[], "model.dropout=0.5"),
        (SEGMENT, &[], "model.residual_weights=[0.5, 0.5]"),
        (SEGMENT, &[], "data.masks.empty='skip'"),
        (SEGMENT, &[], "method={ name = 'plain' }"),
        (SEGMENT, &[], "data.annotations.line_width=2.0"),
        (SEGMENT, &[], "data.annotations.region='leaf'"),
        (SEGMENT, &["data.annotations.source='labelme'"], "data.annotations.threshold=0.4"),
    ];
    for (task, with, line) in cases {
        let key = line.split('=').next().unwrap().to_owned();
        let with: String = with.iter().map(|line| format!("{line}\n")).collect();
        let decided = format!("{with}{task}");
        let expected = vec![(Severity::Error, key.clone())];
        let own = read(&[("x.toml", &format!("{line}\n{decided}"))], &Overrides::default());
        assert_eq!(said(&own), expected, "{line} in the file: {own:?}");
        let set = read(&[("x.toml", &decided)], &overrides(&[], &[line]));
        assert_eq!(said(&set), expected, "--set {line}: {set:?}");
        // By `extends` it is a warning, whichever file turns off what it belongs to.
        for (base, top) in [(format!("{line}\n{decided}"), ""), (format!("{line}\n"), decided.as_str())] {
            let top = format!("extends = 'base.toml'\n{top}");
            let extended = read(&[("base.toml", &base), ("x.toml", &top)], &Overrides::default());
            assert_eq!(said(&extended), [(Severity::Warning, key.clone())], "{line} by extends: {extended:?}");
            assert!(extended.is_ok());
        }
        let place = own.unwrap_err().to_string();
        assert!(place.contains("x.toml:1:"), "{place}");
    }
}

#[test]
fn who_turns_a_method_off_over_the_file_keeps_the_file() {
    let file = format!("objective.mask_weight = 0.3\nmodel.residual_weights = [0.3, 0.7]\n{CLASSIFY}");
    let off = ["model.attention=none", "model.mask_guidance=false"];
    let loaded = read(&[("x.toml", &file)], &overrides(&[], &off));
    let expected = ["objective.mask_weight", "model.residual_weights"].map(|key| (Severity::Warning, key.to_owned()));
    let mut told = said(&loaded);
    told.sort_by_key(|(_, key)| !key.starts_with("objective"));
    assert_eq!((told.as_slice(), loaded.is_ok()), (expected.as_slice(), true));
    // In effect, or at the value that leaving it out gives, there is nothing to say.
    let sound = [file, format!("model.mask_guidance = false\nobjective.mask_weight = 0.1\n{CLASSIFY}")];
    for file in &sound {
        let loaded = read(&[("x.toml", file)], &Overrides::default());
        assert_eq!(said(&loaded), []);
        assert!(loaded.is_ok(), "{loaded:?}");
    }
}

#[test]
fn what_costs_time_alone_is_a_warning() {
    for line in ["train.recompute = true", "schedule = { name = 'step', every = 200, gamma = 0.5 }"] {
        let loaded = read(&[("x.toml", &format!("{line}\n{CLASSIFY}"))], &Overrides::default());
        assert!(loaded.is_ok() && !said(&loaded).is_empty(), "{line}: {loaded:?}");
    }
}

#[test]
fn a_resolved_experiment_has_every_key_and_nothing_is_said_of_it() {
    for (task, set) in
        [(CLASSIFY, "model.attention=none"), (CLASSIFY, "model.mask_guidance=false"), (SEGMENT, "seed=1")]
    {
        let first = read(&[("x.toml", task)], &overrides(&[], &[set])).unwrap().experiment;
        let resolved = first.resolved_toml().unwrap();
        let second = read(&[("x.toml", &resolved)], &Overrides::default()).unwrap();
        assert_eq!((second.warnings, second.experiment), (vec![], first));
        // What is laid over it is judged.
        let set = read(&[("x.toml", &resolved)], &overrides(&[], &["objective.dice_weight=2", "train.recompute=true"]));
        assert_eq!(set.is_err(), task == CLASSIFY);
    }
}

#[test]
fn class_weights_of_a_classifier_count_but_in_what_the_first_release_resolved() {
    let file = format!("objective.class_weights = 'balanced'\n{CLASSIFY}");
    let loaded = read(&[("x.toml", &file)], &Overrides::default()).unwrap();
    assert!(loaded.experiment.objective.weigh_classes && loaded.warnings.is_empty());
    let resolved = loaded.experiment.resolved_toml().unwrap();
    assert!(resolved.contains("class_weights = \"balanced\"") && resolved.contains("weigh_classes = true"));
    let again = read(&[("x.toml", &resolved)], &Overrides::default()).unwrap();
    assert_eq!(again.experiment, loaded.experiment);

    let listed = format!("objective.class_weights = [1, 2, 3, 1, 2, 3, 1, 2, 3, 1]\n{CLASSIFY}");
    let listed = read(&[("x.toml", &listed)], &Overrides::default()).unwrap().experiment;
    assert!(matches!(&listed.objective.class_weights, Some(ClassWeights::Each(weights)) if weights[1] == 2.0));
    // As 0.1.0 wrote it, which has no key that says they count.
    let old = listed.resolved_toml().unwrap().replace("weigh_classes = true\n", "");
    let old = read(&[("x.toml", &old)], &Overrides::default()).unwrap();
    assert!(!old.experiment.objective.weigh_classes && old.experiment.objective.class_weights.is_some());
    assert!(old.warnings[0].message.contains("goes on without"), "{:?}", old.warnings);
    let error = read(&[("x.toml", &format!("objective.class_weights = 'equal'\n{CLASSIFY}"))], &Overrides::default());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("expected an array or `balanced`, found the string \"equal\""), "{error}");
}

/// Experiment files of the repository, and what is missing here: data, weights, masks.
#[test]
fn every_shipped_experiment_passes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../experiments");
    let files = ["", "leaves", "mga"].into_iter().flat_map(|folder| std::fs::read_dir(root.join(folder)).unwrap());
    let mut read = 0;
    for path in files.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "toml")) {
        let problems = match load(&path, &Overrides::default(), &mga_train::builtin()) {
            Ok(loaded) => loaded.warnings,
            Err(error) => error.problems,
        };
        let missing = |message: &str| message.starts_with("no such f");
        let errors: Vec<_> = problems
            .iter()
            .filter(|problem| problem.severity == Severity::Error && !missing(&problem.message))
            .collect();
        assert!(errors.is_empty(), "{}: {errors:?}", path.display());
        read += 1;
    }
    assert!(read >= 12, "{read}");
}
