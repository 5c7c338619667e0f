//! The sanity check: a tool's report is compared with what is known without it, the clock and the length of a
//! right reply. What cannot be true is not published.

use super::load::{Load, Measurement};
use std::time::Duration;

/// A tool's clock and ours differ by no more.
const CLOCKS: f64 = 0.1;
/// A tool that measured for less than this share of its time has given up.
const SHORTEST: f64 = 0.5;
/// The head of a reply may differ so much from the one that was asked for first: `Connection` is there or
/// not, and says `close` or `keep-alive`.
const HEAD: f64 = 64.0;

/// Why the report cannot be true; `wall` is how long the tool ran.
pub(super) fn refuted(measured: &Measurement, load: &Load, wall: Duration) -> Option<String> {
    let (seconds, wall) = (measured.seconds, wall.as_secs_f64());
    if seconds > wall + CLOCKS {
        return Some(format!("it says {seconds:.2} s, and ran for {wall:.2} s"));
    }
    let asked = load.duration.as_secs_f64();
    if seconds < SHORTEST * asked {
        return Some(format!("it measured for {seconds:.3} s, and was told {asked} s"));
    }
    // Failed replies have any length, and so have those of another path. Where it was not told, it is not
    // known.
    if measured.errors > 0 || load.mix.is_some() || load.reply_bytes == 0 {
        return None;
    }
    let (requests, bytes, reply) = (measured.requests as f64, measured.bytes as f64, load.reply_bytes as f64);
    // The end finds each connection in the middle of its replies.
    let slack = HEAD + load.variable_bytes as f64;
    let open = (load.concurrency * load.pipeline) as f64 * (reply + slack);
    let (least, most) = (requests * (reply - slack).max(1.0) - open, requests * (reply + slack) + open);
    if bytes < least || bytes > most {
        let each = bytes / requests.max(1.0);
        return Some(format!("{requests} replies of {each:.0} bytes each, and a right one has {reply}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_true_is_refuted() {
        let load = Load {
            addr: ([127, 0, 0, 1], 80).into(),
            host: None,
            path: "/".into(),
            mix: None,
            concurrency: 64,
            keep_alive: true,
            pipeline: 1,
            duration: Duration::from_secs(1),
            rate: None,
            warm_up: Duration::ZERO,
            learns_body: false,
            reply_bytes: 152,
            variable_bytes: 0,
            cpus: None,
        };
        let report =
            |requests, bytes, seconds| Measurement { requests, bytes, seconds, ..Measurement::default() };
        let wall = Duration::from_millis(1_080);
        let why = |measured| refuted(&measured, &load, wall).unwrap_or_default();
        assert_eq!(why(report(50_000, 152 * 50_000, 1.0)), "");
        assert_eq!(why(report(50_000, 176 * 50_000, 1.0)), "", "another head");
        assert_eq!(why(report(1, 152 * 60, 1.0)), "", "the end cut 59 replies off");
        assert_eq!(why(Measurement { errors: 9, ..report(50_000, 9, 1.0) }), "", "errors have any length");
        for absurd in [
            report(u64::MAX, 152 * 50_000, 1.0),
            report(99_000_000_000, 1, 1.0),
            report(50_000, 1_365 * 50_000, 1.0),
        ] {
            assert!(why(absurd.clone()).contains("a right one has 152"), "{absurd:?}");
        }
        assert!(why(report(5_000_000, 152 * 5_000_000, 1e-6)).contains("was told 1 s"));
        let at_once = refuted(&report(50_000, 152 * 50_000, 1.0), &load, Duration::from_millis(20));
        assert!(at_once.is_some_and(|why| why.contains("ran for 0.02 s")));
    }
}
