//! One picture of lines: its axes, its bands, its points.

use super::area::{Area, Drawn, draw};
use super::chart::{Chart, Dot, axes, dots};
use super::scale::Scale;
use super::text::{self, NORMAL, SMALL};
use crate::model::{Axis, Look, Point, Scale as Kind, Style};
use plotters::coord::ranged1d::{BoldPoints, Ranged};
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
    /// Above the axes, from their left end.
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
        let label = if self.has_label { self.x.label.as_str() } else { "" };
        let has_bands = matches!(self.x.scale, Kind::Bands(_));
        let mut chart = axes(&around, (beside, FOOT), (&x, &y), (true, !has_bands), label)?;
        for &(at, value) in self.steps {
            let ends = [-0.5, 0.5].map(|side| (x.beside(at, side * x.band(at, width), width), value));
            chart.draw_series(LineSeries::new(ends, BLACK.stroke_width(1)))?;
        }
        // Lines first, so that no line covers a marker.
        for line in &self.lines {
            self.line(&mut chart, line, &x)?;
        }
        for line in &self.lines {
            let dot =
                |point: &&Point| Dot::new((self.place(line, point, &x), point.value), point, line.style);
            let drawn: Vec<Dot> = line
                .points
                .iter()
                .copied()
                .filter(|point| point.is_drawn())
                .map(|point| dot(&point))
                .collect();
            dots(&mut chart, &drawn, true)?;
        }
        self.arrows(area, &x)?;
        self.also(area, &y)
    }

    fn line(&self, chart: &mut Chart, line: &Line, x: &Scale) -> Drawn {
        let stroke = match self.x.scale {
            // The points matter, and many lines cross each other.
            Kind::Bands(_) => RGBColor::from(line.style.colour).mix(0.45).stroke_width(1),
            _ => RGBColor::from(line.style.colour).stroke_width(2),
        };
        for stretch in self.stretches(line) {
            let places = stretch.iter().map(|point| (self.place(line, point, x), point.value));
            let places: Vec<(f64, f64)> = places.collect();
            match line.style.dashes {
                None => chart.draw_series(LineSeries::new(places, stroke))?,
                Some((on, off)) => chart.draw_series(DashedLineSeries::new(places, on, off, stroke))?,
            };
        }
        Ok(())
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
            let [from, to] = [-0.4999, 0.4999].map(|side| x.map(&(at as f64 + side), (left, right)));
            let room = ((to - from) / 12).min(6);
            draw(area, Rectangle::new([(from + room, top), (to - room, bottom)], BAND.filled()))?;
        }
        Ok(())
    }

    /// A point that has no figure points upwards, out of the picture.
    fn arrows(&self, area: &Area, x: &Scale) -> Drawn {
        let [(left, top), (right, _)] = self.corners;
        let points = self.lines.iter().flat_map(|line| &line.points);
        let mut missed: Vec<f64> =
            points.filter(|point| point.look == Look::Missed).map(|point| point.x).collect();
        missed.dedup();
        for at in missed.into_iter().map(|place| x.map(&place, (left, right))) {
            let head = vec![(at - 6, top + 9), (at, top), (at + 6, top + 9)];
            draw(area, PathElement::new(vec![(at, top), (at, top + 26)], BLACK.stroke_width(2)))?;
            draw(area, PathElement::new(head, BLACK.stroke_width(2)))?;
        }
        Ok(())
    }

    /// Where a point stands: in its band beside those of the other series, so that equal ones can all be
    /// seen.
    fn place(&self, line: &Line, point: &Point, x: &Scale) -> f64 {
        let width = self.corners[1].0 - self.corners[0].0;
        let has_it = |other: &&Line| other.points.iter().any(|other| other.is_drawn() && other.x == point.x);
        let here: Vec<&Line> = self.lines.iter().filter(has_it).collect();
        let at = here.iter().position(|other| std::ptr::eq(*other, line)).unwrap_or(0);
        let band = x.band(point.x, width);
        let step = STEP.min(0.8 * band / here.len().max(1) as f64);
        let step = step.min((band - MARKER) / (here.len() as f64 - 1.0).max(1.0)).max(0.0);
        x.beside(point.x, step * (at as f64 - (here.len() as f64 - 1.0) / 2.0), width)
    }

    /// The points that a line connects: no line runs over a place where something is missing, and a point
    /// where some clients starve is no step of one.
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
