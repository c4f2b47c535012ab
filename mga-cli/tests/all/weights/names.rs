//! `mga weights pull`, `list` and `inspect`, and names that lead nowhere.

use mga_testing::stand_in::{COMMIT, Fault, safetensors};
use serde_json::Value;

use super::bench::Bench;

const RESNET: &str = "timm/resnet18.tv_in1k";

#[test]
fn pulled_weights_are_listed_inspected_and_found_offline() {
    let bench = Bench::new();
    bench.server.model(RESNET, &[("model.safetensors", &safetensors(5))]);
    let said = bench.done(&["weights", "pull", "resnet18"]);
    assert!(said.starts_with("timm/resnet18.tv_in1k at 01234567\n"), "{said}");
    let connections = bench.server.connections();
    for name in [RESNET, "resnet18", &format!("{RESNET}@{COMMIT}"), &format!("{RESNET}@main")] {
        assert_eq!(bench.done(&["weights", "pull", name, "--offline"]), said, "{name}");
    }
    let list: Value = serde_json::from_str(&bench.done(&["weights", "list", "--json"])).unwrap();
    let published = list["published"].as_array().unwrap();
    let entry = published.iter().find(|entry| entry["name"] == RESNET).unwrap();
    assert_eq!(entry["cached"][0]["commit"], COMMIT);
    assert_eq!((&entry["component"], &entry["default"]), (&"resnet18".into(), &true.into()));
    assert!(published.len() > 14 && list["cached"].as_array().unwrap().len() == 1);
    let table = bench.done(&["weights", "list"]);
    assert!(
        table.contains("resnet18 (imagenet)") && table.contains("timm/resnet18.tv_in1k@01234567 (main)"),
        "{table}"
    );
    let inspected = bench.done(&["weights", "inspect", RESNET, "--offline"]);
    assert!(inspected.contains("x") && inspected.contains("1 tensor, 5 numbers"), "{inspected}");
    let json: Value =
        serde_json::from_str(&bench.done(&["weights", "inspect", RESNET, "--json", "--offline"])).unwrap();
    assert_eq!(json["tensors"][0]["shape"], serde_json::json!([5]));
    assert_eq!(bench.server.connections(), connections);
}

#[test]
fn any_repository_works_by_its_full_name() {
    let bench = Bench::new();
    bench.server.model("me/net", &[("weights.safetensors", &safetensors(5)), ("README.md", b"x")]);
    bench.server.model("me/shards", &[("a.safetensors", &safetensors(5)), ("b.safetensors", &safetensors(6))]);
    bench.server.model("me/torch", &[("pytorch_model.bin", b"x")]);
    let said = bench.done(&["weights", "pull", "me/net"]);
    assert!(said.starts_with("me/net at 01234567, weights.safetensors\n"), "{said}");
    assert!(bench.done(&["weights", "pull", "me/net", "--offline"]) == said);
    let (message, _) = bench.refused(&["weights", "pull", "me/shards"]);
    assert!(message.contains("it has a.safetensors, b.safetensors"), "{message}");
    let (message, _) = bench.refused(&["weights", "pull", "me/torch"]);
    assert!(message.contains("it has pytorch_model.bin"), "{message}");
}

#[test]
fn what_is_wrong_is_one_clear_message() {
    let bench = Bench::new();
    bench.server.model(RESNET, &[("model.safetensors", b"<html>")]);
    bench.server.model("me/gated", &[("model.safetensors", &safetensors(5))]);
    bench.server.gate("me/gated");
    let cases = [
        ("resnet", "neither a network with published weights nor owner/name"),
        ("timm/resnet81.tv_in1k", "has no repository `timm/resnet81.tv_in1k`"),
        ("timm/resnet18.tv_in1k@v7", "has no revision `v7`"),
        ("me/gated", "set HF_TOKEN"),
        ("a/b@../c", "expected owner/name or owner/name@revision"),
        (RESNET, "no safetensors file"),
    ];
    for (name, expected) in cases {
        let (message, code) = bench.refused(&["weights", "pull", name]);
        let errors = message.lines().filter(|line| line.starts_with("error:")).count();
        assert!(message.contains(expected) && errors == 1, "{name}: {message}");
        assert_eq!(code, Some(1), "{name}");
    }
    assert_eq!(bench.cached(), [""; 0]);
    bench.write("old.pth", b"\x80\x02}q\x00.");
    let (message, _) = bench.refused(&["weights", "inspect", "old.pth"]);
    assert!(message.contains("mga weights convert"), "{message}");
}

#[test]
fn an_experiment_is_told_at_the_line_that_names_the_weights() {
    let bench = Bench::new();
    bench.server.model("me/net", &[("model.safetensors", &safetensors(5))]);
    let experiment = |weights: &str| {
        let text = format!(
            "[data]\ndataset = \"leaves\"\nsize = 16\ntrain_per_class = 2\ntest_per_class = 1\n[model]\n\
             backbone = \"resnet18\"\nweights = \"{weights}\"\n[eval]\nselect_on = \"last\"\n"
        );
        bench.write("x.toml", text);
    };
    let cases = [
        ("imagnet", "did you mean `imagenet`?"),
        ("timm/densenet161.tv_in1k", "holds weights of densenet161, model.backbone is resnet18"),
        ("timm/resnet18.tv_in1", "did you mean `timm/resnet18.tv_in1k`?"),
        ("me/net", "the weights do not fit the model"),
        ("me/net@v8", "has no revision `v8`"),
    ];
    for (weights, expected) in cases {
        experiment(weights);
        let (message, code) = bench.refused(&["check", "x.toml"]);
        assert!(message.contains("x.toml:8:11") && message.contains(expected), "{weights}: {message}");
        assert_eq!(code, Some(2), "{weights}");
    }
    // A hub that is down is no fault of the experiment.
    experiment("imagenet");
    bench.server.model(RESNET, &[("model.safetensors", &safetensors(5))]);
    bench.server.fault("GET", "/cdn/", Fault::Garbled, 1);
    let (message, code) = bench.refused(&["check", "x.toml"]);
    assert!(message.contains("sha256") && message.contains("model.weights = \"imagenet\""), "{message}");
    assert_eq!(code, Some(1));
}
