//! `log-buffers`: the asynchronous log of stage 08 with two buffers and with four, above a file that is slow:
//! a pipe whose reader takes so much every ten milliseconds, as a busy disk does.

use crate::compare::Comparison;
use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::measure::interleaved;
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use access_log::buffered::{Buffered, Sizes};
use anyhow::{Result, anyhow};
use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "log-buffers",
    method: "A thread appends lines of 100 bytes to stage 08's asynchronous log at three rates, half of, \
             about and four times what the file takes, with two buffers of 64 KiB and with four. Measured \
             are the 99th percentile of the time of an append and the share of the lines that were dropped.",
    needs: &[],
    seconds: Seconds { quick: 8.0, full: 25.0 },
    run,
    judge,
};

const LINE: &[u8; 100] = &{
    let mut line = [b'x'; 100];
    line[99] = b'\n';
    line
};
const BUFFER: usize = 64 * 1024;
/// What the file takes in each tick, in bytes: 8 MB/s, by fits and starts.
const TAKEN: usize = 80_000;
const TICK: Duration = Duration::from_millis(10);
/// Lines per millisecond: 4, 8 and 32 MB/s.
const RATES: [(&str, usize); 3] = [("half", 40), ("as much", 80), ("four times", 320)];

/// The round that `interleaved` drops is in what the slices note themselves.
const WARM_UP: usize = 1;

fn run(session: &mut Session) -> Result<Measured> {
    let rounds = session.pick(5, 15);
    let mut figures = Figures::default();
    for (at, (rate, lines_per_ms)) in RATES.into_iter().enumerate() {
        let part = |at: usize| at as f64 / RATES.len() as f64;
        session.step(part(at), format_args!("a rate of {rate}, compared with the file's"))?;
        let dropped: RefCell<BTreeMap<usize, Vec<f64>>> = RefCell::default();
        let slice = |buffers: usize| -> crate::measure::Slice<'_> {
            let dropped = &dropped;
            let measure = move || {
                let (p99, share) = append(buffers, lines_per_ms)?;
                dropped.borrow_mut().entry(buffers).or_default().push(share);
                Ok(p99)
            };
            (buffers.to_string(), Box::new(measure))
        };
        let mut slices = [slice(2), slice(4)];
        let values = interleaved(session, rounds, (part(at), part(at + 1)), &mut slices)?;
        drop(slices);
        for (buffers, shares) in dropped.into_inner() {
            let name = |what: &str| format!("{rate}, {buffers} buffers: {what}");
            let p99 = &values[&buffers.to_string()];
            figures.push(Figure::median(name("99 % of the appends within"), "ns", p99)?);
            figures.push(Figure::median(name("lines dropped"), "%", &shares[WARM_UP..])?);
        }
        figures.push(Figure::ratio(
            format!("{rate}: wait with 2 / with 4 buffers"),
            &values["2"],
            &values["4"],
        )?);
    }
    Ok(figures.into())
}

/// The 99th percentile of an append in ns, and how many of 100 lines were dropped.
fn append(buffers: usize, lines_per_ms: usize) -> Result<(f64, f64)> {
    const MS: usize = 120;
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    let disk = spawn(move || slow_disk(File::from(reader)));
    let sizes = Sizes { buffer: BUFFER, buffers, max_age: Duration::from_millis(50) };
    let log = Buffered::new(File::from(writer), sizes)?;
    let mut times = Vec::with_capacity(MS * lines_per_ms);
    let start = Instant::now();
    for ms in 1..=MS {
        for _ in 0..lines_per_ms {
            let before = Instant::now();
            log.append(LINE);
            times.push(before.elapsed().as_nanos() as u64);
        }
        sleep(Duration::from_millis(ms as u64).saturating_sub(start.elapsed()));
    }
    log.close();
    drop(log);
    let written = disk.join().map_err(|_| anyhow!("the disk panicked"))?;
    times.sort_unstable();
    let dropped = 100.0 * (1.0 - written as f64 / times.len() as f64);
    Ok((times[times.len() * 99 / 100] as f64, dropped.max(0.0)))
}

/// Takes so much in each tick; returns how many of our lines came. The log's own lines are longer words.
fn slow_disk(mut file: File) -> usize {
    let mut all = Vec::new();
    let mut piece = vec![0; TAKEN];
    loop {
        let mut taken = 0;
        while taken < TAKEN {
            match file.read(&mut piece[taken..]) {
                Ok(0) | Err(_) => {
                    all.extend_from_slice(&piece[..taken]);
                    return all
                        .split(|&byte| byte == b'\n')
                        .filter(|line| line.len() == LINE.len() - 1)
                        .count();
                }
                Ok(count) => taken += count,
            }
        }
        all.extend_from_slice(&piece);
        sleep(TICK);
    }
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "A log that never waits for the disk has a fixed wait, whatever its buffers: more \
                          of them bridge a longer stall before lines are dropped, and nothing bridges a disk \
                          that is too slow.";
    const SOURCE: &str = "Nothing was measured. Where a full buffer makes the caller wait, more buffers \
                          shorten that wait; where it makes the log drop lines, as the source says its own \
                          does, there is no wait to shorten.";
    let (mut waits, mut losses) = (Vec::new(), Vec::new());
    for (rate, _) in RATES {
        waits.push(Comparison::of(figures.get(&format!("{rate}: wait with 2 / with 4 buffers"))?, None));
        let dropped = |buffers: usize| figures.value(&format!("{rate}, {buffers} buffers: lines dropped"));
        losses.push((dropped(2)?, dropped(4)?));
    }
    let fewer = losses.iter().any(|(two, four)| *two > four + 1.0);
    let lost: Vec<String> = losses
        .iter()
        .zip(RATES)
        .map(|((two, four), (rate, _))| {
            format!("{rate}: {} % against {} %", format::value(*two), format::value(*four))
        })
        .collect();
    let because = format!("lines dropped with two buffers against four, by rate ({})", lost.join("; "));
    let count = |wanted| waits.iter().filter(|wait| **wait == wanted).count();
    Ok(match (count(Comparison::More), fewer) {
        (3, _) => Judgement::holds("the wait is shorter with four buffers at every rate", LESSON),
        (0, true) => Judgement::refuted(
            format!("the wait is shorter at no rate, but fewer lines are lost: {because}"),
            LESSON,
            SOURCE,
        ),
        (0, false) if count(Comparison::Unclear) == 0 => {
            Judgement::refuted(format!("neither the wait nor the loss differs: {because}"), LESSON, SOURCE)
        }
        (0, false) => Judgement::inconclusive(because, LESSON),
        _ => Judgement::depends(format!("on the rate: {because}"), LESSON, SOURCE),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn waiting_and_losing_are_told_apart() {
        let verdict = |waits: [(f64, f64); 3], four: f64| {
            let mut figures = Figures::default();
            for ((rate, _), (low, high)) in RATES.into_iter().zip(waits) {
                let name = format!("{rate}: wait with 2 / with 4 buffers");
                figures.push(Figure { interval: Some((low, high)), ..Figure::exact(name, "×", low) });
                for (buffers, dropped) in [(2, 20.0), (4, four)] {
                    figures.push(Figure::exact(
                        format!("{rate}, {buffers} buffers: lines dropped"),
                        "%",
                        dropped,
                    ));
                }
            }
            judge(&figures).expect("all figures are there").verdict
        };
        let (same, more, unclear) = ((0.98, 1.02), (2.0, 3.0), (0.5, 2.0));
        assert_eq!(verdict([same; 3], 5.0), Verdict::Refuted);
        assert_eq!(verdict([unclear; 3], 5.0), Verdict::Refuted);
        assert_eq!(verdict([same; 3], 20.0), Verdict::Refuted);
        assert_eq!(verdict([more; 3], 5.0), Verdict::Holds);
        assert_eq!(verdict([same, same, more], 5.0), Verdict::Depends);
        assert_eq!(verdict([unclear; 3], 20.0), Verdict::Inconclusive);
    }
}
