//! What a run would come to only in its middle or at its end, found before it begins: layers that a learning rate names and
//! the network lacks, images without label, mask or annotation, sizes that do not make a batch or are too small for the
//! network, a batch norm that would see one value. `mga check` and `mga train` ask the same questions here.

mod sizes;

use candle_core::{DType, Tensor};
use mga_core::optim::Optimiser;
use mga_core::parameter::ParameterStore;
use mga_core::tape::Tape;
use mga_data::Source;
use mga_models::MgaModel;
use rayon::prelude::*;

use crate::components::Components;
use crate::data_set::{AnnotatedData, OpenData};
use crate::experiment::{ExperimentError, Loaded, MissingMask, OnError, Problem, SelectOn};
use crate::runners::segmentation::Segmentation;
use crate::{assemble, loaders};
use sizes::{Part, Sizes};

/// How many images a message names.
const NAMED: usize = 3;

/// Refuses what training this classifier would come to later. The model is left as it is.
///
/// # Errors
/// Everything that is wrong, at the settings that it is about; an image that cannot be looked at.
pub fn classifier(loaded: &Loaded, components: &Components, data: &OpenData, model: &MgaModel) -> anyhow::Result<()> {
    let mut found = Found { loaded, problems: Vec::new() };
    let splits = &data.splits;
    found.optimiser(model.store());
    found.selection(splits.test.len());
    found.labels(data);
    found.masks(data);
    let channels = model.settings().input.channels();
    let input = |n: usize, (height, width): (usize, usize)| -> anyhow::Result<Tensor> {
        Ok(Tensor::zeros((n, channels, height, width), DType::F32, model.store().device())?)
    };
    let looks = |size| -> anyhow::Result<()> {
        let mut tape = Tape::eval();
        let images = tape.constant(&input(1, size)?)?;
        model.forward(&mut tape, images)?;
        Ok(())
    };
    // A step moves the running statistics, so it is another model that makes it.
    let trains_alone = |size| -> anyhow::Result<()> {
        let device = model.store().device();
        let other = assemble::fresh_model(loaded, components, model.settings().classes, device)?;
        let mut tape = Tape::train(0, 0);
        let images = tape.constant(&input(1, size)?)?;
        other.forward(&mut tape, images)?;
        Ok(())
    };
    let sizes = Sizes::of_dataset(loaded, data.dataset.as_ref());
    found.batches(&sizes, &splits.train, &[&splits.validation, &splits.test], &looks, &trains_alone)?;
    found.end()
}

/// Refuses what training this segmentation network would come to later. The network is left as it is.
///
/// # Errors
/// Everything that is wrong, at the settings that it is about.
pub fn segmenter<'a>(
    loaded: &Loaded,
    data: &AnnotatedData,
    learner: &Segmentation<'_>,
    another: impl Fn() -> anyhow::Result<Segmentation<'a>>,
) -> anyhow::Result<()> {
    let mut found = Found { loaded, problems: Vec::new() };
    let splits = &data.splits;
    found.optimiser(&learner.store);
    found.selection(splits.test.len());
    let sizes = found.annotations(data);
    let pass = |learner: &Segmentation<'_>, mut tape: Tape, (height, width): (usize, usize)| -> anyhow::Result<()> {
        let images = Tensor::zeros((1, 3, height, width), DType::F32, learner.store.device())?;
        let images = tape.constant(&images)?;
        learner.network.forward(&mut tape, images)?;
        Ok(())
    };
    let looks = |size| pass(learner, Tape::eval(), size);
    let trains_alone = |size| pass(&another()?, Tape::train(0, 0), size);
    if let Some(sizes) = sizes {
        found.batches(&sizes, &splits.train, &[&splits.validation, &splits.test], &looks, &trains_alone)?;
    }
    found.end()
}

/// The optimiser that the experiment asks for, of these parameters.
///
/// # Errors
/// Learning rates of layers that are not there, at the place where they were written.
pub fn optimiser(loaded: &Loaded, store: &ParameterStore) -> Result<Box<dyn Optimiser>, ExperimentError> {
    loaded.experiment.optimiser.build(store).map_err(|error| loaded.error_in("optimiser", error))
}

/// A forward pass over one image of a size.
type Pass<'a> = &'a dyn Fn((usize, usize)) -> anyhow::Result<()>;

/// What is wrong, all of it.
struct Found<'a> {
    loaded: &'a Loaded,
    problems: Vec<Problem>,
}

impl Found<'_> {
    fn error(&mut self, key: &str, message: impl Into<String>) {
        self.problems.extend(self.loaded.error(key, message).problems);
    }

    fn end(self) -> anyhow::Result<()> {
        if self.problems.is_empty() { Ok(()) } else { Err(ExperimentError { problems: self.problems }.into()) }
    }

    fn optimiser(&mut self, store: &ParameterStore) {
        let rate = self.loaded.experiment.optimiser.learning_rate();
        self.problems.extend(optimiser(self.loaded, store).err().into_iter().flat_map(|error| error.problems));
        if let Err(error) = self.loaded.experiment.schedule.check(rate) {
            self.problems.extend(self.loaded.error_in("schedule", error).problems);
        }
    }

    fn selection(&mut self, test: usize) {
        if self.loaded.experiment.eval.select_on == SelectOn::Test && test == 0 {
            self.error("eval.select_on", "`test`, but there are no test images; expected `validation` or `last`");
        }
    }

    /// Images that train and select carry a label.
    fn labels(&mut self, data: &OpenData) {
        let records = data.dataset.records();
        let mut parts = vec![("training", &data.splits.train), ("validation", &data.splits.validation)];
        if self.loaded.experiment.eval.select_on == SelectOn::Test {
            parts.push(("test", &data.splits.test));
        }
        for (part, indices) in parts {
            let without =
                indices.iter().filter_map(|&index| records.get(index)).filter(|record| record.label.is_none());
            let without: Vec<&str> = without.map(|record| record.id.as_str()).collect();
            if !without.is_empty() {
                let message = format!(
                    "{} of {} {part} images carry no label ({}); leave them out, or label them",
                    without.len(),
                    indices.len(),
                    first(&without)
                );
                self.error("data.dataset", message);
            }
        }
    }

    /// Every image has the mask that it cannot do without.
    fn masks(&mut self, data: &OpenData) {
        let experiment = &self.loaded.experiment;
        let shown = experiment.model.input.needs_masks();
        let guided = experiment.model.mask_guidance && experiment.data.masks.settings.missing == MissingMask::Error;
        if experiment.data.on_error == OnError::Skip || !(guided || shown) {
            return;
        }
        let mut parts = vec![("training", &data.splits.train)];
        if shown {
            parts.extend([("validation", &data.splits.validation), ("test", &data.splits.test)]);
        }
        for (part, indices) in parts {
            let without = indices.iter().filter(|&&index| data.masks.lacks(index));
            let without: Vec<&str> =
                without.filter_map(|&index| Some(data.dataset.records().get(index)?.id.as_str())).collect();
            if !without.is_empty() {
                let (lacking, all, named) = (without.len(), indices.len(), first(&without));
                let source = data.masks.source();
                let way = if shown {
                    "model.input shows the network a mask with every image"
                } else {
                    "add them, or set data.masks.missing = \"no-loss\""
                };
                let message = format!("{lacking} of {all} {part} images have no mask from `{source}` ({named}); {way}");
                self.error("data.masks", message);
            }
        }
    }

    /// Every annotation can be read and fits its image; gives the images' sizes as they come to the transforms.
    fn annotations(&mut self, data: &AnnotatedData) -> Option<Sizes<'static>> {
        let splits = &data.splits;
        let all: Vec<usize> =
            [&splits.train, &splits.validation, &splits.test].into_iter().flatten().copied().collect();
        let read = all.par_iter().map(|&index| match data.annotated.load(index) {
            Ok((picture, _)) => Ok((index, (picture.height(), picture.width()))),
            Err(error) => Err(error.to_string()),
        });
        let read: Vec<Result<_, String>> = read.collect();
        let wrong: Vec<&str> = read.iter().filter_map(|read| read.as_ref().err().map(String::as_str)).collect();
        if !wrong.is_empty() && !data.skips {
            let message = format!("{} of {} images cannot be used: {}", wrong.len(), all.len(), first(&wrong));
            self.error("data.annotations", message);
            return None;
        }
        let sizes = read.iter().flatten().copied().collect();
        Some(Sizes::known(data.dataset.records().iter().map(|record| record.id.clone()).collect(), sizes))
    }

    /// Batches are of one size, large enough for the network, and for its batch norms.
    fn batches(
        &mut self,
        sizes: &Sizes,
        train: &[usize],
        evaluated: &[&Vec<usize>],
        looks: Pass<'_>,
        trains_alone: Pass<'_>,
    ) -> anyhow::Result<()> {
        let data = &self.loaded.experiment.data;
        const TRAIN: &str = "data.train.transforms";
        const EVAL: &str = "data.eval.transforms";
        let pipeline = loaders::pipeline(self.loaded, TRAIN, &data.train.transforms)?;
        let part = Part { indices: train, batch_size: data.batch_size, in_order: !data.shuffle, pipeline: &pipeline };
        if data.drop_last && train.len() < data.batch_size {
            let message = format!(
                "leaves no batch: there are {} training images, and data.batch_size is {}; lower it, or keep the last batch",
                train.len(),
                data.batch_size
            );
            self.error("data.drop_last", message);
            return Ok(());
        }
        let before = self.problems.len();
        self.part(TRAIN, sizes, &part, looks)?;
        if self.problems.len() == before {
            self.last_batch(sizes, &part, trains_alone)?;
        }
        let pipeline = loaders::pipeline(self.loaded, EVAL, &data.eval.transforms)?;
        for indices in evaluated {
            let part = Part { indices, batch_size: data.eval.batch_size, in_order: true, pipeline: &pipeline };
            let before = self.problems.len();
            self.part(EVAL, sizes, &part, looks)?;
            // Validation and test images mostly have the same fault.
            if self.problems.len() > before {
                break;
            }
        }
        Ok(())
    }

    fn part(&mut self, key: &str, sizes: &Sizes, part: &Part<'_>, looks: Pass<'_>) -> anyhow::Result<()> {
        let after = sizes.after(part)?;
        if let Some((one, other)) = part.unequal(&after) {
            let message = format!(
                "images of one batch differ in size: `{}` comes out as {} x {}, `{}` as {} x {} (width x height); end with a \
                 crop or a resize, or set the batch size to 1",
                one.id, one.size.1, one.size.0, other.id, other.size.1, other.size.0
            );
            self.error(key, message);
            return Ok(());
        }
        for image in Part::smallest(&after) {
            if let Err(error) = looks(sizes::shortened(image.size)) {
                let (backbone, (height, width)) = (&self.loaded.experiment.model.backbone, image.size);
                let message = format!(
                    "images come out as small as {width} x {height} (`{}`), which {backbone} cannot take: {error:#}; resize \
                     them, or crop larger",
                    image.id
                );
                self.error(key, message);
                break;
            }
        }
        Ok(())
    }

    /// A batch of one image, if there is one, leaves every batch norm more than one value.
    fn last_batch(&mut self, sizes: &Sizes, part: &Part<'_>, trains_alone: Pass<'_>) -> anyhow::Result<()> {
        let data = &self.loaded.experiment.data;
        let (images, size) = (part.indices.len(), data.batch_size);
        let alone = size == 1 || images == 1 || (!data.drop_last && images % size == 1);
        if !alone {
            return Ok(());
        }
        for image in Part::smallest(&sizes.after(part)?) {
            let Err(error) = trains_alone(sizes::shortened(image.size)) else { continue };
            if size == 1 {
                self.error("data.batch_size", format!("expected at least 2: {error:#}"));
            } else {
                let message = format!(
                    "the last batch of an epoch is a single image ({images} training images in batches of {size}): {error:#}; \
                     set data.drop_last = true, or another data.batch_size"
                );
                self.error("data.drop_last", message);
            }
            break;
        }
        Ok(())
    }
}

/// The first few, for a message.
fn first(names: &[&str]) -> String {
    let more = if names.len() > NAMED { ", …" } else { "" };
    format!("{}{more}", names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", "))
}
