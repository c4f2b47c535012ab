//! What mga says about each kind of fault in an experiment: exact texts, all faults in one run.

use mga_experiment::{Overrides, load};

use super::fixture::{SMALLEST, faults, folder, loaded, overrides, plain};

/// The faults of one file.
fn of(text: &str) -> String {
    faults(&[("x.toml", text)], &Overrides::default())
}

/// The faults of the smallest experiment with these lines before it.
fn with(lines: &str) -> String {
    of(&format!("{lines}\n{SMALLEST}"))
}

/// The first line of each fault.
fn heads(message: &str) -> Vec<&str> {
    message.lines().filter(|line| line.starts_with("error: ") || line.starts_with("warning: ")).collect()
}

#[test]
fn everything_is_said_in_one_run() {
    let base = "[data]\nbatch_sise = 8\nmasks = { emty = 'ones' }\n[model]\nattention = 'residuel'\n";
    let text = r#"
extends = "base.toml"
sede = 3
[data]
dataset = "leafs"
batch_size = "8"
validation.fraction = 1.5
train.transforms = [ { op = "horizontal-flop" }, { op = "random-crop", sise = 3 },
                     { op = "horizontal-flip", p = 2 } ]
[model]
backbone = "net81"
residual_weights = [0.5]
strict = "true"
[schedule]
name = "step"
power = 2
epochs = 3.0
momentum = 0.5
"#;
    let overrides =
        overrides(&[("MGA__TRAIN__ACUMULATE", "4")], &["eval.select_on=tset", "schedule.warmup_epochs=nan"]);
    let message = faults(&[("base.toml", base), ("x.toml", text)], &overrides);
    insta::assert_snapshot!(message);
}

#[test]
fn published_weights_that_need_another_setting_are_refused_at_it() {
    let with_growth = |growth: usize| {
        let text = SMALLEST.replace("net18", "net50");
        format!("{text}weights = \"me/net50-grown\"\ngrowth = {growth}\n")
    };
    let expected = "model.growth: 32, but `me/net50-grown` holds weights of net50 with growth = 48; set that";
    assert!(of(&with_growth(32)).contains(expected), "{}", of(&with_growth(32)));
    let folder = folder(&[("x.toml", &with_growth(48))]);
    loaded(folder.path(), "x.toml", &Overrides::default());
}

#[test]
fn a_misspelt_key_names_the_nearest_with_its_line() {
    assert_eq!(
        of(
            "[data]\ndataset = \"leaves\"\nvalidation.fraction = 0.25\n[model]\nbackbone = \"net18\"\n  atention = \"none\""
        ),
        "error: x.toml:6:3: model.atention: unknown key, did you mean `attention`?\n  \
         |\n6 |   atention = \"none\"\n  |   ^^^^^^^^"
    );
}

#[test]
fn a_key_of_another_table_says_where_it_belongs() {
    assert_eq!(
        heads(&with("momentum = 0.9")),
        ["error: x.toml:1:1: momentum: unknown key; `momentum` belongs in [optimiser]"]
    );
    let message = of(&format!("{SMALLEST}\nseed = 1\nxyzzy = 1"));
    assert_eq!(
        heads(&message)[0],
        "error: x.toml:7:1: model.seed: unknown key; `seed` belongs at the top of the file, before the first [table]"
    );
    assert!(heads(&message)[1].contains("unknown key; the keys here are `backbone`, `weights`"), "{message}");
}

#[test]
fn a_setting_of_another_component_is_unknown() {
    // `blur` is a setting of `pictures`, `growth` of net50.
    let message = of(&format!("{}growth = 3\n", SMALLEST.replace("[model]", "blur = 0.5\n[model]")));
    let heads = heads(&message);
    assert_eq!(
        heads,
        [
            "error: x.toml:4:1: data.blur: unknown key; `blur` goes with dataset = `pictures`",
            "error: x.toml:7:1: model.growth: unknown key; `growth` goes with backbone = `net50`",
        ]
    );
}

#[test]
fn a_wrong_type_says_what_was_found() {
    let cases = [
        ("seed = '3'", "seed: expected a whole number, found the string \"3\"; take off the quotes"),
        ("seed = 3.0", "seed: expected a whole number, found the number 3.0; write 3"),
        ("name = 3", "name: expected a string, found the whole number 3; put it in quotes"),
        ("device = true", "device: expected a string, found true; put it in quotes"),
        ("threads = []", "threads: expected a whole number, found an array"),
        ("train = 3", "train: expected a table, found the whole number 3"),
        (
            "eval.select_on = 3",
            "eval.select_on: expected one of `validation`, `last` or `test`, found the whole number 3",
        ),
        ("extends = 3", "extends: expected the path of a file, or an array of paths"),
        ("seed = 2024-01-01", "seed: expected a whole number, found the string \"2024-01-01\""),
    ];
    for (line, expected) in cases {
        let message = with(line);
        assert!(message.lines().next().unwrap().ends_with(expected), "{line}\n{message}");
        assert_eq!(heads(&message).len(), 1, "{line}\n{message}");
    }
}

#[test]
fn values_are_not_bent_into_the_wanted_type() {
    // `config` on its own would take all of these.
    for (set, kind) in
        [("data.shuffle=yes", "true or false"), ("data.shuffle=1", "true or false"), ("seed=1.4", "a whole number")]
    {
        let message = faults(&[("x.toml", SMALLEST)], &overrides(&[], &[set]));
        assert!(message.starts_with(&format!("error: --set {set}: ")), "{message}");
        assert!(message.contains(&format!("expected {kind}")), "{message}");
    }
}

#[test]
fn a_value_out_of_range_says_the_range() {
    let cases = [
        ("train.accumulate = 0", "train.accumulate: expected at least 1, found 0"),
        ("seed = -1", "seed: expected at least 0, found -1"),
        ("objective.label_smoothing = 1", "objective.label_smoothing: expected at least 0 and less than 1, found 1"),
        ("data.validation.fraction = 0.0", "data.validation.fraction: expected more than 0 and less than 1, found 0.0"),
        ("data.mean = [0.5, 0.5, 5]", "data.mean[2]: expected at least 0 and at most 1, found 5"),
        ("data.mean = [0.5]", "data.mean: expected 3 elements, found 1"),
        (
            "data.train.transforms = [{ op = 'horizontal-flip', p = 1.5 }]",
            "data.train.transforms[0].p: expected at least 0 and at most 1, found 1.5",
        ),
        (
            "optimiser.learning_rates = { 'classifier.' = -1 }",
            "optimiser.learning_rates.\"classifier.\": expected at least 0, found -1",
        ),
        ("train.clip_norm = inf", "train.clip_norm: is not a finite number"),
        ("seed = 99999999999999999999", "seed: does not fit a whole number of 64 bits"),
        ("model.weights = ''", "model.weights: expected a text that is not empty"),
    ];
    for (line, expected) in cases {
        let message =
            of(&format!("{line}\ndata.dataset = 'leaves'\nmodel.backbone = 'net18'\neval.select_on = 'last'"));
        assert!(message.lines().next().unwrap().contains(expected), "{line}\n{message}");
        assert_eq!(heads(&message).len(), 1, "{line}\n{message}");
    }
}

#[test]
fn an_unknown_name_lists_the_known_ones() {
    let message =
        of("data.dataset = 'leafs'\nmodel = { backbone = 'net19', attention = 'residuel' }\noptimiser.name = 'adam'\n\
                      data.train.transforms = [{ op = 'flip' }, {}]");
    assert_eq!(
        heads(&message),
        [
            "error: x.toml:1:16: data.dataset: unknown name `leafs`, did you mean `leaves`? expected `pictures` or `leaves`",
            "error: x.toml:2:22: model.backbone: unknown name `net19`, did you mean `net18`? expected one of `net18`, `net34`, `net50`, `fcn_resnet50`, `fcn_resnet101`, `deeplabv3_resnet50`, `deeplabv3_resnet101`, `deeplabv3_mobilenet_v3_large`, `segformer_b0`, `segformer_b1`, `segformer_b2`, `segformer_b3`, `segformer_b4`, `segformer_b5`, `hmsa` or `unet_small`",
            "error: x.toml:2:43: model.attention: unknown name `residuel`, did you mean `residual`? expected one of `none`, `multiply`, `residual`, `concat` or `cbam-spatial`",
            "error: x.toml:3:18: optimiser.name: unknown name `adam`, did you mean `adamw`? expected `sgd` or `adamw`",
            "error: x.toml:4:33: data.train.transforms[0].op: unknown name `flip`; expected `horizontal-flip` or `random-crop`",
            "error: x.toml:4:43: data.train.transforms[1].op: missing; expected `horizontal-flip` or `random-crop`",
        ]
    );
}

#[test]
fn missing_keys_are_named() {
    assert_eq!(
        heads(&of("seed = 1")),
        ["error: x.toml: data: missing; expected a table", "error: x.toml: model: missing; expected a table"]
    );
    assert_eq!(
        of("data.train.transforms = [{ op = 'random-crop' }]\n[model]\nweights = 'none'"),
        "error: x.toml:1:1: data.dataset: missing; expected `pictures` or `leaves`\n  \
         |\n1 | data.train.transforms = [{ op = 'random-crop' }]\n  | ^^^^\n\
         error: x.toml:1:26: data.train.transforms[0].size: missing; expected a whole number\n  \
         |\n1 | data.train.transforms = [{ op = 'random-crop' }]\n  |                          ^^^^^^^^^^^^^^^^^^^^^^\n\
         error: x.toml:2:2: model.backbone: missing; expected one of `net18`, `net34`, `net50`, `fcn_resnet50`, `fcn_resnet101`, `deeplabv3_resnet50`, `deeplabv3_resnet101`, `deeplabv3_mobilenet_v3_large`, `segformer_b0`, `segformer_b1`, `segformer_b2`, `segformer_b3`, `segformer_b4`, `segformer_b5`, `hmsa` or `unet_small`\n  \
         |\n2 | [model]\n  |  ^^^^^\n\
         3 errors; nothing was run and nothing was written"
    );
}

#[test]
fn alternatives_are_both_named() {
    let text = |background: &str| {
        format!(
            "data = {{ dataset = 'pictures', root = '.', background = {background} }}\nmodel.backbone = 'net18'\neval.select_on = 'last'"
        )
    };
    assert!(
        of(&text("true")).contains("data.background: expected a string or an array of 3 whole numbers, found true")
    );
    assert!(of(&text("[1, 2, 300]")).contains("data.background[2]: expected at least 0 and at most 255, found 300"));
}

#[test]
fn every_fault_of_the_syntax_is_named_and_the_rest_still_checked() {
    let message = of(
        "sede = 3\nthreads = \nthreads = = 4\n[data\ndataset = \"leaves\"\n[model]\nbackbone = 'net18'\natention = 3\n",
    );
    let heads = heads(&message);
    assert!(
        heads.iter().any(|head| head.starts_with("error: x.toml:1:1: sede: unknown key, did you mean `seed`?")),
        "{message}"
    );
    assert!(
        heads.iter().any(|head| head.starts_with("error: x.toml:2:") && head.contains("not valid TOML")),
        "{message}"
    );
    assert!(
        heads.iter().any(|head| head.starts_with("error: x.toml:3:") && head.contains("not valid TOML")),
        "{message}"
    );
    assert!(
        heads.iter().any(|head| head.starts_with("error: x.toml:4:") && head.contains("not valid TOML")),
        "{message}"
    );
    assert!(heads.iter().any(|head| head.contains("model.atention: unknown key")), "{message}");
    assert!(!message.contains("missing"), "{message}");
    let twice = with("seed = 1\nseed = 2");
    assert!(twice.starts_with("error: x.toml:2:1: not valid TOML: duplicate key"), "{twice}");
}

#[test]
fn faults_of_the_environment_and_of_flags_name_their_source() {
    let message = faults(
        &[("x.toml", SMALLEST)],
        &overrides(
            &[("MGA__MODEL__ATENTION", "none"), ("MGA__SEED", "-3"), ("MGA__", "1"), ("MGA__DATA____X", "1")],
            &["modle.attention=none", "seed", "data.train.transforms[0].p=1", "data.mean=[1, 2"],
        ),
    );
    assert_eq!(
        heads(&message),
        [
            "error: environment variable MGA__=1: names no setting; expected keys between double underscores, as in MGA__MODEL__ATTENTION",
            "error: environment variable MGA__DATA____X=1: names no setting; expected keys between double underscores, as in MGA__MODEL__ATTENTION",
            "error: environment variable MGA__MODEL__ATENTION=none: model.atention: unknown key, did you mean `attention`?",
            "error: environment variable MGA__SEED=-3: seed: expected at least 0, found -3",
            "error: --set seed: expected KEY=VALUE, as in `--set model.attention=none`",
            "error: --set data.train.transforms[0].p=1: `data.train.transforms[0].p` is no key; elements cannot be set, only the whole array",
            "error: --set data.mean=[1, 2: data.mean: not valid TOML: unclosed array, expected `]`",
            "error: --set modle.attention=none: modle: unknown key, did you mean `model`?",
        ],
        "{message}"
    );
}

#[test]
fn extends_that_cannot_be_followed() {
    let files = [
        ("base/a.toml", "seed = 1\nextends = ['b.toml']"),
        ("base/b.toml", "extends = '../x.toml'"),
        ("x.toml", "extends = ['base/a.toml', 'base/c.toml', 3]\ndata.dataset = 'leaves'"),
    ];
    let message = faults(&files, &Overrides::default());
    assert_eq!(
        heads(&message),
        [
            "error: base/b.toml:1:11: extends: goes round in a circle: x.toml -> a.toml -> b.toml -> x.toml",
            "error: x.toml:1:27: extends[1]: base/c.toml: no such file",
            "error: x.toml:1:42: extends[2]: expected the path of a file, or an array of paths",
        ],
        "{message}"
    );
    // Twice the same base is no circle.
    let top = format!("extends = ['a.toml', 'b.toml']\n{SMALLEST}");
    let folder = folder(&[
        ("base.toml", "seed = 4"),
        ("a.toml", "extends = 'base.toml'"),
        ("b.toml", "extends = 'base.toml'"),
        ("x.toml", &top),
    ]);
    assert_eq!(loaded(folder.path(), "x.toml", &Overrides::default()).experiment.seed, 4);
    // Only files extend.
    let message = faults(&[("x.toml", SMALLEST)], &overrides(&[], &["extends=other.toml"]));
    assert_eq!(
        heads(&message),
        ["error: --set extends=other.toml: extends: only an experiment file can extend others"],
        "{message}"
    );
}

#[test]
fn an_experiment_file_that_cannot_be_read() {
    let folder = folder(&[("soybean.toml", SMALLEST)]);
    let read = |name: &str| {
        let error = load(&folder.path().join(name), &Overrides::default(), &super::fixture::components()).unwrap_err();
        plain(&error.to_string(), folder.path())
    };
    assert_eq!(read("soybeen.toml"), "error: soybeen.toml: no such file, did you mean `soybean.toml`?");
    std::fs::write(folder.path().join("latin.toml"), b"seed = 1\nname = \"caf\xe9\"\n").unwrap();
    assert_eq!(read("latin.toml"), "error: latin.toml: not a text file: line 2 is not UTF-8");
}

#[test]
fn files_that_are_not_there() {
    let text = "[data]\ndataset = 'pictures'\nroot = 'no/such'\nfile = 'labels.csv'\n[model]\nbackbone = 'net18'\nweights = 'file:no.safetensors'";
    assert_eq!(
        heads(&of(&format!("eval.select_on = 'last'\n{text}"))),
        [
            "error: x.toml:4:8: data.root: no such folder: no/such (looked from HERE)",
            "error: x.toml:5:8: data.file: no such file: labels.csv (looked from HERE)",
            "error: x.toml:8:11: model.weights: no such file: no.safetensors (looked from HERE)",
        ]
    );
    let message = of("eval.select_on = 'last'\n[data]\ndataset = 'pictures'\n[model]\nbackbone = 'net18'");
    assert_eq!(
        heads(&message),
        ["error: x.toml:2:2: data.root: missing; data set `pictures` reads a folder, expected its path"]
    );
}

#[test]
fn settings_that_contradict_each_other() {
    let cases = [
        (
            "eval.every = 2",
            "eval.select_on: `validation`, but there are no validation images: set data.validation.fraction",
        ),
        (
            "eval.select_on = 'last'\ntrain.early_stopping = 3",
            "train.early_stopping: stops when the selected number no longer improves",
        ),
        (
            "eval.select_on = 'last'\ndata.masks.source = 'none'",
            "data.masks.source: `none`, but `model.mask_guidance` trains",
        ),
        (
            "eval.select_on = 'last'\nmodel.mask_guidance = false\nmodel.input = 'masked-image'\n\
             data.masks.source = 'none'",
            "data.masks.source: `none`, but `model.input` shows the network a mask with every image",
        ),
        (
            "eval.select_on = 'last'\nmodel.input = 'image-and-mask'\ndata.masks.missing = 'no-loss'",
            "data.masks.missing: `no-loss` lets images go without a mask, but `model.input` shows",
        ),
        (
            "eval.select_on = 'last'\nmodel.input = 'image-and-mask'\ndata.masks.empty = 'skip'",
            "data.masks.empty: `skip` takes blank masks away, but `model.input` shows",
        ),
        ("eval.select_on = 'last'\ndata.mean = [0, 0, 0]", "data.mean: needs `data.std` beside it"),
        ("data.validation = { fraction = 0.1, per_class = 3 }", "data.validation.per_class: stands beside `fraction`"),
        (
            "eval.select_on = 'last'\nschedule = { epochs = 3, warmup_epochs = 4 }",
            "schedule.warmup_epochs: expected at most schedule.epochs, 3",
        ),
        (
            "eval.select_on = 'last'\nschedule.min_learning_rate = 1",
            "schedule.min_learning_rate: expected at most optimiser.learning_rate, 0.05",
        ),
        (
            "eval.select_on = 'last'\noptimiser = { momentum = 0, nesterov = true }",
            "optimiser.nesterov: needs a momentum above 0",
        ),
        (
            "eval.select_on = 'last'\ndevice = 'gpu'",
            "device: unknown device `gpu`; expected `auto`, `cpu`, `cuda` or `cuda:N`",
        ),
        (
            "eval.select_on = 'last'\nmodel.weights = 'imagnet'",
            "model.weights: unknown weights `imagnet`, did you mean `imagenet`?",
        ),
        (
            "eval.select_on = 'last'\nmodel.weights = 'Cargo.toml'",
            "model.weights: `Cargo.toml` is a file; write \"file:Cargo.toml\"",
        ),
        (
            "eval.select_on = 'last'\ndata.eval.transforms = [{ op = 'random-crop', size = 13 }]",
            "data.eval.transforms[0]: 13 is unlucky",
        ),
    ];
    for (lines, expected) in cases {
        let message = of(&format!("{lines}\ndata.dataset = 'leaves'\nmodel.backbone = 'net18'"));
        assert!(message.lines().next().unwrap().contains(expected), "{lines}\n{message}");
        assert_eq!(heads(&message).len(), 1, "{lines}\n{message}");
    }
}

#[test]
fn what_runs_but_perhaps_not_as_meant_is_a_warning() {
    let text = "[data]\ndataset = 'leaves'\n[model]\nbackbone = 'net18'\nattention = 'multiply'\n\
                [objective]\nmask_weight = 0\n[eval]\nselect_on = 'test'\n";
    let folder = folder(&[("x.toml", text)]);
    let loaded = loaded(folder.path(), "x.toml", &Overrides::default());
    let warnings: Vec<String> =
        loaded.warnings.iter().map(|warning| plain(&warning.to_string(), folder.path())).collect();
    let heads: Vec<&str> = warnings.iter().map(|warning| warning.lines().next().unwrap()).collect();
    assert_eq!(
        heads,
        [
            "warning: x.toml:7:15: objective.mask_weight: 0 loads masks without learning from them; \
             model.mask_guidance = false leaves them out",
            "warning: x.toml:9:13: eval.select_on: `test` reports the epoch that is best on the very images it is \
             measured on; tables flag it",
        ]
    );
}
