//! The preprocessing that belongs to some weights: the one place that decides it, from what their publisher says.

use mga_data::transforms::Rounding;
use mga_models::weights::PublishedWeights;
use mga_models::weights::published::resized_to;
use serde_json::{Value, json};

/// The preprocessing that belongs to some weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocessing {
    /// Channel means, in 0..=1.
    pub mean: [f64; 3],
    /// Channel deviations.
    pub std: [f64; 3],
    /// The source of the description, for people.
    pub from: String,
    /// Size and interpolation of those images, for people; empty where unknown.
    pub trained_at: String,
    /// The transforms of an image that is evaluated, as in `data.eval.transforms`; `None` if no source describes them.
    pub transforms: Option<Vec<Value>>,
    /// The rounding of the values of resized images.
    pub rounding: Rounding,
    /// The parts of the publisher's evaluation that cannot be followed, for people; empty if there are none.
    pub caveat: String,
}

/// How timm evaluates: the fields of its `pretrained_cfg`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Evaluation {
    /// Height and width of the network's images.
    pub(crate) size: [usize; 2],
    /// The share of the resized image's sides that is cut out.
    pub(crate) crop_pct: f64,
    /// `center`, `squash` or `border`.
    pub(crate) crop_mode: String,
    /// `bilinear`, `bicubic`, …
    pub(crate) interpolation: String,
}

impl Evaluation {
    /// The transforms, and what of it they leave out.
    pub(crate) fn transforms(&self) -> (Vec<Value>, String) {
        let [height, width] = self.size;
        let square = height == width;
        let mut caveats = vec![];
        let interpolation = match self.interpolation.as_str() {
            known @ ("bilinear" | "bicubic" | "lanczos") => known,
            other => {
                caveats.push(format!("the interpolation `{other}`; bilinear is taken"));
                "bilinear"
            }
        };
        let sides = [resized_to(height, self.crop_pct), resized_to(width, self.crop_pct)];
        if self.crop_mode == "border" || self.crop_mode == "center" && !square {
            let what = if square { "crop_mode `border`" } else { "an oblong image" };
            caveats.push(format!("{what}; the shorter side is resized, and the centre cut out"));
        }
        let resizing = match self.crop_mode.as_str() {
            "squash" => json!({ "op": "resize", "size": sides, "interpolation": interpolation }),
            _ => json!({ "op": "shorter-side", "size": sides.iter().max(), "interpolation": interpolation }),
        };
        let size = if square { json!(height) } else { json!(self.size) };
        (vec![resizing, json!({ "op": "centre-crop", "size": size })], caveats.join("; "))
    }
}

impl Preprocessing {
    /// What mga knows of published weights by itself.
    pub(crate) fn of_published(weights: &PublishedWeights) -> Self {
        let evaluation = Evaluation {
            size: [weights.size; 2],
            crop_pct: weights.crop_pct,
            crop_mode: "center".to_owned(),
            interpolation: weights.interpolation.to_owned(),
        };
        Self {
            mean: weights.mean,
            std: weights.std,
            from: weights.name.to_owned(),
            trained_at: format!("{} px, {}", weights.size, weights.interpolation),
            transforms: Some(evaluation.transforms().0),
            rounding: Rounding::EightBit,
            caveat: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation(size: [usize; 2], crop_pct: f64, crop_mode: &str, interpolation: &str) -> (Value, String) {
        let (crop_mode, interpolation) = (crop_mode.to_owned(), interpolation.to_owned());
        let (transforms, caveat) = Evaluation { size, crop_pct, crop_mode, interpolation }.transforms();
        (json!(transforms), caveat)
    }

    #[test]
    fn evaluation_is_timms() {
        let (inception, caveat) = evaluation([299; 2], 0.875, "center", "bicubic");
        let expected = json!([
            { "op": "shorter-side", "size": 341, "interpolation": "bicubic" },
            { "op": "centre-crop", "size": 299 }
        ]);
        assert_eq!((inception, caveat.as_str()), (expected, ""));
        assert_eq!(evaluation([224; 2], 0.95, "center", "bicubic").0[0]["size"], 235);
        let (squashed, caveat) = evaluation([224; 2], 0.9, "squash", "bilinear");
        let expected = json!({ "op": "resize", "size": [248, 248], "interpolation": "bilinear" });
        assert_eq!((&squashed[0], caveat.as_str()), (&expected, ""));
    }

    #[test]
    fn what_cannot_be_followed_is_said() {
        assert!(evaluation([224; 2], 1.0, "border", "bilinear").1.contains("crop_mode `border`"));
        assert!(evaluation([224; 2], 1.0, "center", "nearest").1.contains("`nearest`; bilinear is taken"));
        let (oblong, caveat) = evaluation([224, 160], 1.0, "center", "bilinear");
        assert!(caveat.contains("oblong") && oblong[1]["size"] == json!([224, 160]), "{caveat}");
    }

    #[test]
    fn every_published_name_is_resized_as_timm_does() {
        let registry = mga_models::builtin();
        let registry = mga_models::Networks::of(&registry);
        for weights in registry.weights() {
            let transforms = Preprocessing::of_published(weights).transforms.unwrap();
            let larger = (weights.size as f64 / weights.crop_pct).floor();
            assert_eq!(
                (&transforms[0]["size"], &transforms[1]["size"]),
                (&json!(larger as usize), &json!(weights.size))
            );
        }
        let a1 = Preprocessing::of_published(registry.published("timm/resnet50.a1_in1k").unwrap());
        assert_eq!(a1.transforms.unwrap()[0]["size"], 235);
    }
}
