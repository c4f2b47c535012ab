//! A teacher: a moving average of the weights of the network that trains, its student (Tarvainen and Valpola 2017).
//!
//! It is state beside the parameters: it lies in checkpoints, and a run that goes on has the teacher that it had.

use std::cell::RefCell;
use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use mga_core::parameter::ParameterStore;

/// An average of a network's weights and running statistics, by name.
pub struct Teacher {
    momentum: f64,
    device: Device,
    average: RefCell<BTreeMap<String, Tensor>>,
    /// The student's weights while the teacher is in their place.
    student: RefCell<Vec<Tensor>>,
}

impl Teacher {
    /// Creates a teacher that keeps the share `momentum`, 0 to 1, of itself at every update. It begins with the first.
    pub fn new(momentum: f64, device: &Device) -> Self {
        Self { momentum, device: device.clone(), average: RefCell::default(), student: RefCell::default() }
    }

    /// Moves towards the student. The first time it becomes a copy: weights that a run starts from are loaded by then.
    ///
    /// # Errors
    /// Tensors for which the device has no room.
    pub fn follow(&self, store: &ParameterStore) -> anyhow::Result<()> {
        let mut average = self.average.borrow_mut();
        for entry in store.entries() {
            let now = entry.tensor();
            let moved = match average.get(entry.name()) {
                Some(past) => (past.affine(self.momentum, 0.0)? + now.affine(1.0 - self.momentum, 0.0)?)?,
                // The optimiser changes the student's tensors where they lie.
                None => now.copy()?,
            };
            average.insert(entry.name().to_owned(), moved);
        }
        Ok(())
    }

    /// Puts the teacher's weights in place of the student's. Before its first update there is none, and nothing is done.
    ///
    /// # Errors
    /// A teacher of another network.
    pub fn take_place(&self, store: &ParameterStore) -> anyhow::Result<()> {
        let average = self.average.borrow();
        if average.is_empty() {
            return Ok(());
        }
        *self.student.borrow_mut() = store.entries().iter().map(|entry| entry.tensor()).collect();
        for entry in store.entries() {
            let own = average.get(entry.name()).ok_or_else(|| anyhow::anyhow!("the teacher lacks {}", entry.name()))?;
            entry.set(own.clone())?;
        }
        Ok(())
    }

    /// Puts the student's weights back.
    ///
    /// # Errors
    /// None where they come from the same network.
    pub fn give_place(&self, store: &ParameterStore) -> anyhow::Result<()> {
        let student = self.student.take();
        store.entries().iter().zip(student).try_for_each(|(entry, tensor)| Ok(entry.set(tensor)?))
    }

    /// Returns the state for a checkpoint.
    pub fn tensors(&self) -> Vec<(String, Tensor)> {
        self.average.borrow().iter().map(|(name, tensor)| (name.clone(), tensor.clone())).collect()
    }

    /// Takes up what a checkpoint kept.
    ///
    /// # Errors
    /// Tensors for which the device has no room.
    pub fn load(&self, tensors: Vec<(String, Tensor)>) -> anyhow::Result<()> {
        let placed = tensors.into_iter().map(|(name, tensor)| Ok((name, tensor.to_device(&self.device)?)));
        *self.average.borrow_mut() = placed.collect::<anyhow::Result<_>>()?;
        Ok(())
    }
}
