//! Every label map of annotated images, decoded once and remembered by its content.

use std::collections::BTreeMap;

use mga_data::dataset::Origin;
use mga_data::source::load_caught;
use mga_experiment::OnError;
use rayon::prelude::*;

use super::data::AnnotatedData;
use crate::file_hashes::FileHashes;
use crate::fingerprint::{resolve, values_hash};
use crate::progress::Listener;
use crate::remembered::{Remembered, key};
use crate::verification::{VERSION, tell};

/// The hash of the label map of every annotated image that trains, selects or tests, by number. `images` says what images
/// are made of. What was found out of contents is remembered; all else is decoded, image and map.
///
/// # Errors
/// Images or annotations that cannot be read, unless the experiment skips them: then their hash is empty.
pub(super) fn label_maps(
    data: &AnnotatedData,
    images: &[String],
    hashes: &FileHashes,
    remembered: &Remembered,
    voice: &dyn Listener,
) -> anyhow::Result<BTreeMap<usize, String>> {
    let used: Vec<usize> = data.splits.parts().iter().flat_map(|(_, indices)| indices.iter().copied()).collect();
    let in_file = |origin: &Origin| matches!(origin, Origin::File(_) | Origin::Within(..));
    let origins: Vec<Origin> = used.iter().map(|&index| data.annotated.origin(index)).collect();
    let maps = resolve(&origins, hashes, |_| Ok(String::new()))?;
    let counter = voice.images(used.len());
    let one = |(at, &index): (usize, &usize)| -> Result<(usize, String), (usize, String)> {
        let on_disk = origins.get(at).is_some_and(in_file) && in_file(&data.dataset.origin(index));
        let image = images.get(index).map_or("", String::as_str);
        let key = on_disk.then(|| key(&[VERSION, image, maps.get(at).map_or("", String::as_str)]));
        if let Some(hash) = key.as_deref().and_then(|key| remembered.get(key)) {
            return Ok((index, hash.to_owned()));
        }
        let mut hash = String::new();
        load_caught(data.annotated.as_ref(), index, |(_, map)| {
            hash = map.as_ref().map_or_else(String::new, values_hash);
        })
        .map_err(|error| (index, error.to_string()))?;
        counter.one_more();
        if let Some(key) = key {
            remembered.note(key, &hash);
        }
        Ok((index, hash))
    };
    let looked: Vec<_> = used.par_iter().enumerate().map(one).collect();
    drop(counter);
    remembered.keep();
    let (mut found, mut faults) = (BTreeMap::new(), vec![]);
    for looked in looked {
        match looked {
            Ok((index, hash)) => drop(found.insert(index, hash)),
            Err((index, fault)) => {
                found.insert(index, String::new());
                faults.push(fault);
            }
        }
    }
    let on_error = if data.skips { OnError::Skip } else { OnError::Stop };
    tell(&faults, used.len(), on_error, voice)?;
    Ok(found)
}
