//! Checkpoints: weights under their own names, with all that training needs to go on to the bit.
//!
//! The file is an ordinary weight file to every other reader: the optimiser's tensors stand beside the weights under
//! `sgd.` or `adamw.`, what a training method keeps stands under `method.`, and the progress is a line of JSON in the
//! metadata. Order, augmentation and dropout are functions of
//! seed, epoch and step, so no generator has a state to keep beyond those numbers.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Context;
use candle_core::Tensor;
use mga_core::optim::Optimiser;
use mga_core::parameter::ParameterStore;
use mga_data::masks::MaskNotes;
use mga_models::weights;
use serde::{Deserialize, Serialize};

use crate::runners::epoch_sums::EpochSums;
use crate::runners::learner::{JobState, Learner};
use crate::runners::step::Moved;

/// Metadata key of the progress.
const PROGRESS: &str = "mga.progress";

/// The progress of a run. All counts are of finished things.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The epoch that is under way, or the number of epochs where all are done.
    pub epoch: usize,
    /// Micro-batches of that epoch already used.
    pub batch: usize,
    /// Optimiser steps.
    pub step: u64,
    /// Micro-batches, since the start: what dropout is keyed by.
    pub micro_step: u64,
    /// The best value of the metric that selects.
    pub best: Option<f64>,
    /// The epoch it was reached in.
    pub best_epoch: Option<usize>,
    /// Evaluations since then.
    pub stale: usize,
    /// Whether early stopping ended the run.
    pub stopped_early: bool,
    /// Length of `metrics.jsonl`, in bytes.
    pub metrics_bytes: u64,
    /// Hash of the experiment that is trained: resuming under another is an error.
    pub experiment: String,
    /// Seconds of training so far, over all resumptions.
    pub seconds: f64,
    /// The counts of masks so far. The summary counts images that a resumed run does not see again.
    #[serde(default)]
    pub masks: MaskNotes,
    /// The losses of the epoch that is under way; none where an older release began it.
    #[serde(default)]
    pub epoch_sums: Option<EpochSums>,
    /// Images that training or selection skipped so far, and why; sorted.
    #[serde(default)]
    pub skipped: Vec<String>,
}

impl Progress {
    /// Returns a copy of the counts alone, which costs the same however long a run is.
    pub(crate) fn counts(&self) -> Self {
        Self { experiment: String::new(), masks: MaskNotes::default(), epoch_sums: None, skipped: vec![], ..*self }
    }
}

fn metadata(progress: &Progress) -> anyhow::Result<HashMap<String, String>> {
    Ok(HashMap::from([("format".to_owned(), "pt".to_owned()), (PROGRESS.to_owned(), serde_json::to_string(progress)?)]))
}

/// Before the names of what a job has beside its model's parameters.
const BESIDE: &str = "method.";
/// Metadata key of what a job keeps beside tensors.
const JOB: &str = "mga.method";

/// Saves all of a job: the model's weights, what it has beside them, the optimisers where they are given, and the progress.
/// The file is whole or not there.
///
/// # Errors
/// The file cannot be written.
pub(crate) fn save_job(
    path: &Path,
    job: &dyn Learner,
    moved: Option<&[Moved<'_>]>,
    progress: &Progress,
) -> anyhow::Result<()> {
    let optimiser = |at: usize| moved.and_then(|moved| moved.get(at)).map(|(_, optimiser)| optimiser.as_ref());
    let mut tensors = job.store().tensors();
    tensors.extend(optimiser(0).map(Optimiser::state).transpose()?.unwrap_or_default());
    for (at, extra) in job.extra_stores().iter().enumerate() {
        let state = optimiser(at + 1).map(Optimiser::state).transpose()?.unwrap_or_default();
        let named = |(name, tensor): (String, Tensor)| (format!("{BESIDE}{}.{name}", extra.name), tensor);
        tensors.extend(extra.store.tensors().into_iter().chain(state).map(named));
    }
    let JobState { tensors: more, json } = job.state()?;
    tensors.extend(more.into_iter().map(|(name, tensor)| (format!("{BESIDE}state.{name}"), tensor)));
    let mut metadata = metadata(progress)?;
    if !json.is_null() {
        metadata.insert(JOB.to_owned(), json.to_string());
    }
    Ok(weights::save_file(&tensors, metadata, path)?)
}

/// Loads a checkpoint into a job, and its optimisers where they are given.
///
/// # Errors
/// A file that is no checkpoint, of another model or method, or damaged.
pub(crate) fn load_job(path: &Path, job: &dyn Learner, moved: Option<&mut Vec<Moved<'_>>>) -> anyhow::Result<Restored> {
    let unreadable = || format!("{}: not a readable checkpoint", path.display());
    let mut stored = Stored::read(path)?;
    let beside: HashMap<String, Tensor> = stored.state.extract_if(|name, _| name.starts_with(BESIDE)).collect();
    let within = |prefix: &str| -> HashMap<String, Tensor> {
        let own =
            beside.iter().filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone())));
        own.collect()
    };
    let mut optimisers = moved.into_iter().flatten().map(|(_, optimiser)| optimiser);
    let (restored, json) = match optimisers.next() {
        Some(first) => stored.put(path, job.store(), Some(first.as_mut()))?,
        None => stored.put(path, job.store(), None)?,
    };
    for extra in job.extra_stores() {
        let own = within(&format!("{BESIDE}{}.", extra.name));
        for entry in extra.store.entries() {
            let tensor = own.get(entry.name()).with_context(|| {
                format!("{}: lacks {} of the method's `{}`", path.display(), entry.name(), extra.name)
            })?;
            entry.set(tensor.to_device(extra.store.device())?).with_context(unreadable)?;
        }
        if let Some(optimiser) = optimisers.next() {
            optimiser.load_state(&own).with_context(unreadable)?;
        }
    }
    let mut tensors: Vec<(String, Tensor)> = within(&format!("{BESIDE}state.")).into_iter().collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    job.load_state(JobState { tensors, json }).with_context(unreadable)?;
    Ok(restored)
}

/// Reads the progress of a checkpoint's run from the header of the file.
///
/// # Errors
/// A file that is no checkpoint.
pub fn progress(path: &Path) -> anyhow::Result<Progress> {
    let header = weights::Header::read(path)?;
    let line = header.metadata.get(PROGRESS);
    let line = line.with_context(|| format!("{}: a weight file, but no checkpoint of mga", path.display()))?;
    serde_json::from_str(line).with_context(|| format!("{}: not a readable checkpoint", path.display()))
}

/// A checkpoint that was loaded.
#[derive(Debug)]
pub struct Restored {
    /// The progress of the run.
    pub progress: Progress,
    /// A note on the file for people.
    pub note: Option<String>,
}

/// A checkpoint as it lies in its file.
struct Stored {
    progress: Progress,
    json: serde_json::Value,
    note: Option<String>,
    present: HashMap<String, Tensor>,
    state: HashMap<String, Tensor>,
}

impl Stored {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let unreadable = || format!("{}: not a readable checkpoint", path.display());
        let bytes = std::fs::read(path).with_context(unreadable)?;
        // Before anything is taken from it.
        let checked = weights::check_content(&bytes, path)?;
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).with_context(unreadable)?;
        let line = |key: &str| header.metadata().as_ref().and_then(|metadata| metadata.get(key)).cloned();
        let progress =
            line(PROGRESS).with_context(|| format!("{}: a weight file, but no checkpoint of mga", path.display()))?;
        let progress = serde_json::from_str(&progress).with_context(unreadable)?;
        let json = line(JOB).map(|json| serde_json::from_str(&json)).transpose().with_context(unreadable)?;
        let tensors: HashMap<String, Tensor> =
            candle_core::safetensors::load_buffer(&bytes, &candle_core::Device::Cpu).with_context(unreadable)?;
        drop(bytes);
        let (state, mut present): (HashMap<_, _>, HashMap<_, _>) =
            tensors.into_iter().partition(|(name, _)| weights::is_optimiser_state(name));
        present.retain(|name, _| !name.ends_with("num_batches_tracked"));
        let note = (!checked).then(|| {
            format!(
                "{}: carries no hash of its content, as checkpoints of mga 0.1.0 and files of other programs; damage to it \
                 would not show",
                path.display()
            )
        });
        Ok(Self { progress, json: json.unwrap_or_default(), note, present, state })
    }

    /// Puts weights and optimiser's state where they belong; gives what the job kept beside tensors, too.
    fn put(
        mut self,
        path: &Path,
        store: &ParameterStore,
        optimiser: Option<&mut dyn Optimiser>,
    ) -> anyhow::Result<(Restored, serde_json::Value)> {
        let unreadable = || format!("{}: not a readable checkpoint", path.display());
        for entry in store.entries() {
            let tensor = self.present.remove(entry.name());
            let tensor = tensor.with_context(|| format!("{}: lacks {}", path.display(), entry.name()))?;
            entry.set(tensor.to_device(store.device())?).with_context(unreadable)?;
        }
        if let Some(name) = self.present.keys().next() {
            anyhow::bail!("{}: holds `{name}`, which the model has not", path.display());
        }
        if let Some(optimiser) = optimiser {
            optimiser.load_state(&self.state).with_context(unreadable)?;
        }
        Ok((Restored { progress: self.progress, note: self.note }, self.json))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};
    use mga_core::tape::{Tape, Value};
    use mga_data::{Batch, Loader};
    use mga_testing::awkward;

    use super::*;
    use crate::runners::evaluation::EvaluationContext;
    use crate::runners::learner::Outcome;
    use crate::runners::loss_parts::LossPart;

    /// Parameters that nothing trains.
    struct Kept(ParameterStore);

    impl Learner for Kept {
        fn store(&self) -> &ParameterStore {
            &self.0
        }

        fn loss(&self, _: &mut Tape, _: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)> {
            anyhow::bail!("is not trained")
        }

        fn evaluate(&self, _: &Loader, _: &mut EvaluationContext<'_>) -> anyhow::Result<Box<dyn Outcome>> {
            anyhow::bail!("is not evaluated")
        }
    }

    fn kept() -> Kept {
        let mut store = ParameterStore::new(1, DType::F32, &Device::Cpu);
        store.root().weight("w", 3, mga_core::parameter::Init::Constant(1.0)).unwrap();
        Kept(store)
    }

    #[test]
    fn every_finite_double_survives_a_checkpoint() {
        let doubles = awkward::doubles();
        let read: Vec<f64> = doubles
            .iter()
            .map(|&double| {
                let text = serde_json::to_string(&Progress { best: Some(double), ..Progress::default() }).unwrap();
                serde_json::from_str::<Progress>(&text).unwrap().best.unwrap()
            })
            .collect();
        assert!(awkward::same_bits(&read, &doubles));
        // And through the metadata of a file.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        for best in [4.0 / 17.0, 28.0 / 30.0, 0.1 + 0.2] {
            let progress = Progress { best: Some(best), ..Progress::default() };
            save_job(&path, &kept(), None, &progress).unwrap();
            assert_eq!(load_job(&path, &kept(), None).unwrap().progress, progress);
        }
    }

    #[test]
    fn a_damaged_checkpoint_is_refused_and_one_without_hash_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.safetensors");
        let progress = Progress { epoch: 3, best: Some(0.5), ..Progress::default() };
        save_job(&path, &kept(), None, &progress).unwrap();
        let whole = std::fs::read(&path).unwrap();
        assert!(load_job(&path, &kept(), None).unwrap().note.is_none());
        // A bit of the weights; and one of the progress, which stays as readable as it was.
        let epoch = whole.windows(11).position(|at| at == b"\\\"epoch\\\":3").unwrap();
        for place in [whole.len() - 1, epoch + 10] {
            let mut bytes = whole.clone();
            bytes[place] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            let message = format!("{:#}", load_job(&path, &kept(), None).unwrap_err());
            assert!(message.contains("x.safetensors: its content is not what was saved"), "{message}");
        }
        // As version 0.1.0 wrote it.
        let metadata = HashMap::from([(PROGRESS.to_owned(), serde_json::to_string(&progress).unwrap())]);
        safetensors::serialize_to_file(kept().0.tensors(), Some(metadata), &path).unwrap();
        let old = load_job(&path, &kept(), None).unwrap();
        assert!(old.progress == progress && old.note.is_some_and(|note| note.contains("no hash")));
    }
}
