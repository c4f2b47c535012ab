//! What only the masks of an experiment tell: training images that lack one, test images that their segmenter has seen.

use std::collections::BTreeSet;

use mga_core::wording::counted;
use mga_data::check::DataReport;
use mga_data::content_hash::content_hash;
use mga_experiment::{Experiment, Loaded, MissingMask};
use mga_train::data_set::OpenData;
use mga_train::segmenting::training_images;

/// The problems with the masks of an experiment.
///
/// # Errors
/// A record of the segmenter's images that cannot be read.
pub(super) fn of_masks(loaded: &Loaded, data: &OpenData, report: &DataReport) -> anyhow::Result<Vec<String>> {
    let seen = seen_by_the_segmenter(&loaded.experiment, data)?;
    Ok(unmasked(loaded, data, report).into_iter().chain(seen).collect())
}

/// Training would stop at these images, though each could be meant.
fn unmasked(loaded: &Loaded, data: &OpenData, report: &DataReport) -> Option<String> {
    let experiment = &loaded.experiment;
    let wanted = experiment.model.mask_guidance || experiment.model.needs_masks(&loaded.kinds);
    if !wanted || experiment.data.masks.settings.missing != MissingMask::Error {
        return None;
    }
    let without: BTreeSet<&str> = report.masks.missing.iter().map(String::as_str).collect();
    let source = data.train_source();
    // A blank mask that `empty = "skip"` leaves out looks missing in the report, but training takes it.
    let stops = |index: &&usize| without.contains(source.id(**index)) && source.load(**index).is_err();
    let mut images = data.splits.train.iter().filter(stops);
    let first = images.next()?;
    let looked =
        data.masks.made_from().map_or_else(String::new, |from| data.masks.dataset().missing_mask(*first, from));
    let looked = if looked.is_empty() { looked } else { format!(" ({looked})") };
    Some(format!(
        "{} without a mask, which data.masks.missing = \"error\" refuses (\"no-loss\" trains on them without one); the \
         first: {}{looked}",
        counted(1 + images.count(), "training image", "training images"),
        source.id(*first)
    ))
}

/// Test images that the segmenter behind the masks was trained on: their masks are better than a new image's would be.
fn seen_by_the_segmenter(experiment: &Experiment, data: &OpenData) -> anyhow::Result<Option<String>> {
    let Some(trained) = training_images(experiment)?.filter(|trained| !trained.images.is_empty()) else {
        return Ok(None);
    };
    let mut seen = vec![];
    for &index in &data.splits.test {
        // What cannot be read is a problem of its own.
        let Ok(picture) = data.dataset.image(index) else { continue };
        if let (Some(_), Some(record)) =
            (trained.images.get(&content_hash(&picture)), data.dataset.records().get(index))
        {
            seen.push(record.id.as_str());
        }
    }
    let first = seen.first().map(|first| {
        format!(
            "{} among the {} that the segmenter of the masks was trained on ({}); the first: {first}",
            counted(seen.len(), "test image", "test images"),
            counted(trained.images.len(), "image", "images"),
            trained.run.display()
        )
    });
    Ok(first)
}
