//! What is there of what the user asked for.

use super::select;
use super::subject::Subject;
use crate::generators::Tool;
use crate::references::Name;
use anyhow::{Context, Result, bail, ensure};
use lab_core::stages::Stage;
use nix::sched::{CpuSet, sched_getaffinity};
use nix::unistd::Pid;

/// The tools that were asked for. Without a wish: the three that everybody knows, and our own where webbench
/// would be alone.
pub(super) fn tools(asked: Option<&str>) -> Result<Vec<Tool>> {
    let mut tools = select::tools(asked.unwrap_or("ab,wrk,webbench"))?;
    if asked.is_none() && Tool::Ab.find().is_err() && Tool::Wrk.find().is_err() {
        eprintln!("neither ab nor wrk is installed: builtin (harness load) measures too");
        tools.push(Tool::Builtin);
    }
    Ok(tools)
}

/// The stages to measure. Those that are named must be built; of the others the built ones are taken.
pub(super) fn stages(list: Option<&str>, all: &[Stage]) -> Result<Vec<Subject>> {
    Ok(built(list, all)?.into_iter().map(Subject::stage).collect())
}

/// The same, as stages.
pub(crate) fn built<'a>(list: Option<&str>, all: &'a [Stage]) -> Result<Vec<&'a Stage>> {
    const BUILD: &str = "build them with `cargo build --release --workspace --bins`";
    let named = list.map(|list| select::stages(list, all)).transpose()?;
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

/// The CPUs of the server and of the generator: as asked for, else the first and the second.
pub(crate) fn cpus(asked: Option<&str>) -> Result<(Vec<usize>, Vec<usize>)> {
    let allowed = allowed_cpus()?;
    match (asked, allowed.as_slice()) {
        (Some(asked), _) => select::cpus(asked, &allowed),
        (None, [first, second, ..]) => Ok((vec![*first], vec![*second])),
        (None, [only]) => {
            eprintln!("one CPU only: server and generator share it, so the speeds are of both together");
            Ok((vec![*only], vec![*only]))
        }
        (None, []) => bail!("no CPU may be used"),
    }
}

/// The same CPUs for both: as asked for, else the first two.
pub(crate) fn shared_cpus(asked: Option<&str>) -> Result<(Vec<usize>, Vec<usize>)> {
    let allowed = allowed_cpus()?;
    match asked {
        Some(asked) => select::cpus(asked, &allowed),
        None => {
            let cpus: Vec<usize> = allowed.into_iter().take(2).collect();
            ensure!(!cpus.is_empty(), "no CPU may be used");
            Ok((cpus.clone(), cpus))
        }
    }
}

fn allowed_cpus() -> Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0)).context("cannot read the CPU affinity")?;
    Ok((0..CpuSet::count()).filter(|&cpu| set.is_set(cpu).unwrap_or(false)).collect())
}

/// What the stages are compared with: the floor always, the others where they are installed. Those that are named must be.
pub(super) fn references(
    list: Option<&str>,
    path: &str,
    has_files: bool,
    server_cpus: usize,
) -> Result<Vec<Subject>> {
    let mut wanted = list.map_or(Ok(Name::ALL.to_vec()), select::references)?;
    if path != "/" && !has_files && !wanted.is_empty() {
        eprintln!("left out: nginx and h2o, which serve / and the files of --root, but not {path}");
        wanted.clear();
    }
    let (found, absent) = Subject::references(&wanted, server_cpus);
    for (name, install) in absent {
        let line = format!("{name} is not installed: {install}");
        ensure!(list.is_none(), "{line}");
        eprintln!("left out: {line}");
    }
    Ok(Subject::floor(path)?.into_iter().chain(found).collect())
}
