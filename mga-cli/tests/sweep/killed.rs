//! A sweep that is killed again and again, and whose runs are, ends as one that was left in peace.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use mga_core::random::Generator;
use serde_json::Value;

use crate::fixture::{Folder, Results, SWEEP, said, succeed};

/// How often something is killed.
const KILLS: usize = 16;

#[cfg(test)]
fn start(mut command: Command) -> Child {
    // A group of its own, which its runs join.
    command.process_group(0).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

#[cfg(test)]
fn signal(signal: &str, whom: &str) -> bool {
    Command::new("kill").args(["-s", signal, "--", whom]).stderr(Stdio::null()).status().unwrap().success()
}

/// The process of a run that its state says is running.
fn a_run(folder: &Folder, random: &mut Generator) -> Option<String> {
    let runs = std::fs::read_dir(folder.path("out/runs")).ok()?.flatten().map(|entry| entry.path());
    let mut running: Vec<String> = runs
        .filter_map(|run| {
            let state: Value = serde_json::from_slice(&std::fs::read(run.join("state.json")).ok()?).ok()?;
            (state["state"] == "running").then(|| state["process"]["id"].to_string())
        })
        .collect();
    running.sort();
    let at = random.below(running.len());
    running.into_iter().nth(at)
}

/// Whether a process of that number is one of ours: numbers are used again.
fn is_ours(process: &str) -> bool {
    let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).contains("mga")
}

/// What is finished, by key.
fn finished(folder: &Folder) -> BTreeMap<String, Results> {
    if !folder.path("out/runs").is_dir() {
        return BTreeMap::new();
    }
    folder.results("out").into_iter().filter(|(_, run)| run.summary["status"] == "finished").collect()
}

#[test]
fn a_killed_sweep_ends_as_one_left_in_peace() {
    let folder = Folder::new(SWEEP);
    let begun = Instant::now();
    succeed(folder.sweep("peace", &["--jobs", "2"]));
    let mut duration = begun.elapsed();
    let peace = folder.results("peace");
    assert_eq!(peace.len(), 4);

    let mut random = Generator::new(213, "kills", &[]);
    let (mut kills, mut of_runs, mut sweeps) = (0, 0, 0);
    let mut done: BTreeMap<String, Results> = BTreeMap::new();
    while kills < KILLS {
        sweeps += 1;
        assert!(sweeps < 100, "sweeps end before they are killed");
        if done.len() == peace.len() {
            // All are finished: one is begun anew, so that there is something to kill.
            let key = done.keys().nth(random.below(done.len())).cloned().unwrap();
            std::fs::remove_dir_all(folder.path("out/runs").join(&key)).unwrap();
            done.remove(&key);
        }
        let mut sweep = start(folder.sweep("out", &["--jobs", "2", "--retry"]));
        sleep(duration.mul_f64(random.uniform()));
        if random.chance(0.4) {
            // One run alone: the sweep goes on.
            if let Some(process) = a_run(&folder, &mut random).filter(|process| is_ours(process)) {
                kills += usize::from(signal("KILL", &process));
                of_runs += 1;
            }
            sleep(duration.mul_f64(0.5 * random.uniform()));
        }
        if sweep.try_wait().unwrap().is_none() {
            kills += usize::from(signal("KILL", &format!("-{}", sweep.id())));
        } else {
            // It ended first: less was left to run, or the machine was busier when the time was taken.
            duration = duration.mul_f64(0.8);
        }
        sweep.wait().unwrap();
        // What was finished stays, bit by bit.
        let now = finished(&folder);
        for (key, run) in &done {
            assert_eq!(
                now.get(key).map(|now| (&now.predictions, &now.summary)),
                Some((&run.predictions, &run.summary))
            );
        }
        done = now;
    }
    assert!(of_runs > 0);
    let last = folder.sweep("out", &["--jobs", "2", "--retry"]).output().unwrap();
    assert!(last.status.success(), "{}", said(&last));
    assert_eq!(folder.results("out"), peace);
}

#[test]
fn signals_are_passed_on_and_the_sweep_goes_on_later() {
    let folder = Folder::new(&SWEEP.replace("[1, 2]", "[1]"));
    let set = ["--set", "schedule.epochs=40"];
    succeed(folder.sweep("peace", &set));
    for signalled in ["TERM", "INT"] {
        let sweep = start(folder.sweep("out", &set));
        let begun = Instant::now();
        let steps = || -> usize {
            let runs = std::fs::read_dir(folder.path("out/runs")).into_iter().flatten().flatten();
            runs.map(|run| {
                std::fs::read_to_string(run.path().join("metrics.jsonl")).unwrap_or_default().lines().count()
            })
            .sum()
        };
        let before = steps();
        while steps() < before + 3 {
            assert!(begun.elapsed() < Duration::from_secs(60), "no run starts");
            sleep(Duration::from_millis(1));
        }
        // To the sweep alone, or to all as a terminal does.
        let whom = if signalled == "INT" { format!("-{}", sweep.id()) } else { sweep.id().to_string() };
        assert!(signal(signalled, &whom));
        let output = sweep.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{}", said(&output));
        assert!(said(&output).contains("interrupted; the same command goes on with out"), "{}", said(&output));
        let states: Vec<Value> = folder.results("out").values().map(|run| run.state.clone()).collect();
        assert!(states.iter().any(|state| state == "interrupted"), "{states:?}");
        assert!(states.iter().all(|state| state != "running" && state != "failed"), "{states:?}");
    }
    succeed(folder.sweep("out", &set));
    assert_eq!(folder.results("out"), folder.results("peace"));
}
