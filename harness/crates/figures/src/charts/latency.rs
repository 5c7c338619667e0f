//! How long requests wait at a share of the server's own peak: a small picture for each server, all with the same axes.

use super::caption::Caption;
use super::scale::Scale;
use super::source::{Chart, Source};
use super::style::{Area, Drawn, GREY, Look, Style, draw};
use super::text::{self, DARK, MARGIN, NORMAL, SMALL};
use anyhow::Result;
use lab_core::stats::Estimate;
use plotters::prelude::*;
use records::{LatencyCurve, LatencyPoint, Limiter, Phase, Record, label, latencies, order};

const WIDTH: i32 = 1240;
const TOP: i32 = 164;
const LEGEND: i32 = 132;
const COLUMNS: usize = 4;
/// What the shares are of.
const AXIS: &str = "share of the server's own peak";
/// Left of the pictures, for the times.
const TIMES: i32 = 84;
/// Of one picture, its name and its space included.
const HEIGHT: i32 = 240;
/// Above the axes of a picture, for its name and its peak.
const HEAD: i32 = 44;
/// Beside them.
const GAP: i32 = 26;
/// Below them, for the shares.
const SHARES: i32 = 46;
/// The percentiles of one point stand so far apart, since two of them may be equal.
const ASIDE: i32 = 9;

/// What stands for a point that has no latency.
const ARROW: ShapeStyle = ShapeStyle { color: RGBAColor(0, 0, 0, 1.0), filled: false, stroke_width: 2 };

/// One of a point's percentiles.
type Percentile = fn(&LatencyPoint) -> Estimate;

/// What is drawn of a distribution.
const PERCENTILES: [(&str, Percentile); 3] = [
    ("half of the requests (p50)", |point| point.p50),
    ("99 of 100 (p99)", |point| point.p99),
    ("999 of 1,000 (p99.9)", |point| point.p99_9),
];

/// The open loops of each server, if there are any.
pub(super) fn chart(records: &[Record], source: &Source) -> Result<Option<Chart>> {
    let mut curves = latencies(records);
    if curves.is_empty() {
        return Ok(None);
    }
    curves.sort_by(|one, other| order(&one.stage).cmp(&order(&other.stage)));
    let its_records: Vec<&Record> =
        records.iter().filter(|record| record.phase == Phase::Latency && !record.dropped).collect();
    let title = "How long requests wait, at a share of each server's own peak (open loop)".to_owned();
    let caption = Caption::new(title.clone(), &its_records, source);
    let svg = svg(&curves, &caption)?;
    Ok(Some(source.chart("latency.svg", title, svg)))
}

fn svg(curves: &[LatencyCurve], caption: &Caption) -> Result<String> {
    let notes = text::wrap_all(&notes(curves, caption), SMALL, WIDTH - 2 * MARGIN);
    let lines = curves.len().div_ceil(COLUMNS) as i32;
    let bottom = TOP + HEIGHT * lines + 16;
    let height = bottom + 20 + 22 * notes.len() as i32;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32)).into_drawing_area();
        root.fill(&WHITE)?;
        text::header(&root, &caption.title, &caption.lines)?;
        legend(&root)?;
        for (at, curve) in curves.iter().enumerate() {
            let panel = Panel::new(at, curves);
            panel.axes(&root, at % COLUMNS == 0, at + COLUMNS >= curves.len())?;
            panel.curve(&root, curve)?;
        }
        for (at, line) in notes.iter().enumerate() {
            text::write(&root, line, SMALL, (MARGIN, bottom + 22 + 22 * at as i32), DARK, false)?;
        }
        root.present()?;
    }
    Ok(svg)
}

/// The picture of one server.
struct Panel {
    left: i32,
    top: i32,
    x: Scale,
    y: Scale,
    shares: Vec<f64>,
}

impl Panel {
    fn new(at: usize, curves: &[LatencyCurve]) -> Self {
        let width = (WIDTH - TIMES - MARGIN) / COLUMNS as i32;
        let left = TIMES + width * (at % COLUMNS) as i32;
        let top = TOP + HEIGHT * (at / COLUMNS) as i32;
        let points = || curves.iter().flat_map(|curve| &curve.points);
        let mut shares: Vec<f64> = points().map(|point| point.share_of_peak).collect();
        shares.sort_by(f64::total_cmp);
        shares.dedup();
        let (least, most) = (shares[0] - 0.05, shares[shares.len() - 1] + 0.05);
        let reached = points().filter(|point| point.reached);
        let times = reached.flat_map(|point| PERCENTILES.map(|(_, of)| of(point)));
        let times = times.flat_map(|time| time.interval.map_or([time.median; 2], <[f64; 2]>::from));
        Self {
            left,
            top,
            x: Scale::between(least, most, (left, left + width - GAP)),
            y: Scale::log(times, (top + HEIGHT - SHARES, top + HEAD)),
            shares,
        }
    }

    fn axes(&self, root: &Area, first: bool, last: bool) -> Drawn {
        let ends = self.x.ends();
        let rows = self.y.ends();
        for tick in self.y.ticks(6) {
            let y = self.y.pixel(tick);
            draw(root, PathElement::new(vec![(ends.0, y), (ends.1, y)], GREY.mix(0.35).stroke_width(1)))?;
            if first {
                text::write(root, &time(tick), SMALL, (TIMES - 10, y), BLACK, true)?;
            }
        }
        for &share in &self.shares {
            let x = self.x.pixel(share);
            draw(root, PathElement::new(vec![(x, rows.0), (x, rows.1)], GREY.mix(0.2).stroke_width(1)))?;
            let words = format!("{:.0} %", 100.0 * share);
            text::centred(root, &words, SMALL, (x, rows.0 + 14), BLACK)?;
        }
        if last {
            text::write(root, AXIS, NORMAL, (ends.0, rows.0 + 36), BLACK, false)?;
        }
        draw(root, PathElement::new(vec![(ends.0, rows.0), (ends.1, rows.0)], GREY.stroke_width(1)))
    }

    fn curve(&self, root: &Area, curve: &LatencyCurve) -> Drawn {
        let room = self.x.ends().1 - self.left;
        let name = text::fit(&label(&curve.stage, &curve.title), SMALL, room);
        text::write(root, &name, SMALL, (self.left, self.top + 8), BLACK, false)?;
        let peak = text::fit(&peak(curve), SMALL, room);
        text::write(root, &peak, SMALL, (self.left, self.top + 28), DARK, false)?;
        for point in curve.points.iter().filter(|point| !point.reached) {
            let (x, y) = (self.x.pixel(point.share_of_peak), self.y.ends().1);
            draw(root, PathElement::new(vec![(x, y), (x, y + 26)], ARROW))?;
            draw(root, PathElement::new(vec![(x - 6, y + 9), (x, y), (x + 6, y + 9)], ARROW))?;
        }
        for (series, (_, of)) in PERCENTILES.iter().enumerate() {
            let style = Style::series(series);
            let aside = ASIDE * (series as i32 - 1);
            let at = |point: &LatencyPoint| {
                (self.x.pixel(point.share_of_peak) + aside, self.y.pixel(of(point).median))
            };
            // A line does not run through a share at which there is no latency.
            for piece in curve.points.split(|point| !point.reached) {
                style.faint_line(root, &piece.iter().map(at).collect::<Vec<_>>())?;
            }
            for point in curve.points.iter().filter(|point| point.reached) {
                let (x, y) = at(point);
                if let Some((low, high)) = of(point).interval {
                    let ends = vec![(x, self.y.pixel(low)), (x, self.y.pixel(high))];
                    draw(root, PathElement::new(ends, style.colour.stroke_width(2)))?;
                }
                style.mark(root, (x, y), look(point))?;
            }
        }
        Ok(())
    }
}

fn look(point: &LatencyPoint) -> Look {
    match point.limiter {
        Limiter::Generator => Look::Hollow,
        Limiter::Clients => Look::Cross,
        Limiter::Server | Limiter::Neither | Limiter::Unreached => Look::Filled,
    }
}

/// `100 % = 61,000/s; late: 0.2 %`: what the shares are of, and how far the loop was not open.
fn peak(curve: &LatencyCurve) -> String {
    let peaks: Vec<f64> = curve.points.iter().map(|point| point.rate / point.share_of_peak).collect();
    let peak = lab_core::stats::median(&peaks).unwrap_or_default();
    let reached = curve.points.iter().filter(|point| point.reached);
    let late = reached.map(|point| point.late_share).fold(0.0, f64::max);
    let late = match 100.0 * late {
        none if none < 0.05 => String::new(),
        few => format!("; late: {few:.1} %"),
    };
    format!("100 % = {}/s{late}", text::number(peak.round()))
}

fn legend(root: &Area) -> Drawn {
    let mut x = TIMES;
    for (series, (name, _)) in PERCENTILES.iter().enumerate() {
        let style = Style::series(series);
        style.line(root, &[(x, LEGEND), (x + 44, LEGEND)])?;
        style.mark(root, (x + 22, LEGEND), Look::Filled)?;
        let name = format!("{name} waited at most");
        text::write(root, &name, SMALL, (x + 54, LEGEND), BLACK, false)?;
        x += 54 + text::width(&name, SMALL) + 30;
    }
    Ok(())
}

fn notes(curves: &[LatencyCurve], caption: &Caption) -> Vec<String> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let mut notes = vec![
        "Requests leave at fixed times, whether answers come or not; a wait counts from the intended time of sending. \
         Each server has its own peak, so compare the shapes at a share, not at a rate. The peak (100 %) is what the \
         built-in generator, which sends these requests too, got from the server in a closed loop just before; it is not \
         wrk's figure. p50, p99 and p99.9 of one share stand side by side."
            .to_owned(),
    ];
    if points().any(|point| !point.reached) {
        notes.push(
            "Arrow at the top edge: the rate was not reached, because of the server, the generator or other programs. How \
             long a request waits then depends on how long one measures, so there is no latency to show."
                .to_owned(),
        );
    }
    let reached = || points().filter(|point| point.reached);
    let mut signs = Vec::new();
    if reached().any(|point| point.late_share >= 0.0005) {
        signs.push(
            "Late: requests that left more than a millisecond after their time, or never, at the worst share; their \
             waiting is in the figures.",
        );
    }
    if reached().any(|point| look(point) == Look::Hollow) {
        signs.push("Hollow: the generator was the limit, so part of the waiting is its own.");
    }
    if reached().any(|point| look(point) == Look::Cross) {
        signs.push("Cross: some of the clients got no answer at all.");
    }
    signs.extend(caption.whiskers);
    notes.push(signs.join(" "));
    let errors: u64 = points().map(|point| point.errors).sum();
    if errors > 0 {
        notes.push(format!("{errors} requests failed; they are in no percentile."));
    }
    notes.push(caption.not_measured.join("; "));
    notes
}

/// `250 µs`, `1 ms`, `2 s`.
pub(super) fn time(us: f64) -> String {
    match us {
        small if small < 1e3 => format!("{small} µs"),
        middle if middle < 1e6 => format!("{} ms", middle / 1e3),
        large => format!("{} s", large / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_the_unit_that_keeps_it_short() {
        assert_eq!([50.0, 1e3, 2e4, 5e6].map(time), ["50 µs", "1 ms", "20 ms", "5 s"]);
    }
}
