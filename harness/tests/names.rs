//! One name for one command: what a user types after `./lab` is what the harness calls it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The recipes of the justfile, each with its lines.
fn recipes() -> BTreeMap<String, Vec<String>> {
    let justfile = Path::new(env!("CARGO_MANIFEST_DIR")).join("../justfile");
    let text = std::fs::read_to_string(justfile).expect("the justfile is there");
    let mut recipes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut current = None;
    for line in text.lines() {
        if line.starts_with(' ') {
            let body = current.as_ref().and_then(|name| recipes.get_mut(name));
            body.into_iter().for_each(|body| body.push(line.trim().to_owned()));
        } else if let Some((head, _)) = line.split_once(':').filter(|_| !line.starts_with(['#', '['])) {
            let name = head.split(' ').next().unwrap_or_default().to_owned();
            recipes.insert(name.clone(), Vec::new());
            current = Some(name);
        }
    }
    recipes
}

/// The commands that `harness --help` lists.
fn commands() -> Vec<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_harness")).arg("--help").output().expect("it was built");
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = list.take_while(|line| !line.is_empty()).filter_map(|line| line.strip_prefix("  "));
    let names = names.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split(' ').next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// Protects a user who reads of a command in one place and types it in another.
#[test]
fn each_command_of_the_harness_is_a_recipe_of_the_same_name() {
    let (recipes, commands) = (recipes(), commands());
    assert!(commands.len() >= 10, "{commands:?}");
    for command in &commands {
        let body = recipes.get(command).unwrap_or_else(|| panic!("there is no recipe `{command}`"));
        let calls = |line: &String| {
            let words = line.split_once("{{harness}} ").and_then(|(_, words)| words.split(' ').next());
            words.is_some_and(|word| word == command)
        };
        assert!(body.iter().any(calls), "{command}: {body:?}");
    }
}

/// Protects those who have learnt the short name.
#[test]
fn bench_is_another_name_for_bench_all() {
    let help = |name: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        let output = command.args([name, "--help"]).output().expect("it was built");
        assert!(output.status.success(), "{output:?}");
        output.stdout
    };
    assert_eq!(help("bench"), help("bench-all"));
}
