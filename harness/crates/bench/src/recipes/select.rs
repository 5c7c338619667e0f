//! What a user may write after `--stages`, `--tools`, `--concurrency`, and what is there of it.

use crate::cpus::numbers;
use crate::generators::Tool;
use crate::references::{Name, Reference};
use anyhow::{Context, Result, bail, ensure};
use lab_core::Usage;
use lab_core::stages::{Stage, find};
use records::{FLOOR, Phase};

/// The tools that were asked for; by default ab, wrk and webbench, and the built-in one where webbench would
/// be alone.
pub(super) fn tools(asked: Option<&str>) -> Result<Vec<Tool>> {
    let mut tools = tools_of(asked.unwrap_or("ab,wrk,webbench"))?;
    if asked.is_none() && Tool::Ab.find().is_err() && Tool::Wrk.find().is_err() {
        eprintln!("neither ab nor wrk is installed: builtin (harness load) measures too");
        tools.push(Tool::Builtin);
    }
    Ok(tools)
}

/// The stages to measure. Those that are named must be built; of the others the built ones are taken.
pub(super) fn stages<'a>(list: Option<&str>, all: &'a [Stage]) -> Result<Vec<&'a Stage>> {
    const BUILD: &str = "build them with `cargo build --release --workspace --bins`";
    let named = list.map(|list| stages_of(list, all)).transpose()?;
    let wanted = named.clone().unwrap_or_else(|| all.iter().filter(|stage| !stage.is_twin).collect());
    let (built, missing): (Vec<&Stage>, Vec<&Stage>) =
        wanted.into_iter().partition(|stage| stage.binary.is_file());
    let names: Vec<&str> = missing.iter().map(|stage| stage.name.as_str()).collect();
    match (missing.is_empty(), named.is_some() || built.is_empty()) {
        (true, _) => {}
        (false, true) => bail!("not built: {}; {BUILD}", names.join(", ")),
        (false, false) => eprintln!("not built, left out: {}; {BUILD}", names.join(", ")),
    }
    Ok(built)
}

/// What the stages are compared with: the floor always, the others where they are installed. Those that are
/// named must be.
pub(super) fn references(list: Option<&str>, path: &str, has_files: bool) -> Result<Vec<Reference>> {
    let mut wanted = list.map_or(Ok(Name::ALL.to_vec()), references_of)?;
    if path != "/" && !has_files && !wanted.is_empty() {
        eprintln!("left out: nginx and h2o, which serve / and the files of --root, but not {path}");
        wanted.clear();
    }
    let mut found = Vec::new();
    for name in wanted {
        match name.find() {
            Ok(reference) => found.push(reference),
            Err(install) => {
                let line = format!("{} is not installed: {install}", name.as_str());
                ensure!(list.is_none(), "{line}");
                eprintln!("left out: {line}");
            }
        }
    }
    Ok(found)
}

/// The stages of a list such as `1,4-7,5-mio`, each once, in the order of the list. `floor` is allowed and
/// names no stage: it is measured anyway.
fn stages_of<'a>(list: &str, all: &'a [Stage]) -> Result<Vec<&'a Stage>> {
    let mut chosen: Vec<&Stage> = Vec::new();
    let mut floor = false;
    for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        if item == FLOOR {
            floor = true;
            continue;
        }
        match range(item) {
            Some((first, last)) => {
                ensure!(
                    first <= last,
                    Usage::new(format!("the range {item} is empty: write {last}-{first}"))
                );
                // Both ends must be there; what is between is what there is.
                find(all, &first.to_string())?;
                find(all, &last.to_string())?;
                chosen.extend(all.iter().filter(|s| !s.is_twin && (first..=last).contains(&s.number)));
            }
            None => chosen.push(find(all, item)?),
        }
    }
    ensure!(
        floor || !chosen.is_empty(),
        Usage::new("--stages names no stage: write for example 1,4-7,5-mio")
    );
    let mut seen = std::collections::BTreeSet::new();
    chosen.retain(|stage| seen.insert(stage.name.clone()));
    Ok(chosen)
}

/// `4-7`; a twin such as `5-mio` is no range.
fn range(item: &str) -> Option<(u8, u8)> {
    let (first, last) = item.split_once('-')?;
    Some((first.parse().ok()?, last.parse().ok()?))
}

/// The tools of a list such as `ab,wrk`, each once.
fn tools_of(list: &str) -> Result<Vec<Tool>> {
    named(list, "--tools", "tool", &Tool::ALL.map(|tool| (tool.name(), tool)))
}

/// The phases of a list such as `paired,idle`.
pub(super) fn phases(list: &str) -> Result<Vec<Phase>> {
    ensure!(
        !list.contains("latency"),
        Usage::new("--phases: latency is measured by `./lab scenario latency`")
    );
    let all = [("survey", Phase::Survey), ("paired", Phase::Paired), ("idle", Phase::Idle)];
    named(list, "--phases", "phase", &all)
}

/// The references of a list such as `floor,nginx`, each once. The floor is allowed and not named: it is
/// always measured.
fn references_of(list: &str) -> Result<Vec<Name>> {
    let others = Name::ALL.map(|name| (name.as_str(), Some(name)));
    let all: Vec<_> = [(FLOOR, None)].into_iter().chain(others).collect();
    Ok(named(list, "--references", "reference", &all)?.into_iter().flatten().collect())
}

/// What each item of a list names, each once.
fn named<T: Copy + PartialEq>(list: &str, option: &str, what: &str, all: &[(&str, T)]) -> Result<Vec<T>> {
    let mut chosen = Vec::new();
    for item in list.split(',').map(str::trim) {
        let found = all.iter().find(|(name, _)| *name == item).map(|(_, found)| *found);
        let there = || all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let unknown = || Usage::new(format!("{option}: no {what} `{item}`: there is {}", there()));
        let found = found.with_context(unknown)?;
        if !chosen.contains(&found) {
            chosen.push(found);
        }
    }
    Ok(chosen)
}

/// The most clients that a run may have: all of them are on one address, so ports are the limit.
const MOST_CLIENTS: usize = 20_000;

/// Numbers of clients such as `1,8,64`, each once, in ascending order.
pub(super) fn clients(list: &str, option: &str) -> Result<Vec<usize>> {
    numbers_up_to(list, option, MOST_CLIENTS)
}

/// The same for what is no client.
pub(super) fn numbers_up_to(list: &str, option: &str, most: usize) -> Result<Vec<usize>> {
    let mut numbers = numbers(list, option, "1,64")?;
    if let Some(bad) = numbers.iter().find(|number| !(1..=most).contains(number)) {
        bail!(Usage::new(format!("{option} {bad} is not possible: 1 to {most} are allowed")));
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn stage(number: u8, twin: Option<&str>) -> Stage {
        let name = twin.map_or(format!("{number:02}"), |twin| format!("{number:02}-{twin}"));
        Stage {
            number,
            binary: format!("stage-{name}").into(),
            package: "p".into(),
            title: "t".into(),
            idea: "i".into(),
            flaw: "f".into(),
            chapter: "c".into(),
            serves_at_once: None,
            expect: BTreeMap::new(),
            variants: Vec::new(),
            has_workers: false,
            needs: None,
            is_twin: twin.is_some(),
            name,
            ..Stage::default()
        }
    }

    fn all() -> Vec<Stage> {
        let mut all: Vec<Stage> = (1..=7).map(|number| stage(number, None)).collect();
        all.insert(5, stage(5, Some("mio")));
        all.insert(2, stage(2, Some("threads")));
        all
    }

    fn names(list: &str) -> Result<Vec<String>> {
        Ok(stages_of(list, &all())?.iter().map(|stage| stage.name.clone()).collect())
    }

    #[test]
    fn a_list_names_stages_ranges_and_twins() {
        assert_eq!(names("1,4-6").expect("good"), ["01", "04", "05", "06"]);
        assert_eq!(names("5-mio, 02-threads").expect("good"), ["05-mio", "02-threads"]);
        assert_eq!(names("4-5,5,5-mio").expect("good"), ["04", "05", "05-mio"], "each once");
        assert!(names("floor").expect("good").is_empty());
        for bad in ["", ",", "8", "6-9", "0-2", "7-4", "x", "5-", "-5", "4-5-6"] {
            let error = names(bad).expect_err(bad).to_string();
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }

    proptest! {
        /// What a list names is what was put into it, however it was written; nothing makes the parser panic.
        #[test]
        fn a_list_gives_what_was_put_into_it(picks in proptest::collection::vec((1u8..=7, 0u8..3, any::<bool>()), 1..8)) {
            let mut items = Vec::new();
            let mut expected = Vec::new();
            for (first, more, padded) in picks {
                let last = (first + more).min(7);
                items.push(match (first == last, padded) {
                    (true, true) => format!(" {first:02}"),
                    (true, false) => first.to_string(),
                    (false, true) => format!("{first:02}-{last:02} "),
                    (false, false) => format!("{first}-{last}"),
                });
                for number in first..=last {
                    let name = format!("{number:02}");
                    if !expected.contains(&name) {
                        expected.push(name);
                    }
                }
            }
            prop_assert_eq!(names(&items.join(",")).expect("a good list"), expected);
        }

        #[test]
        fn no_text_makes_the_parsers_panic(text in "[-0-9a-z,: ]{0,12}") {
            let _ = (names(&text), tools_of(&text), clients(&text, "-c"));
        }
    }

    #[test]
    fn phases_have_names() {
        assert_eq!(phases("idle, paired").expect("good"), [Phase::Idle, Phase::Paired]);
        for bad in ["", "idle,", "table", "Idle"] {
            assert!(phases(bad).expect_err(bad).to_string().contains("survey, paired, idle"));
        }
        assert!(phases("latency").expect_err("elsewhere").to_string().contains("scenario latency"));
    }

    #[test]
    fn references_have_names_and_the_floor_is_always_one() {
        assert!(references_of("floor").expect("good").is_empty());
        assert_eq!(references_of("nginx, floor,nginx").expect("good"), [Name::Nginx]);
        for bad in ["", "apache", "floor,"] {
            assert!(references_of(bad).expect_err(bad).to_string().contains("floor, nginx, h2o"), "{bad}");
        }
    }

    #[test]
    fn bad_numbers_of_clients_are_refused() {
        assert_eq!(clients("64,1,64", "-c").expect("good"), [1, 64]);
        for bad in ["0", "-1", "1,,2", "many", "20001", ""] {
            assert!(clients(bad, "-c").is_err(), "{bad}");
        }
    }
}
