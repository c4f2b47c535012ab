//! Sweeps over a task of several stages: runs share what they have in common, and what a sweep writes plans it again.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::folder::{Folder, experiment, said, succeed};

const FEW: [&str; 4] = ["--set", "data.train_per_class=10", "--set", "data.workers=1"];

fn json(folder: &Folder, run: &str, file: &str) -> Value {
    serde_json::from_str(&folder.read(run, file)).unwrap()
}

/// The identities of the runs that a sweep file plans, by `--dry-run`.
fn planned(folder: &Folder, sweep: &str, out: &str) -> BTreeSet<String> {
    let said = succeed(folder.own(&["sweep", sweep, "--out", out, "--dry-run", "--json"]));
    let lines = said.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.map(|line| line["cell"]["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_a_sweep_writes_plans_the_same_sweep_again() {
    let folder = Folder::new();
    let few =
        ["--set", "data.train_per_class=10", "--set", "data.workers=1", "--set", "stages.pretrain.schedule.epochs=1"];
    succeed(folder.on("train", "episodes.toml", &[&["--out", "other", "--quiet"], few.as_slice()].concat()));
    let base = experiment("episodes.toml");
    for (name, axes) in [
        // At the top they are for the stage that runs first, and what is beneath them is each stage's own.
        ("weights", "\"model.weights\" = [\"none\", \"file:other\"]"),
        ("both", "\"data.batch_size\" = [12, 6]\n\"stages.extract.support.smoothing\" = [0.0, 0.5]"),
    ] {
        let text = format!("name = \"again\"\nbase = {base:?}\n[axes]\n{axes}\n");
        std::fs::write(folder.path(&format!("{name}.toml")), text).unwrap();
    }
    let text = format!(
        "name = \"again\"\nbase = {base:?}\n[[linked]]\nrun_stages = [[\"pretrain\", \"extract\"], [\"pretrain\"], \
         [\"extract\"]]\n\"model.weights\" = [\"none\", \"none\", \"file:other\"]\n"
    );
    std::fs::write(folder.path("stages.toml"), text).unwrap();
    for (name, runs) in [("weights", 2), ("both", 4), ("stages", 3)] {
        let file = format!("{name}.toml");
        succeed(folder.own(&[&["sweep", &file, "--out", name, "--quiet"], few.as_slice()].concat()));
        let cells: Value = serde_json::from_str(&folder.read(name, "plan.json")).unwrap();
        let ids: BTreeSet<String> =
            cells["cells"].as_array().unwrap().iter().map(|cell| cell["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(ids.len(), runs, "{name}");
        // Without what was set: the base says it.
        assert_eq!(planned(&folder, &format!("{name}/sweep.toml"), name), ids, "{name}");
        let said = succeed(folder.own(&["sweep", &format!("{name}/sweep.toml"), "--out", name, "--dry-run"]));
        assert!(said.contains(&format!("{runs} finished")), "{said}");
        assert!(folder.read(name, "base.toml").contains("[stages.extract.support]"), "{name}");
    }
}

#[test]
fn arms_that_share_a_stage_train_it_once() {
    let folder = Folder::new();
    let arguments = [&["--out", "sweep", "--jobs", "2"], FEW.as_slice()].concat();
    let output = folder.on("sweep", "episodes-sweep.toml", &arguments).output().unwrap();
    let told = said(&output);
    assert!(output.status.success(), "{told}");
    // What is to come is told with the stage that the runs share once.
    assert!(told.contains(" for the stage that they share, from "), "{told}");
    let names = |path: &str| -> Vec<String> {
        let entries = std::fs::read_dir(folder.path(path)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    let (stages, runs) = (names("sweep/stages"), names("sweep/runs"));
    assert_eq!((stages.len(), runs.len()), (1, 2), "{stages:?} {runs:?}");
    let steps = folder.log(&format!("sweep/stages/{}", stages[0]));
    let epochs: Vec<_> = steps.iter().filter(|line| line["kind"] == "eval").map(|line| line["epoch"].clone()).collect();
    assert_eq!(epochs, [0, 1], "it was trained once");
    let mut trained = Vec::new();
    for run in &runs {
        let run = format!("sweep/runs/{run}");
        let place = &json(&folder, &run, "stages.json")[0];
        trained.extend(place["spent"]["trained"].as_f64().filter(|seconds| *seconds > 0.0));
        assert_eq!(place["folder"], format!("../../stages/{}", stages[0]));
        assert_eq!(json(&folder, &run, "identity.json")["previous"], stages[0]);
    }
    let said = succeed(folder.on("sweep", "episodes-sweep.toml", &[&arguments[..2], &["--dry-run"], &FEW].concat()));
    assert!(said.contains("2 finished"), "{said}");
    // Its time is no arm's, whichever run trained it.
    assert_eq!(trained.len(), 1, "one run trained it");
    succeed(folder.own(&["report", "sweep", "--out", "report"]));
    let report = json(&folder, "report", "report.json");
    let shared = report["shared_stages"].as_array().unwrap();
    assert_eq!(shared.len(), 1, "{shared:?}");
    assert_eq!((&shared[0]["name"], &shared[0]["seconds"]), (&Value::from("pretrain"), &Value::from(trained[0])));
    for run in report["runs"].as_array().unwrap() {
        let key = run["key"].as_str().unwrap();
        let whole = json(&folder, &format!("sweep/runs/{key}"), "state.json")["seconds"].as_f64().unwrap();
        let spent = &json(&folder, &format!("sweep/runs/{key}"), "stages.json")[0]["spent"];
        let spent = ["trained", "waited"].map(|part| spent[part].as_f64().unwrap_or_default());
        let own = run["seconds"].as_f64().unwrap();
        assert!((own - (whole - spent[0] - spent[1])).abs() < 1e-6, "{own}, {whole} without {spent:?}");
    }
    let text = folder.read("report", "report.md");
    for told in [
        "smoothing",
        "without the stages that runs share: pretrain was trained once for 2 runs, in ",
        "A run has 2 stages. The network is strided.",
        "Stage pretrain fits, trained from scratch: AdamW, learning rate 0.003,",
        "cosine schedule, 2 epochs,",
        "Stage extract extracts tensors and trains nothing, starting from the selected checkpoint of the stage before.",
    ] {
        assert!(text.contains(told), "no `{told}` in {text}");
    }
    assert_eq!(text.matches("The network is strided").count(), 1, "{text}");
    let page = folder.read("report", "index.html");
    let row = |key: &str| page.contains(&format!(">{key}<"));
    assert!(row("stages.pretrain.schedule.epochs") && row("model.backbone") && !row("schedule.epochs"));
}
