//! What a report says of masks: attention against them, what they cover, and what guidance made of the attention.

use std::path::Path;

use mga_report::results;
use mga_report::{Report, html, latex, markdown, spreadsheet, terminal};
use serde_json::{Value, json};

use super::fixture::{Run, Sweep, flags, write};

/// What a run of this version leaves behind of its masks: numbers of attention, and a look at the masks.
fn with_masks(folder: &Path, source: &str, auc: f64, more: Value) {
    let path = folder.join("summary.json");
    let mut summary: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let evaluation = summary["selected"].as_object_mut().unwrap();
    for (key, value) in [("mask_auc", auc), ("mask_correlation", auc - 0.5), ("mask_iou", 0.333)] {
        evaluation.insert(key.to_owned(), json!(value));
    }
    evaluation.insert("mask_overlap".to_owned(), json!(auc / 2.0));
    evaluation.insert("mask_overlap_chance".to_owned(), json!(0.2));
    more.as_object().unwrap().iter().for_each(|(key, value)| drop(evaluation.insert(key.clone(), value.clone())));
    let end = |mse: f64| {
        json!({ "mask_mse": mse, "mask_correlation": null, "mask_auc": 0.5, "mask_iou": null, "masks_used": 32,
                "masks_constant": 0, "masks_not_finite": 0 })
    };
    let otsu = source == "otsu";
    summary["guidance"] = json!({ "start": end(0.25), "end": end(if otsu { 0.249 } else { 0.125 }) });
    write(folder, "summary.json", &summary.to_string());
    let odd = ["they vary wildly, a tenth below 2.0 % and a tenth above 97.0 %"];
    let survey = json!({
        "source": source, "train_images": 120, "without": 0, "odd": &odd[..usize::from(otsu)],
        "coverage": { "masks": 120, "mean": 0.41, "deviation": 0.03, "least": 0.02, "tenth": 0.02, "ninetieth": 0.97,
                      "most": 0.975, "blank": 3, "full": 0, "border": 0.625 },
        "images_per_row": 4, "images": [{ "path": "<b>.png", "label": "acer", "coverage": 0.02 }], "start": end(0.25),
    });
    write(folder, "masks.json", &survey.to_string());
    let pictures = folder.join("pictures");
    std::fs::create_dir_all(&pictures).unwrap();
    let sheet = image::RgbImage::from_fn(640, 80, |x, y| image::Rgb([(x / 3) as u8, y as u8, 90]));
    sheet.save(pictures.join("masks.png")).unwrap();
}

/// A baseline without attention, and an arm each that learns from drawn masks and from Otsu's.
fn sweep(more: impl Fn(&str) -> Value) -> (Sweep, Report) {
    let sweep = Sweep::new();
    for seed in 1..=3 {
        sweep.finished(&Run::plain(seed));
        for (source, auc) in [("veins", 0.8), ("otsu", 0.55)] {
            let mut run = Run::of(if source == "otsu" { "bad" } else { "good" }, source, 0.75, seed);
            run.identity["masks"] = json!(source);
            run.identity["reference"] = json!("drawn by hand");
            with_masks(&sweep.finished(&run), source, auc, more(source));
        }
    }
    let report = sweep.report();
    (sweep, report)
}

fn keys(report: &Report) -> Vec<&str> {
    report.columns.iter().map(|column| column.key.as_str()).collect()
}

#[test]
fn agreement_comes_without_a_threshold_and_beside_chance() {
    let (_sweep, report) = sweep(|_| json!({}));
    let own = ["mask_auc", "mask_correlation", "mask_overlap", "mask_overlap_chance"];
    assert_eq!(keys(&report), [&["top1", "macro_f1"][..], &own].concat());
    let text = terminal::text(&report);
    assert!(text.contains("An AUC of 0.5 is chance.") && !text.contains("mask IoU"), "{text}");
    // Masks that differ from arm to arm: their numbers do not compare the arms.
    assert!(flags(&report, "bad").contains(&json!("mixed-masks")) && flags(&report, "plain").is_empty());
    assert!(text.contains("good and bad: attention is measured against each arm's own masks"), "{text}");
    assert!(text.contains("eval.reference_masks"), "{text}");
    assert!(report.methods.iter().any(|text| text.contains("compared with each arm's own masks")));
}

#[test]
fn all_arms_stand_against_the_reference_where_there_is_one() {
    let reference = |source: &str| {
        let auc = if source == "otsu" { 0.45 } else { 0.79 };
        json!({ "reference_auc": auc, "reference_correlation": 0.1, "reference_overlap": 0.3,
                "reference_overlap_chance": 0.2, "mask_reference_iou": 0.16, "reference_masks_used": 40 })
    };
    let (sweep, report) = sweep(reference);
    let columns = [
        "reference_auc",
        "reference_correlation",
        "reference_overlap",
        "reference_overlap_chance",
        "mask_reference_iou",
    ];
    assert_eq!(keys(&report), [&["top1", "macro_f1"][..], &columns].concat());
    assert!(!flags(&report, "bad").contains(&json!("mixed-masks")));
    assert!(report.methods.iter().any(|text| text.contains("the reference masks, the same in every arm")));
    // Another reference in one arm.
    let mut other = Run::of("third", "silhouette", 0.75, 1);
    other.identity["reference"] = json!("drawn by someone else");
    with_masks(&sweep.finished(&other), "silhouette", 0.6, reference("silhouette"));
    let report = sweep.report();
    assert!(flags(&report, "third").contains(&json!("mixed-masks")));
    assert!(terminal::text(&report).contains("measured against different reference masks"));
}

#[test]
fn useless_masks_and_idle_guidance_are_flagged() {
    let (_sweep, report) = sweep(|_| json!({}));
    let (bad, good) = (flags(&report, "bad"), flags(&report, "good"));
    assert!(bad.contains(&json!("odd-masks")) && bad.contains(&json!("unmoved")), "{bad:?}");
    assert!(!good.contains(&json!("odd-masks")) && !good.contains(&json!("unmoved")), "{good:?}");
    let said: Vec<&str> = report.flags.iter().map(|flag| flag.message.as_str()).collect();
    assert!(
        said.iter().any(|said| said.contains("bad: the masks (otsu) may be useless: they vary wildly")),
        "{said:?}"
    );
    let hardly = "bad: guidance hardly moved the attention in 3 of 3 runs: mask MSE on training images 0.2500 at the start, \
                  0.2490 at the end (means).";
    assert!(said.contains(&hardly), "{said:?}");
}

#[test]
fn every_form_tells_what_masks_cover() {
    let (sweep, report) = sweep(|_| json!({}));
    let row = "| good | veins | 120 | 41.0 ± 3.0 | 2.0 to 97.5 | 3 | 62.5 | 0.2500 | 0.1250 |";
    assert!(markdown::text(&report, &[]).contains(row), "{}", markdown::text(&report, &[]));
    let words = row.replace(['|', ' '], "");
    assert!(terminal::text(&report).replace(' ', "").contains(&words), "{}", terminal::text(&report));
    let tex = latex::text(&report);
    assert!(tex.contains("good & veins & 120 & 41.0 ") && tex.contains("% ---- masks ----"), "{tex}");
    let csv = spreadsheet::text(&report).unwrap();
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let value = |row: usize, key: &str| rows[row][header.iter().position(|name| name == key).unwrap()].to_owned();
    assert_eq!([value(0, "masks"), value(1, "masks"), value(2, "masks")], ["", "veins", "otsu"]);
    assert_eq!([value(1, "coverage_mean"), value(1, "masks_blank"), value(2, "mask_mse_end")], ["0.41", "3", "0.249"]);
    assert_eq!([value(2, "guidance_hardly_moved"), value(1, "guidance_runs")], ["3", "3"]);
    let json: Report = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(json.arms[1].masks.as_ref().map(|masks| masks.coverage.blank), Some(3));

    let records = results::read(&[sweep.folder()]).unwrap().records;
    html::write(&report, &html::fill(&html::builtin(), &report, &records).unwrap(), sweep.folder()).unwrap();
    let page = std::fs::read_to_string(sweep.folder().join(html::PAGE)).unwrap();
    assert!(page.contains("<section id=\"masks\"") && !page.contains("<section id=\"pictures\""));
    // One sheet of each kind of masks, not one a run.
    assert_eq!(page.matches("alt=\"masks (").count(), 2);
    for text in ["from the least coverage to the most; 4 a line. Of good.", "2.0 %, acer <code>&#60;b&#62;.png", "62.5"]
    {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn a_run_that_cannot_be_told_of_masks_is_reported_as_before() {
    let sweep = Sweep::new();
    sweep.finished(&Run::plain(1));
    let folder = sweep.finished(&Run::of("mga", "veins", 0.75, 1));
    write(&folder, "masks.json", "{");
    let report = sweep.report();
    assert!(report.arms.iter().all(|arm| arm.masks.is_none()));
    assert_eq!(keys(&report), ["top1", "macro_f1", "mask_iou"]);
    assert!(report.runs[1].notes[0].starts_with("masks.json cannot be understood"), "{:?}", report.runs[1].notes);
    let text = terminal::text(&report);
    assert!(text.contains("mask IoU") && text.contains("it says little"), "{text}");
}
