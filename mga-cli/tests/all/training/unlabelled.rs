//! Test images without labels, as challenges publish them (-1), are a part without scores.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StructArray};
use arrow_schema::{DataType, Field};
use image::{ImageFormat, Rgb, RgbImage};
use mga_testing::experiments::small;
use mga_testing::process::{fail, said, succeed};
use parquet::arrow::ArrowWriter;
use serde_json::Value;

use super::tiny::Tiny;

const DATA: &str =
    "dataset = \"hub\"\nroot = \"parquet\"\nbatch_size = 4\nworkers = 1\nvalidation = { per_class = 1 }\n";

/// Writes images with these labels as the hub does.
fn write(path: &Path, labels: &[i64]) {
    let image = |index: usize| {
        let mut bytes = Cursor::new(vec![]);
        let picture = RgbImage::from_fn(16, 16, |x, _| Rgb([x as u8 * 15, index as u8 * 20, 90]));
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    };
    let images: Vec<Vec<u8>> = (0..labels.len()).map(image).collect();
    let bytes: ArrayRef = Arc::new(BinaryArray::from_iter_values(&images));
    let images = StructArray::from(vec![(Arc::new(Field::new("bytes", DataType::Binary, false)), bytes)]);
    let labels: ArrayRef = Arc::new(Int64Array::from(labels.to_vec()));
    let batch = RecordBatch::try_from_iter([("image", Arc::new(images) as ArrayRef), ("label", labels)]).unwrap();
    let mut writer = ArrowWriter::try_new(std::fs::File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

fn with(train: &[i64], test: &[i64]) -> Tiny {
    let experiment = small("classification", "conv4", DATA);
    let plain = "[model]\nattention = \"none\"\nmask_guidance = false";
    let tiny = Tiny::of(&experiment.replace("[model]", plain));
    std::fs::create_dir_all(tiny.path("parquet/data")).unwrap();
    write(&tiny.path("parquet/data/train-00000-of-00001.parquet"), train);
    write(&tiny.path("parquet/data/test-00000-of-00001.parquet"), test);
    tiny
}

const TRAIN: [i64; 8] = [0, 1, 0, 1, 0, 1, 0, 1];

#[test]
fn unlabelled_test_images_are_predicted_and_not_scored() {
    let tiny = with(&TRAIN, &[-1, -1, -1]);
    let output = succeed(tiny.train("run", &[]));
    assert!(said(&output).contains("3 of 3 test images have no label"), "{}", said(&output));
    let run = tiny.run("run");
    let last = &run.summary["last"];
    assert_eq!((&last["top1"], &last["images"], &last["unlabelled"]), (&Value::Null, &0.into(), &3.into()));
    let predictions = String::from_utf8(run.rest["predictions.csv"].clone()).unwrap();
    let rows: Vec<&str> = predictions.lines().skip(1).collect();
    assert!(rows.len() == 3 && rows.iter().all(|row| row.ends_with(',') && row.contains(",,")), "{predictions}");
    // Tables, reports and evaluation take such a run.
    succeed(tiny.mga(["results", "list", "run"]));
    succeed(tiny.mga(["report", "run", "--out", "page"]));
    let output = succeed(tiny.mga(["eval", "run", "--out", "again"]));
    assert!(said(&output).contains("3 of 3 images have no label"), "{}", said(&output));
    assert_eq!(std::fs::read(tiny.path("again/predictions.csv")).unwrap(), predictions.as_bytes());
}

#[test]
fn those_with_labels_are_scored() {
    let tiny = with(&TRAIN, &[0, -1, 1]);
    succeed(tiny.train("run", &[]));
    let run = tiny.run("run");
    assert_eq!((&run.summary["last"]["images"], &run.summary["last"]["unlabelled"]), (&2.into(), &1.into()));
    assert!(run.summary["last"]["top1"].is_f64());
    succeed(tiny.mga(["report", "run"]));
}

#[test]
fn images_to_train_or_select_on_need_labels() {
    let tiny = with(&[0, 1, 0, 1, -1, -1, 1, 0], &[0, 1]);
    let message = fail(tiny.train("run", &[]), 2);
    assert!(message.contains("1 of 5 training images carry no label"), "{message}");
    let tiny = with(&TRAIN, &[-1, -1]);
    let message = fail(tiny.train("run", &["eval.select_on=test"]), 2);
    assert!(message.contains("2 of 2 test images carry no label"), "{message}");
    assert!(!tiny.path("run").exists());
}
