//! A run that is killed again and again, wherever that hits, ends as one that was left in peace.

use std::thread::sleep;
use std::time::{Duration, Instant};

use mga_core::random::Generator;

use crate::tiny::{SGD, Tiny, said, start, succeed};

/// How often a run is killed.
const KILLS: usize = 20;

#[cfg(test)]
fn killed_and_resumed(set: &[&str]) {
    let tiny = Tiny::new(set);
    let started = Instant::now();
    succeed(tiny.train("peace", &[]));
    let duration = started.elapsed();
    let peace = tiny.run("peace");
    assert_eq!((peace.summary["steps"].as_u64(), peace.metrics.len()), (Some(12), 15));

    // Early, late and in between, in a random order; a run that ended before its kill gives way to a new one.
    let mut random = Generator::new(213, "kills", &[set.len() as u64]);
    let mut moments: Vec<f64> = (0..KILLS).map(|slot| (slot as f64 + random.uniform()) / KILLS as f64).collect();
    random.shuffle(&mut moments);
    let (mut finished, mut kills) = (0, 0);
    while kills < KILLS {
        let out = format!("run-{finished}");
        let mut run = start(tiny.go_on(&out));
        sleep(duration.mul_f64(moments[kills]));
        // A run that has ended meanwhile cannot be killed any more, and says how it ended.
        run.kill().unwrap();
        let output = run.wait_with_output().unwrap();
        if output.status.code().is_none() {
            kills += 1;
            continue;
        }
        assert!(output.status.success(), "{}", said(&output));
        tiny.run(&out).assert_same(&peace);
        finished += 1;
        assert!(finished < 200, "runs end before they are killed");
    }
    let out = format!("run-{finished}");
    succeed(tiny.go_on(&out));
    tiny.run(&out).assert_same(&peace);
    // A run that has ended is evaluated again, and stays what it is.
    succeed(tiny.go_on(&out));
    tiny.run(&out).assert_same(&peace);
}

#[test]
fn a_killed_run_of_adamw_ends_as_one_left_in_peace() {
    killed_and_resumed(&[]);
}

#[test]
fn a_killed_run_of_sgd_ends_as_one_left_in_peace() {
    killed_and_resumed(&SGD);
}

#[test]
fn a_run_killed_before_its_first_checkpoint_starts_again() {
    let tiny = Tiny::new(&["train.checkpoint_every=0"]);
    succeed(tiny.train("peace", &[]));
    let mut run = start(tiny.train("run", &[]));
    while !tiny.path("run/experiment.toml").is_file() && run.try_wait().unwrap().is_none() {
        sleep(Duration::from_micros(200));
    }
    run.kill().unwrap();
    run.wait().unwrap();
    // However far it came, this is the folder of such a run: half a log, and selected weights without their checkpoint.
    let checkpoint = tiny.path("run/checkpoints/last.safetensors");
    if checkpoint.is_file() {
        std::fs::remove_file(&checkpoint).unwrap();
    }
    std::fs::write(tiny.path("run/metrics.jsonl"), "{\"kind\":\"step\",\"st").unwrap();
    succeed(tiny.mga(["train", "--resume", "run"]));
    tiny.run("run").assert_same(&tiny.run("peace"));
}
