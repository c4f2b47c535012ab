//! Two threads train one model together.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use mga_core::nn::{BatchNorm2d, Conv2d, ConvInit};
use mga_core::ops::{Activation, Conv2dSettings};
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};
use mga_experiment::{Components, Experiment, Metrics};
use mga_models::backbone::run_stages;
use mga_models::{Backbone, Backbones, Features, RegisteredBackbone, Stage, StageId};
use mga_registry::{Entry, OwnSettings};

use super::threads::Threads;
use super::*;
use crate::checkpoint::Progress;
use crate::interrupt::Interrupt;
use crate::progress::{Counter, EpochEnd, Listener, ProgressReport, Silent};
use crate::run_folder::RunFolder;
use crate::{Run, Trained};

/// Two convolutions without norms: what a rank computes of an image depends on no other image.
struct Plain {
    stages: Vec<Stage>,
    layers: Vec<Conv2d>,
}

impl Plain {
    fn new(mut builder: Builder<'_>) -> mga_core::Result<Self> {
        let (mut stages, mut layers) = (vec![], vec![]);
        for (index, (channels, out)) in [(3, 8), (8, 12)].into_iter().enumerate() {
            let name = format!("conv{index}");
            let settings = Conv2dSettings { stride: 2, padding: (1, 1), ..Conv2dSettings::default() };
            let below = builder.pp(&name);
            let below = if index == 0 { below.of_images() } else { below };
            layers.push(Conv2d::with_bias(below, (channels, out), (3, 3), settings, ConvInit::HeFanOut)?);
            stages.push(Stage { prefixes: vec![name.clone()], name, channels: out });
        }
        Ok(Self { stages, layers })
    }
}

impl Backbone for Plain {
    fn stages(&self) -> &[Stage] {
        &self.stages
    }

    fn forward(&self, tape: &mut Tape, images: Value, taps: &[StageId]) -> mga_core::Result<Features> {
        run_stages(tape, images, taps, |tape, stage, x| self.layers[stage].forward_activated(tape, x, Activation::Relu))
    }

    fn norms(&self) -> Vec<&BatchNorm2d> {
        vec![]
    }
}

struct Registered;

impl RegisteredBackbone for Registered {
    fn build(&self, builder: Builder<'_>, _: OwnSettings<'_>) -> mga_core::Result<Box<dyn Backbone>> {
        Ok(Box::new(Plain::new(builder)?))
    }
}

/// Ten images of which five make a batch: no two ranks get as many of it. In the second epoch checkpoints fall into the
/// middle of it.
const EXPERIMENT: &str = r#"
task = "classification"
device = "cpu"
data = { dataset = "leaves", size = 16, cultivars = 10, train_per_class = 2, test_per_class = 1, batch_size = 5, workers = 1, validation = { per_class = 1 } }
model = { backbone = "plain", attention = "residual" }
schedule = { epochs = 2 }
train = { log_every = 1, checkpoint_every = 2, clip_norm = 0.5, accumulate = 2 }
"#;

/// Does something on as many ranks; what each says of how it ended.
fn together(
    ranks: usize,
    work: impl Fn(&Components, &dyn World) -> anyhow::Result<Trained> + Sync,
) -> Vec<Result<String, String>> {
    let worlds = Threads::world(ranks);
    let rank = |world: &dyn World| {
        let plain = Entry::<Backbones>::new("plain", "two convolutions without norms", Arc::new(Registered));
        let trained = work(&crate::builtin().with(plain), world).map_err(|error| format!("{error:#}"))?;
        Ok(trained.text)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = worlds.iter().map(|world| scope.spawn(|| rank(world))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Trains on as many ranks, all into one folder.
fn train(ranks: usize, text: &str, folder: &Path) -> Vec<Result<String, String>> {
    together(ranks, |components, world| {
        let run = Run::new(components).with_world(world);
        run.train(&mut run.text(text)?, folder)
    })
}

fn weights(folder: &Path) -> HashMap<String, Vec<f32>> {
    let tensors = candle_core::safetensors::load(RunFolder::at(folder).last(), &Device::Cpu).unwrap();
    tensors.into_iter().map(|(name, t)| (name, t.flatten_all().unwrap().to_vec1().unwrap())).collect()
}

fn lines(folder: &Path) -> Vec<serde_json::Value> {
    let text = std::fs::read_to_string(folder.join("metrics.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn two_ranks_train_the_model_that_one_trains() {
    let folder = tempfile::tempdir().unwrap();
    let (alone, together) = (folder.path().join("alone"), folder.path().join("together"));
    let said = train(1, EXPERIMENT, &alone);
    assert!(said[0].as_ref().unwrap().contains("test: 10 images"), "{said:?}");
    for ranks in [2, 3] {
        let _ = std::fs::remove_dir_all(&together);
        let said = train(ranks, EXPERIMENT, &together);
        assert!(said[0].as_ref().unwrap().contains("test: 10 images"), "{said:?}");
        assert!(said[1..].iter().all(|said| said == &Ok(String::new())), "{said:?}");
        let (expected, found) = (weights(&alone), weights(&together));
        assert_eq!(expected.len(), found.len());
        for (name, expected) in &expected {
            let far = expected.iter().zip(&found[name]).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(far < 1e-5, "{ranks} ranks, {name}: {far}");
        }
        let (expected, found) = (lines(&alone), lines(&together));
        assert_eq!(expected.len(), found.len());
        for (expected, found) in expected.iter().zip(&found) {
            for (key, value) in expected.as_object().unwrap() {
                let near = |a: f64, b: f64| (a - b).abs() < 1e-4;
                match (value.as_f64(), found[key].as_f64()) {
                    _ if key == "images_per_second" => {}
                    (Some(a), Some(b)) => assert!(near(a, b), "{ranks} ranks, {key}: {a}, {b}"),
                    _ => assert_eq!(value, &found[key], "{ranks} ranks, {key}"),
                }
            }
        }
        let files = |folder: &Path| {
            let mut names: Vec<_> =
                std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(files(&alone), files(&together));
        let predictions = |folder: &Path| std::fs::read_to_string(folder.join("predictions.csv")).unwrap();
        let ids = |text: &str| text.lines().map(|line| line.split(',').next().unwrap().to_owned()).collect::<Vec<_>>();
        assert_eq!(ids(&predictions(&alone)), ids(&predictions(&together)));
    }
}

#[test]
fn what_ranks_cannot_do_together_is_refused_by_all() {
    let folder = tempfile::tempdir().unwrap();
    for (number, (from, to, expected)) in [
        ("workers = 1", "workers = 1, on_error = \"skip\"", "data.on_error"),
        ("batch_size = 5", "batch_size = 1", "expected at least one for each"),
    ]
    .into_iter()
    .enumerate()
    {
        let text = EXPERIMENT.replace(from, to);
        assert_ne!(text, EXPERIMENT);
        let said = train(2, &text, &folder.path().join(number.to_string()));
        assert!(said.iter().all(|said| said.as_ref().is_err_and(|error| error.contains(expected))), "{said:?}");
    }
}

/// Raises an interruption after the third step.
struct AfterThree(Interrupt);

impl Listener for AfterThree {
    fn say(&self, _: &str) {}

    fn images(&self, images: usize) -> Box<dyn Counter> {
        Silent.images(images)
    }

    fn run(&self, _: &Experiment, _: Option<&Entry<Metrics>>) -> Arc<dyn ProgressReport> {
        Arc::new(Self(self.0.clone()))
    }
}

impl ProgressReport for AfterThree {
    fn step(&self, progress: &Progress, _: usize, _: f64, _: f64) {
        if progress.step == 3 {
            self.0.raise();
        }
    }

    fn evaluating(&self, _: &str, _: usize) {}

    fn evaluated(&self, _: usize) {}

    fn epoch(&self, _: &EpochEnd<'_>) {}
}

#[test]
fn a_signal_to_one_rank_ends_all_and_they_go_on_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let (peace, cut) = (folder.path().join("peace"), folder.path().join("cut"));
    // Six steps an epoch.
    let text =
        EXPERIMENT.replace("accumulate = 2", "accumulate = 1").replace("train_per_class = 2", "train_per_class = 4");
    assert!(train(2, &text, &peace)[0].is_ok());
    // Rank 0 alone hears of steps, and rank 1 alone of the signal.
    let (second, silent) = (Interrupt::default(), Interrupt::default());
    let listener = AfterThree(second.clone());
    let said = together(2, |components, world| {
        let interrupt = if world.rank() == 0 { &silent } else { &second };
        let run = Run::new(components).with_world(world).with_listener(&listener).with_interrupt(interrupt);
        run.train(&mut run.text(&text)?, &cut)
    });
    assert!(said.iter().all(|said| said.as_ref().is_err_and(|error| error.contains("and saved; go on"))), "{said:?}");
    let last = crate::checkpoint::progress(&RunFolder::at(&cut).last()).unwrap();
    assert_eq!((last.epoch, last.batch), (0, 4), "{last:?}");
    let said = together(2, |components, world| Run::new(components).with_world(world).resume(&cut));
    assert!(said[0].as_ref().unwrap().contains("test: 10 images") && said[1] == Ok(String::new()), "{said:?}");
    assert!(weights(&cut) == weights(&peace));
    let numbers = |folder: &Path| -> Vec<serde_json::Value> {
        let mut lines = lines(folder);
        lines
            .iter_mut()
            .filter_map(|line| line.as_object_mut())
            .for_each(|line| drop(line.remove("images_per_second")));
        lines
    };
    assert_eq!(numbers(&cut), numbers(&peace));
}

#[test]
fn a_loss_that_is_not_finite_ends_all_ranks_and_keeps_the_last_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        EXPERIMENT.replace("accumulate = 2", "accumulate = 1").replace("checkpoint_every = 2", "checkpoint_every = 1");
    let text = text + "optimiser = { name = \"sgd\", learning_rate = 1e30, momentum = 0.0 }\n";
    let run = folder.path().join("run");
    let said = train(2, &text, &run);
    let told = |said: &Result<String, String>| {
        said.as_ref().is_err_and(|error| error.contains(" at step 2 in epoch 0") && error.contains("is kept"))
    };
    assert!(said.iter().all(told), "{said:?}");
    assert!(weights(&run).values().flatten().all(|weight| weight.is_finite()));
}

#[test]
fn alone_nothing_changes() {
    let x = Tensor::new(&[1.5f32, -2.0], &Device::Cpu).unwrap();
    assert_eq!(Alone.share(7), 0..7);
    for reduction in [Reduction::Sum, Reduction::Mean] {
        assert_eq!(Alone.reduce(vec![x.clone()], reduction).unwrap()[0].id(), x.id());
    }
    assert_eq!(Alone.gather(&x).unwrap()[0].id(), x.id());
    Alone.barrier().unwrap();
}
