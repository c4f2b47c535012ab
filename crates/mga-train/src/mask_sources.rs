//! The source of an experiment's masks: the data set, a folder, a segmenter, or a control.

use std::sync::Arc;

use mga_data::dataset::Dataset;
use mga_data::error::Error;
use mga_data::masks::{MaskSources, with_supplied_masks};
use mga_data::{MaskSettings, MaskSource};
use mga_experiment::{Components, ExperimentError, Loaded, Masks};
use mga_registry::Registry;

use crate::open_data::OpenData;
use crate::segmenting::with_segmenters;

/// The data set with the masks that the table `at`, `data.masks` say, takes from elsewhere, and the sources that there are.
pub(crate) fn supplied(
    loaded: &Loaded,
    components: &Components,
    dataset: &Arc<dyn Dataset>,
    (at, masks): (&str, &Masks),
) -> std::result::Result<(Arc<dyn Dataset>, Registry), ExperimentError> {
    let sources = with_segmenters(components, masks, &loaded.experiment.device);
    let supplied = with_supplied_masks(dataset, &masks.settings, &sources).map_err(|error| {
        let otherwise = if masks.settings.folder.is_some() { "folder" } else { "source" };
        let (key, message) = fault_of_masks(&error, otherwise);
        loaded.error(&format!("{at}.{key}"), message)
    })?;
    Ok((supplied, sources))
}

/// Returns the segmenter that makes the masks of an open data set, if one does.
#[must_use]
pub fn segmenter_of(data: &OpenData, components: &Components) -> Option<&'static str> {
    data.masks.made_from().filter(|name| is_segmenter(name, components))
}

fn is_segmenter(name: &str, components: &Components) -> bool {
    components.networks().is_segmenter(name)
}

/// Whether training needs masks: to learn from, or to look at.
pub(crate) fn wants_masks(loaded: &Loaded) -> bool {
    let model = &loaded.experiment.model;
    model.mask_guidance || model.needs_masks(&loaded.kinds)
}

pub(crate) fn open_masks(
    loaded: &Loaded,
    components: &Components,
    dataset: &Arc<dyn Dataset>,
) -> std::result::Result<MaskSource, ExperimentError> {
    const KEY: &str = "data.masks.source";
    let experiment = &loaded.experiment;
    let masks = &experiment.data.masks;
    let (dataset, sources) = &supplied(loaded, components, dataset, ("data.masks", masks))?;
    let source = match masks.settings.source_name() {
        Some(source) => source.to_owned(),
        None if !wants_masks(loaded) => "none".to_owned(),
        None => {
            let first = dataset.mask_sources().first().map(|source| (*source).to_owned());
            first.ok_or_else(|| {
                let needs = experiment.model.needs_masks(&loaded.kinds);
                let registered = components.kinds.all::<MaskSources>().iter();
                let controls = registered.filter(|entry| entry.item.made_of().is_control());
                let controls = controls.map(|entry| entry.name.as_str()).collect::<Vec<_>>().join("`, `");
                let message = format!(
                    "data set `{}` as it is set here offers no masks, and {} them: name where they are, or take a \
                     control (`{controls}`){}",
                    experiment.data.dataset,
                    if experiment.model.input.needs_masks() {
                        "model.input shows the network"
                    } else if needs {
                        "model.attention shows the network"
                    } else {
                        "model.mask_guidance trains towards"
                    },
                    if needs { "" } else { ", or set model.mask_guidance = false" },
                );
                loaded.error(KEY, message)
            })?
        }
    };
    mask_source(loaded, (dataset, sources), ("data.masks", masks), source)
}

/// The masks that attention is measured against besides those it may learn from.
pub(crate) fn open_reference(
    loaded: &Loaded,
    components: &Components,
    dataset: &Arc<dyn Dataset>,
) -> std::result::Result<Option<Arc<MaskSource>>, ExperimentError> {
    const AT: &str = "eval.reference_masks";
    let Some(masks) = &loaded.experiment.eval.reference_masks else { return Ok(None) };
    let (dataset, sources) = supplied(loaded, components, dataset, (AT, masks))?;
    let first = || dataset.mask_sources().first().map(|source| (*source).to_owned());
    let Some(source) = masks.settings.source_name().map(str::to_owned).or_else(first) else {
        let set = &loaded.experiment.data.dataset;
        let message = format!("data set `{set}` as it is set here offers no masks: say in `source` where they are");
        return Err(loaded.error(AT, message));
    };
    mask_source(loaded, (&dataset, &sources), (AT, masks), source).map(|masks| Some(Arc::new(masks)))
}

/// Masks from `source`, by the settings of the table `at`.
fn mask_source(
    loaded: &Loaded,
    (dataset, sources): (&Arc<dyn Dataset>, &Registry),
    (at, masks): (&str, &Masks),
    source: String,
) -> std::result::Result<MaskSource, ExperimentError> {
    let settings = MaskSettings { source: Some(source), ..masks.settings.clone() };
    MaskSource::new(settings, Arc::clone(dataset), sources).map_err(|error| {
        let (key, message) = fault_of_masks(&error, "source");
        loaded.error(&format!("{at}.{key}"), message)
    })
}

/// The key of a table of masks that an error is about, `otherwise` where it names none, and what is wrong. The error names
/// keys of `data.masks`; reference masks have the same in a table of their own.
fn fault_of_masks<'a>(error: &'a Error, otherwise: &'a str) -> (&'a str, String) {
    match error.invalid_setting() {
        Some(setting) => {
            let within = setting.key.strip_prefix("data.masks.").or_else(|| setting.key.rsplit('.').next());
            (within.unwrap_or(otherwise), setting.what.clone())
        }
        None => (otherwise, error.to_string()),
    }
}
