//! The training loop: epochs of steps, evaluations, checkpoints; resumable to the bit from any of them.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use mga_core::optim::Position;
use mga_core::parameter::Kind;
use mga_data::loader::OnError;
use mga_data::{Batch, Loader, MaskSource};
use mga_experiment::{Experiment, SelectOn};
use mga_registry::Registry;

use super::epoch_sums::EpochSums;
use super::evaluation::EvaluationContext;
use super::finite::{Guard, NotFinite, Reading};
use super::launched::Launched;
use super::learner::Learner;
use super::step::{Moved, StepContext, StepWork};
use super::suspect::{Suspect, suspect};
use crate::checkpoint::{self, Progress};
use crate::interrupt::{Interrupt, Interrupted};
use crate::metrics_log::MetricsLog;
use crate::progress::{EpochEnd, Listener, ProgressReport};
use crate::run_folder::RunFolder;
use crate::trackers::{TrackedRun, Tracking};
use crate::world::{Reduction, World, any};

/// The parts that a training run works with.
pub struct Training<'a> {
    /// The resolved experiment.
    pub experiment: &'a Experiment,
    /// The registered optimisers, and all else that it can name.
    pub kinds: &'a Registry,
    /// The learner: the model with its loss and evaluation.
    pub learner: &'a dyn Learner,
    /// Training batches.
    pub train: Loader,
    /// The images checkpoints are selected on, if any: validation, or test where the experiment says so.
    pub select: Option<(&'static str, Loader)>,
    /// The masks, which note what is odd with them.
    pub masks: Arc<MaskSource>,
    /// The folder that everything is written to.
    pub folder: RunFolder,
    /// Raised by a signal.
    pub interrupt: Interrupt,
    /// The receiver of progress.
    pub report: Arc<dyn ProgressReport>,
    /// The receiver of notes.
    pub voice: &'a dyn Listener,
    /// The trackers of the numbers.
    pub tracking: &'a Tracking<'a>,
    /// Hash of the experiment.
    pub identity: String,
    /// The time at which losses and gradient norms are read.
    pub reading: Reading,
    /// The world that the run trains in: `train` loads this rank's share of every batch.
    pub world: &'a dyn World,
}

/// The stores of a job, the model's first, with their optimisers.
///
/// # Errors
/// A setting of an optimiser that cannot be used; a name that checkpoints cannot keep apart.
pub(super) fn stores<'a>(
    experiment: &Experiment,
    kinds: &Registry,
    learner: &'a dyn Learner,
) -> anyhow::Result<Vec<Moved<'a>>> {
    let mut stores: Vec<Moved<'a>> = vec![(learner.store(), experiment.optimiser.build(kinds, learner.store())?)];
    let mut names = HashSet::new();
    for extra in learner.extra_stores() {
        // Checkpoints keep each under its name, and a method's other tensors under `state`.
        let sound = !["", "state"].contains(&extra.name) && !extra.name.contains('.') && names.insert(extra.name);
        anyhow::ensure!(
            sound,
            "parameters beside the model's are called `{}`; expected a name of their own, without dots, other than `state`",
            extra.name
        );
        let optimiser = extra.optimiser.build(kinds, extra.store);
        stores.push((extra.store, optimiser.with_context(|| format!("the optimiser of `{}`", extra.name))?));
    }
    Ok(stores)
}

impl Training<'_> {
    /// Trains to the end, from `resume` or from the start.
    pub fn run(&self, resume: bool) -> anyhow::Result<Progress> {
        let rate = self.experiment.optimiser.rule(self.kinds)?.learning_rate();
        let schedule = self.experiment.schedule.build(self.kinds, rate)?;
        let mut stores = stores(self.experiment, self.kinds, self.learner)?;
        let mut progress = Progress { experiment: self.identity.clone(), ..Progress::default() };
        if resume && self.folder.last().is_file() {
            let last = checkpoint::load_job(&self.folder.last(), self.learner, Some(&mut stores))?;
            last.note.iter().for_each(|note| self.voice.say(&format!("note: {note}")));
            progress = last.progress;
            if progress.experiment != self.identity {
                anyhow::bail!(
                    "{}: was saved by another experiment than the folder's; nothing was changed",
                    self.folder.last().display()
                );
            }
        }
        self.masks.recall(&progress.masks);
        let mut log = None;
        if self.world.rank() == 0 {
            let (opened, text) = MetricsLog::open(&self.folder.metrics(), progress.metrics_bytes)?;
            self.tracking.begins(&TrackedRun { experiment: self.experiment, folder: &self.folder, log: &text });
            log = Some(opened);
        }
        let steps = self.train.batches_per_epoch().div_ceil(self.experiment.train.accumulate);
        if steps == 0 {
            let images = self.train.indices().len();
            if let Some((sampler, _)) = self.experiment.named("sampler") {
                anyhow::bail!("no training batch: sampler `{sampler}` makes none of {images} images");
            }
            let size = self.experiment.data.batch_size;
            anyhow::bail!("no training batch: {images} images with data.batch_size = {size} and drop_last");
        }
        while progress.epoch < self.experiment.schedule.epochs && !progress.stopped_early {
            let epoch = progress.epoch;
            let at = |step| schedule.factor(Position { epoch, step, steps_per_epoch: steps });
            self.every_rank_has_images(epoch)?;
            self.learner.epoch_begins(epoch);
            self.epoch(&mut progress, &mut stores, &at, rate, &mut log)?;
            self.after_epoch(&mut progress, &stores, &mut log)?;
            if progress.epoch < self.experiment.schedule.epochs && any(self.world, self.interrupt.is_raised())? {
                return Err(self.interrupted(&progress));
            }
        }
        Ok(progress)
    }

    /// Optimiser steps until the epoch is over.
    fn epoch(
        &self,
        progress: &mut Progress,
        stores: &mut Vec<Moved<'_>>,
        factor: &dyn Fn(usize) -> f64,
        rate: f64,
        log: &mut Option<MetricsLog>,
    ) -> anyhow::Result<()> {
        let (group, batches) = (self.experiment.train.accumulate, self.train.batches_per_epoch());
        let (mut work, mut guard) = (StepWork::default(), Guard::new(self.reading));
        let (mut launched, mut seen, mut started) = (Launched::new(self.reading), 0, Instant::now());
        if progress.batch == 0 {
            progress.epoch_sums = Some(EpochSums::default());
        }
        let mut stream = self.train.epoch(progress.epoch as u64, progress.batch).peekable();
        while let Some(batch) = stream.next() {
            let batch = batch?;
            let (step, position) = (batch.position / group, batch.position);
            // Images of this optimiser step as planned: a micro-batch weighs what it holds of them.
            let planned = self.train.planned_images(progress.epoch as u64, step * group, (step + 1) * group);
            let share = batch.len() as f64 / planned as f64;
            // The step ends with its last micro-batch, or with the epoch; a batch of which nothing could be read is not
            // seen here at all.
            let ends = match stream.peek() {
                None => true,
                Some(Ok(next)) => next.position / group != step,
                Some(Err(_)) => false,
            };
            let factor = factor(step);
            let mut context = StepContext {
                seed: self.experiment.seed,
                micro_step: progress.micro_step,
                recompute: self.experiment.train.recompute,
                share,
                ends,
                factor,
                clip_norm: self.experiment.train.clip_norm,
                stores,
                work: &mut work,
                guard: &mut guard,
                tapes: 0,
                world: self.world,
            };
            let epoch = progress.epoch;
            let name = |error, step, batch: &Batch| self.not_finite(error, epoch, step, batch, rate);
            if let Err(error) = self.learner.step(&batch, &mut context) {
                // What was not finite before comes first: it may be why. Other ranks would have to take part in the reading.
                if self.world.size() == 1 {
                    launched.read(self.world, name)?;
                }
                return Err(name(error, progress.step + 1, &batch));
            }
            seen += batch.len();
            work.images += batch.len();
            launched.push(progress.step + 1, batch, guard.take_unread());
            progress.micro_step += 1;
            progress.batch = position + 1;
            let more = stream.peek().is_some();
            let every = self.experiment.train.checkpoint_every as u64;
            let next = progress.step + 1;
            let log_every = self.experiment.train.log_every as u64;
            let logged = ends && log_every > 0 && (next.is_multiple_of(log_every) || !more);
            let stops = ends && more && any(self.world, self.interrupt.is_raised())?;
            let saved = stops || ends && more && every > 0 && next.is_multiple_of(every);
            if ends {
                progress.step = next;
                launched.end_step(std::mem::take(&mut work), planned, progress);
            }
            if !(logged || saved || !more || launched.is_full()) {
                continue;
            }
            let ended = launched.read(self.world, name)?;
            if ended.is_empty() {
                continue;
            }
            let seconds = started.elapsed().as_secs_f64();
            progress.seconds += seconds;
            let speed = seen as f64 / seconds.max(1e-9);
            for step in &ended {
                let at = Progress { seconds: progress.seconds, ..step.at.clone() };
                self.report.step(&at, batches, step.read.loss, speed);
                progress.epoch_sums.iter_mut().for_each(|sums| sums.add(&step.read));
            }
            if let Some(step) = ended.last().filter(|_| logged) {
                let mut line = serde_json::json!({
                    "kind": "step", "step": progress.step, "epoch": progress.epoch, "loss": step.read.loss,
                });
                step.read.parts.iter().for_each(|(name, part)| line[name] = serde_json::json!(part.mean()));
                line["learning_rate"] = serde_json::json!(rate * factor);
                line["images_per_second"] = serde_json::json!(speed);
                self.log(&line, log)?;
            }
            if saved {
                self.average_buffers(stores)?;
                self.save(progress, stores, log)?;
            }
            if stops {
                return Err(self.interrupted(progress));
            }
            (seen, started) = (0, Instant::now());
        }
        Ok(())
    }

    /// Appends a line to the log, which rank 0 has, and tells the trackers.
    fn log(&self, line: &serde_json::Value, log: &mut Option<MetricsLog>) -> anyhow::Result<()> {
        log.as_mut().map_or(Ok(()), |log| log.append(line))?;
        self.tracking.line(line);
        Ok(())
    }

    /// Logs the epoch's mean loss, evaluates where it is due, keeps the best, and saves.
    fn after_epoch(
        &self,
        progress: &mut Progress,
        stores: &[Moved<'_>],
        log: &mut Option<MetricsLog>,
    ) -> anyhow::Result<()> {
        self.average_buffers(stores)?;
        // Taken: an evaluation that is interrupted begins again, and the line is there already.
        let sums = progress.epoch_sums.take();
        if let Some(line) = sums.and_then(|sums| sums.line(progress.epoch, progress.step)) {
            self.log(&line, log)?;
        }
        let (settings, epoch) = (&self.experiment.eval, progress.epoch);
        let last = epoch + 1 == self.experiment.schedule.epochs;
        if let Some((split, loader)) =
            self.select.as_ref().filter(|_| last || (epoch + 1).is_multiple_of(settings.every.max(1)))
        {
            self.report.evaluating(split, loader.indices().len());
            let mut seen = |images| self.report.evaluated(images);
            let mut context = EvaluationContext::new(&self.interrupt, &mut seen).with_world(self.world);
            let result = match self.learner.evaluate(loader, &mut context) {
                Err(error) if error.is::<Interrupted>() => {
                    // The epoch's steps are done: save them, and evaluate again on resumption (`batch` says so).
                    self.save(progress, stores, log)?;
                    return Err(self.interrupted(progress));
                }
                result => result?,
            };
            let line = result.line(split, Some(epoch));
            self.log(&line, log)?;
            result.notes(split).iter().for_each(|note| self.voice.say(&format!("warning: {note}")));
            // NaN is above nothing, and nothing is above it: it would select the first epoch for good.
            let score = result.score().filter(|score| score.is_finite());
            let better = match (score, progress.best) {
                (Some(score), Some(best)) => score > best,
                (Some(_), None) => true,
                (None, _) => false,
            };
            progress.stale = if better { 0 } else { progress.stale + 1 };
            if better {
                (progress.best, progress.best_epoch) = (score, Some(epoch));
            }
            progress.stopped_early =
                self.experiment.train.early_stopping > 0 && progress.stale >= self.experiment.train.early_stopping;
            self.report.epoch(&EpochEnd {
                epoch,
                shown: Some(&result.shown()),
                line: Some(&line),
                score,
                best: progress.best,
                better,
            });
            if better && settings.select_on != SelectOn::Last && self.world.rank() == 0 {
                // What other programs read is what was evaluated.
                self.learner
                    .as_evaluated(&mut || checkpoint::save_job(&self.folder.best(), self.learner, None, progress))?;
            }
        } else {
            let best = progress.best;
            self.report.epoch(&EpochEnd { epoch, shown: None, line: None, score: None, best, better: false });
        }
        progress.epoch += 1;
        progress.batch = 0;
        self.save(progress, stores, log)
    }

    /// Puts running statistics in the mean of those of all ranks, for each has seen its own images: before they are
    /// evaluated or saved.
    fn average_buffers(&self, stores: &[Moved<'_>]) -> anyhow::Result<()> {
        if self.world.size() == 1 {
            return Ok(());
        }
        let buffers = stores.iter().flat_map(|(store, _)| store.entries()).filter(|entry| entry.kind() == Kind::Buffer);
        let buffers: Vec<_> = buffers.collect();
        let means = self.world.reduce(buffers.iter().map(|buffer| buffer.tensor()).collect(), Reduction::Mean)?;
        buffers.into_iter().zip(means).try_for_each(|(buffer, mean)| Ok(buffer.set(mean)?))
    }

    /// Refuses a world in which a rank would have no image of some batch, and could not keep step.
    fn every_rank_has_images(&self, epoch: usize) -> anyhow::Result<()> {
        let ranks = self.world.size();
        if ranks == 1 {
            return Ok(());
        }
        anyhow::ensure!(
            self.experiment.data.on_error == OnError::Stop,
            "data.on_error = \"skip\": {ranks} ranks that train together cannot skip images, for each would skip others; \
             leave it out"
        );
        for batch in 0..self.train.batches_per_epoch() {
            let images = self.train.planned_images(epoch as u64, batch, batch + 1);
            anyhow::ensure!(
                images >= ranks,
                "batch {batch} of epoch {epoch} has {images} images for {ranks} ranks; expected at least one for each: \
                 start fewer, or set data.drop_last = true or a larger data.batch_size"
            );
        }
        Ok(())
    }

    /// Saves a checkpoint; rank 0 writes it, and the others wait until it lies there.
    fn save(&self, progress: &mut Progress, stores: &[Moved<'_>], log: &mut Option<MetricsLog>) -> anyhow::Result<()> {
        // The log first: a checkpoint never speaks of lines that a power cut could take away.
        if let Some(log) = log {
            progress.metrics_bytes = log.sync()?;
        }
        progress.masks = self.masks.notes();
        progress.skipped.extend(self.train.skipped());
        progress.skipped.extend(self.select.iter().flat_map(|(_, loader)| loader.skipped()));
        progress.skipped.sort();
        progress.skipped.dedup();
        if self.world.rank() == 0 {
            checkpoint::save_job(&self.folder.last(), self.learner, Some(stores), progress)
                .context("saving a checkpoint")?;
        }
        self.world.barrier()
    }

    fn interrupted(&self, progress: &Progress) -> anyhow::Error {
        let folder = self.folder.path().display();
        Interrupted(format!(
            "interrupted after step {} in epoch {}, and saved; go on with: mga train --resume {folder}",
            progress.step, progress.epoch
        ))
        .into()
    }

    /// Says of a loss or gradient that is not finite, in one sentence, what happened, the image or the setting it is likely
    /// owed to, and what is left. Other errors stay as they are.
    fn not_finite(&self, error: anyhow::Error, epoch: usize, step: u64, batch: &Batch, rate: f64) -> anyhow::Error {
        let NotFinite { what, value } = match error.downcast() {
            Ok(found) => found,
            Err(other) => return other,
        };
        let kept =
            if self.folder.last().is_file() { "the last checkpoint is kept" } else { "no checkpoint was saved yet" };
        let at = format!("the {what} is {value} at step {step} in epoch {epoch}");
        match suspect(self.learner, batch) {
            Suspect::Image(id) => {
                anyhow::anyhow!(
                    "{at}, and `{id}` alone of its batch gives such a loss: look at this image and its mask; {kept}"
                )
            }
            Suspect::Rate(id) => anyhow::anyhow!(
                "{at}, not by one image alone (the largest loss is that of `{id}`): lower optimiser.learning_rate, {rate}, \
                 or set train.clip_norm; {kept}"
            ),
        }
    }
}

#[cfg(test)]
mod tests;
