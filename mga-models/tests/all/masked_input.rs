//! Networks that are shown masks: the mask as a fourth channel of the first convolution, and the image times the mask.

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use mga_core::loss::cross_entropy;
use mga_core::nn::{BatchNorm2d, Conv2d, ConvInit};
use mga_core::ops;
use mga_core::parameter::{Builder, MASK_CHANNEL, ParameterStore};
use mga_core::random::Generator;
use mga_core::tape::{Engine, Tape, Value};
use mga_models::{
    Backbone, Backbones, Features, Input, MgaModel, ModelSettings, Networks, RegisteredBackbone, Stage, StageId,
    builtin, weights,
};
use mga_registry::{Entry, OwnSettings, Registry};
use serde_json::Map;

const LABELS: [u32; 2] = [2, 0];
const SIDE: usize = 64;

fn try_model(
    registry: &Registry,
    name: &str,
    input: Input,
    frozen: bool,
    dtype: DType,
) -> mga_models::Result<MgaModel> {
    let settings = ModelSettings {
        input,
        freeze_through: frozen.then(|| if name.starts_with("densenet") { "transition1" } else { "layer1" }.to_owned()),
        dropout: Some(0.0),
        ..ModelSettings::new(name, 3)
    };
    MgaModel::new(registry, settings, ParameterStore::new(1, dtype, &Device::Cpu))
}

fn model(name: &str, input: Input, frozen: bool) -> MgaModel {
    try_model(&builtin(), name, input, frozen, DType::F32).unwrap()
}

fn noise(purpose: &str, channels: usize) -> Tensor {
    let mut generator = Generator::new(7, purpose, &[]);
    let values: Vec<f32> = (0..2 * channels * SIDE * SIDE).map(|_| generator.uniform() as f32).collect();
    Tensor::from_vec(values, (2, channels, SIDE, SIDE), &Device::Cpu).unwrap()
}

fn logits(model: &MgaModel, images: &Tensor, masks: &Tensor) -> Vec<f32> {
    let mut tape = Tape::eval();
    let x = tape.constant(&model.settings().input.tensor(images, masks).unwrap()).unwrap();
    model.forward(&mut tape, x).unwrap().logits.tensor().flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn every_family_takes_a_fourth_channel() {
    let names = ["resnet18", "densenet121", "vgg16_bn", "mobilenet_v2", "inception_v3", "efficientnet_lite0", "conv4"];
    for name in names {
        // Without its classifier, which takes longest to draw.
        let mut store = ParameterStore::new(1, DType::F32, &Device::Cpu);
        let (registry, none) = (builtin(), Map::new());
        let entry = Networks::of(&registry).backbone(name).unwrap();
        let backbone = entry.build(store.root().with_mask_channel(), OwnSettings::new("model", &none)).unwrap();
        assert!(!backbone.stages().is_empty());
        let first = store.entries().first().unwrap().tensor();
        let mask = store.get(MASK_CHANNEL).unwrap().tensor();
        assert_eq!(mask.dims(), [first.dims()[0], 1, first.dims()[2], first.dims()[3]], "{name}");
        assert_eq!(first.dims()[1], 3, "{name}: {}", store.entries()[0].name());
        // Drawn as the others are, not zero.
        assert!(mask.abs().unwrap().max_all().unwrap().to_vec0::<f32>().unwrap() > 0.0);
    }
}

#[test]
fn published_weights_fit_and_the_mask_starts_unseen() {
    let (images, masks) = (noise("images", 3), noise("masks", 1));
    for name in ["resnet18", "densenet121"] {
        let (plain, shown) = (model(name, Input::Image, false), model(name, Input::ImageAndMask, false));
        let file: HashMap<_, _> = plain.store().tensors().into_iter().collect();
        let report = weights::load_tensors(shown.store(), file, &[], true).unwrap();
        assert_eq!(report.matched, plain.store().entries().len());
        let text = report.to_string();
        assert!(text.contains(MASK_CHANNEL) && text.contains("starts at zero"), "{text}");
        let (wanted, found) = (logits(&plain, &images, &masks), logits(&shown, &images, &masks));
        assert!(wanted.iter().zip(&found).all(|(a, b)| (a - b).abs() < 1e-5), "{name}: {wanted:?} {found:?}");
    }
}

#[test]
fn a_frozen_stem_learns_to_see_the_mask() {
    let (images, masks) = (noise("images", 3), noise("masks", 1));
    for name in ["resnet18", "densenet121"] {
        let model = model(name, Input::ImageAndMask, true);
        let loss = || {
            let mut tape = Tape::train(0, 0);
            let x = tape.constant(&model.settings().input.tensor(&images, &masks).unwrap()).unwrap();
            let said = model.forward(&mut tape, x).unwrap();
            let loss = cross_entropy(&mut tape, said.logits, &LABELS, 0.0).unwrap();
            (tape, loss)
        };
        let (tape, first) = loss();
        let gradients: HashMap<_, _> = tape.backward(&first, 1.0).unwrap().into_parameters().into_iter().collect();
        let mask = model.store().get(MASK_CHANNEL).unwrap();
        let stem = model.store().entries().first().unwrap();
        assert!(gradients.contains_key(&mask.id()) && !gradients.contains_key(&stem.id()), "{name}");
        let gradient = &gradients[&mask.id()];
        let norm = gradient.sqr().unwrap().sum_all().unwrap().to_vec0::<f32>().unwrap().sqrt();
        let before = mask.tensor();
        mask.set((&before - (gradient * f64::from(1e-3 / norm)).unwrap()).unwrap()).unwrap();
        let number = |value: &mga_core::tape::Value| value.tensor().to_vec0::<f32>().unwrap();
        assert!(number(&loss().1) < number(&first), "{name}: the mask channel alone lowers the loss");
        let rows = model.summary();
        let row = rows.iter().find(|row| row.name == "mask_channel").unwrap();
        assert!(!row.frozen && row.parameters == before.elem_count());

        // A file of ours has the channel, and gives the same network.
        let fresh = try_model(&builtin(), name, Input::ImageAndMask, false, DType::F32).unwrap();
        let file: HashMap<_, _> = model.store().tensors().into_iter().collect();
        assert!(weights::load_tensors(fresh.store(), file, &[], true).unwrap().reinitialised.is_empty());
        assert_eq!(logits(&fresh, &images, &masks), logits(&model, &images, &masks));
    }
}

/// The gradient of the mask's weights, against central differences of the loss, in `f64` on both engines.
#[test]
fn the_gradient_of_the_fourth_channel_is_right() {
    let (images, masks) = (noise("images", 3).to_dtype(DType::F64).unwrap(), noise("masks", 1));
    for engine in [Engine::Kernels, Engine::Composed] {
        let model = try_model(&builtin(), "resnet18", Input::ImageAndMask, true, DType::F64).unwrap();
        let mask = model.store().get(MASK_CHANNEL).unwrap();
        let loss = || {
            let mut tape = Tape::train(0, 0).with_engine(engine);
            let x = tape.constant(&model.settings().input.tensor(&images, &masks).unwrap()).unwrap();
            let said = model.forward(&mut tape, x).unwrap();
            let loss = cross_entropy(&mut tape, said.logits, &LABELS, 0.0).unwrap();
            (loss.tensor().to_vec0::<f64>().unwrap(), tape, loss)
        };
        let (_, tape, first) = loss();
        let gradients: HashMap<_, _> = tape.backward(&first, 1.0).unwrap().into_parameters().into_iter().collect();
        let gradient: Vec<f64> = gradients[&mask.id()].flatten_all().unwrap().to_vec1().unwrap();
        let start: Vec<f64> = mask.tensor().flatten_all().unwrap().to_vec1().unwrap();
        let largest = gradient.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
        for place in [0, 24, 700, 3135] {
            let at = |step: f64| {
                let mut moved = start.clone();
                moved[place] += step;
                mask.set(Tensor::from_vec(moved, mask.tensor().shape(), &Device::Cpu).unwrap()).unwrap();
                loss().0
            };
            let difference = (at(1e-6) - at(-1e-6)) / 2e-6;
            assert!(
                (difference - gradient[place]).abs() < 1e-5 * largest,
                "{engine:?} {place}: {difference} {}",
                gradient[place]
            );
        }
    }
}

#[test]
fn a_masked_image_is_the_image_times_the_mask() {
    let (images, masks) = (noise("images", 3), noise("masks", 1));
    let (plain, shown) = (model("resnet18", Input::Image, false), model("resnet18", Input::MaskedImage, false));
    let product = images.broadcast_mul(&masks).unwrap();
    assert_eq!(logits(&shown, &images, &masks), logits(&plain, &product, &masks));
    assert_ne!(logits(&shown, &images, &masks), logits(&plain, &images, &masks));
    // Three channels are not four.
    let four = model("resnet18", Input::ImageAndMask, false);
    let mut tape = Tape::eval();
    let x = tape.constant(&images).unwrap();
    assert!(four.forward(&mut tape, x).unwrap_err().to_string().contains("4 channels"));
}

#[test]
fn a_backbone_that_does_not_say_what_takes_the_images_is_refused() {
    let registry = builtin().with(Entry::<Backbones>::new("unmarked", "", Arc::new(Unmarking)));
    let message = try_model(&registry, "unmarked", Input::ImageAndMask, false, DType::F32).err().unwrap().to_string();
    assert!(message.contains("unmarked") && message.contains("of_images"), "{message}");
}

/// A backbone that does not mark its first convolution.
struct Unmarking;

impl RegisteredBackbone for Unmarking {
    fn build(&self, mut builder: Builder<'_>, _: OwnSettings<'_>) -> mga_models::Result<Box<dyn Backbone>> {
        let conv = Conv2d::new(builder.pp("conv"), (3, 4), (1, 1), ops::Conv2dSettings::default(), ConvInit::FanIn)?;
        let stage = Stage { name: "conv".to_owned(), prefixes: vec!["conv".to_owned()], channels: 4 };
        Ok(Box::new(Unmarked(vec![stage], conv)))
    }
}

struct Unmarked(Vec<Stage>, Conv2d);

impl Backbone for Unmarked {
    fn stages(&self) -> &[Stage] {
        &self.0
    }

    fn forward(&self, tape: &mut Tape, images: Value, _: &[StageId]) -> mga_models::Result<Features> {
        Ok(Features::of(StageId(0), self.1.forward(tape, images)?))
    }

    fn norms(&self) -> Vec<&BatchNorm2d> {
        vec![]
    }
}
