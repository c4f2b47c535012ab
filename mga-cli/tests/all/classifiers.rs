//! Weight files of plain classifiers under their publishers' names.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device};
use mga_core::parameter::ParameterStore;
use mga_models::weights::{rename_back, save_file};
use mga_models::{MgaModel, ModelSettings, Networks, builtin};

/// Writes a plain classifier of so many classes, drawn by `seed`, under torchvision's names.
pub(crate) fn published(path: &Path, backbone: &str, classes: usize, seed: u64, metadata: HashMap<String, String>) {
    let registry = builtin();
    let settings = ModelSettings::new(backbone, classes);
    let store = ParameterStore::new(seed, DType::F32, &Device::Cpu);
    let model = MgaModel::new(&registry, settings, store).unwrap();
    let renames = Networks::of(&registry).renames(backbone);
    let named = |name: &str| rename_back(name, &renames, |from| from == "fc");
    let tensors: Vec<_> = model.store().tensors().into_iter().map(|(name, tensor)| (named(&name), tensor)).collect();
    save_file(&tensors, metadata, path).unwrap();
}
