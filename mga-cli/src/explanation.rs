//! Pictures of what a network looked at, written to a folder.

use std::path::Path;

use anyhow::Context;
use mga_data::{Loader, Picture};
use mga_models::MgaModel;

use crate::interrupt::Interrupt;
use crate::pictures::{grid, save_png};
use crate::prediction::{Normalisation, file_name, predict};
use crate::status::Interrupted;

/// The picture of them all.
pub const OVERVIEW: &str = "overview.png";

/// How many images the overview shows.
const SHOWN: usize = 12;

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
/// [`OVERVIEW`], into the folder `out`, which is made where it is not there.
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
    let save = |picture: &Picture, name: &str| {
        let path = out.join(name);
        save_png(picture, &path).with_context(|| format!("cannot write {}", path.display()))
    };
    let (mut explained, mut rows) = (Vec::new(), Vec::new());
    for batch in loader.epoch(0, 0) {
        if interrupt.is_raised() {
            let done = format!("interrupted after {} pictures in {}", explained.len(), out.display());
            return Err(Interrupted(done).into());
        }
        for prediction in predict(model, &batch?, normalisation)? {
            let picture = file_name(&prediction.id);
            save(&prediction.panel(), &picture)?;
            let (predicted, confidence) = prediction.ranking.first().copied().unzip();
            if rows.len() < SHOWN {
                rows.push(prediction.pictures());
            }
            let confidence = confidence.unwrap_or(f64::NAN);
            explained.push(Explained { id: prediction.id, label: prediction.label, predicted, confidence, picture });
        }
    }
    if let Some(overview) = grid(&rows) {
        save(&overview, OVERVIEW)?;
    }
    Ok(explained)
}
