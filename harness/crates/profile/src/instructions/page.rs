//! The table as a part of the book.

use super::table::{Count, Table};
use super::trials::{Trial, section};
use std::fmt::Write;

/// Functions of a count that are shown.
const SHOWN: usize = 12;

/// What each kind of request is.
const KINDS: [(&str, &str); 6] = [
    ("get", "`GET /`, one request in one read"),
    ("depth-16", "sixteen of them in one read, for each"),
    ("file-13", "a file of 13 bytes"),
    ("not-modified", "the same file with `If-None-Match`: 304"),
    ("echo-1024", "`POST /echo` with a body of 1 KiB"),
    ("cut-head", "`GET /`, its head cut in two"),
];

/// The tables of the page "Where a request's instructions go".
pub fn page(table: Option<&Table>, trials: &[Trial]) -> String {
    let Some(table) = table else {
        return "There is no table yet: `./lab instructions --stages all --write` makes it.\n".to_owned();
    };
    let mut text = String::from("**Kit alone**, protocol and session without a socket:\n\n");
    text.push_str("| request | instructions |\n|---|---:|\n");
    for (name, what) in KINDS {
        if let Some(count) = table.kit.get(name) {
            let _ = writeln!(text, "| {what} | {:.0} |", count.instructions);
        }
    }
    for (name, title) in [("get", "One `GET /`"), ("depth-16", "The same, sixteen in one read")] {
        if let Some(count) = table.kit.get(name) {
            functions(&mut text, title, count);
        }
    }
    if !table.stages.is_empty() {
        text.push_str(
            "\n**Whole stages**: 16 connections with one request each under way, 4 with 16 each, and a \
             connection for each request:\n\n\
             | stage | load | instructions | system calls | by name | the kernel's share of the CPU time |\n\
             |---|---|---:|---:|---|---:|\n",
        );
        for (stage, loads) in &table.stages {
            for (load, count) in loads {
                let calls: f64 = count.calls.values().sum();
                let names: Vec<String> =
                    count.calls.iter().map(|(name, count)| format!("{count:.2} `{name}`")).collect();
                let kernel = count.kernel.map_or("–".to_owned(), |share| format!("{:.0} %", share * 100.0));
                let _ = writeln!(
                    text,
                    "| {stage} | {load} | {:.0} | {calls:.2} | {} | {kernel} |",
                    count.instructions,
                    names.join(", ")
                );
            }
        }
    }
    let tools = &table.tools;
    let _ = write!(
        text,
        "\nCounted with {}, {} and {}, on a processor with {}.\n",
        tools.compiler,
        tools.valgrind,
        tools.libc,
        tools.features.join(", ")
    );
    text.push_str(&section(trials));
    text
}

/// The functions of a count, most instructions first.
fn functions(text: &mut String, title: &str, count: &Count) {
    let mut all: Vec<(&String, &f64)> = count.functions.iter().collect();
    all.sort_by(|one, other| other.1.total_cmp(one.1));
    let _ = write!(text, "\n{title}, by function:\n\n| function | instructions | share |\n|---|---:|---:|\n");
    for (name, own) in all.into_iter().take(SHOWN) {
        let share = own / count.instructions * 100.0;
        let _ = writeln!(text, "| `{}` | {own:.0} | {share:.0} % |", name.replace('|', "\\|"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_shown_with_its_largest_functions_first() {
        let functions = [("small".to_owned(), 40.0), ("large".to_owned(), 60.0)];
        let count = Count::new(functions.into());
        let table = Table { kit: [("get".to_owned(), count)].into(), ..Table::default() };
        let page = page(Some(&table), &[]);
        assert!(page.contains("| `GET /`, one request in one read | 100 |"), "{page}");
        let (large, small) = (page.find("| `large` | 60 | 60 % |"), page.find("| `small` | 40 | 40 % |"));
        assert!(large.is_some() && large < small, "{page}");
        assert!(!page.contains("Whole stages"), "{page}");
    }

    #[test]
    fn without_a_table_the_page_says_how_it_is_made() {
        assert!(page(None, &[]).contains("./lab instructions"));
    }
}
