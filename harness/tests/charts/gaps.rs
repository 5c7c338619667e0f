//! Data with holes and with unusual loads: what is missing has its name and its reason, and nothing that was
//! not measured looks as if it were.

use super::invented::{SEVEN, scenarios, table};
use super::svg::{check, labels, lines};
use records::{Key, Outcome, Record, Writer};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Of the row `serial`, which has a line without dashes.
const SERIAL: &str = "#0072B2";

fn write(records: &[Record], kind: &str, directory: &Path) -> PathBuf {
    let mut writer =
        Writer::create(directory, &format!("20260102T030405Z-0123456789-{kind}")).expect("a new file");
    records.iter().for_each(|record| writer.write(record).expect("written"));
    writer.path().to_owned()
}

fn draw(files: &[&Path], out: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    command.args(["chart", "--data"]).args(files).arg("--out").arg(out).output().expect("it runs")
}

/// The only chart of these records, and its texts.
fn drawn(records: &[Record], kind: &str) -> (String, Vec<String>) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = write(records, kind, directory.path());
    let output = draw(&[&file], directory.path());
    assert!(output.status.success(), "{output:?}");
    let name = format!("{kind}.svg");
    let svg = std::fs::read_to_string(directory.path().join(&name)).expect("it is drawn");
    check(&svg, &name);
    let texts = labels(&svg).into_iter().map(|label| label.text).collect();
    (svg, texts)
}

fn says(texts: &[String], what: &str) {
    let all = texts.join(" ");
    assert!(all.contains(what), "\"{what}\" is missing in {all}");
}

fn fail(record: &mut Record, reason: &str) {
    record.outcome = Outcome::skipped(reason);
}

/// Source 002's table with all of its rows.
fn whole_table() -> Vec<Record> {
    let serial: Vec<Record> = table().into_iter().filter(|record| record.key.title == "serial").collect();
    let of = |title: &str| {
        let title = title.to_owned();
        serial.clone().into_iter().map(move |mut record| {
            record.key.server = "09".into();
            record.key.title.clone_from(&title);
            record
        })
    };
    serial.iter().cloned().chain(of("1 process")).chain(of("2 processes")).collect()
}

/// Those of the scenario that have workers or none of their own, of the servers named.
fn spin(names: &[&str]) -> Vec<Record> {
    let [spin, _] = scenarios(&SEVEN);
    spin.into_iter().filter(|record| names.contains(&record.key.server.as_str())).collect()
}

#[test]
fn a_cell_that_failed_in_every_round_is_named_and_no_line_crosses_it() {
    let mut records = whole_table();
    for record in &mut records {
        let in_all_rounds = record.key.title == "serial" && record.key.concurrency == 20;
        let in_one =
            record.key.title == "1 process" && record.key.concurrency == 50 && record.context.round == 1;
        if in_all_rounds || in_one {
            fail(record, "did not end within 11 s and was killed");
        }
    }
    let (svg, texts) = drawn(&records, "table");
    says(&texts, "Missing: serial with 20 clients, measured here (did not end within 11 s and was killed)");
    assert_eq!(texts.join(" ").matches("Missing").count(), 1, "one round that failed is no gap: {texts:?}");
    // The two pictures of what was measured here, then what was published.
    let found: Vec<usize> = lines(&svg, SERIAL).iter().map(Vec::len).filter(|corners| *corners > 2).collect();
    assert_eq!(found, [4, 8, 4, 8, 13], "1 to 10 clients, and 50 to 3,000");
}

#[test]
fn no_page_at_all_is_a_zero_and_failed_requests_are_counted() {
    let mut records = whole_table();
    for record in records.iter_mut().filter(|record| record.key.concurrency == 3000) {
        let figures = record.figures_mut().expect("measured");
        (figures.requests_per_second, figures.requests, figures.errors) = (0.0, 0, 500);
    }
    let (_, texts) = drawn(&records, "table");
    assert_eq!(
        texts.iter().filter(|text| *text == "0").count(),
        3,
        "of both speeds, and the costs' own: {texts:?}"
    );
    says(&texts, "Cross: no page at all");
    says(&texts, "4,500 requests failed; they are not in the figures.");
    let (_, texts) = drawn(&whole_table(), "table");
    assert!(!texts.iter().any(|text| text.contains("Cross") || text.contains("failed;")));
}

#[test]
fn of_an_interrupted_table_is_said_what_was_not_measured_yet() {
    let mut records = whole_table();
    records.retain(|record| match record.key.title.as_str() {
        "1 process" => false,
        "2 processes" => record.key.concurrency < 2000,
        _ => true,
    });
    let (_, texts) = drawn(&records, "table");
    says(&texts, "Not measured yet: 1 process.");
    says(&texts, "Not measured yet: 2 processes with 2,000, 2,500, 3,000 clients.");
    assert!(!texts.join(" ").contains("needs stage"), "{texts:?}");
}

#[test]
fn the_backlog_and_the_numbers_of_clients_are_those_of_the_data() {
    let mut records = whole_table();
    for record in &mut records {
        record.context.configuration = Some("--backlog 4096 --workers 2".into());
        if record.key.concurrency == 2500 {
            record.key.concurrency = 20_000;
            record.outcome.served_mut().clients = 20_000;
        }
    }
    let (_, texts) = drawn(&records, "table");
    says(&texts, "measured here, with a backlog of 4,096");
    says(&texts, "webbench, 1 to 20,000 clients");
    let named = texts.iter().filter(|text| *text == "20,000").count();
    // And one of the pages per minute.
    assert!(named >= 3, "an axis of each panel: {texts:?}");
}

#[test]
fn workers_that_failed_everywhere_are_named() {
    let mut records = spin(&["04", "06", "07"]);
    for record in records.iter_mut().filter(|record| record.key.workers == Some(2)) {
        fail(record, "refused: the server ended before it listened: exit status: 1");
    }
    let (_, texts) = drawn(&records, "spin");
    says(
        &texts,
        "Missing: 06, 07 with 2 workers (refused: the server ended before it listened: exit status: 1)",
    );
    for label in ["1 worker", "2 workers", "4 workers", "no option --workers"] {
        assert!(texts.iter().any(|text| text == label), "{label}: {texts:?}");
    }
}

#[test]
fn a_long_first_line_loses_nothing() {
    let mut records = spin(&["04", "06"]);
    records.retain(|record| record.key.server != "04" || record.context.round == 1);
    let (_, texts) = drawn(&records, "spin");
    says(&texts, "Medians of 1 to 5 rounds");
    says(&texts, "server on CPUs 0,1, generator on CPUs 0,1.");
    let [_, mut records] = scenarios(&SEVEN);
    records.retain(|record| record.key.server != "04" || record.context.round == 1);
    let (_, texts) = drawn(&records, "slow");
    says(&texts, "server on CPU 0, generator on CPU 1.");
}

#[test]
fn many_numbers_of_workers_can_be_read() {
    let few = spin(&["04", "06", "07"]);
    for count in [11_usize, 40] {
        let mut records: Vec<Record> =
            few.iter().filter(|record| record.key.workers.is_none()).cloned().collect();
        for record in few.iter().filter(|record| record.key.workers == Some(1)) {
            let with = |workers| Key { workers: Some(workers), ..record.key.clone() };
            records.extend((1..=count).map(|workers| Record { key: with(workers), ..record.clone() }));
        }
        let (_, texts) = drawn(&records, "spin");
        for label in ["1 worker".to_owned(), format!("{count} workers"), "no option --workers".into()] {
            assert!(texts.contains(&label), "{count}: {label} is missing in {texts:?}");
        }
        assert!(!texts.iter().any(|text| text.contains('…')), "{count}: {texts:?}");
    }
}

/// Protects from a file that is left out without a word.
#[test]
fn two_files_of_a_kind_are_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let [one, other] = [1, 2].map(|_| write(&spin(&["06"]), "spin", directory.path()));
    let output = draw(&[&one, &other], directory.path());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && error.lines().count() == 1, "{output:?}");
    for name in ["-spin.jsonl", "-spin-2.jsonl", "one `spin` scenario at a time"] {
        assert!(error.contains(name), "{name}: {error}");
    }
}

/// Protects a reader who gave a file a name of their own, and one who named a file that holds nothing to
/// draw.
#[test]
fn a_file_of_any_name_is_drawn_by_what_it_holds() {
    let directory = tempfile::tempdir().expect("a directory");
    let named = |records: &[Record], name: &str| {
        let file = directory.path().join(name);
        std::fs::rename(write(records, "spin", directory.path()), &file).expect("renamed");
        file
    };
    let mine = named(&spin(&["06"]), "mine.jsonl");
    let output = draw(&[&mine], directory.path());
    assert!(output.status.success() && directory.path().join("spin.svg").is_file(), "{output:?}");
    let mut skipped = spin(&["06"]);
    skipped.iter_mut().for_each(|record| fail(record, "it was tired"));
    let nothing = named(&skipped, "nothing.jsonl");
    // The charts of what lies beside it must not stand for its own.
    write(&whole_table(), "table", directory.path());
    let other = directory.path().join("other.jsonl");
    std::fs::write(&other, "{\"an\": \"object\"}\n").expect("written");
    let absent = directory.path().join("not-there.jsonl");
    for (file, words) in
        [(&nothing, "every point was skipped"), (&other, "other.jsonl"), (&absent, "cannot read")]
    {
        let output = draw(&[file], directory.path());
        let error = String::from_utf8_lossy(&output.stderr);
        let line = error.lines().last().unwrap_or_default();
        assert!(!output.status.success() && line.contains(words), "{words}: {error}");
    }
}
