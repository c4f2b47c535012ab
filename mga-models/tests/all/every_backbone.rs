//! Every registered backbone, the same way: a step that lowers the loss and moves what is trained alone, a file written
//! and read back to the bit, and stages that divide the network without gap or overlap.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Tensor};
use mga_core::loss;
use mga_core::ops;
use mga_core::parameter::{Kind, Parameter, ParameterId, ParameterStore, under};
use mga_core::random::Generator;
use mga_core::tape::{Phase, Tape, Value};
use mga_models::{Backbones, MgaModel, ModelSettings, StageId, builtin, weights};
use mga_registry::Entry;

/// The side of the images: at 64, and for Inception v3 at 107, the deepest batch norms still see eight positions.
fn side(entry: &Entry<Backbones>) -> usize {
    if entry.name == "inception_v3" { 107 } else { 64 }
}

const LABELS: [u32; 2] = [2, 0];

fn model(entry: &Entry<Backbones>, seed: u64, dtype: DType, freeze_through: Option<String>) -> MgaModel {
    let settings = ModelSettings {
        attention: "residual".into(),
        mask_guidance: true,
        freeze_through,
        dropout: Some(0.0),
        ..ModelSettings::new(entry.name.as_str(), 3)
    };
    MgaModel::new(&builtin(), settings, ParameterStore::new(seed, dtype, &Device::Cpu)).unwrap()
}

fn images(side: usize) -> Tensor {
    let mut generator = Generator::new(7, "every backbone: images", &[]);
    let values: Vec<f32> = (0..2 * 3 * side * side).map(|_| generator.normal() as f32).collect();
    Tensor::from_vec(values, (2, 3, side, side), &Device::Cpu).unwrap()
}

/// The loss of the two images, with the mask term against a target of one half.
fn loss(model: &MgaModel, mut tape: Tape, images: &Tensor) -> (Tape, Value) {
    let x = tape.constant(images).unwrap();
    let prediction = model.forward(&mut tape, x).unwrap();
    let map = prediction.attention.unwrap();
    let target = map.tensor().affine(0.0, 0.5).unwrap();
    let cross_entropy = loss::cross_entropy(&mut tape, prediction.logits, &LABELS, 0.0).unwrap();
    let mse = loss::mean_squared_error(&mut tape, map, &target, &[true, true]).unwrap();
    let total = ops::scaled_sum(&mut tape, &[(cross_entropy, 1.0), (mse, 0.1)]).unwrap();
    (tape, total)
}

fn number(value: &Value) -> f64 {
    value.tensor().to_vec0().unwrap()
}

fn l2(tensor: &Tensor) -> f64 {
    tensor.sqr().unwrap().sum_all().unwrap().to_vec0::<f64>().unwrap().sqrt()
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

fn evaluate(model: &MgaModel, images: &Tensor) -> Vec<u32> {
    let mut tape = Tape::eval();
    let x = tape.constant(images).unwrap();
    bits(model.forward(&mut tape, x).unwrap().logits.tensor())
}

/// A small step down the gradient lowers the loss by as much as the gradient says; what is trained moves and has a
/// gradient, nothing else. In `f64`: in a deep network's `f32` the loss of a step that small is rounding, and a larger
/// step's is chance.
fn step_lowers_the_loss(model: &MgaModel, images: &Tensor) {
    let store = model.store();
    let before: Vec<Tensor> = store.entries().iter().map(Parameter::tensor).collect();
    let (tape, first) = loss(model, Tape::train(0, 0), images);
    let gradients: BTreeMap<ParameterId, Tensor> =
        tape.backward(&first, 1.0).unwrap().into_parameters().into_iter().collect();
    let mut said = 0.0;
    for (id, gradient) in &gradients {
        let parameter = store.by_id(*id).unwrap();
        // Each tensor moves by a part of its own norm: one rate for all would move only the largest gradients'.
        let rate = 1e-10 * (l2(&parameter.tensor()) + 0.01) / l2(gradient);
        said += rate * l2(gradient).powi(2);
        parameter.set(parameter.tensor().sub(&gradient.affine(rate, 0.0).unwrap()).unwrap()).unwrap();
    }
    let (_, second) = loss(model, Tape::new(Phase::Train, false, 0, 0), images);
    let fell = number(&first) - number(&second);
    assert!((fell - said).abs() < 0.01 * said, "the loss fell by {fell:e}, not by {said:e}");
    for (parameter, before) in store.entries().iter().zip(before) {
        let name = parameter.name();
        let gradient = gradients.get(&parameter.id());
        assert_eq!(gradient.is_some(), parameter.is_trained(), "{name}: gradient exactly where trained");
        let same = numbers(&before) == numbers(&parameter.tensor());
        match parameter.kind() {
            // Running statistics move in frozen stages too.
            Kind::Buffer => assert!(!same, "{name}: running statistics stood still"),
            Kind::Weight if parameter.is_trained() => assert!(!same, "{name} is trained and stood still"),
            Kind::Weight => assert!(same, "{name} is frozen and moved"),
        }
    }
}

fn file_gives_the_same_model(entry: &Entry<Backbones>, model: &MgaModel, fresh: &MgaModel, images: &Tensor) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    weights::save_file(&model.store().tensors(), HashMap::new(), &path).unwrap();
    let wanted = evaluate(model, images);
    assert_ne!(evaluate(fresh, images), wanted, "another seed");
    let report = weights::load_file(fresh.store(), &path, entry.item.renames(), true).unwrap();
    assert_eq!(report.matched, model.store().entries().len());
    assert_eq!(evaluate(fresh, images), wanted);
}

fn stages_divide_the_network(model: &MgaModel, images: &Tensor) {
    let backbone = model.backbone();
    let stages = backbone.stages();
    let own = |name: &str| !under(name, "attention") && !under(name, "classifier");
    let names: Vec<&str> = model.store().entries().iter().map(Parameter::name).filter(|name| own(name)).collect();
    let prefixes = || stages.iter().flat_map(|stage| &stage.prefixes);
    for prefix in prefixes() {
        assert!(names.iter().any(|name| under(name, prefix)), "no parameter below {prefix}");
    }
    for name in names {
        assert_eq!(prefixes().filter(|prefix| under(name, prefix)).count(), 1, "{name} belongs to one stage");
    }
    let mut tape = Tape::eval();
    let x = tape.constant(images).unwrap();
    let taps: Vec<StageId> = (0..stages.len()).map(StageId).collect();
    let outputs = backbone.forward(&mut tape, x, &taps).unwrap();
    let channels: Vec<usize> = outputs.maps.iter().map(|(_, map)| map.dims4().unwrap().1).collect();
    assert_eq!(channels, stages.iter().map(|stage| stage.channels).collect::<Vec<_>>());
    // Fewer taps give the same tensors, in the order of the stages.
    let some = [StageId(1), StageId(stages.len() / 2)];
    let x = tape.constant(images).unwrap();
    let fewer = backbone.forward(&mut tape, x, &some).unwrap().maps;
    assert_eq!(fewer.iter().map(|(stage, _)| *stage).collect::<Vec<_>>(), some);
    for (tap, map) in fewer {
        assert_eq!(bits(map.tensor()), bits(outputs.at(tap).unwrap().tensor()), "tap {}", stages[tap.0].name);
    }
    let mut unique: Vec<&str> = stages.iter().map(|stage| stage.name.as_str()).collect();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), stages.len(), "stage names are unique");
}

#[test]
fn trains_saves_loads_and_taps() {
    for entry in builtin().all::<Backbones>() {
        let images = images(side(entry));
        let start = std::time::Instant::now();
        println!("{}", entry.name);
        let fresh = model(entry, 2, DType::F32, None);
        let frozen = Some(fresh.backbone().stages()[1].name.clone());
        step_lowers_the_loss(&model(entry, 1, DType::F64, frozen.clone()), &images.to_dtype(DType::F64).unwrap());
        let model = model(entry, 1, DType::F32, frozen);
        stages_divide_the_network(&model, &images);
        file_gives_the_same_model(entry, &model, &fresh, &images);
        println!("  {:.1} s", start.elapsed().as_secs_f64());
    }
}
