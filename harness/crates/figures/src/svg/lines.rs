//! Values over a load: panels below each other, and one legend beside them.

use super::draw::{Area, Drawn, ENTRY, Entry, axes, dot, ends};
use super::scale::Scale;
use super::text::{self, LINE, MARGIN, NORMAL, SMALL};
use super::{Body, WIDTH};
use crate::model::{Axis, Marker, Point, Points};
use plotters::coord::ranged1d::Ranged;
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

/// Beside the panels.
const LEGEND: i32 = 400;
/// Left of the axes, for the numbers.
const NUMBERS: i32 = 96;
/// Below the axes, for the numbers and what they are.
const FOOT: i32 = 58;
/// Above the axes, for what the panel shows.
const HEAD: i32 = 36;
const HEIGHT: i32 = 340;

/// The panels of a figure.
pub(super) struct Picture<'a> {
    points: &'a Points,
    x: &'a Axis,
    panels: Vec<usize>,
}

impl<'a> Picture<'a> {
    pub(super) fn new(points: &'a Points, x: &'a Axis) -> Self {
        Self { points, x, panels: points.drawn() }
    }

    /// The series that have a point.
    fn shown(&self) -> Vec<usize> {
        let has_point =
            |&series: &usize| self.panels.iter().any(|&panel| self.line(panel, series).next().is_some());
        (0..self.points.series.len()).filter(has_point).collect()
    }

    fn line(&self, panel: usize, series: usize) -> impl Iterator<Item = &'a Point> + Clone {
        self.points.on(panel).filter(move |point| point.series == series)
    }

    fn panel(&self, area: &Area, panel: usize, top: i32) -> Drawn {
        let what = &self.points.panels[panel];
        let width = WIDTH - LEGEND - NUMBERS;
        // Panels of one axis have the same numbers, so that they can be compared.
        let is_alike = |other: &usize| self.points.panels[*other].axis == what.axis;
        let alike: Vec<usize> = self.panels.iter().copied().filter(is_alike).collect();
        let values: Vec<f64> = alike.iter().flat_map(|&panel| self.points.values(panel)).collect();
        let places: Vec<f64> = self.points.on(panel).map(|point| point.x).collect();
        let x = Scale::over(self.x, &places, width);
        let y = Scale::of(&what.axis, &values, HEIGHT, false);
        let (name, label) = (&what.name, &what.axis.label);
        let head =
            if self.panels.len() > 1 && name != label { format!("{name}: {label}") } else { label.clone() };
        let head = text::fit(&head, NORMAL, WIDTH - NUMBERS - MARGIN);
        text::write(area, &head, NORMAL, (NUMBERS, top + 14), BLACK, HPos::Left)?;
        let around = area.clone().shrink((0, top + HEAD), (NUMBERS + width, HEIGHT + FOOT));
        let mut chart = axes(&around, (NUMBERS, FOOT), (&x, &y), &self.x.label)?;
        for &value in &what.lines {
            let ends = [x.range().start, x.range().end].map(|place| (place, y.at(value)));
            chart.draw_series([PathElement::new(ends, BLACK.stroke_width(2))])?;
        }
        // Lines first, so that no line covers a marker.
        for series in self.shown() {
            let style = self.points.series[series].style;
            let stroke = RGBColor::from(style.colour).stroke_width(2);
            let its = self.points.points.iter().filter(|p| p.panel == panel && p.series == series);
            for stretch in stretches(its.collect()) {
                let places = stretch.iter().map(|point| (x.at(point.x), y.at(point.value)));
                let places: Vec<(f64, f64)> = places.collect();
                match style.dashes {
                    None => chart.draw_series(LineSeries::new(places, stroke))?,
                    Some((on, off)) => chart.draw_series(DashedLineSeries::new(places, on, off, stroke))?,
                };
            }
        }
        for point in self.points.on(panel) {
            let at = |value: f64| (x.at(point.x), y.at(value));
            let ends = ends(point.interval.as_ref(), at);
            dot(&mut chart, at(point.value), ends, self.points.series[point.series].style, point.marker)?;
        }
        Ok(())
    }
}

/// The points that a line connects: it runs over no place where the series has a point without a value, and a
/// point where some clients starve is no step of it.
fn stretches(mut line: Vec<&Point>) -> Vec<Vec<&Point>> {
    line.sort_by(|one, other| one.x.total_cmp(&other.x));
    let is_step = |point: &&Point| point.is_drawn() && point.marker != Marker::Cross;
    let stretches = line.split(|point| !is_step(point)).map(<[&Point]>::to_vec);
    stretches.filter(|stretch| stretch.len() > 1).collect()
}

impl Body for Picture<'_> {
    fn size(&self) -> (i32, i32) {
        let panels = self.panels.len() as i32 * (HEAD + HEIGHT + FOOT + 8);
        let entry =
            |at: usize| if self.points.series[at].remark.is_some() { ENTRY + LINE - 2 } else { ENTRY };
        (WIDTH, panels.max(HEAD + self.shown().into_iter().map(entry).sum::<i32>()))
    }

    fn draw(&self, area: &Area) -> Drawn {
        for (at, &panel) in self.panels.iter().enumerate() {
            self.panel(area, panel, at as i32 * (HEAD + HEIGHT + FOOT + 8))?;
        }
        let mut y = HEAD + ENTRY / 2;
        let (left, room) = (WIDTH - LEGEND + 24, LEGEND - 24 - MARGIN);
        for series in self.shown().into_iter().map(|at| &self.points.series[at]) {
            let (text, style) = (series.label.as_str(), series.style);
            Entry { text, style, has_line: true, marker: Marker::Filled }.draw(area, (left, y), room)?;
            if let Some(remark) = &series.remark {
                y += LINE - 2;
                let remark = text::fit(remark, SMALL, room - Entry::SAMPLE);
                text::write(area, &remark, SMALL, (left + Entry::SAMPLE, y), text::DARK, HPos::Left)?;
            }
            y += ENTRY;
        }
        Ok(())
    }
}
