//! The output of `mga check` for a classifier: its images, its masks, its layers, and what it will take of memory.

use mga_core::parameter::Kind;
use mga_core::tape::Tape;
use mga_core::wording::counted;
use mga_data::decode;
use mga_experiment::Loaded;
use mga_models::MgaModel;

use crate::data_set::OpenData;
use crate::interrupt::Interrupt;
use crate::loaders;
use crate::looked::Looked;
use crate::mask_survey;
use crate::network_input::network_input;
use crate::tasks::class_weights::class_weights_line;

/// Images whose size is looked at, spread over the training images.
const SAMPLED: usize = 200;
/// A crop that sees less than this share of a picture draws a warning.
const SMALL_VIEW: f64 = 0.25;

/// The lines of data and model.
pub(super) fn describe(
    loaded: &Loaded,
    data: &OpenData,
    model: &MgaModel,
    class_weights: Option<&[f64]>,
    looked: &Looked,
) -> anyhow::Result<String> {
    let mut text = data_lines(loaded, data)?;
    text += &class_weights_line(data.dataset.classes(), class_weights);
    looked.kinds.iter().for_each(|kind| text += &format!("mask files: {kind}\n"));
    if let Some((survey, _)) = mask_survey::survey(loaded, data, &Interrupt::default())? {
        survey.lines().iter().for_each(|line| text += &format!("{line}\n"));
    }
    text += &model_table(loaded, model);
    text += &freezing_line(loaded);
    text += &format!("memory, a rough estimate: {}\n", memory(loaded, data, model)?);
    Ok(text)
}

/// What stays frozen though the experiment does not say so.
fn freezing_line(loaded: &Loaded) -> String {
    let model = &loaded.experiment.model;
    if model.freeze_through == "none" || loaded.is_set("model.freeze_through") {
        return String::new();
    }
    format!(
        "frozen through {}, as {} is where it starts from weights and model.freeze_through is left out (\"none\" trains \
         everything)\n",
        model.freeze_through, model.backbone
    )
}

fn data_lines(loaded: &Loaded, data: &OpenData) -> anyhow::Result<String> {
    let splits = &data.splits;
    let mut text = format!(
        "data: {}, {}; {} training, {} validation, {} test images; masks: {}\n",
        loaded.experiment.data.dataset,
        counted(data.dataset.classes().len(), "class", "classes"),
        splits.train.len(),
        splits.validation.len(),
        splits.test.len(),
        data.masks.source()
    );
    let pipeline = loaders::pipeline(loaded, "data.train.transforms", &loaded.experiment.data.train.transforms)?;
    let sizes = sizes(data)?;
    let mut sides: Vec<(usize, usize)> = sizes.clone();
    sides.sort_by_key(|(w, h)| w * h);
    if let (Some(least), Some(most)) = (sides.first(), sides.last()) {
        let middle = sides[sides.len() / 2];
        text += &format!(
            "image sizes ({} looked at): {} x {} to {} x {}, median {} x {}\n",
            sides.len(),
            least.0,
            least.1,
            most.0,
            most.1,
            middle.0,
            middle.1
        );
    }
    let views: Vec<f64> = sizes.iter().map(|&(w, h)| pipeline.smallest_view(h, w)).collect();
    let small = views.iter().filter(|&&view| view < SMALL_VIEW).count();
    if small > 0 {
        let least = views.iter().copied().fold(1.0, f64::min);
        text += &format!(
            "warning: data.train.transforms: the crop sees under a quarter of {small} of {} images (of one only {:.0} %); \
             resize first, or crop larger\n",
            views.len(),
            100.0 * least
        );
    }
    Ok(text)
}

/// Width and height of some training images: from the file's header where there is a file, else by making the image.
fn sizes(data: &OpenData) -> anyhow::Result<Vec<(usize, usize)>> {
    let train = &data.splits.train;
    let step = train.len().div_ceil(SAMPLED).max(1);
    let size = |&index: &usize| -> anyhow::Result<(usize, usize)> {
        match &data.dataset.records()[index].path {
            Some(path) => Ok(decode::size(path)?),
            None => {
                let picture = data.dataset.image(index)?;
                Ok((picture.width(), picture.height()))
            }
        }
    };
    // Where images have no file they are all of one kind, and costly to make.
    let few = train.first().is_some_and(|&index| data.dataset.records()[index].path.is_none());
    train.iter().step_by(step).take(if few { 4 } else { SAMPLED }).map(size).collect()
}

fn model_table(loaded: &Loaded, model: &MgaModel) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["stage", "parameters", "trains", "batch norms: on the batch", "on running statistics"]);
    let rows = model.summary();
    for row in rows.iter().filter(|row| row.parameters > 0) {
        table.add_row([
            row.name.clone(),
            row.parameters.to_string(),
            if row.frozen { "frozen".into() } else { "yes".to_owned() },
            row.norms_on_batch.to_string(),
            row.norms_on_running.to_string(),
        ]);
    }
    let total: usize = rows.iter().map(|row| row.parameters).sum();
    let trained: usize = rows.iter().filter(|row| !row.frozen).map(|row| row.parameters).sum();
    let model = &loaded.experiment.model;
    format!("model: {}, {total} parameters, {trained} of them trained\n{table}\n", model.backbone)
}

/// Weights, gradients and optimiser state are counted; activations are those of a forward pass over two images, scaled to
/// the batch.
fn memory(loaded: &Loaded, data: &OpenData, model: &MgaModel) -> anyhow::Result<String> {
    let weights = |trained: bool| -> usize {
        let entries =
            model.store().entries().iter().filter(|e| e.kind() == Kind::Weight && (!trained || e.is_trained()));
        entries.map(|entry| entry.tensor().elem_count() * 4).sum()
    };
    let optimiser = loaded.experiment.optimiser.rule(&loaded.kinds)?.slots();
    let fixed = weights(false) + weights(true) * (1 + optimiser);
    let Some(batch) = loaders::training(loaded, data)?.epoch(0, 0).next().transpose()? else {
        anyhow::bail!("there is no training batch: fewer images than data.batch_size, with data.drop_last");
    };
    let probe = batch.len().min(2);
    let mut tape = Tape::train(0, 0);
    let images = tape.constant(&network_input(model, &batch)?.narrow(0, 0, probe)?)?;
    model.forward(&mut tape, images)?;
    let activations = tape.recorded_bytes() / probe * loaded.experiment.data.batch_size;
    let mib = |bytes: usize| bytes.div_ceil(1 << 20);
    Ok(format!(
        "{} MiB for weights, gradients and optimiser, {} MiB for the activations of {} of {} x {}",
        mib(fixed),
        mib(activations),
        counted(loaded.experiment.data.batch_size, "image", "images"),
        batch.images.dim(3)?,
        batch.images.dim(2)?,
    ))
}

#[cfg(test)]
mod tests {
    use mga_experiment::{Overrides, load};

    use super::*;

    /// An experiment on inception_v3 with these lines more in `[model]`.
    fn loaded(model: &str) -> Loaded {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.toml");
        let text = format!(
            "[data]\ndataset = \"leaves\"\n[model]\nbackbone = \"inception_v3\"\n{model}\n[eval]\nselect_on = \"last\"\n"
        );
        std::fs::write(&file, text).unwrap();
        load(&file, &Overrides::default(), &crate::builtin()).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn inception_is_frozen_as_its_authors_do_where_it_starts_from_weights() {
        let named = loaded("weights = \"imagenet\"");
        assert_eq!(named.experiment.model.freeze_through, "Mixed_6c");
        assert!(named.experiment.resolved_toml().unwrap().contains("freeze_through = \"Mixed_6c\""));
        assert!(freezing_line(&named).contains("through Mixed_6c"), "{}", freezing_line(&named));
        for said in ["weights = \"imagenet\"\nfreeze_through = \"none\"", "weights = \"none\"", ""] {
            let loaded = loaded(said);
            assert_eq!(
                (loaded.experiment.model.freeze_through.as_str(), freezing_line(&loaded)),
                ("none", String::new())
            );
        }
        let own = loaded("weights = \"imagenet\"\nfreeze_through = \"Mixed_5d\"");
        assert_eq!((own.experiment.model.freeze_through.as_str(), freezing_line(&own)), ("Mixed_5d", String::new()));
    }
}
