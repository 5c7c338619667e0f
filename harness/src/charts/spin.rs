//! What each server makes of more workers, when every request keeps a CPU busy.

use super::caption::{Caption, place};
use super::scale::Scale;
use super::servers::{label, order};
use super::source::{Chart, Source};
use super::style::{Area, Drawn, GREY, Look, Style, draw};
use super::text::{self, DARK, MARGIN, NORMAL, SMALL};
use crate::records::{Limiter, Phase, Record, SpinPoint, spin};
use anyhow::Result;
use plotters::prelude::*;

const WIDTH: i32 = 1240;
const TOP: i32 = 164;
const PLOT: i32 = 420;
/// Left of the axes, for the numbers.
const NUMBERS: i32 = 96;
/// Beside the plot.
const LEGEND: i32 = 340;
/// Of one line of the legend.
const LINE: i32 = 26;
/// Between markers that stand side by side, at most.
const STEP: i32 = 16;

/// The points of a server, from few workers to many.
struct Series<'a> {
    name: &'a str,
    title: &'a str,
    style: Style,
    points: Vec<&'a SpinPoint>,
}

/// Requests per second against workers, if that was measured.
pub(super) fn chart(records: &[Record], source: &Source) -> Result<Option<Chart>> {
    let points = spin(records);
    let its_records: Vec<&Record> =
        records.iter().filter(|record| record.phase == Phase::Spin && !record.dropped).collect();
    let (Some(first), Some(record)) = (points.first(), its_records.first()) else { return Ok(None) };
    let spin_us = spin_us(&record.path);
    let title = format!(
        "What more workers make of requests that keep a CPU busy for {spin_us:.0} µs, on {}",
        cpus_in_words(first.cpus)
    );
    let mut caption = Caption::new(title.clone(), &its_records, source);
    caption.lines[0] = asked(&points, record, &caption.how);
    let plot = Plot::new(&points, spin_us);
    let mut notes = notes(&points, &caption);
    notes.splice(1..1, shared(&points, record));
    Ok(Some(source.chart("spin.svg", title, plot.svg(&caption, &notes)?)))
}

/// `/spin/100` is 100.
fn spin_us(path: &str) -> f64 {
    path.rsplit('/').next().and_then(|number| number.parse().ok()).filter(|us| *us > 0.0).unwrap_or(1.0)
}

fn cpus_in_words(cpus: usize) -> String {
    if cpus == 1 { "1 CPU".into() } else { format!("{cpus} CPUs") }
}

fn asked(points: &[SpinPoint], record: &Record, how: &str) -> String {
    let clients = points.iter().map(|point| point.clients).max().unwrap_or_default();
    format!(
        "{how}; GET {} ({}), {clients} kept connections, {} s per point; {}, {}.",
        record.path,
        record.tool,
        record.duration_seconds,
        place("server", &record.server_cpus),
        place("generator", &record.generator_cpus)
    )
}

/// What the server does not get, where both have the same CPUs.
fn shared(points: &[SpinPoint], record: &Record) -> Option<String> {
    let shares = || points.iter().map(|point| 100.0 * point.generator_share);
    let (least, most) = (shares().fold(f64::MAX, f64::min).round(), shares().fold(0.0, f64::max).round());
    let share = if least < most { format!("{least} to {most} %") } else { format!("{most} %") };
    (record.server_cpus == record.generator_cpus).then(|| {
        format!("The generator shares the CPUs with the server and takes {share} of their time, so nobody reaches the ideal.")
    })
}

fn notes(points: &[SpinPoint], caption: &Caption) -> Vec<String> {
    let mut notes = vec![
        "Ideal: nothing but the busy time costs anything, and as many CPUs work as there are workers and CPUs. Where each \
         connection keeps a worker for itself, there are only as many clients as workers."
            .to_owned(),
    ];
    let mut signs = vec!["Markers stand side by side at each number of workers."];
    if points.iter().any(|point| look(point) == Look::Hollow) {
        signs.push("Hollow: the generator was the limit, the server could do more.");
    }
    if points.iter().any(|point| look(point) == Look::Cross) {
        signs.push("Cross: some of the clients got no answer at all.");
    }
    signs.extend(caption.whiskers);
    notes.push(signs.join(" "));
    let errors: u64 = points.iter().map(|point| point.errors).sum();
    if errors > 0 {
        notes.push(format!("{errors} requests failed; they are not in the figures."));
    }
    notes.push(caption.not_measured.join("; "));
    notes
}

fn look(point: &SpinPoint) -> Look {
    match point.limiter {
        _ if point.clients_served < point.clients => Look::Cross,
        Limiter::Generator => Look::Hollow,
        _ => Look::Filled,
    }
}

/// The picture: a column for each number of workers, and one for the servers without that option.
struct Plot<'a> {
    series: Vec<Series<'a>>,
    columns: Vec<Option<usize>>,
    y: Scale,
    /// For each column.
    ideal: Vec<f64>,
    spin_us: f64,
}

impl<'a> Plot<'a> {
    fn new(points: &'a [SpinPoint], spin_us: f64) -> Self {
        let mut names: Vec<&str> = points.iter().map(|point| point.stage.as_str()).collect();
        names.sort_unstable_by_key(|name| order(name));
        names.dedup();
        let series = names.into_iter().map(|name| {
            let its: Vec<&SpinPoint> = points.iter().filter(|point| point.stage == name).collect();
            Series { name, title: &its[0].title, style: Style::of(name), points: its }
        });
        let mut columns: Vec<Option<usize>> = points.iter().map(|point| point.workers).collect();
        columns.sort_by_key(|workers| workers.unwrap_or(usize::MAX));
        columns.dedup();
        let ideal_of = |workers: &Option<usize>| {
            let mut here = points.iter().filter(|point| point.workers == *workers);
            here.next().map_or(0.0, |point| point.ideal(spin_us))
        };
        let ideal: Vec<f64> = columns.iter().map(ideal_of).collect();
        let tops = points.iter().map(|point| {
            let speed = &point.requests_per_second;
            speed.interval.map_or(speed.median, |(_, high)| high)
        });
        let y = Scale::from_zero(tops.chain(ideal.iter().copied()), (TOP + PLOT, TOP));
        Self { series: series.collect(), columns, y, ideal, spin_us }
    }

    fn svg(&self, caption: &Caption, notes: &[String]) -> Result<String> {
        let notes = text::wrap_all(notes, SMALL, WIDTH - 2 * MARGIN);
        let legend = TOP + LINE * (self.series.len() as i32 + 2);
        let bottom = (TOP + PLOT).max(legend);
        let height = bottom + 84 + 22 * notes.len() as i32;
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32)).into_drawing_area();
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

    fn width(&self) -> i32 {
        (WIDTH - NUMBERS - LEGEND) / self.columns.len().max(1) as i32
    }

    /// The middle of a column.
    fn middle(&self, column: usize) -> i32 {
        NUMBERS + self.width() * column as i32 + self.width() / 2
    }

    fn place(&self, series: usize, point: &SpinPoint) -> (i32, i32) {
        let column = self.columns.iter().position(|workers| *workers == point.workers).unwrap_or(0);
        // Those that are in this column, so that few stand near the middle.
        let here: Vec<usize> = (0..self.series.len())
            .filter(|&at| self.series[at].points.iter().any(|other| other.workers == point.workers))
            .collect();
        let at = here.iter().position(|&other| other == series).unwrap_or(0) as i32;
        let step = STEP.min(self.width() * 8 / 10 / here.len().max(1) as i32);
        let x = self.middle(column) + (2 * at - (here.len() as i32 - 1)) * step / 2;
        (x, self.y.pixel(point.requests_per_second.median))
    }

    fn axes(&self, root: &Area) -> Drawn {
        let (left, right) = (NUMBERS, NUMBERS + self.width() * self.columns.len() as i32);
        text::write(root, "requests per second (more is better)", NORMAL, (MARGIN, TOP - 26), BLACK, false)?;
        for tick in self.y.ticks(8) {
            let y = self.y.pixel(tick);
            draw(root, PathElement::new(vec![(left, y), (right, y)], GREY.mix(0.35).stroke_width(1)))?;
            text::write(root, &text::number(tick), SMALL, (left - 8, y), BLACK, true)?;
        }
        for (at, workers) in self.columns.iter().enumerate() {
            let edge = left + self.width() * at as i32;
            let line = vec![(edge, TOP), (edge, TOP + PLOT)];
            draw(root, PathElement::new(line, GREY.mix(0.35).stroke_width(1)))?;
            let words = match workers {
                Some(1) => "1 worker".to_owned(),
                Some(workers) => format!("{workers} workers"),
                None => "no --workers".to_owned(),
            };
            let words = text::fit(&words, SMALL, self.width() - 6);
            text::centred(root, &words, SMALL, (self.middle(at), TOP + PLOT + 16), BLACK)?;
            let ideal = self.y.pixel(self.ideal[at]);
            draw(
                root,
                PathElement::new(vec![(edge, ideal), (edge + self.width(), ideal)], BLACK.stroke_width(1)),
            )?;
        }
        Ok(())
    }

    fn points(&self, root: &Area) -> Drawn {
        // Lines first, so that no line covers a marker.
        for (at, one) in self.series.iter().enumerate() {
            let with_workers = one.points.iter().filter(|point| point.workers.is_some());
            let places: Vec<(i32, i32)> = with_workers.map(|point| self.place(at, point)).collect();
            one.style.line(root, &places)?;
        }
        for (at, one) in self.series.iter().enumerate() {
            for point in &one.points {
                let (x, y) = self.place(at, point);
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
        let left = WIDTH - LEGEND + 24;
        let room = WIDTH - MARGIN - left - 56;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busy_time_is_in_the_path() {
        assert_eq!(
            ["/spin/100", "/spin/1", "/spin/0", "/", "/spin/x"].map(spin_us),
            [100.0, 1.0, 1.0, 1.0, 1.0]
        );
    }
}
