use super::*;
use crate::dataset::{Dataset, Record, Split};
use crate::datasets::file_set::FileSet;
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
fn masks_have_names_of_their_own_and_missing_ones_are_told_with_every_place() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a/1.jpg", "a/2.jpg", "b/3.jpg"] {
        rgb_jpeg(&folder.path().join(name), 5, 4);
    }
    for name in ["a/1_segmentation.png", "a/2_segmentation.png", "b/3_segmentation.png"] {
        grey_png(&folder.path().join("masks").join(name), 5, 4, |_, _| 255);
    }
    let opened = |json| open(&settings(json), &context(&folder)).unwrap();
    let without = opened(serde_json::json!({ "mask_root": "masks" }));
    let told = without.warnings().join("\n");
    let pattern = "data.mask_name = \"{stem}_segmentation.png\"";
    for part in ["3 of 3 images have no mask", "masks/a/1.png", "masks/a/1.jpg", "1_segmentation.png", pattern] {
        assert!(told.contains(part), "no {part} in: {told}");
    }
    assert!(without.missing_mask(2, "folder").contains("masks/b/3.png"));
    let named = opened(serde_json::json!({ "mask_root": "masks", "mask_name": "{stem}_segmentation.png" }));
    assert!((0..3).all(|index| named.has_mask(index, "folder")) && named.warnings().is_empty());
    // All in one folder: names have to differ.
    for name in ["1.png", "2.png"] {
        grey_png(&folder.path().join("flat").join(name), 5, 4, |_, _| 255);
    }
    let flat = serde_json::json!({ "mask_root": "flat", "mask_layout": "flat" });
    rgb_jpeg(&folder.path().join("b/1.jpg"), 5, 4);
    let shared = open(&settings(flat.clone()), &context(&folder)).unwrap_err().to_string();
    assert!(shared.contains("b/1.jpg: would have the mask of") && shared.contains("flat/1.png"), "{shared}");
    std::fs::remove_file(folder.path().join("b/1.jpg")).unwrap();
    let flat = opened(flat);
    assert_eq!((0..3).map(|index| flat.has_mask(index, "folder")).collect::<Vec<_>>(), [true, true, false]);
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

/// A folder with an image at each path.
fn tree(names: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    names.iter().for_each(|name| rgb_jpeg(&folder.path().join(name), 5, 4));
    folder
}

fn told(set: &FileSet) -> String {
    set.warnings().join("\n")
}

#[test]
fn parts_are_parts_in_any_case_and_this_is_told() {
    for [train, validation, test] in [
        ["Train", "Val", "Test"],
        ["TRAIN", "VALID", "TEST"],
        ["training", "validation", "testing"],
        ["train_set", "val_set", "test_set"],
        ["train", "Val", "Test"],
    ] {
        let names = [format!("{train}/a/1.jpg"), format!("{train}/b/2.jpg"), format!("{validation}/a/3.jpg")];
        let last = format!("{test}/b/4.jpg");
        let folder = tree(&[&names[0], &names[1], &names[2], &last]);
        let set = open(&ImageFolderSettings::default(), &context(&folder)).unwrap();
        let expected = [
            (names[0].as_str(), "a", Some(Split::Train)),
            (names[1].as_str(), "b", Some(Split::Train)),
            (names[2].as_str(), "a", Some(Split::Validation)),
            (last.as_str(), "b", Some(Split::Test)),
        ];
        assert_eq!(rows(&set), expected);
        let parts =
            [format!("`{train}` is train"), format!("`{validation}` is validation"), format!("`{test}` is test")];
        assert!(parts.iter().all(|part| told(&set).contains(part)), "{}", told(&set));
        // The reading of release 0.1.0 can still be had.
        let tree = open(&settings(serde_json::json!({ "layout": "tree" })), &context(&folder)).unwrap();
        assert_eq!(tree.classes().len(), 3);
    }
}

#[test]
fn what_may_be_part_or_class_is_not_guessed() {
    // No training part, or no class folders in it: they are classes, which is told where it is odd.
    let folder = tree(&["test/a/1.jpg", "valid/a/2.jpg"]);
    assert_eq!(open(&ImageFolderSettings::default(), &context(&folder)).unwrap().classes(), ["test", "valid"]);
    let folder = tree(&["Train/1.jpg", "Test/2.jpg"]);
    let set = open(&ImageFolderSettings::default(), &context(&folder)).unwrap();
    assert_eq!(set.classes(), ["Test", "Train"]);
    assert!(told(&set).contains("taken for classes: `Test`, `Train`; data.layout"), "{}", told(&set));
    let folder = tree(&["Train/a/1.jpg", "Test/a/2.jpg", "Car/3.jpg"]);
    let message = open(&ImageFolderSettings::default(), &context(&folder)).unwrap_err().to_string();
    assert!(message.contains("`Car` is no part") && message.contains("data.layout = \"tree\""), "{message}");
    let split = open(&settings(serde_json::json!({ "layout": "split" })), &context(&folder)).unwrap();
    assert_eq!((split.classes().to_vec(), split.len()), (vec!["a".to_owned()], 2));
}

#[test]
fn copies_that_systems_leave_are_no_classes() {
    let folder = tree(&[
        "a/1.jpg",
        "b/2.jpg",
        "__MACOSX/a/._1.jpg",
        "__MACOSX/c/1.jpg",
        "a/@eaDir/1.jpg/SYNOPHOTO_THUMB_M.jpg",
        "a/.thumbnails/1.jpg",
    ]);
    std::fs::write(folder.path().join("a/Thumbs.db"), "").unwrap();
    let set = open(&ImageFolderSettings::default(), &context(&folder)).unwrap();
    assert_eq!((set.classes().to_vec(), set.len()), (vec!["a".to_owned(), "b".to_owned()], 2));
    assert_eq!(set.warnings(), [""; 0]);
}

#[test]
fn the_level_of_the_classes_is_told_and_a_setting() {
    let folder = tree(&["Acer/rubrum/1.jpg", "Acer/saccharum/2.jpg", "Quercus/rubra/3.jpg", "Quercus/4.jpg"]);
    let set = open(&ImageFolderSettings::default(), &context(&folder)).unwrap();
    assert_eq!(set.classes(), ["Acer", "Quercus"]);
    assert!(told(&set).contains("the class of `Acer/rubrum` is `Acer`"), "{}", told(&set));
    assert!(
        told(&set).contains("hold 3 further folders") && told(&set).contains("data.class_level = 2"),
        "{}",
        told(&set)
    );
    let first = open(&settings(serde_json::json!({ "class_level": 1 })), &context(&folder)).unwrap();
    assert_eq!((rows(&first), told(&first)), (rows(&set), String::new()));
    let second = open(&settings(serde_json::json!({ "class_level": 2 })), &context(&folder)).unwrap();
    assert_eq!(second.classes(), ["Acer/rubrum", "Acer/saccharum", "Quercus/rubra"]);
    assert!(told(&second).contains("passed over 1 image outside the class folders"), "{}", told(&second));
    let both = serde_json::json!({ "class_level": 2, "classes": { "a": "Acer" } });
    assert!(open(&settings(both), &context(&folder)).unwrap_err().to_string().contains("data.class_level"));
    // Not a setting that old runs have: it is not written out where it is left out.
    let schema = serde_json::to_value(schemars::schema_for!(ImageFolderSettings)).unwrap();
    for key in ["class_level", "unlabelled_test"] {
        assert!(schema["properties"][key]["default"].is_null(), "{schema}");
    }
}

#[test]
fn test_images_in_no_class_folder_have_no_label() {
    let folder = tree(&["train/a/1.jpg", "train/b/2.jpg", "test/3.jpg", "test/4.jpg"]);
    let set = open(&ImageFolderSettings::default(), &context(&folder)).unwrap();
    assert_eq!(set.len(), 2);
    assert!(
        told(&set).contains("passed over 2 images outside the class folders")
            && told(&set).contains("data.unlabelled_test")
    );
    let set = open(&settings(serde_json::json!({ "unlabelled_test": true })), &context(&folder)).unwrap();
    let unlabelled: Vec<_> =
        set.records().iter().filter(|r| r.label.is_none()).map(|r| (r.id.as_str(), r.split)).collect();
    assert_eq!(unlabelled, [("test/3.jpg", Some(Split::Test)), ("test/4.jpg", Some(Split::Test))]);
    assert_eq!(set.classes(), ["a", "b"]);
}

#[cfg(unix)]
#[test]
fn names_that_are_no_text_are_refused_and_do_not_merge() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tree(&["oak/1.jpg", "ash/2.jpg"]);
    let latin = |bytes: &[u8]| folder.path().join(std::ffi::OsStr::from_bytes(bytes));
    rgb_jpeg(&latin(b"caf\xe8/1.jpg"), 5, 4);
    rgb_jpeg(&latin(b"caf\xe9/1.jpg"), 5, 4);
    rgb_jpeg(&latin(b"oak/\xe9.jpg"), 5, 4);
    let message = open(&ImageFolderSettings::default(), &context(&folder)).unwrap_err().to_string();
    for part in [r"/caf\xe8': has a name that is not UTF-8", r"/caf\xe9'", r"/oak/\xe9.jpg'", "convmv"] {
        assert!(message.contains(part), "{part} in: {message}");
    }
    assert!(message.lines().all(|line| line.starts_with("$'/")), "{message}");
    let skipping = OpenContext { skip_errors: true, ..context(&folder) };
    assert_eq!(open(&ImageFolderSettings::default(), &skipping).unwrap().classes(), ["ash", "oak"]);
}

#[test]
fn classes_and_plants_are_read_from_names() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["oak_07_1.jpg", "oak_07_2.jpg", "more/ash_1_1.jpg", "ash_7_1.jpg"] {
        rgb_jpeg(&folder.path().join(name), 5, 4);
    }
    let label = serde_json::json!({ "label": r"(?P<class>[a-z]+)_(?P<plant>\d+)_" });
    let set = open(&settings(label.clone()), &context(&folder)).unwrap();
    let groups = |set: &FileSet| set.records().iter().map(|r| r.group.clone()).collect::<Vec<_>>();
    let images =
        [("ash_7_1.jpg", "ash"), ("more/ash_1_1.jpg", "ash"), ("oak_07_1.jpg", "oak"), ("oak_07_2.jpg", "oak")];
    assert_eq!(rows(&set), images.map(|(image, class)| (image, class, None)));
    assert_eq!(groups(&set), ["ash/7", "ash/1", "oak/07", "oak/07"].map(|group| Some(group.to_owned())));
    // Names that do not match are listed, or left out and told.
    rgb_jpeg(&folder.path().join("scan.jpg"), 5, 4);
    let error = open(&settings(label.clone()), &context(&folder)).unwrap_err().to_string();
    assert!(error.contains("scan.jpg") && error.contains("data.label") && !error.contains("oak_07_1"), "{error}");
    let skipping = OpenContext { skip_errors: true, ..context(&folder) };
    let set = open(&settings(label), &skipping).unwrap();
    assert!(set.records().len() == 4 && set.warnings().iter().any(|w| w.contains("scan.jpg")), "{:?}", set.warnings());
}

#[test]
fn folders_are_the_classes_where_names_say_groups_alone() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["train/oak/p1_1.jpg", "train/ash/p1_1.jpg", "test/oak/p2_1.jpg"] {
        rgb_jpeg(&folder.path().join(name), 5, 4);
    }
    let set = open(&settings(serde_json::json!({ "label": "^.*/(?P<plant>p[0-9]+)_" })), &context(&folder)).unwrap();
    let found: Vec<_> = set.records().iter().map(|r| (r.id.as_str(), r.group.as_deref())).collect();
    let expected =
        [("train/ash/p1_1.jpg", "ash/p1"), ("train/oak/p1_1.jpg", "oak/p1"), ("test/oak/p2_1.jpg", "oak/p2")];
    assert_eq!(found, expected.map(|(image, group)| (image, Some(group))));
    let both = serde_json::json!({ "label": "(?P<class>p)", "class_level": 2 });
    let error = open(&settings(both), &context(&folder)).unwrap_err().to_string();
    assert!(error.contains("data.class_level") && error.contains("data.label"), "{error}");
}
