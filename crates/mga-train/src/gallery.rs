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
use crate::pictures::{Entry, Figure, FileNames, LEAST_SIDE, PrintSource, Verdict, save_png};
use crate::prediction::{self, Chosen, Normalisation, Prediction, spread};
use crate::run_folder::RunFolder;

/// The picture of several images.
pub const OVERVIEW: &str = "overview.png";

/// How many images it shows.
const SHOWN: usize = 12;

/// Images side by side in it: a page is wider than tall then.
const PER_ROW: usize = 2;

/// The longer side of a picture in it at most, pixels, where nobody asked for another size: some networks see photographs
/// of any size.
pub(crate) const LARGEST_SIDE: usize = 448;

/// Writes `pictures/overview.png`: image, mask, attention and Grad-CAM (of the predicted class) of up to `SHOWN` images,
/// spread over the split; and `overview.json`, which says what it shows and where.
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
    let classes = data.dataset.classes();
    let (mut shown, mut captions) = (vec![], vec![]);
    let name = |class: Option<usize>| class.and_then(|class| classes.get(class));
    for batch in loader.epoch(0, 0) {
        for prediction in prediction::explain(model, &batch?, normalisation(&loaded.experiment), Chosen::Predicted)? {
            let (predicted, confidence) = prediction.ranking.first().copied().unzip();
            captions.push(json!({
                "path": prediction.id, "label": name(prediction.label), "predicted": name(predicted),
                "confidence": confidence,
                "columns": prediction.columns().iter().map(|(column, _)| *column).collect::<Vec<_>>(),
            }));
            shown.push(Shown::of(&prediction, classes, Chosen::Predicted));
        }
    }
    let (figure, columns) = figure(&shown, PER_ROW, None);
    let Some((picture, places)) = figure.draw() else { return Ok(()) };
    save(&picture, &folder.pictures().join(OVERVIEW))?;
    for (caption, places) in captions.iter_mut().zip(places) {
        let places: serde_json::Map<_, _> = columns
            .iter()
            .zip(places)
            .filter_map(|(column, place)| Some(((*column).to_owned(), json!(place?))))
            .collect();
        caption["places"] = places.into();
    }
    folder.write_json(
        "pictures/overview.json",
        &json!({ "picture": OVERVIEW, "columns": columns, "images_per_row": PER_ROW, "images": captions }),
    )
}

/// Settings of [`explain`].
#[derive(Clone, Copy, Default)]
pub struct Explanation<'a> {
    /// The class it is about.
    pub class: Chosen,
    /// The settings of the deletion score; `None` skips it.
    pub deletion: Option<Deletion>,
    /// The names of the classes, for captions.
    pub classes: &'a [String],
    /// The originals, for pictures at a size for print; `None`: images as the network sees them.
    pub print: Option<&'a PrintSource>,
    /// Whether image, mask and maps are also written to files of their own, without words.
    pub plain: bool,
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
/// [`OVERVIEW`] of the first, into the folder `out`, which is made where it is not there. All have headings, captions and a
/// scale.
///
/// # Errors
/// Images that cannot be read; a folder that cannot be written to; an interruption.
pub fn explain(
    model: &MgaModel,
    loader: &Loader,
    normalisation: Normalisation,
    out: &Path,
    explanation: Explanation<'_>,
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
        for (at, mut prediction) in
            prediction::explain(model, &batch, normalisation, explanation.class)?.into_iter().enumerate()
        {
            let deletion = match explanation.deletion {
                Some(deletion) => {
                    let input = network_input(model, &batch)?.narrow(0, at, 1)?;
                    deletion_scores(model, &input, &prediction, &deletion, normalisation)?
                }
                None => vec![],
            };
            if let Some(originals) = explanation.print {
                prediction.enlarge(originals)?;
            }
            let picture = names.name(&prediction.id);
            let one = Shown::of(&prediction, explanation.classes, explanation.class);
            let side = explanation.print.map(|originals| originals.side);
            if let Some((panel, _)) = figure(std::slice::from_ref(&one), 1, side).0.draw() {
                save(&panel, &out.join(&picture))?;
            }
            let stem = picture.strip_suffix(".png").unwrap_or(&picture);
            for (column, plain) in one.columns.iter().filter(|_| explanation.plain) {
                save(plain, &out.join(names.name(&format!("{stem}.{column}"))))?;
            }
            if shown.len() < SHOWN {
                shown.push(one);
            }
            let (predicted, confidence) = prediction.ranking.first().copied().unzip();
            let confidence = confidence.unwrap_or(f64::NAN);
            let class = prediction.grad_cam.map(|grad_cam| grad_cam.class);
            let (id, label) = (prediction.id, prediction.label);
            explained.push(Explained { id, label, predicted, confidence, class, picture, deletion });
        }
    }
    let side = explanation.print.map(|originals| originals.side);
    if let Some((picture, _)) = figure(&shown, PER_ROW, side).0.draw() {
        save(&picture, &out.join(OVERVIEW))?;
    }
    Ok(explained)
}

/// Draws the image and the attention over it, with headings, the predicted class and a scale. `None`: a network without
/// attention.
///
/// # Errors
/// As [`Prediction::enlarge`].
pub fn attention_over(
    mut prediction: Prediction,
    classes: &[String],
    print: Option<&PrintSource>,
) -> anyhow::Result<Option<Picture>> {
    if prediction.attention.is_none() {
        return Ok(None);
    }
    if let Some(originals) = print {
        prediction.enlarge(originals)?;
    }
    let side = print.map(|originals| originals.side);
    let one = Shown::of(&prediction, classes, Chosen::Predicted);
    Ok(figure(std::slice::from_ref(&one), 1, side).0.draw().map(|(picture, _)| picture))
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

/// What a figure shows of an image.
struct Shown {
    columns: Vec<(&'static str, Picture)>,
    lines: Vec<String>,
    verdict: Option<Verdict>,
}

impl Shown {
    fn of(prediction: &Prediction, classes: &[String], about: Chosen) -> Self {
        let name = |class: usize| classes.get(class).cloned().unwrap_or_else(|| format!("class {class}"));
        let mut lines = vec![];
        let mut verdict = None;
        if let Some(&(predicted, confidence)) = prediction.ranking.first() {
            let sure = format!("({:.0} %)", 100.0 * confidence);
            verdict = prediction.label.map(|label| if label == predicted { Verdict::Right } else { Verdict::Wrong });
            lines.push(match prediction.label {
                Some(label) if label == predicted => format!("{} {sure}", name(label)),
                Some(label) => format!("{}, taken for {} {sure}", name(label), name(predicted)),
                None => format!("predicted: {} {sure}", name(predicted)),
            });
        }
        if let Some(grad_cam) = prediction.grad_cam.as_ref().filter(|_| about != Chosen::Predicted) {
            lines.push(format!("Grad-CAM of {}", name(grad_cam.class)));
        }
        lines.push(prediction.id.clone());
        Self { columns: prediction.columns(), lines, verdict }
    }
}

/// Lays images out, so many a line, and returns the columns too. Without a `side` pictures are as large as the network
/// sees them, or a little larger if that is too small for words.
fn figure(shown: &[Shown], per_line: usize, side: Option<usize>) -> (Figure, Vec<&'static str>) {
    let columns: Vec<&'static str> = ["image", "mask", "attention", "grad-cam"]
        .into_iter()
        .filter(|name| shown.iter().flat_map(|image| &image.columns).any(|(column, _)| column == name))
        .collect();
    let entry = |image: &Shown| Entry {
        pictures: columns
            .iter()
            .map(|name| image.columns.iter().find(|(column, _)| column == name).map(|(_, picture)| picture.clone()))
            .collect(),
        lines: image.lines.clone(),
        verdict: image.verdict,
    };
    let longer = |picture: &Picture| picture.width().max(picture.height());
    let native = shown.iter().flat_map(|image| &image.columns).map(|(_, picture)| longer(picture)).max();
    let heads = columns.iter().map(|name| if *name == "grad-cam" { "Grad-CAM" } else { name }.to_owned()).collect();
    let maps = columns.iter().any(|name| ["attention", "grad-cam"].contains(name));
    let side = side.unwrap_or_else(|| native.unwrap_or(0).clamp(LEAST_SIDE, LARGEST_SIDE));
    (Figure { heads, entries: shown.iter().map(entry).collect(), per_line, side, maps }, columns)
}

fn save(picture: &Picture, path: &Path) -> anyhow::Result<()> {
    save_png(picture, path).with_context(|| format!("cannot write {}", path.display()))
}
