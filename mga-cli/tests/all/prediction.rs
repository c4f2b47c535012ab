//! `mga predict` and `mga explain` from outside, on a run that was trained for it.

use mga_testing::files::column;
use mga_testing::process::text;

use super::place;

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

#[test]
fn a_run_predicts_and_explains_after_its_data_is_gone() {
    let place = place();
    place.make_leaves("leaves", 48, 2, 1);
    place.write("x.toml", EXPERIMENT);
    place.done(&["train", "x.toml", "--out", "run", "--quiet"]);
    assert!(place.path("run/pictures/overview.png").is_file());

    // Images of the split, with masks.
    let explained = place.done(&["explain", "--weights", "run", "--count", "4", "--out", "explained", "--plain"]);
    let pictures = column(&explained, "picture");
    assert_eq!(pictures.len(), 4);
    let size = |path: &str| {
        let picture = image::open(place.path(path)).unwrap();
        (picture.width(), picture.height())
    };
    for picture in &pictures {
        // Four pictures of 48 pixels, enlarged so that words fit, and each as it is in a file of its own.
        let (width, height) = size(picture);
        assert!((4 * 192..5 * 192).contains(&width) && height > 192, "{width} x {height}");
        for column in ["image", "mask", "attention", "grad-cam"] {
            assert_eq!(size(&picture.replace(".png", &format!(".{column}.png"))), (48, 48));
        }
    }
    assert!(place.path("explained/overview.png").is_file());

    // The gallery says where each of its pictures stands.
    let gallery: serde_json::Value = place.json("run/pictures/overview.json");
    let (width, height) = size("run/pictures/overview.png");
    for image in gallery["images"].as_array().unwrap() {
        let place = &image["places"]["attention"];
        let number = |key: &str| u32::try_from(place[key].as_u64().unwrap()).unwrap();
        assert!(number("x") + number("width") <= width && number("y") + number("height") <= height, "{place}");
    }

    // For print, out of the originals.
    let print = ["explain", "--weights", "run", "--count", "1", "--out", "print", "--plain", "--size", "300"];
    let picture = column(&place.done(&print), "picture")[0].replace(".png", ".attention.png");
    assert_eq!(size(&picture), (300, 300));
    let labels = column(&explained, "label");
    assert!(labels.windows(2).all(|pair| pair[0] < pair[1]), "{labels:?}");

    // What evaluation said of the test images is what prediction says of the same files.
    std::fs::rename(place.path("leaves"), place.path("photos")).unwrap();
    let predict = ["predict", "photos/test", "--weights", "run", "--top", "2", "--overlays", "overlays"];
    let predicted = place.done(&predict);
    let evaluated = place.read("run/predictions.csv");
    assert_eq!(column(&predicted, "predicted"), column(&evaluated, "predicted"));
    for (ours, theirs) in column(&predicted, "confidence").iter().zip(column(&evaluated, "confidence")) {
        assert!((ours.parse::<f64>().unwrap() - theirs.parse::<f64>().unwrap()).abs() < 1e-5, "{ours} {theirs}");
    }
    assert_eq!(column(&predicted, "confidence_2").len(), 10);
    assert_eq!(std::fs::read_dir(place.path("overlays")).unwrap().count(), 10);

    // A checkpoint alone, JSON, and a file.
    let one = "photos/test/cultivar-03/0000.png";
    let alone = ["predict", one, "--weights", "run/checkpoints/last.safetensors", "--json", "--out", "one.json"];
    assert_eq!(place.done(&alone), "");
    let json: serde_json::Value = place.json("one.json");
    assert_eq!(json[0]["predicted"], column(&predicted, "predicted")[3].as_str());
    assert_eq!(json[0]["top"].as_array().unwrap().len(), 5);

    // What cannot be read, or is too small for the network, is named; the others are predicted, and the end counts.
    place.write("photos/test/broken.png", "no picture");
    place.write("photos/test/phone.HEIC", "no picture");
    let whole = std::fs::read(place.path(one)).unwrap();
    place.write("photos/test/cut.png", &whole[..whole.len() / 2]);
    image::RgbImage::new(3, 3).save(place.path("photos/test/tiny.png")).unwrap();
    let broken = place.output(&["predict", "photos/test", "--weights", "run"]);
    assert_eq!(broken.status.code(), Some(1), "{}", text(&broken.stderr));
    assert_eq!(column(&text(&broken.stdout), "predicted"), column(&predicted, "predicted"));
    for part in
        ["broken.png", "cut.png", "phone.HEIC", "tiny.png: the network cannot take an image of 3 x 3", "4 of 14 images"]
    {
        assert!(text(&broken.stderr).contains(part), "{part}: {}", text(&broken.stderr));
    }
    let skip = ["predict", "photos/test", "--weights", "run", "--set", "data.on_error=skip"];
    assert_eq!(column(&place.done(&skip), "path").len(), 10);
    let nothing = place.output(&["predict", "photos/test/broken.png", "--weights", "run"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(text(&nothing.stderr).contains("1 of 1 images"), "{}", text(&nothing.stderr));

    // A split needs the data set.
    let gone = place.output(&["explain", "--weights", "run", "--out", "explained"]);
    assert_eq!(gone.status.code(), Some(2), "{}", text(&gone.stderr));
    place.done(&["explain", one, "--weights", "run", "--out", "explained"]);

    // Weights that lie in no run folder need an experiment, and a classifier of its width.
    std::fs::copy(place.path("run/checkpoints/last.safetensors"), place.path("free.safetensors")).unwrap();
    let free = place.output(&["predict", one, "--weights", "free.safetensors"]);
    assert!(text(&free.stderr).contains("--experiment"), "{}", text(&free.stderr));
    let free = ["predict", one, "--weights", "free.safetensors", "--experiment", "x.toml"];
    let named = [&free[..], &["--set", "data.root=photos", "--top", "1"]].concat();
    assert_eq!(column(&place.done(&named), "predicted")[0], column(&predicted, "predicted")[3]);
    let other = [&free[..], &["--set", "data.dataset=leaves", "--set", "data.cultivars=12"]].concat();
    let other = place.output(&other);
    assert!(text(&other.stderr).contains("for the 12 classes"), "{}", text(&other.stderr));
}
