//! A row for each server: its marks or bars in one or more panels, and its words at the end.

use super::draw::{Area, Chart, Drawn, Entry, GREY, STRIPE, axes, dot, draw, ends, legend};
use super::scale::Scale;
use super::text::{self, MARGIN, NORMAL, SMALL};
use super::{Body, WIDTH};
use crate::model::{Marker, Point, Points};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;
use std::collections::BTreeSet;

/// Of the column of names.
const NAMES: i32 = 306;
/// The height of one mark; a row is as high as its marks, and never lower than its text.
const MARK: i32 = 15;

/// The rows of a figure.
pub(super) struct Picture<'a> {
    points: &'a Points,
    /// The series that have a row.
    rows: Vec<usize>,
    panels: Vec<usize>,
}

impl<'a> Picture<'a> {
    pub(super) fn new(points: &'a Points) -> Self {
        let panels = points.drawn();
        let has_row = |&series: &usize| {
            points.points.iter().any(|point| point.series == series && panels.contains(&point.panel))
        };
        Self { points, rows: (0..points.series.len()).filter(has_row).collect(), panels }
    }

    fn entries(&self) -> Vec<Entry<'a>> {
        let entry = |mark: &'a crate::model::Mark| Entry {
            text: &mark.label,
            style: mark.style,
            has_line: false,
            marker: Marker::Filled,
        };
        self.points.marks.iter().map(entry).collect()
    }

    /// Where the rows begin.
    fn top(&self) -> i32 {
        40 + legend(None, &self.entries(), (NAMES, 0), WIDTH - NAMES - MARGIN).unwrap_or_default()
    }

    /// Places for marks in a row. Where no row has two of them, they stand in its middle.
    fn slots(&self) -> usize {
        let all = || self.panels.iter().flat_map(|&panel| self.points.on(panel));
        let rows: BTreeSet<(usize, usize)> = all().map(|point| (point.panel, point.series)).collect();
        if rows.len() == all().count() { 1 } else { self.points.marks.len().max(1) }
    }

    fn row(&self) -> i32 {
        (MARK * self.slots() as i32 + 8).max(30)
    }

    /// Below the rows, for the numbers and for what they are where no head says it.
    fn foot(&self) -> i32 {
        if self.panels.len() > 1 { 50 } else { 24 }
    }

    /// What stands beside a row, and whether there are marks that it stands beside.
    fn words(&self, panel: usize, row: usize) -> (String, bool) {
        let its: Vec<&Point> = self.points.on(panel).filter(|point| point.series == row).collect();
        match its.is_empty() {
            true => (self.points.why_not(row, panel), false),
            false => {
                (its.iter().filter_map(|point| point.text.as_deref()).collect::<Vec<_>>().join(", "), true)
            }
        }
    }

    fn panel(&self, area: &Area, panel: usize, left: i32, width: i32) -> Drawn {
        let what = &self.points.panels[panel];
        let words: Vec<(String, bool)> = self.rows.iter().map(|&row| self.words(panel, row)).collect();
        let beside = words.iter().filter(|(_, has_marks)| *has_marks);
        let room = beside.map(|(text, _)| text::width(text, SMALL)).max().unwrap_or(0).min(width / 2);
        let (top, height) = (self.top(), self.row() * self.rows.len() as i32);
        let across = width - room - if room > 0 { 40 } else { 48 };
        let (name, label) = (what.name.as_str(), what.axis.label.as_str());
        let head = if self.panels.len() > 1 && name != label { name } else { label };
        text::write(area, &text::fit(head, NORMAL, width - 16), NORMAL, (left, top - 18), BLACK, HPos::Left)?;
        let x = Scale::of(&what.axis, &self.points.values(panel), across, true);
        let foot = self.foot();
        let around = area.clone().shrink((left, top), (across, height + foot));
        let label = if head == label { String::new() } else { text::fit(label, NORMAL, width - 24) };
        let mut chart = axes(&around, (0, foot), (&x, &Scale::rows(self.rows.len())), &label)?;
        self.marks(&mut chart, panel, &x)?;
        for (at, (words, has_marks)) in words.iter().enumerate().filter(|(_, (words, _))| !words.is_empty()) {
            let y = top + self.row() * at as i32 + self.row() / 2;
            // Nothing was measured: the reason stands where the marks would be, and no line runs through it.
            let (x, room) = if *has_marks { (left + across + 16, room) } else { (left + 8, width - 16) };
            let words = text::fit(words, SMALL, room);
            if !has_marks {
                let ends = [(x - 4, y - 10), (x + text::width(&words, SMALL), y + 10)];
                draw(area, Rectangle::new(ends, if at % 2 == 0 { STRIPE } else { WHITE }.filled()))?;
            }
            text::write(area, &words, SMALL, (x, y), BLACK, HPos::Left)?;
        }
        draw(area, PathElement::new(vec![(left, top), (left, top + height)], GREY.stroke_width(1)))
    }

    fn marks(&self, chart: &mut Chart, panel: usize, x: &Scale) -> Drawn {
        let (what, bottom) = (&self.points.panels[panel], self.rows.len() as f64);
        if let Some((low, high)) = what.band {
            let corners = [(x.at(low), 0.0), (x.at(high), bottom)];
            chart.draw_series([Rectangle::new(corners, GREY.mix(0.25).filled())])?;
        }
        for &value in &what.lines {
            let ends = [(x.at(value), 0.0), (x.at(value), bottom)];
            chart.draw_series([PathElement::new(ends, BLACK.stroke_width(1))])?;
        }
        let slots = self.slots();
        let marks = slots as f64;
        for point in self.points.on(panel) {
            let row = self.rows.iter().position(|&row| row == point.series).unwrap_or(0) as f64;
            let slot = if slots > 1 { point.mark as f64 } else { 0.0 };
            let aside = (slot - (marks - 1.0) / 2.0) * f64::from(MARK) / f64::from(self.row());
            let (y, style) = (row + 0.5 + aside, self.points.style(point));
            let colour = RGBColor::from(style.colour);
            if self.points.dots {
                let rounds = point.records.iter().filter(|round| round.2.is_finite());
                let dots = rounds.map(|round| Circle::new((x.at(round.2), y), 4, colour.mix(0.35).filled()));
                chart.draw_series(dots)?;
            }
            let ends = ends(point.interval.as_ref(), |value| (x.at(value), y));
            if self.points.bars {
                let inside = match point.marker {
                    Marker::Hollow => WHITE.filled(),
                    Marker::Cross => colour.mix(0.25).filled(),
                    _ => colour.mix(0.7).filled(),
                };
                let corners = [(x.at(0.0), y - 0.3 / marks), (x.at(point.value), y + 0.3 / marks)];
                chart.draw_series([inside, colour.stroke_width(2)].map(|s| Rectangle::new(corners, s)))?;
                chart.draw_series(ends.map(|ends| PathElement::new(ends, BLACK.stroke_width(2))))?;
            } else {
                dot(chart, (x.at(point.value), y), ends, style, point.marker)?;
            }
        }
        Ok(())
    }
}

impl Body for Picture<'_> {
    fn size(&self) -> (i32, i32) {
        (WIDTH, self.top() + self.row() * self.rows.len() as i32 + self.foot())
    }

    fn draw(&self, area: &Area) -> Drawn {
        legend(Some(area), &self.entries(), (NAMES, 0), WIDTH - NAMES - MARGIN)?;
        for (at, &row) in self.rows.iter().enumerate() {
            let y = self.top() + self.row() * at as i32;
            if at % 2 == 0 {
                let corners = [(MARGIN, y), (WIDTH - MARGIN, y + self.row())];
                draw(area, Rectangle::new(corners, STRIPE.filled()))?;
            }
            let name = text::fit(&self.points.series[row].label, NORMAL, NAMES - MARGIN - 8);
            let middle = (NAMES - 12, y + self.row() / 2);
            text::write(area, &name, NORMAL, middle, BLACK, HPos::Right)?;
        }
        let width = (WIDTH - MARGIN - NAMES) / self.panels.len().max(1) as i32;
        for (at, &panel) in self.panels.iter().enumerate() {
            self.panel(area, panel, NAMES + width * at as i32, width)?;
        }
        Ok(())
    }
}
