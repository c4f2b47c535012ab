//! Signals that ask for an orderly end: Ctrl-C, SIGTERM, SIGUSR1, and SIGHUP when the terminal is closed.

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
            use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
            signal_hook::flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&interrupt.0))?;
            for signal in [SIGINT, SIGTERM, SIGUSR1] {
                signal_hook::flag::register(signal, Arc::clone(&interrupt.0))?;
            }
            // `nohup` has it ignored so that the run goes on without its terminal.
            if !is_ignored(SIGHUP) {
                signal_hook::flag::register(SIGHUP, Arc::clone(&interrupt.0))?;
            }
        }
        Ok(interrupt)
    }

    /// As if a signal had come.
    #[cfg(test)]
    pub(crate) fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether a signal came.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Whether the process was started with `signal` ignored.
#[cfg(unix)]
fn is_ignored(signal: libc::c_int) -> bool {
    // SAFETY: all-zero bytes are a valid `sigaction`, and with no new action the call does nothing but fill it.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0 && action.sa_sigaction == libc::SIG_IGN
    }
}
