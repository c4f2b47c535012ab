//! One run as a process of its own: what crashes there ends nothing else.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::Context;
use mga_core::whole_file;
use mga_train::folder_lock::host;
use mga_train::interrupt::INTERRUPTED;
use mga_train::run_folder::RunFolder;

use super::plan::Cell;
use super::run_state::RunState;
use super::share::Share;
use super::state::{Process, State};

/// A run under way.
#[derive(Debug)]
pub struct Running {
    /// The run.
    pub cell: Cell,
    child: Child,
    state: State,
    before: f64,
    started: Instant,
    asked_to_end: bool,
}

/// The folder of a sweep's folder in which the stages lie that its runs share, by their identities.
pub(super) const STAGES: &str = "stages";

/// The file of a run's folder that holds what its process said.
pub const LOG: &str = "log.txt";

impl Running {
    /// Starts the run, or goes on with it from its checkpoint, and says so in its folder. With `offline` it opens no
    /// connection.
    ///
    /// # Errors
    /// The program cannot be started again; the folder cannot be written to.
    pub fn start(cell: &Cell, share: &Share, offline: bool) -> anyhow::Result<Self> {
        let folder = cell.folder();
        cell.make_room()?;
        whole_file::remove_leftovers(folder).with_context(|| format!("{}: cannot be tidied up", folder.display()))?;
        let program = std::env::current_exe().context("the program's own file cannot be found")?;
        let mut log = open_log(folder)?;
        let mut command = Command::new(program);
        if offline {
            command.arg("--offline");
        }
        command.arg("train");
        if RunFolder::at(folder).experiment().is_file() {
            command.arg("--resume").arg(folder);
        } else {
            command.arg(cell.experiment_file()).arg("--out").arg(folder);
            // Cells that share stages find them there; a run of one stage makes nothing in it.
            if let Some(sweep) = folder.parent().and_then(Path::parent) {
                command.arg("--stages").arg(sweep.join(STAGES));
            }
        }
        share.apply(cell, &mut command);
        let mut state = State::of_run(folder);
        state.attempts += 1;
        writeln!(log, "--- attempt {}", state.attempts)?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let mut child = command.spawn().context("the program cannot be started again")?;
        (state.state, state.error) = (RunState::Running, None);
        state.process = Some(Process { id: child.id(), host: host() });
        if let Err(error) = state.write(folder) {
            // Nobody would look after it.
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
        let before = state.seconds;
        Ok(Self { cell: cell.clone(), child, state, before, started: Instant::now(), asked_to_end: false })
    }

    /// Returns the seconds since the process was started.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Asks it to save and end.
    pub fn end(&mut self) {
        self.asked_to_end = true;
        terminate(&mut self.child);
    }

    /// Returns the state of the process if it has ended; the state is then written too.
    ///
    /// # Errors
    /// The process cannot be waited for; the folder cannot be written to.
    pub fn ended(&mut self) -> anyhow::Result<Option<State>> {
        let Some(status) = self.child.try_wait()? else { return Ok(None) };
        self.state.seconds = self.before + self.seconds();
        self.state.process = None;
        let folder = self.cell.folder();
        if RunFolder::at(folder).summary().is_file() {
            let mismatch = self.cell.mismatch();
            self.state.state = if mismatch.is_some() { RunState::Failed } else { RunState::Finished };
            self.state.error = mismatch;
        } else if self.was_interrupted(status) {
            self.state.state = RunState::Interrupted;
        } else {
            self.state.state = RunState::Failed;
            self.state.error = Some(reason(status, folder));
        }
        self.state.write(folder)?;
        Ok(Some(self.state.clone()))
    }

    fn was_interrupted(&self, status: ExitStatus) -> bool {
        // Asked before it listened, it dies of the signal.
        status.code() == Some(i32::from(INTERRUPTED)) || self.asked_to_end && status.code().is_none()
    }
}

fn open_log(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join(LOG);
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .with_context(|| format!("{}: cannot be opened", path.display()))
}

/// Why a run ended that did not finish: what it said last, else how its process ended.
fn reason(status: ExitStatus, folder: &Path) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        let likely = if signal == 9 { " (out of memory, or by hand)" } else { "" };
        return format!("its process was killed by signal {signal}{likely}");
    }
    let said = std::fs::read(folder.join(LOG)).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let attempt = said.rsplit("--- attempt ").next().unwrap_or_default();
    let lines: Vec<&str> = attempt.lines().collect();
    // An error comes last, and may take some lines.
    let first = lines.iter().rposition(|line| line.starts_with("error: "));
    match first {
        Some(first) => {
            let lines: Vec<&str> = lines.iter().skip(first).take(12).copied().collect();
            lines.join("\n").trim_start_matches("error: ").to_owned()
        }
        None => format!("its process ended with {status} and said no error; see {LOG}"),
    }
}

#[cfg(unix)]
fn terminate(child: &mut Child) {
    let Ok(id) = libc::pid_t::try_from(child.id()) else { return };
    // SAFETY: a plain system call; the child was not waited for yet, so that its number is its own.
    unsafe {
        libc::kill(id, libc::SIGTERM);
    }
}

#[cfg(not(unix))]
fn terminate(child: &mut Child) {
    // There is no way to ask: what came after the last checkpoint is done again.
    let _ = child.kill();
}
