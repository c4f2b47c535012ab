//! The fingerprint of annotated images.

use std::collections::BTreeMap;

use super::data::AnnotatedData;
use super::label_maps::label_maps;
use crate::file_hashes::FileHashes;
use crate::fingerprint::{Fingerprint, hash_of, image_hashes, put_together};
use crate::progress::Listener;
use crate::remembered::Remembered;

/// The fingerprint of annotated images, which are decoded unless that is remembered; `voice` follows how far that is.
///
/// # Errors
/// Images or annotations that cannot be read, unless the experiment skips them.
pub(super) fn of_annotated(
    data: &AnnotatedData,
    hashes: &FileHashes,
    voice: &dyn Listener,
) -> anyhow::Result<Fingerprint> {
    let images = image_hashes(data.dataset.as_ref(), hashes)?;
    let remembered = Remembered::of_user("label-maps", &data.decoding);
    let maps = label_maps(data, &images, hashes, &remembered, voice)?;
    let lines: BTreeMap<usize, String> =
        maps.iter().map(|(index, hash)| (*index, format!("{index} {hash}\n"))).collect();
    let used = data.splits.parts().into_iter().flat_map(|(_, indices)| indices);
    let all = hash_of(used.filter_map(|index| lines.get(index)));
    let of_image = |index: usize| lines.get(&index).cloned().unwrap_or_default();
    let mut fingerprint = put_together(data.dataset.as_ref(), &data.splits, &images, all, of_image);
    fingerprint.classes = data.annotated.classes().len();
    Ok(fingerprint)
}
