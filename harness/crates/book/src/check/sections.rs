//! Each chapter has each section of the template, and each stage its chapter.

use super::{Book, Page};
use crate::markdown::titles;
use crate::parts::{OF_CHAPTER, include};
use lab_core::stages::Stage;

/// What a chapter has, in this order; a title may go on behind a colon. A chapter may have more.
const SECTIONS: [&str; 12] = [
    "Predict before you read",
    "The flaw inherited",
    "The idea",
    "Who waits for whom",
    "What the kernel sees",
    "See it",
    "Invariants",
    "What it costs",
    "Break it",
    "Exercises",
    "Check yourself",
    "Where it comes from",
];
/// What it has too, before the section that shows it or behind.
const ANYWHERE: [&str; 1] = ["The flaw"];

pub(crate) fn faults(book: &Book, stages: &[Stage]) -> Vec<String> {
    let mut faults = Vec::new();
    for stage in stages.iter().filter(|stage| !stage.is_twin) {
        match book.page(&stage.chapter) {
            Some(page) => faults.extend(of_chapter(page, stage)),
            None => faults.push(format!("{}: stage {} has no such chapter", stage.chapter, stage.name)),
        }
    }
    faults
}

fn of_chapter(page: &Page, stage: &Stage) -> Vec<String> {
    let titles = titles(&page.text);
    let is = |title: &str, section: &str| {
        title.strip_prefix(section).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
    };
    let mut faults = Vec::new();
    let is_first = stage.builds_on == 0;
    let wanted = SECTIONS.iter().filter(|section| !(is_first && **section == "The flaw inherited"));
    for section in ANYWHERE.iter().filter(|section| !titles.iter().any(|title| is(title, section))) {
        faults.push(format!("{}: it has no section `{section}`", page.name));
    }
    let mut last = 0;
    for section in wanted {
        match titles.iter().position(|title| is(title, section)) {
            None => faults.push(format!("{}: it has no section `{section}`", page.name)),
            Some(at) if at < last => {
                faults.push(format!("{}: the section `{section}` stands too early", page.name));
            }
            Some(at) => last = at,
        }
    }
    if !page.text.lines().any(|line| {
        line.strip_prefix("Minutes: ").is_some_and(|minutes| minutes.trim().parse::<u32>().is_ok())
    }) {
        faults.push(format!("{}: it does not say how many minutes it takes (`Minutes: 20`)", page.name));
    }
    if !page.text.contains("**The question.**") {
        faults.push(format!("{}: it does not begin with **The question.**", page.name));
    }
    for part in OF_CHAPTER.iter().filter(|part| !(is_first && **part == "diff")) {
        let include = include(part, &stage.name);
        if !page.text.lines().any(|line| line.trim() == include) {
            faults.push(format!("{}: it does not include its generated part `{part}`", page.name));
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::super::invented;
    use super::*;

    fn chapter() -> String {
        let sections: String =
            SECTIONS.iter().chain(&ANYWHERE).map(|section| format!("## {section}\n\ntext\n\n")).collect();
        let parts: String = OF_CHAPTER
            .iter()
            .map(|part| {
                include(part, "05")
                    + "
"
            })
            .collect();
        format!("# 05 Five\n\nMinutes: 20\n\n**The question.** Why?\n\n{sections}{parts}")
    }

    fn of(text: &str) -> Vec<String> {
        let (_directory, book) = invented(&[("05-five.md", text)]);
        let stage = Stage {
            number: 5,
            builds_on: 4,
            compared_with: 4,
            name: "05".into(),
            chapter: "05-five.md".into(),
            ..Stage::default()
        };
        faults(&book, &[stage])
    }

    /// Protects the template: a student finds each part in each chapter.
    #[test]
    fn each_missing_section_is_found() {
        assert_eq!(of(&chapter()), [""; 0]);
        assert_eq!(of(&chapter().replace("## See it\n", "## See it: one of four hangs\n")), [""; 0]);
        for section in SECTIONS.iter().chain(&ANYWHERE) {
            let broken = chapter().replace(&format!("## {section}\n"), "## Something else\n");
            assert_eq!(of(&broken), [format!("05-five.md: it has no section `{section}`")]);
        }
        for (part, fault) in [
            ("Minutes: 20", "it does not say how many minutes it takes (`Minutes: 20`)"),
            ("**The question.**", "it does not begin with **The question.**"),
            ("{{#include generated/predict-05.md}}", "it does not include its generated part `predict`"),
            ("{{#include generated/diff-05.md}}", "it does not include its generated part `diff`"),
            ("{{#include generated/calls-05.md}}", "it does not include its generated part `calls`"),
            ("{{#include generated/cost-05.md}}", "it does not include its generated part `cost`"),
            (
                "{{#include generated/experiments-05.md}}",
                "it does not include its generated part `experiments`",
            ),
        ] {
            assert_eq!(of(&chapter().replace(part, "")), [format!("05-five.md: {fault}")]);
        }
        let turned = chapter()
            .replace("## Break it", "## X")
            .replace("## Invariants", "## Break it")
            .replace("## X", "## Invariants");
        assert_eq!(of(&turned).len(), 2, "{:?}", of(&turned));
    }

    /// Protects `./lab stage N`, which ends by naming the chapter to read.
    #[test]
    fn a_stage_without_a_chapter_is_found() {
        let (_directory, book) = invented(&[("page.md", "")]);
        let stage = Stage { name: "05".into(), chapter: "05-five.md".into(), ..Stage::default() };
        assert_eq!(faults(&book, &[stage]), ["05-five.md: stage 05 has no such chapter"]);
    }
}
