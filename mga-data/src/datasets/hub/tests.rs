use std::path::{Path, PathBuf};

use mga_hub::{Hub, Settings, Silent};
use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::*;
use crate::dataset::Split;

const SCHEMA: &str = "message schema {
    optional group image { optional binary bytes; optional binary path (STRING); }
    optional int64 label;
    required binary name (STRING);
    optional binary part (STRING);
    optional group veins { optional binary bytes; }
}";

/// One row: a grey value, a label, a name, a part.
type Row<'a> = (u8, i64, &'a str, &'a str);

fn png(value: u8) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(vec![]);
    let picture = image::RgbImage::from_pixel(3, 2, image::Rgb([value; 3]));
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Writes texts or bytes of one column; `None` is an empty cell. `level` is that of a filled one.
fn column(group: &mut SerializedRowGroupWriter<'_, std::fs::File>, level: i16, cells: Vec<Option<Vec<u8>>>) {
    let mut writer = group.next_column().unwrap().unwrap();
    let levels: Vec<i16> = cells.iter().map(|cell| if cell.is_some() { level } else { 0 }).collect();
    let values: Vec<ByteArray> = cells.into_iter().flatten().map(ByteArray::from).collect();
    let levels = (level > 0).then_some(levels.as_slice());
    writer.typed::<ByteArrayType>().write_batch(&values, levels, None).unwrap();
    writer.close().unwrap();
}

/// A parquet file in row groups of two; images of 3 x 2 pixels, and every second row without a mask.
fn write(path: &Path, rows: &[Row<'_>], names: &[&str]) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let features = format!(r#"{{"info":{{"features":{{"label":{{"names":{names:?},"_type":"ClassLabel"}}}}}}}}"#);
    let metadata = (!names.is_empty()).then(|| vec![KeyValue::new("huggingface".to_owned(), features)]);
    let properties = WriterProperties::builder().set_key_value_metadata(metadata).set_compression(Compression::SNAPPY);
    let (schema, file) = (parse_message_type(SCHEMA).unwrap(), std::fs::File::create(path).unwrap());
    let mut writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties.build())).unwrap();
    for rows in rows.chunks(2) {
        let mut group = writer.next_row_group().unwrap();
        let text = |text: &str| Some(text.as_bytes().to_vec()).filter(|text| !text.is_empty());
        column(&mut group, 2, rows.iter().map(|row| Some(png(row.0))).collect());
        column(&mut group, 2, rows.iter().map(|_| text("x.png")).collect());
        let mut labels = group.next_column().unwrap().unwrap();
        let values: Vec<i64> = rows.iter().map(|row| row.1).collect();
        labels.typed::<Int64Type>().write_batch(&values, Some(&vec![1; rows.len()]), None).unwrap();
        labels.close().unwrap();
        column(&mut group, 0, rows.iter().map(|row| text(row.2)).collect());
        column(&mut group, 1, rows.iter().map(|row| text(row.3)).collect());
        column(&mut group, 2, rows.iter().enumerate().map(|(i, _)| (i % 2 == 0).then(|| png(255))).collect());
        group.close().unwrap();
    }
    writer.close().unwrap();
}

const TRAIN: [Row<'_>; 3] = [(0, 1, "oak", "train"), (51, 0, "ash", "test"), (102, 1, "oak", "")];

/// A folder as the hub lays it out.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("data/train-00000-of-00001.parquet"), &TRAIN, &["ash", "oak", "elm"]);
    write(&folder.path().join("data/test-00000-of-00001.parquet"), &[(255, -1, "elm", "test")], &["ash", "oak", "elm"]);
    std::fs::write(folder.path().join("README.md"), "a card").unwrap();
    folder
}

fn at(folder: &Path) -> OpenContext {
    OpenContext { root: Some(folder.to_path_buf()), ..OpenContext::default() }
}

fn refused(own: &HubSettings, folder: &Path) -> String {
    open(own, &at(folder)).err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn rows_become_images_with_classes_splits_and_masks() {
    let folder = folder();
    let own = HubSettings { mask_column: Some("veins".into()), ..HubSettings::default() };
    let set = open(&own, &at(folder.path())).unwrap();
    assert_eq!(set.classes(), ["ash", "oak", "elm"]);
    let records = set.records();
    let ids: Vec<&str> = records.iter().map(|record| record.id.as_str()).collect();
    assert_eq!(ids[..2], ["data/test-00000-of-00001.parquet#0", "data/train-00000-of-00001.parquet#0"]);
    assert_eq!(records.iter().map(|r| r.label).collect::<Vec<_>>(), [None, Some(1), Some(0), Some(1)]);
    assert_eq!((records[0].split, records[3].split), (Some(Split::Test), Some(Split::Train)));
    for (index, grey) in [(0, 1.0), (1, 0.0), (2, 0.2), (3, 0.4), (1, 0.0)] {
        let picture = set.image(index).unwrap();
        assert_eq!((picture.width(), picture.height()), (3, 2));
        assert!((picture.pixels()[0] - grey).abs() < 1e-6, "{index}");
    }
    assert_eq!(set.mask_sources(), ["column"]);
    assert!(set.has_mask(1, "column") && !set.has_mask(2, "column") && !set.has_mask(1, "alpha"));
    assert_eq!(set.mask(1, "column").unwrap().unwrap().values(), [1.0; 6]);
    assert!(set.mask(2, "column").unwrap().is_none());
    assert!(set.image(4).is_err());
}

#[test]
fn other_columns_can_be_named() {
    let folder = folder();
    let own = HubSettings {
        files: vec!["data/train-*".into()],
        label_column: Some("name".into()),
        split_column: Some("part".into()),
        group_column: Some("part".into()),
        ..HubSettings::default()
    };
    let set = open(&own, &at(folder.path())).unwrap();
    assert_eq!(set.classes(), ["ash", "oak"]);
    let splits: Vec<_> = set.records().iter().map(|record| record.split).collect();
    assert_eq!(splits, [Some(Split::Train), Some(Split::Test), None]);
    assert_eq!((set.records()[1].group.as_deref(), set.records()[2].group.as_deref()), (Some("test"), None));
    let named = HubSettings { class_column: Some("name".into()), files: own.files.clone(), ..HubSettings::default() };
    assert_eq!(open(&named, &at(folder.path())).unwrap().classes(), ["ash", "oak"]);
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    let folder = folder();
    let column = |own: HubSettings| refused(&own, folder.path());
    let missing = column(HubSettings { label_column: Some("species".into()), ..HubSettings::default() });
    assert!(
        missing.contains("data.label_column") && missing.contains("`image.bytes`, `image.path`, `label`"),
        "{missing}"
    );
    let image = column(HubSettings { image_column: Some("label".into()), ..HubSettings::default() });
    assert!(image.contains("holds INT64; expected files' bytes"), "{image}");
    let split = column(HubSettings { split_column: Some("name".into()), ..HubSettings::default() });
    assert!(split.contains("split `elm`"), "{split}");
    assert!(column(HubSettings { files: vec!["no/*".into()], ..HubSettings::default() }).contains("data.files"));
    assert!(
        refused(&HubSettings::default(), &folder.path().join("nowhere")).contains("nowhere: there is no such folder")
    );
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    assert!(refused(&HubSettings::default(), &folder.path().join("empty")).contains("no parquet file"));
    std::fs::write(folder.path().join("data/broken.parquet"), "PAR1 or so").unwrap();
    assert!(refused(&HubSettings::default(), folder.path()).contains("broken.parquet: no parquet file"));
    let neither = open(&HubSettings::default(), &OpenContext::default()).err().unwrap().to_string();
    assert!(neither.contains("data.repo"), "{neither}");
}

#[test]
fn a_repository_is_downloaded_once_and_read_offline() {
    let folder = folder();
    let names = ["data/train-00000-of-00001.parquet", "data/test-00000-of-00001.parquet", "README.md"];
    let contents: Vec<Vec<u8>> = names.iter().map(|name| std::fs::read(folder.path().join(name)).unwrap()).collect();
    let files: Vec<(&str, &[u8])> =
        names.iter().zip(&contents).map(|(name, bytes)| (*name, bytes.as_slice())).collect();
    let server = mga_testing::stand_in::StandIn::start();
    server.dataset("me/leaves", &files);
    let cache = tempfile::tempdir().unwrap();
    let variable = |name: &str| match name {
        "HF_ENDPOINT" => Some(server.url()),
        "HF_HUB_CACHE" => Some(cache.path().to_string_lossy().into_owned()),
        _ => None,
    };
    let hub = Hub::new(Settings::from_variables(variable), Arc::new(Silent));
    let own = HubSettings { repo: Some("me/leaves".into()), ..HubSettings::default() };
    let with = |hub: &Hub| OpenContext { hub: Some(hub.clone()), ..OpenContext::default() };
    let none = open(&own, &with(&hub.clone().offline())).err().unwrap().to_string();
    assert!(none.contains("not in the cache"), "{none}");
    assert_eq!(server.connections(), 0);
    let online = open(&own, &with(&hub)).unwrap();
    let before = server.connections();
    let offline = open(&own, &with(&hub.clone().offline())).unwrap();
    assert_eq!((server.connections(), online.records()), (before, offline.records()));
    assert_eq!(online.image(3).unwrap(), offline.image(3).unwrap());
    let links: PathBuf = cache.path().join("datasets--me--leaves/snapshots").join(mga_testing::stand_in::COMMIT);
    assert!(links.join(names[0]).is_file() && !links.join("README.md").exists());
    let wrong = HubSettings { repo: Some("me/other".into()), ..HubSettings::default() };
    assert!(open(&wrong, &with(&hub)).err().unwrap().to_string().contains("no repository `me/other`"));
}

#[cfg(unix)]
#[test]
fn what_cannot_be_read_is_not_left_out_in_silence() {
    let folder = folder();
    assert_eq!(open(&HubSettings::default(), &at(folder.path())).unwrap().records().len(), 4);
    std::os::unix::fs::symlink("moved/away.parquet", folder.path().join("data/train-00001.parquet")).unwrap();
    let message = refused(&HubSettings::default(), folder.path());
    assert!(message.contains("train-00001.parquet") && message.contains("would be left out"), "{message}");
}

/// Gives the file a second end, whose first group claims `rows` rows.
fn claim(path: &Path, rows: i64) {
    use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataWriter};
    let reader = SerializedFileReader::new(std::fs::File::open(path).unwrap()).unwrap();
    let old = reader.metadata();
    let groups = old.row_groups().iter().map(|group| group.clone().into_builder().set_num_rows(rows).build().unwrap());
    let new = ParquetMetaData::new(old.file_metadata().clone(), groups.collect());
    let mut bytes = std::fs::read(path).unwrap();
    ParquetMetaDataWriter::new(&mut bytes, &new).finish().unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn claims_of_rows_that_are_not_there_are_refused() {
    let folder = folder();
    let file = folder.path().join("data/train-00000-of-00001.parquet");
    let whole = std::fs::read(&file).unwrap();
    // The first would take terabytes, the second fits the file but not the columns.
    for (rows, part) in [(1_000_000_000_000, "claims 1000000000000 rows"), (-1, "claims -1 rows"), (100, "is damaged")]
    {
        std::fs::write(&file, &whole).unwrap();
        claim(&file, rows);
        let message = refused(&HubSettings::default(), folder.path());
        assert!(message.contains("train-00000-of-00001.parquet") && message.contains(part), "{rows}: {message}");
    }
}

#[test]
fn texts_that_are_not_utf_8_stay_apart() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("train.parquet"), &TRAIN, &[]);
    let own = HubSettings { label_column: Some("name".into()), ..HubSettings::default() };
    assert_eq!(open(&own, &at(folder.path())).unwrap().classes(), ["ash", "oak"]);
    let bytes = std::fs::read(folder.path().join("train.parquet")).unwrap();
    // Both names become one and the same where what is no text is replaced by a question mark.
    let latin: Vec<u8> = bytes.windows(3).enumerate().fold(bytes.clone(), |mut all, (at, window)| {
        match window {
            b"oak" => all[at..at + 3].copy_from_slice(b"o\xe4k"),
            b"ash" => all[at..at + 3].copy_from_slice(b"o\xe5k"),
            _ => {}
        }
        all
    });
    std::fs::write(folder.path().join("train.parquet"), latin).unwrap();
    assert_eq!(open(&own, &at(folder.path())).unwrap().classes(), ["o\\xe4k", "o\\xe5k"]);
}
