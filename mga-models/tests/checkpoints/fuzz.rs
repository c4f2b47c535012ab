//! Files with a few bytes changed, cut or doubled: whatever they say, reading ends soon, in an error or in tensors, and
//! holds no more than a few times their size and what a pickle may build.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mga_models::weights::{Header, convert};
use mga_testing::allocation::{self, Counting};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::{archive, pth};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Beyond what any reader asks for at once in all tests of this binary: they have models of a hundred MB.
const MOST: usize = 1 << 29;

/// Numbers that look random and are the same each time (xorshift, Marsaglia 2003).
struct Draws(u64);

impl Draws {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below.max(1) as u64) as usize
    }

    /// Changes the bytes in one to four places.
    fn change(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..1 + self.next(4) {
            if bytes.is_empty() {
                bytes.push(b'.');
            }
            let place = self.next(bytes.len());
            let length = self.next(9).min(bytes.len() - place);
            match self.next(6) {
                0 => bytes[place] ^= 1 << self.next(8),
                // What lengths and counts are made of.
                1 => bytes[place..place + length].fill([0, 0x7f, 0x80, 0xff][self.next(4)]),
                2 => drop(bytes.drain(place..place + length)),
                // Instructions that build, fetch and call.
                3 => {
                    let instructions = b"(.012KMNRQX]abcdehjloqrstu}\x81\x85\x86\x87\x92\x93\x94\x95";
                    bytes[place] = instructions[self.next(instructions.len())];
                }
                4 => {
                    let from = self.next(bytes.len());
                    let to = (from + self.next(64)).min(bytes.len());
                    let copy = bytes[from..to].to_vec();
                    bytes.splice(place..place, copy);
                }
                _ => bytes.truncate(place.max(1)),
            }
        }
    }
}

fn seeds(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.retain(|file| {
        file.extension().is_some_and(|end| ["pth", "ckpt", "safetensors"].iter().any(|known| end == *known))
    });
    files
}

/// The entries of an archive, so that its checksums can be made anew; none where it is no archive.
fn entries(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let Ok(mut zip) = ZipArchive::new(std::io::Cursor::new(bytes)) else { return vec![] };
    let count = zip.len();
    let read = |place| {
        let mut entry = zip.by_index(place).ok()?;
        let mut bytes = vec![];
        entry.read_to_end(&mut bytes).ok()?;
        Some((entry.name().ok()?.into_owned(), bytes))
    };
    (0..count).filter_map(read).collect()
}

fn zipped(entries: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(vec![]));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in entries {
        zip.start_file(name.as_str(), stored).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Reads a file in every way there is; says how many ways gave something.
fn read_all_ways(path: &Path) -> usize {
    let mut read = usize::from(convert(path, None).is_ok());
    read += usize::from(convert(path, Some("state_dict")).is_ok());
    read += usize::from(Header::read(path).is_ok());
    let store = mga_core::parameter::ParameterStore::new(0, candle_core::DType::F32, &candle_core::Device::Cpu);
    read + usize::from(mga_models::weights::load_file(&store, path, &[], false).is_ok())
}

#[test]
fn changed_files_end_in_errors_or_tensors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.pth");
    let files = [seeds("pth"), seeds("people")].concat();
    assert!(files.len() > 25, "{files:?}");
    allocation::start();
    let (mut draws, mut tried, mut read) = (Draws(0x9e37_79b9_7f4a_7c15), 0, 0);
    let begun = Instant::now();
    for file in files {
        let whole = std::fs::read(&file).unwrap();
        let inside = entries(&whole);
        for _ in 0..150 {
            let mut bytes = if inside.is_empty() || draws.next(4) == 0 {
                let mut bytes = whole.clone();
                draws.change(&mut bytes);
                bytes
            } else {
                // Within the archive, under checksums that fit: most of what can be wrong is in the pickle.
                let mut inside = inside.clone();
                let pickle = inside.iter().position(|(name, _)| name.ends_with("data.pkl")).unwrap_or(0);
                let place = if draws.next(4) == 0 { draws.next(inside.len()) } else { pickle };
                draws.change(&mut inside[place].1);
                zipped(&inside)
            };
            // A length in front of the header, which a change of one byte makes enormous.
            if file.extension().is_some_and(|end| end == "safetensors") && draws.next(3) == 0 && bytes.len() > 8 {
                bytes[draws.next(8)] = draws.next(256) as u8;
            }
            std::fs::write(&path, &bytes).unwrap();
            read += read_all_ways(&path);
            tried += 1;
        }
    }
    assert!(tried > 3000 && read > tried / 20, "{tried} files, {read} times read: the changes are too many");
    assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", begun.elapsed());
    let largest = allocation::largest();
    assert!(largest < MOST, "a request for {largest} bytes");
}

#[test]
fn pickles_that_mean_harm_end_soon() {
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let text = |text: &str| [&b"X"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
    let many = |what: &[u8], count: usize| what.repeat(count);
    // Each level holds the one below ten times: 10^100000 leaves, if somebody went through them.
    let mut laughs = [b"\x80\x02}", &text("model")[..], b"N", b"sq\x00"].concat();
    for level in 1..40_000u32 {
        let fetch = [&b"j"[..], &(level - 1).to_le_bytes()].concat();
        let entries = [text("model"), fetch.clone(), text("net"), fetch.clone(), text("state_dict"), fetch].concat();
        laughs.extend([&b"}("[..], &entries, b"ur", &level.to_le_bytes()].concat());
    }
    laughs.push(b'.');
    let cases = [
        ("lists in lists", [b"\x80\x02", &many(b"]", 1_000_000)[..], &many(b"a", 999_999), b"."].concat()),
        ("tuples in tuples", [b"\x80\x02)", &many(b"\x85", 3_000_000)[..], b"."].concat()),
        ("marks", [b"\x80\x02", &many(b"(", 10_000_000)[..], b"."].concat()),
        ("values", [b"\x80\x02(", &many(b"N", 10_000_000)[..], b"t."].concat()),
        ("notes", [b"\x80\x04N", &many(b"\x94", 10_000_000)[..], b"."].concat()),
        ("copies", [b"\x80\x02N", &many(b"2", 10_000_000)[..], b"."].concat()),
        ("laughs", laughs),
        ("itself", b"\x80\x02}q\x00(X\x05\x00\x00\x00modelh\x00X\x03\x00\x00\x00neth\x00u.".to_vec()),
        ("types of types", {
            let rebuild = b"ctorch._tensor\n_rebuild_from_type_v2\nq\x00";
            let levels = many(b"h\x00N", 1000);
            [b"\x80\x02", &rebuild[..], b"0", &levels, b")", &many(b"N(tR", 10)[..], b"."].concat()
        }),
        ("a text of 4 GB", b"\x80\x02X\xff\xff\xff\xff.".to_vec()),
        ("bytes of an EB", b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x0f.".to_vec()),
    ];
    for (what, pickle) in cases {
        let message = convert(&archive(folder.path(), &pickle, 16), None).map(|_| ()).unwrap_err().to_string();
        assert!(message.len() < 2000, "{what}: {message}");
    }
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[test]
fn entries_that_name_the_same_bytes_are_not_read_for_ever() {
    // A thousand storages, each the same megabyte of the file: a gigabyte, if somebody read them all.
    let folder = tempfile::tempdir().unwrap();
    let (mut pickle, count) = (b"\x80\x02}".to_vec(), 1000);
    let text = |text: &str| [&b"X"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
    for key in 0..count {
        pickle.extend([text(&format!("w{key}")), b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec()].concat());
        pickle.extend(
            [text("storage"), b"ctorch\nFloatStorage\n".to_vec(), text(&key.to_string()), text("cpu")].concat(),
        );
        pickle.extend(b"K\x04tQK\x00K\x04\x85K\x01\x85\x89NtRs");
    }
    pickle.push(b'.');
    let path = archive(folder.path(), &pickle, 1 << 20);
    let mut bytes = std::fs::read(&path).unwrap();
    // The directory lies before the last 22 bytes, and the storage is its last entry.
    let end = bytes.split_off(bytes.len() - 22);
    let begin = u32::from_le_bytes(end[16..20].try_into().unwrap()) as usize;
    let directory = bytes.split_off(begin);
    let last = directory.windows(4).rposition(|four| four == b"PK\x01\x02").unwrap();
    let (mut made, name) = (directory.clone(), b"x/data/");
    assert_eq!(&directory[last + 46..last + 46 + name.len()], name);
    for key in 1..count {
        let mut entry = directory[last..last + 46].to_vec();
        let name = [&name[..], key.to_string().as_bytes()].concat();
        entry[28..30].copy_from_slice(&(name.len() as u16).to_le_bytes());
        // Neither extra fields nor a comment.
        entry[30..34].fill(0);
        made.extend([entry, name].concat());
    }
    let counts = (count as u16 + 1).to_le_bytes();
    let lengths = [(made.len() as u32).to_le_bytes(), (begin as u32).to_le_bytes()].concat();
    bytes.extend([&made[..], &end[..8], &counts, &counts, &lengths, &[0, 0]].concat());
    std::fs::write(&path, &bytes).unwrap();
    let message = convert(&path, None).unwrap_err().to_string();
    assert!(message.contains("in all more than a checkpoint of this size needs"), "{message}");
}

#[test]
fn the_seeds_themselves_are_read_or_refused_as_before() {
    let good = seeds("people").iter().filter(|file| convert(file, None).is_ok()).count();
    assert_eq!(good, 13, "of the fixtures");
    assert!(convert(&pth("linear.pth"), None).is_ok());
}
