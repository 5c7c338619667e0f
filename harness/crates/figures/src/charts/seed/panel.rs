//! The picture of the two tables.

use super::super::caption::Caption;
use super::super::scale::Scale;
use super::super::style::{Area, Drawn, GREY, Look, draw};
use super::super::text::{self, DARK, MARGIN, NORMAL, SMALL};
use super::Line;
use anyhow::Result;
use plotters::prelude::*;
use std::iter;

pub(super) const WIDTH: i32 = 1240;
const TOP: i32 = 212;
/// Above a panel.
const LEGEND: i32 = TOP - 42;
const PLOT: i32 = 360;
/// For the labels left and right of a panel.
const LABELS: i32 = 96;
/// Below the logarithmic scale, where there is a zero; and how far from its end that lies.
const ZERO: (i32, i32) = (34, 8);

/// webbench's unit is a page per minute.
const PER_MINUTE: f64 = 60.0;

/// The two pictures, `ours` under the title `here`, and the notes.
pub(super) fn svg(
    ours: &[Line],
    here: &str,
    theirs: &[Line],
    notes: &[String],
    caption: &Caption,
) -> Result<String> {
    let notes = text::wrap_all(notes, SMALL, WIDTH - 2 * MARGIN);
    let bottom = TOP + PLOT;
    let height = bottom + 84 + 22 * notes.len() as i32;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32)).into_drawing_area();
        root.fill(&WHITE)?;
        text::header(&root, &caption.title, &caption.lines)?;
        let half = WIDTH / 2;
        let lines = || ours.iter().chain(theirs);
        let y = Speeds::of(lines());
        let clients: Vec<usize> = lines().flat_map(Line::points).map(|point| point.clients).collect();
        panel(&root, ours, &clients, &y, here, (LABELS, half - LABELS))?;
        let title = "Published in seed 002 (its test 1; another machine)";
        panel(&root, theirs, &clients, &y, title, (half + LABELS, WIDTH - LABELS))?;
        for (at, line) in notes.iter().enumerate() {
            text::write(&root, line, SMALL, (MARGIN, bottom + 76 + 22 * at as i32), DARK, false)?;
        }
        root.present()?;
    }
    Ok(svg)
}

/// Whether there is a figure that has no place on a logarithmic axis.
pub(super) fn reaches_zero<'a>(lines: impl IntoIterator<Item = &'a Line>) -> bool {
    ends(lines).any(|pages| pages <= 0.0)
}

/// All that must be on the axis, in pages per minute.
fn ends<'a>(lines: impl IntoIterator<Item = &'a Line>) -> impl Iterator<Item = f64> {
    lines.into_iter().flat_map(Line::points).flat_map(|point| {
        let (low, high) = point.interval.unwrap_or((point.pages, point.pages));
        [low, point.pages, high]
    })
}

/// The same for both panels, and logarithmic: the machines differ by a factor, and a factor has the same height everywhere.
struct Speeds {
    scale: Scale,
    /// Below the scale, if something is zero.
    zero: Option<i32>,
}

impl Speeds {
    fn of<'a>(lines: impl Iterator<Item = &'a Line> + Clone) -> Self {
        let bottom = TOP + PLOT;
        let has_zero = reaches_zero(lines.clone());
        let (room, place) = if has_zero { ZERO } else { (0, 0) };
        let scale = Scale::log(ends(lines).map(|pages| pages / PER_MINUTE), (bottom - room, TOP));
        Self { scale, zero: has_zero.then_some(bottom - place) }
    }

    /// Where so many pages per minute are.
    fn pixel(&self, pages: f64) -> i32 {
        match self.zero {
            Some(zero) if pages <= 0.0 => zero,
            _ => self.scale.pixel(pages / PER_MINUTE),
        }
    }

    /// Requests per second at a height. Round numbers of them are round numbers of pages per minute too, but not the other
    /// way round.
    fn ticks(&self) -> Vec<(i32, f64)> {
        let ticks = self.scale.ticks(9).into_iter().map(|tick| (self.scale.pixel(tick), tick));
        ticks.chain(self.zero.map(|zero| (zero, 0.0))).collect()
    }
}

/// `clients` are those of both panels.
fn panel(
    root: &Area,
    lines: &[Line],
    clients: &[usize],
    y: &Speeds,
    title: &str,
    (left, right): (i32, i32),
) -> Drawn {
    let bottom = TOP + PLOT;
    let x = Scale::log(clients.iter().map(|&clients| clients as f64), (left, right));
    text::write(root, title, NORMAL, (left, LEGEND - 28), BLACK, false)?;
    legend(root, lines, left)?;
    text::write(root, "pages per minute", SMALL, (left, TOP - 16), DARK, false)?;
    text::write(root, "requests per second", SMALL, (right, TOP - 16), DARK, true)?;
    for (at, tick) in y.ticks() {
        draw(root, PathElement::new(vec![(left, at), (right, at)], GREY.mix(0.35).stroke_width(1)))?;
        text::write(root, &text::number(PER_MINUTE * tick), SMALL, (left - 8, at), BLACK, true)?;
        text::write(root, &text::number(tick), SMALL, (right + 8, at), BLACK, false)?;
    }
    for (at, label) in ticks(clients, &x) {
        draw(root, PathElement::new(vec![(at, TOP), (at, bottom)], GREY.mix(0.2).stroke_width(1)))?;
        text::centred(root, &label, SMALL, (at, bottom + 14), BLACK)?;
    }
    text::write(
        root,
        "clients at once (each makes a connection for each page)",
        NORMAL,
        (left, bottom + 40),
        BLACK,
        false,
    )?;
    for line in lines {
        for stretch in &line.stretches {
            let places: Vec<(i32, i32)> =
                stretch.iter().map(|point| (x.pixel(point.clients as f64), y.pixel(point.pages))).collect();
            line.style.line(root, &places)?;
            for (point, place) in stretch.iter().zip(places) {
                if let Some((low, high)) = point.interval {
                    let ends = vec![(place.0, y.pixel(low)), (place.0, y.pixel(high))];
                    draw(root, PathElement::new(ends, line.style.colour.stroke_width(2)))?;
                }
                line.style.mark(root, place, point.look)?;
            }
        }
    }
    Ok(())
}

/// The most and the least, and the decades between as far as their labels do not touch: the others would.
fn ticks(clients: &[usize], x: &Scale) -> Vec<(i32, String)> {
    let most = clients.iter().copied().max().unwrap_or(1);
    let least = clients.iter().copied().min().unwrap_or(1);
    let mut decades: Vec<usize> = iter::successors(Some(1_usize), |decade| decade.checked_mul(10))
        .take_while(|decade| *decade < most)
        .filter(|decade| *decade > least)
        .collect();
    decades.reverse();
    let labels = [most, least].into_iter().chain(decades).map(|clients| clients as f64);
    text::apart(labels.map(|clients| (x.pixel(clients), text::number(clients))), SMALL)
}

/// The lines that are in the panel.
fn legend(root: &Area, lines: &[Line], left: i32) -> Drawn {
    let mut x = left;
    for line in lines.iter().filter(|line| line.points().next().is_some()) {
        line.style.line(root, &[(x, LEGEND), (x + 44, LEGEND)])?;
        line.style.mark(root, (x + 22, LEGEND), Look::Filled)?;
        text::write(root, &line.name, SMALL, (x + 52, LEGEND), BLACK, false)?;
        x += 52 + text::width(&line.name, SMALL) + 18;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(clients: &[usize]) -> Vec<String> {
        let x = Scale::log(clients.iter().map(|&clients| clients as f64), (0, 428));
        let mut ticks = ticks(clients, &x);
        ticks.sort_unstable();
        ticks.into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn the_ticks_follow_the_numbers_of_clients() {
        assert_eq!(labels(&[1, 2, 5, 2500, 3000]), ["1", "10", "100", "1,000", "3,000"]);
        assert_eq!(labels(&[1, 3000, 20_000]), ["1", "10", "100", "1,000", "20,000"]);
        assert_eq!(labels(&[5]), ["5"]);
        assert_eq!(labels(&[5, 64]), ["5", "10", "64"]);
    }
}
