//! Sweeps that run: what is done is not done again, what failed stays visible, two do not meet.

use std::fs::File;

use mga_testing::process::{fail, said, succeed};
use serde_json::Value;

use super::fixture::{Folder, SWEEP, readable, started};

#[test]
fn only_what_is_new_is_run() {
    let folder = Folder::new(SWEEP);
    let first = said(&succeed(folder.sweep("out", &[])));
    assert!(first.contains("tiny: 4 runs: 0 finished, 0 failed, 4 to run; about "), "{first}");
    assert!(first.contains(" a run, from "), "{first}");
    assert_eq!(started(&first).len(), 4);
    let before = folder.results("out");
    assert_eq!(before.len(), 4);
    assert!(before.values().all(|run| run.state == "finished" && run.summary["status"] == "finished"));
    // Planned and actual identity are the same.
    for (key, run) in &before {
        let identity: Value = serde_json::from_str(&run.identity).unwrap();
        assert_eq!(&key[key.len() - 8..], &identity["id"].as_str().unwrap()[..8]);
    }
    let again = said(&succeed(folder.sweep("out", &[])));
    assert!(again.contains("4 finished, 0 failed, 0 to run"), "{again}");
    assert!(started(&again).is_empty());
    folder.write("sweep.toml", SWEEP.replace("[1, 2]", "[1, 2, 3]"));
    let listed = succeed(folder.sweep("out", &["--dry-run"]));
    let listed = String::from_utf8(listed.stdout).unwrap();
    let new: Vec<&str> = listed.lines().filter(|line| line.ends_with(" new")).collect();
    assert!(new.len() == 2 && new.iter().all(|line| line.contains(".seed-3-")), "{listed}");
    assert!(listed.contains("6 runs: 4 finished, 0 failed, 2 to run; about "), "{listed}");
    let more = said(&succeed(folder.sweep("out", &["--jobs", "2"])));
    assert_eq!(started(&more), ["attention-none.seed-3", "attention-residual.seed-3"]);
    assert!(more.contains("2 at a time") && more.contains("from the mean of 4 finished runs"), "{more}");
    let mut after = folder.results("out");
    after.retain(|key, _| before.contains_key(key));
    assert_eq!(after, before);
    assert_eq!(folder.results("out").len(), 6);
}

#[test]
fn a_dry_run_times_every_arm_before_anything_has_run() {
    let folder = Folder::new(SWEEP);
    let listed = String::from_utf8(succeed(folder.sweep("out", &["--dry-run"])).stdout).unwrap();
    assert!(listed.contains("4 to run; about ") && listed.contains("from 2 arms timed apart"), "{listed}");
    let timed: Vec<&str> = listed.lines().filter(|line| line.contains(" a run, 2 to run (from ")).collect();
    assert!(timed.len() == 2 && timed[1].contains("residual"), "{listed}");
    assert!(!folder.path("out").exists());
}

#[test]
fn runs_side_by_side_give_the_numbers_of_runs_one_by_one() {
    let folder = Folder::new(SWEEP);
    succeed(folder.sweep("one", &[]));
    succeed(folder.sweep("three", &["--jobs", "3"]));
    assert_eq!(folder.results("one"), folder.results("three"));
}

#[test]
fn a_failed_run_ends_nothing_else_and_is_retried_when_asked() {
    let folder = Folder::new(SWEEP);
    succeed(folder.sweep("peace", &[]));
    // Planned, and one of them with a file where its folder of checkpoints should be.
    let key = folder.plan().unwrap().0.cells[1].key.clone();
    let run = folder.path("out/runs").join(&key);
    std::fs::create_dir_all(&run).unwrap();
    std::fs::write(run.join("checkpoints"), "in the way").unwrap();
    let message = fail(folder.sweep("out", &[]), 1);
    assert_eq!(started(&message).len(), 4);
    assert!(message.contains(&format!("{key} FAILED: ")) && message.contains("1 run failed"), "{message}");
    assert_eq!(folder.results("out").values().filter(|run| run.state == "finished").count(), 3);
    let state: Value = serde_json::from_slice(&std::fs::read(run.join("state.json")).unwrap()).unwrap();
    assert_eq!((&state["state"], &state["attempts"]), (&Value::from("failed"), &Value::from(1)));
    assert!(state["error"].as_str().is_some_and(|error| error.contains("checkpoints")), "{state}");
    // It stays visible, and is left alone.
    let again = fail(folder.sweep("out", &[]), 1);
    assert!(again.contains("3 finished, 1 failed, 0 to run") && started(&again).is_empty(), "{again}");
    let listed = succeed(folder.sweep("out", &["--dry-run"])).stdout;
    assert!(String::from_utf8_lossy(&listed).contains(&format!("{key} failed: ")));
    std::fs::remove_file(run.join("checkpoints")).unwrap();
    let retried = said(&succeed(folder.sweep("out", &["--retry"])));
    assert_eq!(started(&retried), [readable(&key)]);
    assert_eq!(folder.results("out"), folder.results("peace"));
}

#[test]
fn two_sweeps_do_not_meet_in_one_folder() {
    let folder = Folder::new(SWEEP);
    std::fs::create_dir_all(folder.path("out")).unwrap();
    let lock = File::create(folder.path("out/lock")).unwrap();
    lock.lock().unwrap();
    folder.write("out/lock", "process 7 on node1\n");
    let message = fail(folder.sweep("out", &[]), 1);
    assert!(message.contains("out: process 7 on node1 sweeps here already"), "{message}");
    assert!(!folder.path("out/runs").exists());
    // Looking is no meeting.
    succeed(folder.sweep("out", &["--dry-run"]));
}

#[test]
fn two_processes_do_not_train_in_one_folder() {
    let folder = Folder::new(SWEEP);
    succeed(folder.mga(["train", "base.toml", "--out", "run"]));
    let lock = File::open(folder.path("run/lock")).unwrap();
    lock.lock().unwrap();
    let message = fail(folder.mga(["train", "--resume", "run"]), 1);
    assert!(message.contains("run: another process trains here already"), "{message}");
    drop(lock);
    succeed(folder.mga(["train", "--resume", "run"]));
}

#[test]
fn other_settings_or_data_are_other_runs() {
    let folder = Folder::new(SWEEP);
    succeed(folder.sweep("out", &[]));
    let before = folder.results("out");
    let base = folder.read("base.toml");
    folder.write("base.toml", base.replace("learning_rate = 1e-3", "learning_rate = 2e-3"));
    let message = said(&succeed(folder.sweep("out", &[])));
    assert_eq!(started(&message).len(), 4);
    assert_eq!(message.matches("is kept but does not count: other settings than").count(), 4, "{message}");
    assert_eq!(folder.results("out").len(), 8);
    // The old ones are what they were, and count again with the old file.
    folder.write("base.toml", base);
    let message = said(&succeed(folder.sweep("out", &[])));
    assert!(started(&message).is_empty(), "{message}");
    assert!(before.iter().all(|(key, run)| folder.results("out")[key] == *run));
    // A run whose identity is not the cell's is never taken for done.
    let key = before.keys().next().unwrap();
    let identity = folder.path("out/runs").join(key).join("identity.json");
    let text = std::fs::read_to_string(&identity).unwrap();
    std::fs::write(
        &identity,
        text.replace("\"numerics\": ", "\"numerics\": 9").replacen("\"id\": \"", "\"id\": \"0", 1),
    )
    .unwrap();
    let message = fail(folder.sweep("out", &[]), 1);
    assert!(message.contains("3 finished, 1 failed"), "{message}");
    let listed = String::from_utf8(succeed(folder.sweep("out", &["--dry-run"])).stdout).unwrap();
    assert!(listed.contains("is another run than the cell asks for, in its numerics"), "{listed}");
    // Run again when asked, with the other one kept beside it.
    let message = said(&succeed(folder.sweep("out", &["--retry"])));
    assert_eq!(started(&message), [readable(key)]);
    let now = folder.results("out");
    assert_eq!(now[key], before[key]);
    assert_eq!(now.keys().filter(|other| other.starts_with(&format!("{key}-other-"))).count(), 1);
}

#[test]
fn machines_hear_objects() {
    let folder = Folder::new(SWEEP);
    let output = succeed(folder.sweep("out", &["--json"]));
    let lines = String::from_utf8(output.stdout).unwrap();
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(names[0], "plan");
    assert_eq!(names.iter().filter(|name| **name == "started").count(), 4);
    assert_eq!(names.iter().filter(|name| **name == "finished").count(), 4);
    assert_eq!(names.last(), Some(&"end"));
    assert_eq!((&events[0]["total"], &events[0]["to_run"]), (&Value::from(4), &Value::from(4)));
    assert!(events[0]["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{}", events[0]);
    assert!(events[2]["score"].is_number() && events[2]["key"].is_string(), "{}", events[2]);
}

#[test]
fn a_task_runs_one_planned_run() {
    let folder = Folder::new(SWEEP);
    succeed(folder.sweep("peace", &[]));
    let message = fail(folder.mga(["sweep-task", "out", "0"]), 1);
    assert!(message.contains("no sweep was started here"), "{message}");
    folder.plan().unwrap().0.write(&|_| false).unwrap();
    for run in ["2", "0"] {
        succeed(folder.mga(["sweep-task", "out", run]));
    }
    let key = folder.plan().unwrap().0.cells[3].key.clone();
    succeed(folder.mga(["sweep-task", "out", &key]));
    assert!(said(&succeed(folder.mga(["sweep-task", "out", "0"]))).contains("finished already"));
    assert_eq!(folder.results("out").values().filter(|run| run.state == "finished").count(), 3);
    assert_eq!(started(&said(&succeed(folder.sweep("out", &[])))), ["attention-residual.seed-1"]);
    assert_eq!(folder.results("out"), folder.results("peace"));
}
