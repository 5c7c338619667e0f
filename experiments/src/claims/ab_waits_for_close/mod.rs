//! `ab-waits-for-close`: source 000's four runs of `ab -c 32 -n 100`, against a server that keeps its idle
//! clients as the source's does. ab speaks HTTP/1.0, and without -k a reply ends for it with the connection.

mod keeper;

use crate::experiment::{Experiment, Seconds};
use crate::format;
use crate::needs::Need;
use crate::report::{Figure, Figures, Judgement, Measured};
use crate::session::Session;
use anyhow::{Context, Result, ensure};
use bench::generators::{Tool, bounded};
use keeper::{Keeper, Policy};
use lab_core::server_process::Launch;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// The experiment.
pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "ab-waits-for-close",
    method: "ab -c 32 -n 100 asks an exhibit that answers at once and keeps the connection until a scan \
             finds it idle, with the source's three settings of scan and timeout (a tenth of them with \
             --quick), and one that closes behind the reply; then the first one and stage 04 with ab -k, and \
             stage 04 without. Compared are the requests per second with what the time for which a \
             connection was kept allows, and with each other.",
    needs: &[Need::Tool(Tool::Ab)],
    seconds: Seconds { quick: 8.0, full: 50.0 },
    run,
    judge,
};

const CLIENTS: u32 = 32;
const REQUESTS: u32 = 100;

/// Name, milliseconds between scans, milliseconds of the timeout, whether it closes behind the reply.
const SETTINGS: [(&str, u64, u64, bool); 4] = [
    ("as it was: scan 1000 ms, timeout 2 s", 1_000, 2_000, false),
    ("scan 1 ms, timeout 2 s", 1, 2_000, false),
    ("scan 1 ms, timeout 1 s", 1, 1_000, false),
    ("closes behind the reply", 1, 2_000, true),
];
/// Those that wait for the timer.
const WAITING: usize = 3;

fn rate_name(setting: &str) -> String {
    format!("{setting}: requests per second")
}

fn timer_name(setting: &str) -> String {
    format!("{setting}: requests per second / what the idle timer allows")
}

fn run(session: &mut Session) -> Result<Measured> {
    let ab = Tool::Ab.find().map_err(|install| anyhow::anyhow!("it needs ab: {install}"))?;
    // With --quick every time is a tenth of the source's.
    let divisor = session.pick(10, 1);
    let rounds = session.pick(3, 2);
    let mut rates: Vec<Vec<f64>> = vec![Vec::new(); SETTINGS.len()];
    let mut allowed = rates.clone();
    for round in 0..rounds {
        for (at, (name, scan, timeout, closes)) in SETTINGS.into_iter().enumerate() {
            let share = 0.9 * (round * SETTINGS.len() + at) as f64 / (rounds * SETTINGS.len()) as f64;
            session.step(share, format_args!("round {} of {rounds}: {name}", round + 1))?;
            let ms = |ms: u64| Duration::from_millis((ms / divisor).max(1));
            let keeper = Keeper::start(Policy { scan: ms(scan), timeout: ms(timeout), closes })?;
            let rate = ask(session, &ab.program, keeper.addr, false)?;
            let kept = keeper.stop()?;
            ensure!(!kept.is_empty(), "the server has closed no connection");
            let kept = kept.iter().map(Duration::as_secs_f64).sum::<f64>() / kept.len() as f64;
            rates[at].push(rate);
            // 32 at once, and then the next 32.
            allowed[at].push(f64::from(REQUESTS) / (f64::from(REQUESTS.div_ceil(CLIENTS)) * kept));
        }
    }
    let mut figures = Figures(vec![Figure::exact("times are divided by", "", divisor as f64)]);
    for (at, (name, ..)) in SETTINGS.into_iter().enumerate() {
        figures.push(Figure::median(rate_name(name), "requests/s", &rates[at])?);
        if at < WAITING {
            figures.push(Figure::ratio(timer_name(name), &rates[at], &allowed[at])?);
        }
    }
    session.step(0.9, "ab -k, and stage 04")?;
    let (_, scan, timeout, closes) = SETTINGS[0];
    let (scan, timeout) = (Duration::from_millis(scan), Duration::from_millis(timeout));
    let keeper = Keeper::start(Policy { scan, timeout, closes })?;
    let kept =
        (0..rounds).map(|_| ask(session, &ab.program, keeper.addr, true)).collect::<Result<Vec<_>>>()?;
    keeper.stop()?;
    figures.push(Figure::median(rate_name("as it was, ab -k"), "requests/s", &kept)?);
    let stage = session.start("04", &[], None)?;
    for (name, keep_alive) in
        [("stage 04, which closes behind a reply to HTTP/1.0", false), ("stage 04, ab -k", true)]
    {
        let rates = (0..rounds).map(|_| ask(session, &ab.program, stage.addr, keep_alive));
        figures.push(Figure::median(rate_name(name), "requests/s", &rates.collect::<Result<Vec<_>>>()?)?);
    }
    Ok(figures.into())
}

/// The source's command: the requests per second that ab reports.
fn ask(session: &Session, ab: &Path, addr: SocketAddr, keep_alive: bool) -> Result<f64> {
    const LIMIT: Duration = Duration::from_secs(60);
    let mut launch = Launch::new(ab);
    let mut words = vec!["-q".to_owned(), "-s".into(), "30".into()];
    words.extend(keep_alive.then(|| "-k".into()));
    words.extend(["-c".into(), CLIENTS.to_string(), "-n".into(), REQUESTS.to_string()]);
    words.push(format!("http://{addr}/"));
    launch.args = words;
    let output = bounded(&mut launch.command()?, LIMIT, &mut |_| session.check().is_ok());
    session.check()?;
    let output = output?;
    requests_per_second(output.stdout()).with_context(|| format!("ab gave up: {}", output.last_words()))
}

fn requests_per_second(report: &str) -> Option<f64> {
    let complete = report.lines().find_map(|line| line.strip_prefix("Complete requests:"))?;
    let is_whole = complete.trim() == REQUESTS.to_string();
    let line = report.lines().find_map(|line| line.strip_prefix("Requests per second:"))?;
    line.split_whitespace().next()?.parse().ok().filter(|_| is_whole)
}

fn judge(figures: &Figures) -> Result<Judgement> {
    const LESSON: &str = "Ask what a client waits for before you tune the server: where the end of a reply \
                          is the end of the connection, the timer that closes it is measured, and a server \
                          that closes, or a client that is told the length, has none to wait for.";
    const SOURCE: &str = "An idle timer. ab speaks HTTP/1.0 and, without -k, waits for the connection to be \
                          closed; the server closed it when its timer had found it idle, 4 s later: 32 \
                          clients each 4 s are the 6.19 requests per second of the source, and a shorter \
                          interval or timeout shortens that wait and nothing else.";
    let rate = |at: usize| figures.get(&rate_name(SETTINGS[at].0));
    let timers = SETTINGS[..WAITING].iter().map(|(name, ..)| figures.get(&timer_name(name)));
    let timers = timers.collect::<Result<Vec<_>>>()?;
    let (first, last, closing) = (rate(0)?, rate(WAITING - 1)?, rate(WAITING)?);
    let divisor = figures.value("times are divided by")?;
    let scale = if divisor == 1.0 { String::new() } else { format!(" (all times divided by {divisor})") };
    let because = format!(
        "the three settings that wait serve {}, {} and {} times what the idle timer allows, from {} requests \
         per second to {}{scale}; the one that closes behind its reply serves {}",
        format::ratio(timers[0]),
        format::ratio(timers[1]),
        format::ratio(timers[2]),
        format::value(first.value),
        format::value(last.value),
        format::value(closing.value)
    );
    let is_the_timer = |figure: &&Figure| figure.low() > 0.7 && figure.high() < 1.3;
    let is_other = |figure: &&Figure| figure.low() > 1.3 || figure.high() < 0.7;
    let rises = last.low() > first.high();
    Ok(match () {
        () if timers.iter().all(is_the_timer) && closing.low() > 10.0 * last.high() => {
            Judgement::refuted(because, LESSON, SOURCE)
        }
        () if !rises && last.high() < 1.1 * first.low() => Judgement::refuted(because, LESSON, SOURCE),
        () if rises && timers.iter().all(is_other) => Judgement::holds(because, LESSON),
        () if rises && timers.iter().all(is_the_timer) => Judgement::depends(
            format!("on a timer, which is not all that limits the server: {because}"),
            LESSON,
            SOURCE,
        ),
        () => Judgement::inconclusive(because, LESSON),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Verdict;

    #[test]
    fn a_rate_that_the_timer_explains_is_no_throughput() {
        let verdict = |rates: [(f64, f64); 2], closing: f64, timer: (f64, f64)| {
            let mut figures = Figures(vec![Figure::exact("times are divided by", "", 1.0)]);
            for (at, (name, ..)) in SETTINGS.into_iter().enumerate() {
                let rate = [rates[0], rates[0], rates[1], (closing, closing)][at];
                figures.push(Figure::between(rate_name(name), rate));
                figures.push(Figure::between(timer_name(name), timer));
            }
            judge(&figures).expect("all figures are there").verdict
        };
        let (six, thirteen) = ((6.0, 6.4), (12.9, 13.2));
        assert_eq!(verdict([six, thirteen], 9_000.0, (0.95, 1.05)), Verdict::Refuted);
        assert_eq!(verdict([six, six], 9_000.0, (0.2, 0.3)), Verdict::Refuted, "it does not even rise");
        assert_eq!(verdict([six, thirteen], 9_000.0, (3.0, 4.0)), Verdict::Holds);
        assert_eq!(verdict([six, thirteen], 20.0, (0.95, 1.05)), Verdict::Depends);
        assert_eq!(verdict([six, thirteen], 9_000.0, (0.5, 1.5)), Verdict::Inconclusive);
    }

    #[test]
    fn only_a_whole_run_of_ab_counts() {
        let report = |complete: &str| {
            format!(
                "Concurrency Level:      32\nComplete requests:      {complete}\nFailed requests:        0\n\
                 Requests per second:    6.19 [#/sec] (mean)\nTime per request:       5173.529 [ms] (mean)\n"
            )
        };
        assert_eq!(requests_per_second(&report("100")), Some(6.19));
        assert_eq!(requests_per_second(&report("96")), None);
        assert_eq!(requests_per_second("apr_pollset_poll: The timeout specified has expired (70007)"), None);
    }
}
