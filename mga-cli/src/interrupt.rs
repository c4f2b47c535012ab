//! Signals that ask for an orderly end: Ctrl-C, SIGTERM, SIGUSR1.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Raised by a signal, looked at between steps.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on. A second Ctrl-C ends the program at once.
    pub fn listen() -> anyhow::Result<Self> {
        let interrupt = Self::default();
        #[cfg(unix)]
        {
            use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
            signal_hook::flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&interrupt.0))?;
            for signal in [SIGINT, SIGTERM, SIGUSR1] {
                signal_hook::flag::register(signal, Arc::clone(&interrupt.0))?;
            }
        }
        Ok(interrupt)
    }

    /// Whether a signal came.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
