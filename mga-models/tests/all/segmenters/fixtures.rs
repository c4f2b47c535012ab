//! Evaluation against the fixtures: in `f64` within 1e-8, in `f32` within ten times PyTorch's own float32 error.

use candle_core::{DType, Tensor};
use mga_core::tape::{Engine, Tape, Value};
use mga_models::segmenters::{Hmsa, SegFormer, SegFormerSizes};
use mga_models::{Networks, SegmentationNetwork, builtin};

use super::{CLASSES, by_formula, images};
use crate::compare::{Comparison, Fixture, numbers};

/// Every fourth row and column.
fn sparse(logits: &Tensor) -> Vec<f64> {
    let every_fourth = |x: &Tensor, dim: usize| {
        let places: Vec<u32> = (0..x.dim(dim).unwrap() as u32).step_by(4).collect();
        x.index_select(&Tensor::new(places, x.device()).unwrap(), dim).unwrap()
    };
    numbers(&every_fourth(&every_fourth(logits, 2), 3))
}

fn tolerance(dtype: DType, gap: &str) -> f64 {
    if dtype == DType::F64 { 1e-8 } else { 10.0 * gap.parse::<f64>().unwrap() }
}

/// Holds `network(tape, images)` against the fixture's `logits`.
fn hold(name: &str, dtype: DType, engine: Engine, network: impl Fn(&mut Tape, Value) -> Vec<f64>) {
    let fixture = Fixture::read(name);
    let mut c = Comparison::new(format!("{name} {dtype:?} {engine:?}"));
    let mut tape = Tape::eval().with_engine(engine);
    let x = tape.constant(&images(dtype)).unwrap();
    let got = network(&mut tape, x);
    c.hold("logits", &got, fixture.get("logits"), tolerance(dtype, &fixture.metadata["float32_gap"]));
    c.finish();
}

/// torchvision's names.
fn torchvision(name: &str, dtype: DType, engine: Engine) {
    let (registry, none) = (builtin(), serde_json::Map::new());
    let settings = mga_registry::OwnSettings::new("model", &none);
    let entry = Networks::of(&registry).network(name).unwrap();
    let (network, _store) = by_formula(|builder| entry.build(builder, CLASSES, settings), 1.0, dtype);
    hold(name, dtype, engine, |tape, x| {
        let output = network.forward(tape, x).unwrap();
        assert!(output.auxiliary.is_none());
        sparse(output.logits.tensor())
    });
}

macro_rules! torchvision {
    ($name:ident) => {
        #[test]
        fn $name() {
            torchvision(stringify!($name), DType::F64, Engine::Kernels);
            torchvision(stringify!($name), DType::F32, Engine::Kernels);
        }
    };
}

torchvision!(fcn_resnet50);
torchvision!(deeplabv3_resnet50);
torchvision!(deeplabv3_mobilenet_v3_large);

const B0: SegFormerSizes = SegFormerSizes { channels: [32, 64, 160, 256], blocks: [2, 2, 2, 2], decoder: 256 };

fn segformer(dtype: DType, engine: Engine) {
    let (network, _store) = by_formula(|builder| SegFormer::new(builder, B0, CLASSES), 1.0, dtype);
    hold("segformer_b0", dtype, engine, |tape, x| numbers(network.quarter_logits(tape, x).unwrap().tensor()));
}

#[test]
fn segformer_b0() {
    segformer(DType::F64, Engine::Kernels);
    segformer(DType::F32, Engine::Kernels);
}

/// The engine that runs on a GPU, here on the CPU.
#[test]
fn composed() {
    torchvision("deeplabv3_mobilenet_v3_large", DType::F64, Engine::Composed);
    segformer(DType::F64, Engine::Composed);
}

fn hmsa(dtype: DType) {
    let fixture = Fixture::read("hmsa_hrnet48_ocr");
    let mut c = Comparison::new(format!("hmsa {dtype:?}"));
    let gaps: serde_json::Value = serde_json::from_str(&fixture.metadata["float32_gap"].replace('\'', "\"")).unwrap();
    let (mut network, _store) = by_formula(|builder| Hmsa::new(builder, CLASSES), 0.5, dtype);
    network.set_scales(&[0.5, 1.0, 2.0], false).unwrap();
    let mut tape = Tape::eval();
    let x = tape.constant(&images(dtype)).unwrap();
    let single = network.single_scale(&mut tape, x.clone()).unwrap();
    let joint = network.forward(&mut tape, x).unwrap().logits;
    let found = [
        ("single.logits", single.logits),
        ("single.aux", single.auxiliary),
        ("single.attention", single.attention),
        ("multi.logits", joint),
    ];
    for (entry, value) in found {
        let tolerance = tolerance(dtype, gaps[entry].as_str().unwrap());
        c.hold(entry, &sparse(value.tensor()), fixture.get(entry), tolerance);
    }
    c.finish();
}

#[test]
fn hmsa_hrnet48_ocr_in_f64() {
    hmsa(DType::F64);
}

#[test]
fn hmsa_hrnet48_ocr_in_f32() {
    hmsa(DType::F32);
}
