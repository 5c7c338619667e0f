//! What each idea costs: CPU time per request, and the change from the step before.

use super::data::{Data, Line, Place, servers};
use crate::costs::{Costs, costs, is_in_turns};
use crate::model::{Figure, Panel, Points, Scale, Unit, groups};
use records::{FLOOR, Phase};

/// If it was measured in pairs. The page has the other loads too.
pub(super) fn build(data: &Data) -> Vec<Figure> {
    let all = costs(data, Phase::Paired);
    let Some(first) = all.first() else { return Vec::new() };
    let lines: Vec<Line> = all.iter().flat_map(|costs| costs.lines.iter().copied()).collect();
    let mut points = Points {
        panels: all.iter().map(|costs| panel(costs, costs.load != first.load)).collect(),
        series: servers(&lines),
        dots: true,
        ..Points::default()
    };
    for (at, costs) in all.iter().enumerate() {
        points.add(&costs.lines, false, |_| Some(Place::panel(at)), |record| costs.us(record));
        let steps = costs.steps();
        for point in points.points.iter_mut().filter(|point| point.panel == at) {
            let server = points.series[point.series].server.as_str();
            let step = steps.iter().find(|(_, step, _)| step == server);
            point.text = step.map(|(base, step, change)| format!("{base}→{step} {}", change.text()));
            if server == FLOOR && point.is_drawn() {
                point.text = Some("the floor against itself".into());
            }
            let notes = [point.text.clone(), point.note.take()];
            point.note =
                Some(notes.into_iter().flatten().collect::<Vec<_>>().join("; ")).filter(|n| !n.is_empty());
        }
    }
    points.write_values();
    let colours = groups(&points.series);
    let mut figure = data.figure("what-each-idea-costs", "What does each idea cost?", &lines, points);
    let in_turns = first.lines.iter().all(|line| is_in_turns(line.record));
    let beside = if in_turns { "takes turns with" } else { "stands between two runs of" };
    figure.about = format!(
        "CPU time of the server for one request, with {}. Each run {beside} the floor, a \
         server that reads and writes one constant reply without parsing: the figure is its ratio to the \
         floor's cost there, times the floor's median cost of {} µs. A dot is a round, the marker the median, the line \
         the floor, the grey band the floor measured against itself. At the right the change from the stage \
         that a stage builds on, with its 95 % interval.",
        first.load.words(),
        Unit::Count.text(first.floor_us)
    );
    figure.notes.push(colours);
    if first.straddling > 0 {
        figure.notes.push(format!(
            "{} of {} rounds are left out: the floor's two costs beside them differ by more than 5 %, so the \
             machine changed its clock state in them.",
            first.straddling,
            first.straddling + first.lines.len()
        ));
    }
    vec![figure]
}

fn panel(costs: &Costs, hidden: bool) -> Panel {
    let label = "server CPU time per request, µs (less is better)";
    let floor = costs.sample(FLOOR).times(costs.floor_us).interval();
    Panel {
        hidden,
        lines: Some(costs.floor_us).filter(|floor| floor.is_finite()).into_iter().collect(),
        band: floor.map(|interval| (interval.low, interval.high)),
        ..Panel::new(&costs.load.words(), label, Unit::Count, Scale::Linear)
    }
}
