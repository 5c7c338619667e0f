//! `./lab predict` and `./lab reveal`: a reader guesses, and sees the guess beside what is measured.

use std::fs::{read_to_string, write};
use test_support::{Finished, LONG, Place};

/// The command of these words, with the guesses in this place.
fn lab(place: &Place, words: &[&str]) -> Finished {
    let work = place.path("work").display().to_string();
    let mut all = words.to_vec();
    all.extend(["--work", &work]);
    place.start(&all).wait(LONG)
}

/// Protects a reader from an answer that was not guessed: nothing is measured, and one line says which
/// question is open and how to answer it.
#[test]
fn nothing_is_revealed_without_a_guess() {
    let place = Place::new();
    let refused = lab(&place, &["reveal", "2"]);
    assert_eq!(refused.complaint(), "lab: question 1 of chapter 02 has no guess yet: ./lab predict 2");
    assert_eq!(refused.stdout, "");
    let listed = lab(&place, &["predict", "2", "--answer", "1=201", "--answer", "3=300"]);
    assert!(listed.stdout.ends_with("Question 2 is open: ./lab predict 2\n"), "{listed:?}");
    let refused = lab(&place, &["reveal", "2"]);
    assert_eq!(refused.complaint(), "lab: question 2 of chapter 02 has no guess yet: ./lab predict 2");
}

/// Protects the promise that a guess is set beside what is measured here: a fact of the kernel, one of a
/// server that is started, and one of two servers on a port. And a second guess does not replace the first.
#[test]
fn a_guess_is_set_beside_the_result_and_both_are_kept() {
    let place = Place::new();
    for (chapter, answer, only, lines) in [
        ("2", "2=a", "2", ["your guess  a, yes", "measured    b, no", "so          not as you guessed"]),
        (
            "1",
            "3=1000",
            "3",
            ["your guess  1,000 replies", "measured    999 of 1,000", "so          as you guessed"],
        ),
        (
            "10",
            "2=refused",
            "2",
            ["your guess  a, the second", "measured    a, the second", "so          as you guessed"],
        ),
    ] {
        assert!(lab(&place, &["predict", chapter, "--answer", answer]).status.success());
        let revealed = lab(&place, &["reveal", chapter, "--only", only]);
        assert!(revealed.status.success(), "{revealed:?}");
        for line in lines {
            assert!(revealed.stdout.contains(&format!("\n   {line}")), "{line}: {}", revealed.stdout);
        }
        assert!(
            revealed.stdout.contains("\n   why ") && revealed.stdout.contains("notes/src/"),
            "{revealed:?}"
        );
    }
    assert!(lab(&place, &["predict", "2", "--answer", "2=b"]).status.success());
    let text = read_to_string(place.path("work/predictions.json")).expect("it is kept");
    let kept: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let of = |kind: &str| {
        let entries = kept[kind]["02/end-behind-a-duplicate"].as_array().cloned().unwrap_or_default();
        entries
            .iter()
            .map(|entry| entry["answer"].as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!((of("guesses"), of("results")), (vec!["yes".into(), "no".into()], vec!["no".into()]));
    let shown = lab(&place, &["predict", "2"]);
    assert!(shown.stdout.contains("Your guess: b, no"), "{shown:?}");
}

/// Protects a reader who mistypes, and what is in the file already: one line, and nothing is kept of the
/// rest.
#[test]
fn a_bad_answer_is_one_line_and_keeps_nothing() {
    let place = Place::new();
    for (words, why) in [
        ("predict 5 --answer 1=c --answer 2=many", "`many` is no answer: a number of replies"),
        ("predict 5 --answer 1=e", "`e` is no answer: one of a, b, c, d"),
        ("predict 5 --answer 9=1", "chapter 05 has no question `9`: it has 1 to 3"),
        ("predict 5 --answer 2", "--answer takes N=GUESS"),
        ("predict 99", "no stage `99`"),
        ("predict 5-mio", "05-mio is a twin: its chapter is 5"),
        ("reveal 5 --only 4", "chapter 05 has no question `4`: it has 1 to 3"),
    ] {
        let finished = lab(&place, &words.split(' ').collect::<Vec<_>>());
        assert_eq!((finished.status.code(), finished.stdout.as_str()), (Some(2), ""), "{words}");
        let line = finished.complaint();
        assert!(line.contains(why) && finished.stderr == format!("{line}\n"), "{words}: {line}");
    }
    assert!(!place.path("work").exists(), "nothing was answered");
    assert!(lab(&place, &["predict", "5", "--answer", "1=c"]).status.success());
    write(place.path("work/predictions.json"), "{").expect("written");
    let broken = lab(&place, &["predict", "5", "--answer", "1=a"]);
    assert!(broken.complaint().contains("mend it, or move it away"), "{broken:?}");
}
