//! Where the kernel forbids perf: the instructions of the server's own code, by callgrind. They say
//! nothing of the kernel, and they do not jitter: the same load has the same count.

use super::Missing;
use super::target::{Load, Target};
use anyhow::{Context, Result, ensure};
use bench::generators::on_path;
use lab_core::server_process::Launch;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Under callgrind a server starts fifty times as slowly.
const START: Duration = Duration::from_secs(30);
/// Of the list of functions.
const MOST: usize = 12;

/// The server's own code.
#[derive(Debug)]
pub(super) struct Shares {
    /// Instructions for each request, starting and stopping included.
    pub(super) instructions: f64,
    /// The functions with most of them, with their shares.
    pub(super) functions: Vec<(String, f64)>,
}

/// Counts under load. The inner error says what is missing.
pub(super) fn count(target: &Target, load: &Load) -> Result<Result<Shares, Missing>> {
    let (Some(valgrind), Some(annotate)) = (on_path("valgrind"), on_path("callgrind_annotate")) else {
        return Ok(Err("valgrind is missing: apt-get install valgrind".to_owned()));
    };
    let file = tempfile::NamedTempFile::new()?;
    let mut launch = Launch { program: valgrind, start_limit: START, ..target.launch.clone() };
    launch.args =
        vec!["--tool=callgrind".to_owned(), format!("--callgrind-out-file={}", file.path().display())];
    launch.args.push(target.launch.program.display().to_string());
    launch.args.extend(target.launch.args.iter().cloned());
    let under = Target { launch, ..target.clone() };
    let server = under.start()?;
    let report = under.load(&server, load, true)?.end()?;
    server.stop()?;
    let mut command = Command::new(annotate);
    let output = command
        .arg(file.path())
        .stdin(Stdio::null())
        .output()
        .context("callgrind_annotate does not start")?;
    ensure!(output.status.success(), "callgrind_annotate cannot read what callgrind has written");
    let (total, functions) =
        parse(&String::from_utf8_lossy(&output.stdout)).context("callgrind's table has another form here")?;
    Ok(Ok(Shares { instructions: total / report.main.requests as f64, functions }))
}

/// The sum, and the functions with their shares: lines such as
/// `1,234,567 (12.34%)  src/head.rs:kit::protocol::http::head::parse [/lab/stage-07]`.
fn parse(text: &str) -> Option<(f64, Vec<(String, f64)>)> {
    let number = |word: &str| word.replace(',', "").parse::<f64>().ok();
    let total = text.lines().find(|line| line.ends_with("PROGRAM TOTALS"))?;
    let total = number(total.split_whitespace().next()?)?;
    let row = |line: &str| {
        let (count, name) = line.trim().split_once(' ')?;
        let name = name.trim_start();
        // Newer versions write the share behind the count.
        let name = if name.starts_with('(') { name.split_once(')')?.1.trim_start() } else { name };
        let name = name.split(" [").next()?;
        let of_file = [".rs:", ".S:", ".c:"].iter().find_map(|ending| name.split_once(ending));
        let name = of_file.map_or(name, |(_, function)| function);
        Some((name.trim_start_matches("???:").to_owned(), number(count)? / total))
    };
    let rows = text.lines().skip_while(|line| !line.contains("file:function"));
    let functions: Vec<(String, f64)> = rows.skip(2).map_while(row).take(MOST).collect();
    (total > 0.0).then_some((total, functions))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
--------------------------------------------------------------------------------
Ir                  
--------------------------------------------------------------------------------
2,000,000 (100.0%)  PROGRAM TOTALS

--------------------------------------------------------------------------------
Ir                  file:function
--------------------------------------------------------------------------------
1,000,000 (50.00%)  stages/kit/src/head.rs:kit::protocol::http::head::parse [/lab/stage-07]
  400,000 (20.00%)  ???:memcpy [/lib/libc.so.6]
  200,000 (10.00%)  ./string/../sysdeps/x86_64/memset.S:__memset_avx2 [/lib/libc.so.6]

";

    #[test]
    fn functions_and_their_shares_are_read() {
        let (total, functions) = parse(TABLE).expect("a table");
        assert_eq!(total, 2_000_000.0);
        let expected = [("kit::protocol::http::head::parse", 0.5), ("memcpy", 0.2), ("__memset_avx2", 0.1)];
        assert_eq!(functions, expected.map(|(name, share)| (name.to_owned(), share)));
        assert_eq!(parse(""), None);
    }
}
