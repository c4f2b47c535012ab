//! Two threads train one model together.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use mga_core::nn::{BatchNorm2d, Conv2d, ConvInit};
use mga_core::ops::{Activation, Conv2dSettings};
use mga_core::parameter::Builder;
use mga_core::tape::{Tape, Value};
use mga_models::backbone::run_stages;
use mga_models::{Backbone, Backbones, Features, RegisteredBackbone, Stage, StageId};
use mga_registry::{Entry, OwnSettings};

use super::*;
use crate::Run;
use crate::run_folder::RunFolder;

/// A rank of a world of threads.
struct Threads {
    rank: usize,
    shared: Arc<Shared>,
}

struct Shared {
    size: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// What each rank brought to the call that is under way.
    brought: HashMap<usize, Vec<Tensor>>,
    /// What all brought to the last call, and how many ranks have not fetched it.
    exchanged: Option<(Vec<Vec<Tensor>>, usize)>,
    failed: Option<String>,
}

impl Threads {
    fn world(size: usize) -> Vec<Self> {
        let shared = Arc::new(Shared { size, state: Mutex::default(), changed: Condvar::new() });
        (0..size).map(|rank| Self { rank, shared: Arc::clone(&shared) }).collect()
    }

    fn wait<'a>(
        &'a self,
        state: MutexGuard<'a, State>,
        until: impl Fn(&State) -> bool,
    ) -> anyhow::Result<MutexGuard<'a, State>> {
        let on = |state: &mut State| state.failed.is_none() && !until(state);
        let state = self.shared.changed.wait_while(state, on).unwrap();
        match &state.failed {
            Some(why) => Err(anyhow::anyhow!(why.clone())),
            None => Ok(state),
        }
    }

    fn exchange(&self, tensors: Vec<Tensor>) -> anyhow::Result<Vec<Vec<Tensor>>> {
        // The last call is over where nobody has to fetch anything from it.
        let mut state = self.wait(self.shared.state.lock().unwrap(), |state| state.exchanged.is_none())?;
        state.brought.insert(self.rank, tensors);
        if state.brought.len() == self.shared.size {
            let mut brought = std::mem::take(&mut state.brought);
            let all = (0..self.shared.size).map(|rank| brought.remove(&rank).unwrap()).collect();
            state.exchanged = Some((all, self.shared.size));
            self.shared.changed.notify_all();
        }
        let mut state = self.wait(state, |state| state.exchanged.is_some())?;
        let (all, left) = state.exchanged.take().unwrap();
        if left > 1 {
            state.exchanged = Some((all.clone(), left - 1));
        }
        self.shared.changed.notify_all();
        Ok(all)
    }
}

impl World for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.shared.size
    }

    fn reduce(&self, tensors: Vec<Tensor>, reduction: Reduction) -> anyhow::Result<Vec<Tensor>> {
        let all = self.exchange(tensors)?;
        let reduced = |at: usize| -> anyhow::Result<Tensor> {
            let mut sum = all[0][at].clone();
            for other in &all[1..] {
                sum = (sum + &other[at])?;
            }
            Ok(if reduction == Reduction::Mean { (sum / self.size() as f64)? } else { sum })
        };
        anyhow::ensure!(all.iter().all(|tensors| tensors.len() == all[0].len()), "the ranks call different things");
        (0..all[0].len()).map(reduced).collect()
    }

    fn gather(&self, tensor: &Tensor) -> anyhow::Result<Vec<Tensor>> {
        Ok(self.exchange(vec![tensor.clone()])?.into_iter().flatten().collect())
    }

    fn barrier(&self) -> anyhow::Result<()> {
        self.exchange(vec![]).map(drop)
    }

    fn abort(&self, why: &str) {
        self.shared.state.lock().unwrap().failed.get_or_insert(why.to_owned());
        self.shared.changed.notify_all();
    }
}

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

/// Trains on as many ranks, all into one folder; what each says of how it ended.
fn train(ranks: usize, text: &str, folder: &Path) -> Vec<Result<String, String>> {
    let worlds = Threads::world(ranks);
    let rank = |world: &dyn World| -> Result<String, String> {
        let plain = Entry::<Backbones>::new("plain", "two convolutions without norms", Arc::new(Registered));
        let components = crate::builtin().with(plain);
        let run = Run::new(&components).with_world(world);
        let mut experiment = run.text(text).map_err(|error| format!("{error:#}"))?;
        let trained = run.train(&mut experiment, folder).map_err(|error| format!("{error:#}"))?;
        Ok(trained.text)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = worlds.iter().map(|world| scope.spawn(move || rank(world))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
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
