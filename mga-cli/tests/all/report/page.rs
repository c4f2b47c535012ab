//! The page: what is on it, that foreign text is text, and how it behaves in a browser where there is one.

use std::path::Path;
use std::process::Command;

use mga_report::html;
use mga_report::results;
use serde_json::json;

use super::fixture::{Run, Sweep, write};

/// What an arm is called: its runs' folders are too, so there is no slash in it.
const EVIL_ARM: &str = "<img src=x onerror=alert(1)> & <b>";

/// What a class, an image and an error are called to do harm.
const EVIL: &str = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>";

/// A sweep of three arms with curves, classes and pictures; one run failed.
fn sweep() -> Sweep {
    let sweep = Sweep::new();
    for seed in 1..=4 {
        for run in [Run::plain(seed), Run::of("mga", "veins", 0.8, seed), Run::of(EVIL_ARM, "shuffled", 0.65, seed)] {
            if seed == 4 && run.variant == Some("mga") {
                sweep.begun(&run, "failed", Some(&format!("the loss is NaN {EVIL}")));
                continue;
            }
            fill(&sweep.finished(&run), run.skill, seed);
        }
    }
    sweep
}

/// Adds what a real run leaves behind: its log, counts by class, pictures.
fn fill(folder: &Path, skill: f64, seed: u64) {
    let mut log = String::new();
    for epoch in 0..12u64 {
        let progress = 1.0 - (-(epoch as f64) / 4.0).exp();
        for step in 0..3 {
            let loss = 1.4 - skill * progress + 0.05 * ((seed * 7 + epoch * 3 + step) % 5) as f64;
            log +=
                &format!("{}\n", json!({ "kind": "step", "step": epoch * 3 + step + 1, "epoch": epoch, "loss": loss }));
        }
        let top1 = 0.25 + (skill - 0.25) * progress + 0.01 * (seed % 3) as f64;
        log += &format!("{}\n", json!({ "kind": "eval", "split": "validation", "epoch": epoch, "top1": top1 }));
    }
    write(folder, "metrics.jsonl", &log);
    let mut confusion = csv::WriterBuilder::new().from_writer(vec![]);
    let classes = ["acer", EVIL, "{{style}}", "Quercus robur subsp. pedunculiflora, with a long name"];
    confusion.write_record(std::iter::once("label").chain(classes)).unwrap();
    for (row, class) in classes.iter().enumerate() {
        let right = (10.0 * skill) as u64;
        let counts =
            (0..4).map(|column| if row == column { right } else { u64::from(column == (row + 1) % 4) * (10 - right) });
        confusion
            .write_record(std::iter::once((*class).to_owned()).chain(counts.map(|count| count.to_string())))
            .unwrap();
    }
    std::fs::write(folder.join("confusion.csv"), confusion.into_inner().unwrap()).unwrap();
    let pictures = folder.join("pictures");
    std::fs::create_dir_all(&pictures).unwrap();
    let picture = image::RgbImage::from_fn(640, 200, |x, y| image::Rgb([(x / 3) as u8, (y as u8) ^ (x as u8), 90]));
    picture.save(pictures.join("overview.png")).unwrap();
    let overview = json!({ "picture": "overview.png", "columns": ["image", "mask", "attention", "Grad-CAM"],
        "images_per_row": 2, "images": [{ "path": EVIL, "label": EVIL, "predicted": "acer", "confidence": 0.5 }] });
    write(&pictures, "overview.json", &overview.to_string());
}

/// The page of a sweep, written into its folder.
fn page(sweep: &Sweep) -> String {
    let (report, records) = (sweep.report(), results::read(&[sweep.folder()]).unwrap().records);
    html::write(&report, &html::fill(&html::builtin(), &report, &records).unwrap(), sweep.folder()).unwrap();
    std::fs::read_to_string(sweep.folder().join(html::PAGE)).unwrap()
}

#[test]
fn everything_is_on_it() {
    let sweep = sweep();
    let page = page(&sweep);
    for id in [
        "warnings",
        "table",
        "baseline",
        "curves",
        "classes",
        "confusion",
        "calibration",
        "pictures",
        "every-run",
        "settings",
        "environment",
        "methods",
    ] {
        assert!(page.contains(&format!("<section id=\"{id}\"")), "{id}");
    }
    assert!(!page.contains("<section id=\"unread\""), "everything could be read");
    assert_eq!(page.matches("src=\"data:image/").count(), 11);
    for text in [
        "the loss is NaN",
        "From left to right: image, mask, attention, Grad-CAM; 2 images a line.",
        "ECE ",
        "Most confused pairs: all pairs",
        "mga minus plain",
        "thin lines: the runs",
        "Bars fade where predictions are few",
    ] {
        assert!(page.contains(text), "{text}");
    }
    let mut figures: Vec<String> = std::fs::read_dir(sweep.folder().join(html::FIGURES))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    figures.sort();
    assert_eq!(figures.len(), 13, "{figures:?}");
    for name in ["confusion-02-mga.svg", "confusion-difference-02-mga.svg", "validation.svg"] {
        assert!(figures.contains(&name.to_owned()), "{name}");
    }
}

#[test]
fn foreign_text_is_text() {
    let page = page(&sweep());
    assert_eq!(page.matches("<script").count(), 1);
    assert!(!page.contains("<img src=x") && page.contains("&#60;img src=x onerror=alert(1)&#62;"));
    assert!(page.contains("{{style}}"), "a class that is called like a place of the template");
    // Nothing that could be fetched, and a policy that would not let it.
    assert!(!page.contains("url(") && !page.contains("@import") && page.contains("default-src 'none'"));
    assert!(!["src=\"http", "href=\"http", "src='http"].iter().any(|text| page.contains(text)));
}

#[test]
fn what_is_missing_is_said() {
    let sweep = Sweep::new();
    for seed in 1..=2 {
        sweep.finished(&Run::plain(seed));
    }
    let page = page(&sweep);
    assert!(page.contains("<section id=\"unread\"") && page.contains("metrics.jsonl: cannot be read"));
    assert!(!page.contains("<section id=\"pictures\"") && !page.contains("<section id=\"confusion\""));
    let unfinished = Sweep::new();
    // It was begun, by hand say: the sweep has not heard of it.
    unfinished.begun(&Run::plain(1), "waiting", None);
    let page = self::page(&unfinished);
    assert!(page.contains("unfinished") && !page.contains("NaN"));
}

#[test]
fn it_works_in_a_browser() {
    let there =
        |program: &str| Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    let chromium = std::env::var("CHROMIUM").unwrap_or_else(|_| "chromium".to_owned());
    if !(there(&chromium) && there("python3")) {
        assert!(std::env::var_os("MGA_NEEDS_CHROMIUM").is_none(), "chromium and python3 are needed, and not there");
        eprintln!("skipped: there is no chromium, or no python3; scripts/report/chromium.sh installs them");
        return;
    }
    let sweep = sweep();
    page(&sweep);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/report/check_page.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(sweep.folder().join(html::PAGE));
    if let Some(folder) = std::env::var_os("MGA_SCREENSHOTS") {
        command.arg("--screenshots").arg(folder);
    }
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(output.status.success(), "{said}");
    eprintln!("{said}");
}
