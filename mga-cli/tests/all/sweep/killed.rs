//! A sweep that is killed again and again, and whose runs are, ends as one that was left in peace.

use std::collections::BTreeMap;

use mga_core::random::Generator;
use mga_testing::process::{Started, said, signal, succeed};
use serde_json::Value;

use super::fixture::{Folder, Results, SWEEP};

/// How often something is killed.
const KILLS: usize = 16;

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
    succeed(folder.sweep("peace", &["--jobs", "2"]));
    let peace = folder.results("peace");
    assert_eq!(peace.len(), 4);

    let mut random = Generator::new(213, "kills", &[]);
    let (mut kills, mut of_runs, mut sweeps) = (0, 0, 0);
    let mut done: BTreeMap<String, Results> = BTreeMap::new();
    while kills < KILLS || of_runs == 0 {
        sweeps += 1;
        assert!(sweeps < 100, "sweeps end before they are killed");
        if done.len() == peace.len() {
            // All are finished: one is begun anew, so that there is something to kill.
            let key = done.keys().nth(random.below(done.len())).cloned().unwrap();
            std::fs::remove_dir_all(folder.path("out/runs").join(&key)).unwrap();
            done.remove(&key);
        }
        let before = folder.steps("out");
        let mut sweep = Started::group(folder.sweep("out", &["--jobs", "2", "--retry"]));
        // So many lines of the runs' logs later.
        let first = before + random.below(6);
        sweep.until(|| folder.steps("out") >= first);
        if random.chance(0.4) {
            // One run alone: the sweep goes on.
            if let Some(process) = a_run(&folder, &mut random).filter(|process| is_ours(process)) {
                of_runs += usize::from(signal("KILL", &process));
                kills += 1;
            }
            let second = folder.steps("out") + random.below(4);
            sweep.until(|| folder.steps("out") >= second);
        }
        if !sweep.ended() {
            kills += usize::from(signal("KILL", &format!("-{}", sweep.id())));
        }
        sweep.end();
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
    succeed(folder.sweep("out", &["--jobs", "2", "--retry"]));
    assert_eq!(folder.results("out"), peace);
}

#[test]
fn signals_are_passed_on_and_the_sweep_goes_on_later() {
    let folder = Folder::new(&SWEEP.replace("[1, 2]", "[1]"));
    let set = ["--set", "schedule.epochs=40"];
    succeed(folder.sweep("peace", &set));
    for signalled in ["TERM", "INT"] {
        let before = folder.steps("out");
        let mut sweep = Started::group(folder.sweep("out", &set));
        assert!(sweep.until(|| folder.steps("out") >= before + 3), "it ends before it is signalled");
        // To the sweep alone, or to all as a terminal does.
        let whom = if signalled == "INT" { format!("-{}", sweep.id()) } else { sweep.id() };
        assert!(signal(signalled, &whom));
        let output = sweep.end();
        assert_eq!(output.status.code(), Some(130), "{}", said(&output));
        assert!(said(&output).contains("interrupted; the same command goes on with out"), "{}", said(&output));
        let states: Vec<Value> = folder.results("out").values().map(|run| run.state.clone()).collect();
        assert!(states.iter().any(|state| state == "interrupted"), "{states:?}");
        assert!(states.iter().all(|state| state != "running" && state != "failed"), "{states:?}");
    }
    succeed(folder.sweep("out", &set));
    assert_eq!(folder.results("out"), folder.results("peace"));
}
