//! What a step costs, for the chapter of its stage: the stage beside the stage that it builds on, one
//! sentence that says what can and what cannot be told apart, and a small picture.
//!
//! Runs are put together, and medians, intervals and changes computed, where the figures of the report do it:
//! a chapter and the report cannot disagree.

use crate::charts::newest_of_all;
use crate::costs::{Costs, costs};
use crate::figures::{Data, Source, concurrency, context_switches, idle_memory, slow, stealing};
use crate::model::{Figure, Interval, NONE, Panel, Point, Points, Unit};
use crate::output::clean;
use crate::sample::{Change, Sample};
use crate::svg::{Row as Drawn, small};
use anyhow::Result;
use lab_core::units::count;
use records::{Content, FLOOR, Phase, Record};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The newest data of a directory: the runs of one commit, and the newest file of each other kind.
#[derive(Debug)]
pub struct Newest {
    sources: Vec<Source>,
    /// The figures of the report that a chapter quotes.
    slow: Vec<Figure>,
    idle: Vec<Figure>,
    switches: Vec<Figure>,
    concurrency: Vec<Figure>,
    stealing: Vec<Figure>,
}

/// What a step costs.
#[derive(Clone, Debug)]
pub struct Cost {
    /// A measure each.
    pub rows: Vec<Row>,
    /// What can be told apart, and what cannot.
    pub sentence: String,
    /// The files of records that it was computed from.
    pub files: Vec<PathBuf>,
    /// Where nothing is known of a measure: what records it.
    pub missing: Vec<String>,
    /// The picture, as SVG; none where no cost was measured.
    pub picture: Option<String>,
}

/// One measure.
#[derive(Clone, Debug)]
pub struct Row {
    /// What is measured, with its unit.
    pub measure: String,
    /// The stage that this one builds on, if there is one. A text or the reason why there is no figure.
    pub base: Option<String>,
    /// This stage.
    pub stage: String,
    /// From the one to the other, in words.
    pub change: String,
}

/// A server's value of one measure.
struct Value {
    sample: Sample,
    unit: Unit,
    /// Under which load, where that is not the usual one.
    load: Option<String>,
}

/// How two servers compare by one measure.
enum Compared {
    Apart(String),
    Alike,
    /// Why nothing can be said.
    Not(String),
}

/// A measure of both servers, or why there is none.
struct Measured {
    name: &'static str,
    /// In the middle of a sentence.
    short: &'static str,
    content: Content,
    base: Option<Result<Value, String>>,
    stage: Result<Value, String>,
    compared: Option<Compared>,
}

impl Newest {
    /// Reads them. A directory without data is no error: each measure then says what records it.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn open(directory: &Path) -> Result<Self> {
        let sources = newest_of_all(directory).into_iter().map(|file| Source::open(&file));
        let sources: Vec<Source> = sources.collect::<Result<_>>()?;
        let data = Data::new(&sources, Path::new("."));
        let (slow, idle) = (slow::build(&data), idle_memory::build(&data));
        let (concurrency, stealing) = (concurrency::build(&data), stealing::build(&data));
        // The figure has each tool and load; a chapter quotes one, and drawing rounds again takes its time.
        let quoted = sources.iter().map(|source| {
            let is_quoted = |record: &&Record| record.key.tool == "builtin" && record.key.keep_alive;
            let records = source.records.iter().filter(is_quoted).cloned().collect();
            Source { records, ..source.clone() }
        });
        let quoted: Vec<Source> = quoted.collect();
        let switches = context_switches::build(&Data::new(&quoted, Path::new(".")));
        Ok(Self { sources, slow, idle, switches, concurrency, stealing })
    }

    /// What the step from `base` to `stage` costs: names as records have them, `04` and `05`, each with its
    /// title.
    ///
    /// # Errors
    ///
    /// The picture cannot be drawn.
    pub fn cost(&self, base: Option<(&str, &str)>, stage: (&str, &str)) -> Result<Cost> {
        let data = Data::new(&self.sources, Path::new("."));
        let all = costs(&data, Phase::Paired);
        let names = (base.map(|(name, _)| name), stage.0);
        let mut measured: Vec<Measured> =
            [false, true].map(|is_short| of_costs(&all, is_short, names)).into();
        let of = |figures: &[Figure], content, words, panel: &dyn Fn(&str) -> bool, mark| {
            of_figure(figures.first(), (content, words), panel, mark, names)
        };
        let over = |panel: &str| panel == "over 5 ms";
        let p99 = |panel: &str| panel == "p99";
        let any = |_: &str| true;
        let kept = |panel: &str| panel.starts_with("builtin") && panel.ends_with("kept");
        measured.extend([
            of(&self.slow, Content::Slow, OVER, &over, 0),
            of(&self.slow, Content::Slow, P99, &p99, 0),
            of(&self.idle, Content::Run, SILENT, &any, 0),
            of(&self.idle, Content::Run, SERVED, &any, 1),
            of(&self.switches, Content::Run, SWITCHES, &kept, 0),
        ]);
        let wanted = [Content::Run, Content::Slow];
        let is_here =
            |content: &Content| self.sources.iter().any(|source| Content::of(&source.path) == Some(*content));
        let missing = wanted.into_iter().filter(|content| !is_here(content));
        Ok(Cost {
            sentence: sentence(&measured, &all, names),
            files: self.files(&wanted),
            missing: missing.map(|content| content.command().to_owned()).collect(),
            picture: picture(&all, base, stage)?,
            rows: measured.into_iter().map(Measured::row).collect(),
        })
    }

    /// What a connection costs by what holds it; `None` where it was not measured.
    pub fn concurrency(&self) -> Option<Comparison> {
        self.comparison((&self.concurrency, Content::Concurrency), &HELD, BY_HAND)
    }

    /// How long quick requests wait beside long ones, where threads steal work and where they do not, and
    /// what stealing costs; `None` where it was not measured.
    pub fn stealing(&self) -> Option<Comparison> {
        let mut found = self.comparison((&self.stealing, Content::Stealing), &WAITS, KEEPS)?;
        found.sentences.extend(self.gains());
        found.sentences.push(self.price());
        Some(found)
    }

    /// With which loads stealing shortens the waits of all quick requests, and with which it does not.
    fn gains(&self) -> Option<String> {
        const WORDS: [&str; 3] = ["shorter waits", "longer waits", "no difference that can be told"];
        let points = self.stealing.first().and_then(Figure::points)?;
        let mut all: [Vec<&str>; 3] = Default::default();
        for at in WAITS.iter().filter(|at| at.panel != stealing::ITS && at.panel != stealing::OTHERS) {
            let [kept, stolen] = [KEEPS, STEALS].map(|server| at.point(points, server).map(sample));
            let Some(change) = kept.zip(stolen).and_then(|(kept, stolen)| stolen.over(&kept)) else {
                continue;
            };
            let outcome = match (change.is_real(), change.ratio < 1.0) {
                (true, true) => 0,
                (true, false) => 1,
                (false, _) if change.is_settled() => 2,
                (false, _) => continue,
            };
            all[outcome].push(at.head.trim_start_matches("p99, "));
        }
        let parts = WORDS.iter().zip(&all).filter(|(_, loads)| !loads.is_empty());
        let parts: Vec<String> =
            parts.map(|(words, loads)| format!("{words} with {}", loads.join(" and with "))).collect();
        let begin = format!("That the threads of {STEALS} steal means, beside stage {KEEPS}");
        (!parts.is_empty()).then(|| format!("{begin}: {}.", parts.join("; ")))
    }

    /// What a request costs more where threads steal, hot or not.
    fn price(&self) -> String {
        let load = self.concurrency.iter().find(|figure| figure.id == concurrency::LOAD);
        let points = load.and_then(Figure::points);
        let change = |at: &Held| {
            let points = points?;
            let [kept, stolen] = [KEEPS, STEALS].map(|server| at.point(points, server).map(sample));
            let change = stolen?.over(&kept?)?;
            let text = Change { noise: noise(&points.panels[at.panel]), ..change }.text();
            Some(format!("{} {text}", at.head.trim_start_matches("CPU time ÷ floor, ")))
        };
        let is_cost = |at: &&Held| {
            at.figure == concurrency::LOAD && [concurrency::KEPT, concurrency::SHORT].contains(&at.panel)
        };
        let costs: Vec<String> = HELD.iter().filter(is_cost).filter_map(change).collect();
        if costs.is_empty() {
            return format!(
                "What {STEALS} costs is not known: `{}` records it.",
                Content::Concurrency.command()
            );
        }
        format!(
            "What {STEALS} costs, in CPU time of a quick request beside stage {KEEPS}: {}.",
            costs.join(", ")
        )
    }

    fn comparison(
        &self,
        (figures, content): (&[Figure], Content),
        all: &'static [Held],
        base: &str,
    ) -> Option<Comparison> {
        if figures.is_empty() {
            return None;
        }
        let find = |id: &str| figures.iter().find(|figure| figure.id == id).and_then(Figure::points);
        let of = |at: &'static Held| Some((find(at.figure)?, at));
        let columns: Vec<(&Points, &Held)> = all.iter().filter_map(of).collect();
        let mut servers: Vec<(&str, &str)> = Vec::new();
        for series in figures.iter().filter_map(Figure::points).flat_map(|points| &points.series) {
            if !servers.iter().any(|(server, _)| *server == series.server) {
                servers.push((series.server.as_str(), series.label.as_str()));
            }
        }
        let row = |&(server, label): &(&str, &str)| -> Vec<String> {
            let cell = |(points, at): &(&Points, &Held)| {
                let unit = points.panels[at.panel].axis.unit;
                let why_not = || {
                    let series = points.series.iter().position(|series| series.server == server);
                    series.map_or(NONE.to_owned(), |series| points.why_not(series, at.panel))
                };
                at.point(points, server).map_or_else(why_not, |point| unit.text(point.value))
            };
            std::iter::once(label.to_owned()).chain(columns.iter().map(cell)).collect()
        };
        let names: Vec<&str> = servers.iter().map(|(server, _)| *server).collect();
        let sentences = columns.iter().filter_map(|(points, at)| at.sentence(points, &names, base));
        let missing = figures.iter().filter_map(Figure::points).flat_map(Points::missing);
        Some(Comparison {
            head: columns.iter().map(|(_, at)| at.head.to_owned()).collect(),
            rows: servers.iter().map(row).collect(),
            sentences: sentences.chain(missing).collect(),
            pictures: figures.iter().map(|figure| (figure.file(), figure.title.clone())).collect(),
            files: self.files(&[content]),
        })
    }

    fn files(&self, contents: &[Content]) -> Vec<PathBuf> {
        let paths = self.sources.iter().map(|source| source.path.clone());
        paths.filter(|path| Content::of(path).is_some_and(|content| contents.contains(&content))).collect()
    }
}

/// Servers side by side by what they do differently.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Of the columns, but for the first: it has the server and what holds its connections.
    pub head: Vec<String>,
    /// A row for each server: medians.
    pub rows: Vec<Vec<String>>,
    /// What can be told apart, a measure each, and what is missing.
    pub sentences: Vec<String>,
    /// The files of the pictures beside the report, each with its question.
    pub pictures: Vec<(String, String)>,
    /// The files of records that it was computed from.
    pub files: Vec<PathBuf>,
}

/// A measure of a comparison, and where it is drawn.
struct Held {
    figure: &'static str,
    panel: usize,
    mark: usize,
    head: &'static str,
    /// At the beginning of a sentence; none where too little is known for one.
    sentence: Option<&'static str>,
}

/// The columns of what holds a connection.
static HELD: [Held; 7] = [
    Held {
        figure: concurrency::MEMORY,
        panel: concurrency::BYTES,
        mark: 0,
        head: "memory, silent",
        sentence: Some("Memory of a connection that has asked for nothing"),
    },
    Held {
        figure: concurrency::MEMORY,
        panel: concurrency::BYTES,
        mark: 1,
        head: "memory, served",
        sentence: Some("Memory of a connection that was served and is kept"),
    },
    Held {
        figure: concurrency::MEMORY,
        panel: concurrency::TASKS,
        mark: 0,
        head: "kernel stacks and page tables",
        sentence: None,
    },
    Held {
        figure: concurrency::LOAD,
        panel: concurrency::KEPT,
        mark: 0,
        head: "CPU time ÷ floor, kept connections",
        sentence: Some("CPU time of a request on kept connections"),
    },
    Held {
        figure: concurrency::LOAD,
        panel: concurrency::SHORT,
        mark: 0,
        head: "CPU time ÷ floor, a connection per request",
        sentence: Some("CPU time with a connection per request"),
    },
    Held {
        figure: concurrency::LOAD,
        panel: concurrency::SWITCHES,
        mark: 0,
        head: "context switches per request, kept",
        sentence: Some("Context switches per request on kept connections"),
    },
    Held {
        figure: concurrency::LOAD,
        panel: concurrency::P99,
        mark: 0,
        head: "p99 beside slow requests",
        sentence: Some("p99 of quick requests beside slow ones"),
    },
];

/// The columns of the waits beside long requests: p99 of the quick ones.
static WAITS: [Held; 5] = [
    waits(stealing::NONE, "p99, no long requests", "p99 of the quick requests without long ones"),
    waits(
        stealing::EACH,
        "p99, as many long requests on every thread",
        "p99 with as many long requests on every thread",
    ),
    waits(stealing::ALL, "p99, all long requests on one thread", "p99 with all long requests on one thread"),
    waits(
        stealing::ITS,
        "… of the clients of that thread",
        "p99 with all long requests on one thread, of its clients",
    ),
    waits(
        stealing::OTHERS,
        "… of the other clients",
        "p99 with all long requests on one thread, of the other clients",
    ),
];

const fn waits(panel: usize, head: &'static str, sentence: &'static str) -> Held {
    Held { figure: stealing::STEALING, panel, mark: 0, head, sentence: Some(sentence) }
}

/// The same conversation twice: on an executor per CPU that keeps its tasks, and on threads that steal them.
const KEEPS: &str = "12";
const STEALS: &str = "12-tokio";

/// What the others are compared with: a state machine with the same threads, listeners and system calls as
/// the future of stage 12.
const BY_HAND: &str = "10";

impl Held {
    fn point<'p>(&self, points: &'p Points, server: &str) -> Option<&'p Point> {
        let series = points.series.iter().position(|series| series.server == server)?;
        let is_here =
            |point: &&Point| (point.series, point.panel, point.mark) == (series, self.panel, self.mark);
        points.points.iter().filter(|point| point.is_drawn()).find(is_here)
    }

    /// Every other server beside one of them.
    fn sentence(&self, points: &Points, servers: &[&str], beside: &str) -> Option<String> {
        let base = sample(self.point(points, beside)?);
        let noise = noise(&points.panels[self.panel]);
        let change = |server: &&str| {
            let change = sample(self.point(points, server)?).over(&base)?;
            Some(format!("{server} {}", Change { noise, ..change }.text()))
        };
        let changes: Vec<String> =
            servers.iter().filter(|server| **server != beside).filter_map(change).collect();
        let begin = self.sentence.filter(|_| !changes.is_empty())?;
        Some(format!("{begin}, compared with stage {beside}: {}.", changes.join(", ")))
    }
}

/// How far what is compared with itself strays from 1, where that was measured.
fn noise(panel: &Panel) -> f64 {
    panel.band.map_or(0.0, |(low, high)| (1.0 - low).max(high - 1.0))
}

/// The measures: as a row has them, and in a sentence.
const KEPT: (&str, &str) =
    ("CPU time of a request ÷ the floor's, kept connections", "CPU time on kept connections");
const SHORT: (&str, &str) = (
    "CPU time of a request ÷ the floor's, a connection per request",
    "CPU time with a connection per request",
);
const OVER: (&str, &str) =
    ("quick requests over 5 ms beside slow ones", "the share of quick requests over 5 ms");
const P99: (&str, &str) = ("p99 of the quick requests beside slow ones", "p99 of the quick requests");
const SILENT: (&str, &str) =
    ("memory of a connection that has asked for nothing", "memory of a silent connection");
const SERVED: (&str, &str) =
    ("memory of a connection that was served and is kept", "memory of a served connection");
const SWITCHES: (&str, &str) = ("context switches per request, kept connections", "context switches");

/// The costs of a server under the load that is nearest to the usual one.
fn load_of<'c, 'a>(all: &'c [Costs<'a>], is_short: bool, server: &str) -> Option<&'c Costs<'a>> {
    let has = |costs: &&Costs| costs.sample(server).len() > 0;
    all.iter().filter(|costs| costs.load.is_short == is_short && costs.load.path == "/").find(has)
}

/// What a request costs, beside the floor.
fn of_costs(all: &[Costs], is_short: bool, (base, stage): (Option<&str>, &str)) -> Measured {
    let (name, short) = if is_short { SHORT } else { KEPT };
    let value = |server: &str| {
        let costs = load_of(all, is_short, server).ok_or_else(|| not_measured(all.is_empty()))?;
        if !costs.is_like_with_like {
            return Err("not comparable: the floor beside it had another number of clients".to_owned());
        }
        let load = (Some(&costs.load) != usual(all, is_short)).then(|| count(costs.load.clients, "client"));
        Ok(Value { sample: costs.sample(server), unit: Unit::Hundredths, load })
    };
    let compared = base.map(|base| {
        let both = (load_of(all, is_short, base), load_of(all, is_short, stage));
        match both {
            (Some(one), Some(other)) if one.load == other.load => {
                one.change(base, stage).map_or_else(|| Compared::Not("too few rounds".into()), Compared::of)
            }
            (Some(one), Some(other)) => Compared::Not(format!(
                "{} and {}",
                count(one.load.clients, "client"),
                count(other.load.clients, "client")
            )),
            _ => Compared::Not("one of them was not measured".into()),
        }
    });
    Measured { name, short, content: Content::Run, base: base.map(value), stage: value(stage), compared }
}

/// The load that figures show first.
fn usual<'c>(all: &'c [Costs], is_short: bool) -> Option<&'c crate::costs::Load> {
    all.iter().map(|costs| &costs.load).find(|load| load.is_short == is_short && load.path == "/")
}

fn not_measured(is_empty: bool) -> String {
    if is_empty { "no data".into() } else { "not measured".into() }
}

/// A measure that a figure of the report shows.
fn of_figure(
    figure: Option<&Figure>,
    (content, (name, short)): (Content, (&'static str, &'static str)),
    is_wanted: &dyn Fn(&str) -> bool,
    mark: usize,
    (base, stage): (Option<&str>, &str),
) -> Measured {
    let points = figure.and_then(Figure::points);
    // The panel of a figure that comes first has the usual load.
    let panels: Vec<usize> = points.map_or(Vec::new(), |points| {
        let all = points.panels.iter().enumerate();
        all.filter(|(_, panel)| is_wanted(&panel.name)).map(|(at, _)| at).collect()
    });
    let find = |server: &str| -> Result<(usize, &Point), String> {
        let points = points.ok_or_else(|| not_measured(true))?;
        let series = points.series.iter().position(|series| series.server == server);
        let series = series.ok_or_else(|| not_measured(false))?;
        let its = |panel: usize| {
            points.points.iter().find(|point| {
                (point.series, point.panel, point.mark) == (series, panel, mark) && point.value.is_finite()
            })
        };
        let found = panels.iter().find_map(|&panel| Some((panel, its(panel)?)));
        found.ok_or_else(|| panels.first().map_or(not_measured(false), |&at| points.why_not(series, at)))
    };
    let value = |server: &str| {
        let (panel, point) = find(server)?;
        let panels_of = &points.ok_or_else(|| not_measured(true))?.panels;
        let load = panels_of[panel].name.split(", ").nth(1).map(str::to_owned);
        let load = load.filter(|_| Some(&panel) != panels.first());
        Ok(Value { sample: sample(point), unit: panels_of[panel].axis.unit, load })
    };
    let compared = base.map(|base| match (find(base), find(stage)) {
        (Ok((one, _)), Ok((other, _))) if one != other => Compared::Not("other numbers of clients".into()),
        (Ok((_, one)), Ok((_, other))) => compare(one, other),
        _ => Compared::Not("one of them was not measured".into()),
    });
    Measured { name, short, content, base: base.map(value), stage: value(stage), compared }
}

/// The rounds of a point.
fn sample(point: &Point) -> Sample {
    let mut sample = Sample::default();
    point.records.iter().for_each(|&(file, _, value)| sample.push(file, value));
    sample
}

/// By the factor between them; where one of them is nothing, and has no factor, by their intervals.
fn compare(one: &Point, other: &Point) -> Compared {
    if let Some(change) = sample(other).over(&sample(one)) {
        return Compared::of(change);
    }
    let ends = |point: &Point| point.interval.as_ref().map(|interval| (interval.low, interval.high));
    match (ends(one), ends(other)) {
        (Some((_, high)), Some((low, _))) if low > high => Compared::Apart("more".into()),
        (Some((low, _)), Some((_, high))) if high < low => Compared::Apart("less".into()),
        (Some(_), Some(_)) => Compared::Alike,
        _ => Compared::Not("too few rounds".into()),
    }
}

impl Compared {
    fn of(change: Change) -> Self {
        match (change.is_real(), change.is_settled()) {
            (true, _) => Self::Apart(change.text()),
            (false, true) => Self::Alike,
            (false, false) => Self::Not(change.text()),
        }
    }
}

impl Value {
    /// `1.18 [1.15 to 1.21]`, with the number of clients where it is another than usual.
    fn text(&self) -> String {
        let median = self.sample.median().unwrap_or(f64::NAN);
        let interval = self.sample.interval();
        let interval = interval.map_or(String::new(), |interval| ends(&interval, self.unit));
        let load = self.load.as_ref().map_or(String::new(), |load| format!(" ({load})"));
        format!("{}{interval}{load}", self.unit.text(median))
    }
}

fn ends(interval: &Interval, unit: Unit) -> String {
    format!(" [{} to {}]", unit.text(interval.low), unit.text(interval.high))
}

impl Measured {
    fn row(self) -> Row {
        let command = self.content.command();
        let text = |value: Result<Value, String>| match value {
            Ok(value) => value.text(),
            Err(why) if why == not_measured(true) => format!("no data: `{command}` records it"),
            Err(why) => why,
        };
        let change = match self.compared {
            None => String::new(),
            Some(Compared::Apart(text)) => text,
            Some(Compared::Alike) => "not distinguishable".into(),
            Some(Compared::Not(why)) => format!("not compared: {why}"),
        };
        Row { measure: self.name.into(), base: self.base.map(text), stage: text(self.stage), change }
    }
}

/// What can be told apart from the stage before, what cannot, and whether the floor can.
fn sentence(measured: &[Measured], all: &[Costs], (base, stage): (Option<&str>, &str)) -> String {
    let floor = load_of(all, false, stage).and_then(|costs| {
        let change = costs.over_floor(stage).filter(|_| costs.is_like_with_like)?;
        let can = if change.is_real() { "can" } else { "cannot" };
        Some(format!("CPU time on kept connections {can} be told from the floor's"))
    });
    let Some(base) = base else {
        let floor =
            floor.unwrap_or_else(|| "no data say whether its CPU time can be told from the floor's".into());
        return format!("There is no stage before this one to compare it with; {floor}.");
    };
    let of = |is_wanted: &dyn Fn(&Compared) -> Option<String>| -> Vec<String> {
        let its = measured.iter().filter_map(|m| Some((m.short, is_wanted(m.compared.as_ref()?)?)));
        its.map(|(short, text)| if text.is_empty() { short.to_owned() } else { format!("{short} ({text})") })
            .collect()
    };
    let apart = of(&|compared| match compared {
        Compared::Apart(text) => Some(text.clone()),
        _ => None,
    });
    let alike = of(&|compared| matches!(compared, Compared::Alike).then(String::new));
    let not = of(&|compared| matches!(compared, Compared::Not(_)).then(String::new));
    let part =
        |words: &str, its: Vec<String>| (!its.is_empty()).then(|| format!("{words}: {}", its.join(", ")));
    let parts: BTreeSet<(usize, String)> = [
        part(&format!("what can be told apart from stage {base}"), apart),
        part("what cannot", alike),
        part("what was not compared", not),
        floor,
    ]
    .into_iter()
    .enumerate()
    .filter_map(|(at, part)| Some((at, part?)))
    .collect();
    let text = parts.into_iter().map(|(_, part)| part).collect::<Vec<_>>().join("; ");
    let mut letters = text.chars();
    let first = letters.next().map_or(String::new(), |first| first.to_uppercase().to_string());
    format!("{first}{}.", letters.as_str())
}

/// The floor, the stage before and this one, by what a request costs.
fn picture(all: &[Costs], base: Option<(&str, &str)>, stage: (&str, &str)) -> Result<Option<String>> {
    let servers: Vec<(&str, String)> = [base, Some(stage)]
        .into_iter()
        .flatten()
        .map(|(name, title)| (name, records::label(name, title)))
        .collect();
    // It is near 1 and seldom 1: its distance shows how far apart two equal servers may seem.
    let itself = (FLOOR, format!("{FLOOR} against itself"));
    let servers: Vec<(&str, String)> = std::iter::once(itself).chain(servers).collect();
    let group = |is_short: bool| {
        let name = if is_short { "a connection per request" } else { "kept connections" };
        let row = |(server, label): &(&str, String)| {
            let row = |value, interval, text| Drawn {
                server: (*server).to_owned(),
                label: label.clone(),
                value,
                interval,
                text,
            };
            let Some(costs) = load_of(all, is_short, server).filter(|costs| costs.is_like_with_like) else {
                return row(None, None, not_measured(all.is_empty()));
            };
            let sample = costs.sample(server);
            let (median, interval) = (sample.median(), sample.interval());
            let of = (Some(&costs.load) != usual(all, is_short))
                .then(|| format!(", {}", count(costs.load.clients, "client")));
            let text =
                format!("{}{}", Unit::Hundredths.text(median.unwrap_or(f64::NAN)), of.unwrap_or_default());
            row(median, interval, text)
        };
        (name.to_owned(), servers.iter().map(row).collect::<Vec<Drawn>>())
    };
    let groups = [group(false), group(true)];
    if groups.iter().flat_map(|(_, rows)| rows).all(|row| row.value.is_none()) {
        return Ok(None);
    }
    let title = "CPU time of the server for one request ÷ that of the floor";
    small(title, &groups, "logarithmic; less is better").map(|svg| Some(clean(&svg)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::stealing::invented::round;
    use records::sample::{idle as idle_of, paired, record};
    use records::{Idle, Placement, Writer};

    fn pairs(server: &str, ratio: f64, apart: f64) -> Vec<Record> {
        let pair = |round: i32| {
            let ratio = ratio * (1.0 + f64::from(round) * apart / 100.0);
            paired(record(server, "builtin", 64, true, 1e6 / (10.0 * ratio)), [10.0, 10.0])
        };
        (-3..=3).map(pair).collect()
    }

    fn newest(records: Vec<Record>, kind: &str) -> Newest {
        let directory = tempfile::tempdir().expect("a directory");
        let name = format!("20260102T030405Z-1234567890-{kind}");
        let mut writer = Writer::create(directory.path(), &name).expect("created");
        records.iter().for_each(|record| writer.write(record).expect("written"));
        Newest::open(directory.path()).expect("read")
    }

    fn cost(records: Vec<Record>) -> Cost {
        newest(records, "standard").cost(Some(("04", "Four")), ("05", "Five")).expect("drawn")
    }

    /// Protects the sentence of a chapter: a difference is claimed if the rule of the report claims it.
    #[test]
    fn a_chapter_claims_what_the_report_claims() {
        let of = |ratio: f64, apart: f64| {
            let floor = pairs("floor", 1.0, 0.1);
            cost([floor, pairs("04", 1.0, apart), pairs("05", ratio, apart)].concat())
        };
        let dearer = of(1.2, 0.5);
        assert!(
            dearer.sentence.contains("told apart from stage 04: CPU time on kept connections (+20 % ["),
            "{}",
            dearer.sentence
        );
        assert!(dearer.rows[0].change.starts_with("+20 % [") && dearer.rows[0].stage.starts_with("1.20 ["));
        let alike = of(1.01, 3.0);
        assert!(alike.sentence.contains("What cannot: CPU time on kept connections"), "{}", alike.sentence);
        assert_eq!(alike.rows[0].change, "not distinguishable");
        let picture = alike.picture.expect("a picture");
        assert!(picture.contains("Five") && picture.contains("width=\"720\""), "{picture}");
        assert!(picture.contains("floor against itself"), "a reader asks why it is not 1: {picture}");
    }

    /// Protects the chapter from the servers of another measurement: the twins of the scenario are compared
    /// with each other, and what a step costs is computed from runs alone.
    #[test]
    fn what_holds_a_connection_is_compared_with_the_state_machine() {
        let silent = |server: &str, bytes: f64| {
            let idle = Idle { connections: 1000, silent_bytes: bytes, served_bytes: bytes, task_bytes: None };
            (0..7).map(|_| idle_of(record(server, "connections", 1000, true, 1.0), idle)).collect()
        };
        let records: Vec<Vec<Record>> = vec![
            pairs("floor", 1.0, 0.1),
            pairs("10", 1.0, 0.1),
            pairs("12", 1.2, 0.1),
            pairs("02-threads", 1.001, 0.1),
            silent("10", 400.0),
            silent("12", 1200.0),
            silent("02-threads", 20_000.0),
        ];
        let newest = newest(records.concat(), "concurrency");
        let found = newest.concurrency().expect("it was measured");
        let names: Vec<&str> = found.rows.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(names, ["02-threads thread", "12 future", "10 state machine, a loop per CPU"]);
        assert_eq!(found.rows[1][1..5], ["1.2 kB", "1.2 kB", "not known", "1.20"], "{found:?}");
        let says = |text: &str| assert!(found.sentences.iter().any(|line| line.contains(text)), "{found:?}");
        says(
            "asked for nothing, compared with stage 10: 02-threads ×50.0 [50.0 to 50.0], 12 ×3.0 [3.0 to 3.0].",
        );
        says("kept connections, compared with stage 10: 02-threads not distinguishable, 12 +20 % [");
        let pictures: Vec<&str> = found.pictures.iter().map(|(file, _)| file.as_str()).collect();
        assert_eq!((pictures, found.files.len()), (vec!["concurrency.svg", "concurrency-load.svg"], 1));
        let cost = newest.cost(None, ("12", "Twelve")).expect("no picture is drawn");
        assert_eq!(cost.rows[0].stage, "no data: `./lab bench-all` records it");
    }

    /// Protects the verdict on work stealing: what is said of a load follows from its rounds, and what it
    /// costs from the other scenario's, where there is one.
    #[test]
    fn what_stealing_gains_and_costs_is_told_by_load() {
        let rounds = |server: &str, placement, p99: u64, by_worker: &[u64]| -> Vec<Record> {
            let one = |at: u64| round(server, placement, p99 + at, by_worker);
            (0..7).map(one).collect()
        };
        let of = |server: &str, [none, each, one]: [u64; 3], by_worker: &[u64]| {
            let of = |placement, p99| rounds(server, placement, p99, by_worker);
            [of(Placement::None, none), of(Placement::Each, each), of(Placement::One, one)].concat()
        };
        let records =
            [of("12", [300, 6_000, 12_000], &[14_000, 500]), of("12-tokio", [300, 3_000, 3_000], &[2_900])];
        let directory = tempfile::tempdir().expect("a directory");
        let write = |kind: &str, records: &[Record]| {
            let name = format!("20260102T030405Z-1234567890-{kind}");
            let mut writer = Writer::create(directory.path(), &name).expect("created");
            records.iter().for_each(|record| writer.write(record).expect("written"));
            Newest::open(directory.path()).expect("read").stealing()
        };
        let found = write("stealing", &records.concat()).expect("it was measured");
        assert_eq!(
            found.rows,
            [
                ["12 future, a thread per CPU", "303 µs", "6.00 ms", "12.0 ms", "14.0 ms", "500 µs"],
                [
                    "12-tokio future, work stealing",
                    "303 µs",
                    "3.00 ms",
                    "3.00 ms",
                    "2.90 ms",
                    "not bound to a thread"
                ],
            ]
        );
        let says = |found: &Comparison, text: &str| {
            assert!(found.sentences.iter().any(|line| line.contains(text)), "{text}: {found:?}");
        };
        says(&found, "on one thread, compared with stage 12: 12-tokio −75 % [");
        says(
            &found,
            "beside stage 12: shorter waits with as many long requests on every thread and with all long requests on \
             one thread; no difference that can be told with no long requests.",
        );
        says(&found, "What 12-tokio costs is not known: `./lab scenario concurrency` records it.");
        let pairs = [pairs("12", 1.0, 0.1), pairs("12-tokio", 1.2, 0.1), pairs("floor", 1.0, 0.1)].concat();
        let found = write("concurrency", &pairs).expect("both were measured");
        says(
            &found,
            "What 12-tokio costs, in CPU time of a quick request beside stage 12: kept connections +20 % [",
        );
        assert!(Newest::open(Path::new("/nonexistent")).expect("no data").stealing().is_none());
    }

    /// Protects the reader from an empty cell: what is missing has a reason and a command.
    #[test]
    fn what_is_missing_says_which_command_records_it() {
        let none = cost(Vec::new());
        assert!(
            none.rows
                .iter()
                .all(|row| !row.stage.is_empty() && row.base.as_ref().is_some_and(|b| !b.is_empty()))
        );
        assert_eq!(none.rows[0].stage, "no data: `./lab bench-all` records it");
        assert_eq!(none.rows[2].stage, "no data: `./lab scenario slow` records it");
        assert_eq!(none.missing, ["./lab bench-all", "./lab scenario slow"]);
        assert!(none.picture.is_none());
    }
}
