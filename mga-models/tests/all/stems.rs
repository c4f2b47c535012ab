//! ResNet-18 for images of 32 pixels, as pytorch-cifar builds it.

use candle_core::{DType, Device, Tensor};
use mga_core::parameter::{Kind, ParameterStore};
use mga_core::tape::Tape;
use mga_models::{MgaModel, ModelSettings, StageId, builtin};
use mga_registry::Choice;
use serde_json::json;

fn model(stem: &str) -> mga_core::Result<MgaModel> {
    let backbone = Choice::new("resnet18", json!({ "stem": stem }));
    MgaModel::new(&builtin(), ModelSettings::new(backbone, 10), ParameterStore::new(1, DType::F32, &Device::Cpu))
}

#[test]
fn the_stem_for_small_images_keeps_their_size_and_has_the_parameters_of_pytorch_cifar() {
    let model = model("small-images").unwrap();
    let weights = model.store().entries().iter().filter(|parameter| parameter.kind() == Kind::Weight);
    // `sum(p.numel() for p in ResNet18().parameters())` of pytorch-cifar.
    assert_eq!(weights.map(|parameter| parameter.tensor().elem_count()).sum::<usize>(), 11_173_962);
    let mut tape = Tape::eval();
    let x = tape.constant(&Tensor::ones((1, 3, 32, 32), DType::F32, &Device::Cpu).unwrap()).unwrap();
    let taps: Vec<StageId> = (0..5).map(StageId).collect();
    let features = model.backbone().forward(&mut tape, x, &taps).unwrap();
    let sides: Vec<usize> = features.maps.iter().map(|(_, map)| map.dims4().unwrap().3).collect();
    assert_eq!(sides, [32, 32, 16, 8, 4]);
}

#[test]
fn an_unknown_stem_is_told_with_those_that_there_are() {
    let error = model("cifar").err().unwrap().to_string();
    assert!(error.contains("stem") && error.contains("imagenet") && error.contains("small-images"), "{error}");
}
