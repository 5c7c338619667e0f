//! What each idea costs: CPU time per request, and the change from the step before.

use super::data::{Data, Line, only, servers};
use super::points::Place;
use crate::costs::{Costs, costs, is_in_turns};
use crate::model::{Figure, Panel, Points, Scale, Unit, groups};
use lab_core::units::count;
use records::{FLOOR, Phase, Record, is_reference};

/// Costs under one load, with those of its servers that are shown.
type Shown<'c, 'a> = (&'c Costs<'a>, Vec<&'a str>);

/// The panel that the picture has. The others have a load each, in µs.
const PICTURE: usize = 0;

/// If it was measured in pairs.
pub(super) fn build(data: &Data) -> Vec<Figure> {
    let all = costs(data, Phase::Paired);
    let Some(first) = all.first() else { return Vec::new() };
    let lines: Vec<Line> = all.iter().flat_map(|costs| costs.lines.iter().copied()).collect();
    let panels = std::iter::once(picture(first)).chain(all.iter().map(|costs| by_load(costs, first)));
    let mut points =
        Points { panels: panels.collect(), series: servers(&lines), dots: true, ..Points::default() };
    let (shown, left_out) = compared(&all);
    for (costs, names) in &shown {
        let its = only(&costs.lines, |record| names.contains(&record.key.server.as_str()));
        points.add(&its, false, |_| Some(Place::panel(PICTURE)), Record::ratio_to_floor);
    }
    for (costs, names) in &left_out {
        let its = only(&costs.lines, |record| names.contains(&record.key.server.as_str()));
        points.add(&its, false, |_| Some(Place::panel(PICTURE)), |_| None);
    }
    for (at, costs) in all.iter().enumerate() {
        points.add(&costs.lines, false, |_| Some(Place::panel(PICTURE + 1 + at)), |record| costs.us(record));
    }
    describe(&mut points, &all, &shown, &left_out);
    let colours = groups(&points.series);
    let mut figure = data.figure("what-each-idea-costs", "What does each idea cost?", &lines, points);
    let in_turns = first.lines.iter().all(|line| is_in_turns(line.record));
    let beside = if in_turns { "takes turns with" } else { "stands between two runs of" };
    figure.about = format!(
        "CPU time of the server for one request, with {}. Each run {beside} the floor, a \
         server that reads a request, parses nothing and writes one constant reply: the figure is the ratio \
         of both costs. In brackets the same in µs: the ratio times what a request costs the floor with as \
         many clients ({} µs with {}). On the logarithmic axis the same factor has the same length \
         everywhere. A dot is a round, the marker the median, the whisker its interval, the vertical line \
         the floor, and the grey band around that line the floor measured against itself: what lies within \
         it cannot be told from the floor. At the right the change from the stage that a stage builds on, \
         with its 95 % interval. nginx and h2o do more for a request (a configuration, virtual hosts, \
         filters) than these servers.",
        first.load.words(),
        Unit::Count.text(first.floor_us),
        count(first.load.clients, "client")
    );
    figure.notes.extend([of_fewer_clients(&shown), colours]);
    let straddling: usize = shown.iter().map(|(costs, _)| costs.straddling).sum();
    if straddling > 0 {
        let counted: usize = shown.iter().map(|(costs, _)| costs.lines.len()).sum();
        figure.notes.push(format!(
            "{straddling} of {} rounds are left out: the floor's two costs beside them differ by more than 5 %, \
             so the machine changed its clock state in them.",
            straddling + counted
        ));
    }
    vec![figure]
}

/// Every server beside the floor. Differences of a few per cent and a factor of eight can be read on one axis
/// if the same factor has the same length everywhere.
fn picture(costs: &Costs) -> Panel {
    let label =
        "server CPU time per request ÷ the floor's with as many clients, logarithmic (less is better)";
    let floor = costs.sample(FLOOR).interval();
    Panel {
        lines: vec![1.0],
        band: floor.map(|interval| (interval.low, interval.high)),
        ..Panel::new("÷ floor", label, Unit::Hundredths, Scale::Log)
    }
}

/// One load, in µs. A floor that had another load is no line in it.
fn by_load(costs: &Costs, first: &Costs) -> Panel {
    let label = "server CPU time per request, µs (less is better)";
    let floor = costs.sample(FLOOR).times(costs.floor_us).interval();
    let is_line = costs.is_like_with_like || costs.load == first.load;
    Panel {
        hidden: true,
        lines: Some(costs.floor_us).filter(|floor| is_line && floor.is_finite()).into_iter().collect(),
        band: floor.map(|interval| (interval.low, interval.high)),
        ..Panel::new(&costs.load.words(), label, Unit::Count, Scale::Linear)
    }
}

/// The servers of the load that figures show first, and those that serve fewer clients, beside the floor with
/// as many; then those that no floor with as many clients was beside.
fn compared<'c, 'a>(all: &'c [Costs<'a>]) -> (Vec<Shown<'c, 'a>>, Vec<Shown<'c, 'a>>) {
    let first = &all[0].load;
    let mut has_row = all[0].servers();
    let (mut shown, mut left_out) = (vec![(&all[0], has_row.clone())], Vec::new());
    let alike = |costs: &&Costs| (costs.load.is_short, &costs.load.path) == (first.is_short, &first.path);
    for costs in all.iter().skip(1).filter(alike) {
        let mut names = costs.servers();
        names.retain(|name| !has_row.contains(name) && !is_reference(name));
        has_row.extend(&names);
        match names.is_empty() {
            true => {}
            false if costs.is_like_with_like => shown.push((costs, names)),
            false => left_out.push((costs, names)),
        }
    }
    (shown, left_out)
}

/// What stands beside each row, and the notes.
fn describe(points: &mut Points, all: &[Costs], shown: &[Shown], left_out: &[Shown]) {
    let series = points.series.clone();
    let of = |shown: &[Shown], server: &str| {
        let is_here = |(_, names): &&Shown| names.contains(&server);
        shown.iter().find(is_here).map(|(costs, _)| costs.load.clone())
    };
    for point in &mut points.points {
        let server = series[point.series].server.as_str();
        let load = match point.panel {
            PICTURE => of(shown, server).or_else(|| of(left_out, server)),
            panel => Some(all[panel - PICTURE - 1].load.clone()),
        };
        let Some(costs) = all.iter().find(|costs| Some(&costs.load) == load.as_ref()) else { continue };
        let with = count(costs.load.clients, "client");
        if point.panel == PICTURE && of(left_out, server).is_some() {
            point.note = Some(format!("not compared: it had {with}, and the floor beside it more"));
            continue;
        }
        let step = costs.steps().into_iter().find(|(_, step, _)| step == server);
        let words = match step {
            Some((base, step, change)) => Some(format!("{base}→{step} {}", change.text())),
            None if server == FLOOR && point.is_drawn() => Some("the floor against itself".into()),
            None => None,
        };
        let with = if costs.load == all[0].load { String::new() } else { format!(" with {with}") };
        let value = match point.panel {
            PICTURE => {
                let us = Unit::Count.text(point.value * costs.floor_us);
                format!("{} ({us} µs{with})", Unit::Hundredths.text(point.value))
            }
            _ => Unit::Count.text(point.value),
        };
        let notes = [words.clone(), point.note.take()].into_iter().flatten().collect::<Vec<_>>().join("; ");
        point.note = Some(notes).filter(|notes| !notes.is_empty());
        point.text = Some([Some(value), words].into_iter().flatten().collect::<Vec<_>>().join(", "));
    }
}

/// Which servers have another load than the others.
fn of_fewer_clients(shown: &[Shown]) -> String {
    let word =
        |(costs, names): &Shown| format!("{} with {}", names.join(", "), count(costs.load.clients, "client"));
    let words: Vec<String> = shown.iter().skip(1).map(word).collect();
    if words.is_empty() {
        return String::new();
    }
    format!(
        "Measured with fewer clients, since they serve no more at a time, and beside the floor with as many: \
         {}. Between different numbers of clients no change is told.",
        words.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::Source;
    use crate::model::Marker;
    use records::sample::{paired, record};
    use std::path::Path;

    fn pairs(server: &str, clients: usize, ratio: f64) -> Vec<Record> {
        let pair = |round: u32| {
            let us = 10.0 * ratio * (1.0 + 0.001 * f64::from(round));
            let mut pair = paired(record(server, "builtin", clients, true, 1e6 / us), [10.0, 10.0]);
            pair.context.round = round;
            pair
        };
        (1..=7).map(pair).collect()
    }

    fn floor(clients: usize) -> Record {
        let mut floor = record(FLOOR, "builtin", clients, true, 1e5);
        floor.key.phase = Phase::Floor;
        floor
    }

    fn points(records: Vec<Record>) -> Points {
        let sources = [Source { path: "data/x.jsonl".into(), records, ..Source::default() }];
        let figure = build(&Data::new(&sources, Path::new("."))).remove(0);
        figure.points().expect("points").clone()
    }

    fn in_picture<'a>(points: &'a Points, server: &str) -> &'a crate::model::Point {
        let series = points.series.iter().position(|series| series.server == server).expect("a series");
        points.points.iter().find(|p| (p.panel, p.series) == (PICTURE, series)).expect("a point")
    }

    /// Protects from a ratio of two loads: a lone client's request costs any server more than one of 64.
    #[test]
    fn a_server_of_one_client_is_in_the_picture_only_beside_the_floor_with_one_client() {
        let pairs = || [pairs("04", 64, 1.1), pairs("05", 64, 1.2), pairs("01", 1, 7.9)].concat();
        let alike = points([pairs(), vec![floor(64), floor(1)]].concat());
        let one = in_picture(&alike, "01");
        assert!((one.value / 7.9 - 1.0).abs() < 0.01, "{one:?}");
        let text = one.text.as_deref().expect("words");
        assert!(text.starts_with("7.93 (79.3 µs with 1 client)") && !text.contains('→'), "{text}");
        let older = points([pairs(), vec![floor(64)]].concat());
        let one = in_picture(&older, "01");
        assert_eq!(one.marker, Marker::Missed);
        assert_eq!(
            older.why_not(one.series, PICTURE),
            "not compared: it had 1 client, and the floor beside it more"
        );
        let text = in_picture(&older, "05").text.clone().expect("words");
        assert!(text.contains("04→05 +9 % ["), "{text}");
    }

    /// Protects the small differences: what a factor of eight leaves of the axis must tell 5 % apart.
    #[test]
    fn the_axis_is_logarithmic_and_begins_at_no_zero() {
        let points = points([pairs("04", 64, 1.0), vec![floor(64)]].concat());
        let axis = &points.panels[PICTURE].axis;
        assert!(axis.scale == Scale::Log && axis.label.contains("logarithmic"), "{axis:?}");
        assert_eq!((points.drawn(), &points.panels[PICTURE].lines), (vec![PICTURE], &vec![1.0]));
    }
}
