//! Tables and lists as people have them, trained on with the real program.

use mga_testing::experiments::small;
use mga_testing::pictures::picture;
use mga_testing::process::{fail, said, succeed};

use super::tiny::Tiny;

/// Eight images of two classes, two of each of four plants; and what names them.
fn eight() -> Tiny {
    let experiment = small("classification", "conv4", "dataset = \"table\"\nroot = \"images\"\nbatch_size = 4\n");
    let experiment = experiment.replace("[model]", "[eval]\nselect_on = \"last\"\n\n[model]\nmask_guidance = false");
    let tiny = Tiny::of(&experiment);
    (0..8).for_each(|index| picture(&tiny.path(&format!("images/{index}.png")), 30 * index));
    let list = |of: std::ops::Range<u8>| of.map(|index| format!("{index}.png {}\n", index % 2)).collect::<String>();
    tiny.write("images/train.txt", list(0..6));
    tiny.write("images/test.txt", list(6..8));
    let rows: String = (0..8).map(|i| format!("{i}.png;{};x{};{}\r\n", i % 2, i / 2, i % 4 / 2)).collect();
    tiny.write("images/sound.csv", format!("file;label;plant;repeat_0\r\n{rows}"));
    // Every plant is in both folds.
    let rows: String = (0..8).map(|i| format!("{i}.png,{},x{},{}\n", i / 4, i / 2, i % 2)).collect();
    tiny.write("images/torn.csv", format!("file,label,plant,repeat_0\n{rows}"));
    tiny
}

#[test]
fn a_table_without_named_columns_and_lists_are_trained_on() {
    let tiny = eight();
    succeed(tiny.train("folds", &["data.file=sound.csv", "data.fold=\"0.1\""]));
    assert_eq!(tiny.run("folds").summary["test_images"], 4);
    succeed(tiny.train("lists", &["data.train_list=train.txt", "data.test_list=test.txt"]));
    assert_eq!(tiny.run("lists").summary["test_images"], 2);
    // What was resolved is an experiment of its own.
    succeed(tiny.mga(["train", "lists/experiment.toml", "--out", "again"]));
    assert_eq!(tiny.run("again").rest["identity.json"], tiny.run("lists").rest["identity.json"]);
}

#[test]
fn a_fold_that_tears_groups_apart_is_refused_before_training_unless_it_is_allowed() {
    let tiny = eight();
    let torn = ["data.file=torn.csv", "data.fold=\"0.1\"", "data.columns.group=plant"];
    let why = "group `x0` (2 images) is in train and test, as well as 3 more groups";
    let message = fail(tiny.train("run", &torn), 2);
    assert!(message.contains(why) && message.contains("data.groups_may_leak = true"), "{message}");
    assert!(!tiny.path("run").exists());
    let check = |more: &[&str]| {
        let set = torn.iter().chain(more).flat_map(|set| ["--set", set]);
        tiny.mga(["check", "tiny.toml"].into_iter().chain(set))
    };
    assert!(fail(check(&[]), 2).contains(why));
    succeed(check(&["data.groups_may_leak=true"]));
    let sweep = "base = \"tiny.toml\"\n[axes]\nseed = [1]\n\"data.file\" = [\"torn.csv\"]\n\"data.fold\" = [\"0.1\"]\n\
                 \"data.columns.group\" = [\"plant\"]\n";
    tiny.write("sweep.toml", sweep);
    assert!(fail(tiny.mga(["sweep", "sweep.toml", "--out", "sweep", "--dry-run"]), 2).contains(why));
    let allowed = [&torn[..], &["data.groups_may_leak=true"]].concat();
    assert!(said(&succeed(tiny.train("run", &allowed))).contains(why));
    let resolved = tiny.read("run/experiment.toml");
    assert!(resolved.contains("groups_may_leak = true"), "{resolved}");

    // A run that release 0.1.0 began goes on: its experiment does not know of the setting, and it has a checkpoint.
    tiny.write("run/experiment.toml", resolved.replace("groups_may_leak = true\n", ""));
    std::fs::remove_file(tiny.path("run/summary.json")).unwrap();
    assert!(said(&succeed(tiny.go_on("run"))).contains(why));
}
