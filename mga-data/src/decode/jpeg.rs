//! Facts that the JPEG decoder does not report: whether the file is whole, and its size without reading all of it.

use std::io::{Read, Seek, SeekFrom};

use image::metadata::Orientation;

/// Whether the markers of a JPEG lead to its end marker. A preview inside a segment does not count.
pub(super) fn is_complete(bytes: &[u8]) -> bool {
    let mut rest = bytes.get(2..).unwrap_or(&[]);
    // Entropy-coded data and stray bytes between segments are passed over alike: in both, 0xFF before anything but 0
    // or a restart marker starts the next segment.
    while let Some(at) = next_marker(rest) {
        rest = &rest[at + 1..];
        match rest.first() {
            Some(0xD9) => return true,
            None | Some(0xFF | 0x00 | 0x01 | 0xD0..=0xD8) => {}
            Some(_) => {
                let length = rest.get(1..3).map_or(2, |l| usize::from(l[0]) << 8 | usize::from(l[1]));
                rest = rest.get(1 + length..).unwrap_or(&[]);
            }
        }
    }
    false
}

/// Where the next 0xFF stands. `contains` looks at many bytes at once, and few of them hold 0xFF.
fn next_marker(bytes: &[u8]) -> Option<usize> {
    const CHUNK: usize = 32;
    let chunk = bytes.chunks(CHUNK).position(|chunk| chunk.contains(&0xFF))?;
    bytes[chunk * CHUNK..].iter().position(|&b| b == 0xFF).map(|at| chunk * CHUNK + at)
}

/// Size and orientation of a JPEG from its segments. `None`: it has no frame header.
pub(super) fn header<R: Read + Seek>(file: &mut R) -> std::io::Result<Option<((u32, u32), Orientation)>> {
    let byte = |file: &mut R| {
        let mut one = [0u8];
        file.read_exact(&mut one).map(|()| one[0])
    };
    let (mut size, mut orientation) = (None, Orientation::NoTransforms);
    file.seek(SeekFrom::Start(2))?;
    loop {
        if byte(file)? != 0xFF {
            continue;
        }
        let mut marker = byte(file)?;
        while marker == 0xFF {
            marker = byte(file)?;
        }
        match marker {
            0x00 | 0x01 | 0xD0..=0xD8 => continue,
            0xD9 | 0xDA => return Ok(size.map(|size| (size, orientation))),
            _ => {}
        }
        let length = (usize::from(byte(file)?) << 8 | usize::from(byte(file)?)).saturating_sub(2);
        match marker {
            0xC0..=0xCF if ![0xC4, 0xC8, 0xCC].contains(&marker) => {
                let mut frame = vec![0u8; length];
                file.read_exact(&mut frame)?;
                if let Some(&[_, h1, h0, w1, w0]) = frame.first_chunk::<5>() {
                    let side = |high, low| u32::from(u16::from_be_bytes([high, low]));
                    size = Some((side(w1, w0), side(h1, h0)));
                }
            }
            0xE1 => {
                let mut segment = vec![0u8; length];
                file.read_exact(&mut segment)?;
                if let Some(exif) = segment.strip_prefix(b"Exif\0\0") {
                    orientation = Orientation::from_exif_chunk(exif).unwrap_or(orientation);
                }
            }
            _ => {
                file.seek_relative(length as i64)?;
            }
        }
    }
}
