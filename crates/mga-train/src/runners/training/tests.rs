//! Runs whose evaluations and losses come out as they are set.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::Tensor;
use mga_core::ops::scaled_sum;
use mga_core::parameter::ParameterStore;
use mga_core::recorder::Operator;
use mga_core::tape::{Gradient, Phase, Tape, Value};
use mga_data::Batch;
use mga_experiment::{Loaded, Overrides, load};
use serde_json::json;

use super::*;
use crate::data_set;
use crate::loaders;
use crate::progress::Silent;
use crate::runners::evaluation::EvaluationContext;
use crate::runners::learner::Outcome;
use crate::runners::loss_parts::LossPart;
use crate::tasks::classification::Classifier;
use crate::world::Alone;

/// A classifier whose evaluations come out as they are set.
struct Scripted<'a> {
    own: Classifier<'a>,
    scores: &'a [f64],
    /// Evaluations so far.
    evaluated: AtomicUsize,
    /// The signal comes with this one.
    interrupted_at: usize,
    interrupt: Interrupt,
    /// Losses in training so far.
    losses: AtomicUsize,
    breaks: Breaks,
}

/// What is not finite in a run.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Breaks {
    Nothing,
    /// The loss of this micro-batch, counted from 0.
    Loss(usize),
    /// Its gradient alone.
    Gradient(usize),
}

struct Score(f64);

impl Learner for Scripted<'_> {
    fn store(&self) -> &ParameterStore {
        self.own.store()
    }

    fn loss(&self, tape: &mut Tape, batch: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)> {
        let (loss, parts) = self.own.loss(tape, batch)?;
        if tape.phase() == Phase::Eval {
            return Ok((loss, parts));
        }
        let at = self.losses.fetch_add(1, Ordering::Relaxed);
        let loss = if self.breaks == Breaks::Loss(at) {
            scaled_sum(tape, &[(loss, f64::NAN)])?
        } else if self.breaks == Breaks::Gradient(at) {
            let (slot, same) = (loss.slot(), loss.tensor().clone());
            tape.record(Operator::new("broken"), &[&loss], same, move |dy, gradients| {
                gradients.add(slot, Gradient::new((dy.tensor() * f64::NAN)?))
            })
        } else {
            loss
        };
        Ok((loss, parts))
    }

    fn evaluate(&self, _: &Loader, _: &mut EvaluationContext<'_>) -> anyhow::Result<Box<dyn Outcome>> {
        let at = self.evaluated.fetch_add(1, Ordering::Relaxed);
        if at == self.interrupted_at {
            self.interrupt.raise();
        }
        Ok(Box::new(Score(self.scores[at])))
    }
}

impl Outcome for Score {
    fn line(&self, split: &str, epoch: Option<usize>) -> serde_json::Value {
        json!({ "kind": "eval", "split": split, "epoch": epoch })
    }

    fn score(&self) -> Option<f64> {
        Some(self.0)
    }

    fn notes(&self, _: &str) -> Vec<String> {
        vec![]
    }

    fn shown(&self) -> String {
        String::new()
    }

    fn lines(&self) -> String {
        String::new()
    }

    fn images(&self) -> u64 {
        1
    }

    fn write(&self, _: &RunFolder) -> anyhow::Result<()> {
        Ok(())
    }

    fn write_logits(&self, _: &RunFolder) -> anyhow::Result<()> {
        Ok(())
    }
}

fn loaded(epochs: usize) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.toml");
    let text = format!(
        "task = \"classification\"\ndevice = \"cpu\"\n[data]\ndataset = \"leaves\"\nsize = 16\ncultivars = 10\n\
         train_per_class = 4\ntest_per_class = 1\nworkers = 1\n[data.validation]\nper_class = 1\n[model]\n\
         backbone = \"conv4\"\nattention = \"none\"\nmask_guidance = false\n[schedule]\nepochs = {epochs}\n"
    );
    std::fs::write(&file, text).unwrap();
    load(&file, &Overrides::default(), &crate::builtin()).unwrap_or_else(|error| panic!("{error}"))
}

/// Trains into `folder`, an epoch a score, from evaluation `from` on.
fn train(folder: &Path, scores: &[f64], from: usize, interrupted_at: usize) -> anyhow::Result<Progress> {
    let (loaded, components) = (loaded(scores.len()), crate::builtin());
    let data = data_set::open(&loaded, &components, crate::torn_groups::TornGroups::Refused)?;
    let own = Classifier::new(&loaded, &components, &data, &candle_core::Device::Cpu, true)?;
    let experiment = &loaded.experiment;
    let folder = RunFolder::at(folder);
    if from == 0 {
        folder.create()?;
    }
    let (voice, interrupt) = (&Silent, Interrupt::default());
    Training {
        experiment,
        kinds: &loaded.kinds,
        learner: &Scripted {
            own,
            scores,
            evaluated: AtomicUsize::new(from),
            interrupted_at,
            interrupt: interrupt.clone(),
            losses: AtomicUsize::new(0),
            breaks: Breaks::Nothing,
        },
        train: loaders::training(&loaded, &data)?,
        select: Some(("validation", loaders::evaluation(&loaded, &data, &data.splits.validation)?)),
        masks: Arc::clone(&data.masks),
        folder,
        interrupt,
        report: voice.run(experiment, None),
        voice,
        tracking: &Tracking::none(voice),
        identity: String::new(),
        reading: Reading::AtOnce,
        world: &Alone,
    }
    .run(from > 0)
}

fn best(folder: &Path) -> HashMap<String, Vec<f32>> {
    let path = RunFolder::at(folder).best();
    let tensors: HashMap<String, Tensor> = candle_core::safetensors::load(path, &candle_core::Device::Cpu).unwrap();
    let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1().unwrap();
    tensors.iter().map(|(name, tensor)| (name.clone(), values(tensor))).collect()
}

#[test]
fn an_equal_score_is_not_better_after_a_resumption() {
    let folder = tempfile::tempdir().unwrap();
    for (number, score) in [4.0 / 17.0, 28.0 / 30.0, 0.1 + 0.2, 1.0 - 0.9, -1e-300 / 3.0].iter().enumerate() {
        let scores = [*score, *score, score - 0.1];
        let at = |name: &str| folder.path().join(format!("{name}-{number}"));
        let peace = train(&at("peace"), &scores, 0, usize::MAX).unwrap();
        let interrupted = train(&at("run"), &scores, 0, 0).unwrap_err();
        assert!(interrupted.is::<Interrupted>(), "{interrupted:#}");
        let resumed = train(&at("run"), &scores, 1, usize::MAX).unwrap();
        assert_eq!((peace.best_epoch, resumed.best_epoch), (Some(0), Some(0)), "{score}");
        assert_eq!(resumed.best.map(f64::to_bits), Some(score.to_bits()));
        assert_eq!(best(&at("run")), best(&at("peace")));
        assert_eq!(epochs(&at("peace")).len(), 3);
        assert_eq!(epochs(&at("run")), epochs(&at("peace")));
    }
}

#[test]
fn what_is_not_finite_selects_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, scores: &[f64]| train(&folder.path().join(name), scores, 0, usize::MAX).unwrap();
    let first = run("first", &[f64::NAN, 0.25, 0.5]);
    assert_eq!((first.best_epoch, first.best), (Some(2), Some(0.5)));
    let infinite = run("infinite", &[f64::NEG_INFINITY, -3.0, f64::INFINITY]);
    assert_eq!((infinite.best_epoch, infinite.best), (Some(1), Some(-3.0)));
    let none = run("none", &[f64::NAN, f64::NAN]);
    assert!(none.best_epoch.is_none() && !RunFolder::at(folder.path().join("none")).best().exists());
}

/// Trains an epoch of eleven batches with `lines` in `[train]`; returns the error, and the weights that are left.
fn broken(folder: &Path, lines: &str, breaks: Breaks, reading: Reading) -> (Option<String>, HashMap<String, Vec<f32>>) {
    let (mut loaded, components) = (loaded(1), crate::builtin());
    loaded.experiment.data.batch_size = 3;
    for line in lines.split(", ") {
        let (key, value) = line.split_once(" = ").unwrap();
        let train = &mut loaded.experiment.train;
        match key {
            "clip_norm" => train.clip_norm = value.parse().unwrap(),
            "accumulate" => train.accumulate = value.parse().unwrap(),
            "checkpoint_every" => train.checkpoint_every = value.parse().unwrap(),
            "log_every" => train.log_every = value.parse().unwrap(),
            other => panic!("{other}"),
        }
    }
    let data = data_set::open(&loaded, &components, crate::torn_groups::TornGroups::Refused).unwrap();
    let own = Classifier::new(&loaded, &components, &data, &candle_core::Device::Cpu, true).unwrap();
    let folder = RunFolder::at(folder);
    folder.create().unwrap();
    let learner = Scripted {
        own,
        scores: &[0.5],
        evaluated: AtomicUsize::new(0),
        interrupted_at: usize::MAX,
        interrupt: Interrupt::default(),
        losses: AtomicUsize::new(0),
        breaks,
    };
    let training = Training {
        experiment: &loaded.experiment,
        kinds: &loaded.kinds,
        learner: &learner,
        train: loaders::training(&loaded, &data).unwrap(),
        select: None,
        masks: Arc::clone(&data.masks),
        folder,
        interrupt: Interrupt::default(),
        report: Silent.run(&loaded.experiment, None),
        voice: &Silent,
        tracking: &Tracking::none(&Silent),
        identity: String::new(),
        reading,
        world: &Alone,
    };
    let error = training.run(false).err().map(|error| format!("{error:#}"));
    let weights = learner.store().entries().iter().filter(|entry| entry.is_trained());
    let weights = weights.map(|p| (p.name().to_owned(), p.tensor().flatten_all().unwrap().to_vec1().unwrap()));
    (error, weights.collect())
}

/// The tensors of the last checkpoint, to the bit.
fn last(folder: &Path) -> HashMap<String, Vec<u32>> {
    let path = RunFolder::at(folder).last();
    let tensors = candle_core::safetensors::load(path, &candle_core::Device::Cpu).unwrap();
    let bits = |tensor: &Tensor| -> Vec<u32> {
        tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
    };
    tensors.iter().map(|(name, tensor)| (name.clone(), bits(tensor))).collect()
}

/// The lines of a kind in the log.
fn logged(folder: &Path, kind: &str) -> Vec<serde_json::Value> {
    let lines = std::fs::read_to_string(RunFolder::at(folder).metrics()).unwrap();
    let lines = lines.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines.filter(|line| line["kind"] == kind).collect()
}

fn epochs(folder: &Path) -> Vec<serde_json::Value> {
    logged(folder, "epoch")
}

fn losses(folder: &Path) -> Vec<(u64, u64)> {
    let bits = |line: &serde_json::Value| line["loss"].as_f64().unwrap().to_bits();
    logged(folder, "step").iter().map(|line| (line["step"].as_u64().unwrap(), bits(line))).collect()
}

#[test]
fn an_epoch_has_the_mean_of_its_images_however_often_steps_are_logged() {
    let folder = tempfile::tempdir().unwrap();
    let all = folder.path().join("all");
    broken(&all, "log_every = 1", Breaks::Nothing, Reading::AtOnce);
    let (steps, [epoch]) = (losses(&all), &epochs(&all)[..]) else { panic!("one epoch") };
    let images = epoch["images"].as_u64().unwrap();
    // Three images in every step but the last, which has what is left.
    let last = images - 3 * (steps.len() as u64 - 1);
    let of = |(at, &(_, loss)): (usize, &(u64, u64))| {
        f64::from_bits(loss) * if at + 1 == steps.len() { last as f64 } else { 3.0 }
    };
    let mean = steps.iter().enumerate().map(of).sum::<f64>() / images as f64;
    assert!((1..=3).contains(&last) && (epoch["loss"].as_f64().unwrap() - mean).abs() < 1e-12 * mean, "{epoch}");
    assert_eq!((&epoch["cross_entropy"], &epoch["step"]), (&epoch["loss"], &json!(steps.len())));
    for (number, (every, reading)) in
        [(0, Reading::AtOnce), (4, Reading::AtOnce), (0, Reading::Late), (4, Reading::Late)].into_iter().enumerate()
    {
        let run = folder.path().join(number.to_string());
        broken(&run, &format!("log_every = {every}"), Breaks::Nothing, reading);
        assert_eq!(epochs(&run), std::slice::from_ref(epoch));
        assert_eq!(losses(&run).is_empty(), every == 0);
    }
}

#[test]
fn numbers_that_are_read_late_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    for (number, lines) in
        ["log_every = 1", "log_every = 3, clip_norm = 0.1", "log_every = 2, accumulate = 3"].iter().enumerate()
    {
        let at = |name: &str| folder.path().join(format!("{name}-{number}"));
        let (first, weights) = broken(&at("at-once"), lines, Breaks::Nothing, Reading::AtOnce);
        let (second, same) = broken(&at("late"), lines, Breaks::Nothing, Reading::Late);
        assert_eq!((first, second), (None, None));
        assert_eq!(weights, same);
        assert_eq!(last(&at("at-once")), last(&at("late")));
        assert_eq!(losses(&at("at-once")), losses(&at("late")));
    }
}

#[test]
fn a_step_that_is_not_finite_moves_nothing_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let mut number = 0;
    for lines in
        ["clip_norm = 0, log_every = 100", "clip_norm = 1, checkpoint_every = 1", "accumulate = 3, log_every = 100"]
    {
        for breaks in [Breaks::Loss(4), Breaks::Gradient(5)] {
            number += 1;
            let at = |name: &str| folder.path().join(format!("{name}-{number}"));
            let [(first, weights), (second, same)] = [("at-once", Reading::AtOnce), ("late", Reading::Late)]
                .map(|(name, reading)| broken(&at(name), lines, breaks, reading));
            let first = first.unwrap();
            let micro = if let Breaks::Loss(at) | Breaks::Gradient(at) = breaks { at } else { 0 };
            let step = if lines.contains("accumulate") { micro / 3 } else { micro } + 1;
            let what = if breaks == Breaks::Loss(4) { "the loss is NaN" } else { "the gradient is NaN" };
            assert!(first.starts_with(&format!("{what} at step {step} in epoch 0")), "{lines} {breaks:?}: {first}");
            assert_eq!(Some(first), second, "{lines} {breaks:?}");
            // Later steps were handed out before the numbers were read.
            assert_eq!(weights, same, "{lines} {breaks:?}");
            if lines.contains("checkpoint_every") {
                assert_eq!(last(&at("at-once")), last(&at("late")));
                let finite = |bits: &Vec<u32>| bits.iter().all(|&bits| f32::from_bits(bits).is_finite());
                assert!(last(&at("late")).values().all(finite));
            } else {
                assert!(!RunFolder::at(at("late")).last().exists());
            }
        }
    }
}
