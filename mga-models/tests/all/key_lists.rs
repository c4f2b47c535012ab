//! Every backbone's state-dict keys with shapes, in building order, as snapshots: a checkpoint written today must fit the
//! model of tomorrow.

use candle_core::{DType, Device};
use mga_core::ops::Attention;
use mga_core::parameter::{Kind, ParameterStore};
use mga_models::{Input, MgaModel, ModelSettings, Registry};

#[test]
fn each_backbone_keeps_its_keys() {
    for entry in Registry::builtin().backbones() {
        let settings = ModelSettings {
            classes: 10,
            input: Input::Image,
            attention: Attention::Residual,
            residual_weights: (0.5, 0.5),
            mask_guidance: true,
            freeze_through: None,
            freeze_norm: false,
            dropout: None,
        };
        let model = MgaModel::new(entry, settings, ParameterStore::new(0, DType::F32, &Device::Cpu)).unwrap();
        let line = |p: &mga_core::parameter::Parameter| {
            let kind = if p.kind() == Kind::Buffer { " (kept, not learnt)" } else { "" };
            format!("{} {:?}{kind}", p.name(), p.tensor().dims())
        };
        let keys: Vec<String> = model.store().entries().iter().map(line).collect();
        insta::assert_snapshot!(entry.name, keys.join("\n"));
    }
}
