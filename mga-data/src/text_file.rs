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
}

fn utf_8(bytes: Vec<u8>) -> std::result::Result<String, String> {
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let line = 1 + bytes.iter().take(at).filter(|&&byte| byte == b'\n').count();
        let byte = bytes.get(at).copied().unwrap_or_default();
        format!(
            "is no UTF-8 text: byte 0x{byte:02X} in line {line}, perhaps of Windows-1252 or Latin-1; save it as UTF-8, with \
             `iconv -f WINDOWS-1252 -t UTF-8` for example"
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
    }
}
