//! Checkpoints of few-shot programs: `{"params": {"encoder.layer1.0.conv1.weight": …}}`, behind `module.` from several
//! GPUs, with the classifier of pre-training beside the encoder or without.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device};
use mga_core::parameter::ParameterStore;
use mga_models::weights::{self, StoredTensor, write_converted};
use mga_models::{MgaModel, ModelSettings, Networks, builtin};
use mga_registry::Choice;
use serde_json::json;

use super::{checkpoint, read};

/// A narrow ResNet-12, named as ours and as the authors do.
fn model(classes: usize, seed: u64) -> MgaModel {
    let backbone = Choice::new("resnet12", json!({ "widths": [2, 3, 4, 5] }));
    let store = ParameterStore::new(seed, DType::F32, &Device::Cpu);
    MgaModel::new(&builtin(), ModelSettings::new(backbone, classes), store).unwrap()
}

fn tensors(model: &MgaModel, rename: impl Fn(&str) -> Option<String>) -> BTreeMap<String, StoredTensor> {
    let stored = model.store().tensors().into_iter().filter_map(|(name, tensor)| {
        let numbers = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let data = numbers.iter().flat_map(|v| v.to_le_bytes()).collect();
        Some((rename(&name)?, StoredTensor { dtype: safetensors::Dtype::F32, shape: tensor.dims().to_vec(), data }))
    });
    stored.collect()
}

fn sums(model: &MgaModel, of: &str) -> f32 {
    model.store().get(of).unwrap().tensor().sum_all().unwrap().to_vec0().unwrap()
}

/// Converts the checkpoint and loads it, strictly, into a fresh network of 3 classes.
fn loaded(path: &Path) -> (MgaModel, weights::LoadReport, String) {
    let converted = read(path);
    assert_eq!(converted.below, ["params"]);
    let out = path.with_extension("safetensors");
    write_converted(&converted, &out).unwrap();
    let target = model(3, 2);
    let registry = builtin();
    let renames = Networks::of(&registry).renames("resnet12");
    let report = weights::load_file(target.store(), &out, &renames, true).unwrap();
    (target, report, converted.wrapper)
}

#[test]
fn an_encoder_alone_is_taken_off_its_prefix_and_the_classifier_is_drawn_anew() {
    let folder = tempfile::tempdir().unwrap();
    let source = model(64, 1);
    let encoder = tensors(&source, |name| (!name.starts_with("classifier")).then(|| name.to_owned()));
    assert!(encoder.contains_key("layer1.0.conv1.weight") && encoder.contains_key("layer4.0.downsample.1.running_var"));
    for (before, wrapper) in [("encoder.", "encoder."), ("module.encoder.", "encoder."), ("", "")] {
        let path = folder.path().join("max_acc.pth");
        checkpoint(&path, Some("params"), before, &encoder);
        let (target, report, found) = loaded(&path);
        assert_eq!(found, wrapper);
        assert_eq!((report.matched, report.reinitialised.len()), (encoder.len(), 2), "{report}");
        let conv = "layer2.0.conv3.weight";
        assert_eq!(sums(&target, conv), sums(&source, conv));
    }
}

#[test]
fn an_old_classifier_beside_the_encoder_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let source = model(64, 1);
    let named = |name: &str| match name.strip_prefix("classifier") {
        Some(rest) => Some(format!("fc{rest}")),
        None => Some(format!("encoder.{name}")),
    };
    let path = folder.path().join("pretrain.pth");
    checkpoint(&path, Some("params"), "module.", &tensors(&source, named));
    let (target, report, _) = loaded(&path);
    assert!(report.wrappers.contains("encoder."), "{report}");
    let told = report.to_string();
    assert!(told.contains("names without `encoder.`") && told.contains("classifier.weight"), "{told}");
    assert!(told.contains("[64, 5]") && told.contains("drawn anew"), "{told}");
    assert_eq!(sums(&target, "layer4.0.bn3.weight"), sums(&source, "layer4.0.bn3.weight"));
}
