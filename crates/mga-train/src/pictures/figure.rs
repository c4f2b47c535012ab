//! Pictures under headings, with what is said of each image, a frame that tells right from wrong, and a scale.

use mga_data::transforms::{Interpolation, resize_picture};
use mga_data::{Mask, Picture};
use serde::{Deserialize, Serialize};

use super::lettering;
use super::overlay::blended;

/// The least length of the longer side of a picture, pixels: headings and captions stay legible.
pub const LEAST_SIDE: usize = 192;

/// Blue and vermilion (Okabe and Ito 2008), which the colour-blind tell apart too.
const RIGHT: [f32; 3] = [0.0, 0.447, 0.698];
const WRONG: [f32; 3] = [0.835, 0.369, 0.0];
const INK: [f32; 3] = [0.1; 3];

/// Whether an image was taken for its own class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was.
    Right,
    /// It was taken for another one.
    Wrong,
}

/// One image: pictures side by side, and lines of text below them.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The pictures, by the column that they stand in.
    pub pictures: Vec<Option<Picture>>,
    /// Lines below the pictures.
    pub lines: Vec<String>,
    /// The frame around the first picture; `None`: none, as of an image whose class is not known.
    pub verdict: Option<Verdict>,
}

/// The place of a picture in a figure, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The left edge.
    pub x: usize,
    /// The upper edge.
    pub y: usize,
    /// The width.
    pub width: usize,
    /// The height.
    pub height: usize,
}

/// Images below each other, each with its pictures in columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The headings of the columns.
    pub heads: Vec<String>,
    /// The images.
    pub entries: Vec<Entry>,
    /// Images side by side in a line.
    pub per_line: usize,
    /// The longer side of a picture, in pixels.
    pub side: usize,
    /// Whether there are maps, and so a scale of their colours and a line on the frames below everything.
    pub maps: bool,
}

/// Lengths in pixels that follow from the side of a picture.
struct Lengths {
    letters: f32,
    line: usize,
    gap: usize,
    frame: usize,
}

impl Figure {
    fn lengths(&self) -> Lengths {
        let letters = (self.side as f32 / 14.0).max(13.0);
        Lengths {
            letters,
            line: (1.3 * letters).ceil() as usize,
            gap: (self.side / 32).max(6),
            frame: (self.side / 64).max(2),
        }
    }

    /// Draws the figure. It also returns where the pictures of each image stand, by column; `None` for a column that the
    /// image has no picture in. Without images there is no figure.
    #[must_use]
    pub fn draw(&self) -> Option<(Picture, Vec<Vec<Option<Place>>>)> {
        let Lengths { letters, line, gap, frame } = self.lengths();
        let scaled: Vec<Vec<Option<Picture>>> = self
            .entries
            .iter()
            .map(|entry| entry.pictures.iter().map(|picture| picture.as_ref().map(|p| fit(p, self.side))).collect())
            .collect();
        let sizes = || scaled.iter().flatten().flatten().map(|picture| (picture.width(), picture.height()));
        let (cell, high) = (sizes().map(|(width, _)| width).max()?, sizes().map(|(_, height)| height).max()?);
        let columns = self.heads.len().max(scaled.iter().map(Vec::len).max().unwrap_or(0));
        let per_line = self.per_line.clamp(1, self.entries.len().max(1));
        let block = columns * cell + columns.saturating_sub(1) * gap;
        let said = self.entries.iter().map(|entry| entry.lines.len()).max().unwrap_or(0);
        let (head, row) = (line + gap, high + said * line + 2 * gap);
        let rows = self.entries.len().div_ceil(per_line);
        let foot = if self.maps { 2 * line + gap } else { 0 };
        let width = per_line * block + (per_line - 1) * 3 * gap + 2 * gap;
        let mut sheet = Picture::filled(width, gap + head + rows * row + foot, 1.0);
        for place in 0..per_line {
            for (column, name) in self.heads.iter().enumerate() {
                let x = gap + place * (block + 3 * gap) + column * (cell + gap);
                let name = lettering::fitted(name, letters, cell as f32);
                lettering::write(&mut sheet, &name, (x, gap), letters, INK);
            }
        }
        let mut places = vec![];
        for (at, (entry, pictures)) in self.entries.iter().zip(&scaled).enumerate() {
            let left = gap + (at % per_line) * (block + 3 * gap);
            let top = gap + head + (at / per_line) * row;
            let mut own = vec![];
            for (column, picture) in pictures.iter().enumerate() {
                let x = left + column * (cell + gap);
                own.push(picture.as_ref().map(|picture| {
                    put(&mut sheet, picture, (x, top));
                    Place { x, y: top, width: picture.width(), height: picture.height() }
                }));
            }
            if let (Some(verdict), Some(Some(place))) = (entry.verdict, own.first()) {
                let colour = if verdict == Verdict::Right { RIGHT } else { WRONG };
                outline(&mut sheet, *place, frame, colour);
            }
            for (number, text) in entry.lines.iter().enumerate() {
                let text = lettering::fitted(text, letters, block as f32);
                let colour = if number == 0 && entry.verdict == Some(Verdict::Wrong) { WRONG } else { INK };
                lettering::write(&mut sheet, &text, (left, top + high + gap / 2 + number * line), letters, colour);
            }
            places.push(own);
        }
        if self.maps {
            let top = sheet.height() - foot;
            self.foot(&mut sheet, top);
        }
        Some((sheet, places))
    }

    /// The scale of the maps' colours, and what the frames say.
    fn foot(&self, sheet: &mut Picture, top: usize) {
        let Lengths { letters, line, gap, .. } = self.lengths();
        let bar = (self.side / 2).max(64).min(sheet.width() / 3).max(2);
        let (low, high) = ("lowest", "highest of each map");
        let mut x = gap;
        lettering::write(sheet, low, (x, top), letters, INK);
        x += lettering::width(low, letters) as usize + gap;
        let high_bar = line * 3 / 4;
        let values = (0..high_bar).flat_map(|_| (0..bar).map(|x| x as f32 / (bar - 1) as f32)).collect();
        if let Some(ramp) = Mask::new(bar, high_bar, values) {
            put(sheet, &blended(&Picture::filled(bar, high_bar, 0.5), &ramp), (x, top + line / 8));
        }
        x += bar + gap;
        lettering::write(sheet, high, (x, top), letters, INK);
        if self.entries.iter().any(|entry| entry.verdict.is_some()) {
            let second = top + line;
            lettering::write(sheet, "frame:", (gap, second), letters, INK);
            let mut x = gap + lettering::width("frame: ", letters) as usize;
            for (word, colour) in [("right", RIGHT), ("taken for another class", WRONG)] {
                lettering::write(sheet, word, (x, second), letters, colour);
                x += lettering::width(word, letters) as usize + 2 * gap;
            }
        }
    }
}

/// The picture with its longer side of this length.
fn fit(picture: &Picture, side: usize) -> Picture {
    let longer = picture.width().max(picture.height());
    if longer == side {
        return picture.clone();
    }
    let scaled = |length: usize| ((length * side + longer / 2) / longer).max(1);
    resize_picture(picture.clone(), scaled(picture.height()), scaled(picture.width()), Interpolation::Bilinear)
}

/// Lays a picture on the sheet; what is outside of it is cut off.
pub(crate) fn put(sheet: &mut Picture, picture: &Picture, (x, y): (usize, usize)) {
    let width = sheet.width();
    let x = x.min(width);
    let kept = picture.width().min(width - x);
    let lines = sheet.values_mut().chunks_exact_mut(3 * width).skip(y);
    for (line, from) in lines.zip(picture.pixels().chunks_exact(3 * picture.width())) {
        line[3 * x..3 * (x + kept)].copy_from_slice(&from[..3 * kept]);
    }
}

/// Draws a frame just outside of a place.
fn outline(sheet: &mut Picture, place: Place, thick: usize, colour: [f32; 3]) {
    let (width, height) = (sheet.width(), sheet.height());
    let (left, top) = (place.x.saturating_sub(thick), place.y.saturating_sub(thick));
    let (right, bottom) = ((place.x + place.width + thick).min(width), (place.y + place.height + thick).min(height));
    for y in top..bottom {
        for x in left..right {
            let inside =
                (place.x..place.x + place.width).contains(&x) && (place.y..place.y + place.height).contains(&y);
            if !inside {
                let start = 3 * (y * width + x);
                sheet.values_mut()[start..start + 3].copy_from_slice(&colour);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(pictures: usize, verdict: Option<Verdict>) -> Entry {
        let pictures = vec![Some(Picture::filled(40, 20, 0.5)); pictures];
        Entry { pictures, lines: vec!["oak, taken for elm".to_owned()], verdict }
    }

    fn at(picture: &Picture, x: usize, y: usize) -> [f32; 3] {
        let start = 3 * (y * picture.width() + x);
        picture.pixels()[start..start + 3].try_into().unwrap()
    }

    #[test]
    fn pictures_stand_where_it_is_said_and_frames_around_the_first() {
        let entries = vec![entry(2, Some(Verdict::Right)), entry(2, Some(Verdict::Wrong)), entry(1, None)];
        let heads = vec!["image".to_owned(), "attention".to_owned()];
        let figure = Figure { heads, entries, per_line: 2, side: 80, maps: true };
        let (sheet, places) = figure.draw().unwrap();
        assert_eq!(places.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
        for place in places.iter().flatten().flatten() {
            assert_eq!((place.width, place.height), (80, 40));
            assert!(place.x + place.width <= sheet.width() && place.y + place.height <= sheet.height());
            assert_eq!(at(&sheet, place.x + 40, place.y + 20), [0.5; 3]);
        }
        let first = |entry: usize| places[entry][0].unwrap();
        let beside = |place: Place| at(&sheet, place.x - 1, place.y + 5);
        assert_eq!([beside(first(0)), beside(first(1)), beside(first(2))], [RIGHT, WRONG, [1.0; 3]]);
        assert_eq!((first(0).y, first(2).x), (first(1).y, first(0).x));
        assert!(first(2).y > first(0).y + 40);
    }

    #[test]
    fn no_images_no_figure() {
        let figure = Figure { heads: vec![], entries: vec![], per_line: 2, side: 80, maps: false };
        assert_eq!(figure.draw(), None);
    }
}
