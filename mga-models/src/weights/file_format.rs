//! The detection of a file's format by its first bytes: weights come in many formats under the same few endings.

use std::io::Read;
use std::path::Path;

/// Bytes that [`FileFormat::of`] looks at: a tar archive says what it is at byte 257.
pub(super) const START: usize = 264;

/// `torch.save` before version 1.6 wrote a pickle whose first object is this number.
const LEGACY: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileFormat {
    /// A zip archive, as PyTorch writes since 1.6.
    Zip,
    /// Pickles and numbers in a row, as PyTorch wrote before 1.6.
    Legacy,
    /// What neither of these is, and what to do about it.
    Other(&'static str),
}

impl FileFormat {
    /// By its first bytes.
    pub(super) fn of(start: &[u8]) -> Self {
        let begins = |with: &[u8]| start.starts_with(with);
        if begins(b"PK\x03\x04") {
            return Self::Zip;
        }
        // Right behind the protocol, from version 4 on behind the length of the first part.
        if begins(b"\x80") && [2, 11].iter().any(|&place| start.get(place..place + LEGACY.len()) == Some(LEGACY)) {
            return Self::Legacy;
        }
        Self::Other(if start.is_empty() {
            "an empty file"
        } else if matches!(start, [0x80, 2..=5, ..]) {
            "a bare pickle and not a PyTorch checkpoint; load it in Python if you trust it, and save its state dict with \
             torch.save"
        } else if start.get(8) == Some(&b'{') {
            "this looks like a safetensors file already; it needs no conversion"
        } else if start.get(257..262) == Some(b"ustar") || is_old_tar(start) {
            "a tar archive. If it is a checkpoint of PyTorch 0.1 (2016), load it in Python if you trust it, \
             torch.load(FILE, weights_only=False), and save its state dict with torch.save; if files were packed into it, \
             unpack it first"
        } else if begins(b"\x1f\x8b") || begins(b"BZh") || begins(b"\xfd7zXZ") || begins(b"\x28\xb5\x2f\xfd") {
            "a compressed file; unpack it first"
        } else if begins(b"version https://git-lfs") {
            "a pointer of Git LFS and not the file itself; get it with `git lfs pull`"
        } else if begins(b"<!DOCTYPE") || begins(b"<!doctype") || begins(b"<html") {
            "a web page; the download gave that in place of the file"
        } else if begins(b"\x89HDF") {
            "an HDF5 file, as Keras writes; mga reads PyTorch's checkpoints and safetensors"
        } else {
            "neither a PyTorch checkpoint nor a safetensors file"
        })
    }
}

/// Tar archives of before 1988, as Python's oldest: a name, zeros, and octal numbers where they belong.
fn is_old_tar(start: &[u8]) -> bool {
    let name = start.get(..100).unwrap_or_default();
    let members: [&[u8]; 4] = [b"sys_info", b"pickle", b"tensors", b"storages"];
    members.iter().any(|member| name.starts_with(member) && name.get(member.len()) == Some(&0))
}

/// Why a file that was to be safetensors cannot be read, and what to do about it: `error` where it begins as it should.
pub(super) fn not_safetensors(path: &Path, error: &dyn std::fmt::Display) -> String {
    let mut start = vec![];
    if let Ok(file) = std::fs::File::open(path) {
        // What cannot be read is judged by nothing, and the error says the rest.
        let _ = file.take(START as u64).read_to_end(&mut start);
    }
    let safetensors = start.get(8) == Some(&b'{');
    match FileFormat::of(&start) {
        FileFormat::Zip | FileFormat::Legacy => format!(
            "a PyTorch checkpoint, expected a safetensors file; convert it: mga weights convert {} {}",
            path.display(),
            path.with_extension("safetensors").display()
        ),
        FileFormat::Other(what) if !safetensors && !start.is_empty() => {
            let pickled =
                path.extension().is_some_and(|end| ["pth", "pt", "bin", "ckpt"].iter().any(|known| end == *known));
            let hint = if pickled { "; PyTorch's checkpoints are read by `mga weights convert`" } else { "" };
            format!("not a readable safetensors file: {what} ({error}){hint}")
        }
        FileFormat::Other(_) => format!("not a readable safetensors file ({error}); was its download cut short?"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_say_what_they_are() {
        let tar = [&b"x.txt"[..], &[0; 252], b"ustar  "].concat();
        let old_tar = [&b"sys_info"[..], &[0; 300]].concat();
        let cases: [(&[u8], &str); 10] = [
            (b"", "empty"),
            (b"\x80\x02}q\x00.", "bare pickle"),
            (b"\x10\0\0\0\0\0\0\0{\"a\"", "safetensors file already"),
            (&tar, "PyTorch 0.1"),
            (&old_tar, "PyTorch 0.1"),
            (b"\x1f\x8b\x08", "unpack"),
            (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
            (b"<!DOCTYPE html>", "web page"),
            (b"\x89HDF\r\n", "Keras"),
            (b"hello", "neither"),
        ];
        for (start, what) in cases {
            let FileFormat::Other(said) = FileFormat::of(start) else { panic!("{what}") };
            assert!(said.contains(what), "{said}");
        }
        assert_eq!(FileFormat::of(b"PK\x03\x04\0\0"), FileFormat::Zip);
        for protocol in [&b"\x80\x02"[..], b"\x80\x04\x95\x0d\0\0\0\0\0\0\0"] {
            assert_eq!(FileFormat::of(&[protocol, LEGACY, b"."].concat()), FileFormat::Legacy);
        }
    }

    #[test]
    fn a_checkpoint_in_place_of_safetensors_leads_to_convert() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pth");
        let said = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            not_safetensors(&path, &"why")
        };
        assert!(said(b"PK\x03\x04\0\0").contains("mga weights convert"));
        assert!(said(b"<!DOCTYPE html>").contains("web page"));
        assert!(said(b"\x10\0\0\0\0\0\0\0{\"a\"").contains("(why)"));
        assert!(said(b"").contains("cut short"));
    }
}
