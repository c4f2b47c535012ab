//! What `freeze_through` and `freeze_norm` hold still: by default the parameters of the early stages alone, while their
//! batch norms go on with batch statistics, as the authors' do.

use candle_core::{DType, Device, Tensor};
use mga_core::parameter::{Kind, Parameter, ParameterStore};
use mga_core::tape::{Phase, Tape};
use mga_models::{MgaModel, ModelSettings, Result, builtin};

fn model(freeze_through: Option<&str>, freeze_norm: bool) -> Result<MgaModel> {
    let settings = ModelSettings {
        attention: "residual".into(),
        mask_guidance: true,
        freeze_through: freeze_through.map(str::to_owned),
        freeze_norm,
        ..ModelSettings::new("resnet18", 3)
    };
    MgaModel::new(&builtin(), settings, ParameterStore::new(1, DType::F32, &Device::Cpu))
}

fn frozen_stage(name: &str) -> bool {
    ["conv1.", "bn1.", "layer1.", "layer2."].iter().any(|prefix| name.starts_with(prefix))
}

/// The names of the running statistics that a training pass moves.
fn moved(model: &MgaModel) -> Vec<String> {
    let values = |p: &Parameter| p.tensor().to_vec1::<f32>().unwrap();
    let buffers: Vec<&Parameter> = model.store().entries().iter().filter(|p| p.kind() == Kind::Buffer).collect();
    let before: Vec<_> = buffers.iter().map(|p| values(p)).collect();
    let images = Tensor::arange(0f32, 2.0 * 3.0 * 64.0 * 64.0, &Device::Cpu).unwrap().sin().unwrap();
    let mut tape = Tape::new(Phase::Train, false, 0, 0);
    let x = tape.constant(&images.reshape((2, 3, 64, 64)).unwrap()).unwrap();
    model.forward(&mut tape, x).unwrap();
    let changed = buffers.iter().zip(before).filter(|(p, before)| values(p) != *before);
    changed.map(|(p, _)| p.name().to_owned()).collect()
}

#[test]
fn frozen_stages_go_on_with_batch_statistics() {
    let model = model(Some("layer2"), false).unwrap();
    let buffers = model.store().entries().iter().filter(|p| p.kind() == Kind::Buffer).count();
    assert_eq!(moved(&model).len(), buffers);
    for parameter in model.store().entries().iter().filter(|p| p.kind() == Kind::Weight) {
        assert_eq!(parameter.is_trained(), !frozen_stage(parameter.name()), "{}", parameter.name());
    }
}

#[test]
fn freeze_norm_holds_their_statistics_too() {
    let model = model(Some("layer2"), true).unwrap();
    let moved = moved(&model);
    assert!(moved.iter().all(|name| !frozen_stage(name)), "{moved:?}");
    let open = |p: &&Parameter| p.kind() == Kind::Buffer && !frozen_stage(p.name());
    assert_eq!(moved.len(), model.store().entries().iter().filter(open).count());
}

#[test]
fn the_summary_says_what_trains() {
    // Stem, four layers, attention, classifier: parameters, frozen, norms by batch and by running statistics.
    let rows: Vec<_> = model(Some("layer2"), true)
        .unwrap()
        .summary()
        .into_iter()
        .map(|row| (row.name, row.parameters, row.frozen, row.norms_on_batch, row.norms_on_running))
        .collect();
    let want = [
        ("stem", 9_536, true, 0, 1),
        ("layer1", 147_968, true, 0, 4),
        ("layer2", 525_568, true, 0, 5),
        ("layer3", 2_099_712, false, 5, 0),
        ("layer4", 8_393_728, false, 5, 0),
        ("attention", 2, false, 0, 0),
        ("classifier", 1_539, false, 0, 0),
    ];
    assert_eq!(
        rows,
        want.map(|(name, count, frozen, batch, running)| (name.to_owned(), count, frozen, batch, running))
    );
}

#[test]
fn an_unknown_stage_is_an_error_that_names_the_stages() {
    let message = model(Some("layer9"), false).err().unwrap().to_string();
    for part in ["layer9", "stem", "layer1", "layer4"] {
        assert!(message.contains(part), "{message}");
    }
}
