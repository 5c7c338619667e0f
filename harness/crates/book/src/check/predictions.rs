//! Predictions: each is answered where it says, by a text that names it, and its reason has no typed figure.

use super::typed::figures;
use super::{Book, Page};
use crate::markdown::{anchor, parts};
use crate::predictions::{FOLDER, Prediction, Predictions};
use lab_core::stages::Stage;
use std::path::Path;

/// The heading of the section that asks.
const ASKED: &str = "predict-before-you-read";

pub(crate) fn faults(book: &Book, root: &Path, stages: &[Stage]) -> Vec<String> {
    let mut faults = Vec::new();
    for stage in stages.iter().filter(|stage| !stage.is_twin) {
        match Predictions::read(root, &stage.name) {
            Ok(all) => faults.extend(of_chapter(book, &stage.name, &stage.chapter, &all)),
            Err(error) => faults.push(format!("{error:#}")),
        }
    }
    faults
}

fn of_chapter(book: &Book, name: &str, chapter: &str, all: &Predictions) -> Vec<String> {
    let mut faults = Vec::new();
    for (number, prediction) in (1..).zip(&all.prediction) {
        let mut fault =
            |what: String| faults.push(format!("{FOLDER}/{name}.toml: prediction {number} {what}"));
        answer_fault(book, chapter, number, prediction).into_iter().for_each(&mut fault);
        for figure in figures(&prediction.why) {
            fault(format!("has `{figure}` typed in its reason: the measurement shows it"));
        }
    }
    faults
}

fn answer_fault(book: &Book, chapter: &str, number: usize, prediction: &Prediction) -> Option<String> {
    let (name, heading) = prediction.place(chapter);
    let is_of_chapter = name.split('-').next() == chapter.split('-').next();
    let Some(page) = book.page(name).filter(|_| is_of_chapter) else {
        return Some(format!("is answered in {name}, which is no page of the chapter"));
    };
    if heading == ASKED {
        return Some("is answered where it is asked".into());
    }
    let Some(section) = section(page, heading) else {
        return Some(format!("is answered below #{heading}: {name} has no such heading"));
    };
    (!names(&section, number)).then(|| {
        format!("is answered below #{heading} of {name}, whose text does not name it (`prediction {number}`)")
    })
}

/// The text below a heading, up to the next one that is not below it.
fn section(page: &Page, heading: &str) -> Option<String> {
    let lines = parts(&page.text).prose;
    let depth = |line: &str| line.chars().take_while(|c| *c == '#').count();
    let at = lines.iter().position(|line| line.starts_with('#') && anchor(line) == heading)?;
    let own = depth(&lines[at]);
    let rest = lines[at + 1..].iter();
    let below = rest.take_while(|line| depth(line) == 0 || depth(line) > own);
    Some(below.map(String::as_str).collect::<Vec<_>>().join(" "))
}

/// Whether a text speaks of the prediction with this number: `prediction 2`, `predictions 1 and 2`.
fn names(text: &str, number: usize) -> bool {
    text.split("rediction").skip(1).any(|rest| {
        let words = rest.trim_start_matches('s').split_whitespace();
        let number_of = |word: &str| word.trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<usize>();
        let list = words.take_while(|word| *word == "and" || number_of(word).is_ok());
        list.filter_map(|word| number_of(word).ok()).any(|named| named == number)
    })
}

#[cfg(test)]
mod tests {
    use super::super::invented;
    use super::*;

    const FILE: &str = "
        [[prediction]]
        id = 'cpu'
        question = 'How much?'
        answer.number = 'ms in a second'
        measure = { kind = 'cpu-beside-silent', server = '5', silent = 1, greeted = true, asking = false }
        answered = '#why'
        why = 'It sleeps.'
    ";

    fn of(file: &str, chapter: &str, other: &str) -> Vec<String> {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join(FOLDER);
        std::fs::create_dir_all(&path).expect("made");
        std::fs::write(path.join("05.toml"), file).expect("written");
        let (_directory, book) =
            invented(&[("05-five.md", chapter), ("05-b-more.md", other), ("06-six.md", other)]);
        let stage = Stage { number: 5, name: "05".into(), chapter: "05-five.md".into(), ..Stage::default() };
        faults(&book, root.path(), &[stage])
    }

    /// Protects the student who guessed: each question is answered, and where the chapter says so.
    #[test]
    fn a_prediction_that_nothing_answers_is_found() {
        let good = "# Five\n\n## Predict before you read\n\nprediction 1\n\n## Why\n\nIt sleeps (predictions 2 and 1).\n\n## End\n";
        let other = "# More\n\n## Why\n\nSo much for prediction 1.\n";
        assert_eq!(of(FILE, good, other), [""; 0]);
        assert_eq!(of(&FILE.replace("#why", "05-b-more.md#why"), good, other), [""; 0]);
        for (from, to, fault) in [
            ("#why", "#gone", "is answered below #gone: 05-five.md has no such heading"),
            (
                "#why",
                "#end",
                "is answered below #end of 05-five.md, whose text does not name it (`prediction 1`)",
            ),
            ("#why", "#predict-before-you-read", "is answered where it is asked"),
            ("#why", "06-six.md#why", "is answered in 06-six.md, which is no page of the chapter"),
            ("It sleeps.", "It sleeps for 5 ms.", "has `5 ms` typed in its reason: the measurement shows it"),
        ] {
            let broken = FILE.replace(from, to);
            assert_eq!(
                of(&broken, good, other),
                [format!("notes/predictions/05.toml: prediction 1 {fault}")]
            );
        }
        assert!(
            of("x = 1", good, other)[0].starts_with("notes/predictions/05.toml is no list of predictions")
        );
    }

    /// Protects the check from a number that is only a part of another one, and of other words.
    #[test]
    fn a_prediction_is_named_by_its_number() {
        for good in ["(prediction 1)", "Prediction 1: no", "predictions 3 and 1.", "predictions 2, 1"] {
            assert!(names(good, 1), "{good}");
        }
        for bad in ["prediction 12", "the prediction is 1", "question 1", "predictions 2 and three 1"] {
            assert!(!names(bad, 1), "{bad}");
        }
    }
}
