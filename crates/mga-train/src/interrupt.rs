//! A request for an orderly end. The library sets no signal handler: a program that does raises it from there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A request to end, looked at between steps.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Asks for the end, as a signal does.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns the flag itself, for a signal handler to set.
    #[must_use]
    pub fn flag(&self) -> &Arc<AtomicBool> {
        &self.0
    }

    /// Returns whether the end was asked for.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The work was interrupted by a signal, saved, and can be resumed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Interrupted(
    /// What was saved, and how to resume.
    pub String,
);

/// The exit status of a program whose work was interrupted and can be resumed.
pub const INTERRUPTED: u8 = 130;
