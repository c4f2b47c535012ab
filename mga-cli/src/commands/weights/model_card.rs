//! The README.md of an exported folder: what the network is, what was measured, how it is used.

use mga_experiment::Loaded;
use mga_models::weights::ModelDescription;
use mga_report::escape::markdown;
use mga_train::progress::percent;
use serde_json::Value;

/// The card. Numbers are those of the run's `summary.json` alone. `timm` is timm's name of the backbone.
pub(super) fn model_card(
    loaded: &Loaded,
    (description, timm): (&ModelDescription, &str),
    summary: &Value,
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
        "Trained by mga {} on the data set `{}`: {} classes, {} training images, {} epochs, starting from {} \
         weights{}. Experiment {}.\n\n",
        env!("CARGO_PKG_VERSION"),
        experiment.data.dataset,
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
    text += &measured(summary);
    text += &usage(program);
    let classes: Vec<String> = description.classes.iter().map(|class| one_line(class)).collect();
    text += &format!("\n## Classes\n\n{}\n", classes.join(", "));
    text
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
    let mut text =
        "## Use\n\n```sh\nmga predict photos/ --weights .        # this folder, or OWNER/NAME on the hub\n```\n"
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
    fn names_do_not_become_markup() {
        assert_eq!(one_line("a\n# b <script> | c"), "a # b &lt;script> \\| c");
        assert_eq!(one_line("![x](http://a/b) \u{1b}[31m"), r"!\[x\](http://a/b)  \[31m");
    }
}
