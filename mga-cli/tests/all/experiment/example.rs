//! The example of the documentation from its first command to its last, on fewer and smaller leaves.

use std::path::Path;
use std::process::Command;

use mga_testing::files::column;
use mga_testing::process::text;

use super::markdown::{commands, pages};

const PAGE: &str = "docs/example.md";

#[test]
fn the_example_runs_from_its_first_command_to_its_last() {
    let place = crate::place();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/example/photographs.sh");
    let made = Command::new("sh")
        .arg(script)
        .arg("photographs")
        .current_dir(place.folder())
        .envs([("MGA", env!("CARGO_BIN_EXE_mga")), ("LEAVES", "9"), ("SIZE", "48")])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", text(&made.stderr));
    assert!(text(&made.stdout).contains("90 photographs"), "{}", text(&made.stdout));

    let (_, page) = pages().into_iter().find(|(name, _)| name == PAGE).unwrap();
    let mut run = vec![];
    for command in commands(PAGE, &page) {
        let mut words: Vec<&str> = command.words.iter().map(String::as_str).collect();
        run.push(words[0].to_owned());
        if ["train", "sweep"].contains(&words[0]) {
            words.extend(["--set", "schedule.epochs=1"]);
        }
        let said = place.done(&words);
        match words[0] {
            "init" => {
                for part in
                    ["data.columns.label = Sorte", "data.columns.group = Pflanze", "groups: 30", "90 of 90 images"]
                {
                    assert!(said.contains(part), "no `{part}` in\n{said}");
                }
            }
            "check" => {
                // The mask of a photograph is that of the folder of masks, and not the photograph.
                let folds = place.read("photographs_folds.csv");
                let (files, masks) = (column(&folds, "file"), column(&folds, "mask"));
                assert!(files.iter().zip(&masks).all(|(file, mask)| *mask == format!("masks/{file}")), "{folds}");
            }
            "explain" => assert_eq!(column(&said, "picture").len(), 2),
            "report" => {
                for arm in ["plain (baseline)", "attention", "mga", "shuffled"] {
                    assert!(said.contains(arm), "no {arm} in\n{said}");
                }
            }
            _ => {}
        }
    }
    assert_eq!(run, ["init", "check", "train", "explain", "sweep", "sweep", "report"]);
    for file in ["report/index.html", "report/report.tex", "report/methods.md", "explained/overview.png"] {
        assert!(place.path(file).is_file(), "{file}");
    }
}
