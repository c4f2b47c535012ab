use super::*;
use crate::dataset::Dataset;
use crate::datasets::testing::{grey_png, rgb_jpeg};

/// Images a/1.jpg to a/4.jpg and a table over them.
fn table(csv: &str) -> (tempfile::TempDir, OpenContext) {
    let folder = tempfile::tempdir().unwrap();
    for n in 1..=4 {
        rgb_jpeg(&folder.path().join(format!("a/{n}.jpg")), 6, 4);
    }
    std::fs::write(folder.path().join("t.csv"), csv).unwrap();
    let context = OpenContext { root: Some(folder.path().to_path_buf()), skip_errors: false, ..OpenContext::default() };
    (folder, context)
}

fn settings(json: serde_json::Value) -> TableSettings {
    crate::registry::settings("table", &json).unwrap()
}

fn plain() -> TableSettings {
    settings(serde_json::json!({ "file": "t.csv" }))
}

fn message(settings: &TableSettings, context: &OpenContext) -> String {
    open(settings, context).unwrap_err().to_string()
}

#[test]
fn columns_become_records() {
    let (folder, context) = table(
        "\u{feff}split,file,label,group,mask\ntrain,a/1.jpg,10,p1,m.png\nVal,a/2.jpg,9,p2,\ntest,a/3.jpg,10,,\n,a/4.jpg,9,p1,\n",
    );
    grey_png(&folder.path().join("m.png"), 6, 4, |_, _| 255);
    let set = open(&plain(), &context).unwrap();
    let rows: Vec<_> = set.records().iter().map(|r| (r.id.as_str(), r.label, r.group.as_deref(), r.split)).collect();
    assert_eq!(
        rows,
        [
            ("a/1.jpg", Some(1), Some("p1"), Some(Split::Train)),
            ("a/2.jpg", Some(0), Some("p2"), Some(Split::Validation)),
            ("a/3.jpg", Some(1), None, Some(Split::Test)),
            ("a/4.jpg", Some(0), Some("p1"), None),
        ]
    );
    assert_eq!(set.classes(), ["9", "10"]);
    assert_eq!(set.mask_sources(), ["folder", "alpha"]);
    assert!(set.mask(0, "folder").unwrap().is_some() && set.mask(1, "folder").unwrap().is_none());
}

#[test]
fn columns_and_folders_are_settings() {
    let (_folder, context) = table("image;species;specimen\n1.jpg;oak;s1\n2.jpg;ash, white;s2\n");
    let json = serde_json::json!({
        "file": "t.csv", "image_root": "a", "delimiter": ";",
        "columns": { "file": "image", "label": "species", "group": "specimen" },
    });
    let set = open(&settings(json), &context).unwrap();
    assert_eq!(set.classes(), ["ash, white", "oak"]);
    assert_eq!((set.records()[0].id.as_str(), set.records()[0].group.as_deref()), ("a/1.jpg", Some("s1")));
    // Without a root, paths start at the table.
    let json = serde_json::json!({
        "file": context.root.as_ref().unwrap().join("t.csv"), "image_root": "a", "delimiter": ";",
        "columns": { "file": "image", "label": "species" },
    });
    assert_eq!(open(&settings(json), &OpenContext::default()).unwrap().records()[0].id, "a/1.jpg");
}

#[test]
fn a_fold_is_picked_by_repeat_and_number() {
    let csv = "file,label,split,repeat_0,repeat_1\na/1.jpg,x,train,0,1\na/2.jpg,y,train,1,0\na/3.jpg,x,train,1,1\na/4.jpg,y,test,,\n";
    let (_folder, context) = table(csv);
    let splits = |fold: &str| -> Vec<_> {
        let settings = TableSettings { fold: Some(fold.into()), ..plain() };
        open(&settings, &context).unwrap().records().iter().map(|r| r.split.unwrap()).collect()
    };
    assert_eq!(splits("0.0"), [Split::Test, Split::Train, Split::Train, Split::Test]);
    assert_eq!(splits("1.1"), [Split::Test, Split::Train, Split::Test, Split::Test]);
    for (fold, part) in [("2.0", "repeat_0, repeat_1"), ("0.7", "are: 0, 1"), ("3", "such as \"0.3\"")] {
        let text = message(&TableSettings { fold: Some(fold.into()), ..plain() }, &context);
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn two_column_lists() {
    let (folder, context) = table("");
    std::fs::rename(folder.path().join("a/4.jpg"), folder.path().join("a/4 b.jpg")).unwrap();
    std::fs::write(folder.path().join("train.txt"), "a/1.jpg 2\na/2.jpg\t10\n\n").unwrap();
    std::fs::write(folder.path().join("test.txt"), "a/4 b.jpg 2\r\n").unwrap();
    let lists = settings(serde_json::json!({ "train_list": "train.txt", "test_list": "test.txt" }));
    let set = open(&lists, &context).unwrap();
    let rows: Vec<_> = set.records().iter().map(|r| (r.id.as_str(), r.label, r.split)).collect();
    assert_eq!(
        rows,
        [
            ("a/1.jpg", Some(0), Some(Split::Train)),
            ("a/2.jpg", Some(1), Some(Split::Train)),
            ("a/4 b.jpg", Some(0), Some(Split::Test)),
        ]
    );
    assert_eq!(set.classes(), ["2", "10"]);
    std::fs::write(folder.path().join("test.txt"), "a/3.jpg\n").unwrap();
    assert!(message(&lists, &context).contains("test.txt: line 1"));
}

#[test]
fn every_faulty_line_is_told_or_skipped() {
    let csv = "file,label,split\na/1.jpg,x,train\na/2.jpg,,train\n,x,train\na/3.jpg,x,tset\na/9.jpg,x,train\na/4.jpg,y,test\na/4.jpg,x,train\n";
    let (folder, mut context) = table(csv);
    let text = message(&plain(), &context);
    for part in [
        "t.csv: line 3 has no label for a/2.jpg",
        "t.csv: line 4 has no file",
        "line 5 has the split `tset`",
        "a/9.jpg: there is no such file, which",
        "t.csv:6 names",
        "a/4.jpg: is listed 2 times",
    ] {
        assert!(text.contains(part), "{part} in:\n{text}");
    }
    context.skip_errors = true;
    let set = open(&plain(), &context).unwrap();
    assert_eq!((set.len(), set.warnings().len()), (2, 5), "{:?}", set.warnings());
    context.skip_errors = false;

    for (csv, part) in [
        ("path,label\na/1.jpg,x\n", "no column `file` (`data.columns.file`); its columns are: path, label"),
        ("file,label\na/1.jpg,x,y\n", "no readable CSV"),
        ("file,label\n", "no image here"),
    ] {
        std::fs::write(folder.path().join("t.csv"), csv).unwrap();
        assert!(message(&plain(), &context).contains(part), "{}", message(&plain(), &context));
    }
    let named = settings(serde_json::json!({ "file": "t.csv", "columns": { "mask": "m" } }));
    assert!(message(&named, &context).contains("no column `m`"));
    assert!(message(&settings(serde_json::json!({ "file": "u.csv" })), &context).contains("no such table"));
    assert!(message(&TableSettings::default(), &context).contains("data.file"));
}
