//! The paragraph on attention: its formula, what guides it and with what weight, and where masks come from, arm by arm.

use serde_json::Value;

use super::component_words::ComponentWords;
use super::model::Report;
use super::wording::{list, show};
use crate::results::Record;

/// What an arm does with attention and masks.
#[derive(Debug, Clone, PartialEq)]
struct Way {
    attention: Attention,
    /// The weight of the masks' term, by the stage that has it; without stages the name is empty.
    guided: Vec<(String, f64)>,
    /// What the network sees.
    input: String,
    /// Where the masks come from, if it uses any.
    masks: Option<String>,
}

/// How the map acts on the features, and how it is made.
#[derive(Debug, Clone, PartialEq)]
struct Attention {
    name: String,
    weights: [f64; 2],
    map: String,
}

/// The paragraph; nothing where no arm has attention or masks. `records` are those of `report.runs`.
pub(super) fn attention(report: &Report, records: &[Record], words: &ComponentWords) -> String {
    let mut ways: Vec<(Way, Vec<&str>)> = vec![];
    for arm in &report.arms {
        let Some(way) =
            arm.runs.iter().find(|&&run| report.runs[run].counted).and_then(|&run| way(&records[run], words))
        else {
            continue;
        };
        match ways.iter_mut().find(|(known, _)| *known == way) {
            Some((_, arms)) => arms.push(&arm.name),
            None => ways.push((way, vec![&arm.name])),
        }
    }
    if ways.iter().all(|(way, _)| way.attention.name == "none" && way.guided.is_empty() && way.input == "image") {
        return String::new();
    }
    let mut text: Vec<String> = maps(&ways);
    let guided: Vec<&Way> = ways.iter().map(|(way, _)| way).filter(|way| !way.guided.is_empty()).collect();
    if !guided.is_empty() {
        text.push(
            "Guided arms add w mean((A - T)^2) to the loss; T is the mask averaged to the size of A and divided by its \
             maximum."
                .to_owned(),
        );
    }
    let all = ways.len() == 1;
    text.extend(ways.iter().map(|(way, arms)| {
        let whose = if all { "Every arm".to_owned() } else { list(arms) };
        format!("{whose}: {}.", sentence(way))
    }));
    text.join(" ")
}

/// The formulas of the maps that there are.
fn maps(ways: &[(Way, Vec<&str>)]) -> Vec<String> {
    let uses = |way: &Way| way.attention.name != "none" || !way.guided.is_empty();
    let has = |map: &str| ways.iter().any(|(way, _)| uses(way) && way.attention.map == map);
    let mut maps = vec![];
    if has("mga") {
        maps.push(
            "With features F, the attention map is A = sigmoid(u mean(F) + v max(F)), mean and maximum over channels, u and v \
             learned."
                .to_owned(),
        );
    }
    if has("cbam") {
        maps.push(
            "CBAM's map is A = sigmoid(bn(conv7x7([mean(F) ; max(F)]))), mean and maximum over channels.".to_owned(),
        );
    }
    maps
}

/// What one arm does.
fn sentence(way: &Way) -> String {
    let Attention { name, weights: [plain, gated], map } = &way.attention;
    let mut parts = vec![match name.as_str() {
        "none" if way.guided.is_empty() => "no attention".to_owned(),
        "none" => "A is computed and guided, but F is classified as it is".to_owned(),
        "multiply" => "A F is classified".to_owned(),
        "residual" => format!("{plain} F + {gated} A F is classified"),
        "concat" => "F and A F are classified side by side".to_owned(),
        "cbam-spatial" => "A F is classified, with CBAM's A".to_owned(),
        other => format!("attention {other}"),
    }];
    if map == "cbam" && name != "cbam-spatial" && name != "none" {
        parts.push("with CBAM's A".to_owned());
    }
    let mut weights: Vec<f64> = vec![];
    way.guided.iter().for_each(|(_, weight)| {
        if !weights.contains(weight) {
            weights.push(*weight);
        }
    });
    for weight in weights {
        let stages = way.guided.iter().filter(|(_, own)| *own == weight).map(|(stage, _)| stage.as_str());
        let stages: Vec<&str> = stages.filter(|stage| !stage.is_empty()).collect();
        let plural = if stages.len() == 1 { "" } else { "s" };
        let stages = if stages.is_empty() { String::new() } else { format!(" in stage{plural} {}", list(&stages)) };
        parts.push(format!("guided{stages} with w = {weight}"));
    }
    match way.input.as_str() {
        "image" => (),
        "masked-image" => parts.push("the input is the image times its mask".to_owned()),
        "image-and-mask" => parts.push("the mask is a fourth channel of the input".to_owned()),
        other => parts.push(format!("the input is {other}")),
    }
    parts.extend(way.masks.as_ref().map(|masks| format!("masks: {masks}")));
    parts.join(", ")
}

/// What a run says of it; `None` of one without an experiment.
fn way(record: &Record, words: &ComponentWords) -> Option<Way> {
    let experiment = record.experiment.as_ref()?;
    let attention = at(experiment, "model.attention")?;
    let name = attention.as_str().or_else(|| attention.get("name")?.as_str())?.to_owned();
    let number = |value: &Value, place: usize| value.get(place).and_then(Value::as_f64);
    let weights = attention.get("weights").or_else(|| at(experiment, "model.residual_weights"));
    let weights = [0, 1].map(|place| weights.and_then(|weights| number(weights, place)).unwrap_or(0.5));
    // Only a residual attention has weights: of others the setting is without effect.
    let weights = if name == "residual" { weights } else { [0.5, 0.5] };
    let own = if name == "cbam-spatial" { "cbam" } else { "mga" };
    let map = attention.get("map").and_then(Value::as_str).unwrap_or(own).to_owned();
    let guided = guided(record);
    let input = at(experiment, "model.input").and_then(Value::as_str).unwrap_or("image").to_owned();
    let uses = !guided.is_empty() || input != "image";
    let masks = at(experiment, "data.masks").filter(|_| uses).and_then(|masks| source(masks, words));
    Some(Way { attention: Attention { name, weights, map }, guided, input, masks })
}

/// The weight of the masks' term in every stage that is fitted with one.
fn guided(record: &Record) -> Vec<(String, f64)> {
    let weight = |experiment: &Value| {
        let guided = at(experiment, "model.mask_guidance") == Some(&Value::Bool(true));
        at(experiment, "objective.mask_weight").and_then(Value::as_f64).filter(|&weight| guided && weight > 0.0)
    };
    if record.stages.len() < 2 {
        return record.experiment.as_ref().and_then(weight).map(|weight| (String::new(), weight)).into_iter().collect();
    }
    let fits = |name: &str| {
        let told = record.summary.as_ref().and_then(|summary| summary.others.get("stages")?.as_array());
        let of_stage = told.and_then(|stages| stages.iter().find(|stage| stage.get("name").is_some_and(|n| n == name)));
        of_stage.and_then(|stage| stage.get("work")?.as_str()).is_none_or(|work| work == "fit")
    };
    let stages = record.stages.iter().filter(|(name, _)| fits(name));
    stages.filter_map(|(name, experiment)| Some((name.clone(), weight(experiment)?))).collect()
}

/// Where masks come from: `folder (mask files), data/masks`.
fn source(masks: &Value, words: &ComponentWords) -> Option<String> {
    let name = masks.get("source")?.as_str()?;
    let about = words.masks(name).map(|about| format!(" ({about})")).unwrap_or_default();
    let of = masks.get("of").map(|of| format!(" of {}", show(of))).unwrap_or_default();
    let folder = masks.get("folder").map(|folder| format!(", {}", show(folder))).unwrap_or_default();
    Some(format!("{name}{of}{about}{folder}"))
}

fn at<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    key.split('.').try_fold(value, |value, part| value.get(part))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Request, build, results};

    /// The paragraph on finished runs with these lines in their experiments.
    fn paragraph(experiments: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        for (index, experiment) in experiments.iter().enumerate() {
            let run = folder.path().join(format!("runs/{index}"));
            std::fs::create_dir_all(&run).unwrap();
            let cell = format!(r#"{{"variant": "arm {index}", "settings": {{"arm": {index}}}}}"#);
            std::fs::write(run.join("cell.json"), cell).unwrap();
            std::fs::write(run.join("summary.json"), r#"{"split": "test", "last": {"top1": 0.5}}"#).unwrap();
            std::fs::write(run.join("experiment.toml"), experiment).unwrap();
        }
        let results = results::read(&[folder.path()]).unwrap();
        let report = build(&results, &Request::default()).unwrap();
        attention(&report, &results.records, &ComponentWords::default())
    }

    const PLAIN: &str = "model = { attention = 'none', mask_guidance = false }";
    const MGA: &str = "model = { attention = 'residual', residual_weights = [0.25, 0.75], mask_guidance = true }\n\
                       objective = { mask_weight = 0.1 }\ndata = { masks = { source = 'folder', folder = 'veins' } }";

    #[test]
    fn arms_are_told_by_their_formulas_weights_and_masks() {
        let text = paragraph(&[PLAIN, PLAIN, MGA]);
        for said in [
            "A = sigmoid(u mean(F) + v max(F))",
            "arm 0 and arm 1: no attention.",
            "arm 2: 0.25 F + 0.75 A F is classified, guided with w = 0.1, masks: folder, veins.",
        ] {
            assert!(text.contains(said), "{said}: {text}");
        }
        assert!(!text.contains("CBAM"), "{text}");
    }

    #[test]
    fn masks_are_told_of_arms_that_use_them() {
        let unused = "model = { attention = 'multiply' }\ndata = { masks = { source = 'alpha' } }";
        let text = paragraph(&[unused]);
        assert!(text.ends_with("Every arm: A F is classified.") && !text.contains("Guided"), "{text}");
        let input = "model = { attention = 'none', input = 'masked-image' }\ndata = { masks = { source = 'shuffled', of = 'alpha' } }";
        let text = paragraph(&[input]);
        assert_eq!(text, "Every arm: no attention, the input is the image times its mask, masks: shuffled of alpha.");
        assert_eq!(paragraph(&[PLAIN]), "");
    }

    #[test]
    fn guidance_without_attention_and_other_maps() {
        let guided = "model = { attention = 'none', mask_guidance = true }\nobjective = { mask_weight = 0.5 }";
        let cbam = "model = { attention = { name = 'residual', weights = [0.3, 0.7], map = 'cbam' } }";
        let text = paragraph(&[guided, cbam]);
        assert!(
            text.contains("arm 0: A is computed and guided, but F is classified as it is, guided with w = 0.5."),
            "{text}"
        );
        assert!(
            text.contains("arm 1: 0.3 F + 0.7 A F is classified, with CBAM's A.") && text.contains("conv7x7"),
            "{text}"
        );
    }
}
