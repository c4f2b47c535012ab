//! The exit status of the program: what it says on standard error, and the exit status.

use std::io;

use mga_experiment::ExperimentError;
use mga_train::interrupt::{INTERRUPTED, Interrupted};

use crate::output::Closed;

/// Status of work that failed.
pub const FAILED: u8 = 1;
/// Status of a wrong command line or experiment.
pub const MISUSED: u8 = 2;

/// A command line that cannot be read; also the way to `--help` and `--version`.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Usage(pub clap::Error);

/// Says what came of a command, and gives the exit status for it.
pub fn report(outcome: anyhow::Result<()>) -> u8 {
    let Err(error) = outcome else { return 0 };
    if let Some(Usage(error)) = error.downcast_ref() {
        // Nobody is there to hear of a closed standard error.
        let _ = crate::terminal_text::print_usage(error);
        return u8::try_from(error.exit_code()).unwrap_or(MISUSED);
    }
    if let Some(error) = error.downcast_ref::<ExperimentError>() {
        say!("{error}");
        return MISUSED;
    }
    if let Some(interrupted) = error.downcast_ref::<Interrupted>() {
        say!("{interrupted}");
        return INTERRUPTED;
    }
    let closed = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref).is_some_and(|inner| inner.is::<Closed>())
    };
    if error.chain().any(closed) {
        return 0;
    }
    say!("error: {error:#}");
    FAILED
}

/// Reports panics as faults of the program, in place of Rust's own message.
pub fn report_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("unknown");
        let place = panic.location().map(|place| format!(" ({}:{})", place.file(), place.line())).unwrap_or_default();
        say!("error: this is a fault of mga, please report it: {message}{place}");
    }));
}

#[cfg(test)]
mod tests {
    use anyhow::Context;
    use mga_experiment::{KeyPath, Problem};

    use super::*;

    #[test]
    fn each_kind_of_failure_has_its_status() {
        assert_eq!(report(Ok(())), 0);
        assert_eq!(report(Err(anyhow::anyhow!("disk full"))), FAILED);
        let problem = ExperimentError::from(Problem::error(None, KeyPath::dotted("seed"), "is wrong"));
        assert_eq!(report(Err::<(), _>(problem).context("while resolving")), MISUSED);
        assert_eq!(report(Err(Interrupted("saved".to_owned()).into())), INTERRUPTED);
        let closed = io::Error::new(io::ErrorKind::BrokenPipe, Closed);
        assert_eq!(report(Err::<(), _>(closed).context("while printing")), 0);
        // A connection that breaks is no reader that has had enough.
        let broken = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(report(Err::<(), _>(broken).context("while downloading")), FAILED);
        let usage = <crate::Cli as clap::Parser>::try_parse_from(["mga", "no-such-command"]).unwrap_err();
        assert_eq!(report(Err(Usage(usage).into())), MISUSED);
        let help = <crate::Cli as clap::Parser>::try_parse_from(["mga", "--version"]).unwrap_err();
        assert_eq!(report(Err(Usage(help).into())), 0);
    }
}
