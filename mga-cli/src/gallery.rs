//! Pictures of where a network looked, in a folder: at the end of a run, and for `mga explain`.

use std::path::Path;

use anyhow::Context;
use mga_data::{Loader, Picture};
use mga_models::MgaModel;

use crate::assemble::normalisation;
use crate::data_set::OpenData;
use crate::experiment::Loaded;
use crate::interrupt::Interrupt;
use crate::loaders;
use crate::pictures::{FileNames, grid, save_png};
use crate::prediction::{Normalisation, predict, spread};
use crate::run_folder::RunFolder;
use crate::status::Interrupted;

/// The picture of several images.
pub const OVERVIEW: &str = "overview.png";

/// How many images it shows.
const SHOWN: usize = 12;

/// Writes `pictures/overview.png`: image, mask and attention of up to `SHOWN` images, spread over the split.
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
    let mut shown = vec![];
    for batch in loader.epoch(0, 0) {
        let predictions = predict(model, &batch?, normalisation(&loaded.experiment))?;
        shown.extend(predictions.iter().map(|prediction| prediction.pictures()));
    }
    match overview(&shown) {
        Some(picture) => save(&picture, &folder.pictures().join(OVERVIEW)),
        None => Ok(()),
    }
}

/// One image that was explained.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// The image.
    pub id: String,
    /// Its class, where known.
    pub label: Option<usize>,
    /// What the network says.
    pub predicted: Option<usize>,
    /// With which softmax probability.
    pub confidence: f64,
    /// The picture's name in the folder.
    pub picture: String,
}

/// Writes a picture of image, mask (where there is one) and attention for everything the loader gives, and
/// [`OVERVIEW`] of the first, into the folder `out`, which is made where it is not there.
///
/// # Errors
/// Images that cannot be read; a folder that cannot be written to; an interruption.
pub fn explain(
    model: &MgaModel,
    loader: &Loader,
    normalisation: Normalisation,
    out: &Path,
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
        for prediction in predict(model, &batch?, normalisation)? {
            let picture = names.name(&prediction.id);
            save(&prediction.panel(), &out.join(&picture))?;
            if shown.len() < SHOWN {
                shown.push(prediction.pictures());
            }
            let (predicted, confidence) = prediction.ranking.first().copied().unzip();
            let confidence = confidence.unwrap_or(f64::NAN);
            explained.push(Explained { id: prediction.id, label: prediction.label, predicted, confidence, picture });
        }
    }
    if let Some(picture) = overview(&shown) {
        save(&picture, &out.join(OVERVIEW))?;
    }
    Ok(explained)
}

/// Two images a line: a page is wider than tall then. `None`: no images.
fn overview(shown: &[Vec<Picture>]) -> Option<Picture> {
    grid(&shown.chunks(2).map(<[_]>::concat).collect::<Vec<_>>())
}

fn save(picture: &Picture, path: &Path) -> anyhow::Result<()> {
    save_png(picture, path).with_context(|| format!("cannot write {}", path.display()))
}
