//! Every form of a report with something of everything in it.

use mga_report::model::Arm;
use mga_report::{Report, latex, markdown, spreadsheet, terminal};

use super::fixture::{Run, Sweep, write};

/// A baseline, an arm that is better, one that is not, one with a failed and an unfinished seed; and a stranger.
fn attention() -> (Sweep, Report) {
    let sweep = Sweep::new();
    for seed in 1..=5 {
        sweep.finished(&Run::plain(seed));
        sweep.finished(&Run::of("mga", "veins", 0.75, seed));
        sweep.finished(&Run::of("mga, shuffled", "shuffled", 0.61, seed));
        let silhouette = Run::of("mga_silhouette", "silhouette", 0.65, seed);
        match seed {
            4 => drop(sweep.begun(&silhouette, "failed", Some("the loss is NaN at step 7\nand more"))),
            5 => drop(sweep.begun(&silhouette, "interrupted", None)),
            _ => drop(sweep.finished(&silhouette)),
        }
    }
    std::fs::create_dir(sweep.folder().join("runs/holiday")).unwrap();
    write(sweep.folder(), "sweep.toml", "");
    let report = sweep.report();
    (sweep, report)
}

/// Without what differs from here to there, and from today to the next release.
fn plain(sweep: &Sweep, text: &str) -> String {
    let made = format!("The report was made with mga {}", env!("CARGO_PKG_VERSION"));
    text.replace(&sweep.folder().display().to_string(), "SWEEP").replace(&made, "The report was made with mga VERSION")
}

#[test]
fn in_a_terminal() {
    let (sweep, report) = attention();
    insta::assert_snapshot!(plain(&sweep, &terminal::text(&report)));
}

#[test]
fn in_markdown() {
    let (sweep, report) = attention();
    insta::assert_snapshot!(plain(&sweep, &markdown::text(&report, &[])));
}

#[test]
fn in_csv() {
    let (_sweep, report) = attention();
    insta::assert_snapshot!(spreadsheet::text(&report).unwrap());
}

#[test]
fn in_latex() {
    let (sweep, report) = attention();
    let text = plain(&sweep, &latex::text(&report));
    insta::assert_snapshot!(text);
    assert_eq!(
        text.matches('{').count() - text.matches("\\{").count(),
        text.matches('}').count() - text.matches("\\}").count()
    );
    for line in text.lines().filter(|line| line.ends_with("\\\\")) {
        let columns = line.matches(" & ").count() + 1;
        assert!(columns == 7 || columns == 9, "{columns} columns: {line}");
    }
}

#[test]
fn the_methods() {
    let (sweep, report) = attention();
    insta::assert_snapshot!(plain(&sweep, &markdown::methods(&report)));
}

#[test]
fn in_json_and_back() {
    let (_sweep, report) = attention();
    let text = serde_json::to_string(&report).unwrap();
    let back: Report = serde_json::from_str(&text).unwrap();
    // Numbers may differ in their last bit.
    assert_eq!((back.flags, back.runs.len(), back.methods), (report.flags, report.runs.len(), report.methods));
    let sentences = |arms: Vec<Arm>| arms.into_iter().map(|arm| Some(arm.comparison?.sentence)).collect::<Vec<_>>();
    assert_eq!(sentences(back.arms), sentences(report.arms));
}

#[test]
fn no_difference_is_told_without_its_adjusted_p() {
    let (_sweep, report) = attention();
    let said: Vec<&str> = report
        .arms
        .iter()
        .filter_map(|arm| arm.comparison.as_ref())
        .map(|comparison| comparison.sentence.as_str())
        .collect();
    assert_eq!(said.len(), 3);
    for sentence in said {
        assert!(sentence.contains("Holm over 3"), "{sentence}");
        assert!(sentence.contains("is better than") || sentence.contains("is not told apart from"), "{sentence}");
    }
}
