//! Runs in every state, for tests.

use crate::results::{Record, read};

/// A sweep of four: two finished, one failed, one half done; and their folder.
pub(super) fn records() -> (tempfile::TempDir, Vec<Record>) {
    let folder = sweep();
    let records = read(&[folder.path()]).unwrap().records;
    (folder, records)
}

/// The sweep's folder, with a stranger's folder in it.
pub(super) fn sweep() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |key: &str, name: &str, text: &str| {
        let run = folder.path().join("runs").join(key);
        std::fs::create_dir_all(&run).unwrap();
        std::fs::write(run.join(name), text).unwrap();
    };
    for (order, (key, attention)) in [
        ("none.seed-1", "none"),
        ("residual.seed-1", "residual"),
        ("none.seed-2", "none"),
        ("residual.seed-2", "residual"),
    ]
    .into_iter()
    .enumerate()
    {
        let seed = order / 2 + 1;
        let cell = format!(
            r#"{{"sweep": "attention", "order": {order}, "baseline": {}, "settings": {{"model.attention": "{attention}"}},
                "replicate": {{"seed": {seed}}}}}"#,
            attention == "none"
        );
        write(key, "cell.json", &cell);
        if order < 3 {
            let experiment =
                format!("seed = {seed}\n[model]\nattention = \"{attention}\"\nresidual_weights = [0.5, 0.5]\n");
            write(key, "experiment.toml", &experiment);
        }
    }
    for (key, epoch, top1, last) in [("none.seed-1", 4, "0.5", "1.0"), ("residual.seed-1", 5, "0.75", "0.1")] {
        let summary = format!(
            r#"{{"split": "test", "select_on": "validation", "epochs": 6, "test_images": 4, "training_seconds": 2.5,
                "selected": {{"kind": "eval", "split": "test", "epoch": {epoch}, "top1": {top1}, "mask_iou": null}},
                "last": {{"split": "test", "epoch": 5, "top1": {last}}}}}"#
        );
        write(key, "summary.json", &summary);
        write(key, "state.json", r#"{"state": "finished", "attempts": 1, "seconds": 3.25}"#);
        let identity = format!(
            r#"{{"id": "{key}", "experiment": "e", "data": "d", "weights": "none", "numerics": 1, "classes": 10}}"#
        );
        write(key, "identity.json", &identity);
        write(key, "environment.json", r#"{"mga": "0.1.0", "cores": 2, "command": ["mga", "train, \"it\""]}"#);
    }
    write("none.seed-2", "state.json", r#"{"state": "failed", "attempts": 2, "error": "the loss is NaN"}"#);
    write("residual.seed-2", "state.json", r#"{"state": "running", "attempts": 1}"#);
    write("holiday", "photo.txt", "");
    folder
}
