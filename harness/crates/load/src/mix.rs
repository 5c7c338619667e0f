//! A share of the requests that asks for another path: which ones.

use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// `5:/sleep/50`: five of a hundred requests ask for `/sleep/50`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mix {
    /// From 1 to 99.
    percent: u64,
    path: String,
}

impl Mix {
    /// How many of a hundred.
    pub fn percent(&self) -> u64 {
        self.percent
    }

    /// What they ask for.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Whether the request with this number is one of them. The requests are cut into runs of equal length,
    /// 20 for 5 %, and one of each run is chosen by a generator whose seed is the number of the run: evenly
    /// spread, and the same each time. Always the twentieth would be even too, but a server that deals
    /// requests out in turn among four workers would then give all of these to one.
    pub(super) fn takes(&self, number: u64) -> bool {
        let first = |run: u64| run * 100 / self.percent;
        let run = ((number + 1) * self.percent - 1) / 100;
        number == fastrand::Rng::with_seed(run).u64(first(run)..first(run + 1))
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const SHAPE: &str = "write PERCENT:PATH, for example 5:/sleep/50";
        let (percent, path) = text.split_once(':').ok_or(SHAPE)?;
        let percent = percent.parse().ok().filter(|percent| (1..=99).contains(percent));
        let percent = percent.ok_or_else(|| format!("1 to 99 per cent are allowed; {SHAPE}"))?;
        // A space or a line end would change the request line; a server never sees what follows a `#`.
        let is_path =
            path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        is_path
            .then(|| Self { percent, path: path.to_owned() })
            .ok_or_else(|| format!("'{}' is no path; {SHAPE}", path.escape_debug()))
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "{}:{}", self.percent, self.path)
    }
}

impl Serialize for Mix {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn mix(percent: u64) -> Mix {
        Mix { percent, path: "/other".into() }
    }

    proptest! {
        /// Whatever the share and wherever one looks: it is kept, and no gap is as long as two runs.
        #[test]
        fn the_share_is_kept_everywhere(percent in 1u64..=99, from in 0u64..10_000_000) {
            let mix = mix(percent);
            let from = from / 100 * 100;
            let taken: Vec<u64> = (from..from + 1000).filter(|&number| mix.takes(number)).collect();
            prop_assert_eq!(taken.len() as u64, 10 * percent);
            let run = 100_u64.div_ceil(percent);
            for pair in taken.windows(2) {
                prop_assert!(pair[1] - pair[0] < 2 * run, "{:?}", pair);
            }
        }
    }

    /// Protects servers that deal requests out in turn: no worker gets more than its share of the slow ones.
    #[test]
    fn the_choice_has_no_beat() {
        let mix = mix(5);
        for workers in [2, 3, 4, 8] {
            let mut counts = vec![0_u32; workers];
            (0..100_000).filter(|&n| mix.takes(n)).for_each(|n| counts[n as usize % workers] += 1);
            let fair = 5_000 / workers as u32;
            assert!(counts.iter().all(|&count| count.abs_diff(fair) < fair / 4), "{counts:?}");
        }
        let places: BTreeSet<u64> = (0..2_000).filter(|&n| mix.takes(n)).map(|n| n % 20).collect();
        assert!(places.len() > 15, "{places:?}");
    }

    #[test]
    fn a_mix_is_written_as_it_is_read() {
        let text = "5:/sleep/50?x=a:b";
        let mix: Mix = text.parse().expect("good");
        assert_eq!((mix.percent(), mix.path()), (5, "/sleep/50?x=a:b"));
        assert_eq!(mix.to_string(), text);
        for bad in
            ["", "5", ":/x", "0:/x", "100:/x", "-1:/x", "5:", "5:x", "5:/a b", "5:/a\r\nX: y", "5:/a#b"]
        {
            let error = bad.parse::<Mix>().expect_err(bad);
            assert!(error.lines().count() == 1 && error.contains("5:/sleep/50"), "{error}");
        }
    }
}
