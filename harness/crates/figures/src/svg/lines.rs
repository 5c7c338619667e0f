//! Values over a load. Pictures stand below or beside each other; where several measures share a picture,
//! each series has a small one of its own.

use super::area::{Area, Drawn};
use super::mark::{ENTRY, Entry, legend_across};
use super::panel::{FOOT, Line, NUMBERS, Panel};
use super::text::{LINE, MARGIN};
use super::{Body, WIDTH};
use crate::model::{Axis, Look, Measure, Point, Points, Reference, Scale, Series, Show};

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

impl<'a> Picture<'a> {
    pub(super) fn new(points: &'a Points, x: &'a Axis) -> Self {
        let bands = if let Scale::Bands(names) = &x.scale { names.len() as i32 } else { 0 };
        // So many bands can be told apart.
        let width = (WIDTH - LEGEND - NUMBERS).max(24 * bands);
        Self { points, x, facets: points.facets(), width }
    }

    /// What is drawn, where there is but one.
    fn measure(&self) -> usize {
        self.points.drawn().first().copied().unwrap_or(0)
    }

    /// A picture of these lines, on axes that hold what is in these facets.
    fn panel(&self, facets: &'a [Vec<usize>], lines: Vec<Line<'a>>, corners: [(i32, i32); 2]) -> Panel<'a> {
        Panel {
            heads: Vec::new(),
            lines,
            x: self.x,
            y: &self.points.measures[self.measure()].axis,
            values: self.values(facets),
            places: self.places(facets),
            steps: self.steps().map_or(&[], |(_, steps)| steps),
            room: corners[1].0 - corners[0].0,
            corners,
            has_numbers: true,
            has_label: true,
        }
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

    /// What must be on the upright axis of these facets.
    fn values(&self, facets: &'a [Vec<usize>]) -> Vec<f64> {
        let drawn = facets.iter().flat_map(|facet| self.points_in(facet)).filter(|point| point.is_drawn());
        let steps = self.steps().into_iter().flat_map(|(_, steps)| steps).map(|(_, value)| *value);
        drawn.flat_map(Point::ends).chain(steps).collect()
    }

    /// Where something stands in these facets. Of a single one every band is shown: that nothing was measured
    /// there is to be seen.
    fn places(&self, facets: &'a [Vec<usize>]) -> Vec<f64> {
        match &self.x.scale {
            Scale::Bands(names) if self.facets.len() == 1 => (0..names.len()).map(|at| at as f64).collect(),
            _ => facets.iter().flat_map(|facet| self.points_in(facet)).map(|point| point.x).collect(),
        }
    }

    /// A line for each series that has a point in the facet, and the legend: these series, and what else is
    /// to be told.
    fn lines(&self, facet: &'a [usize]) -> (Vec<Line<'a>>, Vec<Entry<'a>>) {
        let steps = self.steps().map(|(text, _)| Entry { text, style: None, has_line: true, look: None });
        let (mut lines, mut entries) = (Vec::new(), Vec::from_iter(steps));
        for (at, series) in self.points.series.iter().enumerate() {
            let its = self.points.of(facet, self.measure()).filter(|point| point.series == at);
            let mut points: Vec<&Point> = its.collect();
            points.sort_by(|one, other| one.x.total_cmp(&other.x));
            if points.is_empty() {
                continue;
            }
            let style = Some(&series.style);
            let has_line = points.iter().filter(|point| point.look != Look::Cross).count() > 1;
            entries.push(Entry { text: &series.label, style, has_line, look: Some(Look::Filled) });
            let is_here =
                |look: Option<Look>| look.is_none() || points.iter().any(|point| Some(point.look) == look);
            let remark = series.remark.as_ref().filter(|(look, _)| is_here(*look));
            entries.extend(remark.map(|(look, text)| Entry { text, style, has_line: false, look: *look }));
            lines.push(Line { style: series.style, points });
        }
        (lines, entries)
    }

    /// Pictures below each other, each with its legend beside it.
    fn below(&'a self, area: Option<&Area>) -> anyhow::Result<i32> {
        let mut top = 0;
        for facet in &self.facets {
            let (lines, entries) = self.lines(facet);
            let (from, to) = (top + 36, top + 36 + (ENTRY * entries.len() as i32).max(300));
            top = to + FOOT + 8;
            let Some(area) = area else { continue };
            let name = self.points.facet_name(facet);
            let differ = if self.facets.len() > 1 { "; the scales of the two pictures differ" } else { "" };
            let kind = if name.is_empty() { String::new() } else { format!("{name}: ") };
            let head = format!("{kind}{}{differ}", self.points.measures[self.measure()].axis.label);
            let corners = [(NUMBERS, from), (NUMBERS + self.width, to)];
            let panel = self.panel(std::slice::from_ref(facet), lines, corners);
            Panel { heads: vec![head], room: WIDTH - NUMBERS - MARGIN, ..panel }.draw(area)?;
            for (at, entry) in entries.iter().enumerate() {
                let place = (NUMBERS + self.width + 24, from + ENTRY / 2 + ENTRY * at as i32);
                entry.draw(area, place, LEGEND - 24 - MARGIN)?;
            }
        }
        Ok(top)
    }

    /// Pictures beside each other on the same axes, each with its legend above it.
    fn beside(&'a self, area: Option<&Area>) -> anyhow::Result<i32> {
        let all = WIDTH / self.facets.len().max(1) as i32;
        let (width, top, height) = (all - 2 * NUMBERS, 84, 360);
        for (at, facet) in self.facets.iter().enumerate() {
            let Some(area) = area else { continue };
            let left = all * at as i32 + NUMBERS;
            let (lines, entries) = self.lines(facet);
            legend_across(Some(area), &entries, (left, 26), width + NUMBERS)?;
            let panel = self.panel(&self.facets, lines, [(left, top), (left + width, top + height)]);
            let mut heads = vec![self.points.facet_name(facet)];
            // The legend and the names of the axes are below it.
            heads.resize(4, String::new());
            Panel { heads, room: width + NUMBERS, ..panel }.draw(area)?;
        }
        Ok(top + height + FOOT)
    }

    /// A small picture for each series, all with the same axes; the measures are marks in it.
    fn grid(&'a self, area: Option<&Area>) -> anyhow::Result<i32> {
        const HEIGHT: i32 = 240;
        let measures: Vec<(usize, &Measure)> =
            self.points.drawn().into_iter().map(|at| (at, &self.points.measures[at])).collect();
        let entry = |(_, measure): &(usize, &'a Measure)| Entry {
            text: &measure.says,
            style: Some(&measure.style),
            has_line: true,
            look: Some(Look::Filled),
        };
        let entries: Vec<Entry> = measures.iter().map(entry).collect();
        let top = 10 + legend_across(area, &entries, (TIMES, 4), WIDTH - TIMES - MARGIN)?;
        let facet = self.facets.first().map_or(&[][..], Vec::as_slice);
        let has_point = |series: &usize| self.points_in(facet).any(|point| point.series == *series);
        let all: Vec<usize> = (0..self.points.series.len()).filter(has_point).collect();
        let width = (WIDTH - TIMES - MARGIN) / COLUMNS as i32;
        for (at, &series) in all.iter().enumerate() {
            let Some(area) = area else { continue };
            let (left, top) = (TIMES + width * (at % COLUMNS) as i32, top + HEIGHT * (at / COLUMNS) as i32);
            let line = |(at, measure): &(usize, &Measure)| {
                let its = self.points.of(facet, *at).filter(|point| point.series == series);
                Line { style: measure.style, points: its.collect() }
            };
            let Series { label, remark, .. } = &self.points.series[series];
            let remark = remark.iter().map(|(_, remark)| remark.clone());
            let corners = [(left, top + 2 * LINE + 10), (left + width - 26, top + HEIGHT - FOOT + 8)];
            let panel = Panel {
                heads: [label.clone()].into_iter().chain(remark).collect(),
                room: width - 10,
                has_numbers: at % COLUMNS == 0,
                has_label: at + COLUMNS >= all.len(),
                ..self.panel(&self.facets, measures.iter().map(line).collect(), corners)
            };
            panel.draw(area)?;
        }
        Ok(top + HEIGHT * all.len().div_ceil(COLUMNS) as i32 + 12)
    }

    fn arranged(&'a self, area: Option<&Area>) -> anyhow::Result<i32> {
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
