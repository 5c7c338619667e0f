//! How many requests one CPU can serve, by what each of them costs.

use super::data::{Data, Line, cost, nearest, only, servers, tools};
use super::points::Place;
use crate::costs::costs;
use crate::model::{Figure, Panel, Points, Scale, Unit, groups};
use records::{Phase, Record};

const SECOND: f64 = 1e6;

/// CPU time per request, µs.
type Us<'a> = Box<dyn Fn(&Record) -> Option<f64> + 'a>;

/// What a request costs where the clients keep their connections, or make one for each request.
struct Kind<'a> {
    lines: Vec<Line<'a>>,
    us: Us<'a>,
}

/// Kept and short connections beside each other.
pub(super) fn build(data: &Data) -> Vec<Figure> {
    let kinds = [false, true].map(|is_short| kind(data, is_short));
    let lines: Vec<Line> = kinds.iter().flatten().flat_map(|kind| kind.lines.iter().copied()).collect();
    if lines.is_empty() {
        return Vec::new();
    }
    let label = "requests per second of one CPU (more is better)";
    let names = ["connections kept", "a connection per request"];
    let panel = |at: usize| Panel {
        hidden: kinds[at].is_none(),
        ..Panel::new(names[at], label, Unit::Count, Scale::Linear)
    };
    let mut points =
        Points { panels: vec![panel(0), panel(1)], series: servers(&lines), bars: true, ..Points::default() };
    for (at, kind) in kinds.iter().enumerate() {
        let Some(Kind { lines, us }) = kind else { continue };
        let capacity = |record: &Record| us(record).filter(|us| *us > 0.0).map(|us| SECOND / us);
        points.add(lines, false, |_| Some(Place::panel(at)), capacity);
    }
    points.write_values();
    let colours = groups(&points.series);
    let title = "How many requests can one CPU serve?";
    let mut figure = data.figure("capacity", title, &lines, points);
    figure.about =
        "One second divided by the server's CPU time per request: what one CPU could serve if it did \
         nothing else and the clients never were the limit. Requests per second as the tools see them are \
         in the figures by tool."
            .into();
    figure.notes.push(colours);
    vec![figure]
}

/// From pairs, or, where there are none, from the rounds in the clock state that most share.
fn kind<'a>(data: &Data<'a>, is_short: bool) -> Option<Kind<'a>> {
    if let Some(costs) = costs(data, Phase::Paired).into_iter().find(|costs| costs.load.is_short == is_short)
    {
        let lines = costs.lines.clone();
        return Some(Kind { lines, us: Box::new(move |record| costs.us(record)) });
    }
    let all = only(&data.survey(), |record| record.key.keep_alive != is_short);
    let tool = *tools(&all).first()?;
    let its = only(&all, |record| record.key.tool == tool);
    let clients = nearest(&its)?;
    let lines = data.in_one_state(only(&its, |record| record.key.concurrency == clients));
    Some(Kind { lines, us: Box::new(cost) })
}
