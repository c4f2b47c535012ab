//! A short Python program that rebuilds an exported network on torchvision, or on PyTorch alone where that lacks it.

use super::description::{ComponentSettings, ModelDescription};
use crate::networks::Networks;
use crate::torch_program::BackboneProgram;

/// Returns the program for `model.safetensors` beside it; `None` for a backbone or attention that does not say what it is in
/// PyTorch, another head than the backbone's own, and settings of any of them.
pub fn model_py(description: &ModelDescription, networks: Networks<'_>) -> Option<String> {
    if description.settings != ComponentSettings::default() {
        return None;
    }
    let (backbone, kind) = (description.backbone.as_str(), description.attention.kind.as_str());
    let family = networks.backbone(backbone)?.program()?;
    let attention = networks.attention(kind)?.program(description.attention.residual_weights)?;
    let classes = description.classes.len();
    let build = family.build.replace("{classes}", &classes.to_string());
    let head = head(&family);
    let widen = if attention.doubles { widened(family.classifier, classes) } else { String::new() };
    let (declare, forward, returns) = if description.attention.map {
        let attended = attention.attended;
        (
            attention.map,
            format!(
                "        f = self.features(self.net, x)\n        \
                 pooled = torch.stack([f.mean(1), f.amax(1)], 1)\n        \
                 a = torch.sigmoid(self.attention(pooled))\n        \
                 return self.head(self.net, {attended}), a\n"
            ),
            "class scores (N, classes) and the attention map (N, 1, h, w)",
        )
    } else {
        (
            "",
            "        return self.head(self.net, self.features(self.net, x)), None\n".to_owned(),
            "class scores (N, classes), and None, since there is no attention map",
        )
    };
    let mean = python_list(&description.preprocessing.mean);
    let std = python_list(&description.preprocessing.std);
    let (on, packages, import) = match family.package {
        Some(module) => (module, format!("torch {module}"), format!("import {module}\n")),
        None => ("PyTorch", "torch".to_owned(), String::new()),
    };
    let own = if family.definitions.is_empty() { String::new() } else { format!("{}\n\n", family.definitions) };
    Some(format!(
        r#""""{backbone} with attention "{kind}", rebuilt on {on} from model.safetensors beside this file.

    pip install {packages} safetensors
    python -c "import model; print(model.load())"

Images: colours in 0 to 1, less MEAN, divided by STD, (N, 3, H, W). What is done to them before is in config.json,
mga.preprocessing.transforms.
"""
import pathlib

import torch
import torch.nn.functional as F
{import}from safetensors.torch import load_file

MEAN, STD = {mean}, {std}


{own}class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.net = {build}
{widen}{declare}
    def features(self, net, x):
        {features}

    def head(self, net, x):
        {head}

    def forward(self, x):
        """Normalised images to {returns}."""
{forward}

def load(folder=pathlib.Path(__file__).parent):
    """The network in evaluation mode, with its weights; anything that does not fit is an error."""
    weights = load_file(pathlib.Path(folder) / "model.safetensors")
    model = Model()
    named = {{k if k.startswith("attention.") else f"net.{{k}}": v for k, v in weights.items()}}
    # The counters of batches, which evaluation does not need.
    counters = {{k: v for k, v in model.state_dict().items() if k.endswith("num_batches_tracked")}}
    model.load_state_dict({{**counters, **named}}, strict=True)
    return model.eval()
"#,
        features = family.features,
    ))
}

/// The statements of `head(self, net, x)`.
fn head(family: &BackboneProgram) -> String {
    let rectify = if family.rectify { "x = F.relu(x)\n        " } else { "" };
    let (pool, layer) = (family.pool, family.classifier.split('.').next().unwrap_or_default());
    format!("{rectify}x = F.adaptive_avg_pool2d(x, {pool}).flatten(1)\n        return net.{layer}(x)")
}

/// The statement that makes the classifier's first layer take twice the channels.
fn widened(first: &str, classes: usize) -> String {
    let (owner, name) = first
        .rsplit_once('.')
        .map_or(("self.net".to_owned(), first), |(owner, name)| (format!("self.net.{owner}"), name));
    // A child of a `Sequential` is set by its number.
    let set = if name.chars().all(|c| c.is_ascii_digit()) {
        format!("{owner}[{name}] = torch.nn.Linear(2 * {owner}[{name}].in_features, {owner}[{name}].out_features)")
    } else {
        format!("{owner}.{name} = torch.nn.Linear(2 * {owner}.{name}.in_features, {classes})")
    };
    format!("        {set}  # the features, and the attended features\n")
}

fn python_list(values: &[f64; 3]) -> String {
    format!("[{}]", values.map(|value| value.to_string()).join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::{AttentionDescription, Preprocessing};
    use super::*;
    use crate::builtin;

    fn description(backbone: &str, kind: &str, map: bool) -> ModelDescription {
        ModelDescription {
            backbone: backbone.to_owned(),
            attention: AttentionDescription { kind: kind.to_owned(), residual_weights: [0.5, 0.5], map },
            settings: ComponentSettings::default(),
            classes: (0..7).map(|class| class.to_string()).collect(),
            preprocessing: Preprocessing {
                mean: [0.485, 0.456, 0.406],
                std: [0.229, 0.224, 0.225],
                transforms: vec![],
                background: None,
                background_seed: None,
                resize_rounding: None,
                white_point: None,
            },
            experiment: String::new(),
        }
    }

    fn model_py(description: &ModelDescription) -> Option<String> {
        super::model_py(description, Networks::of(&builtin()))
    }

    #[test]
    fn the_program_for_a_resnet() {
        insta::assert_snapshot!(model_py(&description("resnet18", "residual", true)).unwrap());
    }

    #[test]
    fn every_backbone_has_a_program_that_follows_its_attention() {
        assert_eq!(model_py(&description("tiny", "none", false)), None);
        let settings = ComponentSettings { head: Some("cosine".into()), ..ComponentSettings::default() };
        assert_eq!(model_py(&ModelDescription { settings, ..description("resnet18", "none", false) }), None);
        for name in Networks::of(&builtin()).backbone_names() {
            let program = model_py(&description(name, "none", false)).unwrap();
            assert!(program.contains("None") && !program.contains("self.attention"), "{program}");
            let concat = model_py(&description(name, "concat", true)).unwrap();
            assert!(concat.contains("torch.cat([f, f * a], 1)") && concat.contains("Linear(2 * "), "{concat}");
            let multiply = model_py(&description(name, "multiply", true)).unwrap();
            assert!(multiply.contains("self.head(self.net, f * a), a") && !multiply.contains("Linear(2"), "{multiply}");
            assert!(program.lines().all(|line| line.len() <= 120));
        }
    }
}
