//! One summary of the data under several settings.

use std::collections::BTreeSet;

use mga_core::wording::counted;
use mga_data::check::DataReport;
use mga_experiment::{Components, Loaded};
use mga_report::results::DataCheck;
use mga_train::data_set;
use mga_train::torn_groups::TornGroups;
use serde_json::{Value, json};

use super::looked_at::LookedAt;
use super::of_masks::of_masks;
use super::settings::Setting;

/// Notes that are printed; JSON has them all.
const SHOWN: usize = 40;
/// Settings that are named behind a line.
const NAMED: usize = 3;

/// What was found under one setting.
struct Found {
    name: String,
    report: DataReport,
    problems: Vec<String>,
    notes: Vec<String>,
}

/// Looks at the data under every setting, with every fold of its table. Gives the number of problems, and the text.
///
/// # Errors
/// Settings that do not fit the data.
pub(super) fn check(
    settings: &mut [Setting],
    components: &Components,
    looked: &mut LookedAt,
    as_json: bool,
    counted_alike: &mut DataCheck,
) -> anyhow::Result<(usize, String)> {
    let mut found: Vec<Found> = Vec::new();
    let mut done = BTreeSet::new();
    let mut look = |name: String, loaded: &Loaded| -> anyhow::Result<()> {
        if done.insert(of_data(loaded)) {
            found.push(one(name, loaded, components, looked)?);
        }
        Ok(())
    };
    for Setting { name, loaded, folds } in settings {
        if folds.is_empty() {
            look(name.clone(), loaded)?;
        }
        for fold in folds.iter() {
            loaded.experiment.data.settings.insert("fold".to_owned(), json!(fold));
            // A sweep over the folds has named one already.
            let others = name.split(", ").filter(|part| !part.is_empty() && !part.starts_with("data.fold = "));
            let parts: Vec<String> = others.map(str::to_owned).chain([format!("data.fold = {fold}")]).collect();
            look(parts.join(", "), loaded)?;
        }
    }
    found.iter().for_each(|found| counted_alike.count(&found.report));
    let notes: Vec<String> = looked.notes().cloned().chain(merged(&found, |found| &found.notes)).collect();
    let problems = merged(&found, |found| &found.problems);
    let text = if as_json { in_json(&found, &problems, &notes)? } else { shown(&found, &problems, &notes) };
    Ok((problems.len(), text))
}

fn one(name: String, loaded: &Loaded, components: &Components, looked: &mut LookedAt) -> anyhow::Result<Found> {
    let data = data_set::open(loaded, components, TornGroups::Noted)?;
    // Other folds have other images in their parts, and together all.
    let all: Vec<usize> = (0..data.dataset.len()).collect();
    let report = looked.at(loaded, &data, &all)?;
    let masks = of_masks(loaded, &data, &report)?;
    let problems = report.problems().into_iter().chain(masks).collect();
    // Torn groups and lacking classes are in the report, in other words.
    let notes = data.dataset.warnings().iter().cloned().chain(report.notes()).collect();
    Ok(Found { name, report, problems, notes })
}

/// The lines of every setting, each once, with the settings that it is of where it is not of all.
fn merged(found: &[Found], lines: fn(&Found) -> &Vec<String>) -> Vec<String> {
    let mut once: Vec<(&String, Vec<&str>)> = Vec::new();
    for setting in found {
        for line in lines(setting) {
            match once.iter_mut().find(|(known, _)| *known == line) {
                Some((_, names)) => names.push(&setting.name),
                None => once.push((line, vec![&setting.name])),
            }
        }
    }
    let told = |(line, names): (&String, Vec<&str>)| {
        if names.len() == found.len() {
            return line.clone();
        }
        let more = if names.len() > NAMED { format!(" and {} more", names.len() - NAMED) } else { String::new() };
        let first: Vec<&str> = names.into_iter().take(NAMED).collect();
        format!("{}{more}: {line}", first.join("; "))
    };
    once.into_iter().map(told).collect()
}

/// Images in train, validation and test.
fn sizes(report: &DataReport) -> [usize; 3] {
    report.classes.iter().fold([0; 3], |[train, validation, test], class| {
        [train + class.train, validation + class.validation, test + class.test]
    })
}

/// The summary for people.
fn shown(found: &[Found], problems: &[String], notes: &[String]) -> String {
    let images = found.iter().map(|setting| setting.report.images).max().unwrap_or_default();
    let settings = counted(found.len(), "setting of the data", "settings of the data");
    let mut text = format!("{settings}, of up to {}\n\n", counted(images, "image", "images"));
    let width = found.iter().map(|setting| setting.name.chars().count()).max().unwrap_or_default();
    text += &format!(
        "  {:width$}  {:>7} {:>10} {:>7}  {:>8} {:>5}\n",
        "", "train", "validation", "test", "problems", "notes"
    );
    for Found { name, report, problems, notes } in found {
        let [train, validation, test] = sizes(report);
        text += &format!(
            "  {name:width$}  {train:>7} {validation:>10} {test:>7}  {:>8} {:>5}\n",
            problems.len(),
            notes.len()
        );
    }
    for (one, many, lines) in [("problem", "problems", problems), ("note", "notes", notes)] {
        text += &format!("\n{}\n", counted(lines.len(), one, many));
        lines.iter().take(SHOWN).for_each(|line| text += &format!("  {line}\n"));
        if lines.len() > SHOWN {
            text += &format!("  and {} more; --json lists all\n", lines.len() - SHOWN);
        }
    }
    text
}

/// The summary for programs.
fn in_json(found: &[Found], problems: &[String], notes: &[String]) -> anyhow::Result<String> {
    let settings: Vec<Value> = found
        .iter()
        .map(|setting| {
            json!({
                "name": setting.name, "problems": setting.problems, "notes": setting.notes, "report": setting.report,
            })
        })
        .collect();
    let all = json!({ "problems": problems, "notes": notes, "settings": settings });
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}

/// All that the report of a setting depends on.
fn of_data(loaded: &Loaded) -> String {
    let experiment = &loaded.experiment;
    let mut data = json!(experiment.data);
    if let Value::Object(data) = &mut data {
        for key in ["train", "eval", "batch_size", "shuffle", "drop_last", "mean", "std", "resize_rounding"] {
            data.shift_remove(key);
        }
    }
    let guided = experiment.model.mask_guidance || experiment.model.needs_masks(&loaded.kinds);
    json!([data, guided]).to_string()
}
