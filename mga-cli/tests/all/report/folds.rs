//! Over folds the corrected resampled t test decides.

use mga_report::model::{Over, TTestKind};
use mga_report::results;
use mga_report::{html, latex, markdown, spreadsheet, terminal};
use serde_json::json;

use super::fixture::{Run, Sweep, flags};

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

#[test]
fn what_a_deviation_is_of_is_said_in_every_form() {
    let sweep = Sweep::new();
    folds(&sweep, 2);
    let report = sweep.report();
    // Two seeds of each fold are averaged first: the deviation is over five averages, not over ten runs.
    let score = report.arms[1].scores[0];
    assert_eq!((score.n, score.values, score.over), (10, 5, Over::Folds));
    let averages: Vec<f64> = report.arms[1]
        .runs
        .chunks(2)
        .map(|runs| runs.iter().map(|&run| report.runs[run].values[0].unwrap()).sum::<f64>() / 2.0)
        .collect();
    assert_eq!(score.deviation, mga_core::statistics::deviation(&averages));
    let comparison = report.arms[1].comparison.as_ref().unwrap();
    assert_eq!((comparison.pairs.len(), comparison.values, comparison.over), (10, 5, Over::Folds));
    assert!(comparison.sentence.contains("10 pairs in 5 folds"), "{}", comparison.sentence);
    let records = results::read(&[sweep.folder()]).unwrap().records;
    html::write(&report, &html::fill(&html::builtin(), &report, &records).unwrap(), sweep.folder()).unwrap();
    let page = std::fs::read_to_string(sweep.folder().join(html::PAGE)).unwrap();
    for text in [terminal::text(&report), markdown::text(&report, &[]), latex::text(&report), page] {
        assert!(text.contains("10 (5 folds)"), "{text}");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("is the standard deviation over the averages of an arm"), "{text}");
        assert!(!text.contains("deviations over $n$ runs") && !text.contains("deviations (n - 1) over runs"), "{text}");
    }
    let methods = markdown::methods(&report);
    assert!(methods.contains("standard deviations over the averages of an arm's folds, whose number stands in brackets, not over its n runs"), "{methods}");
    let table = spreadsheet::text(&report).unwrap();
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let header = reader.headers().unwrap().clone();
    let at = |name: &str| header.iter().position(|column| column == name).unwrap();
    let row = reader.records().nth(1).unwrap().unwrap();
    let parts = ["top1_n", "top1_deviation_n", "difference_deviation_n", "deviation_over"].map(|name| &row[at(name)]);
    assert_eq!(parts, ["10", "5", "5", "folds"]);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(
        (&json["arms"][1]["scores"][0]["over"], &json["arms"][1]["scores"][0]["values"]),
        (&json!("folds"), &json!(5))
    );
}

#[test]
fn over_seeds_a_deviation_is_over_runs() {
    let sweep = Sweep::new();
    (1..=3).for_each(|seed| drop(sweep.finished(&Run::plain(seed))));
    let report = sweep.report();
    let score = report.arms[0].scores[0];
    assert_eq!((score.n, score.values, score.over), (3, 3, Over::Runs));
    let text = terminal::text(&report);
    assert!(text.contains("± is the standard deviation over an arm's n runs (n - 1)."), "{text}");
}
