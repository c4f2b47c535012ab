//! Random and TPE searches, which go on as if they had never been stopped.

use std::collections::BTreeMap;

use mga_testing::process::{fail, said, succeed};
use serde_json::Value;

use super::fixture::Folder;

const SEARCH: &str = r#"name = "rates"
base = "base.toml"
search = "tpe"

[ranges]
"optimiser.learning_rate" = { log_uniform = [1e-5, 1e-1] }
"model.attention" = { choice = ["none", "residual"] }

[axes]
seed = [1, 2]

[budget]
runs = 11
startup = 2
"#;

#[test]
fn random_draws_are_those_of_their_numbers() {
    let folder = Folder::new(&SEARCH.replace("tpe", "random").replace("startup = 2", ""));
    let (plan, _) = folder.plan().unwrap();
    // Five draws fit, with two seeds each.
    assert_eq!(plan.cells.len(), 10);
    let draws: Vec<Option<usize>> = plan.cells.iter().map(|cell| cell.record.draw).collect();
    assert_eq!(draws[..4], [Some(0), Some(0), Some(1), Some(1)]);
    assert_eq!(plan.cells[2].record.settings, plan.cells[3].record.settings);
    assert!(plan.cells[2].key.starts_with("draw-1.seed-1-"), "{}", plan.cells[2].key);
    // More of them leave the first as they are.
    folder.write("sweep.toml", SEARCH.replace("tpe", "random").replace("startup = 2", "").replace("11", "16"));
    let (more, _) = folder.plan().unwrap();
    assert_eq!(more.cells.len(), 16);
    assert!(more.cells.iter().zip(&plan.cells).all(|(a, b)| a.key == b.key));
}

/// The draw of the best mean validation score, as the runs' own files have it.
fn best_draw(folder: &Folder) -> String {
    let mut scores: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for run in std::fs::read_dir(folder.path("peace/runs")).unwrap().map(|run| run.unwrap().path()) {
        let json = |name: &str| -> Value { serde_json::from_slice(&std::fs::read(run.join(name)).unwrap()).unwrap() };
        let score = json("summary.json")["best_score"].as_f64().unwrap();
        scores.entry(json("cell.json")["draw"].as_u64().unwrap()).or_default().push(score);
    }
    let mut best = (f64::NEG_INFINITY, 0);
    for (draw, scores) in scores {
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        best = if mean > best.0 { (mean, draw) } else { best };
    }
    best.1.to_string()
}

#[test]
fn a_search_that_is_stopped_goes_on_as_if_it_was_not() {
    let folder = Folder::new(SEARCH);
    let message = said(&succeed(folder.sweep("peace", &[])));
    assert!(message.contains("rates: 10 runs: 0 finished, 0 failed, 10 to run"), "{message}");
    // The last line is of a draw, by the mean over its seeds.
    let last = message.lines().last().unwrap();
    assert!(last.contains("best on validation: top1 ") && last.contains(", mean of 2 runs, draw "), "{message}");
    assert_eq!(best_draw(&folder), last.rsplit_once(", draw ").unwrap().1.split(' ').next().unwrap());
    let draws = |out: &str| -> Value {
        serde_json::from_slice(&std::fs::read(folder.path(out).join("draws.json")).unwrap()).unwrap()
    };
    assert_eq!(draws("peace")["values"].as_array().map(Vec::len), Some(5));
    // Given again it is finished: the draws read back are those that were made.
    let (before, plan) = (draws("peace"), std::fs::read(folder.path("peace/plan.json")).unwrap());
    let message = said(&succeed(folder.sweep("peace", &[])));
    assert!(message.contains("rates: 10 runs: 10 finished, 0 failed, 0 to run"), "{message}");
    assert_eq!((draws("peace"), std::fs::read(folder.path("peace/plan.json")).unwrap()), (before, plan));
    // The first two draws alone; then the rest.
    folder.write("sweep.toml", SEARCH.replace("11", "4"));
    succeed(folder.sweep("out", &["--jobs", "2"]));
    assert_eq!(draws("out")["values"].as_array().map(Vec::len), Some(2));
    folder.write("sweep.toml", SEARCH);
    let listed = String::from_utf8(succeed(folder.sweep("out", &["--dry-run"])).stdout).unwrap();
    assert!(listed.contains("6 are drawn when earlier ones have their scores"), "{listed}");
    succeed(folder.sweep("out", &["--jobs", "2"]));
    assert_eq!(draws("out"), draws("peace"));
    assert_eq!(folder.results("out"), folder.results("peace"));
    // Other ranges are another search.
    folder.write("sweep.toml", SEARCH.replace("learning_rate", "weight_decay"));
    let message = fail(folder.sweep("out", &[]), 1);
    assert!(message.contains("search in another folder"), "{message}");
}
