//! The report as data: `report.json`, and what every other form of it is written from.
//!
//! All metrics are kept as they were measured: accuracies and intersections over union as fractions of 1. [`Column::show`]
//! says how people read them. A list that runs parallel to another one is of the same length and order.

use std::path::PathBuf;

use mga_train::mask_coverage::Coverage;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use super::measures::{Column, Interval, Over, Score};
pub use super::search_model::{Draw, Importance, SearchReport};
use super::table_form::TableForm;
use crate::results::RunState;

/// The report on the runs of a sweep.
///
/// ```
/// use mga_report::{Request, build, results};
///
/// // Two runs of one arm. A sweep writes such folders, with more in them.
/// let sweep = tempfile::tempdir()?;
/// for (seed, top1) in [(1, 0.75), (2, 0.875)] {
///     let run = sweep.path().join(format!("runs/seed-{seed}"));
///     std::fs::create_dir_all(&run)?;
///     let cell = format!(r#"{{ "sweep": "mine", "settings": {{}}, "replicate": {{ "seed": {seed} }} }}"#);
///     std::fs::write(run.join("cell.json"), cell)?;
///     let summary = format!(r#"{{ "split": "test", "select_on": "last", "last": {{ "top1": {top1} }} }}"#);
///     std::fs::write(run.join("summary.json"), summary)?;
/// }
/// let report = build(&results::read(&[sweep.path()])?, &Request::default())?;
/// assert_eq!((report.arms.len(), report.runs.len()), (1, 2));
/// assert_eq!(report.arms[0].scores[0].mean, Some(0.8125));
/// # anyhow::Ok(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The sweep's name.
    pub title: String,
    /// The program and its version.
    pub made_by: String,
    /// The metrics of the table, the one that arms are compared by first.
    pub columns: Vec<Column>,
    /// The rows of the table, in the sweep's order: runs of equal settings.
    pub arms: Vec<Arm>,
    /// Every run, finished or not, in the sweep's order.
    pub runs: Vec<Run>,
    /// The facts that a reader must know before trusting the numbers.
    pub flags: Vec<Flag>,
    /// Paragraphs for a paper's section on methods, plain text.
    pub methods: Vec<String>,
    /// Folders that were left out and files that could not be read, a sentence each.
    pub notes: Vec<String>,
    /// Chance of an interval to cover, 0.95.
    pub confidence: f64,
    /// Compute of all runs and of the stages that they share, in seconds, failed attempts included as far as they were timed.
    pub seconds: f64,
    /// The stages that several runs share. Their time is in no arm's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_stages: Vec<SharedStage>,
    /// The items that confusion matrices count, in the plural.
    #[serde(skip)]
    pub counted: String,
    /// The form of the table of arms in Markdown and LaTeX.
    #[serde(skip)]
    pub form: TableForm,
    /// Every metric that finished runs have, by key, also those without a column.
    #[serde(skip)]
    pub measured: Vec<String>,
    /// The metric of [`Run::validation_score`], which selects checkpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validated_by: Option<Column>,
    /// The search, if the runs belong to a random or TPE search.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchReport>,
}

/// Runs of equal settings: a row of the table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arm {
    /// The variant's name, else what tells it from the others: `attention = none`. Unique in the report.
    pub name: String,
    /// The variant that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The settings that make it, by dotted key.
    pub settings: Map<String, Value>,
    /// Whether others are compared with it.
    pub baseline: bool,
    /// The runs of the arm, as indices into [`Report::runs`].
    pub runs: Vec<usize>,
    /// The number of runs whose numbers count. A cell that has all of them shows this as `n`.
    pub finished: usize,
    /// The number of runs that failed.
    pub failed: usize,
    /// The scores of the arm, parallel to [`Report::columns`].
    pub scores: Vec<Score>,
    /// The comparison with the baseline by the first column; `None` for a baseline, or if there is none.
    pub comparison: Option<Comparison>,
    /// Interval of the first column's mean over test images drawn anew, for these very models.
    pub image_interval: Option<Interval>,
    /// The first column over independent trials, for these very models; `None` of runs without trials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trials: Option<TrialScore>,
    /// The masks that it learns from; `None` without, and of runs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masks: Option<ArmMasks>,
    /// Compute in seconds, without the stages that runs share.
    pub seconds: f64,
    /// Whether its checkpoints were selected on the test images.
    pub selected_on_test: bool,
    /// The flags that concern it, as indices into [`Report::flags`].
    pub flags: Vec<usize>,
    /// The draw of a search that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<usize>,
    /// The scores of the checkpoints on validation images, by the metric that selects them, as that metric is measured.
    #[serde(default)]
    pub validation: Score,
    /// In a search, whether this arm has the best mean on validation images among the arms that differ only in what is
    /// drawn.
    #[serde(default)]
    pub best_validated: bool,
}

/// A stage that runs share: it was trained once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SharedStage {
    /// Its name.
    pub name: String,
    /// Its identity.
    pub id: String,
    /// The runs that start from it, as indices into [`Report::runs`].
    pub runs: Vec<usize>,
    /// Seconds that it took, as far as they were timed.
    pub seconds: f64,
}

/// The masks that an arm learns from, by a look at those of some training images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmMasks {
    /// The run that looked, an index into [`Report::runs`]: the first of the arm.
    pub run: usize,
    /// `data.masks.source`.
    pub source: String,
    /// The number of training images.
    pub train_images: usize,
    /// The coverage of the masks.
    pub coverage: Coverage,
    /// Anything odd about the masks, one phrase each.
    pub odd: Vec<String>,
    /// The effect of guidance on the attention; `None` without guidance.
    pub guidance: Option<ArmGuidance>,
}

/// Attention against the masks of some training images, before the first step and in the reported checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ArmGuidance {
    /// Runs that say.
    pub runs: usize,
    /// Mean over them of the mean squared error at the start.
    pub start: f64,
    /// The same measurement at the end of training.
    pub end: f64,
    /// Runs in which it fell by next to nothing.
    pub hardly_moved: usize,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// The name of the run's folder.
    pub key: String,
    /// The run's folder.
    pub folder: PathBuf,
    /// The run's arm, an index into [`Report::arms`].
    pub arm: usize,
    /// The repetition of the arm, for people: `seed 3`.
    pub replicate: String,
    /// The repetition of the arm, by dotted key.
    pub replicate_settings: Map<String, Value>,
    /// The state of the run.
    pub state: RunState,
    /// Why it failed.
    pub error: Option<String>,
    /// Whether its numbers are in the table.
    pub counted: bool,
    /// Seconds it took, without the stages that it shares.
    pub seconds: Option<f64>,
    /// The scores of the reported checkpoint, parallel to [`Report::columns`].
    pub values: Vec<Option<f64>>,
    /// The best score on validation images, by the metric of the selection, higher being better.
    pub validation_score: Option<f64>,
    /// The reported checkpoint's epoch, from 0.
    pub epoch: Option<u64>,
    /// Test images.
    pub images: Option<u64>,
    /// Anything missing or wrong in the run's folder.
    pub notes: Vec<String>,
}

/// An arm against its baseline, by the report's first column: arm minus baseline, paired by replicate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The baseline, an index into [`Report::arms`].
    pub against: usize,
    /// The pairs of runs.
    pub pairs: Vec<Pair>,
    /// Replicates that one side lacks, and why, a phrase each.
    pub missing: Vec<String>,
    /// The values that [`Self::difference`], [`Self::deviation`] and [`Self::interval`] are computed over.
    #[serde(default)]
    pub over: Over,
    /// The number of those values: the pairs for runs, and fewer for folds if a fold has several pairs.
    #[serde(default)]
    pub values: usize,
    /// Mean of the differences; `None` without pairs.
    pub difference: Option<f64>,
    /// Standard deviation of the differences, with their number less 1.
    pub deviation: Option<f64>,
    /// Interval of the mean difference, by [`Self::test`]'s distribution.
    pub interval: Option<Interval>,
    /// The test whose p value [`Self::p_adjusted`] adjusts: over folds the corrected resampled t test, else the paired t
    /// test. `None` of fewer than two pairs, and where all pairs differ by the same.
    pub test: Option<TTest>,
    /// The paired t test as it stands, also where another test decides.
    pub paired_t: Option<TTest>,
    /// The p value after Holm's step-down over all comparisons of the table.
    pub p_adjusted: Option<f64>,
    /// McNemar's test on the predictions of all pairs; `None` with [`Self::predictions_missing`].
    pub mcnemar: Option<McNemar>,
    /// Interval of the mean difference over test images drawn anew, for these very models.
    pub bootstrap: Option<Bootstrap>,
    /// The mean difference over independent trials, for these very models; `None` of runs without trials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trials: Option<TrialDifference>,
    /// Why nothing could be said image by image.
    pub predictions_missing: Option<String>,
    /// The conclusion.
    pub verdict: Verdict,
    /// The comparison in a sentence for people.
    pub sentence: String,
}

/// Two runs of one replicate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pair {
    /// The repetition, such as `seed 3`.
    pub replicate: String,
    /// The score of the arm.
    pub arm: f64,
    /// The score of the baseline.
    pub baseline: f64,
    /// The runs, as indices into [`Report::runs`]: the arm's, the baseline's.
    pub runs: [usize; 2],
}

/// A t test of the mean difference against 0, two-sided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TTest {
    /// The kind of the test.
    pub kind: TTestKind,
    /// The t statistic.
    pub t: f64,
    /// The degrees of freedom.
    pub degrees: f64,
    /// The p value, not adjusted.
    pub p: f64,
}

/// The kind of a t test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TTestKind {
    /// Student's, on the differences.
    Paired,
    /// Nadeau and Bengio's, on the differences over resampled splits.
    CorrectedResampled,
}

/// McNemar's test on pooled test predictions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct McNemar {
    /// Predictions of each side: images, times the pairs of runs they are in.
    pub predictions: u64,
    /// Right in the arm alone.
    pub arm_only: u64,
    /// Right in the baseline alone.
    pub baseline_only: u64,
    /// The p value, which takes predictions for independent, several of one image too.
    pub p: f64,
    /// Whether it is the exact binomial test, taken of few discordant pairs; else chi-squared with continuity correction.
    pub exact: bool,
    /// The p value that keeps the predictions of an image together (Durkalski and others 2003); `None` where no image's
    /// differ.
    pub p_clustered: Option<f64>,
}

/// A bootstrap over images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// The percentile interval of the mean difference.
    pub interval: Interval,
    /// Images that were drawn from.
    pub images: usize,
    /// Times they were drawn.
    pub resamples: usize,
}

/// A metric over the independent trials of an arm's runs, such as episodes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialScore {
    /// One trial in a word: `episode`.
    pub of: String,
    /// Trials of all runs.
    pub trials: usize,
    /// Mean over the runs of their means.
    pub mean: f64,
    /// The interval of the mean over trials drawn anew, for these very models: 1.96 standard errors to both sides.
    pub interval: Interval,
}

/// A difference paired by trial, arm minus baseline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialDifference {
    /// One trial in a word: `episode`.
    pub of: String,
    /// Pairs of trials.
    pub trials: usize,
    /// Mean of the differences.
    pub difference: f64,
    /// The interval of the mean over trials drawn anew, for these very models: 1.96 standard errors to both sides.
    pub interval: Interval,
    /// The p value of the paired t test over trials, not adjusted; `None` where all differ by the same.
    pub p: Option<f64>,
}

/// The conclusion about an arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Better than the baseline, at an adjusted p of at most 0.05.
    Better,
    /// Worse than the baseline, at an adjusted p of at most 0.05.
    Worse,
    /// Tested, and not told apart from no difference.
    NotToldApart,
    /// Too few pairs to test.
    Untested,
}

/// A fact that a reader must know before trusting a number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Flag {
    /// The kind of the flag.
    pub kind: FlagKind,
    /// The mark in the tables: `a`, `b`, ….
    pub mark: String,
    /// The arms it concerns, as indices into [`Report::arms`]; all, where it is the report's.
    pub arms: Vec<usize>,
    /// The message, in sentences for people.
    pub message: String,
    /// For [`FlagKind::SelectedOnTest`], how much the selection adds to the first column in the arm's favour, if that
    /// is known.
    pub gap: Option<Gap>,
}

/// The kind of a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlagKind {
    /// Runs were evaluated with other settings than they were trained with.
    EvaluatedOtherwise,
    /// Checkpoints were selected on the test images.
    SelectedOnTest,
    /// Images of one group may be on both sides of the split, as the experiment allows.
    GroupsMayLeak,
    /// There are no test images: the numbers are of validation images, or there are none.
    NoTest,
    /// Runs that are compared were made from different data.
    MixedData,
    /// Runs that are compared began with different weights.
    MixedWeights,
    /// Runs that are compared were made by programs of different numerics.
    MixedNumerics,
    /// Attention is measured against different masks in different arms.
    MixedMasks,
    /// The masks that arms learn from cover next to nothing or all, or vary wildly.
    OddMasks,
    /// Guidance hardly moved the attention.
    Unmoved,
    /// Runs cannot say what their numbers depend on.
    NoIdentity,
    /// Runs failed.
    Failed,
    /// Runs are not finished.
    Unfinished,
    /// Replicates lack a partner.
    MissingPairs,
    /// Two runs fill one cell.
    Duplicate,
    /// Images were left out of runs.
    Skipped,
}

/// The gain from selecting on the test images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// The reference of the gap, such as `the last epoch of the same runs`.
    pub against: String,
    /// Runs, or pairs of runs, behind it.
    pub n: usize,
    /// Mean of the first column, selected on test minus honestly.
    pub mean: f64,
}

impl Report {
    /// Returns the metric that arms are compared by. Every report has one.
    #[must_use]
    pub fn metric(&self) -> Option<&Column> {
        self.columns.first()
    }

    /// Returns the flags of an arm.
    pub fn flags_of<'a>(&'a self, arm: &'a Arm) -> impl Iterator<Item = &'a Flag> {
        arm.flags.iter().filter_map(|&index| self.flags.get(index))
    }
}
