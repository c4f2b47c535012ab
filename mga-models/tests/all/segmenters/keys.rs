//! State-dict keys and sizes: published weights must fit, and a checkpoint written today the network of tomorrow.

use candle_core::{DType, Device};
use mga_core::parameter::{Kind, ParameterStore};
use mga_models::weights::load_tensors;
use mga_models::{Networks, builtin};

use super::CLASSES;

fn store(name: &str, classes: usize) -> ParameterStore {
    let mut store = ParameterStore::new(0, DType::F32, &Device::Cpu);
    let (registry, none) = (builtin(), serde_json::Map::new());
    let settings = mga_registry::OwnSettings::new("model", &none);
    let network = Networks::of(&registry).network(name).unwrap().build(store.root(), classes, settings).unwrap();
    assert_eq!(network.classes(), classes);
    store
}

fn lines(store: &ParameterStore, line: impl Fn(&str, &[usize], Kind) -> String) -> Vec<String> {
    store.entries().iter().map(|p| line(p.name(), p.tensor().dims(), p.kind())).collect()
}

#[test]
fn each_family_keeps_its_keys() {
    for name in ["fcn_resnet50", "deeplabv3_mobilenet_v3_large", "segformer_b0"] {
        let keys = lines(&store(name, CLASSES), |name, dims, kind| {
            let kept = if kind == Kind::Buffer { " (kept, not learnt)" } else { "" };
            format!("{name} {dims:?}{kept}")
        });
        insta::assert_snapshot!(name, keys.join("\n"));
    }
}

#[test]
fn hmsa_has_the_published_keys() {
    let published = include_str!("../../data/hmsa_hrnet48_ocr.keys.txt");
    let mut want: Vec<&str> = published.lines().filter(|key| !key.contains("num_batches_tracked")).collect();
    // Python's notation of a shape: `(64,)` and `(64, 3, 3, 3)`.
    let got = lines(&store("hmsa", CLASSES), |name, dims, _| match dims {
        [one] => format!("{name} ({one},)"),
        dims => format!("{name} ({})", dims.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    });
    let mut got: Vec<&str> = got.iter().map(String::as_str).collect();
    want.sort_unstable();
    got.sort_unstable();
    let missing: Vec<_> = want.iter().filter(|key| got.binary_search(key).is_err()).collect();
    let extra: Vec<_> = got.iter().filter(|key| want.binary_search(key).is_err()).collect();
    assert!(missing.is_empty() && extra.is_empty(), "missing {missing:#?}, extra {extra:#?}");
    assert_eq!(got.len(), want.len());
}

/// Numbers learnt, as torchvision (21 classes, with the auxiliary head) and the paper on SegFormer (150 classes, in
/// millions to one place) count them.
#[test]
fn sizes_are_the_published_ones() {
    let learnt = |name: &str, classes| -> usize {
        let store = store(name, classes);
        let weights = store.entries().iter().filter(|p| p.kind() == Kind::Weight);
        weights.map(|p| p.tensor().elem_count()).sum()
    };
    let torchvision = [
        ("fcn_resnet50", 35_322_218),
        ("fcn_resnet101", 54_314_346),
        ("deeplabv3_resnet50", 42_004_074),
        ("deeplabv3_resnet101", 60_996_202),
        ("deeplabv3_mobilenet_v3_large", 11_029_328),
    ];
    for (name, count) in torchvision {
        assert_eq!(learnt(name, 21), count, "{name}");
    }
    let millions = [("b0", 3.8), ("b1", 13.7), ("b2", 27.5), ("b3", 47.3), ("b4", 64.1), ("b5", 84.7)];
    for (size, want) in millions {
        let got = learnt(&format!("segformer_{size}"), 150) as f64 / 1e6;
        assert!((got - want).abs() < 0.1, "segformer_{size}: {got} million, the paper has {want}");
    }
}

#[test]
fn weights_of_other_classes_fit_but_for_the_last_layers() {
    let last: [(&str, &[&str]); 3] = [
        ("deeplabv3_mobilenet_v3_large", &["classifier.4", "aux_classifier.4"]),
        ("segformer_b0", &["decode_head.classifier"]),
        ("hmsa", &["ocr.cls_head", "ocr.aux_head.2"]),
    ];
    for (name, heads) in last {
        let file =
            store(name, 7).tensors().into_iter().map(|(name, tensor)| (format!("module.{name}"), tensor)).collect();
        let target = store(name, 3);
        let report = load_tensors(&target, file, &[], true).unwrap();
        assert_eq!(report.matched + report.reinitialised.len(), target.entries().len(), "{name}: {report}");
        assert_eq!(report.reinitialised.len(), 2 * heads.len(), "{name}: {report}");
        let known = |misfit: &mga_models::weights::Misfit| {
            heads.iter().any(|head| misfit.name.starts_with(&format!("{head}.")))
        };
        assert!(report.reinitialised.iter().all(known), "{name}: {report}");
    }
}
