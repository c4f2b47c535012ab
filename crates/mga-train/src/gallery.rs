//! Pictures of where a network looked, in a folder: at the end of a run, and for `mga explain`.

use std::path::Path;

use anyhow::Context;
use candle_core::Tensor;
use mga_data::{Loader, Mask, Picture};
use mga_experiment::Loaded;
use mga_models::MgaModel;
use serde_json::json;

use crate::assemble::normalisation;
use crate::data_set::OpenData;
use crate::deletion::{Deletion, DeletionScore};
use crate::interrupt::{Interrupt, Interrupted};
use crate::loaders;
use crate::network_input::network_input;
use crate::pictures::{FileNames, grid, save_png};
use crate::prediction::{self, Chosen, Normalisation, Prediction, spread};
use crate::run_folder::RunFolder;

/// The picture of several images.
pub const OVERVIEW: &str = "overview.png";

/// How many images it shows.
const SHOWN: usize = 12;

/// Images side by side in it.
const PER_ROW: usize = 2;

/// Writes `pictures/overview.png`: image, mask, attention and Grad-CAM (of the predicted class) of up to `SHOWN` images,
/// spread over the split; and `overview.json`, which says what it shows.
///
/// # Errors
/// Images that cannot be read; a folder that cannot be written to.
pub fn write(
    loaded: &Loaded,
    model: &MgaModel,
    data: &OpenData,
    indices: &[usize],
    folder: &RunFolder,
) -> anyhow::Result<()> {
    let loader = loaders::one_by_one(loaded, data.eval_source(), spread(indices, SHOWN))?;
    let (mut shown, mut columns, mut captions) = (vec![], vec![], vec![]);
    let name = |class: Option<usize>| class.and_then(|class| data.dataset.classes().get(class));
    for batch in loader.epoch(0, 0) {
        for prediction in prediction::explain(model, &batch?, normalisation(&loaded.experiment), Chosen::Predicted)? {
            let (predicted, confidence) = prediction.ranking.first().copied().unzip();
            captions.push(json!({
                "path": prediction.id, "label": name(prediction.label), "predicted": name(predicted),
                "confidence": confidence,
                "columns": prediction.columns().iter().map(|(column, _)| *column).collect::<Vec<_>>(),
            }));
            for (column, _) in prediction.columns() {
                if !columns.contains(&column) {
                    columns.push(column);
                }
            }
            shown.push(prediction.pictures());
        }
    }
    let Some(picture) = overview(&shown) else { return Ok(()) };
    save(&picture, &folder.pictures().join(OVERVIEW))?;
    folder.write_json(
        "pictures/overview.json",
        &json!({ "picture": OVERVIEW, "columns": columns, "images_per_row": PER_ROW, "images": captions }),
    )
}

/// Settings of [`explain`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Explanation {
    /// The class it is about.
    pub class: Chosen,
    /// The settings of the deletion score; `None` skips it.
    pub deletion: Option<Deletion>,
}

/// An image that was explained.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// The image.
    pub id: String,
    /// The class, if it is known.
    pub label: Option<usize>,
    /// The predicted class.
    pub predicted: Option<usize>,
    /// The softmax probability of the predicted class.
    pub confidence: f64,
    /// The class that Grad-CAM is of.
    pub class: Option<usize>,
    /// The picture's name in the folder.
    pub picture: String,
    /// Deletion scores by map: `attention` (where there is one), `grad-cam`, `random`; empty where none were asked for.
    pub deletion: Vec<(&'static str, DeletionScore)>,
}

/// Writes a picture of image, mask and attention (where there are such) and Grad-CAM for everything the loader gives, and
/// [`OVERVIEW`] of the first, into the folder `out`, which is made where it is not there.
///
/// # Errors
/// Images that cannot be read; a folder that cannot be written to; an interruption.
pub fn explain(
    model: &MgaModel,
    loader: &Loader,
    normalisation: Normalisation,
    out: &Path,
    explanation: Explanation,
    interrupt: &Interrupt,
) -> anyhow::Result<Vec<Explained>> {
    std::fs::create_dir_all(out).with_context(|| format!("cannot make {}", out.display()))?;
    let (mut explained, mut shown) = (Vec::new(), Vec::new());
    let mut names = FileNames::without(OVERVIEW);
    for batch in loader.epoch(0, 0) {
        if interrupt.is_raised() {
            let done = format!("interrupted after {} pictures in {}", explained.len(), out.display());
            return Err(Interrupted(done).into());
        }
        let batch = batch?;
        for (at, prediction) in
            prediction::explain(model, &batch, normalisation, explanation.class)?.into_iter().enumerate()
        {
            let deletion = match explanation.deletion {
                Some(deletion) => {
                    let input = network_input(model, &batch)?.narrow(0, at, 1)?;
                    deletion_scores(model, &input, &prediction, &deletion, normalisation)?
                }
                None => vec![],
            };
            let picture = names.name(&prediction.id);
            save(&prediction.panel(), &out.join(&picture))?;
            if shown.len() < SHOWN {
                shown.push(prediction.pictures());
            }
            let (predicted, confidence) = prediction.ranking.first().copied().unzip();
            let confidence = confidence.unwrap_or(f64::NAN);
            let class = prediction.grad_cam.map(|grad_cam| grad_cam.class);
            let (id, label) = (prediction.id, prediction.label);
            explained.push(Explained { id, label, predicted, confidence, class, picture, deletion });
        }
    }
    if let Some(picture) = overview(&shown) {
        save(&picture, &out.join(OVERVIEW))?;
    }
    Ok(explained)
}

/// The deletion score of every map of an image, and of pixels in random order.
fn deletion_scores(
    model: &MgaModel,
    input: &Tensor,
    prediction: &Prediction,
    deletion: &Deletion,
    normalisation: Normalisation,
) -> anyhow::Result<Vec<(&'static str, DeletionScore)>> {
    let Some(grad_cam) = &prediction.grad_cam else { return Ok(vec![]) };
    let random = Mask::filled(1, 1, 0.0);
    let maps =
        [("attention", prediction.attention.as_ref()), ("grad-cam", Some(&grad_cam.map)), ("random", Some(&random))];
    let score = |(name, map): (&'static str, Option<&Mask>)| {
        map.map(|map| Ok((name, deletion.score(model, input, map, grad_cam.class, normalisation)?)))
    };
    maps.into_iter().filter_map(score).collect()
}

/// [`PER_ROW`] images a line: a page is wider than tall then. `None`: no images.
fn overview(shown: &[Vec<Picture>]) -> Option<Picture> {
    grid(&shown.chunks(PER_ROW).map(<[_]>::concat).collect::<Vec<_>>())
}

fn save(picture: &Picture, path: &Path) -> anyhow::Result<()> {
    save_png(picture, path).with_context(|| format!("cannot write {}", path.display()))
}
