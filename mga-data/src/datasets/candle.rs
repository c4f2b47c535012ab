//! `cifar10`, `mnist` and `fashion-mnist`, read by candle-datasets from a local folder (`data.root`).
//!
//! Nothing is downloaded, and candle's own loader from the hub is not used: it swaps height and width of CIFAR-10.
//! These pictures come without masks; they are for checking a set-up, and for the controls that need none.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{DType, Tensor};
use candle_datasets::vision::{cifar, mnist};
use mga_registry::Entry;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::dataset::{Dataset, Record, Split};
use crate::datasets::entry::{Datasets, OpenContext, RegisteredDataset, Root, settings};
use crate::error::{Error, Result};
use crate::picture::{Mask, Picture};
use crate::scratch::Scratch;

/// Returns the three as they are registered.
#[must_use]
pub fn entries() -> Vec<Entry<Datasets>> {
    let all = [
        (&CIFAR, "CIFAR-10, 60 000 photographs of 32 x 32 pixels in 10 classes, from its binary files in data.root"),
        (
            &DIGITS,
            "MNIST, 70 000 handwritten digits of 28 x 28 pixels, from its IDX files in data.root (gzipped or not)",
        ),
        (&FASHION, "Fashion-MNIST, 70 000 clothes of 28 x 28 pixels, from its IDX files in data.root (gzipped or not)"),
    ];
    let entry = |(kind, about): (&'static Kind, &str)| {
        let entry = Entry::<Datasets>::new(kind.name, about, Arc::new(kind));
        entry.with_settings(schemars::schema_for!(CandleSettings))
    };
    all.map(entry).into()
}

/// These data sets have no settings of their own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CandleSettings {}

impl RegisteredDataset for &'static Kind {
    fn open(&self, own: &Value, context: &OpenContext) -> Result<Arc<dyn Dataset>> {
        open(self, own, context)
    }

    fn root(&self) -> Root {
        Root::Required
    }

    fn may_have_validation(&self) -> bool {
        false
    }

    fn has_one_size(&self) -> bool {
        true
    }
}

/// What tells the three apart.
struct Kind {
    name: &'static str,
    /// Pixels along each side.
    side: usize,
    /// Channels in the files; one channel is copied to all three.
    channels: usize,
    classes: [&'static str; 10],
    /// File names, as candle's loader wants them.
    files: &'static [&'static str],
    /// Folders below `data.root` that the usual archives unpack to.
    folders: &'static [&'static str],
    /// Where to get the files.
    from: &'static str,
    check: fn(&Path) -> Result<()>,
    load: fn(&Path) -> candle_core::Result<candle_datasets::vision::Dataset>,
}

const IDX_FILES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

const CIFAR: Kind = Kind {
    name: "cifar10",
    side: 32,
    channels: 3,
    classes: ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
    files: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
        "test_batch.bin",
    ],
    folders: &["cifar-10-batches-bin"],
    from: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    check: check_cifar,
    load: |root| cifar::load_dir(root),
};

const DIGITS: Kind = Kind {
    name: "mnist",
    side: 28,
    channels: 1,
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    files: &IDX_FILES,
    folders: &["raw", "MNIST/raw"],
    from: "https://yann.lecun.com/exdb/mnist/",
    check: check_idx,
    load: |root| mnist::load_dir(root),
};

const FASHION: Kind = Kind {
    name: "fashion-mnist",
    // candle's own Fashion-MNIST module can only download; the files have the format of MNIST's.
    classes: ["t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle-boot"],
    folders: &["raw", "FashionMNIST/raw"],
    from: "Debian's package dataset-fashion-mnist, or https://github.com/zalandoresearch/fashion-mnist",
    ..DIGITS
};

/// One of the three, in memory as bytes.
struct InMemory {
    kind: &'static Kind,
    classes: Vec<String>,
    records: Vec<Record>,
    /// Train after test would surprise: first all training images, each `channels` planes of `side` rows.
    pixels: Vec<u8>,
}

fn open(kind: &'static Kind, value: &Value, context: &OpenContext) -> Result<Arc<dyn Dataset>> {
    let CandleSettings {} = settings(kind.name, value)?;
    let root = context.root.as_deref().ok_or_else(|| {
        let files = kind.files.join(", ");
        Error::settings(format!(
            "data set `{}` needs `data.root`: a folder with {files}; from {}",
            kind.name, kind.from
        ))
    })?;
    let (folder, _unpacked) = folder_of(kind, root)?;
    (kind.check)(&folder)?;
    let loaded = (kind.load)(&folder)?;
    let parts = [
        (Split::Train, "train", &loaded.train_images, &loaded.train_labels),
        (Split::Test, "test", &loaded.test_images, &loaded.test_labels),
    ];
    let (mut records, mut pixels) = (Vec::new(), Vec::new());
    for (split, name, images, labels) in parts {
        for (i, label) in labels.to_vec1::<u8>()?.into_iter().enumerate() {
            let label = usize::from(label);
            if label >= kind.classes.len() {
                return Err(Error::file(root, format!("{name} image {i} has label {label}; expected 0 to 9")));
            }
            let id = format!("{name}/{i:05}");
            records.push(Record { id, path: None, label: Some(label), group: None, split: Some(split) });
        }
        pixels.extend(bytes(images)?);
    }
    let classes = kind.classes.map(str::to_owned).to_vec();
    Ok(Arc::new(InMemory { kind, classes, records, pixels }))
}

/// A loader's images, n / 255 in single precision, as the bytes they were: a quarter of the memory.
fn bytes(images: &Tensor) -> Result<Vec<u8>> {
    Ok(((images.flatten_all()? * 255.0)? + 0.5)?.to_dtype(DType::U8)?.to_vec1()?)
}

/// The folder at or below `root` that holds all plain files. Where only gzipped ones are there, they are unpacked to a
/// temporary folder, which lives as long as the second value.
fn folder_of(kind: &Kind, root: &Path) -> Result<(PathBuf, Option<Scratch>)> {
    let folders: Vec<PathBuf> =
        std::iter::once(root.to_path_buf()).chain(kind.folders.iter().map(|folder| root.join(folder))).collect();
    if let Some(folder) = folders.iter().find(|folder| kind.files.iter().all(|file| folder.join(file).is_file())) {
        return Ok((folder.clone(), None));
    }
    let zipped = |folder: &Path, file: &str| folder.join(format!("{file}.gz"));
    let there = |folder: &Path, file: &&str| folder.join(file).is_file() || zipped(folder, file).is_file();
    if let Some(folder) = folders.iter().find(|folder| kind.files.iter().all(|file| there(folder, file))) {
        let unpacked = Scratch::new().map_err(Error::io(std::env::temp_dir()))?;
        for file in kind.files {
            let to = unpacked.path().join(file);
            if folder.join(file).is_file() {
                std::fs::copy(folder.join(file), &to).map_err(Error::io(folder.join(file)))?;
            } else {
                gunzip(&zipped(folder, file), &to)?;
            }
        }
        return Ok((unpacked.path().to_path_buf(), Some(unpacked)));
    }
    if !root.is_dir() {
        return Err(Error::file(
            root,
            format!(
                "no such folder; data set `{}` expects it to hold {}; from {}",
                kind.name,
                kind.files.join(", "),
                kind.from
            ),
        ));
    }
    // Name what is missing where most of it is.
    let count = |folder: &Path| kind.files.iter().filter(|file| there(folder, file)).count();
    let mut best = root;
    for folder in &folders {
        if count(folder) > count(best) {
            best = folder;
        }
    }
    let missing: Vec<&str> = kind.files.iter().filter(|file| !there(best, file)).copied().collect();
    let from = kind.from;
    Err(Error::file(best, format!("data set `{}` misses {} here; get them from {from}", kind.name, missing.join(", "))))
}

fn gunzip(from: &Path, to: &Path) -> Result<()> {
    // The largest of the files holds 47 MB: what unpacks to far more is something else.
    const LIMIT: u64 = 256 << 20;
    let mut source = flate2::read::GzDecoder::new(File::open(from).map_err(Error::io(from))?).take(LIMIT);
    let mut target = File::create(to).map_err(Error::io(to))?;
    let written = std::io::copy(&mut source, &mut target)
        .map_err(|e| Error::file(from, format!("cannot be unpacked as gzip ({e}); get the file again")))?;
    if written == LIMIT {
        return Err(Error::file(from, "unpacks to over 256 MiB, which is not a file of this data set; get it again"));
    }
    Ok(())
}

/// Checks lengths before candle reads: it takes the sizes in a damaged header at their word.
fn check_idx(folder: &Path) -> Result<()> {
    for (images, labels) in [(IDX_FILES[0], IDX_FILES[1]), (IDX_FILES[2], IDX_FILES[3])] {
        let (images, labels) = (folder.join(images), folder.join(labels));
        let [_, count, rows, columns] = header::<4>(&images, 0x803, "images")?;
        if (rows, columns) != (28, 28) {
            return Err(Error::file(images, format!("holds images of {rows} x {columns} pixels; expected 28 x 28")));
        }
        length_is(&images, 16 + u64::from(count) * 784)?;
        let [_, labelled] = header::<2>(&labels, 0x801, "labels")?;
        length_is(&labels, 8 + u64::from(labelled))?;
        if count != labelled {
            return Err(Error::file(
                labels,
                format!("holds {labelled} labels for {count} images; get both files again"),
            ));
        }
    }
    Ok(())
}

fn check_cifar(folder: &Path) -> Result<()> {
    CIFAR.files.iter().try_for_each(|file| length_is(&folder.join(file), 10_000 * 3073))
}

/// The first `N` big-endian words of an IDX file, the first of which has to be `magic`.
fn header<const N: usize>(path: &Path, magic: u32, what: &str) -> Result<[u32; N]> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let mut words = [0; N];
    for word in &mut words {
        let mut bytes = [0; 4];
        file.read_exact(&mut bytes).map_err(|_| Error::file(path, "ends within its header; get the file again"))?;
        *word = u32::from_be_bytes(bytes);
    }
    match words.first() {
        Some(first) if *first == magic => Ok(words),
        _ => Err(Error::file(path, format!("is no IDX file of {what} (its first four bytes are not {magic:#x})"))),
    }
}

fn length_is(path: &Path, expected: u64) -> Result<()> {
    let length = std::fs::metadata(path).map_err(Error::io(path))?.len();
    if length == expected {
        return Ok(());
    }
    Err(Error::file(path, format!("has {length} bytes; expected {expected}: get the file again")))
}

impl Dataset for InMemory {
    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn records(&self) -> &[Record] {
        &self.records
    }

    fn image(&self, index: usize) -> Result<Picture> {
        let (side, channels) = (self.kind.side, self.kind.channels);
        let area = side * side;
        let from = index.saturating_mul(channels * area);
        let planes = self.pixels.get(from..from.saturating_add(channels * area)).ok_or_else(|| {
            let (name, count) = (self.kind.name, self.records.len());
            Error::settings(format!("data set `{name}` has {count} images; there is no image {index}"))
        })?;
        let at = |i: usize, channel: usize| f32::from(planes[(channel % channels) * area + i]) / 255.0;
        let pixels = (0..area).flat_map(|i| [at(i, 0), at(i, 1), at(i, 2)]).collect();
        Ok(Picture::new(side, side, pixels).unwrap_or_else(|| Picture::filled(side, side, 0.0)))
    }

    fn mask_sources(&self) -> &[&'static str] {
        &[]
    }

    fn mask(&self, _: usize, source: &str) -> Result<Option<Mask>> {
        Err(Error::settings(format!(
            "data set `{}` carries no masks, so none from `{source}`; set `data.masks.source` to \"none\", to a control \
             such as \"centre\", or to a segmenter",
            self.kind.name
        )))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A tiny MNIST: `count` training images, image i filled with i, its label i mod 10; two test images.
    fn write_mnist(folder: &Path, count: u32, gzip: bool) {
        for (prefix, count) in [("train", count), ("t10k", 2)] {
            let mut images = [0x803_u32, count, 28, 28].map(u32::to_be_bytes).concat();
            images.extend((0..count).flat_map(|i| (0..784).map(move |p| if p == 1 { 255 } else { i as u8 })));
            let mut labels = [0x801_u32, count].map(u32::to_be_bytes).concat();
            labels.extend((0..count).map(|i| (i % 10) as u8));
            for (name, content) in [("images-idx3", images), ("labels-idx1", labels)] {
                let path = folder.join(format!("{prefix}-{name}-ubyte"));
                if gzip {
                    let file = File::create(path.with_extension("gz")).unwrap();
                    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
                    encoder.write_all(&content).unwrap();
                    encoder.finish().unwrap();
                } else {
                    std::fs::write(path, content).unwrap();
                }
            }
        }
    }

    fn open_at(kind: &'static Kind, root: &Path) -> Result<Arc<dyn Dataset>> {
        let context = OpenContext { root: Some(root.to_path_buf()), skip_errors: false, ..OpenContext::default() };
        open(kind, &serde_json::json!({}), &context)
    }

    #[test]
    fn idx_files_are_read_plain_gzipped_and_from_the_folder_torchvision_makes() {
        for (gzip, below) in [(false, ""), (true, ""), (false, "MNIST/raw"), (true, "raw")] {
            let root = tempfile::tempdir().unwrap();
            let folder = root.path().join(below);
            std::fs::create_dir_all(&folder).unwrap();
            write_mnist(&folder, 23, gzip);
            let digits = open_at(&DIGITS, root.path()).unwrap();
            assert_eq!(digits.len(), 25);
            let record = &digits.records()[17];
            assert_eq!((record.id.as_str(), record.label, record.split), ("train/00017", Some(7), Some(Split::Train)));
            assert_eq!(digits.records()[24].id, "test/00001");
            let picture = digits.image(17).unwrap();
            assert_eq!((picture.width(), picture.height()), (28, 28));
            let grey = 17.0 / 255.0;
            assert_eq!(picture.pixels()[..9], [grey, grey, grey, 1.0, 1.0, 1.0, grey, grey, grey]);
            assert!(digits.image(25).is_err());
            assert!(digits.mask(0, "folder").unwrap_err().to_string().contains("carries no masks"));
        }
    }

    #[test]
    fn cifar_planes_become_pixels_in_rows() {
        let root = tempfile::tempdir().unwrap();
        for (b, file) in CIFAR.files.iter().enumerate() {
            let mut content = vec![0_u8; 10_000 * 3073];
            content[0] = b as u8;
            // Red at row 0, column 1; green at row 1, column 0; blue in the last corner.
            (content[1 + 1], content[1 + 1024 + 32], content[1 + 2048 + 1023]) = (10, 20, 30);
            std::fs::write(root.path().join(file), content).unwrap();
        }
        let cifar = open_at(&CIFAR, root.path()).unwrap();
        assert_eq!(cifar.len(), 60_000);
        for (index, label) in [(0, 0), (10_000, 1), (40_000, 4), (50_000, 5)] {
            assert_eq!(cifar.records()[index].label, Some(label));
            let picture = cifar.image(index).unwrap();
            let lit: Vec<_> = picture.pixels().iter().enumerate().filter(|(_, v)| **v > 0.0).collect();
            assert_eq!(lit, [(3, &(10.0 / 255.0)), (32 * 3 + 1, &(20.0 / 255.0)), (1023 * 3 + 2, &(30.0 / 255.0))]);
        }
        assert_eq!(cifar.records()[50_000].id, "test/00000");
    }

    #[test]
    fn missing_and_damaged_files_are_named() {
        let root = tempfile::tempdir().unwrap();
        let message = |root: &Path| open_at(&FASHION, root).err().map(|e| e.to_string()).unwrap_or_default();
        let absent = message(&root.path().join("nowhere"));
        assert!(absent.contains("no such folder") && absent.contains("dataset-fashion-mnist"), "{absent}");

        write_mnist(root.path(), 12, false);
        let labels = root.path().join(IDX_FILES[3]);
        std::fs::remove_file(&labels).unwrap();
        let missing = message(root.path());
        assert!(missing.contains("misses t10k-labels-idx1-ubyte"), "{missing}");

        write_mnist(root.path(), 12, false);
        std::fs::write(&labels, [0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3]).unwrap();
        assert!(message(root.path()).contains("holds 3 labels for 2 images"), "{}", message(root.path()));

        std::fs::write(&labels, [0, 0, 8, 1, 0, 0, 0, 2, 1, 200]).unwrap();
        assert!(message(root.path()).contains("has label 200"), "{}", message(root.path()));

        // A header that claims four thousand million images of 28 x 28 must not be believed.
        write_mnist(root.path(), 12, false);
        let images = root.path().join(IDX_FILES[0]);
        let mut content = std::fs::read(&images).unwrap();
        content[4..8].fill(0xFF);
        std::fs::write(&images, content).unwrap();
        assert!(message(root.path()).contains("has 9424 bytes; expected"), "{}", message(root.path()));

        std::fs::write(root.path().join(IDX_FILES[0]), b"not").unwrap();
        assert!(message(root.path()).contains("ends within its header"), "{}", message(root.path()));

        let zipped = tempfile::tempdir().unwrap();
        write_mnist(zipped.path(), 3, true);
        std::fs::write(zipped.path().join("t10k-labels-idx1-ubyte.gz"), b"no gzip at all").unwrap();
        assert!(message(zipped.path()).contains("cannot be unpacked as gzip"), "{}", message(zipped.path()));

        let unknown = open(&DIGITS, &serde_json::json!({ "sise": 3 }), &OpenContext::default()).err().unwrap();
        assert!(unknown.to_string().contains("sise"), "{unknown}");
        let rootless = open(&DIGITS, &serde_json::json!({}), &OpenContext::default()).err().unwrap();
        assert!(rootless.to_string().contains("needs `data.root`"), "{rootless}");
    }
}
