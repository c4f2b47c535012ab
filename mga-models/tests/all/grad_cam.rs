//! Grad-CAM against numbers from PyTorch (`scripts/compare/grad_cam.py`) and against what it is by hand, and the
//! attention of the same cases, CBAM's gate among them.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use mga_core::nn::{BatchNorm2d, Conv2d, ConvInit};
use mga_core::ops::Conv2dSettings;
use mga_core::parameter::{Builder, ParameterStore};
use mga_core::random::Generator;
use mga_core::tape::{Tape, Value};
use mga_models::backbone::run_stages;
use mga_models::{
    Backbone, Backbones, Features, MgaModel, ModelSettings, RegisteredBackbone, Result, Stage, StageId, builtin,
    grad_cam,
};
use mga_registry::{Choice, Entry, OwnSettings};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Fixture {
    shape: [usize; 4],
    classes: usize,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    attention: String,
    relu: bool,
    classes: Vec<usize>,
    features: Vec<f64>,
    parameters: BTreeMap<String, Vec<f64>>,
    map: Vec<f64>,
    logits: Vec<f64>,
    grad_cam: Vec<f64>,
}

/// One convolution of four channels: the fixture's features go in behind it.
struct OneConvolution(Vec<Stage>, Conv2d);

impl Backbone for OneConvolution {
    fn stages(&self) -> &[Stage] {
        &self.0
    }

    fn forward(&self, tape: &mut Tape, images: Value, taps: &[StageId]) -> Result<Features> {
        run_stages(tape, images, taps, |tape, _, x| self.1.forward(tape, x))
    }

    fn norms(&self) -> Vec<&BatchNorm2d> {
        vec![]
    }
}

struct One {
    relu: bool,
}

impl RegisteredBackbone for One {
    fn build(&self, mut builder: Builder<'_>, _: OwnSettings<'_>) -> Result<Box<dyn Backbone>> {
        let conv = Conv2d::new(builder.pp("conv"), (3, 4), (1, 1), Conv2dSettings::default(), ConvInit::FanIn)?;
        let stage = Stage { name: "conv".to_owned(), prefixes: vec!["conv".to_owned()], channels: 4 };
        Ok(Box::new(OneConvolution(vec![stage], conv)))
    }

    fn head(&self) -> Choice {
        Choice::new("linear", json!({ "rectify": self.relu }))
    }
}

fn model(attention: &str, relu: bool, classes: usize) -> MgaModel {
    let registry = builtin().with(Entry::<Backbones>::new("one", "", Arc::new(One { relu })));
    let settings =
        ModelSettings { attention: attention.into(), mask_guidance: true, ..ModelSettings::new("one", classes) };
    MgaModel::new(&registry, settings, ParameterStore::new(1, DType::F64, &Device::Cpu)).unwrap()
}

/// Features of one stage.
fn constant(map: &Tensor) -> Features {
    Features::of(StageId(0), Tape::eval().constant(map).unwrap())
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap()
}

fn assert_close(found: &Tensor, expected: &[f64], what: &str) {
    let found = numbers(found);
    assert_eq!(found.len(), expected.len(), "{what}");
    let apart = found.iter().zip(expected).map(|(f, e)| (f - e).abs()).fold(0.0, f64::max);
    assert!(apart < 1e-12, "{what}: {apart}");
}

#[test]
fn it_is_pytorchs() {
    let fixture: Fixture = serde_json::from_str(include_str!("../data/grad_cam.json")).unwrap();
    for case in &fixture.cases {
        let model = model(&case.attention, case.relu, fixture.classes);
        for (name, values) in &case.parameters {
            let entry = model.store().get(name).unwrap();
            entry.set(Tensor::from_slice(values, entry.tensor().shape(), &Device::Cpu).unwrap()).unwrap();
        }
        let features = Tensor::from_slice(&case.features, &fixture.shape, &Device::Cpu).unwrap();
        let mut tape = Tape::eval();
        let x = tape.constant(&features).unwrap();
        let said = model.classify(&mut tape, Features::of(StageId(0), x)).unwrap();
        let what = format!("{} {}", case.attention, case.relu);
        assert_close(said.attention.unwrap().tensor(), &case.map, &format!("{what}, map"));
        assert_close(said.logits.tensor(), &case.logits, &format!("{what}, logits"));
        let map = grad_cam(&model, &constant(&features), &case.classes).unwrap();
        assert_eq!(map.dims(), [fixture.shape[0], 1, fixture.shape[2], fixture.shape[3]]);
        assert_close(&map, &case.grad_cam, &format!("{what}, Grad-CAM"));
    }
}

#[test]
fn without_attention_it_is_the_class_activation_map() {
    // Behind a global average pool the gradient is the classifier's weight over h w: CAM (Zhou et al. 2016).
    let model = model("none", false, 2);
    let set = |name: &str, values: &[f64]| {
        let entry = model.store().get(name).unwrap();
        entry.set(Tensor::from_slice(values, entry.tensor().shape(), &Device::Cpu).unwrap()).unwrap();
    };
    set("classifier.weight", &[1.0, -2.0, 0.0, 0.5, -1.0, 0.0, 0.0, 0.0]);
    let features = [[1.0, 2.0], [0.0, 3.0], [9.0, 9.0], [2.0, 8.0]].concat();
    let features = Tensor::from_vec(features, (1, 4, 1, 2), &Device::Cpu).unwrap();
    // Class 0: 1 - 0 + 1 = 2 and 2 - 6 + 4 = 0; class 1 is spoken for nowhere.
    let features = constant(&features);
    assert_close(&grad_cam(&model, &features, &[0]).unwrap(), &[1.0, 0.0], "class 0");
    assert_close(&grad_cam(&model, &features, &[1]).unwrap(), &[0.0, 0.0], "class 1");
    assert!(grad_cam(&model, &features, &[2]).is_err() && grad_cam(&model, &features, &[0, 0]).is_err());
}

#[test]
fn every_backbone_has_one() {
    let registry = builtin();
    for name in ["resnet18", "densenet121", "vgg16", "mobilenet_v2", "conv4", "efficientnet_lite0"] {
        let settings = ModelSettings { dropout: Some(0.0), ..model("none", false, 3).settings().clone() };
        let settings = ModelSettings { mask_guidance: false, backbone: name.into(), ..settings };
        let store = ParameterStore::new(1, DType::F32, &Device::Cpu);
        let model = MgaModel::new(&registry, settings, store).unwrap();
        let mut generator = Generator::new(1, "images", &[]);
        let images: Vec<f32> = (0..3 * 64 * 64).map(|_| generator.normal() as f32).collect();
        let mut tape = Tape::eval();
        let images = tape.constant(&Tensor::from_vec(images, (1, 3, 64, 64), &Device::Cpu).unwrap()).unwrap();
        let features = model.features(&mut tape, images).unwrap();
        let map = numbers(&grad_cam(&model, &features, &[1]).unwrap());
        assert!(map.iter().all(|v| (0.0..=1.0).contains(v)), "{name}: {map:?}");
    }
}
