//! Annotations of the LabelMe program (`NAME.json` beside an image): polygons, lines and other shapes, drawn into a label
//! map.
//!
//! Points are in pixels from the image's upper left corner; the centre of the first pixel is (0.5, 0.5). A pixel belongs
//! to an area where its centre does (even-odd rule), and to a line where its centre is within half the line's width of
//! it. Shapes are drawn in the order of the file, later ones over earlier ones.

use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};
use crate::picture::Mask;
use crate::text_file::read_text;

/// Labels that LabelMe's own export knows: pixels that count nowhere, and the first class.
const IGNORED: &str = "__ignore__";
const BACKGROUND: &str = "_background_";

/// The meaning of shapes.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelMeSettings {
    /// Class names; a shape's label is one of them. What no shape covers is of the first class.
    pub classes: Vec<String>,
    /// Width of lines and diameter of points, pixels.
    pub line_width: f64,
    /// The label of shapes that bound what was annotated: all outside counts nowhere. Files without such a shape are
    /// annotated all over.
    pub region: Option<String>,
}

#[derive(Debug, Deserialize)]
struct File {
    shapes: Vec<Shape>,
    #[serde(rename = "imageWidth")]
    width: Option<usize>,
    #[serde(rename = "imageHeight")]
    height: Option<usize>,
}

#[derive(Debug, Deserialize)]
struct Shape {
    label: String,
    points: Vec<[f64; 2]>,
    /// Old files leave it out for polygons.
    shape_type: Option<String>,
}

/// Returns the label map of the annotations at `path`, for an image of `width` x `height`. Annotations of the image at
/// another size are scaled.
///
/// # Errors
/// A file that cannot be read or is none of LabelMe's, a label that is no class, a shape that cannot be drawn.
pub fn read_labelme(path: &Path, (width, height): (usize, usize), settings: &LabelMeSettings) -> Result<Mask> {
    let text = read_text(path)?;
    let file: File = serde_json::from_str(&text).map_err(|e| {
        Error::file(path, format!("is no file of LabelMe ({e}); expected `shapes` with labels and points"))
    })?;
    draw(&file, (width, height), settings).map_err(|what| Error::file(path, what))
}

fn draw(file: &File, (width, height): (usize, usize), settings: &LabelMeSettings) -> std::result::Result<Mask, String> {
    let own = (file.width.unwrap_or(width), file.height.unwrap_or(height));
    if own.0 == 0 || own.1 == 0 || !crate::masks::same_aspect(own, (width, height)) {
        let (w, h) = own;
        return Err(format!(
            "was drawn on an image of {w} x {h}, but the image is {width} x {height}: expected its aspect"
        ));
    }
    let scale = (width as f64 / own.0 as f64, height as f64 / own.1 as f64);
    let is_region = |shape: &&Shape| settings.region.as_deref() == Some(shape.label.as_str());
    let mut labels = vec![0u8; width * height];
    for shape in file.shapes.iter().filter(|shape| !is_region(shape)) {
        let label = class_of(&shape.label, settings)?;
        paint(shape, (width, height), scale, settings.line_width, |place| {
            if let Some(value) = labels.get_mut(place) {
                *value = label;
            }
        })?;
    }
    if file.shapes.iter().any(|shape| is_region(&shape)) {
        let mut annotated = vec![false; width * height];
        for shape in file.shapes.iter().filter(is_region) {
            paint(shape, (width, height), scale, settings.line_width, |place| {
                if let Some(value) = annotated.get_mut(place) {
                    *value = true;
                }
            })?;
        }
        for (label, _) in labels.iter_mut().zip(annotated).filter(|(_, annotated)| !annotated) {
            *label = Mask::IGNORE;
        }
    }
    Mask::label_map(width, height, &labels).ok_or_else(|| "the image has no pixels".to_owned())
}

fn class_of(label: &str, settings: &LabelMeSettings) -> std::result::Result<u8, String> {
    match label {
        IGNORED => return Ok(Mask::IGNORE),
        BACKGROUND => return Ok(0),
        _ => {}
    }
    let place = settings.classes.iter().position(|class| class == label).and_then(|place| u8::try_from(place).ok());
    place.ok_or_else(|| {
        format!(
            "has a shape labelled `{label}`, which is no class; data.annotations.classes names {}",
            settings.classes.join(", ")
        )
    })
}

/// Calls `set` with the place of every pixel that the shape covers.
fn paint(
    shape: &Shape,
    (width, height): (usize, usize),
    scale: (f64, f64),
    line_width: f64,
    mut set: impl FnMut(usize),
) -> std::result::Result<(), String> {
    let points: Vec<(f64, f64)> = shape.points.iter().map(|[x, y]| (x * scale.0, y * scale.1)).collect();
    if points.iter().any(|(x, y)| !x.is_finite() || !y.is_finite()) {
        return Err(format!("has a shape `{}` with a point that is no number", shape.label));
    }
    let kind = shape.shape_type.as_deref().unwrap_or("polygon");
    let needs = |count: usize| {
        let found = points.len();
        if found >= count {
            Ok(())
        } else {
            Err(format!("has a {kind} `{}` of {found} points, not {count}", shape.label))
        }
    };
    let mut fill = |margin: f64, around: &[(f64, f64)], covers: &dyn Fn(f64, f64) -> bool| {
        let bounds = |of: &dyn Fn(&(f64, f64)) -> f64, side: usize| {
            let low = around.iter().map(of).fold(f64::INFINITY, f64::min) - margin;
            let high = around.iter().map(of).fold(f64::NEG_INFINITY, f64::max) + margin;
            (low.floor().clamp(0.0, side as f64) as usize, high.ceil().clamp(0.0, side as f64) as usize)
        };
        let ((left, right), (top, bottom)) = (bounds(&|p| p.0, width), bounds(&|p| p.1, height));
        for y in top..bottom {
            for x in left..right {
                if covers(x as f64 + 0.5, y as f64 + 0.5) {
                    set(y * width + x);
                }
            }
        }
    };
    let half = line_width / 2.0;
    match kind {
        "polygon" => {
            needs(3)?;
            fill(0.0, &points, &|x, y| inside(&points, x, y));
        }
        "rectangle" => {
            needs(2)?;
            let corners = if let [(x0, y0), (x1, y1)] = points[..] {
                vec![(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
            } else {
                points.clone()
            };
            fill(0.0, &corners, &|x, y| inside(&corners, x, y));
        }
        "circle" => {
            needs(2)?;
            let radius = (points[1].0 - points[0].0).hypot(points[1].1 - points[0].1);
            let centre = points[0];
            fill(radius, &points[..1], &|x, y| (x - centre.0).hypot(y - centre.1) <= radius);
        }
        "line" | "linestrip" => {
            needs(2)?;
            for ends in points.windows(2) {
                fill(half, ends, &|x, y| distance(ends[0], ends[1], (x, y)) <= half);
            }
        }
        "point" | "points" => {
            needs(1)?;
            for centre in &points {
                fill(half, &[*centre], &|x, y| (x - centre.0).hypot(y - centre.1) <= half);
            }
        }
        other => {
            return Err(format!(
                "has a shape `{}` of type `{other}`, which cannot be drawn; expected polygon, rectangle, circle, line, \
                 linestrip or point",
                shape.label
            ));
        }
    }
    Ok(())
}

/// Whether a point lies within a polygon, by the even-odd rule.
fn inside(polygon: &[(f64, f64)], x: f64, y: f64) -> bool {
    let mut inside = false;
    let mut previous = polygon.len().saturating_sub(1);
    for (current, &(x1, y1)) in polygon.iter().enumerate() {
        let (x0, y0) = polygon[previous];
        if (y1 > y) != (y0 > y) && x < (x0 - x1) * (y - y1) / (y0 - y1) + x1 {
            inside = !inside;
        }
        previous = current;
    }
    inside
}

/// From a point to the nearest of the segment between two others.
fn distance(from: (f64, f64), to: (f64, f64), point: (f64, f64)) -> f64 {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx * dx + dy * dy;
    let along = ((point.0 - from.0) * dx + (point.1 - from.1) * dy) / if length > 0.0 { length } else { 1.0 };
    let along = along.clamp(0.0, 1.0);
    (point.0 - from.0 - along * dx).hypot(point.1 - from.1 - along * dy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(line_width: f64) -> LabelMeSettings {
        let classes = ["background", "vein", "blade"].map(str::to_owned).to_vec();
        LabelMeSettings { classes, line_width, region: Some("region".to_owned()) }
    }

    /// The label map of shapes, a line of digits for each row; `x` where it is ignored.
    fn drawn(shapes: serde_json::Value, size: (usize, usize), line_width: f64) -> std::result::Result<String, String> {
        let file: File = serde_json::from_value(serde_json::json!({ "shapes": shapes })).map_err(|e| e.to_string())?;
        let map = draw(&file, size, &settings(line_width))?;
        let digit = |v: &f32| if *v == 255.0 { 'x' } else { char::from(b'0' + *v as u8) };
        Ok(map.values().chunks(size.0).map(|row| row.iter().map(digit).collect()).collect::<Vec<String>>().join(" "))
    }

    #[test]
    fn areas_hold_the_pixels_whose_centres_they_hold() {
        let triangle = serde_json::json!([{ "label": "vein", "points": [[0, 0], [4, 0], [0, 4]] }]);
        assert_eq!(drawn(triangle, (5, 4), 1.0).unwrap(), "11100 11000 10000 00000");
        let rectangle =
            serde_json::json!([{ "label": "blade", "shape_type": "rectangle", "points": [[3.4, 3], [1, 1]] }]);
        assert_eq!(drawn(rectangle, (5, 4), 1.0).unwrap(), "00000 02200 02200 00000");
        let circle =
            serde_json::json!([{ "label": "vein", "shape_type": "circle", "points": [[2.5, 1.5], [3.5, 1.5]] }]);
        assert_eq!(drawn(circle, (5, 3), 1.0).unwrap(), "00100 01110 00100");
        // A hole by the even-odd rule: an outline that runs around twice.
        let twice = serde_json::json!([{ "label": "vein",
            "points": [[0, 0], [5, 0], [5, 5], [0, 5], [0, 0], [1, 1], [4, 1], [4, 4], [1, 4], [1, 1]] }]);
        assert_eq!(drawn(twice, (5, 5), 1.0).unwrap(), "11111 10001 10001 10001 11111");
    }

    #[test]
    fn lines_are_as_wide_as_they_are_set() {
        let line = |kind: &str, points: serde_json::Value| serde_json::json!([{ "label": "vein", "shape_type": kind, "points": points }]);
        let across = line("line", serde_json::json!([[1.5, 1.5], [3.5, 1.5]]));
        assert_eq!(drawn(across.clone(), (5, 3), 1.0).unwrap(), "00000 01110 00000");
        assert_eq!(drawn(across, (5, 3), 2.0).unwrap(), "01110 11111 01110");
        let corner = line("linestrip", serde_json::json!([[0.5, 2.5], [0.5, 0.5], [2.5, 0.5]]));
        assert_eq!(drawn(corner, (4, 3), 1.0).unwrap(), "1110 1000 1000");
        let diagonal = line("line", serde_json::json!([[0, 0], [3, 3]]));
        assert_eq!(drawn(diagonal, (3, 3), 1.0).unwrap(), "100 010 001");
        let point = line("point", serde_json::json!([[1.5, 1.5]]));
        assert_eq!(drawn(point, (3, 3), 2.0).unwrap(), "010 111 010");
    }

    #[test]
    fn order_regions_and_conventions() {
        let shapes = serde_json::json!([
            { "label": "blade", "shape_type": "rectangle", "points": [[0, 0], [4, 2]] },
            { "label": "vein", "shape_type": "line", "points": [[0.5, 0.5], [3.5, 0.5]] },
            { "label": "_background_", "shape_type": "rectangle", "points": [[3, 1], [4, 2]] },
            { "label": "__ignore__", "shape_type": "rectangle", "points": [[0, 1], [1, 2]] }
        ]);
        assert_eq!(drawn(shapes, (4, 3), 1.0).unwrap(), "1111 x220 0000");
        let region = serde_json::json!([
            { "label": "region", "shape_type": "rectangle", "points": [[1, 0], [3, 2]] },
            { "label": "vein", "shape_type": "line", "points": [[0.5, 0.5], [3.5, 0.5]] }
        ]);
        assert_eq!(drawn(region, (4, 3), 1.0).unwrap(), "x11x x00x xxxx");
    }

    #[test]
    fn annotations_at_another_size_are_scaled() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let json = serde_json::json!({ "version": "5.5.0", "flags": {}, "imagePath": "a.jpg", "imageData": null,
            "imageWidth": 8, "imageHeight": 4, "shapes": [{ "label": "vein", "group_id": null, "flags": {},
            "shape_type": "rectangle", "points": [[2.0, 0.0], [6.0, 4.0]] }] });
        std::fs::write(&path, json.to_string()).unwrap();
        let map = read_labelme(&path, (4, 2), &settings(1.0)).unwrap();
        assert_eq!(map.values(), [0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0]);
        let error = read_labelme(&path, (4, 4), &settings(1.0)).unwrap_err().to_string();
        assert!(error.contains("a.json") && error.contains("8 x 4"), "{error}");
        // As editors on Windows save it.
        std::fs::write(&path, format!("\u{feff}{json}")).unwrap();
        assert_eq!(read_labelme(&path, (4, 2), &settings(1.0)).unwrap(), map);
        let latin = json.to_string().replace("5.5.0", "N\u{1}rven").into_bytes();
        std::fs::write(&path, latin.iter().map(|&b| if b == 1 { 0xE4 } else { b }).collect::<Vec<u8>>()).unwrap();
        let error = read_labelme(&path, (4, 2), &settings(1.0)).unwrap_err().to_string();
        assert!(error.contains("a.json") && error.contains("no UTF-8 text: byte 0xE4"), "{error}");
        std::fs::write(&path, "{}").unwrap();
        assert!(read_labelme(&path, (4, 4), &settings(1.0)).unwrap_err().to_string().contains("LabelMe"));
    }

    #[test]
    fn what_cannot_be_drawn_is_said() {
        let refused = |shape: serde_json::Value| drawn(serde_json::json!([shape]), (4, 3), 1.0).unwrap_err();
        assert!(refused(serde_json::json!({ "label": "vien", "points": [[0, 0], [1, 0], [1, 1]] })).contains("`vien`"));
        let message = refused(serde_json::json!({ "label": "vein", "points": [[0, 0], [1, 0]] }));
        assert!(message.contains("2 points"), "{message}");
        let mask = refused(serde_json::json!({ "label": "vein", "shape_type": "mask", "points": [[0, 0], [1, 0]] }));
        assert!(mask.contains("type `mask`"), "{mask}");
    }
}
