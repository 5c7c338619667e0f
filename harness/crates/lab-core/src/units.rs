//! Numbers as people read them, the same in every text: `1,234`, `1.25 ms`, `8.4 kB`.

/// A whole number with its thousands set apart.
pub fn number(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    let sign = if value <= -0.5 { "-" } else { "" };
    format!("{sign}{}", groups.join(","))
}

/// A time in µs, by three digits: `85 µs`, `1.25 ms`, `2.00 s`.
pub fn time(us: f64) -> String {
    match us {
        small if small < 999.5 => format!("{small:.0} µs"),
        middle if middle < 999_500.0 => format!("{} ms", three_digits(middle / 1e3)),
        large => format!("{} s", three_digits(large / 1e6)),
    }
}

/// Bytes with decimal prefixes: `352 B`, `8.4 kB`, `1.2 MB`.
pub fn bytes(value: f64) -> String {
    let (unit, name) = match value.abs() {
        small if small < 999.5 => (1.0, "B"),
        middle if middle < 999_500.0 => (1e3, "kB"),
        _ => (1e6, "MB"),
    };
    let amount = value / unit;
    let is_short = amount.abs() < 9.95 && unit > 1.0;
    if is_short { format!("{amount:.1} {name}") } else { format!("{amount:.0} {name}") }
}

/// How many times as much, by two decimals; a dash where there is no such number, as where both are nothing.
pub fn ratio(value: f64) -> String {
    if value.is_finite() { format!("{value:.2}") } else { "–".to_owned() }
}

/// A text of which every character may stand in XML 1.0, and so in an SVG (section 2.2 of its specification):
/// others, such as an escape that came with a name, cannot even be written as references and are replaced.
pub fn xml_characters(text: &str) -> String {
    let is_allowed =
        |c: &char| !matches!(c, '\0'..='\x08' | '\x0B' | '\x0C' | '\x0E'..='\x1F' | '\u{FFFE}' | '\u{FFFF}');
    text.chars().map(|c| if is_allowed(&c) { c } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// `1 point`, `2 points`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// A duration as people say it: `7 s`, `2 min 5 s`.
pub fn minutes(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

fn three_digits(value: f64) -> String {
    let digits = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_xml_forbids_is_replaced() {
        assert_eq!(
            xml_characters("a\x1b[31m\tb\n\r\u{7f}\0\u{ffff}é"),
            "a\u{fffd}[31m\tb\n\r\u{7f}\u{fffd}\u{fffd}é"
        );
    }

    #[test]
    fn every_number_is_short_and_has_its_unit() {
        let numbers = [0.0, 999.4, 1000.0, 129_276.0, 1_234_567.0, -2500.0].map(number);
        assert_eq!(numbers, ["0", "999", "1,000", "129,276", "1,234,567", "-2,500"]);
        let times = [0.0, 85.0, 999.0, 1_250.0, 46_489.0, 464_895.0, 2e6].map(time);
        assert_eq!(times, ["0 µs", "85 µs", "999 µs", "1.25 ms", "46.5 ms", "465 ms", "2.00 s"]);
        let sizes = [0.0, 352.4, 8_420.0, 122_969.0, 8_600_000.0].map(bytes);
        assert_eq!(sizes, ["0 B", "352 B", "8.4 kB", "123 kB", "8.6 MB"]);
        assert_eq!([1.071, f64::NAN, f64::INFINITY].map(ratio), ["1.07", "–", "–"]);
        assert_eq!([count(1, "round"), count(5, "round")], ["1 round", "5 rounds"]);
    }
}
