//! The columns of the table in Markdown and LaTeX, as they are asked for, and the table for one column of a paper.

use mga_report::{Report, Request, TableForm, latex, markdown};
use mga_testing::process::{said, text};

use super::fixture::{Run, Sweep};

/// A baseline and an arm that is better, by three seeds each.
fn sweep() -> Sweep {
    let sweep = Sweep::new();
    for seed in 1..=3 {
        sweep.finished(&Run::plain(seed));
        sweep.finished(&Run::of("mga_of_the_veins", "veins", 0.8, seed));
    }
    sweep
}

fn form(columns: &[&str], narrow: bool) -> Request {
    let columns = columns.iter().map(|&name| name.to_owned()).collect();
    Request { form: TableForm { columns, narrow }, ..Request::default() }
}

/// The head of the first table, and the row of the arm that is better.
fn rows(text: &str, ends: &str) -> [String; 2] {
    let row = |begins: &str| {
        let found = text.lines().find(|line| line.contains(begins) && line.ends_with(ends));
        found.unwrap_or_else(|| panic!("{begins}: {text}")).to_owned()
    };
    [row("arm "), row("mga")]
}

#[test]
fn columns_stand_in_the_order_in_which_they_are_asked_for() {
    let report = sweep().report_as(form(&["p", "macro_f1", "n", "top1"], false)).unwrap();
    let [head, row] = rows(&markdown::text(&report, &[]), "|");
    assert_eq!(head, "| arm | p, Holm | macro F1, % | n | top-1 accuracy, % |");
    assert!(row.starts_with("| mga_of_the_veins | 0.0") && row.contains(" | **") && row.contains("** ± "), "{row}");
    let latex = latex::text(&report);
    let [head, row] = rows(&latex, "\\\\");
    assert_eq!(head, "arm & p, Holm & macro F1,\\,\\% & n & top-1 accuracy,\\,\\% \\\\");
    assert!(row.contains("\\textbf{") && !latex.contains("intervals of the mean"), "{row}");
    assert!(latex.contains("The best mean of a column is bold.") && latex.contains("after Holm's step-down."));
}

#[test]
fn a_column_that_is_not_there_is_refused_by_name() {
    let said = |columns: &[&str]| sweep().report_as(form(columns, false)).unwrap_err().to_string();
    let error = said(&["top1", "macro_f2"]);
    assert!(error.starts_with("--columns macro_f2: expected some of n, top1, interval, macro_f1,"), "{error}");
    assert!(error.contains("difference, p, compute") && error.ends_with("did you mean macro_f1?"), "{error}");
    // Nothing was searched.
    assert!(said(&["validation"]).starts_with("--columns validation: expected"), "{error}");
}

fn narrow(report: &Report) -> String {
    let text = latex::text(report);
    text.split("% ---- ").nth(1).unwrap().to_owned()
}

#[test]
fn a_narrow_table_has_the_comparison_and_names_that_wrap() {
    let report = sweep().report_as(form(&[], true)).unwrap();
    let table = narrow(&report);
    let [head, row] = rows(&table, "\\\\");
    assert_eq!(head, "arm & top-1 acc.,\\,\\% & diff. & p \\\\");
    assert!(
        row.starts_with("\\raggedright mga\\_\\allowbreak{}of\\_\\allowbreak{}the\\_\\allowbreak{}veins & \\textbf{")
    );
    assert!(table.contains("\\footnotesize") && table.contains("}rrr@{}}"), "{table}");
    assert!(
        table.contains(" n = 3.") && table.contains("The difference is of top-1 accuracy to the baseline in"),
        "{table}"
    );
    // Where arms have different numbers of runs, each tells its own.
    let uneven = sweep();
    uneven.finished(&Run::plain(4));
    let table = narrow(&uneven.report_as(form(&[], true)).unwrap());
    assert!(table.contains("arm & n & top-1 acc.,") && !table.contains(" n = "), "{table}");
}

#[test]
fn what_does_not_fit_a_papers_column_is_refused() {
    let wide = ["n", "top1", "interval", "macro_f1", "mask_iou", "difference", "p", "compute"];
    let error = sweep().report_as(form(&wide, true)).unwrap_err().to_string();
    assert!(
        error.starts_with("--narrow: names of arms and the columns n, top1,") && error.contains("has 3.3"),
        "{error}"
    );
    assert!(sweep().report_as(form(&["top1", "p"], true)).is_ok());
}

#[test]
fn the_program_takes_them() {
    let sweep = sweep();
    let report = |arguments: &[&str]| {
        let all = [&["report", ".", "--resamples", "100", "--out", "report"], arguments].concat();
        sweep.output(&all)
    };
    let output = report(&["--narrow", "--columns", "macro_f1, p"]);
    assert!(output.status.success(), "{}", said(&output));
    let written = std::fs::read_to_string(sweep.folder().join("report/report.tex")).unwrap();
    assert!(written.contains("arm & macro F1,\\,\\% & p \\\\"), "{written}");
    // The terminal shows what it always does.
    assert!(text(&output.stdout).contains("95 % interval"));
    let refused = report(&["--columns", "speed"]);
    assert!(!refused.status.success() && said(&refused).contains("--columns speed: expected some of"));
}
