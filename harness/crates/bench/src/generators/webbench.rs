//! webbench.
//!
//! Its unit is pages per minute and its speed counts failures as pages; an empty reply is a success for it.
//! So the speed is not read at all: the successes are, and the bytes tell whether the replies were whole.

use super::load::{Load, Measurement};
use super::run::Run;
use anyhow::{Context, Result, bail};
use lab_core::stages::binary_directory;
use std::path::PathBuf;

/// This lab's own driver, beside the harness.
pub(super) fn ours() -> Option<PathBuf> {
    let program = binary_directory().ok()?.join("webbench");
    program.is_file().then_some(program)
}

pub(super) fn run(mut run: Run) -> Result<Measurement> {
    let load = run.load;
    let options = format!("-t {} -c {} {}", load.whole_seconds(), load.concurrency, url(load));
    let output = run.output(options.split(' ').map(Into::into).collect())?;
    // The status of the original says nothing: a completed run does not end with 0.
    let counted =
        parse(&output.stdout, load).with_context(|| format!("webbench gave up: {}", output.last_words()))?;
    // Our own driver says so where its report, which is the original's, means nothing.
    if let Some(doubt) = output.stderr.lines().find_map(|line| line.strip_prefix("webbench: ")) {
        bail!("webbench: {doubt}");
    }
    if counted.requests == 0 && counted.errors == 0 {
        let why = match counted.bytes {
            0 => "no reply came, or none ended",
            _ => "bytes came, and no reply ended; the server does not close the connection",
        };
        bail!("webbench: nothing was counted: {why}");
    }
    Ok(Measurement { generator_cpu_seconds: output.cpu_seconds, ..counted })
}

/// webbench sends no header that it is told to send: the name of the server must be in the URL, and is looked
/// up again.
fn url(load: &Load) -> String {
    load.host.as_ref().map_or_else(|| load.url(), |host| format!("http://{host}{}", load.path))
}

/// Reads the two lines of the report. `susceed` is webbench's spelling.
fn parse(report: &str, load: &Load) -> Result<Measurement> {
    let speed = line(report, "Speed=")?;
    let (_, speed) = speed.split_once(" pages/min, ").context("no 'pages/min'")?;
    let bytes_per_second: u64 = speed.strip_suffix(" bytes/sec.").context("no 'bytes/sec.'")?.parse()?;
    let (succeeded, failed) = line(report, "Requests: ")?.split_once(" susceed, ").context("no 'susceed'")?;
    let succeeded: u64 = succeeded.parse()?;
    let failed: u64 = failed.strip_suffix(" failed.").context("no 'failed.'")?.parse()?;
    let bytes = bytes_per_second.saturating_mul(load.whole_seconds());
    // A client whose alarm rings between two reads counts an unfinished reply, and the bytes per second
    // are rounded down: that much may be missing without a fault of the server's.
    let shortest = load.reply_bytes.saturating_sub(load.variable_bytes);
    let whole = bytes.div_ceil(shortest.max(1));
    let short = match succeeded.saturating_sub(whole) {
        few if few <= load.concurrency as u64 => 0,
        short => short,
    };
    Ok(Measurement {
        requests: succeeded - short,
        errors: failed.saturating_add(short),
        seconds: load.whole_seconds() as f64,
        bytes,
        ..Measurement::default()
    })
}

fn line<'a>(report: &'a str, label: &str) -> Result<&'a str> {
    report.lines().find_map(|line| line.strip_prefix(label)).with_context(|| format!("no line '{label}'"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const GOOD: &str = include_str!("../../tests/fixtures/webbench-good.txt");

    fn load(reply_bytes: u64) -> Load {
        Load {
            addr: ([127, 0, 0, 1], 80).into(),
            host: None,
            path: "/".into(),
            concurrency: 4,
            keep_alive: false,
            pipeline: 1,
            duration: Duration::from_secs(2),
            rate: None,
            spins: false,
            warm_up: Duration::ZERO,
            timeout: None,
            learns_body: false,
            mix: None,
            reply_bytes,
            variable_bytes: 0,
            cpus: None,
        }
    }

    fn report(speed: u64, bytes_per_second: u64, succeeded: u64, failed: u64) -> String {
        format!(
            "\nSpeed={speed} pages/min, {bytes_per_second} bytes/sec.\n\
             Requests: {succeeded} susceed, {failed} failed.\n"
        )
    }

    #[test]
    fn a_recorded_report_is_read() {
        let counted = parse(GOOD, &load(152)).expect("a whole report");
        assert!(counted.requests > 1000 && counted.errors == 0, "{counted:?}");
    }

    #[test]
    fn failures_are_taken_out_of_the_speed() {
        let counted = parse(&report(3300, 5000, 100, 10), &load(100)).expect("a whole report");
        assert_eq!((counted.requests, counted.errors), (100, 10));
        assert_eq!(counted.requests_per_second(), 50.0);
    }

    /// webbench takes an empty reply for a success; the missing bytes give it away.
    #[test]
    fn short_replies_are_no_throughput() {
        let counted = parse(&report(3000, 4500, 100, 0), &load(100)).expect("a whole report");
        assert_eq!((counted.requests, counted.errors), (90, 10));
        let counted = parse(&report(3000, 0, 100, 0), &load(100)).expect("a whole report");
        assert_eq!((counted.requests, counted.errors), (0, 100));
        // As many as there are clients may have been cut by their alarms.
        let counted = parse(&report(3000, 4800, 100, 0), &load(100)).expect("a whole report");
        assert_eq!((counted.requests, counted.errors), (100, 0));
    }

    #[test]
    fn a_broken_report_is_refused() {
        for cut in (0..GOOD.trim_end().len()).step_by(5) {
            assert!(parse(&GOOD[..cut], &load(152)).is_err(), "cut at {cut}");
        }
        let words = [
            ("Speed=986580", "Speed=many"),
            ("2499336 bytes", "some bytes"),
            ("32886 susceed", "all susceed"),
            ("0 failed", "none failed"),
            ("susceed", "succeeded"),
            ("0 failed", "99999999999999999999 failed"),
        ];
        for (figure, word) in words.into_iter().skip(1) {
            assert!(GOOD.contains(figure), "{figure}");
            assert!(parse(&GOOD.replace(figure, word), &load(152)).is_err(), "{word}");
        }
        // The speed is not read, so nothing in it can be wrong.
        let (figure, word) = words[0];
        assert_eq!(parse(&GOOD.replace(figure, word), &load(152)).ok(), parse(GOOD, &load(152)).ok());
        let counted = parse(&report(1, u64::MAX, 7, u64::MAX), &load(1)).expect("large, and no nonsense");
        assert_eq!((counted.requests, counted.errors), (7, u64::MAX));
        assert!(
            parse("Speed=-5 pages/min, -1 bytes/sec.\nRequests: -3 susceed, 0 failed.\n", &load(1)).is_err()
        );
    }
}
