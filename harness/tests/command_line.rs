//! What a user types, and what a mistake costs: one line.

use super::refusals::place_with_stage;
use nix::sys::signal::Signal;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use test_support::{LONG, Place, Run, program, write_program};

const SOON: Duration = Duration::from_secs(5);

/// `./lab` of a place in which `just` is this script; nothing is built or installed.
fn lab(place: &Place, just: &str) -> Command {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lab");
    std::fs::copy(script, place.path("lab")).expect("the script is there");
    std::fs::create_dir_all(place.path(".tools/bin")).expect("a directory");
    write_program(&place.path(".tools/bin/just"), just);
    let mut command = place.command("sh");
    command.arg(place.path("lab"));
    command
}

/// Protects users from a page of usage text, and from the name of a program that they did not type.
#[test]
fn a_mistake_is_one_line_that_says_what_is_allowed() {
    let place = Place::new();
    for (words, allowed) in [
        ("", "bench-all"),
        ("nonsense", "bench-all"),
        ("stage", "<STAGE>"),
        ("step", "<STAGE>"),
        ("predict", "<CHAPTER>"),
        ("reveal", "<CHAPTER>"),
        ("grade", "<STAGE>"),
        ("grade --cmd", "<COMMAND>"),
        ("bench-all --profile nonsense", "quick, standard, full"),
        ("scenario", "spin, slow"),
        ("scenario nonsense", "spin, slow"),
        ("load http://127.0.0.1:1/ --rate x", "requests per second are allowed"),
        ("report nonsense", "'nonsense'"),
        ("profile", "<STAGE>"),
        ("profile 4 --seconds 0", "1..=600"),
        ("doctor nonsense", "'nonsense'"),
        ("test --no-bnch", "--no-bench"),
        // What clap does not see.
        ("stage 99", "02-threads"),
        ("stage --port x 4", "0..=65535"),
        ("step 99", "02-threads"),
        ("step 1", "the first"),
        ("step 4 5-mio", "stage 05"),
        ("step 4 4", "itself"),
        ("grade 99", "02-threads"),
        ("grade 4 5", "grade takes one stage; what follows are the stage's options"),
        ("grade all x", "for one stage"),
        ("grade all --workers 2", "for one stage"),
        ("grade --repeat x 4", "1..=1000"),
        ("grade --cmd false", "$PORT"),
        ("grade --addr nonsense", "HOST:PORT"),
        ("profile 99", "02-threads"),
        ("profile 4 --load --json", "is set by this command"),
        ("scenario overload --loads x", "0.05 to 10"),
        ("scenario balance --workers 1", "from 2 to 64"),
        ("scenario balance --stages 4", "only 9 and 10"),
        ("scenario concurrency --connections 0", "from 1 to 20000"),
        ("scenario stealing --stages 4", "only 10, 12, 12-fibers and 12-tokio"),
        ("scenario stealing --placements two", "none, each or one"),
        ("scenario stealing --long-rate 100000", "one must be left over"),
        ("load nonsense", "http://HOST[:PORT]/PATH"),
        ("load https://127.0.0.1/", "http://HOST[:PORT]/PATH"),
        ("load http://127.0.0.1:1/ -c 2 -t 3", "a thread needs a client"),
        ("load http://127.0.0.1:1/ --requests-per-connection x", "1..=1000000000"),
        ("load http://127.0.0.1:1/ --host a/b", "'a/b' is no host"),
        ("distributed nonsense", "http://HOST[:PORT]/PATH"),
        ("distributed http://127.0.0.1:1/ --clients x", "1..=1000000"),
    ] {
        let finished = place.start(&words.split_whitespace().collect::<Vec<_>>()).wait(LONG);
        assert_eq!(
            (finished.status.code(), finished.stdout.as_str()),
            (Some(2), ""),
            "{words}: {finished:?}"
        );
        let line = finished.complaint();
        assert_eq!(finished.stderr, format!("{line}\n"), "{words}");
        assert!(line.contains(allowed) && !line.contains("harness"), "{words}: {line}");
    }
}

/// Protects the request: a Host that is none would change it, or add a line to it. The empty name of a stage
/// is a mistake as well.
#[test]
fn words_with_spaces_and_line_ends_are_refused_in_one_line() {
    let place = Place::new();
    let host = ["load", "http://127.0.0.1:1/", "--host"];
    let rows = ["a b", "a\r\nX: y", "a\r\nX:80", "a\u{1}", "a\tb", "h\u{e9}"];
    let rows = rows.map(|name| [&host[..], &[name]].concat());
    for words in rows.into_iter().chain([vec!["stage", ""]]) {
        let finished = place.start(&words).wait(LONG);
        assert_eq!(finished.status.code(), Some(2), "{words:?}: {finished:?}");
        assert_eq!(finished.stderr.lines().count(), 1, "{words:?}: {finished:?}");
    }
}

/// Protects scripts that tell a mistake from a failure: what was typed is right, and what was to be done
/// cannot be.
#[test]
fn what_fails_at_run_time_is_no_mistake() {
    let place = Place::new();
    // 3 is what grade documents of a server that cannot be reached.
    for (words, status) in [("load http://127.0.0.1:1/", 1), ("grade --addr 127.0.0.1:1", 3)] {
        let finished = place.start(&words.split(' ').collect::<Vec<_>>()).wait(LONG);
        assert_eq!(finished.status.code(), Some(status), "{words}: {finished:?}");
        finished.complaint();
    }
}

/// Protects scripts that read the help, or the version that a record names.
#[test]
fn help_is_no_mistake() {
    let place = Place::new();
    for words in [&["--help"][..], &["--version"], &["grade", "--help"], &["help", "step"]] {
        let finished = place.start(words).wait(LONG);
        assert_eq!((finished.status.code(), finished.stderr.as_str()), (Some(0), ""), "{words:?}");
        assert!(finished.stdout.contains("lab") && !finished.stdout.contains("harness "), "{finished:?}");
    }
}

#[test]
fn a_recipe_that_is_not_there_is_one_line_too() {
    let place = Place::new();
    let mut command = lab(&place, "case $1 in --summary) echo 'stage step' ;; *) echo \"just $*\" ;; esac");
    command.args(["nonsense", "4"]);
    let finished = Run::start(command).wait(LONG);
    assert_eq!((finished.status.code(), finished.stdout.as_str()), (Some(2), ""), "{finished:?}");
    assert_eq!(finished.stderr, format!("{}\n", finished.complaint()));
    assert!(finished.stderr.contains("'nonsense'") && finished.stderr.contains("stage step"), "{finished:?}");
    // What just would take for a variable or for an option of its own, with a message or a page of its own.
    for words in [&["a=b"][..], &["-x"], &["--nonsense", "stage"], &["notes", "--nonsense"]] {
        let mut command =
            lab(&place, "case $1 in --summary) echo 'stage step' ;; *) echo \"just $*\" ;; esac");
        let finished = Run::start({
            command.args(words);
            command
        })
        .wait(LONG);
        assert_eq!(
            (finished.status.code(), finished.stdout.as_str()),
            (Some(2), ""),
            "{words:?}: {finished:?}"
        );
        assert_eq!(finished.stderr, format!("{}\n", finished.complaint()), "{words:?}");
    }
    // What is there, and the list of it, are just's.
    for words in [&["step", "4"][..], &["bench", "--quick"], &["--list"]] {
        let mut command =
            lab(&place, "case $1 in --summary) echo 'stage step' ;; *) echo \"just $*\" ;; esac");
        command.args(words);
        assert_eq!(Run::start(command).wait(LONG).stdout, format!("just {}\n", words.join(" ")));
    }
}

/// A script in the place of `just`: nothing is built, and this is the harness.
fn just(harness: &Path) -> String {
    format!("case $1 in --evaluate) echo '{}' ;; esac", harness.display())
}

/// The help and the version are the harness's, and the recipes that are no commands of it are listed below.
#[test]
fn the_script_shows_the_help_of_the_harness() {
    let place = Place::new();
    let harness = program("harness");
    let shown = |words: &[&str]| {
        let mut command = lab(&place, &just(&harness));
        command.args(words);
        let finished = Run::start(command).wait(LONG);
        assert_eq!((finished.status.code(), finished.stderr.as_str()), (Some(0), ""), "{words:?}");
        finished.stdout
    };
    for words in [&[][..], &["--help"], &["-h"], &["help"]] {
        assert!(shown(words).contains("Usage: ./lab <COMMAND>"), "{words:?}");
    }
    assert!(shown(&["help", "step"]).contains("Usage: ./lab step"));
    assert_eq!(shown(&["--version"]), format!("lab {}\n", env!("CARGO_PKG_VERSION")));

    // Each recipe is there once: as a command, or below them.
    let help = shown(&[]);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../justfile");
    let justfile = std::fs::read_to_string(path).expect("it is there");
    let mut attributes = Vec::new();
    let mut public = 0;
    for line in justfile.lines() {
        let name = line.split([' ', ':']).next().unwrap_or_default();
        if line.starts_with('[') {
            attributes.push(line);
        } else if line.starts_with(|c: char| c.is_ascii_lowercase())
            && !line.contains(":=")
            && !line.starts_with("set ")
        {
            let shown = help.lines().filter(|line| line.starts_with(&format!("  {name} "))).count();
            let is_public = !attributes.contains(&"[private]");
            assert_eq!(shown, usize::from(is_public), "{name}: {help}");
            public += usize::from(is_public);
            attributes.clear();
        }
    }
    assert!(public > 15, "{public}");
}

/// Every form that `./lab stage --help` documents, by the script and by just: what follows the stage, and
/// nothing else, reaches the stage.
#[test]
fn a_stage_is_started_by_every_documented_form() {
    let (place, harness) = place_with_stage("echo \"$*\" >&2; exit 7");
    std::os::unix::fs::symlink(place.path("built"), place.path("release")).expect("a link");
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"));
    let started = format!("cd '{}' && exec '{}' \"$@\"", workspace.display(), harness.display());
    let started = write_program(&place.path("started"), &started);
    // The real one, where there is one: the release build is this harness then.
    let real = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .chain([workspace.join("../.tools/bin")])
        .map(|directory| directory.join("just"))
        .find(|program| program.is_file());
    place.program("cargo", &format!("[ \"$1\" = build ] || exec '{}' \"$@\"", env!("CARGO")));
    let by_just = |real: &PathBuf| {
        let mut command = place.command(real);
        command.arg("--justfile").arg(workspace.join("../justfile")).env("CARGO_TARGET_DIR", place.path(""));
        command
    };
    if real.is_none() {
        eprintln!("just is not installed: only the script is tried");
    }
    for (words, expected) in [
        ("1", "--addr 127.0.0.1:8080 --protocol http"),
        ("--port 0 1", "--addr 127.0.0.1:0 --protocol http"),
        ("1 --port 0", "--addr 127.0.0.1:0 --protocol http"),
        ("1 -- --addr 127.0.0.1:0", "--protocol http --addr 127.0.0.1:0"),
        ("1 --addr 127.0.0.1:0", "--protocol http --addr 127.0.0.1:0"),
        ("--port 0 1 -- --protocol echo", "--addr 127.0.0.1:0 --protocol echo"),
        ("--port 0 1 --protocol echo --backlog 5", "--addr 127.0.0.1:0 --protocol echo --backlog 5"),
        ("01-blocking-echo --backlog 5 --port=0", "--protocol http --addr 127.0.0.1:0 --backlog 5"),
        ("1 --help", "--protocol http --addr 127.0.0.1:8080 --help"),
    ] {
        let by_script = lab(&place, &just(&started));
        for mut command in [Some(by_script), real.as_ref().map(by_just)].into_iter().flatten() {
            command.arg("stage").args(words.split(' '));
            let finished = Run::start(command).wait(LONG);
            assert_eq!(finished.status.code(), Some(7), "{words}: {finished:?}");
            assert_eq!(words_of(&finished.stderr), words_of(expected), "{words}");
        }
    }
}

/// The words of a line: the order of options says nothing.
fn words_of(line: &str) -> Vec<&str> {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    words.sort_unstable();
    words
}

/// Protects the learner who ends a stage as the stage says: a Ctrl-C reaches the whole process group, and no
/// part of it calls that an error.
#[test]
fn ctrl_c_ends_a_stage_without_a_word() {
    let (place, harness) = place_with_stage("exec \"${0%/*}/floor\" --addr 127.0.0.1:0");
    // The stages are found from where the harness is started, and the script goes to its own folder.
    let started = format!("cd '{}' && exec '{}' \"$@\"", env!("CARGO_MANIFEST_DIR"), harness.display());
    let started = write_program(&place.path("started"), &started);
    let mut command = lab(&place, &just(&started));
    command.args(["stage", "1", "--protocol", "http"]).process_group(0);
    let mut run = Run::start(command);
    let runs_floor = |(_, command): &(i32, String)| command.contains("/floor --addr");
    run.wait_until("server", || place.running().iter().any(runs_floor));
    run.signal_group(Signal::SIGINT);
    let finished = run.wait(LONG);
    assert_eq!((finished.status.code(), finished.stderr.as_str()), (Some(0), ""), "{finished:?}");
    assert_eq!(place.left_behind(SOON), [""; 0]);
}
