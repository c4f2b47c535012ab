//! Losses and gradients that have to be finite: checked at once where the host has them, late where a device has them.

use candle_core::{DType, Device, Tensor};

use crate::world::{World, sums};

/// A loss or gradient that is NaN or infinite.
#[derive(Debug, thiserror::Error)]
#[error("the {what} is {value}")]
pub struct NotFinite {
    /// "loss" or "gradient".
    pub what: &'static str,
    /// The number.
    pub value: f64,
}

/// The time at which the host reads the results of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// As soon as it is there.
    AtOnce,
    /// Some micro-batches later: a number on a GPU makes the host wait for all work that was given to it.
    Late,
}

impl Reading {
    /// Returns how numbers on `device` are read. Several ranks read together, at the same steps, so that all of them end
    /// with what one of them finds.
    #[must_use]
    pub fn on(device: &Device, world: &dyn World) -> Self {
        if device.is_cpu() && world.size() == 1 { Self::AtOnce } else { Self::Late }
    }
}

/// Watches the losses and gradient norms of a run.
///
/// Read late, a device tells by a flag whether all of them were finite so far. No update applies from the first that was
/// not: the parameters are those it was computed with, until the host hears of it and ends the run.
pub(super) struct Guard {
    reading: Reading,
    sound: Option<Tensor>,
    unread: Vec<(&'static str, Tensor)>,
}

impl Guard {
    pub(super) fn new(reading: Reading) -> Self {
        Self { reading, sound: None, unread: vec![] }
    }

    /// Checks a scalar.
    ///
    /// # Errors
    /// Read at once: it is not finite ([`NotFinite`]).
    pub(super) fn check(&mut self, what: &'static str, value: &Tensor) -> anyhow::Result<()> {
        let value = value.to_dtype(DType::F64)?;
        if self.reading == Reading::AtOnce {
            return finite(what, value.to_vec0()?);
        }
        // Only of finite numbers the difference to itself is 0.
        let finite = value.broadcast_sub(&value)?.eq(0.0)?;
        self.sound = Some(match self.sound.take() {
            None => finite,
            Some(sound) => (sound * finite)?,
        });
        self.unread.push((what, value));
        Ok(())
    }

    /// Returns the flag, a `u8` scalar that is 0 since something was not finite; `None`: the host knows that all is well.
    pub(super) fn sound(&self) -> Option<&Tensor> {
        self.sound.as_ref()
    }

    /// Returns what was checked since, for the host to read when it likes.
    pub(super) fn take_unread(&mut self) -> Unread {
        Unread(std::mem::take(&mut self.unread))
    }
}

/// Numbers that were computed and not read.
pub(super) struct Unread(Vec<(&'static str, Tensor)>);

impl Unread {
    /// Reads them, in the order in which they were checked, added up over all ranks.
    ///
    /// # Errors
    /// The first that is not finite ([`NotFinite`]) on any rank; a rank that ended.
    pub(super) fn read(&self, world: &dyn World) -> anyhow::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        // Joined where they lie: the host waits once.
        let values: Vec<&Tensor> = self.0.iter().map(|(_, value)| value).collect();
        let values = sums(world, Tensor::stack(&values, 0)?.to_vec1::<f64>()?)?;
        self.0.iter().zip(values).try_for_each(|((what, _), value)| finite(what, value))
    }
}

fn finite(what: &'static str, value: f64) -> anyhow::Result<()> {
    if value.is_finite() { Ok(()) } else { Err(NotFinite { what, value }.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::Alone;

    #[test]
    fn the_flag_stays_down_and_the_first_is_named() {
        let scalar = |value: f32| Tensor::new(value, &Device::Cpu).unwrap();
        let mut guard = Guard::new(Reading::Late);
        assert!(guard.sound().is_none());
        let mut flags = vec![];
        for (what, value) in [("loss", 1.0), ("gradient", f32::INFINITY), ("loss", f32::NAN), ("gradient", 2.0)] {
            guard.check(what, &scalar(value)).unwrap();
            flags.push(guard.sound().unwrap().to_vec0::<u8>().unwrap());
        }
        assert_eq!(flags, [1, 0, 0, 0]);
        assert_eq!(guard.take_unread().read(&Alone).unwrap_err().to_string(), "the gradient is inf");
        assert!(guard.take_unread().read(&Alone).is_ok());
        let mut at_once = Guard::new(Reading::AtOnce);
        at_once.check("loss", &scalar(3.0)).unwrap();
        assert_eq!(at_once.check("loss", &scalar(f32::NAN)).unwrap_err().to_string(), "the loss is NaN");
        assert!(at_once.sound().is_none());
    }
}
