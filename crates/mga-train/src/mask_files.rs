//! Notes on the files of masks and images before an experiment trains on them: what they hold, and what in them would
//! be read otherwise than it was meant.

use mga_data::check::nearly_black;
use mga_data::masks::{FOLDER, MaskSurvey};
use mga_experiment::{Experiment, Loaded, MissingMask, OnError};

use crate::data_set::OpenData;
use crate::looked::Looked;
use crate::prediction::spread;

/// Mask files that are looked at before training, spread over the images; `mga check` looks at all.
pub const LOOKED_AT: usize = 500;

/// Faults that are listed one by one.
const LISTED: usize = 10;

/// Looks at the mask files of up to `most` images, and at some images.
///
/// # Errors
/// Masks that cannot be used or would be read otherwise than meant; training images without a mask, where they need one.
pub fn look(loaded: &Loaded, data: &OpenData, most: usize) -> anyhow::Result<Looked> {
    let experiment = &loaded.experiment;
    let all: Vec<usize> = data.splits.parts().iter().flat_map(|(_, images)| images.iter().copied()).collect();
    let survey = data.masks.survey(&spread(&all, most));
    all_there(loaded, data)?;
    if survey.of == 0 && data.masks.settings().reading.lists_numbers() && data.masks.made_from().is_some() {
        let message = "foreground, background and ignore name numbers in mask files, and these masks lie in no files";
        return Err(loaded.error("data.masks", message).into());
    }
    let mut looked = Looked { kinds: survey.lines(), notes: usable(loaded, "data.masks", survey)? };
    if experiment.data.white_point.is_none() {
        let train = spread(&data.splits.train, LOOKED_AT);
        // An image that cannot be read is told where it is loaded.
        looked.notes.extend(nearly_black(data.dataset.as_ref(), &train).ok().flatten());
    }
    Ok(looked)
}

/// Refuses training images without a mask that need one, before anything is decoded.
///
/// # Errors
/// There are such images.
pub fn all_there(loaded: &Loaded, data: &OpenData) -> anyhow::Result<()> {
    match unmasked(&loaded.experiment, data) {
        Some(message) => Err(loaded.error("data.masks", message).into()),
        None => Ok(()),
    }
}

/// The notes of a survey of masks that can be used.
///
/// # Errors
/// Masks that cannot be, at `key`.
pub(crate) fn usable(loaded: &Loaded, key: &str, survey: MaskSurvey) -> anyhow::Result<Vec<String>> {
    let mut notes = unreadable(loaded, key, "masks", &survey.unreadable)?;
    if !survey.problems.is_empty() {
        return Err(loaded.error(key, survey.problems.join("\n")).into());
    }
    notes.extend(survey.notes);
    Ok(notes)
}

/// What to say of files that cannot be used, where their images are left out.
///
/// # Errors
/// They are not to be left out: the first of them, and how many there are.
pub(crate) fn unreadable(loaded: &Loaded, key: &str, what: &str, lines: &[String]) -> anyhow::Result<Vec<String>> {
    let Some(first) = lines.first() else { return Ok(Vec::new()) };
    if loaded.experiment.data.on_error == OnError::Skip {
        let left_out = format!("{} {what} cannot be used, and their images are left out (first: {first})", lines.len());
        return Ok(vec![left_out]);
    }
    let listed = lines.iter().take(LISTED).map(|line| format!("\n  {line}")).collect::<String>();
    let more = lines.len().saturating_sub(LISTED);
    let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    let head = format!("{} {what} cannot be used (data.on_error = \"skip\" leaves out their images):", lines.len());
    Err(loaded.error(key, head + &listed + &more).into())
}

/// Training would stop at images without a mask that need one; only of masks in a folder is that known at once.
fn unmasked(experiment: &Experiment, data: &OpenData) -> Option<String> {
    let masks = &data.masks;
    let needed = data.train_needs_masks() && experiment.data.masks.settings.missing == MissingMask::Error;
    let from = masks.made_from().filter(|from| *from == FOLDER && !masks.is_exchanged());
    let from = from.filter(|_| needed && experiment.data.on_error == OnError::Stop)?;
    let without: Vec<usize> =
        data.splits.train.iter().copied().filter(|&index| !masks.dataset().has_mask(index, from)).collect();
    let first = *without.first()?;
    let id = data.dataset.records().get(first).map_or("", |record| record.id.as_str());
    let (count, all) = (without.len(), data.splits.train.len());
    Some(format!("{count} of {all} training images have no mask; the first, {id}, {}", masks.missing(first)))
}
