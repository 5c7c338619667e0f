//! The options of every command that measures in rounds, and what a number may be.

use super::ROUNDS;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::SystemTime;

/// The options of every command that measures in rounds.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Options {
    /// How often everything is measured; from five on an interval can be computed.
    #[arg(long, value_name = "N", default_value_t = ROUNDS, allow_negative_numbers = true, value_parser = whole::<u32>(1..=1000))]
    pub(crate) rounds: u32,
    /// What the order of the points is shuffled with; default: the time.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u64>(0..=u64::MAX))]
    pub(super) seed: Option<u64>,
    /// Begin anew, even if the same command was interrupted and could go on.
    #[arg(long)]
    pub(super) fresh: bool,
    /// The data goes to `data` below it [default: results; results/look for a part of what is measured by default]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl Options {
    pub(super) fn out(&self, is_whole: bool) -> PathBuf {
        let is_whole = is_whole && self.rounds >= ROUNDS;
        self.out.clone().unwrap_or_else(|| if is_whole { "results".into() } else { "results/look".into() })
    }

    /// The seed of a run that begins anew.
    pub(super) fn fresh_seed(&self) -> u64 {
        self.seed.unwrap_or_else(|| {
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs())
        })
    }
}

/// Reads a whole number; whatever is wrong with it, the error says which ones are allowed. (clap's own parser says so only of
/// numbers that are too small or too large, not of `1.5` or `1,2`.)
pub(crate) fn whole<T: TryFrom<u64>>(
    allowed: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = text.parse().ok().filter(|number| allowed.contains(number));
        number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| {
            format!("one whole number from {} to {} is allowed", allowed.start(), allowed.end())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_wrong_with_a_number_the_error_says_what_is_allowed() {
        let read = whole::<u32>(1..=3600);
        assert_eq!((read("1"), read("3600")), (Ok(1), Ok(3600)));
        for bad in ["0", "3601", "1.5", "1,2", "-5", "-1", "", " 1", "many", "99999999999999999999"] {
            let error = read(bad).expect_err(bad);
            assert!(error.contains("from 1 to 3600"), "{bad}: {error}");
        }
        assert_eq!(whole::<u64>(0..=u64::MAX)("18446744073709551615"), Ok(u64::MAX));
    }
}
