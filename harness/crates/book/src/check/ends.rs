//! Commands that end: none asks for a process by its name, which on a shared machine finds somebody else's;
//! a server in the background is stopped by its pid; and of what runs long it is said how long, or how to
//! stop it.

use super::{Book, Page};
use crate::markdown::{blocks, sections};

/// What finds or ends processes by their names.
const BY_NAME: [&str; 4] = ["pgrep", "pkill", "killall", "pidof"];
/// What runs until it is stopped, or for more than some seconds.
const LONG: [&str; 14] = [
    "bench",
    "bench-all",
    "bench-queues",
    "distributed",
    "experiment",
    "loom",
    "microbench",
    "miri",
    "mutants",
    "notes",
    "sanitize",
    "scenario",
    "stage",
    "table",
];
/// How a text says how long, or how to stop it.
const SAID: [&str; 5] = ["Ctrl-C", "second", "minute", "hour", "half a"];

pub(crate) fn faults(book: &Book) -> Vec<String> {
    book.pages.iter().flat_map(of_page).collect()
}

fn of_page(page: &Page) -> Vec<String> {
    let mut faults = Vec::new();
    for section in sections(&page.text) {
        let all = blocks(&section.body);
        for (at, block) in all.iter().enumerate().filter(|(_, block)| is_commands(block)) {
            let mut fault = |what: String| faults.push(format!("{}: {what}", page.name));
            let words = || block.split(|c: char| !(c.is_ascii_alphanumeric() || "-_./".contains(c)));
            for word in words().filter(|word| BY_NAME.contains(word)) {
                fault(format!(
                    "`{word}` finds somebody else's processes too: use the pid that the shell keeps in `$!`"
                ));
            }
            let stops = ["kill $pid", "kill -TERM $pid", "kill -9 $pid", "wait $pid"];
            let around = |to: usize| {
                all[at..=to.min(all.len() - 1)]
                    .iter()
                    .any(|block| stops.iter().any(|stop| block.contains(stop)))
            };
            // It may be stopped in the next block of commands, behind the words between.
            if block.contains("& pid=$!") && !around(at + 4) {
                fault("a server is started in the background, and no `kill $pid` stops it".into());
            }
            let near = all[at.saturating_sub(1)..=(at + 1).min(all.len() - 1)].concat();
            for line in block.lines().map(|line| line.trim_start_matches("$ ")) {
                let recipe = line.strip_prefix("./lab ").and_then(|rest| rest.split_whitespace().next());
                let Some(recipe) = recipe.filter(|recipe| LONG.contains(recipe)) else { continue };
                let is_short = line.contains("--list") || line.contains("--help");
                if !is_short && !SAID.iter().any(|word| near.contains(word)) {
                    fault(format!("`./lab {recipe}` runs long: say how long, or how to stop it"));
                }
            }
        }
    }
    faults
}

/// What a reader types.
fn is_commands(block: &str) -> bool {
    ["```sh", "```console"].iter().any(|fence| block.starts_with(fence))
}

#[cfg(test)]
mod tests {
    use super::super::invented;
    use super::*;

    /// Protects everybody else on the machine from a reader, and a reader from waiting for a command that
    /// never ends.
    #[test]
    fn a_command_that_does_not_end_well_is_found() {
        let of = |text: &str| {
            let (_directory, book) = invented(&[("page.md", text)]);
            faults(&book)
        };
        let good = "Half a minute:\n\n```sh\n./lab mutants zombies\n./lab mutants --list\n```\n\n\
                    ```console\n$ target/release/stage-01 & pid=$!\n$ strace -p $pid\n$ kill $pid\n```\n";
        assert_eq!(of(good), [""; 0]);
        for (from, to, expected) in [
            ("Half a minute", "Now", "`./lab mutants` runs long: say how long, or how to stop it"),
            (
                "strace -p $pid",
                "strace -p $(pgrep stage-01)",
                "`pgrep` finds somebody else's processes too: use the pid that the shell keeps in `$!`",
            ),
            ("$ kill $pid\n", "", "a server is started in the background, and no `kill $pid` stops it"),
        ] {
            let broken = good.replace(from, to);
            assert_ne!(broken, good);
            assert_eq!(of(&broken), [format!("page.md: {expected}")], "{to}");
        }
    }
}
