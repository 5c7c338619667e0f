//! `async-log`: stage 08 without a log, with a synchronous one and with an asynchronous one: into a file, and
//! into one that stands still now and then, as a busy disk does.

use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::{Waits, cpu, put_on};
use crate::needs::Need;
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::{Context, Result, anyhow};
use load::Args;
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "async-log",
    method: "Stage 08 with one loop writes a line for each of 4,000 requests per second, which are sent at \
             times that are fixed beforehand (an open loop), with --log off, sync and async: into a file, \
             and into a pipe whose reader stands still for 300 ms of every 600. Measured are the percentiles \
             of the latency, and how many lines are missing in the end.",
    needs: &[Need::Cpus(2)],
    seconds: Seconds { quick: 13.0, full: 72.0 },
    run,
    judge,
};

const MODES: [&str; 3] = ["off", "sync", "async"];
const PLACES: [&str; 2] = ["a file", "a file that stalls"];
const RATE: f64 = 4_000.0;
/// A percentile that is more than so many times that without a log is high, one within it is low.
const HIGH: f64 = 2.0;

fn ratio_name(place: &str, mode: &str) -> String {
    format!("{place}: 99 % of the requests within, {mode} / off")
}

fn run(session: &mut Session) -> Result<Measured> {
    let rounds = session.pick(3, 9);
    let mut found: BTreeMap<(usize, usize), (Vec<Waits>, Vec<f64>)> = BTreeMap::new();
    let all = (rounds * PLACES.len() * MODES.len()) as f64;
    let mut done = 0.0;
    for round in 0..rounds {
        for (place, place_name) in PLACES.into_iter().enumerate() {
            for (mode, mode_name) in MODES.into_iter().enumerate() {
                let doing = format_args!("round {} of {rounds}: {place_name}, {mode_name}", round + 1);
                session.tick(done / all, doing)?;
                done += 1.0;
                let (waits, missing) = measured(session, mode_name, place == 1)?;
                let of = found.entry((place, mode)).or_default();
                of.0.push(waits);
                of.1.push(missing);
            }
        }
        session.step(done / all, format_args!("round {} of {rounds} is over", round + 1))?;
    }
    let p99 = |place, mode| found[&(place, mode)].0.iter().map(|waits| waits.0[Waits::P99]);
    let mut figures = Figures::default();
    let mut series = Vec::new();
    for (place, place_name) in PLACES.into_iter().enumerate() {
        for (mode, mode_name) in MODES.into_iter().enumerate() {
            let (waits, missing) = &found[&(place, mode)];
            let name = format!("{place_name}, {mode_name}");
            let of = Waits::figures(&name, waits)?;
            series.push(Waits::line(&name, &of));
            figures.0.extend(of);
            if mode_name != "off" {
                figures.push(Figure::median(format!("{name}: lines missing"), "%", missing)?);
                let (own, off): (Vec<f64>, Vec<f64>) = (p99(place, mode).collect(), p99(place, 0).collect());
                figures.push(Figure::ratio(ratio_name(place_name, mode_name), &own, &off)?);
            }
        }
    }
    let chart = Waits::chart("Who waits for a log?", series);
    Ok(Measured { figures, chart: Some(chart) })
}

/// The latency, and the missing lines in %.
fn measured(session: &mut Session, mode: &str, stalls: bool) -> Result<(Waits, f64)> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("log");
    let disk = (stalls && mode != "off").then(|| StallingDisk::start(path.clone())).transpose()?;
    let text = path.to_str().context("the directory's name is no text")?;
    let options = ["--workers", "1", "--log", mode, "--log-file", text];
    let options = if mode == "off" { &options[..4] } else { &options };
    let server = session.start("08", options, cpu(0).map(|cpu| vec![cpu]))?;
    let args = Args {
        connections: 16,
        rate: Some(RATE),
        duration: session.pick(Duration::from_millis(600), Duration::from_millis(1_000)),
        timeout: Duration::from_secs(30),
        ..Args::new(&format!("http://{}/", server.addr))
    };
    let report = put_on(session, &args);
    server.stop()?;
    let report = report?;
    let written = match disk {
        Some(disk) => disk.lines()?,
        None if mode == "off" => 0,
        None => lines(&std::fs::read(&path).context("the log is not there")?),
    };
    let requests = report.main.requests;
    let missing = 100.0 * requests.saturating_sub(written) as f64 / requests.max(1) as f64;
    let latency = report.main.latency_us.context("no request was answered")?;
    Ok((Waits::of(latency), missing))
}

/// How many lines of requests there are.
fn lines(log: &[u8]) -> u64 {
    const WORDS: &[u8] = b" GET / 200";
    log.split(|&byte| byte == b'\n')
        .filter(|line| line.windows(WORDS.len()).any(|found| found == WORDS))
        .count() as u64
}

/// **An exhibit:** a named pipe whose reader stands still for half of the time.
struct StallingDisk(JoinHandle<Result<Vec<u8>>>);

impl StallingDisk {
    fn start(path: PathBuf) -> Result<Self> {
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).context("the pipe")?;
        // Until the server has it open, reading would end at once.
        let keeper = OpenOptions::new().read(true).write(true).open(&path)?;
        Ok(Self(spawn(move || read(&path, keeper))))
    }

    /// Waits until the server has closed it, and counts the lines of requests that came.
    fn lines(self) -> Result<u64> {
        let log = self.0.join().map_err(|_| anyhow!("the disk panicked"))??;
        Ok(lines(&log))
    }
}

fn read(path: &Path, keeper: File) -> Result<Vec<u8>> {
    const STALL: Duration = Duration::from_millis(300);
    let mut file = File::open(path)?;
    // One page: it is full at once when the reader stands still. Where that is not permitted it is a few
    // lines more.
    let _ = fcntl(&file, FcntlArg::F_SETPIPE_SZ(4096));
    let mut keeper = Some(keeper);
    let (mut log, start) = (Vec::new(), Instant::now());
    let mut piece = vec![0; 64 * 1024];
    loop {
        let phase = Duration::from_nanos((start.elapsed().as_nanos() % (2 * STALL).as_nanos()) as u64);
        if phase < STALL {
            sleep(STALL - phase);
        }
        match file.read(&mut piece)? {
            0 => return Ok(log),
            count => {
                log.extend_from_slice(&piece[..count]);
                // The server has it open: from now on its end is the end.
                keeper.take();
            }
        }
    }
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "A log that is written by another thread is paid for by those who wait for its \
                          lines and not by those who wait for a reply; a synchronous one makes every client \
                          wait for the file, which matters as soon as the file is slow.";
    const SOURCE: &str = "Nothing was measured. A write into a file is a copy into the page cache, of a \
                          microsecond, as long as the kernel has memory for it and the disk keeps up.";
    let of = |place: usize, mode| figures.get(&ratio_name(PLACES[place], mode));
    let (sync, asynchronous) = ([of(0, "sync")?, of(1, "sync")?], [of(0, "async")?, of(1, "async")?]);
    let because = format!(
        "99 % of the requests take {} times as long with a synchronous log as without one where the file \
         takes what comes, and {} times where it stalls; with an asynchronous one {} and {} times",
        format::ratio(sync[0]),
        format::ratio(sync[1]),
        format::ratio(asynchronous[0]),
        format::ratio(asynchronous[1])
    );
    let is_high = |figure: &Figure| match figure {
        figure if figure.low() > HIGH => Some(true),
        figure if figure.high() < HIGH => Some(false),
        _ => None,
    };
    let sync = sync.map(is_high);
    let asynchronous = asynchronous.map(is_high);
    Ok(match (sync, asynchronous) {
        ([Some(true), Some(true)], [Some(false), Some(false)]) => Judgement::holds(because, LESSON),
        ([Some(false), Some(false)], _) | (_, [_, Some(true)]) => Judgement::refuted(because, LESSON, SOURCE),
        ([Some(false), Some(true)], [_, Some(false)]) => {
            Judgement::depends(format!("on the file that the log goes to: {because}"), LESSON, SOURCE)
        }
        _ => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn the_file_may_decide() {
        let verdict = |sync: [(f64, f64); 2], asynchronous: [(f64, f64); 2]| {
            let mut figures = Figures::default();
            for (at, place) in PLACES.into_iter().enumerate() {
                figures.push(Figure::between(ratio_name(place, "sync"), sync[at]));
                figures.push(Figure::between(ratio_name(place, "async"), asynchronous[at]));
            }
            judge(&figures).expect("all figures are there").verdict
        };
        let (low, high, unclear) = ((0.8, 1.3), (50.0, 300.0), (0.8, 4.0));
        assert_eq!(verdict([high, high], [low, low]), Verdict::Holds);
        assert_eq!(verdict([low, high], [low, low]), Verdict::Depends);
        assert_eq!(verdict([low, low], [low, low]), Verdict::Refuted);
        assert_eq!(verdict([low, high], [low, high]), Verdict::Refuted);
        assert_eq!(verdict([unclear, high], [low, low]), Verdict::Inconclusive);
    }

    /// Protects the count of lost lines: the log has lines of its own too.
    #[test]
    fn only_lines_of_requests_are_counted() {
        let log = b"Sun, 22 Nov 2026 05:00:00 GMT INFO 127.0.0.1:51768 GET / 200 140\n\
                    Sun, 22 Nov 2026 05:00:00 GMT WARN 3 lines were dropped\n\
                    Sun, 22 Nov 2026 05:00:00 GMT INFO 127.0.0.1:51768 GET / 200 140\n";
        assert_eq!(lines(log), 2);
    }

    #[test]
    fn a_stalling_disk_takes_everything_in_the_end() {
        use std::io::Write;
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("log");
        let disk = StallingDisk::start(path.clone()).expect("a pipe");
        let mut file = OpenOptions::new().append(true).open(&path).expect("it is there");
        file.write_all(b"x GET / 200 1\nx GET / 200 1\n").expect("it is read");
        drop(file);
        assert_eq!(disk.lines().expect("it is read"), 2);
    }
}
