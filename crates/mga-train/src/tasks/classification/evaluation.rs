//! Evaluating a model on a split, and writing what it says of every image.

use candle_core::{DType, Tensor};
use mga_core::metrics::{ClassificationMetrics, ClassificationSummary, Prediction, Scored};
use mga_core::tape::{Tape, Value};
use mga_data::{Batch, Loader};
use mga_registry::Registry;
use serde::Serialize;

use super::agreement::{Agreement, Comparing};
use crate::csv_file::CsvFile;
use crate::progress::percent;
use crate::run_folder::RunFolder;
use crate::runners::evaluation::EvaluationContext;
use crate::runners::learner::{NOT_FINITE, Outcome};
use crate::tasks::Measured;

/// A line of `predictions.csv`.
#[derive(Debug, Clone, Serialize)]
pub struct PredictionRow {
    /// The image.
    pub path: String,
    /// The true class; empty if the image has no label.
    pub label: String,
    /// The predicted class.
    pub predicted: String,
    /// The softmax probability of the predicted class.
    pub confidence: f64,
    /// Whether they agree; empty where it has no label.
    pub correct: Option<bool>,
}

/// The result of evaluating a split.
pub struct Evaluated {
    /// Accuracies and cross entropy.
    pub classes: ClassificationSummary,
    /// The registered metrics of class scores.
    pub measured: Measured,
    /// Agreement of attention and masks.
    pub masks: Agreement,
    /// Image by image, in the split's order.
    pub rows: Vec<PredictionRow>,
    /// Counts by label (row) and prediction (column).
    pub confusion: Vec<Vec<u64>>,
    /// The scores, `images x classes`.
    pub logits: Vec<f32>,
    /// Images without a label: they are predicted, and have no part in accuracies and cross entropy.
    pub unlabelled: usize,
}

impl Evaluated {
    /// Returns the line for `metrics.jsonl` and `summary.json`.
    pub fn to_json(&self, split: &str, epoch: Option<usize>) -> serde_json::Value {
        let c = &self.classes;
        let mut line = serde_json::json!({ "kind": "eval", "split": split, "epoch": epoch });
        self.measured.write(&mut line);
        self.masks.to_json().into_iter().for_each(|(key, value)| line[key] = value);
        line["images"] = c.images.into();
        if self.unlabelled > 0 {
            line["unlabelled"] = serde_json::json!(self.unlabelled);
        }
        if c.not_finite > 0 {
            line[NOT_FINITE] = serde_json::json!(c.not_finite);
        }
        line
    }

    /// Returns notes on the numbers for people, one sentence each.
    pub fn notes(&self, split: &str) -> Vec<String> {
        let note = format!(
            "{split}: the cross entropy of {} of {} images is NaN or infinite, so there is none of the whole",
            self.classes.not_finite,
            self.rows.len()
        );
        (self.classes.not_finite > 0).then_some(note).into_iter().collect()
    }

    /// Writes `predictions.csv` and `confusion.csv`.
    pub fn write(&self, folder: &RunFolder, classes: &[String]) -> anyhow::Result<()> {
        let mut predictions = CsvFile::new();
        self.rows.iter().try_for_each(|row| predictions.value(row))?;
        folder.write("predictions.csv", predictions.text()?)?;
        folder.write_confusion(classes, &self.confusion)
    }

    /// Writes `logits.safetensors`: `logits` `[N, classes]`, rows as in `predictions.csv`.
    pub fn write_logits(&self, folder: &RunFolder, classes: usize) -> anyhow::Result<()> {
        let logits = Tensor::from_slice(&self.logits, (self.rows.len(), classes), &candle_core::Device::Cpu)?;
        let path = folder.path().join("logits.safetensors");
        Ok(mga_models::weights::save_file(&[("logits".to_owned(), logits)], Default::default(), &path)?)
    }
}

/// Scores of images in the making: what a classifier of any kind says of batch after batch.
pub struct Scoring {
    classes: Vec<String>,
    kinds: Registry,
    metrics: ClassificationMetrics,
    labels: Vec<Option<usize>>,
    agreement: Comparing,
    rows: Vec<PredictionRow>,
    logits: Vec<f32>,
    unlabelled: usize,
}

impl Scoring {
    /// Creates an empty evaluation; the classes are in the order of the scores. `kinds` holds the registered metrics.
    #[must_use]
    pub fn new(classes: &[String], kinds: &Registry) -> Self {
        let metrics = ClassificationMetrics::new(classes.len());
        let (agreement, classes) = (Comparing::default(), classes.to_vec());
        let kinds = kinds.clone();
        Self { classes, kinds, metrics, labels: vec![], agreement, rows: vec![], logits: vec![], unlabelled: 0 }
    }

    /// Adds a batch with the scores `[N, classes]` of its images, and the attention `[N, 1, h, w]` where there is one.
    ///
    /// # Errors
    /// Scores of another shape.
    pub fn add(&mut self, batch: &Batch, logits: &Tensor, attention: Option<&Tensor>) -> anyhow::Result<()> {
        let logits = logits.to_dtype(DType::F32)?.to_vec2::<f32>()?;
        for ((logits, &label), id) in logits.iter().zip(&batch.labels).zip(&batch.ids) {
            let label = (label != Batch::NO_LABEL).then_some(label as usize);
            let said = match label {
                Some(label) => self.metrics.add(logits, label)?,
                None => {
                    self.unlabelled += 1;
                    Prediction::of(logits)
                }
            };
            let name = |class: usize| self.classes.get(class).cloned().unwrap_or_default();
            self.rows.push(PredictionRow {
                path: id.clone(),
                label: label.map(name).unwrap_or_default(),
                predicted: name(said.predicted),
                confidence: said.confidence,
                correct: label.map(|label| said.predicted == label),
            });
            self.labels.push(label);
            self.logits.extend_from_slice(logits);
        }
        match attention {
            Some(attention) => self.agreement.add(batch, attention),
            None => Ok(()),
        }
    }

    /// Returns the result.
    #[must_use]
    pub fn done(self) -> Evaluated {
        let Self { classes, kinds, metrics, labels, agreement, rows, logits, unlabelled } = self;
        let (summary, confusion) = (metrics.summary(), metrics.confusion());
        let (scores, labels) = (logits.as_slice(), labels.as_slice());
        let scored = Scored { scores, labels, classes: &classes, confusion, summary: &summary };
        let measured = Measured::of_scores(&kinds, &scored);
        let confusion = confusion.rows().map(<[u64]>::to_vec).collect();
        Evaluated { classes: summary, measured, masks: agreement.done(), rows, confusion, logits, unlabelled }
    }

    /// Turns it into the result of an evaluation; `metric` is the name of the metric that selects checkpoints.
    #[must_use]
    pub fn outcome(self, metric: &str) -> Box<dyn Outcome> {
        let (classes, metric) = (self.classes.clone(), metric.to_owned());
        Box::new(Selected { evaluated: self.done(), metric, classes })
    }
}

/// An evaluation with the metric that selects.
pub(super) struct Selected {
    pub(super) evaluated: Evaluated,
    pub(super) metric: String,
    pub(super) classes: Vec<String>,
}

impl Outcome for Selected {
    fn line(&self, split: &str, epoch: Option<usize>) -> serde_json::Value {
        self.evaluated.to_json(split, epoch)
    }

    fn score(&self) -> Option<f64> {
        self.evaluated.measured.score(&self.metric)
    }

    fn notes(&self, split: &str) -> Vec<String> {
        self.evaluated.notes(split)
    }

    fn shown(&self) -> String {
        format!("top1 {}{}", percent(self.evaluated.classes.top1), self.evaluated.masks.shown())
    }

    fn lines(&self) -> String {
        let scores = &self.evaluated.classes;
        format!(
            "  top-1 accuracy     {}   (chance {})\n  balanced accuracy  {}\n{}{}",
            percent(scores.top1),
            percent(Some(1.0 / self.classes.len() as f64)),
            percent(scores.balanced_accuracy),
            self.evaluated.measured.lines(&["top1", "top5", "balanced_accuracy", "macro_f1", "cross_entropy"]),
            self.evaluated.masks.lines()
        )
    }

    fn images(&self) -> u64 {
        self.evaluated.classes.images
    }

    fn unlabelled(&self) -> usize {
        self.evaluated.unlabelled
    }

    fn write(&self, folder: &RunFolder) -> anyhow::Result<()> {
        self.evaluated.write(folder, &self.classes)
    }

    fn write_logits(&self, folder: &RunFolder) -> anyhow::Result<()> {
        self.evaluated.write_logits(folder, self.classes.len())
    }
}

/// Computes the scores `[N, classes]` of a batch on the tape, and the attention `[N, 1, h, w]` where there is one.
pub(super) type Scorer<'a> = &'a dyn Fn(&mut Tape, &Batch) -> anyhow::Result<(Value, Option<Value>)>;

/// Evaluates everything the loader gives, without augmentation of its own.
pub(super) fn evaluate(
    scorer: Scorer<'_>,
    loader: &Loader,
    mut scoring: Scoring,
    context: &mut EvaluationContext<'_>,
) -> anyhow::Result<Evaluated> {
    for batch in loader.epoch(0, 0) {
        context.go_on()?;
        let batch = batch?;
        let said = context.shared(&batch, |batch| {
            let (scores, attention) = scorer(&mut Tape::eval(), batch)?;
            Ok([Some(scores), attention].iter().flatten().map(|value| value.tensor().clone()).collect())
        })?;
        let [scores, attention @ ..] = &said[..] else { anyhow::bail!("the model says nothing of its images") };
        scoring.add(&batch, scores, attention.first())?;
        context.seen(batch.len());
    }
    Ok(scoring.done())
}
