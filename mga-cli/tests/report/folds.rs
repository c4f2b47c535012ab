//! Over folds the corrected resampled t test decides.

use mga_cli::reports::model::TTestKind;
use serde_json::json;

use crate::fixture::{Run, Sweep, flags};

fn folds(sweep: &Sweep, seeds: u64) {
    for (fold, seed) in (0..5).flat_map(|fold| (1..=seeds).map(move |seed| (fold, seed))) {
        for mut run in [Run::plain(seed), Run::of("mga", "veins", 0.7, seed)] {
            run.replicate = json!({ "data.fold": format!("0.{fold}"), "seed": seed });
            run.identity["data"] = json!(format!("{} fold {fold}", run.identity["data"]));
            sweep.finished(&run);
        }
    }
}

#[test]
fn the_corrected_test_is_the_cautious_one() {
    let sweep = Sweep::new();
    folds(&sweep, 1);
    let report = sweep.report();
    assert_eq!(flags(&report, "mga"), [] as [serde_json::Value; 0]);
    let comparison = report.arms[1].comparison.as_ref().unwrap();
    let (test, plain) = (comparison.test.as_ref().unwrap(), comparison.paired_t.as_ref().unwrap());
    assert_eq!((test.kind, plain.kind, test.degrees), (TTestKind::CorrectedResampled, TTestKind::Paired, 4.0));
    // 40 test images, 120 to train on: the variance is 1/5 + 1/3 in place of 1/5.
    let ratio = (0.2f64 + 1.0 / 3.0).sqrt() / 0.2f64.sqrt();
    assert!((plain.t / test.t - ratio).abs() < 1e-9, "{} {}", plain.t, test.t);
    assert_eq!(comparison.p_adjusted, Some(test.p));
    assert!(comparison.sentence.contains("corrected resampled t test"), "{}", comparison.sentence);
    assert!(report.methods.iter().any(|text| text.contains("Nadeau and Bengio 2003")));
}

#[test]
fn seeds_of_one_fold_are_averaged_first() {
    let sweep = Sweep::new();
    folds(&sweep, 3);
    let report = sweep.report();
    let comparison = report.arms[1].comparison.as_ref().unwrap();
    assert_eq!((comparison.pairs.len(), comparison.test.as_ref().unwrap().degrees), (15, 4.0));
    assert_eq!(comparison.paired_t.as_ref().unwrap().degrees, 14.0);
    assert_eq!(report.arms[1].scores[0].n, 15);
    assert_eq!(report.runs[0].replicate, "fold 0.0, seed 1");
}
