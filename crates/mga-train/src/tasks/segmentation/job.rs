//! A segmentation network as an experiment trains it: a class for each pixel, by cross entropy and Dice loss.

use std::path::Path;

use candle_core::{DType, Device};
use mga_core::loss::{self, LabelMaps};
use mga_core::ops;
use mga_core::parameter::{Kind, ParameterStore};
use mga_core::tape::{Tape, Value};
use mga_data::{Batch, Loader, Mask};
use mga_experiment::{Components, Loaded};
use mga_models::SegmentationNetwork;
use mga_models::weights::{LoadReport, load_network};

use super::data::AnnotatedData;
use super::evaluation::evaluate;
use super::overview::overview;
use super::rehearsal::rehearse;
use crate::interrupt::Interrupt;
use crate::mask_files::Looked;
use crate::run_folder::RunFolder;
use crate::runners::learner::{Learner, LossPart, Outcome};
use crate::tasks::class_weights::{class_weights, class_weights_line};
use crate::tasks::{Closing, Job, TaskData};

/// The label of pixels that count nowhere.
pub(super) const IGNORE: u32 = Mask::IGNORE as u32;

/// A segmentation network as an experiment trains it, on its data.
pub struct Segmenter<'a> {
    /// The experiment.
    pub loaded: &'a Loaded,
    /// What it is built from.
    pub components: &'a Components,
    /// Its data.
    pub data: &'a AnnotatedData,
    /// The network's parameters, on its device.
    pub store: ParameterStore,
    /// The network.
    pub network: Box<dyn SegmentationNetwork>,
    /// What each class weighs in the cross entropy; `None`: all the same.
    pub class_weights: Option<Vec<f64>>,
}

impl<'a> Segmenter<'a> {
    /// The network of an experiment, drawn from its seed, on its data.
    ///
    /// # Errors
    /// No such network; class weights that do not fit the classes.
    pub fn new(
        loaded: &'a Loaded,
        components: &'a Components,
        data: &'a AnnotatedData,
        device: &Device,
        trains: bool,
    ) -> anyhow::Result<Self> {
        let experiment = &loaded.experiment;
        let name = experiment.model.backbone.as_str();
        let entry = components.registry.segmenter(name).filter(|entry| entry.trainable);
        let message = || format!("no segmentation network `{name}` can be trained");
        let entry = entry.ok_or_else(|| loaded.error("model.backbone", message()))?;
        let classes = data.annotated.classes();
        let mut store = ParameterStore::new(experiment.seed, DType::F32, device);
        let network = (entry.build)(store.root(), classes.len())?;
        let counts = || Ok(data.annotated.count(&data.splits.train).classes);
        let class_weights = class_weights(loaded, trains, classes, counts)?;
        Ok(Self { loaded, components, data, store, network, class_weights })
    }
}

impl Learner for Segmenter<'_> {
    fn store(&self) -> &ParameterStore {
        &self.store
    }

    fn loss(&self, tape: &mut Tape, batch: &Batch) -> anyhow::Result<(Value, Vec<LossPart>)> {
        let images = tape.constant(&batch.images.to_device(self.store.device())?)?;
        let labels = labels(batch)?;
        let maps = LabelMaps { labels: &labels, ignore: IGNORE };
        let objective = &self.loaded.experiment.objective;
        let weights = self.class_weights.as_deref();
        let output = self.network.forward(tape, images)?;
        let mut terms = vec![];
        if objective.dice_weight > 0.0 {
            terms.push(("dice", loss::dice_loss(tape, output.logits.clone(), maps)?, objective.dice_weight));
        }
        terms.insert(0, ("cross_entropy", loss::pixel_cross_entropy(tape, output.logits, maps, weights)?, 1.0));
        if let Some(auxiliary) = output.auxiliary.filter(|_| objective.auxiliary_weight > 0.0) {
            let loss = loss::pixel_cross_entropy(tape, auxiliary, maps, weights)?;
            terms.push(("auxiliary", loss, objective.auxiliary_weight));
        }
        let part =
            |(name, loss, _): &(&'static str, Value, f64)| LossPart { name, value: Some(loss.clone()), count: None };
        let parts = terms.iter().map(part).collect();
        let weighted: Vec<(Value, f64)> = terms.into_iter().map(|(_, loss, weight)| (loss, weight)).collect();
        Ok((ops::scaled_sum(tape, &weighted)?, parts))
    }

    fn evaluate(
        &self,
        loader: &Loader,
        interrupt: &Interrupt,
        seen: &mut dyn FnMut(usize),
    ) -> anyhow::Result<Box<dyn Outcome>> {
        Ok(Box::new(evaluate(self, loader, interrupt, seen)?))
    }
}

impl Job for Segmenter<'_> {
    fn load_weights(&self, path: &Path) -> anyhow::Result<LoadReport> {
        let model = &self.loaded.experiment.model;
        Ok(load_network(&self.store, path, &self.components.registry, &model.backbone, model.strict)?)
    }

    fn rehearse(&self) -> anyhow::Result<()> {
        rehearse(self)
    }

    fn describe(&self, looked: &Looked) -> anyhow::Result<String> {
        let (experiment, splits) = (&self.loaded.experiment, &self.data.splits);
        let mut text = format!(
            "data: {}; {} training, {} validation and {} test images are annotated\n",
            experiment.data.dataset,
            splits.train.len(),
            splits.validation.len(),
            splits.test.len()
        );
        looked.kinds.iter().for_each(|kind| text += &format!("{kind}\n"));
        text += &class_weights_line(self.data.classes(), self.class_weights.as_deref());
        let trained = self.store.entries().iter().filter(|entry| entry.kind() == Kind::Weight);
        let parameters: usize = trained.map(|entry| entry.tensor().elem_count()).sum();
        text += &format!("model: {}, {parameters} parameters, all trained\n", experiment.model.backbone);
        Ok(text)
    }

    fn pictures(&self, indices: &[usize], folder: &RunFolder) -> anyhow::Result<()> {
        overview(self, indices, folder)
    }

    fn close(&self, folder: &RunFolder, _: &Interrupt) -> anyhow::Result<Closing> {
        let next = format!("masks: mga masks EXPERIMENT --weights {} --out FOLDER\n", folder.path().display());
        Ok(Closing { next, ..Closing::default() })
    }
}

/// The classes of a batch's pixels, `[N, H, W]`.
pub(super) fn labels(batch: &Batch) -> anyhow::Result<Vec<u32>> {
    if let Some(index) = batch.has_mask.iter().position(|has| !has) {
        anyhow::bail!("{}: is not annotated, so it cannot be trained on or evaluated", batch.ids[index]);
    }
    let values = batch.masks.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    Ok(values.into_iter().map(|value| value as u32).collect())
}
