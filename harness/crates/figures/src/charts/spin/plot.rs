//! The picture: a line for each server that has workers, over a column for each number of them.

use super::super::caption::Caption;
use super::super::scale::Scale;
use super::super::style::{Area, Drawn, GREY, Look, Style, draw};
use super::super::text::{self, DARK, MARGIN, NORMAL, SMALL};
use super::columns::{Column, Columns, NUMBERS};
use super::look;
use anyhow::Result;
use plotters::prelude::*;
use records::{SpinPoint, label, order};
use std::collections::BTreeSet;

const TOP: i32 = 164;
const PLOT: i32 = 420;
/// Beside the plot.
const LEGEND: i32 = 340;
/// Of one line of the legend.
const LINE: i32 = 26;

/// The points of a server, from few workers to many.
struct Series<'a> {
    name: &'a str,
    title: &'a str,
    style: Style,
    points: Vec<&'a SpinPoint>,
}

/// What is drawn, and where.
pub(super) struct Plot<'a> {
    series: Vec<Series<'a>>,
    columns: Columns,
    y: Scale,
    cpus: usize,
    spin_us: f64,
}

impl<'a> Plot<'a> {
    /// `workers` are the numbers that were tried.
    pub(super) fn new(points: &'a [SpinPoint], workers: BTreeSet<usize>, spin_us: f64) -> Self {
        let mut names: Vec<&str> = points.iter().map(|point| point.stage.as_str()).collect();
        names.sort_unstable_by_key(|name| order(name));
        names.dedup();
        let series = names.into_iter().map(|name| {
            let its: Vec<&SpinPoint> = points.iter().filter(|point| point.stage == name).collect();
            Series { name, title: &its[0].title, style: Style::of(name), points: its }
        });
        let cpus = points.first().map_or(1, |point| point.cpus);
        let columns = Columns::new(workers, points.iter().any(|point| point.workers.is_none()));
        let ideals = columns.iter().map(|column| SpinPoint::ideal_of(column.workers, cpus, spin_us));
        let tops = points.iter().map(|point| {
            let speed = &point.requests_per_second;
            speed.interval.map_or(speed.median, |(_, high)| high)
        });
        let y = Scale::from_zero(tops.chain(ideals), (TOP + PLOT, TOP));
        Self { series: series.collect(), columns, y, cpus, spin_us }
    }

    /// Of the picture.
    pub(super) fn width(&self) -> i32 {
        (self.columns.end() + LEGEND).max(1240)
    }

    /// Whether a server with workers lacks a number of them between two that it has.
    pub(super) fn has_gaps(&self) -> bool {
        self.series.iter().any(|one| self.stretches(one).len() > 1)
    }

    pub(super) fn svg(&self, caption: &Caption, notes: &[String]) -> Result<String> {
        let width = self.width();
        let notes = text::wrap_all(notes, SMALL, width - 2 * MARGIN);
        let legend = TOP + LINE * (self.series.len() as i32 + 2);
        let bottom = (TOP + PLOT).max(legend);
        let height = bottom + 84 + 22 * notes.len() as i32;
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, (width as u32, height as u32)).into_drawing_area();
            root.fill(&WHITE)?;
            text::header(&root, &caption.title, &caption.lines)?;
            self.axes(&root)?;
            self.points(&root)?;
            self.legend(&root)?;
            for (at, line) in notes.iter().enumerate() {
                text::write(&root, line, SMALL, (MARGIN, bottom + 78 + 22 * at as i32), DARK, false)?;
            }
            root.present()?;
        }
        Ok(svg)
    }

    /// The points of a server that stand in columns beside each other.
    fn stretches<'b>(&self, one: &'b Series) -> Vec<Vec<&'b SpinPoint>> {
        let numbered: Vec<&Column> = self.columns.iter().filter(|column| column.workers.is_some()).collect();
        let of = |column: &&Column| one.points.iter().copied().find(|point| point.workers == column.workers);
        let points: Vec<Option<&SpinPoint>> = numbered.iter().map(of).collect();
        let stretches = points.split(Option::is_none).filter(|stretch| !stretch.is_empty());
        stretches.map(|stretch| stretch.iter().copied().flatten().collect()).collect()
    }

    fn place(&self, series: &Series, point: &SpinPoint) -> (i32, i32) {
        // Those that are in this column, so that few stand near the middle.
        let has_it = |one: &&Series| one.points.iter().any(|other| other.workers == point.workers);
        let here: Vec<&str> = self.series.iter().filter(has_it).map(|one| one.name).collect();
        let at = here.iter().position(|&name| name == series.name).unwrap_or(0);
        let x = self.columns.of(point.workers).map_or(NUMBERS, |column| column.place(at, here.len()));
        (x, self.y.pixel(point.requests_per_second.median))
    }

    fn axes(&self, root: &Area) -> Drawn {
        let (left, right) = (NUMBERS, self.columns.end());
        text::write(root, "requests per second (more is better)", NORMAL, (MARGIN, TOP - 22), BLACK, false)?;
        for tick in self.y.ticks(8) {
            let y = self.y.pixel(tick);
            draw(root, PathElement::new(vec![(left, y), (right, y)], GREY.mix(0.35).stroke_width(1)))?;
            text::write(root, &text::number(tick), SMALL, (left - 8, y), BLACK, true)?;
        }
        for column in self.columns.iter() {
            let line = vec![(column.left, TOP), (column.left, TOP + PLOT)];
            draw(root, PathElement::new(line, GREY.mix(0.35).stroke_width(1)))?;
            let ideal = self.y.pixel(SpinPoint::ideal_of(column.workers, self.cpus, self.spin_us));
            let ends = vec![(column.left, ideal), (column.right, ideal)];
            draw(root, PathElement::new(ends, BLACK.stroke_width(1)))?;
        }
        for (at, label) in self.columns.labels() {
            text::centred(root, &label, SMALL, (at, TOP + PLOT + 16), BLACK)?;
        }
        if self.columns.iter().any(|column| column.workers.is_some()) {
            text::write(root, "workers", NORMAL, (left, TOP + PLOT + 40), BLACK, false)?;
        }
        Ok(())
    }

    fn points(&self, root: &Area) -> Drawn {
        // Lines first, so that no line covers a marker.
        for one in &self.series {
            for stretch in self.stretches(one) {
                let places: Vec<(i32, i32)> = stretch.iter().map(|point| self.place(one, point)).collect();
                one.style.line(root, &places)?;
            }
        }
        for one in &self.series {
            for point in &one.points {
                let (x, y) = self.place(one, point);
                if let Some((low, high)) = point.requests_per_second.interval {
                    let ends = vec![(x, self.y.pixel(low)), (x, self.y.pixel(high))];
                    draw(root, PathElement::new(ends, one.style.colour.stroke_width(2)))?;
                }
                one.style.mark(root, (x, y), look(point))?;
            }
        }
        Ok(())
    }

    /// Beside the plot, never over it.
    fn legend(&self, root: &Area) -> Drawn {
        let left = self.width() - LEGEND + 24;
        let room = self.width() - MARGIN - left - 56;
        let y = |at: usize| TOP + LINE / 2 + LINE * at as i32;
        draw(root, PathElement::new(vec![(left, y(0)), (left + 44, y(0))], BLACK.stroke_width(1)))?;
        let ideal = format!("ideal: CPUs at work ÷ {:.0} µs", self.spin_us);
        text::write(root, &text::fit(&ideal, SMALL, room), SMALL, (left + 56, y(0)), BLACK, false)?;
        for (at, one) in self.series.iter().enumerate() {
            let y = y(at + 1);
            if one.points.iter().any(|point| point.workers.is_some()) {
                one.style.line(root, &[(left, y), (left + 44, y)])?;
            }
            one.style.mark(root, (left + 22, y), Look::Filled)?;
            let name = text::fit(&label(one.name, one.title), SMALL, room);
            text::write(root, &name, SMALL, (left + 56, y), BLACK, false)?;
        }
        Ok(())
    }
}
