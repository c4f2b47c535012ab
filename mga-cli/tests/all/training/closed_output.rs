//! A run goes on when nobody listens: standard error closed by its reader (`2>&1 | head`), or on a full disk.

use std::process::{Command, Stdio};

use mga_testing::process::succeed;

use super::tiny::Tiny;

/// Trains with a standard error that cannot be written.
fn trains_with(stderr: Stdio) {
    let tiny = Tiny::new(&["schedule.epochs=1"]);
    let mut command = tiny.train("run", &[]);
    let status = command.stdout(Stdio::null()).stderr(stderr).status().unwrap();
    assert!(status.success(), "{status}");
    assert!(tiny.path("run/summary.json").is_file());
    // What is refused keeps its status.
    let status = tiny.train("run", &[]).stderr(unread()).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

/// A pipe that nobody reads.
fn unread() -> Stdio {
    let mut ended = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
    let pipe = ended.stdin.take().unwrap();
    ended.wait().unwrap();
    pipe.into()
}

#[test]
fn standard_error_may_be_closed() {
    trains_with(unread());
}

#[cfg(target_os = "linux")]
#[test]
fn standard_error_may_be_on_a_full_disk() {
    trains_with(std::fs::File::options().write(true).open("/dev/full").unwrap().into());
}

#[test]
fn standard_output_may_be_closed() {
    let tiny = Tiny::new(&["schedule.epochs=1"]);
    let mut command = tiny.train("run", &[]);
    command.arg("--json").stdout(unread());
    succeed(command);
    assert!(tiny.path("run/summary.json").is_file());
}
