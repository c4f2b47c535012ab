//! Selection on the test images is marked, and the gap it makes is told.

use mga_report::{Report, model::FlagKind, terminal};
use serde_json::json;

use super::fixture::{Run, Sweep};

fn gap(report: &Report) -> (String, usize, f64) {
    let flag = report.flags.iter().find(|flag| flag.kind == FlagKind::SelectedOnTest).unwrap();
    let gap = flag.gap.clone().unwrap();
    (gap.against, gap.n, gap.mean)
}

#[test]
fn the_gap_to_the_last_epoch_of_the_same_runs() {
    let sweep = Sweep::new();
    for seed in 1..=2 {
        sweep.finished(&Run { select_on: "test", last_is_worse_by: 0.02 * seed as f64, ..Run::plain(seed) });
    }
    let report = sweep.report();
    assert!(report.arms[0].selected_on_test);
    let (against, n, mean) = gap(&report);
    assert_eq!((against.as_str(), n), ("the last epoch of the same runs", 2));
    assert!((mean - 0.03).abs() < 1e-12, "{mean}");
    let text = terminal::text(&report);
    assert!(text.contains("plain (baseline) [a]") && text.contains("is +3.0 points against the last epoch"), "{text}");
    assert!(report.methods.iter().any(|paragraph| paragraph.contains("on the TEST images")), "{:?}", report.methods);
}

#[test]
fn the_gap_to_the_same_runs_selected_on_validation() {
    let sweep = Sweep::new();
    let with = |select_on: &'static str, skill: f64, seed: u64| {
        let mut run = Run { select_on, skill, last_is_worse_by: 0.3, variant: None, ..Run::plain(seed) };
        run.settings = json!({ "eval.select_on": select_on });
        run.baseline = select_on == "validation";
        run.replicate = json!({ "seed": seed, "n_seed": select_on });
        run
    };
    for seed in 1..=3 {
        // One folder's name a run; the replicate is the seed alone.
        for (select_on, skill) in [("validation", 0.6), ("last", 0.6), ("test", 0.9)] {
            let mut run = with(select_on, skill, seed);
            let folder = sweep.finished(&run);
            run.replicate = json!({ "seed": seed });
            let cell = json!({ "sweep": "selection", "variant": null, "settings": run.settings,
                               "replicate": run.replicate, "order": seed, "baseline": run.baseline });
            super::fixture::write(&folder, "cell.json", &cell.to_string());
        }
    }
    let report = sweep.report();
    let (against, n, mean) = gap(&report);
    assert_eq!((against.as_str(), n), ("the same runs without it (select_on = validation)", 3));
    let arm = |name: &str| report.arms.iter().find(|arm| arm.name == name).unwrap().scores[0].mean.unwrap();
    assert!((mean - (arm("select_on = test") - arm("select_on = validation"))).abs() < 1e-12);
}

#[test]
fn groups_that_may_leak_are_flagged() {
    let sweep = Sweep::new();
    for seed in 1..=2 {
        sweep.finished(&Run::plain(seed));
        let mut run = Run::of("torn", "veins", 0.7, seed);
        run.settings["data.groups_may_leak"] = json!(true);
        sweep.finished(&run);
    }
    let report = sweep.report();
    let flags: Vec<_> = report.flags.iter().filter(|flag| flag.kind == FlagKind::GroupsMayLeak).collect();
    let torn = report.arms.iter().position(|arm| arm.name == "torn").unwrap();
    assert_eq!((flags.len(), &flags[0].arms), (1, &vec![torn]));
    assert!(terminal::text(&report).contains("torn: images of one group may be on both sides"));
}
