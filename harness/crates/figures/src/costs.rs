//! What a request costs each server: CPU time as a multiple of the floor's beside it, and in µs, by the
//! floor's own cost in the clock state that most runs share.

use crate::figures::{Data, Line};
use crate::sample::{Change, Sample};
use lab_core::stages;
use lab_core::stats::median;
use records::{FLOOR, Outcome, Phase, Record, order};
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The number of clients that figures show first, and that the floor had in older runs.
const USUAL: usize = 64;

/// What the clients did.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Load {
    /// Kept connections sort first.
    pub(crate) is_short: bool,
    pub(crate) path: String,
    pub(crate) clients: usize,
}

/// All servers under one load.
#[derive(Clone, Debug)]
pub(crate) struct Costs<'a> {
    pub(crate) load: Load,
    /// Those that count.
    pub(crate) lines: Vec<Line<'a>>,
    /// Pairs that were left out, because the machine changed its state in them.
    pub(crate) straddling: usize,
    /// What a request costs the floor, µs.
    pub(crate) floor_us: f64,
    /// Whether the floor beside the pairs had this very load. Older runs had it under the usual number of
    /// clients, whatever the pair's: a ratio of two loads compares no servers.
    pub(crate) is_like_with_like: bool,
}

impl Load {
    pub(crate) fn of(record: &Record) -> Self {
        Self {
            is_short: !record.key.keep_alive,
            path: record.key.path.clone(),
            clients: record.key.concurrency,
        }
    }

    /// `64 clients that keep their connections`.
    pub(crate) fn words(&self) -> String {
        let path = if self.path == "/" { String::new() } else { format!(", {}", self.path) };
        match (self.clients, self.is_short) {
            (1, false) => format!("1 client that keeps its connection{path}"),
            (1, true) => format!("1 client, a connection per request{path}"),
            (clients, false) => format!("{clients} clients that keep their connections{path}"),
            (clients, true) => format!("{clients} clients, a connection per request{path}"),
        }
    }
}

/// The pairs of a phase, by load; the load that figures show first is the first.
pub(crate) fn costs<'a>(data: &Data<'a>, phase: Phase) -> Vec<Costs<'a>> {
    let mut loads: BTreeMap<Load, Vec<Line>> = BTreeMap::new();
    for line in data.of(&[phase]) {
        loads.entry(Load::of(line.record)).or_default().push(line);
    }
    loads.retain(|_, lines| lines.iter().any(|line| line.record.figures().is_some()));
    let mut all: Vec<Costs> =
        loads.into_iter().map(|(load, lines)| of_load(data, phase, load, lines)).collect();
    all.sort_by_key(|costs| {
        let Load { is_short, path, clients } = &costs.load;
        (*is_short, path != "/", clients.abs_diff(USUAL))
    });
    all
}

fn of_load<'a>(data: &Data<'a>, phase: Phase, load: Load, all: Vec<Line<'a>>) -> Costs<'a> {
    let lines: Vec<Line> = all.iter().filter(|line| !line.record.straddles()).copied().collect();
    let of_runs = |line: &Line| lines.iter().any(|other| other.file == line.file);
    let beside = |load: &dyn Fn(&Load) -> bool| {
        let floors = data.of(&[Phase::Floor]).into_iter();
        floors.filter(|line| load(&Load::of(line.record)) && of_runs(line)).collect::<Vec<Line>>()
    };
    let own = beside(&|floor| *floor == load);
    // Every run that the pairs are of, or the medians would mix both kinds.
    let has_own = |line: &Line| own.iter().any(|floor| floor.file == line.file);
    let is_like_with_like = !own.is_empty() && lines.iter().all(has_own);
    // A lone client was compared with the floor under the usual number of clients.
    let is_usual = |floor: &Load| (floor.is_short, &floor.path) == (load.is_short, &load.path);
    let floors = if own.is_empty() && phase == Phase::Clients { beside(&is_usual) } else { own };
    let mut floors: Vec<f64> = data
        .in_one_state(floors)
        .iter()
        .filter_map(|line| line.record.figures()?.cpu_us_per_request)
        .collect();
    // Older data have the floor's cost beside the pairs only.
    if floors.is_empty() {
        floors = data.in_one_state(lines.clone()).iter().filter_map(|line| line.record.floor_us()).collect();
    }
    // Records of before the floor's runs were recorded: it always had the usual number of clients.
    let is_like_with_like =
        is_like_with_like || floors_are_beside_only(data, &lines) && load.clients == USUAL;
    let straddling = all.len() - lines.len();
    Costs { straddling, floor_us: median(&floors).unwrap_or(f64::NAN), load, lines, is_like_with_like }
}

/// Whether these runs have no record of the floor's own.
fn floors_are_beside_only(data: &Data, lines: &[Line]) -> bool {
    let floors = data.of(&[Phase::Floor]);
    !lines.iter().any(|line| floors.iter().any(|floor| floor.file == line.file))
}

/// Whether the floor beside it had as many clients.
pub(crate) fn is_in_turns(record: &Record) -> bool {
    matches!(&record.outcome, Outcome::Paired(pair) if pair.slices.is_some())
}

/// The floor's cost beside a pair, µs.
trait Paired {
    fn floor_us(&self) -> Option<f64>;
}

impl Paired for Record {
    fn floor_us(&self) -> Option<f64> {
        Some(self.figures()?.cpu_us_per_request? / self.ratio_to_floor()?)
    }
}

impl<'a> Costs<'a> {
    /// CPU time per request of a pair, µs, as it would have been in the state that most runs share.
    pub(crate) fn us(&self, record: &Record) -> Option<f64> {
        Some(record.ratio_to_floor()? * self.floor_us)
    }

    /// The servers, in the order of the figures.
    pub(crate) fn servers(&self) -> Vec<&'a str> {
        let mut names: Vec<&str> = self.lines.iter().map(|line| line.record.key.server.as_str()).collect();
        names.sort_by_key(|name| order(name));
        names.dedup();
        names
    }

    /// The ratios of one server.
    pub(crate) fn sample(&self, server: &str) -> Sample {
        let mut sample = Sample::default();
        for line in self.lines.iter().filter(|line| line.record.key.server == server) {
            line.record.ratio_to_floor().into_iter().for_each(|ratio| sample.push(line.file, ratio));
        }
        sample
    }

    /// How far the floor strays from itself: what noise looks like.
    fn noise(&self) -> f64 {
        let floor = self.sample(FLOOR).interval();
        floor.map_or(0.0, |floor| (1.0 - floor.low).max(floor.high - 1.0))
    }

    /// How many times as much one server costs as another.
    pub(crate) fn change(&self, from: &str, to: &str) -> Option<Change> {
        Some(Change { noise: self.noise(), ..self.sample(to).over(&self.sample(from))? })
    }

    /// A server against the floor: its ratios are that already, and the numbers are those of the figure.
    pub(crate) fn over_floor(&self, server: &str) -> Option<Change> {
        let sample = self.sample(server);
        let interval = sample.interval()?;
        Some(Change {
            ratio: sample.median()?,
            low: interval.low,
            high: interval.high,
            rounds: sample.len(),
            noise: self.noise(),
        })
    }

    /// From each step to the next, as far as both were measured: base, step, change.
    pub(crate) fn steps(&self) -> Vec<(String, String, Change)> {
        let step = |server: &&str| {
            let base = base_of(server)?;
            let change = self.change(&base, server)?;
            Some((base, (*server).to_owned(), change))
        };
        self.servers().iter().filter_map(step).collect()
    }
}

/// The stage that a server changes in one thing: what its metadata say, or, where no stage is to be found,
/// the one before it. A twin changes its own stage.
pub(crate) fn base_of(server: &str) -> Option<String> {
    static BASES: OnceLock<BTreeMap<String, String>> = OnceLock::new();
    let bases = BASES.get_or_init(|| {
        let stages = stages::discover().unwrap_or_default();
        let base = |stage: stages::Stage| {
            let number = if stage.is_twin { stage.number } else { stage.compared_with };
            (stage.name, format!("{number:02}"))
        };
        stages.into_iter().map(base).collect()
    });
    let (number, is_twin) = server.split_once('-').map_or((server, false), |(number, _)| (number, true));
    let number: u8 = number.parse().ok()?;
    let before = || format!("{:02}", if is_twin { number } else { number.saturating_sub(1) });
    Some(bases.get(server).cloned().unwrap_or_else(before)).filter(|base| base != "00")
}
