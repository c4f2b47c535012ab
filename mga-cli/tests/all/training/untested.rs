//! `data.split.test = 0`: every image trains, nothing is tested, and that is said wherever a score would stand.

use mga_testing::experiments::small;
use mga_testing::pictures::{left_half, picture};
use mga_testing::process::{fail, said, succeed, text};
use serde_json::Value;

use super::tiny::Tiny;

const DATA: &str = "dataset = \"image-folder\"\nroot = \"photos\"\nmask_root = \"../masks\"\nbatch_size = 4\nworkers = 1\n\
                    split = { test = 0 }\n";

/// Six images of each of two classes, in one tree.
fn tree(experiment: &str) -> Tiny {
    let tiny = Tiny::of(experiment);
    for (class, name) in ["oak", "ash"].iter().enumerate() {
        for index in 0..6 {
            picture(&tiny.path(&format!("photos/{name}/{index}.png")), (40 * index + 20 * class) as u8);
            left_half(&tiny.path(&format!("masks/{name}/{index}.png")));
        }
    }
    tiny
}

/// Trains without a score, and looks at all that speaks of the run.
fn trains_untested(tiny: &Tiny, last: &[&str]) {
    let output = succeed(tiny.train("run", last));
    let all = said(&output) + &text(&output.stdout);
    assert!(all.contains("data.split.test = 0") && all.contains("nothing is tested"), "{all}");
    assert!(all.contains("12 training, 0 validation and 0 test images"), "{all}");
    assert!(all.contains("not tested: there are no test images; there are no validation images either"), "{all}");
    let run = tiny.run("run");
    for key in ["selected", "last"] {
        assert_eq!(run.summary[key], Value::Null, "{}", run.summary);
    }
    assert_eq!((&run.summary["train_images"], &run.summary["test_images"]), (&12.into(), &0.into()));
    assert!(run.summary["steps"].as_u64().is_some_and(|steps| steps > 0));
    succeed(tiny.mga(["results", "list", "run"]));
    let report = text(&succeed(tiny.mga(["report", "run"])).stdout);
    assert!(report.contains("neither test nor validation images, so there is no score"), "{report}");
}

#[test]
fn a_classifier_trains_on_everything_and_is_not_tested() {
    let tiny = tree(&small("classification", "conv4", DATA));
    let last = ["eval.select_on='last'"];
    let checked = text(&succeed(tiny.mga(["check", "tiny.toml", "--set", last[0]])).stdout);
    assert!(checked.contains("12 training, 0 validation, 0 test images"), "{checked}");
    trains_untested(&tiny, &last);
    let refused = fail(tiny.train("no", &["eval.select_on='test'"]), 2);
    assert!(refused.contains("eval.select_on") && refused.contains("no test images"), "{refused}");
    assert!(!tiny.path("no").exists());
    let refused = fail(tiny.train("no", &["eval.select_on='last'", "data.split.test=-0.1"]), 2);
    assert!(refused.contains("data.split.test"), "{refused}");
}

#[test]
fn validation_images_still_select_and_the_report_says_what_the_numbers_are_of() {
    let tiny = tree(&small("classification", "conv4", DATA));
    let output = succeed(tiny.train("run", &["data.validation.fraction=0.34"]));
    assert!(text(&output.stdout).contains("not tested: there are no test images"), "{}", text(&output.stdout));
    let run = tiny.run("run");
    assert_eq!((&run.summary["split"], &run.summary["test_images"]), (&"validation".into(), &0.into()));
    assert!(run.summary["last"]["top1"].is_f64(), "{}", run.summary);
    let report = text(&succeed(tiny.mga(["report", "run"])).stdout);
    assert!(report.contains("there are no test images; the numbers are of the validation images"), "{report}");
}

#[test]
fn a_segmenter_trains_on_everything_and_is_not_tested() {
    let annotated = format!("{DATA}annotations = {{ source = \"masks\", classes = [\"background\", \"leaf\"] }}\n");
    let tiny = tree(&small("segmentation", "unet_small", &annotated));
    trains_untested(&tiny, &["eval.select_on='last'"]);
    let refused = fail(tiny.train("no", &["eval.select_on='test'"]), 2);
    assert!(refused.contains("eval.select_on") && refused.contains("no test images"), "{refused}");
}
