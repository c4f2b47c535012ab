//! The data set of an experiment, open: its images, which of them train and test, and their masks.

use std::sync::Arc;

use mga_data::dataset::{Dataset, Record};
use mga_data::error::{Error, Result};
use mga_data::export::UNFINISHED;
use mga_data::masks::{CachedMasks, MaskFiles, MaskSupply, Supplied};
use mga_data::registry::OpenContext;
use mga_data::source::ImagesOnly;
use mga_data::split::{self, SplitSettings};
use mga_data::{Mask, MaskSettings, MaskSource, Picture, Source, Splits, composition, masks};
use mga_experiment::{Components, Data, Experiment, ExperimentError, Loaded, Masks, OnError};

use crate::assemble;
use crate::segmenting::{Maker, cache_folder};
use crate::tasks::label_counts;
use crate::torn_groups::{TornGroups, torn_groups, torn_note};

/// An experiment's data set. Nothing is decoded yet.
pub struct OpenData {
    /// Its images and classes.
    pub dataset: Arc<dyn Dataset>,
    /// Which images train, select and test.
    pub splits: Splits,
    /// Its masks, or a control; none without mask guidance, unless the experiment names a source, which evaluation then
    /// measures the attention against.
    pub masks: Arc<MaskSource>,
    /// The masks that attention is measured against besides, where the experiment names them.
    pub reference: Option<Arc<MaskSource>>,
    guided: bool,
}

impl OpenData {
    /// Images as training sees them: with masks where the experiment is guided by them, and an error for an image that
    /// lacks one where `data.masks.missing` says so.
    #[must_use]
    pub fn train_source(&self) -> Arc<dyn Source> {
        if self.guided {
            Arc::new(Masked { masks: Arc::clone(&self.masks), reference: None, required: true })
        } else {
            Arc::new(ImagesOnly(Arc::clone(&self.dataset)))
        }
    }

    /// Images as evaluation sees them: with masks, and reference masks, where there are any.
    #[must_use]
    pub fn eval_source(&self) -> Arc<dyn Source> {
        Arc::new(Masked { masks: Arc::clone(&self.masks), reference: self.reference.clone(), required: false })
    }

    /// Training images of each class.
    #[must_use]
    pub fn training_counts(&self) -> Vec<u64> {
        let records = self.dataset.records();
        let labels = self.splits.train.iter().map(|&index| records.get(index).and_then(|record| record.label));
        label_counts(labels, self.dataset.classes().len())
    }

    /// The same with nothing noted of its masks yet: for reading that is not the run's own.
    ///
    /// # Errors
    /// None that opening it did not give.
    pub fn unseen(&self) -> Result<Self> {
        let masks = MaskSource::new(self.masks.settings().clone(), Arc::clone(self.masks.dataset()))?;
        let (dataset, splits) = (Arc::clone(&self.dataset), self.splits.clone());
        let reference = self.reference.clone();
        Ok(Self { dataset, splits, masks: Arc::new(masks), reference, guided: self.guided })
    }

    /// Why no run on it is to be begun: groups are on both sides of the split, and the experiment does not allow that.
    #[must_use]
    pub fn torn_groups(&self, loaded: &Loaded) -> Option<ExperimentError> {
        torn_groups(loaded, self.dataset.as_ref(), &self.splits)
    }

    /// Whether training learns from masks, or the network is shown them.
    #[must_use]
    pub fn train_needs_masks(&self) -> bool {
        self.guided
    }

    /// What was left out or decided while opening, a line each, for people.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut notes = [self.dataset.warnings(), self.splits.notes.as_slice()].concat();
        for (name, images) in [("validation", &self.splits.validation), ("test", &self.splits.test)] {
            let unlabelled = self.unlabelled(images).count();
            if unlabelled > 0 {
                let all = images.len();
                notes.push(format!(
                    "{unlabelled} of {all} {name} images have no label: they are predicted and not scored"
                ));
            }
        }
        notes
    }

    /// Those of `images` that carry no label.
    fn unlabelled<'a>(&'a self, images: &'a [usize]) -> impl Iterator<Item = &'a Record> {
        let records = images.iter().filter_map(|&index| self.dataset.records().get(index));
        records.filter(|record| record.label.is_none())
    }
}

/// Images with masks from one source.
struct Masked {
    masks: Arc<MaskSource>,
    reference: Option<Arc<MaskSource>>,
    required: bool,
}

impl Source for Masked {
    fn load(&self, index: usize) -> Result<(Picture, Option<Mask>)> {
        if self.required { self.masks.load(index) } else { self.masks.load_optional(index) }
    }

    fn reference(&self, index: usize, picture: &Picture) -> Result<Option<Mask>> {
        let Some(reference) = &self.reference else { return Ok(None) };
        reference.mask_of(index, (picture.width(), picture.height()))
    }

    fn label(&self, index: usize) -> Option<usize> {
        self.masks.dataset().records().get(index).and_then(|record| record.label)
    }

    fn id(&self, index: usize) -> &str {
        self.masks.dataset().records().get(index).map_or("", |record| &record.id)
    }
}

/// Opens what an experiment trains on: data set, splits and masks.
///
/// # Errors
/// Settings that do not fit the data, at the place where they were written: no such files, classes too small to split,
/// no masks of that name, no validation images to select on, nothing to train on, groups on both sides of the split.
pub fn open(loaded: &Loaded, components: &Components, torn: TornGroups) -> anyhow::Result<OpenData> {
    let (dataset, mut splits) = open_images(loaded, components)?;
    if splits.train.is_empty() {
        return Err(loaded.error("data", "no image is left to train on").into());
    }
    if let [only] = dataset.classes() {
        let message = format!("one class only, `{only}`: a classifier needs two at least to tell apart");
        return Err(loaded.error(if loaded.is_set("data.root") { "data.root" } else { "data" }, message).into());
    }
    loaded.check_validation(splits.validation.len())?;
    if let Some(error) = torn_groups(loaded, dataset.as_ref(), &splits).filter(|_| torn == TornGroups::Refused) {
        return Err(error.into());
    }
    splits.notes.extend(torn_note(dataset.as_ref(), &splits));
    let masks = Arc::new(open_masks(loaded, components, &dataset)?);
    let reference = open_reference(loaded, components, &dataset)?;
    Ok(OpenData { dataset, splits, masks, reference, guided: wants_masks(&loaded.experiment) })
}

/// Opens what an experiment is evaluated on: as [`open`], but neither masks nor training or validation images are
/// needed. Where the masks cannot be had, the notes say so.
///
/// # Errors
/// Settings that do not fit the data, at the place where they were written.
pub fn open_to_evaluate(loaded: &Loaded, components: &Components) -> anyhow::Result<OpenData> {
    let (dataset, mut splits) = open_images(loaded, components)?;
    let masks = match open_masks(loaded, components, &dataset) {
        Ok(masks) => masks,
        // A network that is shown masks can do nothing without.
        Err(error) if loaded.experiment.model.input.needs_masks() => return Err(error.into()),
        Err(error) => {
            splits.notes.push(format!("evaluated without masks: {}", reason(&error)));
            let none = MaskSettings::of_source("none");
            MaskSource::new(none, Arc::clone(&dataset))?
        }
    };
    let reference = open_reference(loaded, components, &dataset).unwrap_or_else(|error| {
        splits.notes.push(format!("evaluated without reference masks: {}", reason(&error)));
        None
    });
    Ok(OpenData { dataset, splits, masks: Arc::new(masks), reference, guided: false })
}

/// The first of what is wrong.
fn reason(error: &ExperimentError) -> &str {
    error.problems.first().map_or("", |problem| problem.message.as_str())
}

pub(crate) fn open_registered(
    loaded: &Loaded,
    components: &Components,
) -> std::result::Result<Arc<dyn Dataset>, ExperimentError> {
    let data = &loaded.experiment.data;
    let Some(entry) = components.datasets.iter().find(|entry| entry.name == data.dataset) else {
        return Err(loaded.error("data.dataset", format!("no data set `{}` is registered", data.dataset)));
    };
    if let Some(root) = data.root.as_ref().filter(|root| root.join(UNFINISHED).is_file()) {
        let message = format!(
            "{}: a data set that is not finished: `mga data make` was ended before all images were written, and the same \
             command goes on with it",
            root.display()
        );
        return Err(loaded.error("data.root", message));
    }
    let context = OpenContext {
        root: data.root.clone(),
        skip_errors: data.on_error == OnError::Skip,
        hub: Some(components.hub.clone()),
        masks: data.masks.settings.reading.clone(),
        white_point: data.white_point,
    };
    let settings = serde_json::Value::Object(data.settings.clone());
    (entry.open)(&settings, &context).map_err(|error| {
        // What is wrong with files is looked for in the folder, what is wrong with settings beside the name.
        let files = data.root.is_some() && !matches!(error, Error::Settings(_));
        loaded.error_in(if files { "data.root" } else { "data.dataset" }, error)
    })
}

fn open_images(
    loaded: &Loaded,
    components: &Components,
) -> std::result::Result<(Arc<dyn Dataset>, Splits), ExperimentError> {
    let data = &loaded.experiment.data;
    let dataset = open_registered(loaded, components)?;
    let assigned = split::assign(dataset.records(), dataset.classes(), &split_settings(data));
    let mut splits = assigned.map_err(|error| loaded.error_in("data", error))?;
    splits.notes.extend(composition::notes(dataset.records(), dataset.classes(), &splits));
    Ok((dataset, splits))
}

pub(crate) fn split_settings(data: &Data) -> SplitSettings {
    SplitSettings { test: data.split, validation: data.validation }
}

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
    components.registry.weightless(name).is_some() || components.registry.segmenter(name).is_some()
}

/// The images of an experiment, whatever their masks and splits.
///
/// # Errors
/// Settings that do not fit the data, at the place where they were written.
pub fn open_dataset(loaded: &Loaded, components: &Components) -> anyhow::Result<Arc<dyn Dataset>> {
    Ok(open_registered(loaded, components)?)
}

/// The data set's name of a source: `file` is what segmenters call masks in files.
pub(crate) fn own_name(source: String) -> String {
    if source == "file" { "folder".to_owned() } else { source }
}

/// Whether training needs masks: to learn from, or to look at.
fn wants_masks(experiment: &Experiment) -> bool {
    experiment.model.mask_guidance || experiment.model.input.needs_masks()
}

fn open_masks(
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
        None if !wants_masks(experiment) => "none".to_owned(),
        None => {
            let first = dataset.mask_sources().first().map(|source| (*source).to_owned());
            first.ok_or_else(|| {
                let controls = masks::CONTROLS.join("`, `");
                let message = format!(
                    "data set `{}` as it is set here offers no masks, and {} them: name where they are, or take a \
                     control (`{controls}`){}",
                    experiment.data.dataset,
                    if experiment.model.input.needs_masks() {
                        "model.input shows the network"
                    } else {
                        "model.mask_guidance trains towards"
                    },
                    if experiment.model.input.needs_masks() { "" } else { ", or set model.mask_guidance = false" },
                );
                loaded.error(KEY, message)
            })?
        }
    };
    mask_source(loaded, components, dataset, ("data.masks", masks), source)
}

/// The masks that attention is measured against besides those it may learn from.
fn open_reference(
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
            let rules = components.registry.weightless_segmenters().iter().map(|entry| entry.name);
            let names: Vec<&str> = rules.chain(components.registry.segmenters().iter().map(|e| e.name)).collect();
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

#[cfg(test)]
mod tests {
    use mga_experiment::{Overrides, load};

    use super::*;

    /// An experiment on small leaves with `more` settings.
    fn loaded(more: &[&str]) -> Loaded {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.toml");
        let text = "task = \"classification\"\n[data]\ndataset = \"leaves\"\nsize = 16\ntrain_per_class = 4\n\
                    test_per_class = 1\n[data.validation]\nfraction = 0.25\n[model]\nbackbone = \"resnet18\"\n";
        std::fs::write(&file, text).unwrap();
        let overrides = Overrides { set: more.iter().map(|set| (*set).to_owned()).collect(), ..Overrides::default() };
        load(&file, &overrides, &crate::builtin()).unwrap_or_else(|error| panic!("{error}"))
    }

    fn refused(more: &[&str]) -> String {
        open(&loaded(more), &crate::builtin(), TornGroups::Refused).err().expect("an error").to_string()
    }

    #[test]
    fn splits_and_masks_are_as_the_experiment_says() {
        let data = open(&loaded(&[]), &crate::builtin(), TornGroups::Refused).unwrap();
        let Splits { train, validation, test, .. } = &data.splits;
        assert_eq!((data.dataset.classes().len(), train.len(), validation.len(), test.len()), (10, 30, 10, 10));
        assert_eq!(data.masks.source(), "veins");
        let (picture, mask) = data.train_source().load(train[0]).unwrap();
        assert_eq!((picture.width(), mask.unwrap().values().len()), (16, 256));
        let source = data.eval_source();
        assert_eq!((source.label(test[0]), source.id(test[0])), (Some(0), "test/cultivar-00/0000"));
        assert!(source.load(test[0]).unwrap().1.is_some() && data.notes().is_empty());
    }

    #[test]
    fn without_guidance_training_reads_no_mask() {
        let data = open(&loaded(&["model.mask_guidance=false"]), &crate::builtin(), TornGroups::Refused).unwrap();
        assert_eq!(data.masks.source(), "none");
        assert!(data.train_source().load(0).unwrap().1.is_none() && data.eval_source().load(0).unwrap().1.is_none());
        let named = ["model.mask_guidance=false", "data.masks.source=silhouette"];
        let data = open(&loaded(&named), &crate::builtin(), TornGroups::Refused).unwrap();
        assert!(data.train_source().load(0).unwrap().1.is_none() && data.eval_source().load(0).unwrap().1.is_some());
    }

    #[test]
    fn evaluation_goes_on_without_the_masks() {
        let loaded = loaded(&["data.masks.source=viens"]);
        let data = open_to_evaluate(&loaded, &crate::builtin()).unwrap();
        assert!(data.eval_source().load(0).unwrap().1.is_none());
        assert!(data.notes()[0].contains("viens"), "{:?}", data.notes());
    }

    #[test]
    fn what_does_not_fit_the_data_is_shown_where_it_was_set() {
        let message = refused(&["data.masks.source=viens"]);
        assert!(message.contains("--set data.masks.source=viens") && message.contains("did you mean"), "{message}");
        assert_eq!(message.matches("data.masks.source: ").count(), 1, "{message}");
        let message = refused(&["data.train_per_class=1"]);
        assert!(message.contains("data.validation") && message.contains("two images"), "{message}");
        // Reference masks are set by a table of the same keys.
        let message = refused(&["eval.reference_masks={ source = 'inverted', of = 'viens' }"]);
        assert!(message.contains("eval.reference_masks.of: this data set offers no masks `viens`"), "{message}");
    }

    #[test]
    fn the_folder_is_shown_for_files_that_are_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let root = format!("data.root={}", folder.path().display());
        let message = refused(&["data.dataset=mganet", &root]);
        assert!(message.contains("data.root"), "{message}");
    }

    #[test]
    fn what_a_data_set_leaves_out_can_be_resolved_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let components = crate::builtin();
        for entry in &components.datasets {
            let file = folder.path().join("x.toml");
            let folder = folder.path().display();
            let root =
                if ["leaves", "hub"].contains(&entry.name) { String::new() } else { format!("root = \"{folder}\"\n") };
            let text = format!(
                "[data]\ndataset = \"{}\"\n{root}[model]\nbackbone = \"conv4\"\n[eval]\nselect_on = \"last\"\n",
                entry.name
            );
            std::fs::write(&file, text).unwrap();
            let first = load(&file, &Overrides::default(), &components).unwrap_or_else(|error| panic!("{error}"));
            let resolved = first.experiment.resolved_toml().unwrap_or_else(|error| panic!("{}: {error}", entry.name));
            std::fs::write(&file, &resolved).unwrap();
            let again = load(&file, &Overrides::default(), &components).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(again.experiment, first.experiment, "{resolved}");
        }
    }
}
