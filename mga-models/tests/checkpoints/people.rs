//! Checkpoints as people have them (`scripts/weights/make_checkpoint_fixtures.py`): old formats, other things beside the
//! weights, averages, wrapped names. What is read is read to the bit, and what is not is said.

use std::path::{Path, PathBuf};

use mga_models::weights::{Converted, convert};

use super::{is_expected, pth, read, refusal};

pub(super) fn people(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/people").join(name)
}

/// The numbers of a float32 tensor.
fn floats(converted: &Converted, name: &str) -> Vec<f32> {
    let tensor = converted.tensors.get(name).unwrap_or_else(|| panic!("{name} in {:?}", converted.tensors.keys()));
    tensor.data.as_chunks::<4>().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}

/// Whether it is the layer that the script's `weights(start)` makes, and nothing else.
fn is_layer(converted: &Converted, start: usize) {
    assert_eq!(converted.tensors.keys().collect::<Vec<_>>(), ["bias", "weight"]);
    let numbers = |from: usize, to: usize| -> Vec<f32> {
        (from..to).map(|i| (i as f32 * 7.0).rem_euclid(23.0)).map(|v| (v - 11.0) / 4.0).collect()
    };
    assert_eq!(floats(converted, "weight"), numbers(start, start + 6));
    assert_eq!(floats(converted, "bias"), numbers(start + 6, start + 9));
}

fn below(name: &str, key: &str) -> Converted {
    convert(&people(name), Some(key)).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_format_before_1_6_is_read_to_the_bit() {
    let views = read(&people("legacy_views.pth"));
    is_expected(&views);
    assert_eq!((views.below.join("."), &views.left_out), ("net".to_owned(), &vec!["epoch (an integer)".to_owned()]));
    is_expected(&read(&people("legacy_protocol4.pth")));
    let linear = read(&pth("legacy.pth"));
    assert_eq!(linear.tensors, read(&pth("linear.pth")).tensors);
}

#[test]
fn what_a_training_program_saves_beside_the_weights_is_left_out_and_named() {
    for name in ["training.pth", "legacy_training.pth"] {
        let converted = read(&people(name));
        is_layer(&converted, 0);
        assert_eq!(converted.below, ["state_dict"]);
        for part in [
            "best_acc1 (a tensor)",
            "loss_history (a tensor)",
            "top1 (an object of numpy._core.multiarray.scalar)",
            "confusion (an object of numpy.ndarray)",
            "optimizer (a dictionary)",
            "args (an object of argparse.Namespace)",
            "config (a dictionary)",
            "counts (a dictionary)",
            "defaults (a dictionary)",
            "classes (a set)",
            "frozen (a set)",
            "raw (bytes)",
            "device (an object of torch.device)",
            "dtype (a number type)",
            "size (a tuple)",
            "path (an object of pathlib.PurePosixPath)",
            "share (an object of fractions.Fraction)",
            "complex (an object of ",
            "huge (an integer)",
            "nothing (nothing)",
            "function (the name torch.nn.functional.relu)",
            "python_rng (a tuple)",
            "numpy_rng (an object of numpy.ndarray)",
            "torch_rng (a tensor)",
            "scheduler (a dictionary)",
        ] {
            assert!(
                converted.left_out.iter().any(|left| left.starts_with(part)),
                "{name}: {part}: {:?}",
                converted.left_out
            );
        }
    }
}

#[test]
fn an_archive_may_have_a_top_folder_of_any_length() {
    is_layer(&read(&people("folder_of_21_letters_.pth")), 0);
}

#[test]
fn the_other_order_of_bytes_is_turned() {
    is_layer(&read(&people("big_endian.pth")), 0);
}

#[test]
fn averages_are_taken_where_they_are_alone_or_asked_for() {
    let plain = read(&people("averages.pth"));
    is_layer(&plain, 0);
    let [note] = plain.notes.as_slice() else { panic!("{:?}", plain.notes) };
    assert!(note.contains("timm would take these") && note.contains("--key state_dict_ema"), "{note}");
    assert!(!plain.left_out.iter().any(|left| left.contains("ema")), "{:?}", plain.left_out);
    let averages = below("averages.pth", "state_dict_ema");
    is_layer(&averages, 5);
    assert_eq!(averages.below, ["state_dict_ema"]);
    let alone = read(&people("only_averages.pth"));
    is_layer(&alone, 5);
    assert_eq!(alone.below, ["ema", "state_dict"]);
    is_layer(&below("only_averages.pth", "ema.state_dict"), 5);
    is_layer(&below("only_averages.pth", "ema"), 5);
    let missing = convert(&people("averages.pth"), Some("ema")).unwrap_err().to_string();
    assert!(missing.contains("no `ema`") && missing.contains("state_dict_ema (a dictionary)"), "{missing}");
}

#[test]
fn wrappers_that_every_name_has_are_taken_off() {
    let averaged = read(&people("averaged_model.pth"));
    is_layer(&averaged, 0);
    assert!(averaged.left_out.iter().any(|left| left.starts_with("n_averaged")), "{:?}", averaged.left_out);
    let lightning = read(&people("lightning.ckpt"));
    is_layer(&lightning, 0);
    assert_eq!((lightning.wrapper.as_str(), lightning.below), ("model.net.", vec!["state_dict".to_owned()]));
}

#[test]
fn of_several_models_none_is_guessed() {
    let several = refusal(&people("two_models.pth"));
    for part in ["generator", "critic", "--key generator"] {
        assert!(several.contains(part), "{part}: {several}");
    }
    is_layer(&below("two_models.pth", "critic"), 5);
    let unusual = read(&people("unusual_key.pth"));
    is_layer(&unusual, 0);
    assert_eq!(unusual.left_out, ["epoch (an integer)", "score (a tensor)"]);
    is_layer(&below("unusual_key.pth", "best.weights"), 0);
    is_layer(&read(&people("own_class.pth")), 0);
}

#[test]
fn tensors_that_are_no_plain_numbers_are_refused_by_name() {
    for (file, why) in [
        ("sparse.pth", "weight: a sparse tensor"),
        ("quantised.pth", "weight: a quantised tensor"),
        ("complex128.pth", "weight: numbers of a type"),
        ("meta.pth", "weight: a tensor without numbers"),
        ("legacy_whole_model.pth", "an object of __main__.Layer"),
        ("first_format.pth.tar", "PyTorch 0.1"),
    ] {
        let message = refusal(&people(file));
        assert!(message.contains(why) && message.contains(file), "{file}: {message}");
    }
    let new = read(&people("new_types.pth"));
    let types: Vec<String> = new.types().into_keys().collect();
    assert_eq!(types, ["C64", "F32", "F8_E4M3", "U16"]);
    assert_eq!((&new.tensors["u16"].data[..], &new.tensors["c64"].shape[..]), (&[1, 0, 255, 255][..], &[1][..]));
    assert_eq!(new.tensors["f8"].data, [0x3c, 0xc0]);
}

/// The old format around this pickle, with one storage of floats under the key `7`.
fn old_format(folder: &Path, pickle: &[u8], numbers: &[f32]) -> PathBuf {
    let path = folder.join("old.pth");
    let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    let parts: [&[u8]; 7] = [
        b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.\x80\x02}q\x00.",
        b"\x80\x02",
        pickle,
        b".",
        b"\x80\x02]q\x00U\x017q\x01a.",
        &(numbers.len() as i64).to_le_bytes(),
        &bytes,
    ];
    std::fs::write(&path, parts.concat()).unwrap();
    path
}

#[test]
fn python_2_wrote_it_in_its_own_way() {
    let folder = tempfile::tempdir().unwrap();
    // OrderedDict([["w", Parameter(view)]]), texts of bytes, the first function that rebuilds tensors, a storage that is a
    // view from its second number on, as PyTorch 0.2 had them.
    let storage = b"(U\x07storagectorch\nFloatStorage\nU\x017U\x03cpuK\x06(U\x018K\x01K\x05ttQ";
    let tensor = [&b"ctorch._utils\n_rebuild_tensor\n("[..], storage, b"K\x01K\x02K\x02\x86K\x02K\x01\x86tR"].concat();
    let parameter = [&b"ctorch.nn.parameter\nParameter\n"[..], &tensor, b"\x85R(\x88\x89}tb"].concat();
    let pickle = [&b"ccollections\nOrderedDict\n]](U\x01w"[..], &parameter, b"ea\x85R}U\x09_metadata}sb"].concat();
    let converted = read(&old_format(folder.path(), &pickle, &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]));
    assert_eq!((floats(&converted, "w"), &converted.tensors["w"].shape[..]), (vec![2.0, 3.0, 4.0, 5.0], &[2, 2][..]));
}

#[test]
fn an_old_file_that_lies_or_ends_early_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let storage =
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x007X\x03\x00\x00\x00cpuJ\x04\x00\x00\x00NtQ";
    let pickle = |offset: &[u8]| {
        let tensor =
            [&b"ctorch._utils\n_rebuild_tensor_v2\n("[..], storage, offset, b"K\x04\x85K\x01\x85\x89}tR"].concat();
        [&b"}X\x01\x00\x00\x00w"[..], &tensor, b"s"].concat()
    };
    let good = old_format(folder.path(), &pickle(b"K\x00"), &[1.0, 2.0, 3.0, 4.0]);
    assert_eq!(floats(&read(&good), "w"), [1.0, 2.0, 3.0, 4.0]);
    let whole = std::fs::read(&good).unwrap();
    for length in 0..whole.len() {
        std::fs::write(&good, &whole[..length]).unwrap();
        refusal(&good);
    }
    // A count of terabytes, and one below zero.
    for count in [i64::MAX, 1 << 42, -1] {
        let mut lying = whole.clone();
        let place = lying.len() - 24;
        lying[place..place + 8].copy_from_slice(&count.to_le_bytes());
        std::fs::write(&good, &lying).unwrap();
        let message = refusal(&good);
        assert!(message.contains("but the file has"), "{message}");
    }
    let beyond = refusal(&old_format(folder.path(), &pickle(b"K\x01"), &[1.0, 2.0, 3.0, 4.0]));
    assert!(beyond.contains("reaches beyond"), "{beyond}");
    let negative = refusal(&old_format(folder.path(), &pickle(b"J\xff\xff\xff\xff"), &[1.0; 4]));
    assert!(negative.contains("begins before"), "{negative}");
    let few = refusal(&old_format(folder.path(), &pickle(b"K\x00"), &[1.0, 2.0, 3.0]));
    assert!(few.contains("3 numbers, expected 4"), "{few}");
}
