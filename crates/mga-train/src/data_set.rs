//! The data set of an experiment, open: its images, which of them train and test, and their masks.

use std::sync::Arc;

use mga_data::cache::CachedDataset;
use mga_data::dataset::Dataset;
use mga_data::error::Error;
use mga_data::export::UNFINISHED;
use mga_data::registry::{Datasets, OpenContext};
use mga_data::split::{self, SplitSettings};
use mga_data::{MaskSource, Splits, composition};
use mga_experiment::{Components, Data, ExperimentError, Loaded, OnError};

use crate::mask_sources::{open_masks, open_reference, wants_masks};
pub use crate::open_data::OpenData;
use crate::torn_groups::{TornGroups, torn_groups, torn_note};

/// Opens what an experiment trains on: data set, splits and masks.
///
/// # Errors
/// Settings that do not fit the data, at the place where they were written: no such files, classes too small to split,
/// no masks of that name, no validation images to select on, nothing to train on, groups on both sides of the split.
pub fn open(loaded: &Loaded, components: &Components, torn: TornGroups) -> anyhow::Result<OpenData> {
    open_with(loaded, components, torn, None)
}

/// The way in which a task sees a data set whose images are split: as it is, or with other classes.
pub type See<'a> = &'a dyn Fn(Arc<dyn Dataset>, &Splits) -> anyhow::Result<Arc<dyn Dataset>>;

/// Opens what an experiment trains on as [`open`] does; the task sees the data set as `see` shows it.
///
/// # Errors
/// As [`open`], and those of `see`.
pub fn open_seen(loaded: &Loaded, components: &Components, torn: TornGroups, see: See<'_>) -> anyhow::Result<OpenData> {
    open_with(loaded, components, torn, Some(see))
}

fn open_with(
    loaded: &Loaded,
    components: &Components,
    torn: TornGroups,
    see: Option<See<'_>>,
) -> anyhow::Result<OpenData> {
    let (dataset, mut splits) = open_as(loaded, components, see)?;
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
    Ok(OpenData { dataset, splits, masks, reference, guided: wants_masks(loaded) })
}

/// Opens what an experiment is evaluated on: as [`open`], but neither masks nor training or validation images are
/// needed. Where the masks cannot be had, the notes say so.
///
/// # Errors
/// Settings that do not fit the data, at the place where they were written.
pub fn open_to_evaluate(loaded: &Loaded, components: &Components) -> anyhow::Result<OpenData> {
    evaluate_with(loaded, components, None)
}

/// Opens what an experiment is evaluated on as [`open_to_evaluate`] does; the task sees the data set as `see` shows it.
///
/// # Errors
/// As [`open_to_evaluate`], and those of `see`.
pub fn open_to_evaluate_seen(loaded: &Loaded, components: &Components, see: See<'_>) -> anyhow::Result<OpenData> {
    evaluate_with(loaded, components, Some(see))
}

fn evaluate_with(loaded: &Loaded, components: &Components, see: Option<See<'_>>) -> anyhow::Result<OpenData> {
    let (dataset, mut splits) = open_as(loaded, components, see)?;
    let masks = match open_masks(loaded, components, &dataset) {
        Ok(masks) => masks,
        // A network that is shown masks can do nothing without.
        Err(error) if loaded.experiment.model.needs_masks(&loaded.kinds) => return Err(error.into()),
        Err(error) => {
            splits.notes.push(format!("evaluated without masks: {}", reason(&error)));
            MaskSource::none(Arc::clone(&dataset))
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

/// The most that `data.cache` keeps where nothing is said, in GiB.
const CACHE_LIMIT: f64 = 4.0;

pub(crate) fn open_registered(
    loaded: &Loaded,
    components: &Components,
) -> std::result::Result<Arc<dyn Dataset>, ExperimentError> {
    let data = &loaded.experiment.data;
    let Some(entry) = components.kinds.get::<Datasets>(&data.dataset) else {
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
    let settings = serde_json::Value::Object(data.settings.clone());
    let dataset = entry.item.open(&settings, &context(data, components)).map_err(|error| {
        // What is wrong with files is looked for in the folder, what is wrong with settings beside the name.
        let files = data.root.is_some() && !matches!(error, Error::Settings(_));
        loaded.error_in(if files { "data.root" } else { "data.dataset" }, error)
    })?;
    let cached = CachedDataset::new(Arc::clone(&dataset), data.cache, data.cache_limit.unwrap_or(CACHE_LIMIT));
    let cached = cached.map_err(|error| loaded.error_in("data.cache", error))?;
    Ok(cached.map_or(dataset, |cached| Arc::new(cached)))
}

fn context(data: &Data, components: &Components) -> OpenContext {
    OpenContext {
        root: data.root.clone(),
        skip_errors: data.on_error == OnError::Skip,
        hub: Some(components.hub.clone()),
        masks: data.masks.settings.reading.clone(),
        white_point: data.white_point,
    }
}

/// Returns every fold that an experiment with `data.fold` could test on, as that setting names them; none of one without.
///
/// # Errors
/// A table that cannot be read.
pub fn folds(loaded: &Loaded, components: &Components) -> anyhow::Result<Vec<String>> {
    let data = &loaded.experiment.data;
    let Some(entry) = components.kinds.get::<Datasets>(&data.dataset) else { return Ok(Vec::new()) };
    let settings = serde_json::Value::Object(data.settings.clone());
    let folds = entry.item.folds(&settings, &context(data, components));
    Ok(folds.map_err(|error| loaded.error_in("data", error))?)
}

fn open_images(
    loaded: &Loaded,
    components: &Components,
) -> std::result::Result<(Arc<dyn Dataset>, Splits), ExperimentError> {
    let data = &loaded.experiment.data;
    let dataset = open_registered(loaded, components)?;
    let assigned = split::assign(dataset.records(), dataset.classes(), &split_settings(data));
    let splits = assigned.map_err(|error| loaded.error_in("data", error))?;
    Ok((dataset, splits))
}

/// The images as the task sees them. Without a way of its own they are those of a classifier, whose parts should have the
/// same classes: what is odd about that is noted.
fn open_as(
    loaded: &Loaded,
    components: &Components,
    see: Option<See<'_>>,
) -> anyhow::Result<(Arc<dyn Dataset>, Splits)> {
    let (dataset, mut splits) = open_images(loaded, components)?;
    match see {
        Some(see) => Ok((see(dataset, &splits)?, splits)),
        None => {
            splits.notes.extend(composition::notes(dataset.records(), dataset.classes(), &splits));
            Ok((dataset, splits))
        }
    }
}

pub(crate) fn split_settings(data: &Data) -> SplitSettings {
    SplitSettings { test: data.split, validation: data.validation, classes: data.class_split.clone() }
}

/// Returns the images of an experiment, whatever their masks and splits.
///
/// # Errors
/// Settings that do not fit the data, at the place where they were written.
pub fn open_dataset(loaded: &Loaded, components: &Components) -> anyhow::Result<Arc<dyn Dataset>> {
    Ok(open_registered(loaded, components)?)
}

#[cfg(test)]
mod tests {
    use mga_data::registry::Root;
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
    fn a_class_split_gives_each_part_classes_of_its_own() {
        let none = "data.validation.fraction=0.5";
        let split = "data.class_split={ base = 6, validation = ['cultivar-03'], novel = 2, seed = 1 }";
        let data = open(&loaded(&[none, split]), &crate::builtin(), TornGroups::Refused).unwrap();
        let Splits { train, validation, test, .. } = &data.splits;
        assert_eq!((train.len(), validation.len(), test.len()), (6 * 5, 5, 2 * 5));
        let parts = data.splits.classes(data.dataset.records());
        assert_eq!((parts.validation.as_slice(), parts.are_apart()), (&[3][..], true));
        let notes = data.notes().join("\n");
        for part in
            ["6 base, 1 validation, 2 novel", "none of the 6 of the training images", "[data.validation] is not used"]
        {
            assert!(notes.contains(part), "{part}: {notes}");
        }
        let message = refused(&["data.class_split={ base = ['cultivar-01', 'cultivar-2'], novel = 10 }"]);
        for part in ["data.class_split", "`cultivar-2`, which is no class", "did you mean", "novel asks for 10 classes"]
        {
            assert!(message.contains(part), "{part}: {message}");
        }
    }

    #[test]
    fn a_cache_keeps_what_is_decoded_and_says_how_much_that_is() {
        let data = open(&loaded(&["data.cache=memory"]), &crate::builtin(), TornGroups::Refused).unwrap();
        let plain = open(&loaded(&[]), &crate::builtin(), TornGroups::Refused).unwrap();
        for index in [0, 7, 0] {
            assert_eq!(data.dataset.image(index).unwrap(), plain.dataset.image(index).unwrap());
        }
        let notes = data.notes().join("\n");
        assert!(notes.contains("50 decoded images are kept in memory"), "{notes}");
    }

    #[test]
    fn what_a_data_set_leaves_out_can_be_resolved_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let components = crate::builtin();
        for entry in components.kinds.all::<Datasets>() {
            let file = folder.path().join("x.toml");
            let folder = folder.path().display();
            let root = match entry.item.root() {
                Root::Required => format!("root = \"{folder}\"\n"),
                Root::Optional | Root::Unused => String::new(),
            };
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
