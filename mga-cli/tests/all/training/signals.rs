//! Signals end a run in order: it is saved, says how to go on, and goes on to the same end.

use std::os::unix::process::CommandExt;
use std::process::Command;

use mga_testing::process::{Started, said, signal, succeed};

use super::tiny::Tiny;

/// Goes on with the run until its log has `lines` lines, then sends the signal; gives exit status and message.
fn signalled(tiny: &Tiny, name: &str, lines: usize) -> (Option<i32>, String) {
    let mut command = tiny.go_on("run");
    // SAFETY: a plain system call between fork and exec. Whoever runs the tests may have it ignored, as `nohup` does.
    unsafe {
        command.pre_exec(|| {
            libc::signal(libc::SIGHUP, libc::SIG_DFL);
            Ok(())
        });
    }
    let mut run = Started::new(command);
    if run.until_lines(&tiny.path("run/metrics.jsonl"), lines) {
        assert!(signal(name, &run.id()));
    }
    let output = run.end();
    (output.status.code(), said(&output))
}

#[test]
fn signals_end_a_run_that_goes_on_to_the_same_end() {
    // Ten epochs of four steps, their mean and an evaluation: 60 lines.
    let tiny = Tiny::new(&["schedule.epochs=10"]);
    succeed(tiny.train("peace", &[]));
    let peace = tiny.run("peace");
    assert_eq!(peace.metrics.len(), 60);
    for (signal, lines) in [("TERM", 2), ("USR1", 12), ("HUP", 17), ("INT", 22)] {
        let (status, message) = signalled(&tiny, signal, lines);
        assert_eq!(status, Some(130), "{signal}: {message}");
        assert!(message.contains("mga train --resume run"), "{signal}: {message}");
        assert!(!tiny.path("run/summary.json").exists());
    }
    // The last evaluation is logged: what is left takes so short that the signal may come too late.
    let (status, message) = signalled(&tiny, "TERM", 60);
    if status == Some(130) {
        assert!(message.contains("mga train --resume run"), "{message}");
    } else {
        assert_eq!(status, Some(0), "{message}");
    }
    succeed(tiny.go_on("run"));
    tiny.run("run").assert_same(&peace);
}

#[test]
fn a_run_under_nohup_does_not_hear_that_its_terminal_is_closed() {
    let tiny = Tiny::new(&["schedule.epochs=4"]);
    let mut command = Command::new("nohup");
    let train = tiny.train("run", &[]);
    command.arg(train.get_program()).args(train.get_args());
    let command = tiny.prepared(command);
    let mut run = Started::new(command);
    // Where it has ended already there is nothing to see.
    if run.until_file(&tiny.path("run/metrics.jsonl")) {
        signal("HUP", &run.id());
    }
    let output = run.end();
    assert!(output.status.success(), "{}", said(&output));
    assert!(tiny.path("run/summary.json").is_file());
}
