//! Networks on the tape: gradients reach every weight, a few steps learn two pictures, and any size of image is served.

use candle_core::{DType, Device, Tensor};
use mga_core::loss::cross_entropy;
use mga_core::ops;
use mga_core::optim::{OptimiserSettings, SgdSettings};
use mga_core::parameter::{Kind, ParameterStore};
use mga_core::random::Generator;
use mga_core::tape::{Tape, Value};
use mga_models::{ForegroundSettings, NetworkSegmenter, Networks, SegmentationNetwork, Segmenter, builtin};

const SIDE: usize = 64;

fn build(name: &str) -> (Box<dyn SegmentationNetwork>, ParameterStore) {
    let mut store = ParameterStore::new(3, DType::F32, &Device::Cpu);
    let (registry, none) = (builtin(), serde_json::Map::new());
    let settings = mga_registry::OwnSettings::new("model", &none);
    let network = Networks::of(&registry).network(name).unwrap().build(store.root(), 2, settings).unwrap();
    (network, store)
}

/// Two pictures of noise, each with a brighter disc, and which pixels lie in it.
fn pictures() -> (Tensor, Vec<u32>) {
    let mut generator = Generator::new(7, "segmenter training", &[]);
    let inside = |n: usize, y: usize, x: usize| {
        let (cy, cx) = [(20.0, 24.0), (40.0, 36.0)][n];
        (y as f64 - cy).hypot(x as f64 - cx) < 18.0
    };
    let (mut values, mut labels) = (vec![], vec![]);
    for n in 0..2 {
        for _ in 0..3 {
            for at in 0..SIDE * SIDE {
                let bright = if inside(n, at / SIDE, at % SIDE) { 1.5 } else { -0.5 };
                values.push((bright + 0.2 * generator.normal()) as f32);
            }
        }
        labels.extend((0..SIDE * SIDE).map(|at| u32::from(inside(n, at / SIDE, at % SIDE))));
    }
    (Tensor::from_vec(values, (2, 3, SIDE, SIDE), &Device::Cpu).unwrap(), labels)
}

/// Mean cross entropy over all pixels.
fn pixel_loss(tape: &mut Tape, logits: Value, labels: &[u32]) -> Value {
    let classes = logits.dims()[1];
    let rows = ops::permute(tape, logits, &[0, 2, 3, 1]).unwrap();
    let rows = ops::reshape(tape, rows, &[labels.len(), classes]).unwrap();
    cross_entropy(tape, rows, labels, 0.0).unwrap()
}

/// The main loss and 0.4 of the auxiliary one, recorded.
fn loss(network: &dyn SegmentationNetwork, tape: &mut Tape, images: &Tensor, labels: &[u32]) -> Value {
    let x = tape.constant(images).unwrap();
    let output = network.forward(tape, x).unwrap();
    assert_eq!(output.logits.dims(), [2, 2, SIDE, SIDE]);
    let main = pixel_loss(tape, output.logits, labels);
    let Some(auxiliary) = output.auxiliary else { return main };
    let auxiliary = pixel_loss(tape, auxiliary, labels);
    ops::scaled_sum(tape, &[(main, 1.0), (auxiliary, 0.4)]).unwrap()
}

fn number(value: &Value) -> f32 {
    value.tensor().to_vec0().unwrap()
}

#[test]
fn deeplabv3_learns_two_pictures() {
    let (network, store) = build("deeplabv3_mobilenet_v3_large");
    let (images, labels) = pictures();
    let rule = SgdSettings { learning_rate: 0.05, weight_decay: 0.0, ..SgdSettings::default() };
    let settings = OptimiserSettings::of("sgd", &rule).unwrap();
    let mut optimiser = settings.build(&mga_core::components(), &store).unwrap();
    let mut losses = vec![];
    for step in 0..20 {
        let mut tape = Tape::train(0, step);
        let loss = loss(network.as_ref(), &mut tape, &images, &labels);
        losses.push(number(&loss));
        let gradients = tape.backward(&loss, 1.0).unwrap().into_parameters();
        optimiser.step(&store, &gradients, 1.0).unwrap();
    }
    println!("{losses:?}");
    let last = losses[15..].iter().sum::<f32>() / 5.0;
    assert!(last < 0.5 * losses[0], "{losses:?}");
}

/// Biases that what follows them takes out again (a batch norm; a softmax, which a constant leaves alone), so that their
/// gradient is zero but for rounding.
const WITHOUT_EFFECT: [&str; 3] = ["attention.self.key.bias", "ocr.conv3x3_ocr.0.bias", "ocr.aux_head.0.bias"];

/// In training mode, of every weight of one network a family (those of the auxiliary head among them): the gradient is
/// there, finite, and somewhere not zero.
#[test]
fn gradients_reach_every_weight() {
    for name in ["fcn_resnet50", "deeplabv3_mobilenet_v3_large", "segformer_b0", "hmsa"] {
        let (network, store) = build(name);
        let (images, labels) = pictures();
        let mut tape = Tape::train(0, 0);
        let loss = loss(network.as_ref(), &mut tape, &images, &labels);
        let gradients = tape.backward(&loss, 1.0).unwrap().into_parameters();
        let reached = |p: &mga_core::parameter::Parameter| {
            let gradient = gradients.iter().find(|(id, _)| *id == p.id()).map(|(_, gradient)| gradient);
            let size = gradient.map_or(f32::NAN, |g| g.abs().unwrap().sum_all().unwrap().to_vec0().unwrap());
            size.is_finite() && (size > 0.0 || WITHOUT_EFFECT.iter().any(|bias| p.name().ends_with(bias)))
        };
        let weights = store.entries().iter().filter(|p| p.kind() == Kind::Weight);
        let lost: Vec<&str> = weights.filter(|p| !reached(p)).map(|p| p.name()).collect();
        assert!(lost.is_empty(), "{name}: no gradient reaches {lost:#?}");
    }
}

/// An image whose sides divide by nothing.
#[test]
fn any_size_gets_a_mask() {
    let mut generator = Generator::new(8, "segmenter sizes", &[]);
    let values: Vec<f32> = (0..3 * 51 * 70).map(|_| generator.uniform_in(0.0, 1.0) as f32).collect();
    let image = Tensor::from_vec(values, (1, 3, 51, 70), &Device::Cpu).unwrap();
    for name in ["deeplabv3_mobilenet_v3_large", "segformer_b0"] {
        let foreground = ForegroundSettings { classes: vec![1], threshold: None };
        let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        let segmenter = NetworkSegmenter::new(build(name).0, mean, std, foreground).unwrap();
        let mask = segmenter.masks(&image).unwrap();
        assert_eq!(mask.dims(), [1, 1, 51, 70], "{name}");
        let values: Vec<f32> = mask.flatten_all().unwrap().to_vec1().unwrap();
        assert!(values.iter().all(|v| (0.0..=1.0).contains(v)), "{name}");
    }
}

/// hmsa's own averaging: seen in a mirror, the picture has the mirrored scores, and without `flip` it has not.
#[test]
fn a_flipped_pass_makes_scores_symmetric() {
    let (mut network, _store) = build("hmsa");
    let (images, _) = pictures();
    let asymmetry = |network: &dyn SegmentationNetwork| -> f32 {
        let mut tape = Tape::eval();
        let x = tape.constant(&images).unwrap();
        let straight = network.forward(&mut tape, x.clone()).unwrap().logits;
        let x = ops::mirror(&mut tape, x).unwrap();
        let y = network.forward(&mut tape, x).unwrap().logits;
        let mirrored = ops::mirror(&mut tape, y).unwrap();
        let difference = (straight.tensor() - mirrored.tensor()).unwrap().sqr().unwrap().sum_all().unwrap();
        let total = straight.tensor().sqr().unwrap().sum_all().unwrap();
        (difference.to_vec0::<f32>().unwrap() / total.to_vec0::<f32>().unwrap()).sqrt()
    };
    network.set_scales(&[1.0], false).unwrap();
    let plain = asymmetry(network.as_ref());
    network.set_scales(&[1.0], true).unwrap();
    let flipped = asymmetry(network.as_ref());
    assert!(flipped < 1e-5 && plain > 1e-2, "with flip {flipped}, without {plain}");
}

#[test]
fn scales_without_the_whole_size_are_refused() {
    let (mut network, _store) = build("hmsa");
    for scales in [&[][..], &[0.5, 2.0], &[1.0, 1.0], &[1.0, -1.0], &[1.0, f64::NAN]] {
        let message = network.set_scales(scales, false).unwrap_err().to_string();
        assert!(message.contains("1.0 among them"), "{message}");
    }
    let (mut network, _store) = build("segformer_b0");
    assert!(network.set_scales(&[1.0], false).unwrap_err().to_string().contains("one scale"));
}
