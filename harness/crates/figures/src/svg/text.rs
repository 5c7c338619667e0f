//! Text on a picture. Without a font library nothing can measure text, so widths are estimated, generously.

use super::draw::{Area, Drawn, draw};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Sizes in pixels, as the SVG has them; below 14 a picture in a page cannot be read.
pub(super) const SMALL: f64 = 14.0;
pub(super) const NORMAL: f64 = 15.0;
pub(super) const LARGE: f64 = 22.0;

/// From one line of text to the next, in pixels.
pub(super) const LINE: i32 = 20;

/// Left and right of everything.
pub(super) const MARGIN: i32 = 24;

/// What is said beside the figures.
pub(super) const DARK: RGBColor = RGBColor(70, 70, 70);

/// plotters takes the height of a line and writes the size of the letters.
const LINE_PER_SIZE: f64 = 1.24;

/// The font of the picture in a size.
pub(super) fn font(size: f64) -> FontDesc<'static> {
    ("sans-serif", size * LINE_PER_SIZE).into_font()
}

/// How wide a text is at most.
pub(super) fn width(text: &str, size: f64) -> i32 {
    (text.chars().count() as f64 * size * 0.54).ceil() as i32
}

/// The beginning of a text that fits, with dots if it was cut.
pub(super) fn fit(text: &str, size: f64, room: i32) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut short: String = text.to_owned();
    while !short.is_empty() && width(&short, size) + width("…", size) > room {
        short.pop();
    }
    short + "…"
}

/// Writes at a point: there is its left end, its middle or its right end, and its middle at that height.
pub(super) fn write(
    area: &Area,
    text: &str,
    size: f64,
    at: (i32, i32),
    colour: RGBColor,
    anchor: HPos,
) -> Drawn {
    let style = TextStyle::from(font(size)).color(&colour).pos(Pos::new(anchor, VPos::Center));
    draw(area, Text::new(text.to_owned(), at, style))
}

/// Cuts a text into lines that fit, between words.
pub(super) fn wrap(text: &str, size: f64, room: i32) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width(line, size) + width(" ", size) + width(word, size) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(fit(word, size, room)),
        }
    }
    lines
}

/// The same of several texts, each of which begins a line.
pub(super) fn wrap_all<'a>(texts: impl IntoIterator<Item = &'a String>, room: i32) -> Vec<String> {
    texts.into_iter().flat_map(|text| wrap(text, SMALL, room)).collect()
}

/// Writes lines below each other, the first at that height.
pub(super) fn lines(area: &Area, lines: &[String], top: i32) -> Drawn {
    for (at, line) in lines.iter().enumerate() {
        write(area, line, SMALL, (MARGIN, top + LINE * at as i32), DARK, HPos::Left)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_between_words() {
        let lines = wrap(&"three words more ".repeat(20), 14.0, 200);
        assert!(lines.len() > 5 && lines.iter().all(|line| width(line, 14.0) <= 200), "{lines:?}");
        assert_eq!(lines.join(" "), "three words more ".repeat(20).trim());
    }

    #[test]
    fn a_text_is_cut_to_its_room() {
        assert_eq!(fit("short", 14.0, 1000), "short");
        let cut = fit(&"long ".repeat(100), 14.0, 200);
        assert!(cut.ends_with('…') && width(&cut, 14.0) <= 200, "{cut}");
    }
}
