//! A short Python program that rebuilds an exported network on torchvision, or on PyTorch alone where that lacks it.

use super::description::{ComponentSettings, ModelDescription};

/// What of the program depends on the family.
struct Family {
    /// Module that has the network; none where the program brings it along.
    import: Option<&'static str>,
    /// The classes of such a network.
    classes: &'static str,
    /// How it is made.
    build: &'static str,
    /// The statements of `features(self, x)` and of `head(self, x)`.
    features: &'static str,
    head: &'static str,
    /// The last linear layer, for `concat` to widen.
    last: &'static str,
}

const POOLED: &str = "x = F.adaptive_avg_pool2d(x, 1).flatten(1)\n        return ";

/// Returns timm's name of a backbone, the `architecture` of `config.json`.
pub fn timm_name(backbone: &str) -> &str {
    match backbone {
        "mobilenet_v2" => "mobilenetv2_100",
        "efficientnet_lite0" => "tf_efficientnet_lite0",
        other => other,
    }
}

fn family(backbone: &str) -> Option<Family> {
    let torchvision =
        |build, features, head, last| Family { import: Some("torchvision"), classes: "", build, features, head, last };
    let own = |classes, build, features| Family {
        import: None,
        classes,
        build,
        features,
        head: "net.classifier(x)",
        last: "classifier",
    };
    let plain = "torchvision.models.{backbone}(weights=None, num_classes={classes})";
    let features = "return net.features(x)";
    Some(match backbone {
        "resnet18" | "resnet34" | "resnet50" | "resnet101" | "resnet152" => torchvision(
            plain,
            "x = net.maxpool(net.relu(net.bn1(net.conv1(x))))\n        \
             return net.layer4(net.layer3(net.layer2(net.layer1(x))))",
            "net.fc(x)",
            "fc",
        ),
        "densenet121" | "densenet161" | "densenet169" | "densenet201" => {
            torchvision(plain, features, "net.classifier(x)", "classifier")
        }
        "vgg16" | "vgg16_bn" | "vgg19" | "vgg19_bn" => {
            torchvision(plain, features, "net.classifier(x)", "classifier.0")
        }
        "mobilenet_v2" => torchvision(plain, features, "net.classifier(x)", "classifier.1"),
        "inception_v3" => torchvision(
            "torchvision.models.inception_v3(weights=None, num_classes={classes}, aux_logits=False, init_weights=False)",
            "for name, child in net.named_children():\n            if name == \"avgpool\":\n                \
             return x\n            x = child(x)",
            "net.fc(x)",
            "fc",
        ),
        "efficientnet_lite0" => own(
            include_str!("efficientnet_lite0.py"),
            "EfficientNetLite0({classes})",
            "x = net.blocks(F.relu6(net.bn1(net.conv_stem(x))))\n        return F.relu6(net.bn2(net.conv_head(x)))",
        ),
        "conv4" => own(
            include_str!("conv4.py"),
            "Conv4({classes})",
            "return net.block4(net.block3(net.block2(net.block1(x))))",
        ),
        _ => return None,
    })
}

/// Returns the program for `model.safetensors` beside it; `None` for a backbone or attention of another crate, another head than
/// the backbone's own, and settings of any of them.
pub fn model_py(description: &ModelDescription) -> Option<String> {
    let backbone = description.backbone.as_str();
    let known = ["none", "multiply", "residual", "concat", "cbam-spatial"];
    if description.settings != ComponentSettings::default() || !known.contains(&description.attention.kind.as_str()) {
        return None;
    }
    let family = family(backbone)?;
    let classes = description.classes.len();
    let build = family.build.replace("{backbone}", backbone).replace("{classes}", &classes.to_string());
    let head = match backbone {
        name if name.starts_with("vgg") => {
            format!("x = F.adaptive_avg_pool2d(x, 7).flatten(1)\n        return {}", family.head)
        }
        // torchvision rectifies what its densely connected features give.
        name if name.starts_with("densenet") => format!("x = F.relu(x)\n        {POOLED}{}", family.head),
        _ => format!("{POOLED}{}", family.head),
    };
    let [a, b] = description.attention.residual_weights;
    let kind = description.attention.kind.as_str();
    let attended = match kind {
        "multiply" | "cbam-spatial" => "f * a".to_owned(),
        "residual" => format!("{a} * f + {b} * f * a"),
        "concat" => "torch.cat([f, f * a], 1)".to_owned(),
        _ => "f".to_owned(),
    };
    let widen = if kind == "concat" {
        let (owner, name) = family
            .last
            .rsplit_once('.')
            .map_or(("self.net".to_owned(), family.last), |(owner, name)| (format!("self.net.{owner}"), name));
        // A child of a `Sequential` is set by its number.
        let set = if name.chars().all(|c| c.is_ascii_digit()) {
            format!("{owner}[{name}] = torch.nn.Linear(2 * {owner}[{name}].in_features, {owner}[{name}].out_features)")
        } else {
            format!("{owner}.{name} = torch.nn.Linear(2 * {owner}.{name}.in_features, {classes})")
        };
        format!("        {set}  # the features, and the attended features\n")
    } else {
        String::new()
    };
    let (declare, forward, returns) = if description.attention.map {
        let declare = match kind {
            "cbam-spatial" => concat!(
                "        self.attention = torch.nn.Sequential()\n",
                "        self.attention.conv = torch.nn.Conv2d(2, 1, 7, padding=3, bias=False)\n",
                "        self.attention.bn = torch.nn.BatchNorm2d(1, momentum=0.01)\n",
            ),
            _ => "        self.attention = torch.nn.Conv2d(2, 1, 1, bias=False)\n",
        };
        (
            declare,
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
    let (on, packages, import) = match family.import {
        Some(module) => (module, format!("torch {module}"), format!("import {module}\n")),
        None => ("PyTorch", "torch".to_owned(), String::new()),
    };
    let own = if family.classes.is_empty() { String::new() } else { format!("{}\n\n", family.classes) };
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

fn python_list(values: &[f64; 3]) -> String {
    format!("[{}]", values.map(|value| value.to_string()).join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::{AttentionDescription, Preprocessing};
    use super::*;
    use crate::{Networks, builtin};

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
