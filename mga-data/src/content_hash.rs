//! The identity of an image, whatever its file: a hash of its decoded pixels.

use sha2::{Digest, Sha256};

use crate::picture::Picture;

/// Computes the SHA-256 over width, height and pixels, which is equal for a file and its lossless copy in another
/// format.
pub fn content_digest(picture: &Picture) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update((picture.width() as u64).to_le_bytes());
    digest.update((picture.height() as u64).to_le_bytes());
    let mut bytes = Vec::with_capacity(picture.width() * 12);
    for row in picture.pixels().chunks(picture.width() * 3) {
        bytes.clear();
        row.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
        digest.update(&bytes);
    }
    digest.finalize().into()
}

/// Returns the first half of [`content_digest`] as 32 hexadecimal digits: what records and caches name an image by.
pub fn content_hash(picture: &Picture) -> String {
    content_digest(picture).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_and_the_shape_count() {
        let picture = |width, height, value| {
            let mut picture = Picture::filled(width, height, 0.5);
            picture.values_mut()[4] = value;
            content_hash(&picture)
        };
        assert_eq!(picture(3, 2, 0.25).len(), 32);
        assert_eq!(picture(3, 2, 0.25), picture(3, 2, 0.25));
        assert_ne!(picture(3, 2, 0.25), picture(3, 2, 0.2500001));
        assert_ne!(picture(3, 2, 0.25), picture(2, 3, 0.25));
    }
}
