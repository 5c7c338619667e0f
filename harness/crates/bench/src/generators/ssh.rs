//! A generator on another host, by ssh.
//!
//! What is sent is a script for `sh` and nothing that a bare system does not have. It prints a mark before
//! and after what the program prints, then the program's status, what `times` says of its CPU time, and the
//! file that it wrote: so a login message on stdout does no harm.
//!
//! A program that outlives the measuring would spoil all that follows. ssh without a terminal sends no signal
//! when it is killed, and a terminal (`ssh -tt`) would mix stdout with stderr and rewrite their line ends.
//! But stdin always ends with the connection: the script waits on it beside the program, and kills the
//! program when it ends. Where the network goes dark and stdin does not end, `timeout` does it, if that host
//! has it; all the tools end by themselves too.

use super::bounded::{Output, bounded};
use super::run::Word;
use super::tool::Tool;
use anyhow::{Context, Result, bail, ensure};
use std::io::{Write, pipe};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus};
use std::time::Duration;

/// How long the other host may take to say whether it has a program.
const LOOK_LIMIT: Duration = Duration::from_secs(20);
/// What stands between the parts of the report.
const MARK: &str = "-- report of c10k-lab --";
/// What ssh itself ends with when it cannot do its part.
const SSH_FAILED: i32 = 255;

/// The host of a generator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// This one.
    #[default]
    Here,
    /// Another one.
    Ssh(Remote),
}

impl Place {
    /// The other host's name, as it is recorded; `None` is this one.
    pub fn host(&self) -> Option<&str> {
        if let Self::Ssh(remote) = self { Some(remote.host()) } else { None }
    }
}

/// A host that is reached by ssh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    host: String,
    /// ssh and its options.
    command: Vec<String>,
    /// Our own generator there, if it is not on the PATH.
    harness: Option<String>,
}

/// What the other host says of a program.
pub(super) struct Found {
    pub(super) program: String,
    pub(super) version: String,
    /// The CPUs of that host.
    pub(super) cpus: usize,
}

impl Remote {
    /// Reads `ssh:HOST` or `ssh:USER@HOST`. `command` is ssh with its options, split at spaces.
    pub fn parse(text: &str, command: &str, harness: Option<String>) -> Result<Self> {
        let host = text.strip_prefix("ssh:").filter(|host| {
            // A host that begins with '-' would be an option of ssh.
            !host.is_empty() && !host.starts_with('-') && host.bytes().all(|byte| byte.is_ascii_graphic())
        });
        let host = host.with_context(|| {
            format!("--generator '{text}' names no host: write ssh:HOST or ssh:USER@HOST")
        })?;
        let command: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
        ensure!(!command.is_empty(), "--ssh is empty: write for example 'ssh -p 2222'");
        Ok(Self { host: host.to_owned(), command, harness })
    }

    /// `HOST` or `USER@HOST`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Looks for a tool there. The inner error is the command that installs it.
    pub(super) fn find(&self, tool: Tool) -> Result<Result<Found, &'static str>> {
        let (program, version) = match tool {
            Tool::Builtin => (self.harness.as_deref().unwrap_or("harness"), "--version"),
            Tool::Wrk => ("wrk", "-v"),
            Tool::Ab | Tool::Webbench => (tool.name(), "-V"),
        };
        let program = quote(program);
        let script = format!(
            "echo '{MARK}'\n\
             program=$(command -v {program}) || exit 0\n\
             echo \"$program\"\n\
             getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1\n\
             \"$program\" {version} 2>&1 </dev/null | head -n 1\n"
        );
        let output = self.sh(&script, LOOK_LIMIT, &mut |_| true)?;
        let report = output.stdout.split_once(&format!("{MARK}\n"));
        let (_, report) = report.with_context(|| {
            format!("{} ran no sh on {}: {}", self.command.join(" "), self.host, output.last_words())
        })?;
        let mut lines = report.lines();
        let Some(program) = lines.next().map(str::to_owned) else { return Ok(Err(install(tool))) };
        let cpus = lines.next().and_then(|cpus| cpus.trim().parse().ok()).unwrap_or(1);
        Ok(Ok(Found { program, version: lines.next().unwrap_or_default().trim().to_owned(), cpus }))
    }

    /// Runs a program there.
    pub(super) fn run(
        &self,
        program: &str,
        words: &[Word],
        limit: Duration,
        meanwhile: &mut dyn FnMut(u32) -> bool,
    ) -> Result<Output> {
        let output = self.sh(&script(program, words, limit), limit, meanwhile)?;
        let words = output.last_words();
        read(output).with_context(|| format!("no whole report from {} ({words})", self.host))
    }

    /// Has `sh` of that host run a script. The script comes by stdin: so the login shell there, whatever it
    /// is, has nothing to quote.
    fn sh(&self, script: &str, limit: Duration, meanwhile: &mut dyn FnMut(u32) -> bool) -> Result<Output> {
        let (ssh, options) = self.command.split_first().context("no ssh command")?;
        let (stdin, mut open) = pipe()?;
        // Before there is a reader that could be gone: the harness ends by SIGPIPE. A pipe holds 64 KiB. In
        // braces, so that the shell has read all of it when it begins, and what is left of stdin is its end.
        open.write_all(format!("{{\n{script}exit\n}}\n").as_bytes())?;
        let mut command = Command::new(ssh);
        command.args(options).args([&self.host, "exec sh -s"]).stdin(stdin).process_group(0);
        let output =
            bounded(&mut command, limit, meanwhile).with_context(|| format!("{ssh} {}", self.host))?;
        drop(open);
        if output.status.code() == Some(SSH_FAILED) {
            bail!("{} cannot be reached: {}", self.host, output.last_words());
        }
        Ok(output)
    }
}

/// How the tool comes to that host.
fn install(tool: Tool) -> &'static str {
    match tool {
        Tool::Ab => "on the generator's host: apt-get install apache2-utils",
        Tool::Wrk => "on the generator's host: apt-get install wrk",
        Tool::Webbench => "scp target/release/webbench HOST:/usr/local/bin/",
        Tool::Builtin => {
            "scp target/release/harness HOST:/usr/local/bin/, or say where it is by --remote-harness PATH"
        }
    }
}

/// Quotes a word for `sh`, whatever is in it.
fn quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// The script that runs a program and reports.
fn script(program: &str, words: &[Word], limit: Duration) -> String {
    let mut command = quote(program);
    let mut given = "";
    for word in words {
        command.push(' ');
        match word {
            Word::Text(text) => command.push_str(&quote(text)),
            Word::Given(contents) => {
                given = contents;
                command.push_str("\"$dir/given\"");
            }
            Word::Wanted => command.push_str("\"$dir/wanted\""),
        }
    }
    // `timeout` leads a process group of its own and passes a signal on to all of it: webbench has a process
    // per client. A shell gives a background job /dev/null as stdin, so the real one is kept as 3. The
    // watcher holds no output open: sshd would wait for it.
    format!(
        "dir=$(mktemp -d) || exit 1\n\
         trap 'rm -rf \"$dir\"' EXIT\n\
         trap 'exit 1' HUP INT TERM\n\
         printf %s {given} >\"$dir/given\"\n\
         : >\"$dir/wanted\"\n\
         limit=\n\
         command -v timeout >/dev/null && limit='timeout -k 1 {seconds}'\n\
         exec 3<&0\n\
         echo '{MARK}'\n\
         (\n\
         $limit {command} </dev/null 3<&- &\n\
         tool=$!\n\
         trap 'kill \"$tool\"' TERM\n\
         wait \"$tool\"\n\
         status=$?\n\
         printf '\\n%s\\n%s\\n' '{MARK}' \"$status\"\n\
         times\n\
         : >\"$dir/ended\"\n\
         ) &\n\
         run=$!\n\
         trap '' PIPE\n\
         (read -r line <&3; kill \"$run\") >/dev/null 2>&1 &\n\
         watcher=$!\n\
         wait \"$run\"\n\
         kill \"$watcher\" 2>/dev/null\n\
         [ -f \"$dir/ended\" ] || exit 1\n\
         echo '{MARK}'\n\
         cat \"$dir/wanted\"\n\
         echo '{MARK}'\n",
        given = quote(given),
        seconds = limit.as_secs(),
    )
}

/// Reads what the script prints: a greeting, what the program printed, its status with two lines of `times`,
/// the file; a mark after each.
fn read(output: Output) -> Result<Output> {
    let parts: Vec<&str> = output.stdout.split(MARK).collect();
    let [_, stdout, ended, file, _] = parts.as_slice() else { bail!("it was cut") };
    let stdout = stdout.strip_prefix('\n').and_then(|text| text.strip_suffix('\n')).context("it was cut")?;
    let mut lines = ended.trim().lines();
    let status: i32 = lines.next().unwrap_or_default().parse().context("no status")?;
    // The first line is of the shell itself, the second one of what it has waited for.
    let times = lines.nth(1).context("no times")?;
    let cpu_seconds = times.split_whitespace().map(minutes).sum::<Result<f64>>()?;
    let (stdout, file) = (stdout.to_owned(), file.trim_start_matches('\n').to_owned());
    // A shell reports a signal as 128 and its number; where there is no process there is no other status.
    Ok(Output { stdout, file, status: ExitStatus::from_raw(status << 8), cpu_seconds, ..output })
}

/// A time as `times` prints it: `1m2.500000s`.
fn minutes(text: &str) -> Result<f64> {
    let parsed =
        text.strip_suffix('s').and_then(|text| text.split_once('m')).and_then(|(minutes, seconds)| {
            Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
        });
    parsed.with_context(|| format!("'{text}' is no CPU time"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A script as `sh` here would run it, with its end of stdin held open.
    fn here(script: &str) -> Output {
        let remote = Remote {
            host: "host".into(),
            command: ["sh", "-c", "exec sh -s"].map(String::from).into(),
            harness: None,
        };
        remote.sh(script, LOOK_LIMIT, &mut |_| true).expect("sh is there")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Nothing in a word is code for the shell on the other side.
        #[test]
        fn a_word_arrives_as_it_is(text in "[ -~\n]{0,20}", given in "[ -~\n]{0,20}") {
            let given: &'static str = Box::leak(given.into_boxed_str());
            let words = [Word::from("%s|"), Word::from(text.clone()), Word::Given(given)];
            // printf is a program as well, and repeats its format.
            let output = read(here(&script("printf", &words, LOOK_LIMIT))).expect("a whole report");
            prop_assert!(output.stdout.starts_with(&format!("{text}|")), "{:?}", output.stdout);
            let output = read(here(&script("cat", &words[2..], LOOK_LIMIT))).expect("a whole report");
            prop_assert_eq!(output.stdout, given);
        }
    }

    #[test]
    fn what_a_program_did_is_reported() {
        let burn = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; echo out; echo err >&2; echo file >\"$1\"; exit 3";
        let words = [Word::from("-c"), burn.into(), "sh".into(), Word::Wanted];
        let output = read(here(&script("sh", &words, LOOK_LIMIT))).expect("a whole report");
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!((output.status.code(), output.file.as_str()), (Some(3), "file\n"));
        assert!(output.cpu_seconds > 0.0, "{output:?}");
    }

    /// A report that was cut, or to which a greeting was put, is not misread.
    #[test]
    fn a_cut_report_is_refused_and_a_greeting_is_not_in_it() {
        let whole = here(&script("echo", &[Word::from("1")], LOOK_LIMIT));
        for cut in 0..whole.stdout.trim_end().len() {
            let stdout = whole.stdout[..cut].to_owned();
            assert!(read(Output { stdout, ..report_of(&whole) }).is_err(), "cut at {cut}");
        }
        let stdout = format!("Welcome!\n{}", whole.stdout);
        assert_eq!(read(Output { stdout, ..whole }).expect("a whole report").stdout, "1\n");
    }

    fn report_of(output: &Output) -> Output {
        let (stdout, stderr, file) = (String::new(), String::new(), String::new());
        Output { stdout, stderr, file, status: output.status, cpu_seconds: 0.0 }
    }

    #[test]
    fn output_in_another_encoding_is_whole() {
        let output = read(here(&script("printf", &[Word::from(r"M\374ller\n")], LOOK_LIMIT)));
        assert_eq!(output.expect("a whole report").stdout, "M\u{fffd}ller\n");
    }

    #[test]
    fn a_host_is_no_option_of_ssh() {
        for bad in ["ssh:", "ssh:-oProxyCommand=x", "host", "ssh:a b", "ssh:a\nb", ""] {
            let error = Remote::parse(bad, "ssh", None).expect_err(bad);
            assert!(error.to_string().contains("ssh:HOST"), "{error}");
        }
        assert!(Remote::parse("ssh:host", " ", None).is_err());
        assert_eq!(Remote::parse("ssh:me@host", "ssh -p 2222", None).expect("good").host(), "me@host");
    }

    #[test]
    fn a_time_has_minutes_and_seconds() {
        assert_eq!(minutes("1m2.5s").expect("good"), 62.5);
        assert_eq!(minutes("0m0.000000s").expect("good"), 0.0);
        for bad in ["", "1", "1m", "xm0s", "0m1.0"] {
            assert!(minutes(bad).is_err(), "{bad}");
        }
    }
}
