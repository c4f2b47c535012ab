//! The fingerprint of a data set to classify.

use mga_data::MaskSource;
use mga_data::dataset::Origin;
use mga_data::masks::MaskReading;

use crate::data_set::OpenData;
use crate::file_hashes::FileHashes;
use crate::fingerprint::{Contents, Fingerprint, hash_of, image_hashes, put_together, resolve, values_hash};

/// The fingerprint of a data set to classify, with what it was taken of.
///
/// # Errors
/// An image or mask that cannot be read.
pub(super) fn with_contents(data: &OpenData, hashes: &FileHashes) -> anyhow::Result<(Fingerprint, Contents)> {
    let (mut fingerprint, contents) = without_reference(data, hashes)?;
    let reference = data.reference.as_ref().map(|masks| reference_hash(masks, &contents.images, hashes));
    fingerprint.reference = reference.transpose()?;
    Ok((fingerprint, contents))
}

fn without_reference(data: &OpenData, hashes: &FileHashes) -> anyhow::Result<(Fingerprint, Contents)> {
    let images = image_hashes(data.dataset.as_ref(), hashes)?;
    let settings = data.masks.settings();
    if data.masks.is_none() {
        let fingerprint =
            put_together(data.dataset.as_ref(), &data.splits, &images, "none".to_owned(), |_| String::new());
        return Ok((fingerprint, Contents { images, ..Contents::default() }));
    }
    let mut lines = source_lines(&data.masks);
    // A file read in another way is another mask; as of old, nothing is written.
    let as_of_old = settings.reading == MaskReading::default();
    let reading = if as_of_old { String::new() } else { settings.reading.written_out().to_string() + "\n" };
    let (mut masks, mut of_images) = (vec![], vec![]);
    if let Some(native) = data.masks.made_from() {
        (masks, of_images) = mask_contents(&data.masks, native, &images, hashes)?;
        lines.push(format!("{native} {}\n", settings.seed));
        lines.push(reading.clone());
        lines.extend_from_slice(&of_images);
    }
    let hash = hash_of(&lines);
    let own = lines.get(1).filter(|_| !data.masks.own_settings().is_empty()).cloned().unwrap_or_default();
    let mixed = if data.masks.is_exchanged() { hash.clone() } else { own + &reading };
    let of_image = |index: usize| of_images.get(index).map_or("", String::as_str).to_owned() + &mixed;
    let fingerprint = put_together(data.dataset.as_ref(), &data.splits, &images, hash, of_image);
    Ok((fingerprint, Contents { images, masks, mixed }))
}

/// The name of a source, and its own settings where it has any, a line each.
fn source_lines(masks: &MaskSource) -> Vec<String> {
    let lines = [masks.source(), masks.own_settings()].into_iter().filter(|text| !text.is_empty());
    lines.map(|line| format!("{line}\n")).collect()
}

/// What the data set's masks are made of, and a line of each for the hash of all.
fn mask_contents(
    masks: &MaskSource,
    native: &str,
    images: &[String],
    hashes: &FileHashes,
) -> anyhow::Result<(Vec<String>, Vec<String>)> {
    let dataset = masks.dataset();
    let origins: Vec<Origin> = (0..dataset.len()).map(|index| dataset.mask_origin(index, native)).collect();
    let pixels = |index| {
        let mask = dataset.mask(index, native)?;
        Ok(mask.as_ref().map_or_else(String::new, values_hash))
    };
    let own = resolve(&origins, hashes, pixels)?;
    // A mask made by a rule is made of its image.
    let of_image = |index: usize| match origins.get(index) {
        Some(Origin::Rule(_)) => images.get(index).map_or("", String::as_str),
        _ => "",
    };
    let lines = own.iter().enumerate().map(|(index, own)| format!("{own} {}\n", of_image(index))).collect();
    Ok((own, lines))
}

/// The hash of masks that attention is measured against.
fn reference_hash(masks: &MaskSource, images: &[String], hashes: &FileHashes) -> anyhow::Result<String> {
    let settings = masks.settings();
    let mut lines = source_lines(masks);
    if let Some(native) = masks.made_from() {
        lines.push(format!("{native} {}\n", settings.seed));
        lines.extend(mask_contents(masks, native, images, hashes)?.1);
    }
    Ok(hash_of(&lines))
}
