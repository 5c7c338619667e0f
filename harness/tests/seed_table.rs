//! `harness table` as a program: what it refuses.

use std::process::Command;

#[test]
fn bad_input_gives_one_clear_line_and_no_file() {
    let rows: [(&[&str], &str); 7] = [
        (&["--clients", "0"], "--clients 0 is not possible"),
        (&["--clients", "1,many"], "'many' is no number"),
        (&["--seconds", "0"], "1..=3600"),
        (&["--rounds", "0"], "1..=1000"),
        (&["--backlog", "5000"], "1..=4096"),
        (&["--cpus", "0"], "SERVER:GENERATOR"),
        (&["--cpus", "4095:0"], "CPU 4095"),
    ];
    for (args, hint) in rows {
        let out = tempfile::tempdir().expect("a directory");
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
        let output =
            command.arg("table").args(args).arg("--out").arg(out.path()).output().expect("it was built");
        assert!(matches!(output.status.code(), Some(1 | 2)), "{args:?}: {output:?}");
        let first = String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
        assert!(first.contains(hint), "{args:?}: {first}");
        assert!(output.stdout.is_empty() && !out.path().join("data").exists(), "{args:?}: {output:?}");
    }
}
