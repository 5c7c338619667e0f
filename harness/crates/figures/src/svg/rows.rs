//! A row for each server: its marks or bars on one or more axes, and its figures at the end.

use super::area::{Area, Drawn, draw};
use super::chart::{Dot, axes, bars, dots};
use super::mark::{Entry, GREY, legend_across};
use super::scale::Scale;
use super::text::{self, MARGIN, NORMAL, SMALL};
use super::{Body, WIDTH};
use crate::model::{Look, Measure, Point, Points, Reference, Show};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

/// Of the column of names.
const NAMES: i32 = 330;
/// The height of one mark; a row is as high as its marks, and never lower than its text.
const MARK: i32 = 15;
/// Half of a bar.
const BAR: f64 = 10.0;
const STRIPE: RGBColor = RGBColor(245, 245, 245);

/// The rows of a figure.
pub(super) struct Picture<'a> {
    points: &'a Points,
    /// The series that have a row.
    rows: Vec<usize>,
    panels: Vec<Panel>,
    /// The measures that share a row, if there are several.
    marks: Vec<usize>,
}

/// One axis.
struct Panel {
    options: Vec<usize>,
    measures: Vec<usize>,
    head: String,
}

impl<'a> Picture<'a> {
    pub(super) fn new(points: &'a Points) -> Self {
        let (facets, drawn) = (points.facets(), points.drawn());
        let has_row = |series: &usize| {
            let has_point = points.points.iter().any(|p| p.series == *series && facets.contains(&p.options));
            has_point || points.gaps.iter().any(|gap| gap.server == points.series[*series].server)
        };
        let groups: Vec<Vec<usize>> = match points.show {
            Show::Beside => drawn.iter().map(|&measure| vec![measure]).collect(),
            _ => vec![drawn.clone()],
        };
        let several = facets.len() * groups.len() > 1;
        let mut panels = Vec::new();
        for options in &facets {
            for measures in &groups {
                let name = points.facet_name(options);
                let label = measures.first().map_or("", |&at| points.measures[at].axis.label.as_str());
                let head = match (name.is_empty(), several) {
                    (true, _) => label.to_owned(),
                    (false, true) => format!("{name}; scales differ"),
                    (false, false) => name,
                };
                panels.push(Panel { options: options.clone(), measures: measures.clone(), head });
            }
        }
        let marks = if points.show == Show::Marks && drawn.len() > 1 { drawn } else { Vec::new() };
        Self { points, rows: (0..points.series.len()).filter(has_row).collect(), panels, marks }
    }

    fn row_height(&self) -> i32 {
        (MARK * self.marks.len() as i32 + 8).max(30)
    }

    fn entries(&self) -> Vec<Entry<'a>> {
        let measures = self.marks.iter().map(|&at| &self.points.measures[at]);
        let entry = |measure: &'a Measure| Entry {
            text: &measure.says,
            style: Some(&measure.style),
            has_line: false,
            look: Some(Look::Filled),
        };
        measures.map(entry).collect()
    }

    /// Where the rows begin.
    fn top(&self) -> i32 {
        let legend = legend_across(None, &self.entries(), (NAMES, 0), WIDTH - NAMES - MARGIN);
        40 + legend.unwrap_or_default()
    }

    /// Below the rows, for the numbers and for what they are where no head says it.
    fn foot(&self) -> i32 {
        if self.panels.iter().all(|panel| panel.head == self.label(panel)) { 24 } else { 50 }
    }

    fn label(&self, panel: &Panel) -> &'a str {
        panel.measures.first().map_or("", |&at| self.points.measures[at].axis.label.as_str())
    }

    fn height(&self) -> i32 {
        self.row_height() * self.rows.len() as i32
    }

    fn drawn(&self, panel: &Panel) -> impl Iterator<Item = &'a Point> + Clone {
        let is_here = |point: &&Point| point.options == panel.options && point.is_drawn();
        let of =
            panel.measures.iter().flat_map(|&at| self.points.points.iter().filter(move |p| p.measure == at));
        of.filter(is_here).collect::<Vec<_>>().into_iter()
    }

    fn panel(&self, area: &Area, panel: &Panel, left: i32, width: i32) -> Drawn {
        let texts: Vec<(String, bool)> = self.rows.iter().map(|&row| self.words(panel, row)).collect();
        let beside = texts.iter().filter(|(_, has_marks)| *has_marks);
        let room = beside.map(|(text, _)| text::width(text, SMALL)).max().unwrap_or(0).min(width / 2);
        let (top, height) = (self.top(), self.height());
        let right = left + width - room - if room > 0 { 40 } else { 24 };
        text::write(area, &panel.head, NORMAL, (left, top - 18), BLACK, HPos::Left)?;
        self.axes(area, panel, (left, top), right - left)?;
        for (at, (words, has_marks)) in texts.iter().enumerate() {
            let y = top + self.row_height() * at as i32 + self.row_height() / 2;
            // Nothing was measured: the reason stands where the marks would be.
            let (x, room) = if *has_marks { (right + 16, room) } else { (left + 8, width - 16) };
            text::write(area, &text::fit(words, SMALL, room), SMALL, (x, y), BLACK, HPos::Left)?;
        }
        draw(area, PathElement::new(vec![(left, top), (left, top + height)], GREY.stroke_width(1)))
    }

    fn axes(&self, area: &Area, panel: &Panel, (left, top): (i32, i32), width: i32) -> Drawn {
        let axis = &self.points.measures[panel.measures[0]].axis;
        let lines = self.points.references.iter().filter_map(|reference| match reference {
            Reference::Line(value) => Some(*value),
            _ => None,
        });
        let x = Scale::of(axis, self.drawn(panel).flat_map(Point::ends).chain(lines), width, true);
        let y = Scale::rows(self.rows.len());
        let around = area.clone().shrink((left, top), (width, self.height() + self.foot()));
        self.references(area, &x, (left, top), width)?;
        let label = if panel.head == axis.label { "" } else { axis.label.as_str() };
        let mut chart = axes(&around, (0, self.foot()), (&x, &y), (false, true), label)?;
        let aside = |row: f64, pixels: f64| y.beside(row, pixels, self.height());
        let dot = |point: &'a Point| {
            let row = self.rows.iter().position(|&row| row == point.series).unwrap_or(0) as f64;
            let (mark, style) = match self.marks.iter().position(|&measure| measure == point.measure) {
                Some(at) => (
                    at as f64 - (self.marks.len() as f64 - 1.0) / 2.0,
                    self.points.measures[point.measure].style,
                ),
                None => (0.0, self.points.series[point.series].style),
            };
            Dot::new((point.value, aside(row, mark * f64::from(MARK))), point, style)
        };
        let all: Vec<Dot> = self.drawn(panel).map(dot).collect();
        if self.points.bars {
            bars(&mut chart, &all, |dot| [-BAR, BAR].map(|side| aside(dot.y, side)))
        } else {
            dots(&mut chart, &all, false)
        }
    }

    /// What the marks are compared with, behind them.
    fn references(&self, area: &Area, x: &Scale, (left, top): (i32, i32), width: i32) -> Drawn {
        let pixel = |value: f64| left + (f64::from(width) * x.share(value)).round() as i32;
        let bottom = top + self.height();
        for reference in &self.points.references {
            match reference {
                Reference::Band(low, high) => {
                    let corners = [(pixel(*low), top), (pixel(*high).max(pixel(*low) + 1), bottom)];
                    draw(area, Rectangle::new(corners, GREY.mix(0.25).filled()))?;
                }
                Reference::Line(value) => {
                    let ends = vec![(pixel(*value), top), (pixel(*value), bottom)];
                    draw(area, PathElement::new(ends, BLACK.stroke_width(1)))?;
                }
                Reference::Steps(..) => {}
            }
        }
        Ok(())
    }

    /// The figures of a row, and whether there are marks that they stand beside.
    fn words(&self, panel: &Panel, row: usize) -> (String, bool) {
        let its = self.points.points.iter().filter(|point| {
            point.series == row && point.options == panel.options && panel.measures.contains(&point.measure)
        });
        let its: Vec<&Point> = its.collect();
        if !its.iter().any(|point| point.is_drawn()) {
            return (self.points.why_not(row, &panel.options, &its), false);
        }
        (if self.points.figures { self.points.figures_of(&its) } else { String::new() }, true)
    }
}

impl Body for Picture<'_> {
    fn size(&self) -> (i32, i32) {
        (WIDTH, self.top() + self.height() + self.foot())
    }

    fn draw(&self, area: &Area) -> Drawn {
        legend_across(Some(area), &self.entries(), (NAMES, 0), WIDTH - NAMES - MARGIN)?;
        for (at, &row) in self.rows.iter().enumerate() {
            let y = self.top() + self.row_height() * at as i32;
            if at % 2 == 0 {
                let corners = [(MARGIN, y), (WIDTH - MARGIN, y + self.row_height())];
                draw(area, Rectangle::new(corners, STRIPE.filled()))?;
            }
            let name = text::fit(&self.points.series[row].label, NORMAL, NAMES - MARGIN - 8);
            let middle = y + self.row_height() / 2;
            text::write(area, &name, NORMAL, (NAMES - 12, middle), BLACK, HPos::Right)?;
        }
        let width = (WIDTH - MARGIN - NAMES) / self.panels.len().max(1) as i32;
        for (at, panel) in self.panels.iter().enumerate() {
            self.panel(area, panel, NAMES + width * at as i32, width)?;
        }
        Ok(())
    }
}
