//! The data of an experiment, open, with the job of its stage.

use std::sync::Arc;

use candle_core::Device;
use mga_data::Splits;
use mga_data::dataset::Dataset;
use mga_experiment::{Components, Loaded};

use super::data::BaseFirst;
use super::meta::Meta;
use super::names::PRETRAIN;
use super::pretraining::Pretraining;
use crate::data_set::{self, OpenData};
use crate::tasks::{Job, Labelled, Purpose, TaskData};

/// Opens the data of an experiment.
///
/// # Errors
/// Settings that do not fit the data; parts that share a class, or lack one.
pub(super) fn open(loaded: &Loaded, components: &Components, purpose: Purpose) -> anyhow::Result<Box<dyn TaskData>> {
    let see = |dataset: Arc<dyn Dataset>, splits: &Splits| -> anyhow::Result<Arc<dyn Dataset>> {
        let parts = splits.classes(dataset.records());
        parts.check(dataset.classes()).map_err(|error| loaded.error_in("data", error))?;
        Ok(Arc::new(BaseFirst::new(dataset, &parts)))
    };
    let data = match purpose {
        Purpose::Train(torn) => data_set::open_seen(loaded, components, torn, &see)?,
        Purpose::Evaluate => data_set::open_to_evaluate_seen(loaded, components, &see)?,
    };
    Ok(Labelled::of(data, job))
}

fn job<'a>(
    data: &'a OpenData,
    loaded: &'a Loaded,
    components: &'a Components,
    device: &Device,
    trains: bool,
) -> anyhow::Result<Box<dyn Job + 'a>> {
    Ok(match loaded.experiment.stage() {
        Some(PRETRAIN) => Box::new(Pretraining::new(data, loaded, components, device, trains)?),
        _ => Box::new(Meta::new(data, loaded, components, device)?),
    })
}
