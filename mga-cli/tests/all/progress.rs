//! What `mga train` says while it runs: JSON lines for machines, a line an epoch off a terminal, a bar on one.

#[cfg(target_os = "linux")]
use std::process::Command;
use std::process::Output;

use mga_testing::place::Place;
use mga_testing::process::{said, succeed, text};
use serde_json::Value;

#[cfg(target_os = "linux")]
use super::MGA;
use super::place;

const EXPERIMENT: &str = "\
seed = 1
[data]
dataset = \"leaves\"
size = 32
train_per_class = 3
test_per_class = 1
batch_size = 10
validation = { per_class = 1 }
[model]
backbone = \"conv4\"
[schedule]
epochs = 2
";

fn train(place: &Place, arguments: &[&str]) -> Output {
    place.write("x.toml", EXPERIMENT);
    succeed(place.mga([&["train", "x.toml", "--out", "run"], arguments].concat()))
}

#[test]
fn machines_get_an_object_a_line() {
    let place = place();
    let output = train(&place, &["--json", "--quiet"]);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<Value> = output
        .stdout
        .split(|&b| b == b'\n')
        .filter(|l| !l.is_empty())
        .map(|l| serde_json::from_slice(l).unwrap())
        .collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    let epoch = ["step", "step", "evaluating", "epoch"];
    assert_eq!(kinds, [&epoch[..], &epoch, &["result"]].concat());
    assert_eq!((&lines[4]["step"], &lines[4]["batch"], &lines[4]["batches"]), (&3.into(), &1.into(), &2.into()));
    assert!(lines[0]["seconds_left"].is_null() && lines[1]["seconds_left"].as_f64().unwrap() > 0.0);
    assert_eq!(lines[5]["seconds_left"], 0.0);
    assert!(lines[3]["score"] == lines[3]["evaluation"]["top1"] && lines[3]["score"] == lines[3]["best"]);
    let summary = place.json("run/summary.json");
    assert_eq!((&lines[8]["last"], &lines[8]["folder"]), (&summary["last"], &"run".into()));
}

#[test]
fn off_a_terminal_there_is_a_line_an_epoch() {
    let place = place();
    let output = train(&place, &[]);
    let said = said(&output);
    assert_eq!(said.lines().filter(|line| line.starts_with("epoch ")).count(), 2, "{said}");
    assert!(!said.contains('\u{1b}') && !said.contains('\r') && !said.contains("img/s"), "{said}");
}

/// `script` gives the program a terminal, where there is one (util-linux).
#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_there_is_a_bar() {
    let known = Command::new("script").arg("--version").output();
    if !known.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("util-linux")) {
        eprintln!("skipped: no `script` of util-linux here");
        return;
    }
    let place = place();
    place.write("x.toml", EXPERIMENT);
    let mut script = Command::new("script");
    script.args(["-qec", &format!("stty columns 160; {MGA} train x.toml --out run"), "/dev/null"]);
    let output = place.prepared(script).output().unwrap();
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}");
    for part in [
        "epoch 1/2 [",
        "epoch 2/2 [",
        "] 4/4 ",
        " img/s",
        "(left ",
        "top1 ",
        "(best ",
        "evaluating 10 validation images",
    ] {
        assert!(said.contains(part), "{part} in {said:?}");
    }
}

/// Folders and files whose names a terminal would obey: classes in colour, a title, a carriage return.
fn hostile() -> Place {
    let place = place();
    for (part, images, begin) in [("train", 4, 1), ("test", 2, 9)] {
        for (shade, class) in [(60u8, "\u{1b}[31mred"), (180, "=1+1"), (240, "\u{9b}2Jgone\r")] {
            let images_folder = place.path("images").join(part).join(class);
            std::fs::create_dir_all(&images_folder).unwrap();
            for image in 0..images {
                let picture = image::RgbImage::from_fn(32, 32, |x, y| {
                    image::Rgb([shade, x as u8 * 8, y as u8 * (image + begin)])
                });
                picture.save(images_folder.join(format!("\u{1b}]0;leaf {part} {image}\u{7}.png"))).unwrap();
            }
        }
    }
    let model = "backbone = \"conv4\"\nattention = \"none\"\nmask_guidance = false\n";
    let text = EXPERIMENT
        .replace("size = 32\ntrain_per_class = 3\ntest_per_class = 1\n", "root = \"images\"\n")
        .replace("\"leaves\"", "\"image-folder\"")
        .replace("backbone = \"conv4\"\n", model);
    place.write("\u{1b}[1mx.toml", text);
    place
}

#[test]
fn names_of_classes_and_files_are_spelt_out() {
    let place = hostile();
    let one = "images/test/\u{1b}[31mred";
    let mut heard = String::new();
    for (arguments, succeeds) in [
        (&["check", "\u{1b}[1mx.toml"][..], true),
        (&["data", "check", "\u{1b}[1mx.toml"], true),
        (&["data", "check", "\u{1b}[1mx.toml", "--json"], true),
        (&["train", "\u{1b}[1mx.toml", "--out", "\u{1b}[4mrun"], true),
        (&["eval", "\u{1b}[4mrun"], true),
        (&["predict", one, "--weights", "\u{1b}[4mrun"], true),
        (&["predict", one, "--weights", "\u{1b}[4mrun", "--json"], true),
        (&["results", "list", "\u{1b}[4mrun"], true),
        (&["data", "check", "\u{1b}[1mnowhere.toml"], false),
        (&["train", "\u{1b}[1mx.toml", "--out", "other", "--set", "\u{1b}[31mkey=1"], false),
        (&["predict", "\u{1b}[31mnowhere", "--weights", "\u{1b}[4mrun"], false),
        (&["no-\u{1b}[31mcommand"], false),
        (&["train", "--\u{1b}[31mflag"], false),
        (&["break", "\u{1b}[2Jbroken.png"], false),
        (&["data", "check", "\u{1b}[1mx.toml"], false),
        (&["train", "\u{1b}[1mx.toml", "--out", "third"], false),
    ] {
        if arguments[0] == "break" {
            place.write(&format!("images/train/=1+1/{}", arguments[1]), "no picture");
            continue;
        }
        let output = place.output(arguments);
        let said = text(&output.stdout) + &said(&output);
        assert_eq!(output.status.success(), succeeds, "{arguments:?}: {said:?}");
        let obeyed = |c: char| c.is_control() && c != '\n' && c != '\t';
        assert!(!said.contains(obeyed) && !said.is_empty(), "{arguments:?}: {said:?}");
        heard += &said;
    }
    for name in ["\\u001b[31mred", "\\u009b2Jgone\\u000d", "\\u001b[1mx.toml", "\\u001b]0;leaf test 0\\u0007.png"] {
        assert!(heard.contains(name), "{name}: {heard}");
    }
    // In files that mga reads again names are as they are; a spreadsheet does not calculate.
    let run = place.path("\u{1b}[4mrun");
    let table = std::fs::read_to_string(run.join("predictions.csv")).unwrap();
    assert!(table.contains(",'=1+1,") && !table.contains(",=1+1"), "{table}");
    let read = mga_report::results::Predictions::read(&run).unwrap();
    assert!(
        read.classes().contains(&"=1+1") && read.0.iter().any(|row| row.path.contains("/\u{1b}]0;leaf")),
        "{read:?}"
    );
    assert_eq!(mga_report::results::Confusion::read(&run).unwrap().classes.len(), 3);
}
