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
        ("file,label\na/1.jpg,x,y\n", "t.csv: line 2 has 3 cells where the header has 2"),
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

fn ids(set: &FileSet) -> Vec<&str> {
    set.records().iter().map(|record| record.id.as_str()).collect()
}

#[test]
fn tables_of_other_programs_are_read() {
    // As spreadsheets in Europe write them, on Windows; paths with backslashes.
    let csv = "\u{feff}file;label;group\r\na\\1.jpg;oak ;p1\r\n\r\na\\2.jpg;\u{a0}oak;p1\u{a0}\r\n;;\r\na/3.jpg; \"ash\";p2\r\n";
    let (_folder, context) = table(csv);
    let set = open(&plain(), &context).unwrap();
    assert_eq!(ids(&set), ["a/1.jpg", "a/2.jpg", "a/3.jpg"]);
    assert_eq!(set.classes(), ["ash", "oak"]);
    assert!(set.records()[..2].iter().all(|record| record.group.as_deref() == Some("p1")));
    let told = set.warnings().join("\n");
    for part in
        ["separated by `;`, not by `,`", "1 blank rows", "2 paths have backslashes", "blanks before their quotes"]
    {
        assert!(told.contains(part), "{part} in:\n{told}");
    }
    let (_folder, context) = table("file,label\r\n\r\na/1.jpg,x\r\na/2.jpg,\r\n");
    assert!(message(&plain(), &context).contains("t.csv: line 4 has no label"), "{}", message(&plain(), &context));
}

#[test]
fn a_table_in_another_encoding_is_named() {
    let (folder, context) = table("");
    std::fs::write(folder.path().join("t.csv"), b"file,label\na/1.jpg,caf\xe9\n").unwrap();
    std::fs::write(folder.path().join("train.txt"), b"a/1.jpg caf\xe9\n").unwrap();
    let lists = settings(serde_json::json!({ "train_list": "train.txt" }));
    let utf16: Vec<u8> = "\u{feff}file\tlabel\r\na/1.jpg\toak\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(folder.path().join("excel.txt"), utf16).unwrap();
    assert_eq!(open(&settings(serde_json::json!({ "file": "excel.txt" })), &context).unwrap().classes(), ["oak"]);
    for (settings, name) in [(plain(), "t.csv"), (lists, "train.txt")] {
        let message = message(&settings, &context);
        for part in [name, "Windows-1252", "caf\u{e9}", "iconv -f WINDOWS-1252 -t UTF-8"] {
            assert!(message.contains(part), "{part} in: {message}");
        }
    }
}

#[test]
fn files_in_another_composition_are_found() {
    let (folder, context) = table("file,label,mask\n\u{e9}/f\u{e9}.jpg,x,m\u{e9}.png\n");
    rgb_jpeg(&folder.path().join("e\u{301}/fe\u{301}.jpg"), 6, 4);
    grey_png(&folder.path().join("me\u{301}.png"), 6, 4, |_, _| 255);
    let set = open(&plain(), &context).unwrap();
    assert_eq!(ids(&set), ["e\u{301}/fe\u{301}.jpg"]);
    assert!(set.image(0).is_ok() && set.has_mask(0, "folder"));
    assert!(set.warnings()[0].contains("2 paths have letters and accents"), "{:?}", set.warnings());
}

#[test]
fn what_may_be_meant_is_said_once() {
    let rows: String = (1..=4).map(|i| format!("A/{i}.jpg,x\n")).collect();
    let (_folder, context) = table(&("file,label\n".to_owned() + &rows));
    let text = message(&plain(), &context);
    assert_eq!(text.matches("did you mean").count(), 1, "{text}");
    assert!(text.contains("t.csv: line 2 has A/1.jpg") && text.contains("did you mean a/1.jpg?"), "{text}");
    assert!(text.contains("4 rows name files in another case"), "{text}");
    let (_folder, context) = table("file,label\n/home/me/a/1.jpg,x\nC:\\me\\a\\2.jpg,y\nA/3.JPG,y\na/9.jpg,x\n");
    let text = message(&plain(), &context);
    for part in ["did you mean a/1.jpg?", "2 rows name files by paths of another machine", "did you mean a/3.jpg?"] {
        assert!(text.contains(part), "{part} in: {text}");
    }
    assert!(text.contains("a/9.jpg: there is no such file, which") && text.lines().count() == 3, "{text}");
    let (_folder, context) = table("file,label\n1.jpg,x\n");
    assert!(message(&plain(), &context).contains("data.image_root = \"a\""));
}

#[test]
fn files_without_their_extension_are_the_one_image_of_that_name() {
    let rows: String = (1..=4).map(|i| format!("a/{i},x\n")).collect();
    let (folder, context) = table(&("file,label\n".to_owned() + &rows));
    let set = open(&plain(), &context).unwrap();
    assert_eq!(ids(&set), ["a/1.jpg", "a/2.jpg", "a/3.jpg", "a/4.jpg"]);
    let told = "4 paths have no extension: read as the one image of that name";
    assert!(set.warnings().iter().any(|warning| warning.contains(told)), "{:?}", set.warnings());
    // Of two images of one name nobody can say which is meant.
    for n in [2, 3] {
        grey_png(&folder.path().join(format!("a/{n}.png")), 6, 4, |_, _| 9);
    }
    let text = message(&plain(), &context);
    assert!(text.contains("line 3 has a/2") && text.contains("it may be a/2.jpg or a/2.png"), "{text}");
    assert!(text.contains("2 rows name files without their extension, which may be several"), "{text}");
}

#[test]
fn every_fold_of_every_repeat_is_named() {
    let rows: String = (1..=4).map(|n| format!("a/{n}.jpg,x,{}.0,{}\n", n % 2, 8 + n)).collect();
    let (_folder, context) = table(&("file,label,repeat_0,repeat_1\n".to_owned() + &rows));
    let all = |json: serde_json::Value| folds(&settings(json), &context).unwrap();
    let named = serde_json::json!({ "file": "t.csv", "fold": "0.1" });
    assert_eq!(all(named), ["0.0", "0.1", "1.9", "1.10", "1.11", "1.12"]);
    // An experiment without a fold is of one split.
    assert!(all(serde_json::json!({ "file": "t.csv" })).is_empty());
}

#[test]
fn thousands_of_bad_rows_are_summed_up() {
    let rows: String = (0..5000).map(|i| format!("no/{i}.jpg,x\nx,\nx\n")).collect();
    let (_folder, mut context) = table(&("file,label\n".to_owned() + &rows));
    let text = message(&plain(), &context);
    assert_eq!(text.lines().count(), 33, "{text}");
    for part in
        ["and 4990 more files that are not there", "and 4990 more rows without a label", "more rows that cannot"]
    {
        assert!(text.contains(part), "{part} in: {text}");
    }
    context.skip_errors = true;
    assert!(message(&plain(), &context).lines().count() < 40);
}

#[test]
fn an_image_listed_twice_names_both_lines_and_the_labels() {
    let (folder, context) = table("file,label\na/1.jpg,x\na/2.jpg,y\n./a/1.jpg,y\na/2.jpg,y\n");
    let text = message(&plain(), &context);
    let t = folder.path().join("t.csv").display().to_string();
    let differ = format!("is listed 2 times ({t}:2, {t}:4) with labels that differ, `x`, `y`");
    let agree = format!("is listed 2 times ({t}:3, {t}:5), as `y` each time");
    assert!(text.contains(&differ) && text.contains(&agree), "{text}");
    std::fs::write(folder.path().join("train.txt"), "a/1.jpg 1\n").unwrap();
    std::fs::write(folder.path().join("test.txt"), "a/1.jpg 1\n").unwrap();
    let lists = settings(serde_json::json!({ "train_list": "train.txt", "test_list": "test.txt" }));
    assert!(message(&lists, &context).contains("test.txt:1"), "{}", message(&lists, &context));
}

#[test]
fn rows_without_a_mask_and_cells_of_several_lines_are_told() {
    let (folder, context) = table("file,label,mask\na/1.jpg,x,m.png\na/2.jpg,y,\na/3.jpg,y, \n");
    grey_png(&folder.path().join("m.png"), 6, 4, |_, _| 255);
    let set = open(&plain(), &context).unwrap();
    assert!(set.warnings()[0].contains("2 of 3 rows have no mask (first: line 3)"), "{:?}", set.warnings());
    let (_folder, context) = table("file,label\na/1.jpg,\"x\na/2.jpg,y\"\na/3.jpg,x\n");
    assert!(message(&plain(), &context).contains("line 2 has a cell of several lines, which begins `x`"));
    let (_folder, context) = table("file,label\na/1.jpg,\"x\na/2.jpg,y\na/3.jpg,x\n");
    assert!(message(&plain(), &context).contains("line 2 opens a quote that is never closed"));
}

#[test]
fn folds_as_data_frames_write_them() {
    let (_folder, context) = table("file,label,repeat_0\na/1.jpg,x,0.0\na/2.jpg,y,1.0\na/3.jpg,x,1.0\na/4.jpg,y,0.0\n");
    let settings = TableSettings { fold: Some("0.1".into()), ..plain() };
    let set = open(&settings, &context).unwrap();
    let splits: Vec<_> = set.records().iter().map(|record| record.split.unwrap()).collect();
    assert_eq!(splits, [Split::Train, Split::Test, Split::Test, Split::Train]);
}

#[test]
fn test_images_without_labels_are_a_part_of_their_own() {
    let labels = |csv: &str, settings: &TableSettings| {
        let (_folder, context) = table(csv);
        open(settings, &context)
            .map(|set| (set.classes().to_vec(), set.records().iter().map(|r| r.label).collect::<Vec<_>>()))
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    for none in ["-1", ""] {
        let csv =
            format!("file,label,split\na/1.jpg,0,train\na/2.jpg,1,train\na/3.jpg,{none},test\na/4.jpg,{none},test\n");
        let (classes, labels) = labels(&csv, &plain()).unwrap();
        assert_eq!((classes, labels), (names(&["0", "1"]), vec![Some(0), Some(1), None, None]));
    }
    // Where images are trained on it, -1 is a class; and one blank label among others is a fault.
    let (classes, _) =
        labels("file,label,split\na/1.jpg,-1,train\na/2.jpg,1,train\na/3.jpg,-1,test\n", &plain()).unwrap();
    assert_eq!(classes, ["-1", "1"]);
    let mixed = "file,label,split\na/1.jpg,0,train\na/2.jpg,1,test\na/3.jpg,,test\n";
    assert!(labels(mixed, &plain()).unwrap_err().to_string().contains("line 4 has no label"));
    let blank = "file,label,split\na/1.jpg,,train\na/2.jpg,1,train\na/3.jpg,,test\n";
    assert!(labels(blank, &plain()).unwrap_err().to_string().contains("line 2 has no label for a/1.jpg"));
    // The reading of release 0.1.0 can still be had: nothing stands for no label.
    let csv = "file,label,split\na/1.jpg,0,train\na/2.jpg,1,train\na/3.jpg,-1,test\n";
    let settings = TableSettings { unlabelled: Some("none".into()), ..plain() };
    assert_eq!(labels(csv, &settings).unwrap().0, ["-1", "0", "1"]);
    let csv = csv.replace("-1", "?");
    let settings = TableSettings { unlabelled: Some("?".into()), ..plain() };
    assert_eq!(labels(&csv, &settings).unwrap().1, [Some(0), Some(1), None]);
}
