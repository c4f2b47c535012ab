//! A segmentation network on its data, and what it says of a batch.

use candle_core::{DType, Device, Tensor};
use mga_core::loss::{PixelLoss, PixelObjectives};
use mga_core::parameter::ParameterStore;
use mga_core::tape::Tape;
use mga_data::{Batch, Mask};
use mga_experiment::{Components, Loaded};
use mga_models::SegmentationNetwork;
use mga_registry::OwnSettings;
use serde_json::Map;

use super::data::AnnotatedData;
use crate::tasks::class_weights::class_weights;

/// The label of pixels that count nowhere.
pub(super) const IGNORE: u32 = Mask::IGNORE as u32;

/// A segmentation network as an experiment trains it, on its data.
pub struct Segmenter<'a> {
    /// The experiment.
    pub loaded: &'a Loaded,
    /// The components that the job is built from.
    pub components: &'a Components,
    /// The data.
    pub data: &'a AnnotatedData,
    /// The network's parameters, on its device.
    pub store: ParameterStore,
    /// The network.
    pub network: Box<dyn SegmentationNetwork>,
    /// The losses that it learns by.
    pub(super) losses: Losses,
    /// The weight of each class in the loss; `None` if all weigh the same.
    pub class_weights: Option<Vec<f64>>,
}

impl<'a> Segmenter<'a> {
    /// Returns the network of an experiment, drawn from its seed, on its data.
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
        let entry = components.networks().network(name).filter(|network| network.trainable());
        let message = || format!("no segmentation network `{name}` can be trained");
        let entry = entry.ok_or_else(|| loaded.error("model.backbone", message()))?;
        let classes = data.annotated.classes();
        let mut store = ParameterStore::new(experiment.seed, DType::F32, device);
        let own = OwnSettings::new("model", &experiment.model.settings);
        let network = entry.build(store.root(), classes.len(), own).map_err(|error| loaded.error_in("model", error))?;
        let counts = || Ok(data.annotated.count(&data.splits.train).classes);
        let losses = Losses::of(loaded).map_err(|error| loaded.error_in("objective", error))?;
        let weighed = trains && losses.main.takes_class_weights();
        let class_weights = class_weights(loaded, weighed, classes, counts)?;
        Ok(Self { loaded, components, data, store, network, losses, class_weights })
    }
}

/// The losses that `[objective]` says.
pub(super) struct Losses {
    /// The one that is named, which weighs 1.
    pub(super) main: Box<dyn PixelLoss>,
    /// The Dice loss beside it, where it weighs anything.
    pub(super) dice: Option<Box<dyn PixelLoss>>,
}

impl Losses {
    fn of(loaded: &Loaded) -> mga_core::Result<Self> {
        let objective = &loaded.experiment.objective;
        let beside = objective.dice_weight > 0.0 && objective.name != PixelObjectives::DICE;
        let dice = || loaded.kinds.make::<PixelObjectives, _>(PixelObjectives::DICE, &Map::new());
        Ok(Self { main: objective.pixel_loss(&loaded.kinds)?, dice: beside.then(dice).transpose()? })
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

/// The network's logits for a batch, `[N, K, H, W]`, on the CPU.
pub(super) fn logits(learner: &Segmenter<'_>, batch: &Batch) -> anyhow::Result<Tensor> {
    let mut tape = Tape::eval();
    let images = tape.constant(&batch.images.to_device(learner.store.device())?)?;
    let logits = learner.network.forward(&mut tape, images)?.logits;
    Ok(logits.tensor().to_device(&Device::Cpu)?.to_dtype(DType::F32)?)
}

/// The likeliest class of every pixel, `[N, H, W]`; the first of equals.
pub(super) fn classes_of(logits: &Tensor) -> anyhow::Result<Vec<u32>> {
    Ok(logits.argmax(1)?.flatten_all()?.to_vec1::<u32>()?)
}
