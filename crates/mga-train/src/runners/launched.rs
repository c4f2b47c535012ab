//! Micro-batches whose work was handed to a device, and whose numbers the host has not read.

use mga_data::Batch;

use super::finite::{Reading, Unread};
use super::step::{ReadStep, StepWork};
use crate::checkpoint::Progress;
use crate::world::World;

/// Micro-batches that may wait for the host. Reading makes a GPU idle until the next one is handed to it, so not each is
/// waited for; and each keeps its images, which are looked at where its loss turns out to be no number.
const MOST: usize = 4;

/// Micro-batches that wait to be read, the first first.
pub(super) struct Launched {
    most: usize,
    waiting: Vec<Waiting>,
}

struct Waiting {
    step: u64,
    batch: Batch,
    unread: Unread,
    /// Where an optimiser step ended with it: what came of the step, the images it was planned with, and how far the run was.
    ended: Option<(StepWork, usize, Progress)>,
}

/// An optimiser step that was read.
pub(super) struct Ended {
    /// Its loss and parts.
    pub(super) read: ReadStep,
    /// How far the run was with it: its counts.
    pub(super) at: Progress,
}

impl Launched {
    pub(super) fn new(reading: Reading) -> Self {
        let most = if reading == Reading::AtOnce { 1 } else { MOST };
        Self { most, waiting: vec![] }
    }

    /// Adds a micro-batch of the optimiser step with this number, counted from 1.
    pub(super) fn push(&mut self, step: u64, batch: Batch, unread: Unread) {
        self.waiting.push(Waiting { step, batch, unread, ended: None });
    }

    /// Says that the optimiser step, `planned` with so many images, ended with the micro-batch that was added last.
    pub(super) fn end_step(&mut self, work: StepWork, planned: usize, progress: &Progress) {
        if let Some(last) = self.waiting.last_mut() {
            last.ended = Some((work, planned, progress.counts()));
        }
    }

    /// Whether the host should read before it hands out more.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= self.most
    }

    /// Reads all that waits, and returns the optimiser steps that ended with it.
    ///
    /// # Errors
    /// A rank that ended; the first number that is not finite, in the words of `name`, which is given its step and its micro-batch.
    pub(super) fn read(
        &mut self,
        world: &dyn World,
        name: impl Fn(anyhow::Error, u64, &Batch) -> anyhow::Error,
    ) -> anyhow::Result<Vec<Ended>> {
        let mut ended = vec![];
        for Waiting { step, batch, unread, ended: end } in self.waiting.drain(..) {
            unread.read(world).map_err(|error| name(error, step, &batch))?;
            if let Some((work, planned, at)) = end {
                ended.push(Ended { read: work.read(planned, world)?, at });
            }
        }
        Ok(ended)
    }
}
