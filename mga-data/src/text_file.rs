//! Text files as people's programs write them: UTF-8 with or without a byte order mark, and UTF-16 with one.

use std::path::Path;

use crate::error::{Error, Result};

/// Reads the text file at `path`, without its byte order mark.
///
/// # Errors
/// A file that cannot be read, or whose encoding is not told: bytes that are not UTF-8 may stand for anything.
pub fn read_text(path: &Path) -> Result<String> {
    text_of(std::fs::read(path).map_err(Error::io(path))?).map_err(|what| Error::file(path, what))
}

/// The text that `bytes` encode; the error is a sentence without its subject.
pub(crate) fn text_of(bytes: Vec<u8>) -> std::result::Result<String, String> {
    match bytes.as_slice() {
        [0xFF, 0xFE, rest @ ..] => utf_16(rest, u16::from_le_bytes),
        [0xFE, 0xFF, rest @ ..] => utf_16(rest, u16::from_be_bytes),
        [0xEF, 0xBB, 0xBF, rest @ ..] => utf_8(rest.to_vec()),
        _ => utf_8(bytes),
    }
    .and_then(|text| match text.find('\0') {
        Some(at) => {
            let line = 1 + text.bytes().take(at).filter(|&byte| byte == b'\n').count();
            Err(format!(
                "is no text: line {line} has a byte of 0; save it as UTF-8, with `iconv -f UTF-16LE -t UTF-8` where it is \
                 UTF-16 without its mark"
            ))
        }
        None => Ok(text),
    })
}

/// The characters of Windows-1252 from 0x80 to 0x9f; a space where there is none. From 0xa0 on it is Latin-1.
const WINDOWS: &str = "€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ";

/// The cell or word of the byte at `at`, read as Windows-1252.
fn word_around(bytes: &[u8], at: usize) -> String {
    let ends = |byte: &u8| matches!(byte, b'\n' | b'\r' | b',' | b';' | b'\t' | b'"');
    let (before, after) = bytes.split_at(at.min(bytes.len()));
    let start = before.iter().rposition(ends).map_or(0, |position| position + 1).max(at.saturating_sub(30));
    let end = at + after.iter().position(ends).unwrap_or(after.len()).min(30);
    bytes.get(start..end).unwrap_or_default().iter().map(|&byte| windows(byte)).collect()
}

fn windows(byte: u8) -> char {
    match byte {
        0x80..=0x9f => WINDOWS.chars().nth(usize::from(byte - 0x80)).unwrap_or(' '),
        other => char::from(other),
    }
}

fn utf_8(bytes: Vec<u8>) -> std::result::Result<String, String> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let line = 1 + bytes.iter().take(at).filter(|&&byte| byte == b'\n').count();
        let byte = bytes.get(at).copied().unwrap_or_default();
        format!(
            "is no UTF-8 text: byte 0x{byte:02X} in line {line}, which in Windows-1252 would read `{}`; save it as UTF-8 (in \
             Excel \"CSV UTF-8\"), with `iconv -f WINDOWS-1252 -t UTF-8` for example",
            word_around(bytes, at)
        )
    })
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> std::result::Result<String, String> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    String::from_utf16(&units)
        .ok()
        .filter(|_| odd.is_empty())
        .ok_or_else(|| "begins as UTF-16 text does, but is none: save it as UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_that_tell_themselves_are_read() {
        let text = "Ähre, \u{1F33F}";
        let units: Vec<u16> = text.encode_utf16().collect();
        let little: Vec<u8> = [0xFEFF].iter().chain(&units).flat_map(|unit: &u16| unit.to_le_bytes()).collect();
        let big: Vec<u8> = [0xFEFF].iter().chain(&units).flat_map(|unit: &u16| unit.to_be_bytes()).collect();
        for bytes in [text.as_bytes().to_vec(), format!("\u{feff}{text}").into_bytes(), little.clone(), big] {
            assert_eq!(text_of(bytes).unwrap(), text);
        }
        assert!(text_of(little[..5].to_vec()).unwrap_err().contains("UTF-16"));
        assert_eq!(text_of(vec![]).unwrap(), "");
    }

    #[test]
    fn other_encodings_are_named_with_their_place() {
        let message = text_of(b"a\nb\nn\xe9e".to_vec()).unwrap_err();
        assert!(message.contains("0xE9 in line 3") && message.contains("Windows-1252"), "{message}");
        let message = text_of(b"file,label\na.jpg,\x8crable \xe0 sucre\n".to_vec()).unwrap_err();
        assert!(message.contains("would read `Œrable à sucre`"), "{message}");
        assert!(text_of(b"a\nb\0c\0".to_vec()).unwrap_err().contains("line 2 has a byte of 0"));
        assert_eq!(WINDOWS.chars().count(), 32);
        assert_eq!((windows(0x80), windows(0x9f), windows(0xe9)), ('€', 'Ÿ', 'é'));
    }
}
