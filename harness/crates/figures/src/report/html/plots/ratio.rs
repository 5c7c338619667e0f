//! CPU time per request, over the floor's around it.

use super::{Form, Lab, Plot, Point};
use lab_core::stats::Estimate;
use records::{FLOOR, Pair, Phase, pairs};

pub(super) fn plot(lab: &Lab) -> Plot {
    let pairs = pairs(lab.records);
    let floor = pairs.iter().find(|pair| pair.stage == FLOOR);
    let load = lab.records.iter().find(|record| record.key.phase == Phase::Paired);
    let load = load.map_or(String::new(), |record| {
        format!(" {} kept connections, driven by {}.", record.key.concurrency, record.key.tool)
    });
    Plot {
        id: "ratio",
        title: "CPU time per request, as a multiple of the floor".into(),
        about: format!(
            "Each run stands between two runs of the floor, and is divided by their mean.{load} The band is the floor \
             against itself: what touches it cannot be told from the floor here."
        ),
        picture: "cpu-per-request",
        files: Vec::new(),
        form: Form::Rows,
        y: "server CPU time per request ÷ the floor's",
        x: "",
        doubling: false,
        suffix: "",
        baseline: Some(1.0),
        logarithmic: false,
        choices: Vec::new(),
        points: pairs
            .iter()
            .filter(|pair| pair.ratio.is_finite())
            .filter_map(|pair| point(lab, pair, floor))
            .collect(),
        gaps: Vec::new(),
    }
}

fn point(lab: &Lab, pair: &Pair, floor: Option<&Pair>) -> Option<Point> {
    let rounds = lab.rounds(|record| {
        let is_of_pair = record.key.phase == Phase::Paired && record.key.server == pair.stage;
        record.ratio_to_floor().filter(|_| is_of_pair)
    });
    let note = floor.and_then(|floor| pair.verdict(floor));
    let estimate = Estimate { median: pair.ratio, interval: pair.interval };
    let point = Point::new(lab.server(&pair.stage)?, 0.0, estimate, rounds);
    Some(Point { note: note.map(String::from), ..point })
}
