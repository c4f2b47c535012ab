//! The search for errors that a run would meet only in its middle or at its end: layers that a learning rate names and
//! the network lacks, images without label, mask or annotation, sizes that do not make a batch or are too small for the
//! network, a batch norm that would see one value. `mga check` and `mga train` ask the same questions here.

mod sizes;

use mga_core::optim::Optimiser;
use mga_core::parameter::ParameterStore;
use mga_experiment::{ExperimentError, Loaded, Problem, SelectOn};
use sizes::Part;
pub(crate) use sizes::Sizes;

use crate::loaders;

/// How many images a message names.
const NAMED: usize = 3;

/// Returns the optimiser that the experiment asks for, of these parameters.
///
/// # Errors
/// Learning rates of layers that are not there, at the place where they were written.
pub fn optimiser(loaded: &Loaded, store: &ParameterStore) -> Result<Box<dyn Optimiser>, ExperimentError> {
    loaded.experiment.optimiser.build(&loaded.kinds, store).map_err(|error| loaded.error_in("optimiser", error))
}

/// A forward pass over one image of a size.
pub(crate) type Pass<'a> = &'a dyn Fn((usize, usize)) -> anyhow::Result<()>;

/// What is wrong, all of it.
pub(crate) struct Rehearsal<'a> {
    loaded: &'a Loaded,
    problems: Vec<Problem>,
}

impl<'a> Rehearsal<'a> {
    /// Nothing is found yet.
    pub(crate) fn of(loaded: &'a Loaded) -> Self {
        Self { loaded, problems: Vec::new() }
    }

    /// The experiment.
    pub(crate) fn loaded(&self) -> &'a Loaded {
        self.loaded
    }

    /// An error at the setting `key`.
    pub(crate) fn error(&mut self, key: &str, message: impl Into<String>) {
        self.problems.extend(self.loaded.error(key, message).problems);
    }

    /// Ends in everything that was found.
    ///
    /// # Errors
    /// Something was.
    pub(crate) fn end(self) -> anyhow::Result<()> {
        if self.problems.is_empty() { Ok(()) } else { Err(ExperimentError { problems: self.problems }.into()) }
    }

    /// Learning rates name layers that are there; the schedule can be computed.
    pub(crate) fn optimiser(&mut self, store: &ParameterStore) {
        self.problems.extend(optimiser(self.loaded, store).err().into_iter().flat_map(|error| error.problems));
        let Loaded { experiment, kinds, .. } = self.loaded;
        let Ok(rule) = experiment.optimiser.rule(kinds) else { return };
        if let Err(error) = experiment.schedule.build(kinds, rule.learning_rate()) {
            self.problems.extend(self.loaded.error_in("schedule", error).problems);
        }
    }

    /// There are test images where the experiment selects on them.
    pub(crate) fn selection(&mut self, test: usize) {
        if self.loaded.experiment.eval.select_on == SelectOn::Test && test == 0 {
            self.error("eval.select_on", "`test`, but there are no test images; expected `validation` or `last`");
        }
    }

    /// Batches are of one size, large enough for the network, and for its batch norms.
    pub(crate) fn batches(
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
        // A sampler may bring any images together, in as many batches as it likes.
        let sampled = self.loaded.experiment.named("sampler").is_some();
        let in_order = !data.shuffle && !sampled;
        let pipeline = loaders::pipeline(self.loaded, TRAIN, &data.train.transforms)?;
        let part = Part { indices: train, batch_size: data.batch_size, in_order, pipeline: &pipeline };
        if !sampled && data.drop_last && train.len() < data.batch_size {
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
        if !sampled && self.problems.len() == before {
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
pub(crate) fn first(names: &[&str]) -> String {
    let more = if names.len() > NAMED { ", …" } else { "" };
    format!("{}{more}", names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", "))
}
