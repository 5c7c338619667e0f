//! Markers, lines and whiskers of a series.

use super::area::{Area, Drawn, draw};
use super::text::{self, SMALL};
use crate::model::{Colour, Look, Style};
use plotters::element::ComposedElement;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

/// Lines that only guide the eye.
pub(super) const GREY: RGBColor = RGBColor(120, 120, 120);

impl From<Colour> for RGBColor {
    fn from(Colour(red, green, blue): Colour) -> Self {
        Self(red, green, blue)
    }
}

/// A marker at a point of a chart, or at a pixel: what is inside, and what is around.
pub(super) type Marker<'a, At> =
    ComposedElement<At, SVGBackend<'a>, Polygon<(i32, i32)>, PathElement<(i32, i32)>>;
/// One without an inside.
pub(super) type Cross<'a, At> =
    ComposedElement<At, SVGBackend<'a>, PathElement<(i32, i32)>, PathElement<(i32, i32)>>;

/// The marker of a series.
pub(super) fn marker<'a, At>(at: At, style: &Style, look: Look) -> Marker<'a, At> {
    let colour = RGBColor::from(style.colour);
    let fill = if look == Look::Filled { colour } else { WHITE };
    let around: Vec<(i32, i32)> = style.marker.iter().chain(&style.marker[..1]).copied().collect();
    let inside = Polygon::new(style.marker.to_vec(), fill.filled());
    EmptyElement::at(at) + inside + PathElement::new(around, colour.stroke_width(2))
}

/// A cross in the colour of a series.
pub(super) fn cross<'a, At>(at: At, style: &Style) -> Cross<'a, At> {
    let stroke = RGBColor::from(style.colour).stroke_width(2);
    let [down, up] = [[(-6, -6), (6, 6)], [(-6, 6), (6, -6)]].map(|ends| PathElement::new(ends, stroke));
    EmptyElement::at(at) + down + up
}

/// One line of a legend: a sample of the line and of the marker, as far as there are any, and what they stand
/// for.
pub(super) struct Entry<'a> {
    pub(super) text: &'a str,
    pub(super) style: Option<&'a Style>,
    pub(super) has_line: bool,
    pub(super) look: Option<Look>,
}

impl Entry<'_> {
    /// Of the sample, with the space before the text.
    const SAMPLE: i32 = 54;

    /// The room that it takes at most.
    pub(super) fn width(&self) -> i32 {
        Self::SAMPLE + text::width(self.text, SMALL)
    }

    /// Draws it in so much room.
    pub(super) fn draw(&self, area: &Area, (x, y): (i32, i32), room: i32) -> Drawn {
        if self.has_line {
            let style = self
                .style
                .map_or(BLACK.stroke_width(1), |style| RGBColor::from(style.colour).stroke_width(2));
            let (on, off) = self.style.and_then(|style| style.dashes).unwrap_or((44, 1));
            for from in (0..44).step_by((on + off) as usize) {
                let ends = vec![(x + from, y), (x + (from + on).min(44), y)];
                draw(area, PathElement::new(ends, style))?;
            }
        }
        if let (Some(style), Some(look)) = (self.style, self.look) {
            match look {
                Look::Cross => draw(area, cross((x + 22, y), style))?,
                _ => draw(area, marker((x + 22, y), style, look))?,
            }
        }
        let words = text::fit(self.text, SMALL, room - Self::SAMPLE);
        text::write(area, &words, SMALL, (x + Self::SAMPLE, y), BLACK, HPos::Left)
    }
}

/// Entries beside each other, in several lines if they need them; returns the height.
pub(super) fn legend_across(
    area: Option<&Area>,
    entries: &[Entry],
    (left, top): (i32, i32),
    room: i32,
) -> anyhow::Result<i32> {
    let (mut x, mut y) = (left, top + ENTRY / 2);
    for entry in entries {
        if x > left && x + entry.width() > left + room {
            (x, y) = (left, y + ENTRY);
        }
        if let Some(area) = area {
            entry.draw(area, (x, y), room)?;
        }
        x += entry.width() + 18;
    }
    Ok(if entries.is_empty() { 0 } else { y + ENTRY / 2 - top })
}

/// Of a line of a legend.
pub(super) const ENTRY: i32 = 24;
