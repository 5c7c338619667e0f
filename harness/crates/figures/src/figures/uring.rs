//! Which feature of io_uring bought what, and where epoll wins.

use super::data::{Data, Line, distinct, only};
use super::legend::skipped;
use super::points::Place;
use crate::model::{Axis, Figure, Panel, Points, Scale, Series, Style, Unit};
use lab_core::units::bytes;
use records::{Phase, Record};

/// A picture for each length of the reply: the cost of a request with one feature switched, over that of
/// stage 11 as it is, against the number of clients.
pub(super) fn build(data: &Data) -> Vec<Figure> {
    let lines = data.of(&[Phase::Uring]);
    let measured = only(&lines, |record| record.figures().is_some() && !record.straddles());
    if measured.is_empty() {
        return Vec::new();
    }
    let mut paths = distinct(&measured, |record| record.key.path.as_str());
    paths.sort_by_key(|path| length(path));
    let panel = |path: &&str| Panel {
        lines: vec![1.0],
        ..Panel::new(
            &format!("reply of {}", bytes(length(path) as f64)),
            "CPU time of a request ÷ that of stage 11 as it is (less is better)",
            Unit::Hundredths,
            Scale::Log,
        )
    };
    let mut points = Points {
        x: Some(Axis { label: "clients at once".into(), scale: Scale::Log, ..Axis::default() }),
        panels: paths.iter().map(panel).collect(),
        series: switches(&measured),
        ..Points::default()
    };
    for (at, path) in paths.iter().enumerate() {
        let its = only(&measured, |record| record.key.path == *path);
        let place = |record: &Record| Some(Place { panel: at, mark: 0, x: record.key.concurrency as f64 });
        points.add(&its, false, place, Record::ratio_to_floor);
    }
    let title = "When does io_uring win, and which of its features does it?";
    let mut figure = data.figure("uring", title, &lines, points);
    figure.about = "Each line is stage 11 with one feature switched, or stage 10, which does the same with epoll, in \
                    turns with stage 11 as it is. Above the line at 1 the switch costs CPU time, below it saves some; \
                    how far \"as it is\" strays from 1 is how small a difference can be told. SQPOLL's thread runs \
                    in the server's process and on its CPU, and its time counts. Bundles and incremental buffers \
                    change how requests arrive, and these are short: they show what the switch costs, not what \
                    it saves with uploads. The registered buffer is the filler of long replies: compare it with \
                    the zero-copy send beside it."
        .into();
    figure.notes.push(skipped(&lines));
    vec![figure]
}

/// How stage 11 without any switch is called.
const AS_IT_IS: &str = "as it is";

/// The length of a reply's body.
pub(crate) fn length(path: &str) -> usize {
    path.strip_prefix("/bytes/").and_then(|length| length.parse().ok()).unwrap_or(13)
}

/// What was switched: a name each; epoll first, then stage 11 as it is.
fn switches(lines: &[Line]) -> Vec<Series> {
    let titles = distinct(lines, |record| {
        let title = record.key.title.as_str();
        (record.key.server.as_str(), title != AS_IT_IS, title)
    });
    let series = |(at, (server, _, title)): (usize, (&str, bool, &str))| Series {
        server: server.to_owned(),
        name: title.to_owned(),
        label: title.to_owned(),
        style: Style::series(at),
        remark: None,
    };
    titles.into_iter().enumerate().map(series).collect()
}
