//! The search for errors that a classifier would meet only in the middle or at the end of its training.

use candle_core::{DType, Tensor};
use mga_core::tape::Tape;
use mga_experiment::{Components, Loaded, MissingMask, OnError, SelectOn};
use mga_models::MgaModel;

use crate::assemble;
use crate::data_set::OpenData;
use crate::rehearsal::{Rehearsal, Sizes, first};

/// Refuses what training this classifier would come to later. The model is left as it is.
///
/// # Errors
/// Everything that is wrong, at the settings that it is about; an image that cannot be looked at.
pub(super) fn classifier(
    loaded: &Loaded,
    components: &Components,
    data: &OpenData,
    model: &MgaModel,
) -> anyhow::Result<()> {
    let mut found = Rehearsal::of(loaded);
    let splits = &data.splits;
    found.optimiser(model.store());
    found.selection(splits.test.len());
    labels(&mut found, data);
    masks(&mut found, data, model);
    let input = |n: usize, (height, width): (usize, usize)| -> anyhow::Result<Tensor> {
        let blank = |channels| Tensor::zeros((n, channels, height, width), DType::F32, model.store().device());
        Ok(model.input(&blank(3)?, &blank(1)?)?)
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

/// Images that train and select carry a label.
fn labels(found: &mut Rehearsal<'_>, data: &OpenData) {
    let records = data.dataset.records();
    let mut parts = vec![("training", &data.splits.train), ("validation", &data.splits.validation)];
    if found.loaded().experiment.eval.select_on == SelectOn::Test {
        parts.push(("test", &data.splits.test));
    }
    for (part, indices) in parts {
        let without = indices.iter().filter_map(|&index| records.get(index)).filter(|record| record.label.is_none());
        let without: Vec<&str> = without.map(|record| record.id.as_str()).collect();
        if !without.is_empty() {
            let message = format!(
                "{} of {} {part} images carry no label ({}); leave them out, or label them",
                without.len(),
                indices.len(),
                first(&without)
            );
            found.error("data.dataset", message);
        }
    }
}

/// Every image has the mask that it cannot do without.
fn masks(found: &mut Rehearsal<'_>, data: &OpenData, model: &MgaModel) {
    let experiment = &found.loaded().experiment;
    let shown = experiment.model.needs_masks(&found.loaded().kinds);
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
            let way = match (shown, model.settings().input.needs_masks()) {
                (true, true) => "model.input shows the network a mask with every image",
                (true, false) => "model.attention needs a mask with every image",
                (false, _) => "add them, or set data.masks.missing = \"no-loss\"",
            };
            let message = format!("{lacking} of {all} {part} images have no mask from `{source}` ({named}); {way}");
            found.error("data.masks", message);
        }
    }
}
