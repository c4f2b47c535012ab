//! PyTorch checkpoints as PyTorch wrote them (`data/pth/make.py`): what is in them is read to the bit, and what asks for
//! more than tensors, or lies about its sizes, is refused with its reason.
//!
//! A test binary of its own, for the largest request for memory is watched in all of the process.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test says what went wrong by panicking, in its helpers too")]

mod encoder;
mod fuzz;
mod people;

use std::io::Write;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use mga_core::parameter::ParameterStore;
use mga_models::weights::{self, Converted, StoredTensor, convert, write_converted};
use mga_models::{MgaModel, ModelSettings, Networks, builtin};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

fn pth(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pth").join(name)
}

fn read(path: &Path) -> Converted {
    convert(path, None).unwrap_or_else(|error| panic!("{error}"))
}

fn refusal(path: &Path) -> String {
    convert(path, None).unwrap_err().to_string()
}

/// Compares with `expected.safetensors`, to the bit.
fn is_expected(converted: &Converted) {
    let bytes = std::fs::read(pth("expected.safetensors")).unwrap();
    let expected = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut names = expected.names();
    names.sort_unstable();
    assert_eq!(converted.tensors.keys().map(String::as_str).collect::<Vec<_>>(), names);
    for (name, tensor) in &converted.tensors {
        let want = expected.tensor(name).unwrap();
        assert_eq!((tensor.dtype, tensor.shape.as_slice()), (want.dtype(), want.shape()), "{name}");
        assert_eq!(tensor.data, want.data(), "{name}");
    }
}

#[test]
fn every_type_and_every_way_to_share_a_storage() {
    let nested = read(&pth("nested.pth"));
    is_expected(&nested);
    assert_eq!(nested.below, ["net"]);
    for part in ["epoch (an integer)", "acc (a number)", "history (a list)", "big (an integer)", "note (a text)"] {
        assert!(nested.left_out.contains(&part.to_owned()), "{part}: {:?}", nested.left_out);
    }
    assert_eq!(nested.types()["F32"], 9);
    is_expected(&read(&pth("protocol4.pth")));
}

#[test]
fn the_written_file_is_the_same_again() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("x.safetensors");
    write_converted(&read(&pth("protocol4.pth")), &out).unwrap();
    let written = std::fs::read(&out).unwrap();
    let written = safetensors::SafeTensors::deserialize(&written).unwrap();
    let bytes = std::fs::read(pth("expected.safetensors")).unwrap();
    let expected = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for name in expected.names() {
        assert_eq!(written.tensor(name).unwrap(), expected.tensor(name).unwrap(), "{name}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    let nowhere = folder.path().join("no/such/folder.safetensors");
    let message = write_converted(&read(&pth("linear.pth")), &nowhere).unwrap_err().to_string();
    assert!(message.contains("cannot be written"), "{message}");
}

#[test]
fn a_state_dict_is_found_with_its_metadata_and_its_optimiser_beside_it() {
    let linear = read(&pth("linear.pth"));
    assert_eq!(linear.tensors.keys().collect::<Vec<_>>(), ["bias", "weight"]);
    assert_eq!(
        (linear.below.join("."), linear.left_out),
        ("model.state_dict".to_owned(), vec!["optimizer (a dictionary)".to_owned()])
    );
}

#[test]
fn refusals_say_why() {
    let _ = std::fs::remove_file("/tmp/mga-was-here");
    let cases = [
        ("evil.pth", "`posix.system`"),
        ("whole_module.pth", "an object of torch.nn.modules.linear.Linear"),
        ("torchscript.pth", "TorchScript"),
        ("no_state_dict.pth", "it holds epoch (an integer), weights (a list)"),
        ("deflated.pth", "compressed"),
        ("expected.safetensors", "safetensors file already"),
        ("make.py", "neither a PyTorch checkpoint nor a safetensors file"),
        ("nothing.pth", "cannot be read"),
    ];
    for (file, why) in cases {
        let message = refusal(&pth(file));
        assert!(message.contains(why) && message.contains(file), "{file}: {message}");
    }
    assert!(!Path::new("/tmp/mga-was-here").exists(), "nothing in a checkpoint is run");
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, cut) = (std::fs::read(pth("linear.pth")).unwrap(), folder.path().join("cut.pth"));
    for length in (0..whole.len()).step_by(37) {
        std::fs::write(&cut, &whole[..length]).unwrap();
        refusal(&cut);
    }
}

#[test]
fn no_changed_byte_does_worse_than_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let (whole, changed) = (std::fs::read(pth("linear.pth")).unwrap(), folder.path().join("changed.pth"));
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 0xff;
        std::fs::write(&changed, &bytes).unwrap();
        // Checksums catch most; what gets through (alignment, dates) is still the same tensors.
        if let Ok(converted) = convert(&changed, None) {
            assert_eq!(converted.tensors.len(), 2, "byte {place}");
        }
    }
}

/// A checkpoint with this pickle and one storage of `storage` bytes.
fn archive(folder: &Path, pickle: &[u8], storage: usize) -> PathBuf {
    let path = folder.join("made.pth");
    let mut zip = ZipWriter::new(std::fs::File::create(&path).unwrap());
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in [("x/data.pkl", pickle), ("x/data/0", &vec![0; storage])] {
        zip.start_file(name, stored).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
    path
}

/// `{"w": tensor}` of these sizes and steps over a float storage that claims `count` numbers.
fn tensor_pickle(sizes: &[i32], steps: &[i32], offset: i32, count: i32) -> Vec<u8> {
    let int = |n: i32| [&b"J"[..], &n.to_le_bytes()].concat();
    let tuple = |ns: &[i32]| [&b"("[..], &ns.iter().flat_map(|&n| int(n)).collect::<Vec<_>>(), b"t"].concat();
    [
        b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n",
        &b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpu"[..],
        &int(count),
        b"tQ",
        &int(offset),
        &tuple(sizes),
        &tuple(steps),
        b"\x89NtRs.",
    ]
    .concat()
}

#[test]
fn sizes_are_held_against_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let make = |sizes: &[i32], steps: &[i32], offset, count| {
        archive(folder.path(), &tensor_pickle(sizes, steps, offset, count), 16)
    };
    assert_eq!(read(&make(&[2, 2], &[2, 1], 0, 4)).tensors["w"].shape, [2, 2]);
    let large = i32::MAX;
    type Case<'a> = (&'a [i32], &'a [i32], i32, i32, &'a str);
    let cases: [Case<'_>; 6] = [
        (&[5], &[1], 0, 4, "reaches beyond"),
        (&[4], &[1], 1, 4, "reaches beyond"),
        (&[4], &[1], 0, 5, "4 numbers, expected 5"),
        // A step of 0 makes a large tensor of one number.
        (&[large], &[0], 0, 4, "larger than a file"),
        (&[large, large, large], &[0, 0, 0], 0, 4, "larger than a file"),
        (&[-1], &[1], 0, 4, "-1"),
    ];
    for (sizes, steps, offset, count, why) in cases {
        let message = refusal(&make(sizes, steps, offset, count));
        assert!(message.contains(why), "{sizes:?} {steps:?}: {message}");
    }
    let ranks = refusal(&make(&[1; 17], &[1; 17], 0, 4));
    assert!(ranks.contains("17 sizes"), "{ranks}");
}

#[test]
fn nesting_and_loops_end() {
    let folder = tempfile::tempdir().unwrap();
    // {"net": {"net": ... }} a hundred thousand deep, and a dictionary inside itself.
    let level: &[u8] = b"}X\x03\x00\x00\x00net";
    let deep = [b"\x80\x02", &level.repeat(100_000)[..], b"}", &b"s".repeat(100_000), b"."].concat();
    let message = refusal(&archive(folder.path(), &deep, 0));
    assert!(message.contains("no tensors"), "{message}");
    let message = refusal(&archive(folder.path(), b"\x80\x02}q\x00X\x03\x00\x00\x00neth\x00s.", 0));
    assert!(message.contains("no tensors"), "{message}");
}

/// A PyTorch checkpoint of the backbone as somebody else names it, without its counters: only the names matter here.
fn renamed(
    backbone: &str,
    uses: impl Fn(&str) -> bool,
) -> (MgaModel, std::collections::BTreeMap<String, StoredTensor>) {
    let registry = builtin();
    let renames = Networks::of(&registry).backbone(backbone).unwrap().renames();
    let settings = ModelSettings::new(backbone, 4);
    let model = MgaModel::new(&registry, settings, ParameterStore::new(1, DType::F32, &Device::Cpu)).unwrap();
    let stored = |tensor: &Tensor| StoredTensor {
        dtype: safetensors::Dtype::F32,
        shape: tensor.dims().to_vec(),
        data: tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().flat_map(|v| v.to_le_bytes()).collect(),
    };
    let foreign = |name: &str| weights::rename_back(name, renames, &uses);
    let tensors = model.store().tensors().iter().map(|(name, tensor)| (foreign(name), stored(tensor))).collect();
    (model, tensors)
}

/// A zip checkpoint with these tensors in a dictionary, each name behind `before`; below the key `below` where there is one.
fn checkpoint(
    path: &Path,
    below: Option<&str>,
    before: &str,
    tensors: &std::collections::BTreeMap<String, StoredTensor>,
) {
    let mut zip = ZipWriter::new(std::fs::File::create(path).unwrap());
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let text = |text: &str| [&b"X"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
    let int = |n: usize| [&b"J"[..], &(n as u32).to_le_bytes()].concat();
    let mut pickle = b"\x80\x02}".to_vec();
    if let Some(key) = below {
        pickle.extend([text(key), b"}".to_vec()].concat());
    }
    for (index, (name, tensor)) in tensors.iter().enumerate() {
        let mut steps = vec![1; tensor.shape.len()];
        for side in (1..steps.len()).rev() {
            steps[side - 1] = steps[side] * tensor.shape[side];
        }
        let tuple = |ns: &[usize]| [&b"("[..], &ns.iter().flat_map(|&n| int(n)).collect::<Vec<_>>(), b"t"].concat();
        pickle.extend(text(&format!("{before}{name}")));
        pickle.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n");
        pickle
            .extend([text(&index.to_string()), text("cpu"), int(tensor.data.len() / 4), b"tQK\x00".to_vec()].concat());
        pickle.extend([tuple(&tensor.shape), tuple(&steps), b"\x89NtRs".to_vec()].concat());
        zip.start_file(format!("archive/data/{index}"), stored).unwrap();
        zip.write_all(&tensor.data).unwrap();
    }
    pickle.extend(if below.is_some() { &b"s."[..] } else { b"." });
    zip.start_file("archive/data.pkl", stored).unwrap();
    zip.write_all(&pickle).unwrap();
    zip.finish().unwrap();
}

#[test]
fn ports_and_the_authors_names_become_ours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("port.pth");
    type Case = (&'static str, fn(&str) -> bool, &'static str);
    let cases: [Case; 2] = [
        ("efficientnet_lite0", |from| from.starts_with('_'), "efficientnet-lite"),
        ("resnet18", |from| from.starts_with("features"), "authors"),
    ];
    for (backbone, uses, about) in cases {
        let (model, tensors) = renamed(backbone, uses);
        assert!(!tensors.contains_key("conv1.weight") && !tensors.contains_key("conv_stem.weight"));
        checkpoint(&path, None, "module.", &tensors);
        let converted = read(&path);
        assert!(converted.layout.unwrap().contains(about));
        let ours: Vec<String> = model.store().tensors().into_iter().map(|(name, _)| name).collect();
        assert_eq!(converted.tensors.len(), ours.len());
        for name in ours {
            assert!(converted.tensors.contains_key(&name), "{backbone}: {name}");
        }
    }
}
