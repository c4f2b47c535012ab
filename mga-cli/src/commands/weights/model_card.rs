//! The README.md of an exported folder: what the network is, what was measured, how it is used.

use std::path::Path;

use mga_experiment::{Experiment, Loaded};
use mga_models::weights::ModelDescription;
use mga_report::escape::markdown;
use mga_report::results::Cell;
use mga_train::progress::percent;
use serde_json::Value;

/// The card. Numbers are those of the run's `summary.json` alone. `timm` is timm's name of the backbone, and `cell` the run's
/// place in a sweep, if it is of one.
pub(super) fn model_card(
    loaded: &Loaded,
    (description, timm): (&ModelDescription, &str),
    summary: &Value,
    cell: Option<&Cell>,
    program: bool,
) -> String {
    let experiment = &loaded.experiment;
    let mut text = format!(
        "---\nlibrary_name: mga\npipeline_tag: image-classification\ntags:\n- image-classification\n- mask-guided-attention\n\
         ---\n\n# {} with attention \"{}\"\n\n",
        timm, description.attention.kind
    );
    if let Some(said) = &experiment.description {
        text += &format!("{}\n\n", one_line(said));
    }
    let guided = experiment.model.mask_guidance && experiment.objective.mask_weight > 0.0;
    text += &format!(
        "Trained by mga {} on {}: {} classes, {} training images, {} epochs, starting from {} \
         weights{}. Experiment {}.\n\n",
        env!("CARGO_PKG_VERSION"),
        trained_on(experiment),
        description.classes.len(),
        count(summary, "train_images"),
        count(summary, "epochs"),
        match experiment.model.weights.as_str() {
            "none" => "fresh",
            name if name.starts_with("file:") => "a file's",
            name => name,
        },
        if guided { ", its attention guided by masks" } else { "" },
        description.experiment
    );
    text += &cell.map(in_sweep).unwrap_or_default();
    text += &measured(summary);
    text += &usage(program);
    let classes: Vec<String> = description.classes.iter().map(|class| one_line(class)).collect();
    text += &format!("\n## Classes\n\n{}\n", classes.join(", "));
    text
}

/// The data, by the names of files and folders without the place where they lay on one machine.
fn trained_on(experiment: &Experiment) -> String {
    let last = |path: &Path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        name.map(|name| format!("`{}`", one_line(&name)))
    };
    let data = &experiment.data;
    let mut text = format!("the data set `{}`", data.dataset);
    let file = data.settings.get("file").and_then(Value::as_str);
    let file = file.and_then(|file| last(Path::new(file)));
    let places: Vec<String> = file.into_iter().chain(data.root.as_deref().and_then(last)).collect();
    if !places.is_empty() {
        text += &format!(" ({})", places.join(" in "));
    }
    if let Some(fold) = data.settings.get("fold").filter(|fold| !fold.is_null()) {
        text += &format!(", without fold {}, which it is tested on", one_line(&said(fold)));
    }
    text
}

/// Which of the runs of a sweep it is: its numbers are those of one of them.
fn in_sweep(cell: &Cell) -> String {
    let Some(sweep) = &cell.sweep else { return String::new() };
    let settings = cell.settings.iter().map(|(key, value)| format!("{key} = {}", said(value)));
    let arm = cell.variant.clone().unwrap_or_else(|| settings.collect::<Vec<_>>().join(", "));
    let arm = if arm.is_empty() { String::new() } else { format!(", arm `{}`", one_line(&arm)) };
    let replicate = if cell.replicate.is_empty() { String::new() } else { format!(", {}", cell.replicate_label()) };
    format!(
        "It is one run of the sweep `{}`{arm}{}. The result of the arm is the mean over its runs, which the sweep's report \
         gives, not the numbers of this one.\n\n",
        one_line(sweep),
        one_line(&replicate)
    )
}

/// A value without the quotes of a string.
fn said(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn measured(summary: &Value) -> String {
    let result = match &summary["selected"] {
        Value::Null => &summary["last"],
        selected => selected,
    };
    if result.is_null() {
        return "## Measured\n\nNothing: the data set had no images to evaluate on.\n\n".to_owned();
    }
    let split = result["split"].as_str().unwrap_or("test");
    let mut text = format!("## Measured\n\nOn the {} images of the {split} split, one run", count(result, "images"));
    text += &match (summary["selected"].is_null(), summary["select_on"].as_str()) {
        (true, _) => ", at the last epoch".to_owned(),
        (_, Some("test")) => ", at the epoch that did best ON THESE IMAGES, which flatters".to_owned(),
        (_, on) => format!(", at the epoch that did best on {}", on.unwrap_or("validation")),
    };
    text += ":\n\n| metric | value |\n| --- | --- |\n";
    let rows = [
        ("top-1 accuracy", "top1", true),
        ("top-5 accuracy", "top5", true),
        ("balanced accuracy", "balanced_accuracy", true),
        ("macro F1", "macro_f1", false),
        ("cross entropy", "cross_entropy", false),
        ("attention against masks: AUC, 0.5 by chance", "mask_auc", false),
        ("attention against masks: correlation", "mask_correlation", false),
        ("attention against masks: overlap", "mask_overlap", false),
        ("the same by chance", "mask_overlap_chance", false),
        ("attention against reference masks: AUC, 0.5 by chance", "reference_auc", false),
        ("attention against reference masks: correlation", "reference_correlation", false),
    ];
    for (name, key, is_share) in rows {
        if let Some(value) = result[key].as_f64() {
            let value = if is_share { percent(Some(value)) } else { format!("{value:.3}") };
            text += &format!("| {name} | {value} |\n");
        }
    }
    text + "\n"
}

fn usage(program: bool) -> String {
    let mut text = "## Use\n\n```sh\nmga predict photos/ --weights .        # this folder, or OWNER/NAME on the hub\n\
         mga explain photos/ --weights . --out pictures/\n\
         mga eval . --data photos/              # photos in a folder for each class\n```\n"
        .to_owned();
    if program {
        text += "\n```python\nimport model                            # model.py in this folder\n\
                 logits, attention = model.load()(images)  # normalised, (N, 3, H, W)\n```\n";
    }
    text += "\nWhat is done to an image first is in `config.json` under `mga.preprocessing`.\n";
    text
}

fn count(value: &Value, key: &str) -> String {
    value[key].as_u64().map_or_else(|| "unknown".to_owned(), |count| count.to_string())
}

/// Names come from folders and files: they may hold anything, and must not become markup.
fn one_line(text: &str) -> String {
    markdown(text).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_selected_epoch_is_reported_and_how_it_was_selected() {
        let last = json!({ "split": "test", "images": 50, "top1": 0.5 });
        let best = json!({ "split": "test", "images": 50, "top1": 0.75, "mask_auc": 0.4 });
        let text = measured(&json!({ "selected": null, "last": last, "select_on": "last" }));
        assert!(text.contains("50.0 %") && text.contains("last epoch") && !text.contains("AUC"), "{text}");
        let text = measured(&json!({ "selected": best, "last": last, "select_on": "validation" }));
        assert!(text.contains("75.0 %") && text.contains("best on validation") && text.contains("| 0.400 |"), "{text}");
        let text = measured(&json!({ "selected": best, "last": last, "select_on": "test" }));
        assert!(text.contains("flatters"), "{text}");
        assert!(measured(&json!({})).contains("Nothing"));
    }

    #[test]
    fn a_run_of_a_sweep_says_which_it_is() {
        let cell = json!({ "sweep": "leaves", "variant": "mga", "replicate": { "data.fold": "0.3" } });
        let text = in_sweep(&serde_json::from_value(cell).unwrap());
        assert!(text.contains("one run of the sweep `leaves`, arm `mga`, fold 0.3."), "{text}");
        assert_eq!(in_sweep(&Cell::default()), "");
    }

    #[test]
    fn names_do_not_become_markup() {
        assert_eq!(one_line("a\n# b <script> | c"), "a # b &lt;script> \\| c");
        assert_eq!(one_line("![x](http://a/b) \u{1b}[31m"), r"!\[x\](http://a/b)  \[31m");
    }
}
