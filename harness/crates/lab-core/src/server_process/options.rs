//! Options of a command line, merged so that each stands once.

/// `base`, where each option that `over` names as well takes its value from there: an option given twice
/// is an error.
pub fn override_options(base: &[String], over: &[String]) -> Vec<String> {
    let over = option_pairs(over);
    let mut pairs = option_pairs(base);
    pairs.retain(|(name, _)| over.iter().all(|(other, _)| other != name));
    pairs.extend(over);
    pairs.into_iter().flat_map(|(name, value)| [Some(name), value]).flatten().collect()
}

/// Options as pairs of a name and a value, whether they were written `--a 1`, `--a=1` or `--a`.
pub(crate) fn option_pairs(args: &[String]) -> Vec<(String, Option<String>)> {
    let mut pairs: Vec<(String, Option<String>)> = Vec::new();
    let mut value_may_follow = false;
    for arg in args {
        if let Some((name, value)) = arg.split_once('=').filter(|_| arg.starts_with("--")) {
            pairs.push((name.to_owned(), Some(value.to_owned())));
            value_may_follow = false;
        } else if arg.starts_with("--") || !value_may_follow {
            pairs.push((arg.clone(), None));
            value_may_follow = true;
        } else if let Some(last) = pairs.last_mut() {
            last.1 = Some(arg.clone());
            value_may_follow = false;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(String::from).collect()
    }

    /// Protects against `--protocol http --protocol echo`, which a stage would refuse.
    #[test]
    fn an_option_is_given_once_and_the_later_one_wins() {
        let merged = override_options(&words("--addr a --protocol http --flag"), &words("--protocol=echo"));
        assert_eq!(merged, words("--addr a --flag --protocol echo"));
    }
}
