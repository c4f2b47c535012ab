//! Names that would do harm where they are shown: escape sequences in a terminal, formulas in a spreadsheet, markup, commands.

use mga_report::results::Predictions;
use mga_report::{latex, markdown, spreadsheet};
use serde_json::json;

use super::fixture::{Run, Sweep, write};

/// An arm's name; its runs' folders are called so too.
const ARM: &str = "=cmd|' \u{1b}[31mC calc'!A0 \u{9b}2J \\input{x} $a$ <b> & 50% _x_ \u{202e}gnp";

/// Whether a terminal would obey something in it.
fn is_obeyed(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.chars().any(|c| c.is_control() && c != '\n' && c != '\t' || matches!(c, '\u{202a}'..='\u{202e}'))
}

fn sweep() -> Sweep {
    let sweep = Sweep::new();
    for seed in 1..=2 {
        sweep.finished(&Run::plain(seed));
        sweep.finished(&Run::of(ARM, "veins", 0.75, seed));
    }
    sweep.begun(
        &Run::of(ARM, "veins", 0.75, 3),
        "failed",
        Some("\u{1b}]0;gotcha\u{7} cannot be read: \u{1b}[2J.png\rok"),
    );
    write(sweep.folder(), "plan.json", "{\"\u{1b}[31m");
    std::fs::create_dir(sweep.folder().join("runs/\u{1b}[31mholiday")).unwrap();
    sweep
}

#[test]
fn escape_sequences_of_names_never_reach_a_terminal() {
    let sweep = sweep();
    let arm = format!("runs/{ARM}.1");
    for arguments in [
        &["report", ".", "--resamples", "100", "--out", "report"][..],
        &["report", ".", "--resamples", "100", "--json"],
        &["report", ".", "--baseline", "\u{1b}[31mnone"],
        &["results", "list", "."],
        &["results", "list", ".", "--json"],
        &["results", "compare", "runs/plain.1", &arm],
        &["results", "export", ".", "--csv", "\u{1b}[1m.csv"],
        &["results", "index", "."],
        &["results", "list", "\u{1b}[31mnowhere"],
        &["train", "\u{1b}[31mx.toml", "--out", "y"],
        &["no-\u{1b}[31mcommand"],
        &["report", ".", "--resamples", "\u{1b}[31m"],
    ] {
        let output = sweep.output(arguments);
        assert!(!output.stdout.is_empty() || !output.stderr.is_empty(), "{arguments:?} says nothing");
        for said in [&output.stdout, &output.stderr] {
            assert!(!is_obeyed(said), "{arguments:?}: {:?}", String::from_utf8_lossy(said));
        }
    }
    // What is JSON stays what it was.
    let listed: serde_json::Value = serde_json::from_str(&sweep.done(&["results", "list", ".", "--json"])).unwrap();
    let keys = listed["runs"].as_array().unwrap().iter().map(|run| run["key"].as_str().unwrap().to_owned());
    assert!(keys.collect::<Vec<_>>().contains(&format!("{ARM}.1")), "{listed}");
    // Nor do files: a page opened with `cat` is a terminal's too.
    for name in ["report.md", "report.tex", "methods.md", "index.html"] {
        let text = std::fs::read(sweep.folder().join("report").join(name)).unwrap();
        assert!(!is_obeyed(&text), "{name}");
    }
}

#[test]
fn names_are_text_in_every_form() {
    let report = sweep().report();
    assert_eq!(report.arms[1].name, ARM);
    let tex = latex::text(&report);
    assert!(
        !tex.contains("\\input{x}") && tex.contains("\\textbackslash{}input\\{x\\} \\$a\\$ $<$b$>$ \\& 50"),
        "{tex}"
    );
    let page = markdown::text(&report, &[]);
    assert!(page.contains("=cmd\\|'") && page.contains("\\$a\\$ &lt;b>") && !page.contains("<b>"), "{page}");
    let table = spreadsheet::text(&report).unwrap();
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    for cell in reader.records().flat_map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>()) {
        let number = cell.parse::<f64>().is_ok();
        assert!(number || !cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
    }
    assert!(table.contains("\n'=cmd|"), "{table}");
}

#[test]
fn tables_of_runs_hold_no_formulas() {
    let sweep = sweep();
    sweep.done(&["results", "export", ".", "--csv", "runs.csv", "--parquet", "runs.parquet"]);
    let text = sweep.read("runs.csv");
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let mut shielded = 0;
    for cell in reader.records().flat_map(|row| row.unwrap().iter().map(str::to_owned).collect::<Vec<_>>()) {
        assert!(cell.parse::<f64>().is_ok() || !cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "{cell}");
        shielded += usize::from(cell.starts_with("'="));
    }
    assert!(shielded >= 3, "{text}");
}

#[test]
fn predictions_of_old_and_new_runs_are_of_the_same_images() {
    let names = ["=1+1.png", "@x/1.png", "-5", "'quoted'", "plain.png", "+a"];
    let rows = |shield: bool| {
        let mut text = "path,label,predicted,confidence,correct\n".to_owned();
        for image in 0..40 {
            let name = format!("{}{image}", names[image % names.len()]);
            let formula = name.starts_with(['=', '@', '+']);
            let name = if shield && formula { format!("'{name}") } else { name };
            let label = if shield { "'=a" } else { "=a" };
            text += &format!("\"{name}\",{label},{label},0.75,true\n");
        }
        text
    };
    let sweep = Sweep::new();
    for seed in 1..=2 {
        // 0.1.0 wrote names as they are.
        write(&sweep.finished(&Run::plain(seed)), "predictions.csv", &rows(false));
        write(&sweep.finished(&Run::of("mga", "veins", 0.75, seed)), "predictions.csv", &rows(true));
    }
    let read = |key: &str| Predictions::read(&sweep.folder().join("runs").join(key)).unwrap();
    assert_eq!(read("plain.1"), read("mga.1"));
    assert_eq!((read("mga.1").0[0].path.as_str(), read("mga.1").classes()), ("=1+1.png0", vec!["=a"]));
    let comparison = sweep.report().arms[1].comparison.clone().unwrap();
    assert_eq!((comparison.predictions_missing, comparison.mcnemar.map(|test| test.predictions)), (None, Some(80)));
    assert_eq!(json!(comparison.pairs.len()), 2);
}
