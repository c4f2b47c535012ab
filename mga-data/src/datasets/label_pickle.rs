//! A pickled `dict` of labels, as the `mganet` layout has it, from a file that nobody vouches for.
//!
//! The pickle crate recurses over what is nested and copies what is referred to, so a few bytes could ask for all of the
//! stack or the memory. A table of labels is one `dict` of numbers and short texts: `check` walks the instructions once,
//! executes nothing, and refuses what goes beyond that.

use std::path::Path;

use serde_pickle::{DeOptions, HashableValue, Value};

use super::labels::LabelKey;
use crate::error::{Error, Result};
use crate::spelling::composed;

/// Lists, tuples, dicts and objects that a table of labels may be made of. Nesting cannot go deeper than that.
const MOST_CONTAINERS: usize = 16;

/// Bytes of one text: a file's name has 255.
const LONGEST_TEXT: usize = 1 << 12;

/// Bytes that texts may take when those that are referred to again are copied.
const MOST_COPIED: usize = 1 << 28;

const EXPECTED: &str = "expected a pickled dict of file number or name to label (1, 2, ...), plain Python numbers and text \
                        only; in Python: {k: int(v) for k, v in labels.items()}";

/// Reads a pickled `dict` of key to label. Only plain numbers, text and bytes are taken, the texts of Python 2 among them;
/// nothing in the file is executed.
///
/// # Errors
/// A file that cannot be read, is no pickle, or holds anything but such a dict.
pub fn read_pickle(path: &Path) -> Result<Vec<(LabelKey, String)>> {
    let bytes = std::fs::read(path).map_err(Error::io(path))?;
    check(&bytes).map_err(|what| Error::file(path, format!("cannot be read as labels: {what}; {EXPECTED}")))?;
    let value = serde_pickle::value_from_slice(&bytes, DeOptions::new())
        .map_err(|e| Error::file(path, format!("cannot be read as labels: {e}; {EXPECTED}")))?;
    let Value::Dict(dict) = value else {
        return Err(Error::file(path, format!("is no table of labels; {EXPECTED}")));
    };
    dict.into_iter()
        .map(|(key, label)| {
            let key = match key {
                HashableValue::I64(number) => LabelKey::Number(number),
                HashableValue::String(name) => LabelKey::Name(composed(&name)),
                HashableValue::Bytes(name) => LabelKey::Name(composed(&text(name, path)?)),
                other => return Err(Error::file(path, format!("has the key {other}; {EXPECTED}"))),
            };
            match label {
                Value::I64(number) => Ok((key, number.to_string())),
                Value::String(label) => Ok((key, label)),
                Value::Bytes(label) => Ok((key, text(label, path)?)),
                other => Err(Error::file(path, format!("has the label {other} for {key}; {EXPECTED}"))),
            }
        })
        .collect()
}

/// What Python 2 calls a text and Python 3 bytes.
fn text(bytes: Vec<u8>, path: &Path) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let shown = error.as_bytes().escape_ascii().to_string();
        let what = format!("has the text b'{shown}', which is not UTF-8: decode it first, in Python: ");
        Error::file(path, format!("{what}{{k: v.decode('latin-1') for k, v in labels.items()}}"))
    })
}

/// Refuses what no table of labels needs. Instructions that are not known are left to the reader, which refuses them.
fn check(bytes: &[u8]) -> std::result::Result<(), String> {
    let (mut containers, mut longest, mut copies) = (0usize, 0usize, 0usize);
    let mut rest = bytes;
    while let Some((&instruction, after)) = rest.split_first() {
        let argument = match instruction {
            b'.' => break,
            // Ended by a line feed.
            b'F' | b'I' | b'L' | b'S' | b'V' | b'p' => line(after),
            b'g' => {
                copies += 1;
                line(after)
            }
            // Two lines each: a module and a name.
            b'c' | b'i' => line(after) + line(after.get(line(after)..).unwrap_or_default()),
            b'K' | b'q' | 0x80 => 1,
            b'M' => 2,
            b'J' | b'r' => 4,
            b'G' | 0x95 => 8,
            b'2' => {
                copies += 1;
                0
            }
            b'h' => {
                copies += 1;
                1
            }
            b'j' => {
                copies += 1;
                4
            }
            b'U' | b'C' | 0x8a | 0x8c => counted(after, 1),
            b'T' | b'X' | b'B' | 0x8b => counted(after, 4),
            0x8d | 0x8e | 0x96 => counted(after, 8),
            _ => 0,
        };
        if matches!(instruction, b'L' | b'S' | b'V' | b'U' | b'C' | b'T' | b'X' | b'B' | 0x8a..=0x8e | 0x96) {
            longest = longest.max(argument);
        }
        if matches!(
            instruction,
            b']' | b')' | b'}' | b'l' | b'd' | b't' | b'R' | b'b' | b'o' | b'i' | 0x81 | 0x85
                ..=0x87 | 0x8f | 0x91 | 0x92
        ) {
            containers += 1;
        }
        rest = after.get(argument..).unwrap_or_default();
    }
    if containers > MOST_CONTAINERS {
        return Err(format!("it is made of {containers} lists, tuples or objects"));
    }
    if longest > LONGEST_TEXT {
        return Err(format!("it claims a text of more than {LONGEST_TEXT} bytes"));
    }
    if copies.saturating_mul(longest) > MOST_COPIED {
        return Err(format!("it refers {copies} times to what it holds already"));
    }
    Ok(())
}

/// Length of a line with its end.
fn line(bytes: &[u8]) -> usize {
    bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |end| end + 1)
}

/// Length of an argument that begins with its own length, in `width` bytes, least significant first.
fn counted(bytes: &[u8], width: usize) -> usize {
    let length = bytes.iter().take(width).rev().fold(0u64, |length, &byte| length << 8 | u64::from(byte));
    usize::try_from(length).unwrap_or(usize::MAX).saturating_add(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<(LabelKey, String)>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("labels.pkl");
        std::fs::write(&path, bytes).unwrap();
        read_pickle(&path)
    }

    #[test]
    fn pickles_of_either_key_are_read() {
        // pickle.dumps({7: 2, "a.jpg": 1}, protocol 0) by hand.
        let labels = read(b"(dI7\nI2\nsVa.jpg\nI1\ns.").unwrap();
        assert_eq!(labels.len(), 2);
        assert!(labels.contains(&(LabelKey::Number(7), "2".into())));
        assert!(labels.contains(&(LabelKey::Name("a.jpg".into()), "1".into())));
    }

    #[test]
    fn texts_of_python_2_are_texts() {
        // Python 2's cPickle.dumps({"a.jpg": "oak", 7: "ash"}, protocol 2), and the same of protocol 0.
        for bytes in [
            &b"\x80\x02}q\x01(U\x05a.jpgq\x02U\x03oakq\x03K\x07U\x03ashq\x04u."[..],
            b"(dp1\nS'a.jpg'\np2\nS'oak'\np3\nsI7\nS'ash'\np4\ns.",
        ] {
            let labels = read(bytes).unwrap();
            assert!(labels.contains(&(LabelKey::Name("a.jpg".into()), "oak".into())), "{labels:?}");
            assert!(labels.contains(&(LabelKey::Number(7), "ash".into())), "{labels:?}");
        }
        // Latin-1: what it means is not guessed.
        let message = read(b"\x80\x02}q\x01K\x07U\x04n\xe9l\xe9q\x04s.").unwrap_err().to_string();
        assert!(message.contains("b'n\\xe9l\\xe9'") && message.contains("latin-1"), "{message}");
    }

    #[test]
    fn pickles_execute_nothing_and_faults_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let sentinel = folder.path().join("executed");
        // A pickle that would run `os.system("touch ...")` where it is executed.
        let attack = format!("cos\nsystem\n(S'touch {}'\ntR.", sentinel.display());
        for bytes in [attack.as_bytes(), b"", b"not a pickle", b"(lI1\na.", b"(dI7\nF0.5\ns.", b"(dI7\n(lI1\nas."] {
            let message = read(bytes).unwrap_err().to_string();
            assert!(message.contains("labels.pkl") && message.contains("pickled dict"), "{message}");
        }
        assert!(!sentinel.exists());
    }

    #[test]
    fn nests_bombs_and_false_lengths_are_refused() {
        // A list in a list in a list: the stack of the reader would not hold it.
        let nest = [&b"]".repeat(1_000_000)[..], &b"a".repeat(999_999), b"."].concat();
        assert!(read(&nest).unwrap_err().to_string().contains("1000000 lists"));
        // Each list holds the one before twice: 2^40 elements in 200 bytes.
        let mut laughs = b"\x80\x02]q\x00".to_vec();
        for place in 1..40u8 {
            laughs.extend([b']', b'q', place, b'h', place - 1, b'a', b'h', place - 1, b'a']);
        }
        laughs.push(b'.');
        assert!(read(&laughs).unwrap_err().to_string().contains("lists"));
        let claim = [&b"}K\x01X"[..], &u32::MAX.to_le_bytes(), b"s."].concat();
        assert!(read(&claim).unwrap_err().to_string().contains("claims a text of more than 4096"));
        let copies = [&b"}U\xff"[..], &[b'x'; 255], &b"2".repeat(2_000_000), b"."].concat();
        assert!(read(&copies).unwrap_err().to_string().contains("refers 2000000 times"));
    }
}
