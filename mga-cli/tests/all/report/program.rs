//! The program itself: files, JSON, runs outside a sweep, exit statuses.

use std::process::Output;

use mga_testing::process::{said, text};

use super::fixture::{Run, Sweep};

fn report(sweep: &Sweep, arguments: &[&str]) -> Output {
    let few: &[&str] = if arguments.contains(&"--resamples") { &[] } else { &["--resamples", "100"] };
    sweep.output(&[&["report"], few, arguments].concat())
}

#[test]
fn it_prints_and_writes() {
    let sweep = Sweep::new();
    for seed in 1..=3 {
        sweep.finished(&Run::plain(seed));
        sweep.finished(&Run::of("mga", "veins", 0.8, seed));
    }
    let output = report(&sweep, &[".", "--out", "report"]);
    assert!(output.status.success(), "{}", said(&output));
    let printed = text(&output.stdout);
    assert!(printed.starts_with("attention: 2 arms, 6 runs, 6 counted") && printed.contains("report.tex"), "{printed}");
    for name in ["report.md", "report.csv", "report.tex", "report.json", "methods.md"] {
        assert!(sweep.folder().join("report").join(name).metadata().unwrap().len() > 100, "{name}");
    }
    let json = report(&sweep, &[".", "--json"]);
    let written = std::fs::read(sweep.folder().join("report/report.json")).unwrap();
    let value: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    // The folders are as they were given: the same here.
    assert_eq!(value, serde_json::from_slice::<serde_json::Value>(&written).unwrap());
}

#[test]
fn runs_outside_a_sweep() {
    let sweep = Sweep::new();
    let mut folders = vec![];
    for seed in 1..=2 {
        for run in [Run::plain(seed), Run::of("mga", "veins", 0.8, seed)] {
            let folder = sweep.finished(&run);
            std::fs::remove_file(folder.join("cell.json")).unwrap();
            std::fs::remove_file(folder.join("state.json")).unwrap();
            folders.push(folder.display().to_string());
        }
    }
    let mut arguments: Vec<&str> = folders.iter().map(String::as_str).collect();
    arguments.extend(["--baseline", "attention=none"]);
    let output = report(&sweep, &arguments);
    let printed = text(&output.stdout);
    assert!(output.status.success(), "{}", said(&output));
    assert!(printed.contains("attention = none, mask_guidance = false (baseline)"), "{printed}");
    assert!(printed.contains("2 arms, 4 runs, 4 counted"), "{printed}");
}

#[test]
fn a_list_shows_what_it_is_sorted_and_chosen_by() {
    let sweep = Sweep::new();
    for seed in 1..=3 {
        sweep.finished(&Run::plain(seed));
    }
    let list = |arguments: &[&str]| sweep.done(&[&["results", "list", "."], arguments].concat());
    let header = |text: &str| text.lines().next().unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert!(!header(&list(&[])).contains(&"identity.classes".to_owned()));
    let sorted = list(&["--sort", "last.macro_f1", "--where", "identity.classes=4"]);
    assert!(header(&sorted).contains(&"last.macro_f1".to_owned()), "{sorted}");
    assert!(header(&sorted).contains(&"identity.classes".to_owned()), "{sorted}");
    // Shown already, or columns that were asked for by name: nothing is added.
    assert_eq!(header(&list(&["--sort", "top1"])), header(&list(&[])));
    assert_eq!(header(&list(&["--sort", "top1", "--columns", "key,state"])), ["key", "state"]);
}

#[test]
fn mistakes_are_errors() {
    let sweep = Sweep::new();
    std::fs::create_dir(sweep.folder().join("empty")).unwrap();
    let fails = |arguments: &[&str], status: i32, expected: &str| {
        let output = report(&sweep, arguments);
        let said = said(&output);
        assert!(output.status.code() == Some(status) && said.contains(expected), "{:?}: {said}", output.status);
    };
    fails(&["empty"], 1, "there is no run in it");
    fails(&["nowhere"], 1, "expected the folder of a sweep or a run");
    fails(&[], 2, "SWEEP");
    fails(&["empty", "--resamples", "5"], 2, "expected at least 100");
}
