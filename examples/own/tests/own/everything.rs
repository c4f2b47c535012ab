//! One experiment that names a component of nearly each kind, and a sweep of it.

use crate::folder::{Folder, experiment, succeed};

#[test]
fn it_names_a_component_of_each_kind_but_the_method() {
    let text =
        ["everything.toml", "everything-sweep.toml"].map(|file| std::fs::read_to_string(experiment(file)).unwrap());
    let text = text.concat();
    for name in [
        "gratings",
        "disc",
        "swap-patches",
        "strided",
        "inside",
        "pyramid",
        "brier",
        "lion",
        "restarts",
        "worst_class",
        "two-view-episodes",
        "csv",
        "shell-script",
    ] {
        assert!(text.contains(&format!("\"{name}\"")), "{name}");
    }
    let listed = succeed(Folder::new().own(&["list"]));
    assert!(
        text.lines()
            .filter_map(|line| line.strip_prefix("name = "))
            .all(|name| { listed.contains(name.trim_matches('"')) || name == "\"everything\"" }),
        "{listed}"
    );
}

#[test]
fn it_is_checked_swept_and_reported() {
    let folder = Folder::new();
    let checked = succeed(folder.on("check", "everything.toml", &[]));
    assert!(checked.contains("pretrain") && checked.contains("extract"), "{checked}");
    let few = ["--out", "sweep", "--launcher", "local", "--quiet", "--set", "data.train_per_class=10"];
    succeed(folder.on("sweep", "everything-sweep.toml", &few));
    succeed(folder.own(&["report", "sweep", "--out", "report"]));
    let report = folder.read("report", "report.md");
    assert!(report.contains("worst class") && report.contains("## Training time"), "{report}");
}
