//! What a user may write after `--stages`, `--tools`, `--cpus`, `--concurrency`.

use crate::generators::Tool;
use crate::references::Name;
use anyhow::{Context, Result, bail, ensure};
use lab_core::stages::{Stage, find};
use records::{FLOOR, Phase};

/// The stages of a list such as `1,4-7,5-mio`, each once, in the order of the list. `floor` is allowed and
/// names no stage: it is measured anyway.
pub(super) fn stages<'a>(list: &str, all: &'a [Stage]) -> Result<Vec<&'a Stage>> {
    let mut chosen: Vec<&Stage> = Vec::new();
    let mut floor = false;
    for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        if item == FLOOR {
            floor = true;
            continue;
        }
        match range(item) {
            Some((first, last)) => {
                ensure!(first <= last, "the range {item} is empty: write {last}-{first}");
                // Both ends must be there; what is between is what there is.
                find(all, &first.to_string())?;
                find(all, &last.to_string())?;
                chosen.extend(all.iter().filter(|s| !s.is_twin && (first..=last).contains(&s.number)));
            }
            None => chosen.push(find(all, item)?),
        }
    }
    ensure!(floor || !chosen.is_empty(), "--stages names no stage: write for example 1,4-7,5-mio");
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
pub(super) fn tools(list: &str) -> Result<Vec<Tool>> {
    let mut chosen = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let tool = Tool::named(name).with_context(|| {
            let names = Tool::ALL.map(Tool::name).join(", ");
            format!("no tool `{name}`: there is {names}")
        })?;
        if !chosen.contains(&tool) {
            chosen.push(tool);
        }
    }
    ensure!(!chosen.is_empty(), "--tools names no tool: there is {}", Tool::ALL.map(Tool::name).join(", "));
    Ok(chosen)
}

/// The phases of a list such as `paired,latency`.
pub(super) fn phases(list: &str) -> Result<Vec<Phase>> {
    const NAMES: [(&str, Phase); 4] = [
        ("survey", Phase::Survey),
        ("paired", Phase::Paired),
        ("latency", Phase::Latency),
        ("idle", Phase::Idle),
    ];
    let phase = |name: &str| {
        let found = NAMES.iter().find(|(known, _)| *known == name.trim());
        found.map(|(_, phase)| *phase).with_context(|| {
            let names = NAMES.map(|(name, _)| name).join(", ");
            format!("--phases: no phase `{}`: there is {names}", name.trim())
        })
    };
    list.split(',').map(phase).collect()
}

/// The references of a list such as `floor,nginx`, each once. The floor is allowed and not named: it is always measured.
pub(super) fn references(list: &str) -> Result<Vec<Name>> {
    let mut chosen = Vec::new();
    for name in list.split(',').map(str::trim).filter(|name| *name != FLOOR) {
        let reference = Name::named(name).with_context(|| {
            let names = Name::ALL.map(Name::as_str).join(", ");
            format!("--references: no reference `{name}`: there is {FLOOR}, {names}")
        })?;
        if !chosen.contains(&reference) {
            chosen.push(reference);
        }
    }
    Ok(chosen)
}

/// The most clients that a run may have: all of them are on one address, so ports are the limit.
const MOST_CLIENTS: usize = 20_000;

/// Numbers of clients such as `1,8,64`, each once, in ascending order.
pub(super) fn concurrency(list: &str) -> Result<Vec<usize>> {
    clients(list, "--concurrency")
}

/// The same for an option of another name.
pub(crate) fn clients(list: &str, option: &str) -> Result<Vec<usize>> {
    amounts(list, option, MOST_CLIENTS)
}

/// The same for what is no client.
pub(crate) fn amounts(list: &str, option: &str, most: usize) -> Result<Vec<usize>> {
    let mut numbers = numbers(list, option, "1,64")?;
    if let Some(bad) = numbers.iter().find(|number| !(1..=most).contains(number)) {
        bail!("{option} {bad} is not possible: 1 to {most} are allowed");
    }
    numbers.sort_unstable();
    numbers.dedup();
    Ok(numbers)
}

/// `SERVER:GENERATOR`, each a list of CPUs such as `0,2`.
pub(super) fn cpus(text: &str, allowed: &[usize]) -> Result<(Vec<usize>, Vec<usize>)> {
    let (server, generator) =
        text.split_once(':').context("--cpus must look like SERVER:GENERATOR, for example 0:1 or 0,1:2,3")?;
    let side = |list| numbers(list, "--cpus", "0:1 or 0,1:2,3");
    let both = (side(server)?, side(generator)?);
    if let Some(bad) = both.0.iter().chain(&both.1).find(|cpu| !allowed.contains(cpu)) {
        let allowed: Vec<String> = allowed.iter().map(usize::to_string).collect();
        bail!("--cpus names CPU {bad}: this process may use {}", allowed.join(", "));
    }
    for side in [&both.0, &both.1] {
        if let Some(twice) = side.iter().enumerate().find(|(at, cpu)| side[..*at].contains(cpu)) {
            bail!("--cpus names CPU {} twice on one side", twice.1);
        }
    }
    if both.0.iter().any(|cpu| both.1.contains(cpu)) {
        eprintln!("server and generator share a CPU, so the speeds are of both together");
    }
    Ok(both)
}

fn numbers(list: &str, option: &str, example: &str) -> Result<Vec<usize>> {
    let number = |word: &str| {
        word.trim()
            .parse()
            .ok()
            .with_context(|| format!("{option}: '{word}' is no number; write for example {example}"))
    };
    list.split(',').map(number).collect()
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
        }
    }

    fn all() -> Vec<Stage> {
        let mut all: Vec<Stage> = (1..=7).map(|number| stage(number, None)).collect();
        all.insert(5, stage(5, Some("mio")));
        all.insert(2, stage(2, Some("threads")));
        all
    }

    fn names(list: &str) -> Result<Vec<String>> {
        Ok(stages(list, &all())?.iter().map(|stage| stage.name.clone()).collect())
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
            let _ = (names(&text), tools(&text), concurrency(&text), cpus(&text, &[0, 1]));
        }
    }

    #[test]
    fn phases_have_names() {
        assert_eq!(phases("idle, paired").expect("good"), [Phase::Idle, Phase::Paired]);
        for bad in ["", "idle,", "table", "Idle"] {
            assert!(phases(bad).expect_err(bad).to_string().contains("survey, paired, latency, idle"));
        }
    }

    #[test]
    fn references_have_names_and_the_floor_is_always_one() {
        assert!(references("floor").expect("good").is_empty());
        assert_eq!(references("nginx, floor,nginx").expect("good"), [Name::Nginx]);
        for bad in ["", "apache", "floor,"] {
            assert!(references(bad).expect_err(bad).to_string().contains("floor, nginx, h2o"), "{bad}");
        }
    }

    #[test]
    fn cpus_must_be_there() {
        assert_eq!(cpus("0:1", &[0, 1]).expect("good"), (vec![0], vec![1]));
        assert_eq!(cpus("0,1:2", &[0, 1, 2]).expect("good"), (vec![0, 1], vec![2]));
        for bad in ["0", "0:", ":1", "0:7", "a:b", "0:1:1"] {
            assert!(cpus(bad, &[0, 1]).is_err(), "{bad}");
        }
    }

    #[test]
    fn bad_numbers_of_clients_are_refused() {
        assert_eq!(concurrency("64,1,64").expect("good"), [1, 64]);
        for bad in ["0", "-1", "1,,2", "many", "20001", ""] {
            assert!(concurrency(bad).is_err(), "{bad}");
        }
    }
}
