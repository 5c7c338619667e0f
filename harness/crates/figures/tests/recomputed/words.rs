//! The numbers in the sentences: what they claim, and that nothing is left unclaimed.

/// A text of which every number must be claimed.
pub(crate) struct Text {
    whole: String,
    rest: String,
    /// Names that hold digits. They are taken out after the phrases, or a count of 11 would pass for stage
    /// 11.
    names: Vec<String>,
}

impl Text {
    /// Words that hold digits and are no measurement are taken out: names of servers in the text's own form,
    /// and phrases that define what is meant.
    pub(crate) fn new(whole: &str, names: &[String]) -> Self {
        const DEFINED: [&str; 14] = [
            // First, so that each percentile stands beside its own share.
            "99 of 100 waited at most p99",
            "90 of 100 waited at most p90",
            "95 % intervals",
            "95 % interval",
            "95 % bootstrap interval",
            "io_uring",
            "HTTP/1.1",
            "HTTP/1.0",
            "over 5 ms",
            "longer than 5 ms",
            "p99.9",
            "p99",
            "p90",
            "p50",
        ];
        let mut rest = whole.to_owned();
        for phrase in DEFINED {
            rest = rest.replace(phrase, "…");
        }
        // The longest first, or 05 would be taken out of 05-mio.
        // There are thousands of them: the beginning of each point is one.
        let mut names: Vec<String> = names.iter().filter(|name| whole.contains(*name)).cloned().collect();
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        Self { whole: whole.to_owned(), rest, names }
    }

    fn take_names_out(&mut self) {
        for name in std::mem::take(&mut self.names) {
            self.rest = without(&self.rest, &name);
        }
    }

    /// Takes a phrase out that holds a number which was computed.
    pub(crate) fn claim(&mut self, phrase: &str) {
        assert!(self.rest.contains(phrase), "{phrase:?} was computed, and is not in {:?}", self.whole);
        self.rest = self.rest.replacen(phrase, "…", 1);
    }

    /// Takes every number out that is one of these, as exactly as it is written.
    pub(crate) fn claim_any(&mut self, values: &[f64]) {
        self.take_names_out();
        let mut kept = String::new();
        for token in tokens(&self.rest) {
            let is_claimed = number(&token).is_some_and(|(value, written)| {
                values.iter().any(|own| (own - value).abs() <= written + 1e-9 * own.abs())
            });
            kept.push_str(if is_claimed { "…" } else { &token });
        }
        self.rest = kept;
    }

    /// Fails if a number is left.
    pub(crate) fn end(mut self) {
        self.take_names_out();
        let left: Vec<String> =
            tokens(&self.rest).into_iter().filter(|token| number(token).is_some()).collect();
        assert!(left.is_empty(), "nothing claims {left:?} of {:?}", self.whole);
    }
}

/// A name that stands alone.
fn without(text: &str, name: &str) -> String {
    let mut parts = Vec::new();
    let mut rest = text;
    let mut kept = String::new();
    let is_part = |c: char| c.is_alphanumeric() || c == ',' || c == '.' || c == '-';
    while let Some(at) = rest.find(name) {
        let (before, after) = (&rest[..at], &rest[at + name.len()..]);
        let last = before.chars().next_back().or_else(|| kept.chars().next_back());
        let mut next = after.chars();
        let follows = match (next.next(), next.next()) {
            // A comma or a point ends a name where no digit follows.
            (Some(',' | '.'), Some(second)) => second.is_ascii_digit(),
            (Some(first), _) => is_part(first) && first != ',' && first != '.',
            _ => false,
        };
        // A number of something is no name of a server.
        const COUNTED: [&str; 12] = [
            " %", " µs", " ms", " s ", " of ", " to ", " times", " rounds", " client", " other", " request",
            " worker",
        ];
        let is_counted = name.bytes().all(|byte| byte.is_ascii_digit())
            && !name.starts_with('0')
            && COUNTED.iter().any(|word| after.starts_with(word));
        let stands_alone = !last.is_some_and(is_part) && !follows && !is_counted;
        kept.push_str(before);
        kept.push_str(if stands_alone { "…" } else { name });
        rest = after;
    }
    parts.push(kept);
    parts.push(rest.to_owned());
    parts.concat()
}

/// Numbers, `1,234.5`, and what is between.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    let mut tokens: Vec<(bool, String)> = Vec::new();
    for (at, &letter) in letters.iter().enumerate() {
        let digit = |at: Option<usize>| at.and_then(|at| letters.get(at)).is_some_and(char::is_ascii_digit);
        let inside = matches!(letter, ',' | '.') && digit(at.checked_sub(1)) && digit(Some(at + 1));
        let is_number = letter.is_ascii_digit() || inside;
        match tokens.last_mut() {
            Some((kind, token)) if *kind == is_number => token.push(letter),
            _ => tokens.push((is_number, letter.to_string())),
        }
    }
    tokens.into_iter().map(|(_, token)| token).collect()
}

/// The number that a token is, and half of its last digit.
pub(crate) fn number(token: &str) -> Option<(f64, f64)> {
    let plain = token.replace(',', "");
    let value: f64 = plain.parse().ok().filter(|_| token.starts_with(|c: char| c.is_ascii_digit()))?;
    let digits = plain.split_once('.').map_or(0, |(_, digits)| digits.len());
    Some((value, 0.5 * 10f64.powi(-(digits as i32))))
}

/// `2.48 times [2.27 to 2.77]`, `+27 % [18 to 40]`, `×2.2 [2.1 to 2.3]`: the phrases, with factor, ends, and
/// how exactly they are written.
pub(crate) fn changes(text: &str) -> Vec<(String, [f64; 3], f64)> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text[from..].find('[').map(|at| from + at) {
        let Some(end) = text[at..].find(']').map(|end| at + end) else { break };
        from = end;
        let Some((low, high)) = text[at + 1..end].split_once(" to ") else { continue };
        let before = text[..at].trim_end();
        let (is_percent, number) = if let Some(before) = before.strip_suffix(" %") {
            (true, before)
        } else {
            (false, before.strip_suffix(" times").unwrap_or(before))
        };
        let begin = number.rfind(' ').map_or(0, |at| at + 1);
        let parse = |text: &str| text.trim_start_matches(['+', '×']).replace('−', "-").parse::<f64>().ok();
        let (Some(value), Some(low), Some(high)) = (parse(&number[begin..]), parse(low), parse(high)) else {
            continue;
        };
        let factor = |value: f64| if is_percent { 1.0 + value / 100.0 } else { value };
        // Each of the three may have a digit more: the coarsest counts.
        let digits = [&number[begin..], &text[at + 1..end]]
            .iter()
            .flat_map(|part| part.split(" to "))
            .map(|part| part.split_once('.').map_or(0, |(_, digits)| digits.len()))
            .min()
            .unwrap_or(0);
        let written = 0.5 * 10f64.powi(-(digits as i32)) / if is_percent { 100.0 } else { 1.0 };
        found.push((text[begin..=end].to_owned(), [factor(value), factor(low), factor(high)], written));
    }
    found
}

/// Protects the test itself: a number that nothing claims must be seen, a name must not be taken for one.
#[test]
fn a_number_that_nothing_claims_is_found() {
    let names = ["05".to_owned(), "05-mio".to_owned()];
    let mut text = Text::new("05→06 +18 % [15 to 21]; 05-mio in 1,234 of 05, 05.", &names);
    let changes = changes("05→06 +18 % [15 to 21]");
    assert_eq!(changes.len(), 1);
    assert!((changes[0].1[0] - 1.18).abs() < 1e-9 && (changes[0].2 - 0.005).abs() < 1e-9, "{changes:?}");
    text.claim(&changes[0].0);
    text.claim_any(&[6.0]);
    let left: Vec<String> = tokens(&text.rest).into_iter().filter(|t| number(t).is_some()).collect();
    assert_eq!(left, ["1,234"]);
    text.claim_any(&[1234.4]);
    text.end();
}
