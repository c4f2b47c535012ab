//! Controls from outside: networks that are shown masks, CBAM's gate, Grad-CAM and its deletion score.

use std::path::Path;

use mga_testing::process::text;
use serde_json::Value;

use super::place;

const EXPERIMENT: &str = "\
seed = 1
[data]
dataset = \"leaves\"
size = 48
train_per_class = 2
test_per_class = 1
[model]
backbone = \"conv4\"
attention = \"none\"
mask_guidance = false
[schedule]
epochs = 1
[eval]
select_on = \"last\"
";

#[test]
fn a_network_that_is_shown_masks_says_where_it_has_none() {
    let place = place();
    place.write("x.toml", EXPERIMENT);
    place.make_leaves("photos", 48, 2, 1);
    for (input, columns) in [("image-and-mask", 4), ("masked-image", 3)] {
        let set = format!("model.input={input}");
        let run = ["train", "x.toml", "--out", input, "--quiet", "--set", &set];
        place.done(&run);
        let summary = place.json(&format!("{input}/summary.json"));
        let weights = mga_models_header(&place.path(input).join("checkpoints/last.safetensors"));
        assert_eq!(weights.contains("mask_channel.weight"), columns == 4, "{input}");
        // Evaluated with the masks of the data set, as in the run.
        let evaluated: Value = serde_json::from_str(&place.done(&["eval", input])).unwrap();
        assert_eq!(evaluated["cross_entropy"], summary["last"]["cross_entropy"]);
        // Other masks, other numbers: it looks at them.
        let other: Value =
            serde_json::from_str(&place.done(&["eval", input, "--set", "data.masks.source=inverted"])).unwrap();
        assert_ne!(evaluated["cross_entropy"], other["cross_entropy"], "{input}");
        place.done(&["explain", "--weights", input, "--count", "2", "--out", "explained"]);
        for arguments in [
            &["predict", "photos/test", "--weights", input][..],
            &["explain", "photos/test", "--weights", input, "--out", "explained"],
            &["weights", "export", input, "exported"],
        ] {
            let refused = place.output(arguments);
            let said = text(&refused.stderr);
            assert!(
                refused.status.code() == Some(1) && said.contains("shown a mask") && said.contains(input),
                "{said}"
            );
        }
        let none = place.output(&["eval", input, "--set", "data.masks.source=none"]);
        assert_eq!(none.status.code(), Some(2));
        assert!(text(&none.stderr).contains("shows the network a mask"), "{}", text(&none.stderr));
        place.done(&["check", "x.toml", "--set", &set]);
    }
}

/// The names in a weight file's header.
fn mga_models_header(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    text(&bytes[8..8 + length])
}

#[test]
fn plain_and_cbam_are_explained_and_scored() {
    let place = place();
    place.write("x.toml", EXPERIMENT);
    place.done(&["train", "x.toml", "--out", "plain", "--quiet"]);
    let overview = place.json("plain/pictures/overview.json");
    assert_eq!(overview["columns"], serde_json::json!(["image", "grad-cam"]));
    assert_eq!(overview["images"].as_array().unwrap().len(), 10);

    let guided = ["--set", "model.attention=cbam-spatial", "--set", "model.mask_guidance=true"];
    place.done(&[&["train", "x.toml", "--out", "cbam", "--quiet"], &guided[..]].concat());
    let overview = place.json("cbam/pictures/overview.json");
    assert_eq!(overview["columns"], serde_json::json!(["image", "mask", "attention", "grad-cam"]));
    let names = mga_models_header(&place.path("cbam/checkpoints/last.safetensors"));
    assert!(names.contains("attention.conv.weight") && names.contains("attention.bn.running_var"));
    // Exported, and predicted from alone.
    place.done(&["weights", "export", "cbam", "exported"]);
    let program = place.read("exported/model.py");
    assert!(program.contains("nn.Conv2d(2, 1, 7"), "{program}");

    let explain = ["explain", "--weights", "cbam", "--count", "3", "--out", "maps", "--deletion", "--steps", "5"];
    let output = place.output(&[&explain[..], &["--class", "true", "--fill", "black"]].concat());
    let table = text(&output.stdout);
    let said = text(&output.stderr);
    assert!(output.status.success() && said.contains("mean of 3 images, lower is better: attention 0."), "{said}");
    let header = "path,label,predicted,confidence,picture,class,deletion_attention,deletion_grad_cam,deletion_random";
    assert_eq!(table.lines().next(), Some(header));
    let report = place.json("maps/deletion.json");
    assert_eq!((&report["steps"], &report["fill"]), (&5.into(), &"black".into()));
    for (image, line) in report["images"].as_array().unwrap().iter().zip(table.lines().skip(1)) {
        let row: Vec<&str> = line.split(',').collect();
        assert_eq!((row[1], image["class"].as_str()), (row[5], Some(row[5])), "the class is the true one");
        for (map, column) in [("attention", 6), ("grad-cam", 7), ("random", 8)] {
            let curve: Vec<f64> =
                image["maps"][map]["curve"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
            let area = curve.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0).sum::<f64>() / 5.0;
            assert!(curve.len() == 6 && (area - row[column].parse::<f64>().unwrap()).abs() < 1e-6, "{map} {line}");
        }
        // With all pixels taken away all maps end alike.
        let last = |map: &str| image["maps"][map]["curve"][5].as_f64().unwrap();
        assert!((last("attention") - last("random")).abs() < 1e-9);
    }
    let unknown = place.output(&["explain", "--weights", "cbam", "--out", "maps", "--class", "cultivar-3"]);
    assert!(text(&unknown.stderr).contains("did you mean"), "{}", text(&unknown.stderr));
}
