//! Text on a chart. Without a font library nothing can measure text, so widths are estimated, generously.

use super::style::{Area, Drawn, draw};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Sizes in pixels, as the SVG has them; below 14 a chart in a page cannot be read.
pub(super) const SMALL: f64 = 14.0;
pub(super) const NORMAL: f64 = 15.0;
pub(super) const LARGE: f64 = 22.0;

/// How wide the column of names is, where servers are rows.
pub(super) const NAMES: i32 = 330;

/// From one line of a caption to the next, in pixels.
pub(super) const LINE: i32 = 20;

/// plotters takes the height of a line and writes the size of the letters.
const LINE_PER_SIZE: f64 = 1.24;

/// The font of the chart in a size.
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

/// Writes at a point: its left end, or its right end if `right`, is there, its middle at that height.
pub(super) fn write(
    area: &Area,
    text: &str,
    size: f64,
    at: (i32, i32),
    colour: RGBColor,
    right: bool,
) -> Drawn {
    let anchor = Pos::new(if right { HPos::Right } else { HPos::Left }, VPos::Center);
    let style = TextStyle::from(font(size)).color(&colour).pos(anchor);
    draw(area, Text::new(text.to_owned(), at, style))
}

/// Writes a text whose middle is at that point.
pub(super) fn centred(area: &Area, text: &str, size: f64, at: (i32, i32), colour: RGBColor) -> Drawn {
    let style = TextStyle::from(font(size)).color(&colour).pos(Pos::new(HPos::Center, VPos::Center));
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
pub(super) fn wrap_all(texts: &[String], size: f64, room: i32) -> Vec<String> {
    texts.iter().flat_map(|text| wrap(text, size, room)).collect()
}

/// Those of the labels, the most important first, that can be centred at their places without touching one that was kept.
pub(super) fn apart(labels: impl IntoIterator<Item = (i32, String)>, size: f64) -> Vec<(i32, String)> {
    /// Between two labels.
    const GAP: i32 = 8;
    let mut kept: Vec<(i32, String)> = Vec::new();
    for (at, label) in labels {
        let is_free = |(other, text): &(i32, String)| {
            (at - other).abs() >= (width(&label, size) + width(text, size)) / 2 + GAP
        };
        if kept.iter().all(is_free) {
            kept.push((at, label));
        }
    }
    kept
}

/// Title and subtitle lines at the top of a picture; each line is cut to the picture's width.
pub(super) fn header(area: &Area, title: &str, lines: &[String]) -> Drawn {
    let room = area.dim_in_pixel().0 as i32 - 2 * MARGIN;
    write(area, &fit(title, LARGE, room), LARGE, (MARGIN, 30), BLACK, false)?;
    for (at, line) in lines.iter().enumerate() {
        let y = 58 + LINE * at as i32;
        write(area, &fit(line, SMALL, room), SMALL, (MARGIN, y), DARK, false)?;
    }
    Ok(())
}

/// What is said beside the figures.
pub(super) const DARK: RGBColor = RGBColor(70, 70, 70);

/// Left and right of everything.
pub(super) const MARGIN: i32 = 24;

/// `61,234`; small numbers keep one decimal.
pub(super) fn number(value: f64) -> String {
    if value != 0.0 && value.abs() < 100.0 && value.fract() != 0.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{:.0}", value.abs());
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let texts = [0.0, 7.25, 42.0, 999.6, 1234.0, 1_234_567.0].map(number);
        assert_eq!(texts, ["0", "7.2", "42", "1,000", "1,234", "1,234,567"]);
    }

    #[test]
    fn a_long_text_is_cut_between_words() {
        let lines = wrap(&"three words more ".repeat(20), 14.0, 200);
        assert!(lines.len() > 5 && lines.iter().all(|line| width(line, 14.0) <= 200), "{lines:?}");
        assert_eq!(lines.join(" "), "three words more ".repeat(20).trim());
    }

    #[test]
    fn of_labels_that_touch_the_first_stays() {
        let labels = [(100, "3,000"), (60, "1,000"), (40, "500"), (100, "3,000")];
        let kept = apart(labels.map(|(at, text)| (at, text.to_owned())), 14.0);
        assert_eq!(kept, [(100, "3,000".to_owned()), (40, "500".to_owned())]);
    }

    #[test]
    fn a_text_is_cut_to_its_room() {
        assert_eq!(fit("short", 14.0, 1000), "short");
        let cut = fit(&"long ".repeat(100), 14.0, 200);
        assert!(cut.ends_with('…') && width(&cut, 14.0) <= 200, "{cut}");
    }
}
