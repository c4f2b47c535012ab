//! What a few-shot experiment would come to later: episodes that its classes do not make, images too small for the network.

use candle_core::{DType, Tensor};
use mga_core::tape::Tape;
use mga_core::wording::counted;
use mga_data::dataset::Split;
use mga_data::sampler::Sampler;
use mga_experiment::{ExperimentError, Loaded, StageWork};
use mga_models::MgaModel;

use super::episodes::of_part;
use super::names::PRETRAIN;
use crate::data_set::OpenData;
use crate::rehearsal::{Rehearsal, Sizes};

/// The parts that a stage draws episodes of.
fn parts(loaded: &Loaded, data: &OpenData) -> Vec<Split> {
    let fits = loaded.work == StageWork::Fit;
    let trains = fits && loaded.experiment.stage() != Some(PRETRAIN);
    let validates = fits && !data.splits.validation.is_empty();
    let tests = !data.splits.test.is_empty();
    let parts = [(trains, Split::Train), (validates, Split::Validation), (tests, Split::Test)];
    parts.into_iter().filter(|(wanted, _)| *wanted).map(|(_, part)| part).collect()
}

/// Refuses what training or testing would come to later.
///
/// # Errors
/// Everything that is wrong, at the settings that it is about.
pub(super) fn rehearse(loaded: &Loaded, data: &OpenData, model: &MgaModel) -> anyhow::Result<()> {
    let mut problems = Vec::new();
    for part in parts(loaded, data) {
        if let Err(error) = of_part(loaded, data, part) {
            problems.extend(error.downcast::<ExperimentError>()?.problems);
        }
    }
    if !problems.is_empty() {
        return Err(ExperimentError { problems }.into());
    }
    let mut found = Rehearsal::of(loaded);
    if loaded.work == StageWork::Fit {
        found.optimiser(model.store());
    }
    found.selection(data.splits.test.len());
    let looks = |(height, width): (usize, usize)| -> anyhow::Result<()> {
        let device = model.store().device();
        let blank = |channels| Tensor::zeros((1, channels, height, width), DType::F32, device);
        let mut tape = Tape::eval();
        let images = tape.constant(&model.input(&blank(3)?, &blank(1)?)?)?;
        model.features(&mut tape, images)?;
        Ok(())
    };
    let sizes = Sizes::of_dataset(loaded, data.dataset.as_ref());
    let (splits, alone) = (&data.splits, |_: (usize, usize)| Ok(()));
    found.batches(&sizes, &splits.train, &[&splits.validation, &splits.test], &looks, &alone)?;
    found.end()
}

/// What `mga check` says of the data and the episodes.
pub(super) fn described(loaded: &Loaded, data: &OpenData) -> anyhow::Result<String> {
    let classes = data.splits.classes(data.dataset.records());
    let of = |part: Split, images: &[usize]| {
        let classes = counted(classes.part(part).len(), "class", "classes");
        format!("{classes} ({})", counted(images.len(), "image", "images"))
    };
    let splits = &data.splits;
    let mut text = format!(
        "data: {}; base: {}; validation: {}; novel: {}\n",
        loaded.experiment.data.dataset,
        of(Split::Train, &splits.train),
        of(Split::Validation, &splits.validation),
        of(Split::Test, &splits.test),
    );
    for part in parts(loaded, data) {
        let episodes = of_part(loaded, data, part)?;
        let settings = episodes.settings();
        text += &format!(
            "{} episodes: {}, {}-way {}-shot, {} a class\n",
            part.name(),
            episodes.batches(),
            settings.way,
            settings.shot,
            counted(settings.query, "query", "queries")
        );
    }
    text += &format!("model: {}, compared by {}\n", loaded.experiment.model.backbone, head_name(loaded));
    Ok(text)
}

fn head_name(loaded: &Loaded) -> &str {
    loaded.experiment.named("episode_head").map_or("deepemd", |(name, _)| name)
}
