//! plotters' chart, as every picture uses it: the axes with their numbers, and the points with their
//! whiskers.

use super::area::{Area, Drawn};
use super::mark::{GREY, cross, marker};
use super::scale::Scale;
use super::text::{NORMAL, SMALL, font};
use crate::model::{Interval, Look, Point, Style};
use anyhow::Result;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;

/// A part of the picture with axes.
pub(super) type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Scale, Scale>>;

impl ValueFormatter<f64> for Scale {
    fn format_ext(&self, value: &f64) -> String {
        self.label(*value)
    }
}

/// Draws axes whose numbers have so much room left of them and below them, with grid lines across and
/// upright.
pub(super) fn axes<'a, 'b>(
    area: &'a Area<'b>,
    (left, foot): (i32, i32),
    (x, y): (&Scale, &Scale),
    (across, upright): (bool, bool),
    label: &str,
) -> Result<Chart<'a, 'b>> {
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
    mesh.axis_style(if across { GREY.mix(0.6) } else { TRANSPARENT });
    if !across {
        mesh.disable_y_mesh();
    }
    if !upright {
        mesh.disable_x_mesh();
    }
    mesh.draw()?;
    drop(mesh);
    Ok(chart)
}

/// A point at its place.
pub(super) struct Dot {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) interval: Option<Interval>,
    pub(super) style: Style,
    pub(super) look: Look,
}

impl Dot {
    pub(super) fn new((x, y): (f64, f64), point: &Point, style: Style) -> Self {
        Self { x, y, interval: point.interval, style, look: point.look }
    }

    /// The ends of its whisker.
    fn ends(&self, is_upright: bool) -> Option<[(f64, f64); 2]> {
        let Interval { low, high, .. } = self.interval?;
        let end = |value| if is_upright { (self.x, value) } else { (value, self.y) };
        Some([end(low), end(high)])
    }
}

/// Draws points, their whiskers behind them.
pub(super) fn dots(chart: &mut Chart, dots: &[Dot], is_upright: bool) -> Drawn {
    let (crosses, marks): (Vec<&Dot>, Vec<&Dot>) = dots.iter().partition(|dot| dot.look == Look::Cross);
    for dot in &marks {
        let Some(Interval { low, high, .. }) = dot.interval else { continue };
        let style = RGBColor::from(dot.style.colour).stroke_width(1);
        if is_upright {
            chart.draw_series([ErrorBar::new_vertical(dot.x, low, dot.y, high, style, 8)])?;
        } else {
            chart.draw_series([ErrorBar::new_horizontal(dot.y, low, dot.x, high, style, 8)])?;
        }
    }
    // The middle of an error bar, a dot, is behind a marker; a cross would not cover it.
    bare_whiskers(chart, &crosses, is_upright, |dot| dot.style.colour.into())?;
    chart.draw_series(crosses.iter().map(|dot| cross((dot.x, dot.y), &dot.style)))?;
    chart.draw_series(marks.iter().map(|dot| marker((dot.x, dot.y), &dot.style, dot.look)))?;
    Ok(())
}

/// Draws bars from zero to each point, so many rows thick at each side of its place.
pub(super) fn bars(chart: &mut Chart, dots: &[Dot], thick: impl Fn(&Dot) -> [f64; 2]) -> Drawn {
    let bar = |dot: &Dot, style: ShapeStyle| {
        let [from, to] = thick(dot);
        Rectangle::new([(0.0, from), (dot.x, to)], style)
    };
    let inside = |dot: &Dot| {
        let colour = RGBColor::from(dot.style.colour);
        match dot.look {
            Look::Hollow => WHITE.filled(),
            Look::Cross => colour.mix(0.25).filled(),
            Look::Filled | Look::Missed => colour.mix(0.7).filled(),
        }
    };
    let outline = |dot: &Dot| RGBColor::from(dot.style.colour).stroke_width(2);
    chart.draw_series(dots.iter().map(|dot| bar(dot, inside(dot))))?;
    chart.draw_series(dots.iter().map(|dot| bar(dot, outline(dot))))?;
    bare_whiskers(chart, &dots.iter().collect::<Vec<_>>(), false, |_| BLACK)
}

fn bare_whiskers(
    chart: &mut Chart,
    dots: &[&Dot],
    is_upright: bool,
    colour: impl Fn(&Dot) -> RGBColor,
) -> Drawn {
    let whiskers = dots.iter().filter_map(|dot| Some((dot.ends(is_upright)?, colour(dot))));
    chart.draw_series(whiskers.map(|(ends, colour)| PathElement::new(ends, colour.stroke_width(2))))?;
    Ok(())
}
