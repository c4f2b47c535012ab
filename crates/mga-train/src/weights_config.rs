//! `config.json` beside weights: what their publisher says of them, as timm, transformers and `mga weights export` write it.

use std::path::Path;

use anyhow::Context;
use mga_data::transforms::Rounding;
use serde_json::Value;

use crate::preprocessing::{Evaluation, Preprocessing};

/// Its name.
pub(crate) const CONFIG: &str = "config.json";

/// The contents of a `config.json`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WeightsConfig {
    /// The name of the network in timm.
    pub architecture: Option<String>,
    /// Class names, in the order of the classifier's rows; none where it has none.
    pub class_names: Vec<String>,
    /// The preprocessing of its images; `None` if the file does not describe it.
    pub preprocessing: Option<Preprocessing>,
}

impl WeightsConfig {
    /// Reads the file at `path`; `from` says to people which it is.
    ///
    /// # Errors
    /// A file that cannot be read, that is no JSON, or whose fields are none of what their names promise: it is not passed
    /// over, since images would then be prepared otherwise than the weights expect.
    pub fn read(path: &Path, from: &str) -> anyhow::Result<Self> {
        let failed = || format!("{from}: cannot be read; put it right, or remove it to go on without what it says");
        let text = std::fs::read(path).with_context(failed)?;
        let config: Value = serde_json::from_slice(&text).with_context(failed)?;
        Self::of(&config, from).with_context(failed)
    }

    fn of(config: &Value, from: &str) -> anyhow::Result<Self> {
        anyhow::ensure!(config.is_object(), "expected an object of fields, found {config}");
        let architecture = config.get("architecture").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { architecture, class_names: class_names(config)?, preprocessing: preprocessing(config, from)? })
    }
}

/// Class names as transformers (`id2label`) and timm (`label_names`) write them.
fn class_names(config: &Value) -> anyhow::Result<Vec<String>> {
    let present = |key: &str| config.get(key).filter(|value| !value.is_null());
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(labels) = present("id2label") {
        let labels = labels.as_object().context("`id2label` is no object of names by number")?;
        let name = |class: usize| {
            let name = labels.get(&class.to_string()).and_then(text);
            name.with_context(|| format!("`id2label` has {} entries, and no name for class {class}", labels.len()))
        };
        return (0..labels.len()).map(name).collect();
    }
    let Some(names) = present("label_names") else { return Ok(vec![]) };
    let names = names.as_array().context("`label_names` is no array of names")?;
    names
        .iter()
        .map(|name| text(name).with_context(|| format!("`label_names` holds {name}, which is no name")))
        .collect()
}

/// timm's `pretrained_cfg`, which older files have at the top; `None` where neither mean nor deviation is there.
fn preprocessing(config: &Value, from: &str) -> anyhow::Result<Option<Preprocessing>> {
    let fields = config.get("pretrained_cfg").filter(|fields| fields.is_object()).unwrap_or(config);
    let present = |key: &str| fields.get(key).filter(|value| !value.is_null());
    if present("mean").is_none() && present("std").is_none() {
        return Ok(None);
    }
    let colours = |key: &str| -> anyhow::Result<[f64; 3]> {
        let value = present(key).with_context(|| format!("has no `{key}` beside what it says of the images"))?;
        serde_json::from_value(value.clone())
            .ok()
            .with_context(|| format!("`{key}` is {value}, expected three numbers"))
    };
    let (mean, std) = (colours("mean")?, colours("std")?);
    anyhow::ensure!(std.iter().all(|std| *std > 0.0), "`std` is {std:?}, expected three numbers above 0");
    let number = |key: &str, default: f64| match present(key) {
        None => Ok(default),
        Some(value) => value
            .as_f64()
            .filter(|number| *number > 0.0)
            .with_context(|| format!("`{key}` is {value}, expected a number above 0")),
    };
    let word = |key: &str, default: &str| match present(key) {
        None => Ok(default.to_owned()),
        Some(value) => {
            value.as_str().map(str::to_owned).with_context(|| format!("`{key}` is {value}, expected a name"))
        }
    };
    let size = match present("input_size") {
        None => None,
        Some(value) => {
            let sides = serde_json::from_value::<[usize; 3]>(value.clone()).ok().filter(|sides| !sides.contains(&0));
            let [_, height, width] =
                sides.with_context(|| format!("`input_size` is {value}, expected [3, height, width]"))?;
            Some([height, width])
        }
    };
    // timm's own defaults.
    let (crop_pct, crop_mode) = (number("crop_pct", 0.875)?, word("crop_mode", "center")?);
    let interpolation = word("interpolation", "bicubic")?;
    let mut trained_at = size
        .map(|[height, width]| if height == width { format!("{width} px") } else { format!("{width} x {height} px") });
    if present("interpolation").is_some() {
        trained_at = Some(trained_at.map_or(String::new(), |size| size + ", ") + &interpolation);
    }
    let evaluation = size.map(|size| Evaluation { size, crop_pct, crop_mode, interpolation }.transforms());
    let (transforms, caveat) = evaluation.map_or((None, String::new()), |(made, caveat)| (Some(made), caveat));
    let known = Preprocessing {
        mean,
        std,
        from: from.to_owned(),
        trained_at: trained_at.unwrap_or_default(),
        transforms,
        rounding: Rounding::EightBit,
        caveat,
    };
    Ok(Some(match config.get("mga").and_then(|mga| mga.get("preprocessing")) {
        None => known,
        Some(ours) => exported(ours, known)?,
    }))
}

/// What an exported model says in full, which timm's fields cannot.
fn exported(ours: &Value, known: Preprocessing) -> anyhow::Result<Preprocessing> {
    let transforms = ours.get("transforms").and_then(Value::as_array).cloned();
    let rounding =
        ours.get("resize_rounding").map_or(Ok(Rounding::None), |value| serde_json::from_value(value.clone()));
    let rounding = rounding.context("`mga.preprocessing.resize_rounding`")?;
    Ok(Preprocessing { transforms, rounding, caveat: String::new(), ..known })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(config: &str) -> anyhow::Result<WeightsConfig> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(CONFIG);
        std::fs::write(&path, config)?;
        WeightsConfig::read(&path, "config.json of me/net")
    }

    fn said(config: &str) -> String {
        format!("{:#}", read(config).expect_err(config))
    }

    #[test]
    fn timms_fields_are_read() {
        let config = read(
            r#"{"architecture": "resnet50", "num_classes": 2, "label_names": ["ash", "oak"], "pretrained_cfg":
                {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "input_size": [3, 299, 299],
                 "interpolation": "bicubic", "crop_pct": 0.95, "crop_mode": "center"}}"#,
        )
        .unwrap();
        assert_eq!(
            (config.architecture.as_deref(), config.class_names),
            (Some("resnet50"), vec!["ash".into(), "oak".into()])
        );
        let found = config.preprocessing.unwrap();
        assert_eq!((found.mean, found.std, found.trained_at.as_str()), ([0.5; 3], [0.25; 3], "299 px, bicubic"));
        assert_eq!(found.from, "config.json of me/net");
        assert_eq!(
            found.transforms.unwrap()[0],
            json!({ "op": "shorter-side", "size": 314, "interpolation": "bicubic" })
        );
        assert_eq!(found.rounding, Rounding::EightBit);
    }

    #[test]
    fn a_description_without_fields_of_images_says_nothing_of_them() {
        for config in ["{}", r#"{"model_type": "segformer", "id2label": {"1": "building", "0": "wall"}}"#] {
            assert_eq!(read(config).unwrap().preprocessing, None, "{config}");
        }
        let without_size = read(r#"{"mean": [0, 0, 0], "std": [1, 1, 1]}"#).unwrap().preprocessing.unwrap();
        assert_eq!((without_size.transforms, without_size.trained_at.as_str()), (None, ""));
    }

    #[test]
    fn class_names_are_those_of_the_configuration() {
        let names = |config: &str| read(config).unwrap().class_names;
        assert_eq!(names(r#"{"id2label": {"1": "building", "0": "wall"}}"#), ["wall", "building"]);
        assert_eq!(names(r#"{"label_names": ["ash", "oak"]}"#), ["ash", "oak"]);
        assert_eq!(names(r#"{"label_names": null}"#), [""; 0]);
        assert!(
            said(r#"{"id2label": {"1": "b", "10": "k", "0": "a"}}"#).contains("3 entries, and no name for class 2")
        );
        assert!(said(r#"{"label_names": [1]}"#).contains("`label_names` holds 1"));
    }

    #[test]
    fn a_torn_or_wrong_description_is_an_error_that_says_where() {
        let normalised = |more: &str| format!(r#"{{"mean": [0, 0, 0], "std": [1, 1, 1]{more}}}"#);
        let cases = [
            (r#"{"pretrained_cfg": {"mean": [0.5,"#.to_owned(), "EOF"),
            (String::new(), "EOF"),
            ("[1]".to_owned(), "expected an object"),
            (r#"{"mean": [0, 0, 0]}"#.to_owned(), "has no `std`"),
            (r#"{"mean": [0, 0, 0], "std": [0, 0, 0]}"#.to_owned(), "above 0"),
            (r#"{"mean": 0.5, "std": [1, 1, 1]}"#.to_owned(), "`mean` is 0.5, expected three numbers"),
            (normalised(r#", "input_size": [224]"#), "expected [3, height, width]"),
            (normalised(r#", "crop_pct": 0"#), "`crop_pct` is 0"),
            (normalised(r#", "interpolation": 3"#), "`interpolation` is 3"),
        ];
        for (config, expected) in cases {
            let message = said(&config);
            assert!(
                message.contains(expected) && message.starts_with("config.json of me/net: cannot be read"),
                "{message}"
            );
        }
    }

    #[test]
    fn an_exported_model_says_itself_what_it_was_shown() {
        let config = |rounding: &str| {
            let text = format!(
                r#"{{"pretrained_cfg": {{"mean": [0, 0, 0], "std": [1, 1, 1], "input_size": [3, 8, 8]}},
                    "mga": {{"preprocessing": {{"transforms": [{{"op": "resize", "size": 8}}]{rounding}}}}}}}"#
            );
            read(&text).unwrap().preprocessing.unwrap()
        };
        let old = config("");
        assert_eq!((old.transforms.unwrap()[0]["op"].clone(), old.rounding), (json!("resize"), Rounding::None));
        assert_eq!(config(r#", "resize_rounding": "8-bit""#).rounding, Rounding::EightBit);
    }
}
