//! Folders of runs, written as `docs/runs.md` says: forty test images of four classes, no training.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use mga_core::random::Generator;
use mga_core::statistics::Resampling;
use mga_report::results;
use mga_report::{ComponentWords, Report, Request, build};
use mga_testing::place::Place;
use serde_json::{Value, json};

use crate::place;

/// Test images of every run.
pub(crate) const IMAGES: usize = 40;

/// A folder that runs are put into.
pub(crate) struct Sweep(Place);

impl Deref for Sweep {
    type Target = Place;

    fn deref(&self) -> &Place {
        &self.0
    }
}

/// A run to be written; the fields are what tests change.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) variant: Option<&'static str>,
    pub(crate) settings: Value,
    pub(crate) replicate: Value,
    pub(crate) baseline: bool,
    /// Chance that an image is predicted right.
    pub(crate) skill: f64,
    pub(crate) identity: Value,
    pub(crate) select_on: &'static str,
    /// What the last epoch scores less than the reported one.
    pub(crate) last_is_worse_by: f64,
    /// The draw of a search, and the best score on validation images.
    pub(crate) draw: Option<usize>,
    pub(crate) validation: f64,
}

impl Run {
    /// A finished run of an arm without attention, selected on validation images.
    pub(crate) fn plain(seed: u64) -> Self {
        Self {
            variant: Some("plain"),
            settings: json!({ "model.attention": "none", "model.mask_guidance": false }),
            replicate: json!({ "seed": seed }),
            baseline: true,
            skill: 0.6,
            identity: json!({
                "id": "0000", "experiment": "e", "data": "no-masks", "images": "i", "test": "t", "masks": "none",
                "weights": "none", "numerics": 1, "classes": 4
            }),
            select_on: "validation",
            last_is_worse_by: 0.0,
            draw: None,
            validation: 0.7,
        }
    }

    /// A finished run of another arm, with attention and masks.
    pub(crate) fn of(variant: &'static str, masks: &str, skill: f64, seed: u64) -> Self {
        let mut run = Self::plain(seed);
        (run.variant, run.baseline, run.skill) = (Some(variant), false, skill);
        run.settings = json!({
            "model.attention": "residual", "model.mask_guidance": true, "data.masks.source": masks
        });
        run.identity["data"] = json!(format!("masks-{masks}"));
        run
    }

    fn key(&self) -> String {
        let parts = self.replicate.as_object().unwrap().values().map(|value| value.to_string().replace('"', ""));
        let draw = self.draw.map(|draw| format!("-{draw}")).unwrap_or_default();
        format!("{}{draw}.{}", self.variant.unwrap_or("run"), parts.collect::<Vec<_>>().join("."))
    }

    /// The resolved experiment: what a report reads of it.
    fn experiment(&self) -> Value {
        let mut experiment = json!({
            "task": "classification", "seed": 0,
            "data": {
                "dataset": "leaves", "batch_size": 8, "validation": { "fraction": 0.25, "seed": 0 }, "masks": {},
                "train": { "transforms": [{ "op": "horizontal-flip" }, { "op": "random-crop", "size": 28 }] },
                "eval": { "transforms": [] },
            },
            "model": { "backbone": "conv4", "weights": "none", "freeze_through": "none" },
            "objective": { "mask_weight": 0.1, "label_smoothing": 0.0 },
            "optimiser": { "name": "sgd", "learning_rate": 0.05, "momentum": 0.9, "weight_decay": 5e-4 },
            "schedule": { "name": "cosine", "epochs": 3 },
            "train": { "accumulate": 4 },
            "eval": { "select_on": self.select_on, "metric": "top1" },
        });
        let both = self.settings.as_object().unwrap().iter().chain(self.replicate.as_object().unwrap());
        for (key, value) in both {
            let pointer = format!("/{}", key.replace('.', "/"));
            let (table, name) = pointer.rsplit_once('/').unwrap();
            experiment.pointer_mut(table).unwrap()[name] = value.clone();
        }
        experiment
    }
}

impl Sweep {
    /// Without runs.
    pub(crate) fn new() -> Self {
        Self(place())
    }

    /// Writes a finished run.
    pub(crate) fn finished(&self, run: &Run) -> PathBuf {
        let folder = self.begun(run, "finished", None);
        let (predictions, top1) = predictions(run);
        let evaluation = |epoch: u64, top1: f64| {
            json!({ "kind": "eval", "split": "test", "epoch": epoch, "top1": top1, "macro_f1": 0.9 * top1,
                    "mask_iou": (run.skill > 0.6).then_some(0.25), "images": IMAGES })
        };
        let summary = json!({
            "status": "finished", "split": "test", "select_on": run.select_on,
            "selected_on_test": run.select_on == "test", "epochs": 3, "steps": 30, "best_epoch": 1, "best_score": run.validation,
            "selected": (run.select_on != "last").then(|| evaluation(1, top1)),
            "last": evaluation(2, top1 - run.last_is_worse_by), "classes": 4, "train_images": 120,
            "validation_images": 40, "test_images": IMAGES, "skipped": [], "training_seconds": 60.0,
        });
        write(&folder, "predictions.csv", &predictions);
        write(&folder, "summary.json", &summary.to_string());
        folder
    }

    /// Writes a run that came no further than that.
    pub(crate) fn begun(&self, run: &Run, state: &str, error: Option<&str>) -> PathBuf {
        let runs = self.folder().join("runs");
        let order = std::fs::read_dir(&runs).map_or(0, Iterator::count);
        let folder = runs.join(run.key());
        std::fs::create_dir_all(&folder).unwrap();
        let cell = json!({ "sweep": "attention", "variant": run.variant, "settings": run.settings,
                           "replicate": run.replicate, "order": order, "baseline": run.baseline, "draw": run.draw });
        write(&folder, "cell.json", &cell.to_string());
        let state = json!({ "state": state, "attempts": 1, "error": error, "seconds": 90.0 });
        write(&folder, "state.json", &state.to_string());
        write(&folder, "experiment.toml", &toml::to_string(&run.experiment()).unwrap());
        write(&folder, "identity.json", &run.identity.to_string());
        let environment = json!({ "mga": "0.1.0", "candle": "0.11.1", "system": "linux", "processor": "x86_64",
                                  "cores": 2, "device": "cpu" });
        write(&folder, "environment.json", &environment.to_string());
        folder
    }

    /// The report, its bootstrap short.
    pub(crate) fn report(&self) -> Report {
        self.report_as(Request::default()).unwrap()
    }

    /// As asked for.
    pub(crate) fn report_as(&self, request: Request) -> anyhow::Result<Report> {
        let resampling = Resampling { resamples: 200, seed: 0 };
        let words = ComponentWords::of(&mga_train::builtin());
        build(&results::read(&[self.folder()])?, &Request { resampling, words, ..request })
    }
}

/// `predictions.csv`, and the share that is right. Images are hard or easy, the same in every run.
fn predictions(run: &Run) -> (String, f64) {
    let replicate = run.replicate.to_string();
    let (mut text, mut right) = ("path,label,predicted,confidence,correct\n".to_owned(), 0);
    for image in 0..IMAGES {
        let hard = Generator::new(1, "hard", &[image as u64]).uniform();
        let luck = Generator::new(1, &format!("{:?} {replicate}", run.variant), &[image as u64]).uniform();
        let correct = 0.5 * hard + 0.5 * luck < run.skill;
        let (label, predicted) = (image % 4, (image + usize::from(!correct)) % 4);
        right += usize::from(correct);
        text += &format!("test/{image}.png,class {label},class {predicted},0.75,{correct}\n");
    }
    (text, right as f64 / IMAGES as f64)
}

/// Writes a file.
pub(crate) fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).unwrap();
}

/// The flags of an arm, by kind.
pub(crate) fn flags(report: &Report, arm: &str) -> Vec<Value> {
    let arm = report.arms.iter().find(|known| known.name == arm).unwrap();
    report.flags_of(arm).map(|flag| serde_json::to_value(flag.kind).unwrap()).collect()
}
