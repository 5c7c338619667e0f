//! plotters' chart as every picture uses it, markers and whiskers, and legends.

use super::scale::Scale;
use super::text::{self, NORMAL, SMALL, font};
use crate::model::{Colour, Interval, Marker, Style};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::element::{ComposedElement, Drawable, PointCollection};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

/// A part of the picture.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// A part of the picture with axes.
pub(super) type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Scale, Scale>>;
/// What drawing returns.
pub(super) type Drawn = anyhow::Result<()>;

/// Lines that only guide the eye.
pub(super) const GREY: RGBColor = RGBColor(120, 120, 120);
/// Behind every second row.
pub(super) const STRIPE: RGBColor = RGBColor(245, 245, 245);
/// The height of a line of a legend.
pub(super) const ENTRY: i32 = 24;

impl From<Colour> for RGBColor {
    fn from(Colour(red, green, blue): Colour) -> Self {
        Self(red, green, blue)
    }
}

/// Draws one element. The only error there is, a failing write, needs no type of its own.
pub(super) fn draw<'a, E>(area: &Area<'a>, element: E) -> Drawn
where
    for<'b> &'b E: PointCollection<'b, (i32, i32)>,
    E: Drawable<SVGBackend<'a>>,
{
    area.draw(&element).map_err(|error| anyhow::anyhow!("cannot draw: {error}"))
}

/// Axes with their numbers, which have so much room left of them and below them.
pub(super) fn axes<'a, 'b>(
    area: &'a Area<'b>,
    (left, foot): (i32, i32),
    (x, y): (&Scale, &Scale),
    label: &str,
) -> anyhow::Result<Chart<'a, 'b>> {
    let mut chart = ChartBuilder::on(area)
        .set_label_area_size(LabelAreaPosition::Left, left)
        .set_label_area_size(LabelAreaPosition::Bottom, foot)
        .build_cartesian_2d(x.clone(), y.clone())?;
    let mut mesh = chart.configure_mesh();
    mesh.label_style(font(SMALL)).axis_desc_style(font(NORMAL));
    if !label.is_empty() {
        mesh.x_desc(label);
    }
    mesh.bold_line_style(GREY.mix(0.35)).light_line_style(TRANSPARENT);
    mesh.axis_style(if left > 0 { GREY.mix(0.6) } else { TRANSPARENT }).draw()?;
    drop(mesh);
    Ok(chart)
}

/// The inside of a marker and the line around it, at a place of a chart or at a pixel.
pub(super) type Symbol<'a, At> =
    ComposedElement<At, SVGBackend<'a>, Polygon<(i32, i32)>, PathElement<(i32, i32)>>;

pub(super) fn symbol<'a, At>(at: At, style: Style, marker: Marker) -> Symbol<'a, At> {
    const CROSS: [(i32, i32); 5] = [(-6, -6), (6, 6), (0, 0), (-6, 6), (6, -6)];
    let colour = RGBColor::from(style.colour);
    let around: Vec<(i32, i32)> = match marker {
        Marker::Cross => CROSS.to_vec(),
        _ => style.shape.iter().chain(&style.shape[..1]).copied().collect(),
    };
    let fill = match marker {
        Marker::Filled => colour.filled(),
        Marker::Cross => TRANSPARENT.filled(),
        _ => WHITE.filled(),
    };
    EmptyElement::at(at)
        + Polygon::new(style.shape.to_vec(), fill)
        + PathElement::new(around, colour.stroke_width(2))
}

/// A marker with its whisker, at a place of a chart.
pub(super) fn dot(
    chart: &mut Chart,
    at: (f64, f64),
    ends: Option<[(f64, f64); 2]>,
    style: Style,
    marker: Marker,
) -> Drawn {
    let stroke = RGBColor::from(style.colour).stroke_width(2);
    chart.draw_series(ends.map(|ends| PathElement::new(ends, stroke)))?;
    chart.draw_series([symbol(at, style, marker)])?;
    Ok(())
}

/// The ends of a whisker, put where they stand.
pub(super) fn ends(
    interval: Option<&Interval>,
    place: impl Fn(f64) -> (f64, f64),
) -> Option<[(f64, f64); 2]> {
    interval.map(|interval| [interval.low, interval.high].map(place))
}

/// One line of a legend: a sample, as far as there is any, and what it stands for.
pub(super) struct Entry<'a> {
    pub(super) text: &'a str,
    pub(super) style: Style,
    pub(super) has_line: bool,
    pub(super) marker: Marker,
}

impl Entry<'_> {
    /// The width of the sample, with the space before the text.
    pub(super) const SAMPLE: i32 = 54;

    /// Draws it in so much room.
    pub(super) fn draw(&self, area: &Area, (x, y): (i32, i32), room: i32) -> Drawn {
        let stroke = RGBColor::from(self.style.colour).stroke_width(2);
        if self.has_line {
            let (on, off) = self.style.dashes.unwrap_or((44, 1));
            for from in (0..44).step_by((on + off) as usize) {
                draw(area, PathElement::new(vec![(x + from, y), (x + (from + on).min(44), y)], stroke))?;
            }
        }
        draw(area, symbol((x + 22, y), self.style, self.marker))?;
        let words = text::fit(self.text, SMALL, room - Self::SAMPLE);
        text::write(area, &words, SMALL, (x + Self::SAMPLE, y), BLACK, HPos::Left)
    }
}

/// Entries beside each other, in several lines if they need them; returns the height. Without an area it only
/// measures.
pub(super) fn legend(
    area: Option<&Area>,
    entries: &[Entry],
    (left, top): (i32, i32),
    room: i32,
) -> anyhow::Result<i32> {
    let (mut x, mut y) = (left, top + ENTRY / 2);
    for entry in entries {
        let width = Entry::SAMPLE + text::width(entry.text, SMALL);
        if x > left && x + width > left + room {
            (x, y) = (left, y + ENTRY);
        }
        if let Some(area) = area {
            entry.draw(area, (x, y), room)?;
        }
        x += width + 18;
    }
    Ok(if entries.is_empty() { 0 } else { y + ENTRY / 2 - top })
}
