//! Which runs a sweep file asks for, and in which order.

use mga_sweep::Plan;
use serde_json::json;

use super::fixture::{Folder, SWEEP, readable};

fn keys(sweep: &str) -> Vec<String> {
    Folder::new(sweep).keys()
}

#[test]
fn seeds_vary_slowest_and_linked_settings_go_together() {
    let folder = Folder::new(SWEEP);
    assert_eq!(
        folder.keys(),
        ["attention-none.seed-1", "attention-residual.seed-1", "attention-none.seed-2", "attention-residual.seed-2"]
    );
    let (plan, warnings) = folder.plan().unwrap();
    assert_eq!((plan.name.as_str(), warnings.len()), ("tiny", 0));
    let cell = &plan.cells[2].record;
    assert_eq!(
        serde_json::Value::from(cell.settings.clone()),
        json!({
            "model.attention": "none", "model.mask_guidance": false,
        })
    );
    assert_eq!(serde_json::Value::from(cell.replicate.clone()), json!({ "seed": 2 }));
    assert_eq!((cell.order, cell.baseline, cell.variant.as_deref()), (2, true, None));
    assert!(!plan.cells[3].record.baseline);
    // The key tells the run: it ends in the identity's first digits, and no two are the same.
    assert!(plan.cells.iter().all(|cell| cell.key.ends_with(&format!("-{}", &cell.record.id[..8]))));
    assert_eq!(folder.plan().unwrap().0.cells[1].key, plan.cells[1].key);
}

#[test]
fn variants_are_crossed_with_the_axes() {
    let sweep = r#"
base = "base.toml"
baseline = "plain"
axes = { seed = [1, 2], "train.clip_norm" = [0.5, 1] }
[variants.plain]
model = { attention = "none", mask_guidance = false }
[variants.mga]
[variants."mga, centre"]
"data.masks.source" = "centre"
[[exclude]]
variant = "plain"
train.clip_norm = 1.0
"#;
    let folder = Folder::new(sweep);
    let expected = |seed: u32| {
        [
            format!("plain.clip_norm-0.5.seed-{seed}"),
            format!("mga.clip_norm-0.5.seed-{seed}"),
            format!("mga.clip_norm-1.seed-{seed}"),
            format!("mga__centre.clip_norm-0.5.seed-{seed}"),
            format!("mga__centre.clip_norm-1.seed-{seed}"),
        ]
    };
    assert_eq!(folder.keys(), [expected(1), expected(2)].concat());
    let (plan, _) = folder.plan().unwrap();
    assert_eq!(plan.name, "sweep");
    let record = &plan.cells[3].record;
    assert_eq!(record.variant.as_deref(), Some("mga, centre"));
    assert_eq!(
        serde_json::Value::from(record.settings.clone()),
        json!({
            "data.masks.source": "centre", "train.clip_norm": 0.5,
        })
    );
    let baselines: Vec<bool> = plan.cells.iter().map(|cell| cell.record.baseline).collect();
    assert_eq!(baselines.iter().filter(|baseline| **baseline).count(), 2);
    assert!(baselines[0] && baselines[5]);
}

#[test]
fn linked_seeds_repeat_an_arm() {
    let sweep = r#"
base = "base.toml"
[[linked]]
seed = [1, 2]
"data.validation.seed" = [11, 12]
[axes]
"optimiser.learning_rate" = [1e-3, 1e-2]
"#;
    let folder = Folder::new(sweep);
    assert_eq!(
        folder.keys(),
        [
            "learning_rate-0.001.seed-1",
            "learning_rate-0.01.seed-1",
            "learning_rate-0.001.seed-2",
            "learning_rate-0.01.seed-2",
        ]
    );
    let (plan, _) = folder.plan().unwrap();
    let replicate = serde_json::Value::from(plan.cells[2].record.replicate.clone());
    assert_eq!(replicate, json!({ "seed": 2, "data.validation.seed": 12 }));
}

#[test]
fn exclusions_may_name_what_only_the_base_sets() {
    let axes = "base = \"base.toml\"\naxes = { seed = [1, 2], \"model.attention\" = [\"residual\", \"multiply\"] }\n";
    let exclude = |text: &str| keys(&format!("{axes}[[exclude]]\n{text}"));
    assert_eq!(exclude("seed = 1"), ["attention-residual.seed-2", "attention-multiply.seed-2"]);
    assert_eq!(exclude("model.attention = \"multiply\"\nschedule.epochs = 2").len(), 2);
    let folder = Folder::new(&format!("{axes}[[exclude]]\nschedule.epochs = 3\nseed = 1"));
    let (plan, warnings) = folder.plan().unwrap();
    assert_eq!(plan.cells.len(), 4);
    assert!(warnings[0].contains("sweep.toml:3:1") && warnings[0].contains("excludes nothing"), "{warnings:?}");
}

#[test]
fn an_id_changes_with_what_the_numbers_depend_on_alone() {
    let folder = Folder::new(SWEEP);
    let ids = |folder: &Folder| -> Vec<String> {
        folder.plan().unwrap().0.cells.iter().map(|cell| cell.record.id.clone()).collect()
    };
    let base = folder.read("base.toml");
    let before = ids(&folder);
    for (from, to, same) in [
        ("threads = 1", "threads = 2", true),
        ("workers = 1", "workers = 2\nprefetch = 5", true),
        ("device = \"cpu\"", "device = \"auto\"\nname = \"x\"\ndescription = \"y\"", true),
        ("learning_rate = 1e-3", "learning_rate = 2e-3", false),
        ("test_per_class = 1", "test_per_class = 2", false),
        ("validation = { per_class = 1 }", "validation = { per_class = 1, seed = 5 }", false),
    ] {
        folder.write("base.toml", base.replace(from, to));
        assert_eq!(ids(&folder) == before, same, "{to}");
    }
}

#[test]
fn identities_tell_images_masks_and_splits_apart() {
    let folder = Folder::new(
        "base = \"base.toml\"\n[axes]\n\"data.masks.source\" = [\"veins\", \"silhouette\", \"ones\"]\n\
         \"data.validation.seed\" = [0, 1]\n",
    );
    let mut plan = folder.plan().unwrap().0;
    plan.write(&|_| false).unwrap();
    // Of the planned folder, without sweep file, data or weights.
    let opened = Plan::open(&folder.path("out")).unwrap();
    let keys = |plan: &Plan| plan.cells.iter().map(|cell| cell.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(&opened), keys(&plan));
    assert_eq!(
        opened.cells.iter().map(|cell| &cell.record).collect::<Vec<_>>(),
        plan.cells.iter().map(|cell| &cell.record).collect::<Vec<_>>()
    );
    assert_eq!(opened.cell("2").unwrap().key, opened.cells[2].key);
    assert_eq!(opened.cell(&opened.cells[1].key).unwrap().record.order, 1);
    let wrong = opened.cell("source-viens.seed-0").unwrap_err().to_string();
    assert!(wrong.contains("no run `source-viens.seed-0`"), "{wrong}");
    assert_eq!(readable(&opened.cells[0].key), "source-veins.seed-0");
}
