//! Programs started by tests: run to a good or a bad end, or until something is there, and then killed.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// How often it is looked whether what is waited for is there.
const LOOK: Duration = Duration::from_micros(300);

/// Runs the command to its end, which must succeed.
pub fn succeed(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}: {}", output.status, said(&output));
    output
}

/// Runs the command to its end, which must be exit status `status`, and returns its standard error.
pub fn fail(mut command: Command, status: i32) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(status), "{command:?}: {}", said(&output));
    said(&output)
}

/// Returns standard error as text.
pub fn said(output: &Output) -> String {
    text(&output.stderr)
}

/// Returns the bytes as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Sends a signal to a process, or to a group where the number has a minus before it; whether there was one.
pub fn signal(signal: &str, whom: &str) -> bool {
    Command::new("kill").args(["-s", signal, "--", whom]).stderr(Stdio::null()).status().unwrap().success()
}

/// A program at work, of which standard error is kept.
#[derive(Debug)]
pub struct Started(Child);

impl Started {
    /// Starts it.
    pub fn new(mut command: Command) -> Self {
        Self(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// Starts it as the first of a group of processes, which those that it starts join.
    #[cfg(unix)]
    pub fn group(mut command: Command) -> Self {
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Self::new(command)
    }

    /// Returns the process id.
    pub fn id(&self) -> String {
        self.0.id().to_string()
    }

    /// Waits until something holds, however long that takes; `false` where the program ended before.
    pub fn until(&mut self, mut holds: impl FnMut() -> bool) -> bool {
        while !holds() {
            if self.ended() {
                return false;
            }
            sleep(LOOK);
        }
        !self.ended()
    }

    /// Waits until the file at `path` has that many lines, as [`Started::until`] does.
    pub fn until_lines(&mut self, path: &Path, count: usize) -> bool {
        self.until(|| lines(path) >= count)
    }

    /// Waits until there is a file at `path`, as [`Started::until`] does.
    pub fn until_file(&mut self, path: &Path) -> bool {
        self.until(|| path.is_file())
    }

    /// Returns whether the process has ended. Its id may then belong to another process.
    pub fn ended(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Kills it, and waits until it is gone; what it came to where it had ended before.
    pub fn kill(mut self) -> Output {
        self.0.kill().unwrap();
        self.end()
    }

    /// Waits for its end.
    pub fn end(self) -> Output {
        self.0.wait_with_output().unwrap()
    }
}

/// Returns the lines of a file, or none if there is no file.
pub fn lines(path: &Path) -> usize {
    std::fs::read(path).unwrap_or_default().iter().filter(|&&byte| byte == b'\n').count()
}
