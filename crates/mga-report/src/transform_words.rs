//! Transforms in words, and the size of image that they leave.

use serde_json::{Map, Value};

use super::wording::list;

/// Transforms that cut or stretch an image to their `size`.
const SIZED: [&str; 4] = ["resize", "random-crop", "centre-crop", "random-resized-crop"];

/// Transforms that leave an image in another size, or make several of it, so that what is before them says nothing of it.
const RESIZING: [&str; 3] = ["shorter-side", "patch-grid", "patch-sampling"];

/// The transforms of a list: `resize (256 × 256, bilinear) and random-crop (224)`.
pub(super) fn transforms(list_of: &Value) -> Option<String> {
    let transforms: Vec<String> = list_of.as_array()?.iter().filter_map(|one| transform(one.as_object()?)).collect();
    (!transforms.is_empty()).then(|| list(&transforms))
}

/// The size of the images that come out: `224 × 224`; `None` where the transforms do not fix it.
pub(super) fn image_size(list_of: &Value) -> Option<String> {
    let mut size = None;
    for one in list_of.as_array()? {
        let op = one.get("op")?.as_str()?;
        if SIZED.contains(&op) {
            size = one.get("size").and_then(sides);
        } else if RESIZING.contains(&op) {
            size = None;
        }
    }
    size
}

fn transform(one: &Map<String, Value>) -> Option<String> {
    let op = one.get("op")?.as_str()?;
    let settings = one.iter().filter(|(key, _)| *key != "op").filter_map(|(key, value)| setting(op, key, value));
    let settings: Vec<String> = settings.collect();
    Some(if settings.is_empty() { op.to_owned() } else { format!("{op} ({})", settings.join(", ")) })
}

/// A setting in brackets: of a size and of words the value says enough.
fn setting(op: &str, key: &str, value: &Value) -> Option<String> {
    let name = key.replace('_', " ");
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Bool(true) => Some(name),
        Value::String(text) => Some(text.clone()),
        // One side of an image is no square.
        size if key == "size" && SIZED.contains(&op) => sides(size),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(Value::to_string).collect();
            Some(format!("{name} {}", items.join(" to ")))
        }
        Value::Number(number) if key == "padding" && number.as_f64() == Some(0.0) => None,
        other => Some(format!("{name} {other}")),
    }
}

/// `224 × 224`, height first, from one side or from both.
fn sides(size: &Value) -> Option<String> {
    let sides = match size {
        Value::Array(sides) => [sides.first()?.as_u64()?, sides.get(1)?.as_u64()?],
        side => [side.as_u64()?; 2],
    };
    Some(format!("{} × {}", sides[0], sides[1]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn transforms_are_told_with_their_settings() {
        let list = json!([
            { "op": "resize", "size": [256, 320], "interpolation": "bilinear" },
            { "op": "random-crop", "size": 224, "padding": 0 },
            { "op": "horizontal-flip", "p": 0.5 },
            { "op": "colour-jitter", "hue": 0.1 },
            { "op": "random-erase", "area": [0.02, 0.33], "log_uniform": true },
            { "op": "own" },
        ]);
        assert_eq!(
            transforms(&list).unwrap(),
            "resize (256 × 320, bilinear), random-crop (224 × 224), horizontal-flip (p 0.5), colour-jitter (hue 0.1), \
             random-erase (area 0.02 to 0.33, log uniform) and own"
        );
        assert_eq!((transforms(&json!([])), transforms(&json!(null))), (None, None));
    }

    #[test]
    fn the_last_size_counts() {
        let size = |list: Value| image_size(&list);
        let resize = json!({ "op": "resize", "size": [92, 92] });
        assert_eq!(size(json!([resize, { "op": "centre-crop", "size": 84 }])).as_deref(), Some("84 × 84"));
        assert_eq!(size(json!([resize, { "op": "horizontal-flip" }])).as_deref(), Some("92 × 92"));
        assert_eq!(size(json!([resize, { "op": "shorter-side", "size": 64 }])), None);
        assert_eq!(size(json!([{ "op": "horizontal-flip" }])), None);
    }
}
