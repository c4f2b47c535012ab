//! The parts of a network and the segmenter, with settings of their own, in an experiment.

use serde_json::Value;

use crate::folder::{Folder, fail, succeed};

#[test]
fn an_experiment_of_them_is_checked_and_trained() {
    let folder = Folder::new();
    let cache = format!("data.masks.segmenter.cache='{}'", folder.path("masks").display());
    let text = succeed(folder.on("check", "inside.toml", &["--set", &cache]));
    assert!(text.contains("model: strided") && text.contains("bright"), "{text}");
    succeed(folder.on("train", "inside.toml", &["--out", "run", "--quiet", "--set", &cache]));
    let tensors = folder.tensors("run", "best.safetensors");
    // Channels of all three stages together, times four classes, in `f32`.
    assert_eq!(tensors["classifier.weight"].len(), 4 * (8 + 16 + 32) * 4);
    let resolved = folder.read("run", "experiment.toml");
    for line in ["width = 8", "outside = 0.2", "stages = 3", "level = 0.4"] {
        assert!(resolved.contains(line), "{line}: {resolved}");
    }
    // An evaluation shows the network masks too.
    let again: Value = serde_json::from_str(&succeed(folder.own(&["eval", "run"]))).unwrap();
    let summary: Value = serde_json::from_str(&folder.read("run", "summary.json")).unwrap();
    assert_eq!(again["cross_entropy"], summary["selected"]["cross_entropy"]);
    let said = folder.own(&["weights", "export", "run", "exported"]).output().unwrap().stderr;
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("model.attention = \"inside\""), "{said}");
}

#[test]
fn mistakes_are_told_at_their_keys() {
    let folder = Folder::new();
    for (set, expected) in [
        ("model.widht=8", "model.widht: unknown key, did you mean `width`?"),
        ("model.width=0", "model.width: expected"),
        ("model.attention={ name = 'inside', outsdie = 0.1 }", "did you mean `outside`?"),
        ("model.attention='insid'", "did you mean `inside`?"),
        ("model.head={ name = 'pyramid', stages = 9 }", "model.head.stages: expected 1 to 3"),
        ("model.head={ name = 'piramid' }", "did you mean `pyramid`?"),
        ("model.dropout=0.5", "a head that has a dropout"),
        ("model.mask_guidance=true", "has no map that masks could guide"),
        ("data.masks.source='none'", "`model.attention` shows the network a mask"),
        ("data.masks.source='brihgt'", "bright"),
        ("data.masks.segmenter.options={ levle = 0.5 }", "levle"),
    ] {
        let command = folder.on("check", "inside.toml", &["--set", set]);
        if expected.is_empty() {
            succeed(command);
            continue;
        }
        let said = fail(command);
        assert!(said.contains(expected), "{set}: {said}");
    }
}
