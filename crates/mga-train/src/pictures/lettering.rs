//! Words in pictures.

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};
use mga_data::Picture;

/// The letters, in Ubuntu Light (Latin, Greek and Cyrillic), which is part of the program, so that a picture looks the
/// same on every machine.
fn font() -> Option<FontRef<'static>> {
    FontRef::try_from_slice(epaint_default_fonts::UBUNTU_LIGHT).ok()
}

/// Returns the width of a line in pixels, in letters of this size.
#[must_use]
pub(super) fn width(text: &str, size: f32) -> f32 {
    let Some(font) = font() else { return 0.0 };
    let scaled = font.as_scaled(PxScale::from(size));
    text.chars().map(|c| scaled.h_advance(font.glyph_id(shown(&font, c)))).sum()
}

/// Returns the text, or as much of its beginning and end as fits into so many pixels with an ellipsis between them: names
/// of files and species differ at their ends.
#[must_use]
pub(super) fn fitted(text: &str, size: f32, room: f32) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    for kept in (1..letters.len()).rev() {
        let (head, tail) = (kept.div_ceil(2), kept / 2);
        let short: String =
            letters[..head].iter().chain(&['…']).chain(&letters[letters.len() - tail..]).collect::<String>();
        if width(&short, size) <= room {
            return short;
        }
    }
    "…".to_owned()
}

/// Writes a line with its upper left corner at `(x, y)`. What lies outside of the picture is cut off.
pub(super) fn write(picture: &mut Picture, text: &str, (x, y): (usize, usize), size: f32, colour: [f32; 3]) {
    let Some(font) = font() else { return };
    let scaled = font.as_scaled(PxScale::from(size));
    let (wide, high) = (picture.width(), picture.height());
    let (mut at, base) = (x as f32, y as f32 + scaled.ascent());
    for c in text.chars() {
        let id = font.glyph_id(shown(&font, c));
        let glyph = id.with_scale_and_position(size, point(at, base));
        at += scaled.h_advance(id);
        let Some(outline) = font.outline_glyph(glyph) else { continue };
        let corner = outline.px_bounds().min;
        outline.draw(|dx, dy, share| {
            let (px, py) = (corner.x + dx as f32, corner.y + dy as f32);
            if px < 0.0 || py < 0.0 || px >= wide as f32 || py >= high as f32 {
                return;
            }
            let start = 3 * (py as usize * wide + px as usize);
            let share = share.clamp(0.0, 1.0);
            for (value, colour) in picture.values_mut()[start..start + 3].iter_mut().zip(colour) {
                *value = *value * (1.0 - share) + colour * share;
            }
        });
    }
}

/// The character, or a question mark where the font has none, as for Chinese.
fn shown(font: &FontRef<'_>, c: char) -> char {
    if font.glyph_id(c).0 == 0 { '?' } else { c }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ink(text: &str) -> f32 {
        let mut picture = Picture::filled(120, 24, 1.0);
        write(&mut picture, text, (2, 2), 18.0, [0.0; 3]);
        picture.pixels().iter().map(|value| 1.0 - value).sum::<f32>()
    }

    #[test]
    fn letters_leave_ink_and_more_letters_more() {
        assert!(ink("") == 0.0 && ink("a") > 10.0 && ink("abc") > 2.0 * ink("a"));
        // Accents, Greek and Cyrillic are drawn as they are, and what the font lacks as a question mark.
        assert!(["é", "ß", "λ", "Ж", "…"].into_iter().all(|letter| ink(letter) > 5.0 && ink(letter) != ink("?")));
        assert_eq!(ink("葉"), ink("?"));
    }

    #[test]
    fn nothing_is_written_outside() {
        let mut picture = Picture::filled(8, 8, 1.0);
        write(&mut picture, "wide words", (4, 4), 18.0, [0.0; 3]);
        assert_eq!((picture.width(), picture.height()), (8, 8));
    }

    #[test]
    fn long_names_keep_both_ends() {
        let name = "Acer_pseudoplatanus_0001.png";
        assert_eq!(fitted(name, 16.0, 1000.0), name);
        let short = fitted(name, 16.0, 120.0);
        assert!(width(&short, 16.0) <= 120.0 && short.starts_with("Acer") && short.ends_with(".png"), "{short}");
        assert_eq!(fitted(name, 16.0, 1.0), "…");
    }
}
