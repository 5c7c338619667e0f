//! Values over a load. Pictures stand below or beside each other; where several measures share a picture, each
//! series has a small one of its own.

use super::mark::{Area, Drawn, ENTRY, Entry, legend_across};
use super::panel::{FOOT, Line, NUMBERS, Panel, room_for};
use super::text::{LINE, MARGIN};
use super::{Body, WIDTH};
use crate::model::{Axis, Look, Point, Points, Reference, Scale, Show, Style};
use std::sync::LazyLock;

/// Beside a picture.
const LEGEND: i32 = 350;
/// Small pictures in a row.
const COLUMNS: usize = 4;
/// Left of the first of them.
const TIMES: i32 = 84;

/// The pictures of a figure.
pub(super) struct Picture<'a> {
    points: &'a Points,
    x: &'a Axis,
    facets: Vec<Vec<usize>>,
    /// Of the axes of one picture.
    width: i32,
}

static NO_AXIS: LazyLock<Axis> = LazyLock::new(Axis::default);

impl<'a> Picture<'a> {
    pub(super) fn new(points: &'a Points) -> Self {
        let x = points.x.as_ref().unwrap_or(&NO_AXIS);
        let usual = WIDTH - LEGEND - NUMBERS;
        Self { points, x, facets: points.facets(), width: room_for(x, usual).unwrap_or(usual) }
    }

    fn is_beside(&self) -> bool {
        self.points.choices.iter().any(|choice| choice.show == Show::Beside)
    }

    fn is_grid(&self) -> bool {
        self.points.show == Show::Marks
    }

    fn steps(&self) -> Option<(&'a str, &'a [(f64, f64)])> {
        self.points.references.iter().find_map(|reference| match reference {
            Reference::Steps(label, steps) => Some((label.as_str(), steps.as_slice())),
            _ => None,
        })
    }

    /// The points of the drawn measures in a facet.
    fn points_in(&self, facet: &'a [usize]) -> impl Iterator<Item = &'a Point> {
        let (points, drawn) = (self.points, self.points.drawn());
        drawn.into_iter().flat_map(move |measure| points.of(facet, measure))
    }

    /// A line for each series that has a point of that measure.
    fn lines(&self, facet: &'a [usize], measure: usize) -> Vec<(usize, Line<'a>)> {
        let line = |series: usize| {
            let its = self.points.of(facet, measure).filter(|point| point.series == series);
            let mut points: Vec<&Point> = its.collect();
            points.sort_by(|one, other| one.x.total_cmp(&other.x));
            let style = self.points.series[series].style;
            (!points.is_empty()).then_some((series, Line { style, points }))
        };
        (0..self.points.series.len()).filter_map(line).collect()
    }

    /// What must be on the upright axis of these facets.
    fn values(&self, facets: &'a [Vec<usize>]) -> Vec<f64> {
        let drawn = facets.iter().flat_map(|facet| self.points_in(facet)).filter(|point| point.is_drawn());
        let steps = self.steps().into_iter().flat_map(|(_, steps)| steps).map(|(_, value)| *value);
        drawn.flat_map(Point::ends).chain(steps).collect()
    }

    /// Where something stands in these facets. Of a single one every band is shown: that nothing was measured there is to be
    /// seen.
    fn places(&self, facets: &'a [Vec<usize>]) -> Vec<f64> {
        match &self.x.scale {
            Scale::Bands(names) if self.facets.len() == 1 => (0..names.len()).map(|at| at as f64).collect(),
            _ => facets.iter().flat_map(|facet| self.points_in(facet)).map(|point| point.x).collect(),
        }
    }

    /// The entries of the legend of a picture: the servers that have a point there, and what else is to be told.
    fn entries(&self, lines: &[(usize, Line<'a>)]) -> Vec<Entry<'a>> {
        let steps = self.steps().map(|(text, _)| Entry { text, style: None, has_line: true, look: None });
        let mut entries: Vec<Entry> = steps.into_iter().collect();
        for (at, line) in lines {
            let series = &self.points.series[*at];
            let style = Some(&series.style);
            let has_line = line.points.iter().filter(|point| point.look != Look::Cross).count() > 1;
            entries.push(Entry { text: &series.label, style, has_line, look: Some(Look::Filled) });
            let remarks = series.remark.as_ref().filter(|(look, _)| {
                look.is_none() || line.points.iter().any(|point| Some(point.look) == *look)
            });
            entries.extend(remarks.map(|(look, text)| Entry { text, style, has_line: false, look: *look }));
        }
        entries
    }

    /// Pictures below each other, each with its legend beside it.
    fn below(&self, area: Option<&Area>) -> anyhow::Result<i32> {
        let (measure, mut top) = (self.points.drawn().first().copied().unwrap_or(0), 0);
        for facet in &self.facets {
            let lines = self.lines(facet, measure);
            let entries = self.entries(&lines);
            let legend = ENTRY * entries.len() as i32;
            let (from, to) = (top + 36, top + (36 + 300).max(36 + legend));
            top = to + FOOT + 8;
            let Some(area) = area else { continue };
            let axis = &self.points.measures[measure].axis;
            let name = self.points.facet_name(facet);
            let differ = if self.facets.len() > 1 { "; the scales of the two pictures differ" } else { "" };
            let kind = if name.is_empty() { String::new() } else { format!("{name}: ") };
            let panel = Panel {
                heads: vec![format!("{kind}{}{differ}", axis.label)],
                lines: lines.into_iter().map(|(_, line)| line).collect(),
                x: self.x,
                y: axis,
                values: self.values(std::slice::from_ref(facet)),
                places: self.places(std::slice::from_ref(facet)),
                steps: self.steps().map_or(&[], |(_, steps)| steps),
                room: WIDTH - NUMBERS - MARGIN,
                corners: [(NUMBERS, from), (NUMBERS + self.width, to)],
                has_numbers: true,
                has_label: true,
            };
            panel.draw(area)?;
            for (at, entry) in entries.iter().enumerate() {
                let place = (NUMBERS + self.width + 24, from + ENTRY / 2 + ENTRY * at as i32);
                entry.draw(area, place, LEGEND - 24 - MARGIN)?;
            }
        }
        Ok(top)
    }

    /// Pictures beside each other on the same axes, each with its legend above it.
    fn beside(&self, area: Option<&Area>) -> anyhow::Result<i32> {
        let measure = self.points.drawn().first().copied().unwrap_or(0);
        let axis = &self.points.measures[measure].axis;
        let all = WIDTH / self.facets.len().max(1) as i32;
        let (width, top, height) = (all - 2 * NUMBERS, 84, 360);
        for (at, facet) in self.facets.iter().enumerate() {
            let Some(area) = area else { continue };
            let left = all * at as i32 + NUMBERS;
            let lines = self.lines(facet, measure);
            legend_across(Some(area), &self.entries(&lines), (left, 26), width + NUMBERS)?;
            let panel = Panel {
                heads: vec![self.points.facet_name(facet), String::new(), String::new(), String::new()],
                lines: lines.into_iter().map(|(_, line)| line).collect(),
                x: self.x,
                y: axis,
                values: self.values(&self.facets),
                places: self.places(&self.facets),
                steps: &[],
                room: width + NUMBERS,
                corners: [(left, top), (left + width, top + height)],
                has_numbers: true,
                has_label: true,
            };
            panel.draw(area)?;
        }
        Ok(top + height + FOOT)
    }

    /// A small picture for each series, all with the same axes; the measures are marks in it.
    fn grid(&self, area: Option<&Area>) -> anyhow::Result<i32> {
        const HEIGHT: i32 = 240;
        let drawn = self.points.drawn();
        let styles: Vec<Style> = drawn.iter().map(|&at| self.points.measures[at].style).collect();
        let says = drawn.iter().map(|&measure| self.points.measures[measure].says.as_str());
        let entries: Vec<Entry> = says
            .zip(&styles)
            .map(|(text, style)| Entry { text, style: Some(style), has_line: true, look: Some(Look::Filled) })
            .collect();
        let top = 10 + legend_across(area, &entries, (TIMES, 4), WIDTH - TIMES - MARGIN)?;
        let facet = self.facets.first().map_or(&[][..], Vec::as_slice);
        let series: Vec<usize> = (0..self.points.series.len())
            .filter(|&at| self.points_in(facet).any(|point| point.series == at))
            .collect();
        let width = (WIDTH - TIMES - MARGIN) / COLUMNS as i32;
        for (at, &series_at) in series.iter().enumerate() {
            let Some(area) = area else { continue };
            let left = TIMES + width * (at % COLUMNS) as i32;
            let top = top + HEIGHT * (at / COLUMNS) as i32;
            let line = |(&measure, &style): (&usize, &Style)| {
                let its = self.points.of(facet, measure).filter(|point| point.series == series_at);
                Line { style, points: its.collect() }
            };
            let series_of = &self.points.series[series_at];
            let remark = series_of.remark.as_ref().map(|(_, remark)| remark.clone());
            let panel = Panel {
                heads: [series_of.label.clone()].into_iter().chain(remark).collect(),
                lines: drawn.iter().zip(&styles).map(line).collect(),
                x: self.x,
                y: &self.points.measures[drawn[0]].axis,
                values: self.values(&self.facets),
                places: self.places(&self.facets),
                steps: &[],
                room: width - 10,
                corners: [(left, top + 2 * LINE + 10), (left + width - 26, top + HEIGHT - FOOT + 8)],
                has_numbers: at % COLUMNS == 0,
                has_label: at + COLUMNS >= series.len(),
            };
            panel.draw(area)?;
        }
        Ok(top + HEIGHT * series.len().div_ceil(COLUMNS) as i32 + 12)
    }

    fn arranged(&self, area: Option<&Area>) -> anyhow::Result<i32> {
        if self.is_grid() {
            self.grid(area)
        } else if self.is_beside() {
            self.beside(area)
        } else {
            self.below(area)
        }
    }
}

impl Body for Picture<'_> {
    fn size(&self) -> (i32, i32) {
        let width = if self.is_grid() || self.is_beside() { WIDTH } else { NUMBERS + self.width + LEGEND };
        // Without an area nothing is drawn, so nothing can fail.
        (width.max(WIDTH), self.arranged(None).unwrap_or_default())
    }

    fn draw(&self, area: &Area) -> Drawn {
        self.arranged(Some(area)).map(drop)
    }
}
