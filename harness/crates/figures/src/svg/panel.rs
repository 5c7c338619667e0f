//! One picture of lines: its axes, its bands, its points.

use super::mark::{Area, Drawn, GREY, cross, draw, marker};
use super::scale::Scale;
use super::text::{self, NORMAL, SMALL, font};
use crate::model::{Axis, Interval, Look, Point, Scale as Kind, Style};
use anyhow::Result;
use plotters::coord::ranged1d::{BoldPoints, Ranged, ValueFormatter};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

/// Left of the axes, for the numbers; and right, where there are some too.
pub(super) const NUMBERS: i32 = 96;
/// Below the axes, for the numbers and what they are.
pub(super) const FOOT: i32 = 58;
/// Markers of one band stand at most so far apart.
const STEP: f64 = 16.0;
/// Of the largest marker.
const MARKER: f64 = 18.0;
/// Behind the markers of one band.
const BAND: RGBColor = RGBColor(244, 244, 244);

/// The points of one series, in the order of their places.
pub(super) struct Line<'a> {
    pub(super) style: Style,
    pub(super) points: Vec<&'a Point>,
}

/// One picture.
pub(super) struct Panel<'a> {
    /// Above the axes, from the left end of the area.
    pub(super) heads: Vec<String>,
    pub(super) lines: Vec<Line<'a>>,
    pub(super) x: &'a Axis,
    pub(super) y: &'a Axis,
    /// All values that must be on the upright axis, which several pictures may share.
    pub(super) values: Vec<f64>,
    /// The same along the other.
    pub(super) places: Vec<f64>,
    pub(super) steps: &'a [(f64, f64)],
    /// How wide a head may be.
    pub(super) room: i32,
    /// The corners of the axes.
    pub(super) corners: [(i32, i32); 2],
    pub(super) has_numbers: bool,
    /// Whether the axis along the bottom says what it is.
    pub(super) has_label: bool,
}

impl Panel<'_> {
    pub(super) fn draw(&self, area: &Area) -> Drawn {
        let [(left, top), (right, bottom)] = self.corners;
        let (width, height) = (right - left, bottom - top);
        let first = top - 14 - text::LINE * (self.heads.len() as i32 - 1);
        for (at, head) in self.heads.iter().enumerate() {
            let size = if at == 0 { NORMAL } else { SMALL };
            let (head, y) = (text::fit(head, size, self.room), first + text::LINE * at as i32);
            text::write(area, &head, size, (left, y), BLACK, HPos::Left)?;
        }
        let x = Scale::over(self.x, self.places.iter().copied(), width);
        let y = Scale::of(self.y, self.values.iter().copied(), height, false);
        self.bands(area, &x)?;
        let beside = if self.has_numbers { NUMBERS } else { 0 };
        let around = area.clone().shrink((left - beside, top), (beside + width, height + FOOT));
        let mut chart = ChartBuilder::on(&around)
            .set_label_area_size(LabelAreaPosition::Left, beside)
            .set_label_area_size(LabelAreaPosition::Bottom, FOOT)
            .build_cartesian_2d(x.clone(), y.clone())?;
        let mut mesh = chart.configure_mesh();
        mesh.label_style(font(SMALL)).axis_desc_style(font(NORMAL)).axis_style(GREY.mix(0.6));
        mesh.bold_line_style(GREY.mix(0.3)).light_line_style(TRANSPARENT);
        if matches!(self.x.scale, Kind::Bands(_)) {
            mesh.disable_x_mesh();
        }
        if self.has_label {
            mesh.x_desc(self.x.label.as_str());
        }
        mesh.draw()?;
        for &(at, value) in self.steps {
            let ends = [-0.5, 0.5].map(|side| (x.beside(at, side * x.band(at, width), width), value));
            chart.draw_series(LineSeries::new(ends, BLACK.stroke_width(1)))?;
        }
        // Lines first, so that no line covers a marker.
        for line in &self.lines {
            let stroke = match self.x.scale {
                // The points matter, and many lines cross each other.
                Kind::Bands(_) => RGBColor::from(line.style.colour).mix(0.45).stroke_width(1),
                _ => RGBColor::from(line.style.colour).stroke_width(2),
            };
            for stretch in self.stretches(line) {
                let places: Vec<(f64, f64)> =
                    stretch.iter().map(|point| (self.place(line, point, &x, width), point.value)).collect();
                match line.style.dashes {
                    None => chart.draw_series(LineSeries::new(places, stroke))?,
                    Some((on, off)) => chart.draw_series(DashedLineSeries::new(places, on, off, stroke))?,
                };
            }
        }
        for line in &self.lines {
            let place = |point: &Point| (self.place(line, point, &x, width), point.value);
            let colour = RGBColor::from(line.style.colour);
            let whisker = |point: &&Point| {
                let (Interval { low, high, .. }, at) = (point.interval?, place(point).0);
                Some(ErrorBar::new_vertical(at, low, point.value, high, colour.stroke_width(1), 8))
            };
            // The middle of an error bar, a dot, is behind the marker; a cross would not cover it.
            let bare = |point: &&Point| {
                let (Interval { low, high, .. }, at) = (point.interval?, place(point).0);
                Some(PathElement::new([(at, low), (at, high)], colour.stroke_width(1)))
            };
            let drawn = line.points.iter().copied().filter(|point| point.is_drawn());
            let (crosses, marks): (Vec<&Point>, Vec<&Point>) =
                drawn.partition(|point| point.look == Look::Cross);
            chart.draw_series(marks.iter().filter_map(whisker))?;
            chart.draw_series(crosses.iter().filter_map(bare))?;
            chart.draw_series(crosses.iter().map(|point| cross(place(point), &line.style)))?;
            chart.draw_series(marks.iter().map(|point| marker(place(point), &line.style, point.look)))?;
        }
        self.arrows(area, &x)?;
        self.also(area, &y)
    }

    /// The numbers of the other side, and what both are.
    fn also(&self, area: &Area, y: &Scale) -> Drawn {
        let Some((also, factor)) = &self.y.also else { return Ok(()) };
        let [(left, top), (right, bottom)] = self.corners;
        text::write(area, &self.y.label, SMALL, (left, top - 14), text::DARK, HPos::Left)?;
        text::write(area, also, SMALL, (right, top - 14), text::DARK, HPos::Right)?;
        for tick in y.key_points(BoldPoints(99)) {
            let at = (right + 10, y.map(&tick, (bottom, top)));
            text::write(area, &self.y.unit.tick(tick * factor), SMALL, at, BLACK, HPos::Left)?;
        }
        Ok(())
    }

    fn bands(&self, area: &Area, x: &Scale) -> Drawn {
        let [(left, top), (right, bottom)] = self.corners;
        let Kind::Bands(names) = &self.x.scale else { return Ok(()) };
        for at in (0..names.len()).filter(|at| self.places.contains(&(*at as f64))) {
            let [from, to] = [-0.4999, 0.4999]
                .map(|side| left + (f64::from(right - left) * x.share(at as f64 + side)).round() as i32);
            let room = ((to - from) / 12).min(6);
            let corners = [(from + room, top), (to - room, bottom)];
            draw(area, Rectangle::new(corners, BAND.filled()))?;
        }
        Ok(())
    }

    /// A point that has no figure points upwards, out of the picture.
    fn arrows(&self, area: &Area, x: &Scale) -> Drawn {
        let [(left, top), (right, _)] = self.corners;
        let mut missed: Vec<f64> = self
            .lines
            .iter()
            .flat_map(|line| &line.points)
            .filter(|point| point.look == Look::Missed)
            .map(|point| point.x)
            .collect();
        missed.dedup();
        for place in missed {
            let at = left + (f64::from(right - left) * x.share(place)).round() as i32;
            for path in
                [[(at, top), (at, top + 26), (at, top)], [(at - 6, top + 9), (at, top), (at + 6, top + 9)]]
            {
                draw(area, PathElement::new(path, BLACK.stroke_width(2)))?;
            }
        }
        Ok(())
    }

    /// Where a point stands: in its band beside those of the other series, so that equal ones can all be seen.
    fn place(&self, line: &Line, point: &Point, x: &Scale, width: i32) -> f64 {
        let has_it = |other: &&Line| other.points.iter().any(|other| other.is_drawn() && other.x == point.x);
        let here: Vec<&Line> = self.lines.iter().filter(has_it).collect();
        let at = here.iter().position(|other| std::ptr::eq(*other, line)).unwrap_or(0);
        let band = x.band(point.x, width);
        let step = STEP.min(0.8 * band / here.len().max(1) as f64);
        let step = step.min((band - MARKER) / (here.len() as f64 - 1.0).max(1.0)).max(0.0);
        x.beside(point.x, step * (at as f64 - (here.len() as f64 - 1.0) / 2.0), width)
    }

    /// The points that a line connects: no line runs over a place where something is missing, and a point where some
    /// clients starve is no step of one.
    fn stretches<'b>(&self, line: &'b Line) -> Vec<Vec<&'b Point>> {
        let is_step = |point: &Point| point.is_drawn() && point.look != Look::Cross;
        let mut places = self.places.clone();
        places.sort_by(f64::total_cmp);
        places.dedup();
        let at = |place: &f64| line.points.iter().copied().find(|point| point.x == *place && is_step(point));
        let steps: Vec<Option<&Point>> = places.iter().map(at).collect();
        let stretches =
            steps.split(Option::is_none).map(|stretch| stretch.iter().copied().flatten().collect());
        stretches.filter(|stretch: &Vec<&Point>| stretch.len() > 1).collect()
    }
}

impl ValueFormatter<f64> for Scale {
    fn format_ext(&self, value: &f64) -> String {
        self.label(*value)
    }
}

/// The width of axes along which so many bands can be told apart.
pub(super) fn room_for(axis: &Axis, usual: i32) -> Result<i32> {
    let bands = if let Kind::Bands(names) = &axis.scale { names.len() as i32 } else { 0 };
    Ok(usual.max(24 * bands))
}
