//! Where the masks of an experiment come from: the data set, a folder, a segmenter, or a control.

use std::sync::Arc;

use mga_data::dataset::Dataset;
use mga_data::error::Error;
use mga_data::masks::{self, CachedMasks, MaskFiles, MaskSupply, Supplied};
use mga_data::{MaskSettings, MaskSource};
use mga_experiment::{Components, ExperimentError, Loaded, Masks};

use crate::assemble;
use crate::open_data::OpenData;
use crate::segmenting::{Maker, cache_folder};

/// The data set with the masks that the table `at`, `data.masks` say, takes from elsewhere: from a folder, or from a
/// segmenter.
pub(crate) fn supplied(
    loaded: &Loaded,
    components: &Components,
    dataset: &Arc<dyn Dataset>,
    (at, masks): (&str, &Masks),
) -> std::result::Result<Arc<dyn Dataset>, ExperimentError> {
    let mut dataset = Arc::clone(dataset);
    let MaskSettings { source, of, folder, mask_name, mask_layout, reading, .. } = &masks.settings;
    if let Some(folder) = folder {
        let how = (mask_name.as_deref(), *mask_layout);
        let files = MaskFiles::find(dataset.as_ref(), folder, how, reading.clone()).map_err(|error| {
            let (key, message) = fault_of_masks(&error, "folder");
            loaded.error(&format!("{at}.{key}"), message)
        })?;
        dataset = Arc::new(Supplied::new(dataset, Arc::new(files)));
    }
    // A control can be made from a segmenter's masks too.
    let named = source.iter().chain(of).find(|name| is_segmenter(name, components));
    let Some(name) = named.filter(|name| !dataset.mask_sources().contains(&name.as_str())) else { return Ok(dataset) };
    let key = format!("{at}.{}", if masks.segmenter.is_some() { "segmenter" } else { "source" });
    let failed = |error: anyhow::Error| loaded.error(&key, format!("{error:#}"));
    let settings = masks.segmenter.clone().unwrap_or_default();
    let device = assemble::device(loaded).map_err(failed)?;
    let maker = Maker::open(name, &settings, components, &device).map_err(failed)?;
    let supply: Arc<dyn MaskSupply> = Arc::new(CachedMasks::new(Arc::new(maker), &cache_folder(&settings)));
    Ok(Arc::new(Supplied::new(dataset, supply)))
}

/// The segmenter that makes the masks of an open data set, if one does.
#[must_use]
pub fn segmenter_of(data: &OpenData, components: &Components) -> Option<&'static str> {
    data.masks.made_from().filter(|name| is_segmenter(name, components))
}

fn is_segmenter(name: &str, components: &Components) -> bool {
    components.networks().is_segmenter(name)
}

/// The data set's name of a source: `file` is what segmenters call masks in files.
pub(crate) fn own_name(source: String) -> String {
    if source == "file" { "folder".to_owned() } else { source }
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
    let dataset = &supplied(loaded, components, dataset, ("data.masks", masks))?;
    let source = match &masks.settings.source {
        Some(source) => own_name(source.clone()),
        None if !wants_masks(loaded) => "none".to_owned(),
        None => {
            let first = dataset.mask_sources().first().map(|source| (*source).to_owned());
            first.ok_or_else(|| {
                let needs = experiment.model.needs_masks(&loaded.kinds);
                let controls = masks::CONTROLS.join("`, `");
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
    mask_source(loaded, components, dataset, ("data.masks", masks), source)
}

/// The masks that attention is measured against besides those it may learn from.
pub(crate) fn open_reference(
    loaded: &Loaded,
    components: &Components,
    dataset: &Arc<dyn Dataset>,
) -> std::result::Result<Option<Arc<MaskSource>>, ExperimentError> {
    const AT: &str = "eval.reference_masks";
    let Some(masks) = &loaded.experiment.eval.reference_masks else { return Ok(None) };
    let dataset = supplied(loaded, components, dataset, (AT, masks))?;
    let first = || dataset.mask_sources().first().map(|source| (*source).to_owned());
    let Some(source) = masks.settings.source.clone().map(own_name).or_else(first) else {
        let set = &loaded.experiment.data.dataset;
        let message = format!("data set `{set}` as it is set here offers no masks: say in `source` where they are");
        return Err(loaded.error(AT, message));
    };
    mask_source(loaded, components, &dataset, (AT, masks), source).map(|masks| Some(Arc::new(masks)))
}

/// Masks from `source`, by the settings of the table `at`.
fn mask_source(
    loaded: &Loaded,
    components: &Components,
    dataset: &Arc<dyn Dataset>,
    (at, masks): (&str, &Masks),
    source: String,
) -> std::result::Result<MaskSource, ExperimentError> {
    let settings = MaskSettings { source: Some(source), ..masks.settings.clone() };
    MaskSource::new(settings, Arc::clone(dataset)).map_err(|error| {
        let (key, mut message) = fault_of_masks(&error, "source");
        if let Error::UnknownMaskSource(_) = error {
            let names: Vec<&str> = components.networks().segmenter_names().collect();
            message += &format!("; or a segmenter: {}", names.join(", "));
        }
        loaded.error(&format!("{at}.{key}"), message)
    })
}

/// The key of a table of masks that an error is about, `otherwise` where it names none, and what is wrong. The error names
/// keys of `data.masks`; reference masks have the same in a table of their own.
fn fault_of_masks<'a>(error: &'a Error, otherwise: &'a str) -> (&'a str, String) {
    match error.invalid_setting() {
        Some(setting) => (setting.key.rsplit('.').next().unwrap_or(otherwise), setting.what.clone()),
        None => (otherwise, error.to_string()),
    }
}
