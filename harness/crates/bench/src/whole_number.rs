//! What a number on the command line may be.

use std::ops::RangeInclusive;

/// Reads a whole number; whatever is wrong with it, the error says which ones are allowed. (clap's own parser
/// says so only of numbers that are too small or too large, not of `1.5` or `1,2`.)
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
