//! `keep-alive`: the same server with kept connections and with one for each request, by server, number of
//! clients and size of the body.

use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::{Ask, Contender, Rounds, cpu, in_turns};
use crate::needs::Need;
use crate::report::{Axis, Chart, Figure, Figures, Judgement, Measured, Point, Series};
use crate::session::Session;
use anyhow::{Context, Result};
use bench::references::Name;
use lab_core::server_process::Launch;
use lab_core::units::count;
use std::path::Path;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "keep-alive",
    method: "A server is started twice, and both are asked in turns of 10 ms, one by clients that keep their \
             connections and one by as many that make a connection for each request. Compared are the \
             requests per second and the server's CPU time per request, of stages 04, 08, 10 and 11 and of \
             nginx where it is installed, by clients and by size of the body.",
    needs: &[Need::Cpus(2)],
    seconds: Seconds { quick: 17.0, full: 90.0 },
    run,
    judge,
};

/// What the source found, and how far from it a ratio counts as the same.
const CLAIMED: f64 = 3.46;
const ABOUT: f64 = 1.33;

const SPEED: &str = "requests per second, kept / short: ";

/// Server, clients, path, and whether it is in a quick run too.
#[rustfmt::skip] // a row for each load
const LOADS: [(&str, u32, &str, bool); 14] = [
    ("08", 64, "/", true),
    ("04", 64, "/", true),
    ("10", 64, "/", true),
    ("nginx", 64, "/", true),
    ("11", 64, "/", false),
    ("02", 64, "/", false),
    ("08", 1, "/", true),
    ("nginx", 1, "/", false),
    ("08", 512, "/", false),
    ("nginx", 512, "/", false),
    ("08", 64, "/bytes/65536", true),
    ("nginx", 64, "/bytes/65536", false),
    ("08", 8, "/bytes/1048576", false),
    ("nginx", 8, "/bytes/1048576", false),
];

fn run(session: &mut Session) -> Result<Measured> {
    let rounds = Rounds::of_starts(5, session.pick(16, 30));
    let directory = tempfile::tempdir()?;
    let nginx = match Name::Nginx.find() {
        Ok(found) => {
            // nginx has no route for a filler: the same bytes are files there.
            files(directory.path()).context("the files for nginx")?;
            Some(found.with_root(directory.path())?.launch())
        }
        Err(install) => {
            session.step(0.0, format_args!("nginx is not installed, so it is left out: {install}"))?;
            None
        }
    };
    let is_quick = session.pick(true, false);
    let runs_11 = Need::Stage("11").missing().is_none();
    let cpus = cpu(0).map(|cpu| vec![cpu]);
    let mut loads = Vec::new();
    for (server, clients, path, in_quick) in LOADS {
        let launch = match (server, &nginx) {
            _ if is_quick && !in_quick => continue,
            ("11", _) if !runs_11 => continue,
            ("nginx", None) => continue,
            ("nginx", Some(launch)) => Launch { cpus: cpus.clone(), ..launch.clone() },
            ("02" | "04", _) => session.launch(server, &[], cpus.clone())?,
            _ => session.launch(server, &["--workers", "1"], cpus.clone())?,
        };
        loads.push((server, clients, path, launch));
    }
    let all = loads.len() as f64;
    let (mut figures, mut series) = (Figures::default(), Vec::new());
    for (at, (server, clients, path, launch)) in loads.iter().enumerate() {
        let name = name_of(server, *clients, path);
        session.step(at as f64 / all, &name)?;
        let contender = |ask: Ask| Contender { launch: launch.clone(), ask: ask.path(*path) };
        let pair = [contender(Ask::kept(*clients)), contender(Ask::short(*clients))];
        let part = (at as f64 / all, (at + 1) as f64 / all);
        let costs = in_turns(session, [&pair[0], &pair[1]], rounds, part)?;
        let speed = costs.speed_ratio(format!("{SPEED}{name}"))?;
        if *path == "/" {
            let point = Point::at(f64::from(*clients), &speed);
            match series.iter_mut().find(|line: &&mut Series| line.name == *server) {
                Some(line) => line.points.push(point),
                None => series.push(Series { name: (*server).to_owned(), points: vec![point] }),
            }
        }
        figures.push(speed);
        let name = format!("server's CPU time per request, short / kept: {name}");
        figures.push(Figure::ratio(name, &costs.cpu_us(1), &costs.cpu_us(0))?);
    }
    for line in &mut series {
        line.points.sort_by(|one, other| one.x.total_cmp(&other.x));
        line.name = if line.name == "nginx" { line.name.clone() } else { format!("stage {}", line.name) };
    }
    let chart = Chart {
        title: "How many times as many requests do kept connections serve?".to_owned(),
        x: Axis::logarithmic("clients at once, replies of 13 bytes"),
        y: Axis::linear("requests per second, kept connections / one for each request")
            .with_line(CLAIMED, "what the source found"),
        series,
    };
    Ok(Measured { figures, chart: Some(chart) })
}

fn name_of(server: &str, clients: u32, path: &str) -> String {
    let server = if server == "nginx" { "nginx".to_owned() } else { format!("stage {server}") };
    let body = match path {
        "/bytes/65536" => "64 KiB",
        "/bytes/1048576" => "1 MiB",
        _ => "13 bytes",
    };
    format!("{server}, {}, {body}", count(clients as usize, "client"))
}

/// The bodies of `/bytes/N` as files.
fn files(root: &Path) -> Result<()> {
    const LINE: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-\n";
    let directory = root.join("bytes");
    std::fs::create_dir(&directory)?;
    for size in [65_536, 1_048_576] {
        std::fs::write(directory.join(size.to_string()), LINE.repeat(size / LINE.len()))?;
    }
    Ok(())
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "The factor is no property of keep-alive: it is what making a connection costs, \
                          divided by what the request costs, so it falls as requests become larger and \
                          rises as connections become dearer.";
    const SOURCE: &str = "The requests per second of two runs of wrk against one server with three loops and \
                          a small reply. A client that makes a connection for each request works more too, \
                          so the factor is of the client as much as of the server. With nginx it is 2.84 in the \
                          same document.";
    let found: Vec<(&str, &Figure)> = figures.family(SPEED).collect();
    let least = found.iter().min_by(|one, other| one.1.value.total_cmp(&other.1.value));
    let most = found.iter().max_by(|one, other| one.1.value.total_cmp(&other.1.value));
    let (least, most) = least.zip(most).context("no load was measured")?;
    let text = |(load, figure): &(&str, &Figure)| format!("{} ({load})", format::ratio(figure));
    let because = format!(
        "kept connections serve from {} to {} times as many requests as short ones",
        text(least),
        text(most)
    );
    let agrees = |figure: &Figure| figure.low() >= CLAIMED / ABOUT && figure.high() <= CLAIMED * ABOUT;
    let differs = |figure: &Figure| figure.high() < CLAIMED / ABOUT || figure.low() > CLAIMED * ABOUT;
    let all = |is: &dyn Fn(&Figure) -> bool| found.iter().all(|(_, figure)| is(figure));
    Ok(if all(&agrees) {
        Judgement::holds(because, LESSON)
    } else if all(&|figure| figure.high() < 1.1) {
        Judgement::refuted(because, LESSON, SOURCE)
    } else if found.iter().any(|(_, figure)| differs(figure)) {
        Judgement::depends(
            format!("on the server, the clients and the size of the reply: {because}"),
            LESSON,
            SOURCE,
        )
    } else {
        Judgement::inconclusive(because, LESSON)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn the_factor_must_be_that_of_the_claim_at_every_load() {
        let verdict = |ratios: [(f64, f64); 2]| {
            let figure = |(at, ratio): (usize, (f64, f64))| Figure::between(format!("{SPEED}{at}"), ratio);
            judge(&Figures(ratios.into_iter().enumerate().map(figure).collect())).expect("measured").verdict
        };
        assert_eq!(verdict([(3.0, 3.6), (3.2, 4.1)]), Verdict::Holds);
        assert_eq!(verdict([(3.0, 3.6), (1.2, 1.4)]), Verdict::Depends);
        assert_eq!(verdict([(3.0, 3.6), (9.0, 12.0)]), Verdict::Depends);
        assert_eq!(verdict([(0.9, 1.05), (0.95, 1.0)]), Verdict::Refuted);
        assert_eq!(verdict([(3.0, 3.6), (2.0, 5.0)]), Verdict::Inconclusive);
        assert!(judge(&Figures::default()).is_err());
    }

    /// Protects the comparison with nginx: it must send the bytes that a stage sends.
    #[test]
    fn the_files_have_the_bytes_of_the_routes() {
        let directory = tempfile::tempdir().expect("a directory");
        files(directory.path()).expect("written");
        let bytes = std::fs::read(directory.path().join("bytes/65536")).expect("it is there");
        assert_eq!((bytes.len(), bytes[64], bytes[127]), (65_536, b'0', b'\n'));
    }
}
