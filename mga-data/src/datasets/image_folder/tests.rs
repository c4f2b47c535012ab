use super::*;
use crate::dataset::Dataset;
use crate::datasets::testing::{alpha_png, grey_png, rgb_jpeg};

fn context(folder: &tempfile::TempDir) -> OpenContext {
    OpenContext { root: Some(folder.path().to_path_buf()), skip_errors: false, ..OpenContext::default() }
}

fn settings(json: serde_json::Value) -> ImageFolderSettings {
    crate::registry::settings("image-folder", &json).unwrap()
}

fn rows(set: &FileSet) -> Vec<(&str, &str, Option<Split>)> {
    let class = |r: &Record| r.label.and_then(|l| set.classes().get(l)).map_or("", String::as_str);
    set.records().iter().map(|r| (r.id.as_str(), class(r), r.split)).collect()
}

#[test]
fn parts_are_taken_from_folders() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["train/b/2.jpg", "train/a/1.jpg", "train/b/deep/3.jpg", "validation/a/4.jpg", "test/b/5.jpg"] {
        rgb_jpeg(&folder.path().join(name), 5, 4);
    }
    rgb_jpeg(&folder.path().join("extra/x.jpg"), 5, 4);
    std::fs::write(folder.path().join("train/a/notes.txt"), "text").unwrap();
    let set = open(&ImageFolderSettings::default(), &context(&folder)).unwrap();
    assert_eq!(
        rows(&set),
        [
            ("train/a/1.jpg", "a", Some(Split::Train)),
            ("train/b/2.jpg", "b", Some(Split::Train)),
            ("train/b/deep/3.jpg", "b", Some(Split::Train)),
            ("validation/a/4.jpg", "a", Some(Split::Validation)),
            ("test/b/5.jpg", "b", Some(Split::Test)),
        ]
    );
    assert!(set.warnings().iter().any(|w| w.contains("extra")), "{:?}", set.warnings());
    assert!(set.warnings().iter().any(|w| w.contains("notes.txt")), "{:?}", set.warnings());
    assert_eq!(set.mask_sources(), ["alpha"]);
    // A class may well be called `train`.
    let tree = open(&settings(serde_json::json!({ "layout": "tree" })), &context(&folder)).unwrap();
    assert_eq!(tree.classes(), ["extra", "test", "train", "validation"]);
}

#[test]
fn named_classes_and_exclusions() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["animals/birds/1.jpg", "animals/birds/2_cartoon.jpg", "more/b/3.jpg", "animals/fish/4.jpg"] {
        rgb_jpeg(&folder.path().join(name), 5, 4);
    }
    let json = serde_json::json!({
        "classes": { "fish": "animals/fish", "bird": ["animals/birds", "more"] },
        "exclude": ["*cartoon*", "*.bmp"],
    });
    let set = open(&settings(json), &context(&folder)).unwrap();
    assert_eq!(
        rows(&set),
        [("animals/birds/1.jpg", "bird", None), ("more/b/3.jpg", "bird", None), ("animals/fish/4.jpg", "fish", None)]
    );
    assert!(set.warnings().iter().any(|w| w.contains("*.bmp")), "{:?}", set.warnings());

    let json = serde_json::json!({ "classes": { "fish": "animals/fish", "mammal": "animals/mamals" } });
    let message = open(&settings(json), &context(&folder)).unwrap_err().to_string();
    assert!(message.contains("animals/mamals") && message.contains("data.classes.mammal"), "{message}");
    let json = serde_json::json!({ "classes": { "all": "animals", "fish": "animals/fish" } });
    let message = open(&settings(json), &context(&folder)).unwrap_err().to_string();
    assert!(message.contains("animals/fish/4.jpg: is listed 2 times"), "{message}");
    let message = open(&settings(serde_json::json!({ "exclude": ["[a"] })), &context(&folder)).unwrap_err().to_string();
    assert!(message.contains("data.exclude"), "{message}");
}

#[test]
fn masks_lie_in_a_mirrored_tree() {
    let folder = tempfile::tempdir().unwrap();
    rgb_jpeg(&folder.path().join("a/1.jpg"), 5, 4);
    rgb_jpeg(&folder.path().join("b/deep/2.jpg"), 5, 4);
    grey_png(&folder.path().join("masks/a/1.png"), 5, 4, |x, _| u8::from(x == 0));
    grey_png(&folder.path().join("masks/b/deep/2.png"), 5, 4, |_, _| 255);
    let json = serde_json::json!({ "mask_root": "masks" });
    let set = open(&settings(json.clone()), &context(&folder)).unwrap();
    assert_eq!(set.classes(), ["a", "b"], "the masks are no class");
    assert_eq!(set.mask_sources(), ["folder", "alpha"]);
    assert_eq!(set.mask(0, "folder").unwrap().unwrap().values()[..5], [1.0, 0.0, 0.0, 0.0, 0.0]);
    assert!(set.has_mask(1, "folder"));

    grey_png(&folder.path().join("masks/b/deep/2.png"), 4, 5, |_, _| 255);
    let message = open(&settings(json.clone()), &context(&folder)).unwrap_err().to_string();
    assert!(message.contains("masks/b/deep/2.png: is a mask of 4 x 5") && message.contains("on its side"), "{message}");
    let skipping = OpenContext { skip_errors: true, ..context(&folder) };
    assert_eq!(rows(&open(&settings(json), &skipping).unwrap()), [("a/1.jpg", "a", None)]);
}

#[test]
fn alpha_is_a_mask_over_the_background() {
    let folder = tempfile::tempdir().unwrap();
    alpha_png(&folder.path().join("a/1.png"), 4, 2, [255, 0, 0], |x, _| if x < 2 { 255 } else { 0 });
    rgb_jpeg(&folder.path().join("a/2.jpg"), 4, 2);
    let set = open(&settings(serde_json::json!({ "background": [0, 0, 255] })), &context(&folder)).unwrap();
    let (picture, mask) = set.image_and_mask(0, "alpha").unwrap();
    assert_eq!(picture.pixels()[3..9], [1.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(mask.unwrap().values()[..4], [1.0, 1.0, 0.0, 0.0]);
    assert_eq!(set.mask(0, "alpha").unwrap().unwrap().values()[..4], [1.0, 1.0, 0.0, 0.0]);
    assert!(set.image_and_mask(1, "alpha").unwrap().1.is_none());
    assert!(set.has_mask(0, "alpha") && !set.has_mask(1, "alpha"));
    let clutter = open(&settings(serde_json::json!({ "background": "clutter" })), &context(&folder)).unwrap();
    assert_ne!(clutter.image(0).unwrap(), picture);
    assert_eq!(clutter.image(0).unwrap(), clutter.image(0).unwrap());
}

#[test]
fn faults_are_told_by_path() {
    let folder = tempfile::tempdir().unwrap();
    rgb_jpeg(&folder.path().join("a/1.jpg"), 5, 4);
    std::fs::write(folder.path().join("a/2.png"), "").unwrap();
    std::fs::write(folder.path().join("a/3.NEF"), "raw").unwrap();
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    let message = open(&ImageFolderSettings::default(), &context(&folder)).unwrap_err().to_string();
    for part in ["a/2.png: is empty", "a/3.NEF: is camera raw (NEF)", "class `empty` has no image"] {
        assert!(message.contains(part), "{part} in:\n{message}");
    }
    let skipping = OpenContext { skip_errors: true, ..context(&folder) };
    let set = open(&ImageFolderSettings::default(), &skipping).unwrap();
    assert_eq!((set.classes().to_vec(), set.warnings().len()), (vec!["a".to_owned()], 3));
    let nowhere =
        OpenContext { root: Some(folder.path().join("nowhere")), skip_errors: false, ..OpenContext::default() };
    assert!(open(&ImageFolderSettings::default(), &nowhere).unwrap_err().to_string().contains("data.root"));
    let none = OpenContext { root: Some(folder.path().join("empty")), skip_errors: true, ..OpenContext::default() };
    assert!(open(&ImageFolderSettings::default(), &none).unwrap_err().to_string().contains("no image"));
    assert!(
        crate::registry::settings::<ImageFolderSettings>("image-folder", &serde_json::json!({ "clases": {} })).is_err()
    );
}
