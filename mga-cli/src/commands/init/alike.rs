//! Images that look alike, kept together in the folds.

use mga_core::wording::counted;
use mga_data::check::{CheckSettings, Inspected};
use mga_data::groups::joined;
use mga_data::source::ImagesOnly;

use super::look::{Image, KeptTogether, Looked};
use crate::images_bar::images_bar;

/// The fewest groups of each class that can be folded.
const FEWEST: usize = 3;

/// Looks for near duplicates and joins their groups, unless a class were then left with too few to fold: pictures that alike
/// are no copies.
///
/// # Errors
/// Threads that cannot be started. Images that cannot be read are for others to speak of.
pub(super) fn keep_together(looked: &mut Looked) -> anyhow::Result<()> {
    let indices: Vec<usize> = looked.images.iter().map(|image| image.index).collect();
    let bar = images_bar(indices.len());
    let progress = |done: usize| bar.set_position(done as u64);
    let source = ImagesOnly(looked.dataset.clone());
    let alike = Inspected::of(&source, &indices, &CheckSettings::default(), &progress)?.alike()?;
    bar.finish_and_clear();
    let groups = looked.groups();
    let images = counted(looked.images.len(), "image", "images");
    if alike.groups.is_empty() {
        let line = format!("none among {images}, mirrored, turned, scaled and brightened ones included");
        looked.alike = Some(KeptTogether { groups, line });
        return Ok(());
    }
    let place = |index: &usize| looked.images.iter().position(|image| image.index == *index);
    let sets: Vec<(String, Vec<usize>)> = (1..)
        .zip(&alike.groups)
        .map(|(number, set)| (format!("alike-{number}"), set.iter().filter_map(place).collect()))
        .collect();
    let own: Vec<Option<String>> = looked.images.iter().map(|image| image.group.clone()).collect();
    let before = looked.fewest_units();
    set_groups(&mut looked.images, joined(&own, &sets));
    let found =
        format!("{} of {images} look alike, in {}", alike.images(), counted(alike.groups.len(), "group", "groups"));
    let after = looked.fewest_units();
    let line = if after < FEWEST && after < before {
        set_groups(&mut looked.images, own);
        format!(
            "{found}; a class would be left with {} to fold, so they are not kept together: are they copies? `mga data check` \
             lists them",
            counted(after, "group", "groups")
        )
    } else {
        format!("{found}; each stays in one fold, together with the groups of its images")
    };
    looked.alike = Some(KeptTogether { groups, line });
    Ok(())
}

fn set_groups(images: &mut [Image], groups: Vec<Option<String>>) {
    images.iter_mut().zip(groups).for_each(|(image, group)| image.group = group);
}
