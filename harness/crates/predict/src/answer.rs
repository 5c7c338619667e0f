//! A reader's answer: from what was typed to what is kept, and back to words.

use anyhow::{Result, bail};
use book::predictions::{Answer, Choice, letter};
use lab_core::units::number as grouped;

/// What is kept of an answer: the key of a choice, a number, or the words. What is not allowed is refused
/// with what is.
pub(crate) fn read(answer: &Answer, typed: &str) -> Result<String> {
    let typed = typed.trim();
    if typed.is_empty() {
        bail!("a guess is needed: {}", allowed(answer));
    }
    match answer {
        Answer::Number(unit) => match number(typed, unit) {
            Some(number) => Ok(number.to_string()),
            None => bail!("`{}` is no answer: {}", typed.escape_debug(), allowed(answer)),
        },
        Answer::Choice(choices) => {
            let is = |at: usize, choice: &Choice| {
                typed == choice.key
                    || typed.eq_ignore_ascii_case(&letter(at).to_string())
                    || typed == choice.text
            };
            match choices.iter().enumerate().find(|(at, choice)| is(*at, choice)) {
                Some((_, choice)) => Ok(choice.key.clone()),
                None => bail!("`{}` is no answer: {}", typed.escape_debug(), allowed(answer)),
            }
        }
        Answer::Sentence(_) => Ok(typed.split_whitespace().collect::<Vec<_>>().join(" ")),
    }
}

/// What may be answered, in words.
pub(crate) fn allowed(answer: &Answer) -> String {
    match answer {
        Answer::Number(unit) => format!("a number of {unit}, such as 2 or 0.5"),
        Answer::Choice(choices) => {
            let letters: Vec<String> = (0..choices.len()).map(|at| letter(at).to_string()).collect();
            format!("one of {}", letters.join(", "))
        }
        Answer::Sentence(_) => "a sentence".to_owned(),
    }
}

/// A number with or without its unit, its thousands set apart or not.
fn number(typed: &str, unit: &str) -> Option<f64> {
    let bare = typed.strip_suffix(unit).unwrap_or(typed).trim().replace(',', "");
    let number: f64 = bare.parse().ok()?;
    number.is_finite().then_some(number)
}

/// A guess or a result as it is shown.
pub(crate) fn words(answer: &Answer, kept: &str) -> String {
    match answer {
        Answer::Number(unit) => match kept.parse::<f64>() {
            Ok(number) => format!("{} {unit}", rounded(number)),
            Err(_) => kept.to_owned(),
        },
        Answer::Choice(choices) => {
            let found = choices.iter().enumerate().find(|(_, choice)| choice.key == kept);
            found.map_or_else(|| kept.to_owned(), |(at, choice)| format!("{}, {}", letter(at), choice.text))
        }
        Answer::Sentence(_) => kept.to_owned(),
    }
}

/// A number by as many digits as a guess needs.
fn rounded(number: f64) -> String {
    match number.abs() {
        whole if number.fract() == 0.0 && whole >= 1000.0 => grouped(number),
        _ if number.fract() == 0.0 => format!("{number:.0}"),
        large if large >= 100.0 => grouped(number),
        middle if middle >= 10.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

/// What is said where the short run cannot tell two costs apart and the careful one can: the guess stands
/// beside what is recorded.
pub(crate) fn undecided(answer: &Answer, guess: &str, result: &str, recorded: &str) -> Option<String> {
    if result != "alike" || recorded == result {
        return None;
    }
    let so = verdict(answer, guess, recorded)?;
    Some(format!("this short run cannot tell; recorded: {}, {so}", words(answer, recorded)))
}

/// How a guess stands to the result, where that can be said.
pub(crate) fn verdict(answer: &Answer, guess: &str, result: &str) -> Option<String> {
    /// A guess of a number this near is right: no measurement is nearer to the next one.
    const NEAR: f64 = 0.1;
    match answer {
        Answer::Sentence(_) => None,
        Answer::Choice(_) if guess == result => Some("as you guessed".into()),
        Answer::Choice(_) => Some("not as you guessed".into()),
        Answer::Number(_) => {
            let (guess, result): (f64, f64) = (guess.parse().ok()?, result.parse().ok()?);
            let is_near = (guess - result).abs() <= NEAR * result.abs().max(guess.abs()).max(0.5);
            let ratio = guess / result;
            Some(match () {
                () if is_near => "as you guessed".into(),
                () if ratio.is_finite() && ratio >= 1.0 => format!("you guessed {ratio:.1} times as much"),
                () if ratio > 0.0 && ratio < 1.0 => format!("it is {:.1} times your guess", 1.0 / ratio),
                () if guess > result => "you guessed more".into(),
                () => "you guessed less".into(),
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choices() -> Answer {
        let choice = |key: &str, text: &str| Choice { key: key.into(), text: text.into() };
        Answer::Choice(vec![choice("refused", "its connection is refused"), choice("connected", "it waits")])
    }

    /// Protects a reader's guess: what was meant is kept, however it was typed.
    #[test]
    fn what_is_typed_is_understood() {
        let number = Answer::Number("ms".into());
        for (answer, typed, kept) in [
            (&number, "2", "2"),
            (&number, " 2.50 ms ", "2.5"),
            (&number, "1,000", "1000"),
            (&choices(), "a", "refused"),
            (&choices(), "B", "connected"),
            (&choices(), "connected", "connected"),
            (&Answer::Sentence(true), " it\tsleeps  ", "it sleeps"),
        ] {
            assert_eq!(read(answer, typed).expect(typed), kept, "{typed}");
        }
    }

    /// Protects a reader from a guess that means nothing: one line says what is allowed.
    #[test]
    fn what_is_no_answer_is_refused_with_what_is() {
        let number = Answer::Number("ms".into());
        for (answer, typed, why) in [
            (&number, "many", "`many` is no answer: a number of ms, such as 2 or 0.5"),
            (&number, "2 s", "`2 s` is no answer: a number of ms, such as 2 or 0.5"),
            (&number, "inf", "`inf` is no answer: a number of ms, such as 2 or 0.5"),
            (&number, "  ", "a guess is needed: a number of ms, such as 2 or 0.5"),
            (&choices(), "c", "`c` is no answer: one of a, b"),
            (&choices(), "\u{1b}[2J", "`\\u{1b}[2J` is no answer: one of a, b"),
        ] {
            assert_eq!(read(answer, typed).expect_err(typed).to_string(), why);
        }
    }

    #[test]
    fn a_guess_is_set_beside_the_result() {
        let number = Answer::Number("replies".into());
        for (guess, result, expected) in [
            ("999", "999", "as you guessed"),
            ("1000", "999", "as you guessed"),
            ("10", "4", "you guessed 2.5 times as much"),
            ("2", "4", "it is 2.0 times your guess"),
            ("5", "0", "you guessed more"),
            ("0", "5", "you guessed less"),
            ("0", "0.02", "as you guessed"),
        ] {
            assert_eq!(verdict(&number, guess, result).as_deref(), Some(expected), "{guess} {result}");
        }
        assert_eq!(verdict(&choices(), "refused", "connected").as_deref(), Some("not as you guessed"));
        assert_eq!(verdict(&Answer::Sentence(true), "x", "y"), None);
        assert_eq!(words(&choices(), "connected"), "b, it waits");
        assert_eq!(words(&number, "9216"), "9,216 replies");
        assert_eq!(words(&number, "0.333333"), "0.33 replies");
    }

    /// Protects a right guess: a run of seconds that cannot tell does not refute what a careful run has told.
    #[test]
    fn a_short_run_that_cannot_tell_leaves_it_to_what_is_recorded() {
        let choice = |key: &str| Choice { key: key.into(), text: format!("it costs {key}") };
        let answer = Answer::Choice(["less", "more", "alike"].map(choice).to_vec());
        let said = |guess, result, recorded| undecided(&answer, guess, result, recorded);
        assert_eq!(
            said("more", "alike", "more").as_deref(),
            Some("this short run cannot tell; recorded: b, it costs more, as you guessed")
        );
        assert!(said("less", "alike", "more").expect("a verdict").ends_with(", not as you guessed"));
        assert_eq!(said("more", "less", "more"), None, "the run has told");
        assert_eq!(said("alike", "alike", "alike"), None, "both say the same");
    }
}
