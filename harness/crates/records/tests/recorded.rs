//! Every file that was ever recorded stays readable, and nothing that it says is lost.

use records::{Content, Grade, Record};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Without the files of claims, which are the experiments' own and tested there.
fn recorded() -> Vec<PathBuf> {
    let is_of_claims = |path: &Path| path.to_string_lossy().contains("-claims");
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../results/data");
    let files = fs::read_dir(data).expect("results/data").map(|file| file.expect("a file").path());
    let ours = files.filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"));
    ours.filter(|path| !is_of_claims(path)).collect()
}

/// A number may be written in another way: 1 for 1.0. The last digit is the parser's.
fn is_same(old: &Value, new: &Value) -> bool {
    match (old, new) {
        (Value::Number(old), Value::Number(new)) => match (old.as_u64(), new.as_u64()) {
            (Some(old), Some(new)) => old == new,
            _ => {
                let [old, new] = [old, new].map(|number| number.as_f64().expect("a number"));
                (old - new).abs() <= f64::EPSILON * old.abs()
            }
        },
        (Value::Array(old), Value::Array(new)) => {
            old.len() == new.len() && old.iter().zip(new).all(|(old, new)| is_same(old, new))
        }
        (Value::Object(old), Value::Object(new)) => {
            old.iter().all(|(name, old)| new.get(name).is_some_and(|new| is_same(old, new)))
        }
        _ => old == new,
    }
}

fn assert_nothing_is_lost<T: DeserializeOwned + Serialize>(line: &str, place: &str) {
    let old: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{place}: {error}"));
    let read: T = serde_json::from_str(line).unwrap_or_else(|error| panic!("{place}: {error}"));
    let new = serde_json::to_value(&read).unwrap_or_else(|error| panic!("{place}: {error}"));
    for (name, value) in old.as_object().expect("an object") {
        let kept = new.get(name);
        assert!(kept.is_some_and(|kept| is_same(value, kept)), "{place}: {name} was {value}, now {kept:?}");
    }
}

#[test]
fn every_recorded_line_is_read_and_written_again_without_a_loss() {
    let files = recorded();
    for content in [Content::Run, Content::Table, Content::Grades, Content::Spin, Content::Slow] {
        assert!(files.iter().any(|file| Content::of(file) == Some(content)), "no file of {content:?}");
    }
    for path in files {
        let text = fs::read_to_string(&path).expect("it can be read");
        assert!(text.ends_with('\n'), "{} was cut", path.display());
        for (at, line) in text.lines().enumerate() {
            let place = format!("{}, line {}", path.display(), at + 1);
            match Content::of(&path) {
                Some(Content::Grades) => assert_nothing_is_lost::<Grade>(line, &place),
                Some(_) => assert_nothing_is_lost::<Record>(line, &place),
                None => panic!("{} does not say what it holds", path.display()),
            }
        }
    }
}
