//! Every backbone's state-dict keys with shapes, in building order, as snapshots: a checkpoint written today must fit the
//! model of tomorrow.

use candle_core::{DType, Device};
use mga_core::parameter::{Kind, ParameterStore};
use mga_models::{Backbones, MgaModel, ModelSettings, builtin};

#[test]
fn each_backbone_keeps_its_keys() {
    for entry in builtin().all::<Backbones>() {
        let settings = ModelSettings {
            attention: "residual".into(),
            mask_guidance: true,
            ..ModelSettings::new(entry.name.as_str(), 10)
        };
        let model = MgaModel::new(&builtin(), settings, ParameterStore::new(0, DType::F32, &Device::Cpu)).unwrap();
        let line = |p: &mga_core::parameter::Parameter| {
            let kind = if p.kind() == Kind::Buffer { " (kept, not learnt)" } else { "" };
            format!("{} {:?}{kind}", p.name(), p.tensor().dims())
        };
        let keys: Vec<String> = model.store().entries().iter().map(line).collect();
        insta::assert_snapshot!(entry.name.as_str(), keys.join("\n"));
    }
}
