//! What a report says when something is amiss: baselines, seeds, identities, predictions, folders.

use mga_report::{Request, model::Verdict, terminal};
use serde_json::json;

use super::fixture::{Run, Sweep, flags, write};

fn named(baseline: &str) -> Request {
    Request { baseline: Some(baseline.to_owned()), ..Request::default() }
}

#[test]
fn a_baseline_that_is_not_there_is_an_error_that_names_the_arms() {
    let sweep = Sweep::new();
    sweep.finished(&Run::plain(1));
    sweep.finished(&Run::of("mga", "veins", 0.8, 1));
    let said = sweep.report_as(named("plan")).unwrap_err().to_string();
    assert!(said.contains("Did you mean \"plain\"?") && said.ends_with("The arms are:\n  plain\n  mga"), "{said}");
    let by_setting = sweep.report_as(named("attention=residual")).unwrap();
    assert_eq!(by_setting.arms.iter().map(|arm| arm.baseline).collect::<Vec<_>>(), [false, true]);
    let metric = Request { metric: Some("top_1".to_owned()), ..Request::default() };
    let said = sweep.report_as(metric).unwrap_err().to_string();
    assert!(said.contains("they have top1, macro_f1, mask_iou; did you mean top1?"), "{said}");
}

#[test]
fn without_a_baseline_nothing_is_compared_and_that_is_said() {
    let sweep = Sweep::new();
    for seed in 1..=3 {
        sweep.finished(&Run { baseline: false, ..Run::plain(seed) });
        sweep.finished(&Run::of("mga", "veins", 0.8, seed));
    }
    let report = sweep.report();
    assert!(report.arms.iter().all(|arm| arm.comparison.is_none()));
    assert!(terminal::text(&report).contains("note: no arm is marked as the baseline"), "{}", terminal::text(&report));
}

#[test]
fn one_seed_has_no_interval_and_says_so() {
    let sweep = Sweep::new();
    sweep.finished(&Run::plain(1));
    sweep.finished(&Run::of("mga", "veins", 0.8, 1));
    let report = sweep.report();
    let (score, comparison) = (report.arms[1].scores[0], report.arms[1].comparison.as_ref().unwrap());
    assert_eq!((score.n, score.deviation, score.interval), (1, None, None));
    assert_eq!((&comparison.test, comparison.p_adjusted, comparison.interval), (&None, None, None));
    assert_eq!(comparison.verdict, Verdict::Untested);
    // Over images something can be said.
    assert!(report.arms[1].image_interval.is_some() && comparison.mcnemar.is_some() && comparison.bootstrap.is_some());
    let text = terminal::text(&report);
    assert!(text.contains("from one pair of runs, which says nothing about chance"), "{text}");
    assert!(text.contains("mga: one run only, so there is neither deviation nor interval over seeds."), "{text}");
}

#[test]
fn the_same_difference_in_every_pair_proves_nothing() {
    let sweep = Sweep::new();
    for seed in 1..=3 {
        for (run, top1) in [(Run::plain(seed), 0.60), (Run::of("mga", "veins", 0.8, seed), 0.62)] {
            let folder = sweep.finished(&run);
            let top1 = top1 + 0.02 * seed as f64;
            write(&folder, "summary.json", &json!({ "split": "test", "last": { "top1": top1 } }).to_string());
        }
    }
    let report = sweep.report();
    let comparison = report.arms[1].comparison.as_ref().unwrap();
    assert_eq!((comparison.deviation, &comparison.test, comparison.verdict), (Some(0.0), &None, Verdict::Untested));
    assert!(comparison.sentence.contains("+2.0 points in each of 3 pairs"), "{}", comparison.sentence);
}

#[test]
fn unequal_seeds_are_paired_as_far_as_they_go() {
    let sweep = Sweep::new();
    (1..=4).for_each(|seed| drop(sweep.finished(&Run::plain(seed))));
    (3..=6).for_each(|seed| drop(sweep.finished(&Run::of("mga", "veins", 0.8, seed))));
    let report = sweep.report();
    let comparison = report.arms[1].comparison.as_ref().unwrap();
    assert_eq!(comparison.pairs.iter().map(|pair| pair.replicate.as_str()).collect::<Vec<_>>(), ["seed 3", "seed 4"]);
    assert_eq!(report.arms[1].scores[0].n, 4);
    assert_eq!(comparison.missing.len(), 4);
    assert_eq!(flags(&report, "mga"), [json!("missing-pairs")]);
    assert!(report.flags[0].message.contains("seed 5 is not finished in plain"), "{}", report.flags[0].message);
}

#[test]
fn mixed_numerics_are_flagged_and_not_compared() {
    let sweep = Sweep::new();
    for seed in 1..=3 {
        sweep.finished(&Run::plain(seed));
        let mut mga = Run::of("mga", "veins", 0.8, seed);
        mga.identity["numerics"] = json!(if seed == 3 { 2 } else { 1 });
        sweep.finished(&mga);
    }
    let report = sweep.report();
    assert_eq!(flags(&report, "mga"), [json!("mixed-numerics"), json!("missing-pairs")]);
    assert_eq!(flags(&report, "plain"), [json!("mixed-numerics")]);
    let comparison = report.arms[1].comparison.as_ref().unwrap();
    assert_eq!(comparison.pairs.len(), 2);
    assert_eq!(comparison.missing, ["seed 3: made by programs of different numerics"]);
    assert!(report.flags[0].message.contains("(1: 5 runs, 2: 1 run)"), "{}", report.flags[0].message);
}

#[test]
fn data_may_differ_by_masks_and_folds_alone() {
    let sweep = Sweep::new();
    for seed in 1..=2 {
        sweep.finished(&Run::plain(seed));
        sweep.finished(&Run::of("mga", "veins", 0.8, seed));
        sweep.finished(&Run::of("mga, otsu", "otsu", 0.8, seed));
    }
    assert_eq!(sweep.report().flags, []);
    let mut other = Run::of("mga", "veins", 0.8, 3);
    other.identity["data"] = json!("another copy");
    sweep.finished(&other);
    assert_eq!(flags(&sweep.report(), "mga")[0], "mixed-data");
    assert_eq!(flags(&sweep.report(), "mga, otsu"), [] as [serde_json::Value; 0]);
    let mut weights = Run::of("mga, otsu", "otsu", 0.8, 3);
    weights.identity["weights"] = json!("1f3a");
    sweep.finished(&weights);
    assert_eq!(flags(&sweep.report(), "mga, otsu")[0], "mixed-weights");
}

#[test]
fn two_runs_of_one_cell_count_once() {
    let sweep = Sweep::new();
    sweep.finished(&Run::plain(1));
    let again = sweep.folder().join("runs/plain.again");
    std::fs::create_dir(&again).unwrap();
    for entry in std::fs::read_dir(sweep.folder().join("runs/plain.1")).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), again.join(entry.file_name())).unwrap();
    }
    let report = sweep.report();
    assert_eq!((report.arms[0].scores[0].n, report.arms[0].runs.len()), (1, 2));
    assert_eq!(flags(&report, "plain"), [json!("duplicate")]);
}

#[test]
fn without_predictions_only_the_tests_on_images_are_missing() {
    let sweep = Sweep::new();
    for seed in 1..=3 {
        sweep.finished(&Run::plain(seed));
        let mga = sweep.finished(&Run::of("mga", "veins", 0.8, seed));
        std::fs::remove_file(mga.join("predictions.csv")).unwrap();
    }
    let report = sweep.report();
    let comparison = report.arms[1].comparison.as_ref().unwrap();
    assert!(comparison.test.is_some() && comparison.mcnemar.is_none() && comparison.bootstrap.is_none());
    assert!(comparison.predictions_missing.as_ref().unwrap().contains("predictions.csv"));
    assert!(report.arms[0].image_interval.is_some() && report.arms[1].image_interval.is_none());
}

#[test]
fn a_sweep_of_which_nothing_is_finished_has_a_table_of_states() {
    let sweep = Sweep::new();
    sweep.begun(&Run::plain(1), "running", None);
    sweep.begun(&Run::of("mga", "veins", 0.8, 1), "failed", Some("no such file"));
    let report = sweep.report();
    let text = terminal::text(&report);
    assert!(text.contains("0 of 1") && text.contains("seed 1 (no such file)"), "{text}");
    assert!(text.contains("mga cannot be compared with plain"), "{text}");
    assert_eq!(report.methods, ["No run is finished yet."]);
}
