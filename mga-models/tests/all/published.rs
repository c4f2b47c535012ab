//! Published weights under their publisher's own names: the key lists of timm's models, and weights of their shapes.
use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use mga_core::parameter::ParameterStore;
use mga_models::weights::{load_tensors, rename_back};
use mga_models::{MgaModel, ModelSettings, Networks, builtin};
use mga_registry::Registry;

fn model(registry: &Registry, backbone: &str, seed: u64) -> MgaModel {
    let settings = ModelSettings::new(backbone, 10);
    MgaModel::new(registry, settings, ParameterStore::new(seed, DType::F32, &Device::Cpu)).unwrap()
}

/// The names that timm gives the entries of `name`'s model, and back into another model of that kind.
fn there_and_back(name: &str, expected: &[(&str, &[usize])]) {
    let registry = builtin();
    let networks = Networks::of(&registry);
    let published = networks.published(name).unwrap();
    let own = networks.backbone(published.component).unwrap().renames();
    let source = model(&registry, published.component, 1);
    let mut file: HashMap<String, Tensor> = HashMap::new();
    for (ours, tensor) in source.store().tensors() {
        let theirs = rename_back(&ours, published.renames, |_| true);
        let theirs = if theirs == ours { rename_back(&ours, own, |from| from == "fc") } else { theirs };
        // timm's VGGs classify by convolutions.
        let tensor = match theirs.as_str() {
            "pre_logits.fc1.weight" => tensor.reshape((4096, 512, 7, 7)).unwrap(),
            "pre_logits.fc2.weight" => tensor.reshape((4096, 4096, 1, 1)).unwrap(),
            _ => tensor,
        };
        assert!(file.insert(theirs.clone(), tensor).is_none(), "{theirs} stands for two");
    }
    for (key, dims) in expected {
        assert_eq!(file[*key].dims(), *dims, "{key}");
    }
    let target = model(&registry, published.component, 2);
    let report = load_tensors(target.store(), file, &networks.renames(published.component), true).unwrap();
    assert_eq!(report.matched, source.store().entries().len(), "{report}");
    for (a, b) in source.store().entries().iter().zip(target.store().entries()) {
        let sum = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(sum(&a.tensor()), sum(&b.tensor()), "{}", a.name());
    }
}

#[test]
fn mobilenetv2_100() {
    let keys: [(&str, &[usize]); 8] = [
        ("conv_stem.weight", &[32, 3, 3, 3]),
        ("bn1.running_var", &[32]),
        ("blocks.0.0.conv_dw.weight", &[32, 1, 3, 3]),
        ("blocks.0.0.conv_pw.weight", &[16, 32, 1, 1]),
        ("blocks.2.1.conv_pwl.weight", &[32, 192, 1, 1]),
        ("blocks.6.0.bn3.bias", &[320]),
        ("conv_head.weight", &[1280, 320, 1, 1]),
        ("classifier.weight", &[10, 1280]),
    ];
    there_and_back("timm/mobilenetv2_100.ra_in1k", &keys);
}

#[test]
fn vgg16() {
    let keys: [(&str, &[usize]); 3] =
        [("features.0.weight", &[64, 3, 3, 3]), ("pre_logits.fc1.bias", &[4096]), ("head.fc.weight", &[10, 4096])];
    there_and_back("timm/vgg16.tv_in1k", &keys);
}

#[test]
fn densenet121_as_torchvision_publishes_it() {
    let registry = builtin();
    let networks = Networks::of(&registry);
    let (source, target) = (model(&registry, "densenet121", 1), model(&registry, "densenet121", 2));
    let own = networks.backbone("densenet121").unwrap().renames();
    let named = |ours: &str| rename_back(ours, own, |_| true);
    let file: HashMap<_, _> = source.store().tensors().into_iter().map(|(ours, t)| (named(&ours), t)).collect();
    for name in ["denseblock1.denselayer1.norm.1.running_mean", "denseblock4.denselayer16.conv.2.weight", "norm5.bias"]
    {
        assert!(file.contains_key(&format!("features.{name}")), "{name}");
    }
    let report = load_tensors(target.store(), file, &networks.renames("densenet121"), true).unwrap();
    assert_eq!(report.matched, source.store().entries().len(), "{report}");
    let of = |model: &MgaModel, name: &str| {
        model.store().get(name).unwrap().tensor().flatten_all().unwrap().to_vec1::<f32>()
    };
    let name = "features.denseblock3.denselayer24.conv1.weight";
    assert_eq!(of(&source, name).unwrap(), of(&target, name).unwrap());
}

#[test]
fn resnet18() {
    there_and_back("timm/resnet18.tv_in1k", &[("fc.weight", &[10, 512]), ("layer1.0.conv1.weight", &[64, 64, 3, 3])]);
}
