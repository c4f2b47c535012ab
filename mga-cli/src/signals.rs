//! Signals that ask for an orderly end: Ctrl-C and SIGTERM; on Unix also SIGUSR1, and SIGHUP when the terminal is closed.

use std::sync::Arc;

use mga_train::interrupt::Interrupt;
use signal_hook::consts::{SIGINT, SIGTERM};

/// Listens from now on. A second Ctrl-C ends the program at once.
pub(crate) fn listen() -> anyhow::Result<Interrupt> {
    let interrupt = Interrupt::default();
    signal_hook::flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(interrupt.flag()))?;
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(interrupt.flag()))?;
    }
    #[cfg(unix)]
    {
        use signal_hook::consts::{SIGHUP, SIGUSR1};
        signal_hook::flag::register(SIGUSR1, Arc::clone(interrupt.flag()))?;
        // `nohup` has it ignored so that the run goes on without its terminal.
        if !is_ignored(SIGHUP) {
            signal_hook::flag::register(SIGHUP, Arc::clone(interrupt.flag()))?;
        }
    }
    Ok(interrupt)
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
