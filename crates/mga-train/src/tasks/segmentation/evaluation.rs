//! Evaluating a segmentation network on a split.

use mga_core::loss::{self, LabelMaps};
use mga_core::metrics::{Mapped, SegmentationMetrics, SegmentationSummary};
use mga_core::tape::Tape;
use mga_data::Loader;
use serde_json::{Map, Value, json};

use super::network::{IGNORE, Segmenter, classes_of, labels, logits};
use crate::progress::percent;
use crate::run_folder::RunFolder;
use crate::runners::evaluation::EvaluationContext;
use crate::runners::learner::{NOT_FINITE, Outcome};
use crate::runners::loss_parts::number;
use crate::tasks::Measured;

/// What came of evaluating a split.
#[derive(Debug, Clone)]
pub(super) struct Segmented {
    /// Overlaps and boundaries.
    pub summary: SegmentationSummary,
    /// Mean over batches of the cross entropy, without class weights.
    pub cross_entropy: Option<f64>,
    /// Pixels by label (row) and prediction (column).
    pub confusion: Vec<Vec<u64>>,
    classes: Vec<String>,
    metric: String,
    measured: Measured,
}

impl Segmented {
    /// The cross entropy where it is no finite number.
    fn not_finite(&self) -> Option<f64> {
        self.cross_entropy.filter(|value| !value.is_finite())
    }
}

impl Outcome for Segmented {
    fn line(&self, split: &str, epoch: Option<usize>) -> Value {
        let by_class = |values: &[Option<f64>]| -> Map<String, Value> {
            self.classes.iter().cloned().zip(values.iter().map(|value| json!(value))).collect()
        };
        let s = &self.summary;
        let mut line = json!({ "kind": "eval", "split": split, "epoch": epoch });
        self.measured.write(&mut line);
        for (key, value) in [
            ("pixel_accuracy", json!(s.pixel_accuracy)),
            ("class_iou", json!(by_class(&s.class_iou))),
            ("class_boundary_f", json!(by_class(&s.class_boundary_f))),
            ("cross_entropy", json!(self.cross_entropy)),
            ("images", json!(s.images)),
        ] {
            line[key] = value;
        }
        if let Some(cross_entropy) = self.not_finite() {
            line[NOT_FINITE] = json!({ "cross_entropy": cross_entropy.to_string() });
        }
        line
    }

    fn notes(&self, split: &str) -> Vec<String> {
        self.not_finite().map(|value| format!("{split}: the cross entropy is {value}")).into_iter().collect()
    }

    fn score(&self) -> Option<f64> {
        self.measured.score(&self.metric)
    }

    fn shown(&self) -> String {
        format!("mIoU {}  boundary F {}", percent(self.summary.mean_iou), percent(self.summary.boundary_f))
    }

    fn lines(&self) -> String {
        let s = &self.summary;
        let mut text = format!(
            "  mean IoU           {}\n  boundary F         {}\n  pixel accuracy     {}\n",
            percent(s.mean_iou),
            percent(s.boundary_f),
            percent(s.pixel_accuracy)
        );
        text += &self.measured.lines(&["mean_iou", "boundary_f"]);
        for ((class, iou), f) in self.classes.iter().zip(&s.class_iou).zip(&s.class_boundary_f) {
            text += &format!("  {class:17}  IoU {}, boundary F {}\n", percent(*iou), percent(*f));
        }
        text
    }

    fn images(&self) -> u64 {
        self.summary.images
    }

    fn write(&self, folder: &RunFolder) -> anyhow::Result<()> {
        folder.write_confusion(&self.classes, &self.confusion)
    }

    fn write_logits(&self, _: &RunFolder) -> anyhow::Result<()> {
        anyhow::bail!("--logits is for classifiers; `mga masks` writes what a segmenter says of each pixel")
    }
}

/// Evaluates everything the loader gives.
///
/// # Errors
/// An interruption; an image that is not annotated.
pub(super) fn evaluate(
    learner: &Segmenter<'_>,
    loader: &Loader,
    context: &mut EvaluationContext<'_>,
) -> anyhow::Result<Segmented> {
    let mut metrics = SegmentationMetrics::new(learner.data.annotated.classes().len(), IGNORE);
    let (mut entropy, mut images) = (0.0, 0.0);
    for batch in loader.epoch(0, 0) {
        context.go_on()?;
        let batch = batch?;
        let labels = labels(&batch)?;
        let said = context.shared(&batch, |batch| Ok(vec![logits(learner, batch)?]))?;
        let [logits] = &said[..] else { anyhow::bail!("the network says nothing of its images") };
        let predicted = classes_of(logits)?;
        let (_, _, height, width) = logits.dims4()?;
        for (labels, predicted) in labels.chunks_exact(height * width).zip(predicted.chunks_exact(height * width)) {
            metrics.add(labels, predicted, width)?;
        }
        let mut tape = Tape::eval();
        let value = tape.constant(logits)?;
        let maps = LabelMaps { labels: &labels, ignore: IGNORE };
        entropy += number(&loss::pixel_cross_entropy(&mut tape, value, maps, None)?)? * batch.len() as f64;
        images += batch.len() as f64;
        context.seen(batch.len());
    }
    let (summary, classes) = (metrics.summary(), learner.data.annotated.classes());
    let mapped = Mapped { classes, confusion: metrics.confusion(), summary: &summary };
    Ok(Segmented {
        measured: Measured::of_label_maps(&learner.components.kinds, &mapped),
        summary,
        cross_entropy: (images > 0.0).then(|| entropy / images),
        confusion: metrics.confusion().rows().map(<[u64]>::to_vec).collect(),
        classes: classes.to_vec(),
        metric: learner.loaded.experiment.eval.metric.clone(),
    })
}
