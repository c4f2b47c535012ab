//! `mga predict` and `mga explain` from outside, on a run that was trained for it.

use std::path::Path;
use std::process::{Command, Output};

// `cfg(test)` tells clippy that it may unwrap.
#[cfg(test)]
fn mga(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mga")).current_dir(folder).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
fn done(folder: &Path, arguments: &[&str]) -> String {
    let output = mga(folder, arguments);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

const EXPERIMENT: &str = "\
seed = 1
[data]
dataset = \"image-folder\"
root = \"leaves\"
mask_root = \"masks\"
[model]
backbone = \"conv4\"
[schedule]
epochs = 1
[eval]
select_on = \"last\"
";

/// The columns of CSV under `name`.
#[cfg(test)]
fn column(table: &str, name: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let place = reader.headers().unwrap().iter().position(|header| header == name).unwrap();
    reader.records().map(|row| row.unwrap()[place].to_owned()).collect()
}

#[test]
fn a_run_predicts_and_explains_after_its_data_is_gone() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path();
    let small = ["--set", "size=48", "--set", "train_per_class=2", "--set", "test_per_class=1"];
    done(folder, &[&["data", "make", "--dataset", "leaves", "--out", "leaves"], &small[..]].concat());
    std::fs::write(folder.join("x.toml"), EXPERIMENT).unwrap();
    done(folder, &["train", "x.toml", "--out", "run", "--quiet"]);
    assert!(folder.join("run/pictures/overview.png").is_file());

    // Images of the split, with masks.
    let explained = done(folder, &["explain", "--weights", "run", "--count", "4", "--out", "explained"]);
    let pictures = column(&explained, "picture");
    assert_eq!(pictures.len(), 4);
    for picture in &pictures {
        let picture = image::open(folder.join(picture)).unwrap();
        assert_eq!((picture.width(), picture.height()), (4 * 48 + 3 * 4, 48));
    }
    assert!(folder.join("explained/overview.png").is_file());
    let labels = column(&explained, "label");
    assert!(labels.windows(2).all(|pair| pair[0] < pair[1]), "{labels:?}");

    // What evaluation said of the test images is what prediction says of the same files.
    std::fs::rename(folder.join("leaves"), folder.join("photos")).unwrap();
    let predict = ["predict", "photos/test", "--weights", "run", "--top", "2", "--overlays", "overlays"];
    let predicted = done(folder, &predict);
    let evaluated = std::fs::read_to_string(folder.join("run/predictions.csv")).unwrap();
    assert_eq!(column(&predicted, "predicted"), column(&evaluated, "predicted"));
    for (ours, theirs) in column(&predicted, "confidence").iter().zip(column(&evaluated, "confidence")) {
        assert!((ours.parse::<f64>().unwrap() - theirs.parse::<f64>().unwrap()).abs() < 1e-5, "{ours} {theirs}");
    }
    assert_eq!(column(&predicted, "confidence_2").len(), 10);
    assert_eq!(std::fs::read_dir(folder.join("overlays")).unwrap().count(), 10);

    // A checkpoint alone, JSON, and a file.
    let one = "photos/test/cultivar-03/0000.png";
    let alone = ["predict", one, "--weights", "run/checkpoints/last.safetensors", "--json", "--out", "one.json"];
    assert_eq!(done(folder, &alone), "");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(folder.join("one.json")).unwrap()).unwrap();
    assert_eq!(json[0]["predicted"], column(&predicted, "predicted")[3].as_str());
    assert_eq!(json[0]["top"].as_array().unwrap().len(), 5);

    // What cannot be read, or is too small for the network, is named; the others are predicted, and the end counts.
    std::fs::write(folder.join("photos/test/broken.png"), "no picture").unwrap();
    std::fs::write(folder.join("photos/test/phone.HEIC"), "no picture").unwrap();
    let whole = std::fs::read(folder.join(one)).unwrap();
    std::fs::write(folder.join("photos/test/cut.png"), &whole[..whole.len() / 2]).unwrap();
    image::RgbImage::new(3, 3).save(folder.join("photos/test/tiny.png")).unwrap();
    let broken = mga(folder, &["predict", "photos/test", "--weights", "run"]);
    assert_eq!(broken.status.code(), Some(1), "{}", text(&broken.stderr));
    assert_eq!(column(&text(&broken.stdout), "predicted"), column(&predicted, "predicted"));
    for part in
        ["broken.png", "cut.png", "phone.HEIC", "tiny.png: the network cannot take an image of 3 x 3", "4 of 14 images"]
    {
        assert!(text(&broken.stderr).contains(part), "{part}: {}", text(&broken.stderr));
    }
    let skip = ["predict", "photos/test", "--weights", "run", "--set", "data.on_error=skip"];
    assert_eq!(column(&done(folder, &skip), "path").len(), 10);
    let nothing = mga(folder, &["predict", "photos/test/broken.png", "--weights", "run"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(text(&nothing.stderr).contains("1 of 1 images"), "{}", text(&nothing.stderr));

    // A split needs the data set.
    let gone = mga(folder, &["explain", "--weights", "run", "--out", "explained"]);
    assert_eq!(gone.status.code(), Some(2), "{}", text(&gone.stderr));
    done(folder, &["explain", one, "--weights", "run", "--out", "explained"]);

    // Weights that lie in no run folder need an experiment, and a classifier of its width.
    std::fs::copy(folder.join("run/checkpoints/last.safetensors"), folder.join("free.safetensors")).unwrap();
    let free = mga(folder, &["predict", one, "--weights", "free.safetensors"]);
    assert!(text(&free.stderr).contains("--experiment"), "{}", text(&free.stderr));
    let free = ["predict", one, "--weights", "free.safetensors", "--experiment", "x.toml"];
    let named = [&free[..], &["--set", "data.root=photos", "--top", "1"]].concat();
    assert_eq!(column(&done(folder, &named), "predicted")[0], column(&predicted, "predicted")[3]);
    let other = [&free[..], &["--set", "data.dataset=leaves", "--set", "data.cultivars=12"]].concat();
    let other = mga(folder, &other);
    assert!(text(&other.stderr).contains("for the 12 classes"), "{}", text(&other.stderr));
}
