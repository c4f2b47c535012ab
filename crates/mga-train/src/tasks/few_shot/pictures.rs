//! A picture of one episode: query images beside the class that each is taken for, and what flows between their places.

use candle_core::Tensor;
use mga_core::tape::Tape;
use mga_data::dataset::Split;
use mga_data::sampler::{Draw, Sampler};
use mga_data::samplers::episodes::EpisodeRole;
use mga_data::{Batch, Picture};
use mga_experiment::Loaded;
use mga_models::MgaModel;
use serde_json::json;

use super::cache::Cache;
use super::encoder::encode;
use super::episodes::of_part;
use super::evaluation::episode_of;
use super::head::Teller;
use crate::assemble::normalisation;
use crate::data_set::OpenData;
use crate::gallery::OVERVIEW;
use crate::loaders;
use crate::pictures::{Entry, Figure, put, save_png};
use crate::prediction::{probabilities, shown};
use crate::run_folder::RunFolder;

/// The least width of an image in the picture, in pixels.
const LEAST: usize = 168;
/// Pixels between query and support image.
const GAP: usize = 40;
/// Pixels of the frame that tells right from wrong.
const FRAME: usize = 4;
/// Colours: what flows, right, wrong (told apart by people who do not see red and green alike).
const FLOW: [f32; 3] = [0.90, 0.62, 0.0];
const RIGHT: [f32; 3] = [0.0, 0.45, 0.70];
const WRONG: [f32; 3] = [0.80, 0.25, 0.0];

/// Writes `pictures/overview.png` of the first episode, and `overview.json`, which says what it shows. Of each class the
/// first query image stands beside a support image of the class that it is taken for; the lines show what flows.
pub(super) fn write(
    (loaded, data): (&Loaded, &OpenData),
    (model, teller): (&MgaModel, &Teller),
    folder: &RunFolder,
) -> anyhow::Result<()> {
    let part = if data.splits.test.is_empty() { Split::Validation } else { Split::Test };
    let episodes = of_part(loaded, data, part)?;
    let draws = episodes.batch(0, 0);
    let way = episodes.settings().way;
    let loader = loaders::of_source(loaded, data.eval_source(), draws.iter().map(|draw| draw.index).collect(), false)?;
    let (mut cache, mut seen): (Cache, Vec<(usize, Picture, String)>) = (Cache::default(), Vec::new());
    for batch in loader.epoch(0, 0) {
        let batch: Batch = batch?;
        cache.add(&batch.indices, &encode(model, &mut Tape::eval(), &batch)?)?;
        let pictures = shown(&batch, normalisation(&loaded.experiment))?;
        let named = batch.indices.iter().copied().zip(pictures).zip(&batch.ids);
        seen.extend(named.map(|((index, picture), id)| (index, picture, id.clone())));
    }
    if draws.iter().any(|draw| !seen.iter().any(|(index, ..)| *index == draw.index)) {
        // An image that cannot be read was left out, and said.
        return Ok(());
    }
    let mut tape = Tape::eval();
    let episode = episode_of(&mut tape, (loaded, teller), &cache, &episodes, 0)?;
    let scores: Vec<Vec<f32>> = teller.head.scores(&mut tape, &episode)?.tensor().to_vec2()?;
    let flow = teller.head.flow(&mut tape, &episode)?;
    let [.., height, width] = episode.query.dims() else { anyhow::bail!("features without places") };
    let places = (*height, *width);
    let picture_of = |index: usize| seen.iter().find(|(known, ..)| *known == index);
    let (query, support): (Vec<Draw>, Vec<Draw>) = draws.iter().partition(|draw| EpisodeRole::of(draw.role).is_query);
    let label = |draw: &Draw| {
        let label = data.dataset.records().get(draw.index).and_then(|record| record.label);
        label.and_then(|label| data.dataset.classes().get(label)).cloned().unwrap_or_default()
    };
    let (mut entries, mut captions) = (Vec::new(), Vec::new());
    for (at, draw) in query.iter().take(way).enumerate() {
        let told = probabilities(&scores[at]);
        let predicted = (1..way).fold(0, |best, class| if told[class] > told[best] { class } else { best });
        let (Some((_, one, id)), Some((_, other, _))) = (picture_of(draw.index), picture_of(support[predicted].index))
        else {
            continue;
        };
        let flow = flow.as_ref().map(|flow| of_pair(flow.tensor(), at, predicted)).transpose()?;
        let colour = if predicted == at { RIGHT } else { WRONG };
        let (own, taken, sure) = (label(draw), label(&support[predicted]), 100.0 * told[predicted]);
        let line = match predicted == at {
            true => format!("{own} ({sure:.0} %)"),
            false => format!("{own}, taken for {taken} ({sure:.0} %)"),
        };
        let both = pair(one, other, flow.as_deref().map(|flow| (flow, places)), colour);
        // The frame is around the support image already.
        let lines = vec![line, id.clone()];
        entries.push(Entry { pictures: vec![Some(both)], lines, verdict: None });
        captions.push(json!({
            "path": id, "label": label(draw), "predicted": label(&support[predicted]), "confidence": told[predicted],
        }));
    }
    let per_row = 2;
    let pictures = entries.iter().flat_map(|entry| entry.pictures.iter().flatten());
    let side = pictures.map(|picture| picture.width().max(picture.height())).max().unwrap_or_default();
    let heads = vec!["query image, and one of the class that it is taken for".to_owned()];
    let figure = Figure { heads, entries, per_line: per_row, side, maps: false };
    let Some((picture, _)) = figure.draw() else { return Ok(()) };
    save_png(&picture, &folder.pictures().join(OVERVIEW))?;
    let told = "support image of the class that it is taken for, framed blue where right";
    let told = if flow.is_some() { format!("{told}; lines: flow") } else { told.to_owned() };
    let columns = ["query image".to_owned(), told];
    folder.write_json(
        "pictures/overview.json",
        &json!({ "picture": OVERVIEW, "columns": columns, "images_per_row": per_row, "images": captions }),
    )
}

/// The flow between a query image and a class.
fn of_pair(flow: &Tensor, query: usize, class: usize) -> anyhow::Result<Vec<Vec<f64>>> {
    Ok(flow.get(query)?.get(class)?.to_dtype(candle_core::DType::F64)?.to_vec2()?)
}

/// A picture enlarged by a whole number, so that its pixels stay what they are.
fn enlarged(picture: &Picture) -> Picture {
    let factor = LEAST.div_ceil(picture.width().max(1)).max(1);
    let (width, height) = (picture.width() * factor, picture.height() * factor);
    let mut result = Picture::filled(width, height, 0.0);
    for (at, value) in result.values_mut().iter_mut().enumerate() {
        let (pixel, channel) = (at / 3, at % 3);
        let (x, y) = (pixel % width / factor, pixel / width / factor);
        *value = picture.pixels()[3 * (y * picture.width() + x) + channel];
    }
    result
}

/// The flow between the places of two images, `[h * w, h * w]`, and how many rows and columns of places there are.
type Flow<'a> = (&'a [Vec<f64>], (usize, usize));

/// Two pictures beside each other with lines between the centres of their places, as strong as what flows.
fn pair(one: &Picture, other: &Picture, flow: Option<Flow<'_>>, colour: [f32; 3]) -> Picture {
    let (one, other) = (enlarged(one), enlarged(other));
    let (width, height) = (one.width() + GAP + other.width(), one.height().max(other.height()));
    let mut result = Picture::filled(width, height, 1.0);
    let right = one.width() + GAP;
    put(&mut result, &one, (0, 0));
    put(&mut result, &other, (right, 0));
    frame(&mut result, right, &other, colour);
    let Some((flow, (rows, columns))) = flow else { return result };
    let most = flow.iter().flatten().copied().fold(0.0, f64::max);
    let centre = |picture: &Picture, from: usize, node: usize| {
        let x = from as f64
            + (node % columns) as f64 * picture.width() as f64 / columns as f64
            + picture.width() as f64 / (2 * columns) as f64;
        let y = (node / columns) as f64 * picture.height() as f64 / rows as f64
            + picture.height() as f64 / (2 * rows) as f64;
        (x, y)
    };
    for (source, targets) in flow.iter().enumerate() {
        for (target, &amount) in targets.iter().enumerate().filter(|(_, amount)| most > 0.0 && **amount > 0.2 * most) {
            line(&mut result, centre(&one, 0, source), centre(&other, right, target), (amount / most) as f32);
        }
    }
    result
}

fn frame(to: &mut Picture, x: usize, of: &Picture, colour: [f32; 3]) {
    let width = to.width();
    for row in 0..of.height() {
        for column in 0..of.width() {
            let inside = |at: usize, length: usize| at >= FRAME && at + FRAME < length;
            if !(inside(row, of.height()) && inside(column, of.width())) {
                let at = 3 * (row * width + x + column);
                to.values_mut()[at..at + 3].copy_from_slice(&colour);
            }
        }
    }
}

/// A line two pixels wide.
fn line(to: &mut Picture, from: (f64, f64), end: (f64, f64), opacity: f32) {
    let (width, height) = (to.width(), to.height());
    let steps = 2 * (end.0 - from.0).hypot(end.1 - from.1).ceil() as usize;
    let mut last = usize::MAX;
    for step in 0..=steps {
        let share = step as f64 / steps.max(1) as f64;
        let (x, y) = (from.0 + (end.0 - from.0) * share, from.1 + (end.1 - from.1) * share);
        let (x, y) = ((x as usize).min(width - 1), (y as usize).min(height.saturating_sub(2)));
        let at = 3 * (y * width + x);
        if at == last {
            continue;
        }
        last = at;
        for at in [at, at + 3 * width] {
            for (value, colour) in to.values_mut()[at..at + 3].iter_mut().zip(FLOW) {
                *value += (colour - *value) * opacity;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_lead_from_place_to_place_and_the_frame_tells_right_from_wrong() {
        let picture = Picture::filled(168, 168, 0.5);
        let flow = vec![vec![0.0, 1.0], vec![0.1, 0.0]];
        let drawn = pair(&picture, &picture, Some((&flow, (1, 2))), RIGHT);
        assert_eq!((drawn.width(), drawn.height()), (2 * 168 + GAP, 168));
        let at = |x: usize, y: usize| &drawn.pixels()[3 * (y * drawn.width() + x)..][..3];
        // From the left half of the query image to the right half of the support image; the weak flow is not drawn.
        assert_eq!((at(168 + 20, 84), at(126, 60)), (&FLOW[..], &[0.5; 3][..]));
        assert_eq!((at(168 + GAP, 0), at(168 + 20, 10)), (&RIGHT[..], &[1.0; 3][..]));
    }

    #[test]
    fn small_pictures_are_enlarged_by_whole_pixels() {
        let picture = Picture::new(2, 1, vec![0.0, 0.0, 0.0, 1.0, 1.0, 1.0]).unwrap();
        let large = enlarged(&picture);
        assert_eq!((large.width(), large.height()), (168, 84));
        assert_eq!((large.pixels()[3 * 83], large.pixels()[3 * 84]), (0.0, 1.0));
    }
}
