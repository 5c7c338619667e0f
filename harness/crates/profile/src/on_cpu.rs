//! Where a server is on its CPU: stacks by perf, drawn as a flame graph.
//!
//! perf looks by a timer (`cpu-clock`): many virtual machines have no hardware counters, and a timer is
//! enough to say where the time goes. The stacks are unwound by the debug information, since the compiler
//! leaves frame pointers out.

use super::Missing;
use super::target::{Load, Target, WARM_UP};
use super::threads::processes;
use anyhow::{Context, Result, ensure};
use bench::generators::on_path;
use inferno::collapse::Collapse;
use inferno::collapse::perf::{Folder, Options as Folding};
use inferno::flamegraph::color::{MultiPalette, Palette};
use inferno::flamegraph::{self, Options as Drawing};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;

/// Looks per second: no multiple of anything that a server does once in so many milliseconds.
const FREQUENCY: &str = "997";
/// So many bytes of each stack are kept to be unwound.
const CALL_GRAPH: &str = "dwarf,8192";
/// Of the list of functions.
const MOST: usize = 12;
/// What marks a function of the kernel in a folded stack.
const KERNEL: &str = "_[k]";

/// What perf has found.
#[derive(Debug)]
pub(super) struct Stacks {
    /// The picture.
    pub(super) file: PathBuf,
    /// How often it looked and found the server on a CPU.
    pub(super) samples: u64,
    /// The share of the looks that found it in the kernel.
    pub(super) kernel: f64,
    /// The functions that were found most often at the top of the stack, with their shares.
    pub(super) functions: Vec<(String, f64)>,
}

/// Draws where the server is under load. The inner error says what is missing or not allowed.
pub(super) fn record(target: &Target, load: &Load, out: &Path) -> Result<Result<Stacks, Missing>> {
    let Some(perf) = on_path("perf") else {
        return Ok(Err("perf is missing: apt-get install linux-perf".to_owned()));
    };
    let directory = tempfile::tempdir()?;
    let data = directory.path().join("perf.data");
    let server = target.start()?;
    let under_load = target.load(&server, load, false)?;
    sleep(WARM_UP);
    let pids: Vec<String> = processes(server.pid()).iter().map(i32::to_string).collect();
    let mut record = Command::new(&perf);
    record.args(["record", "-q", "-e", "cpu-clock", "-F", FREQUENCY, "--call-graph", CALL_GRAPH, "-o"]);
    record.arg(&data).args(["-p", &pids.join(","), "--", "sleep"]);
    record.arg(load.duration.as_secs_f64().to_string());
    let recorded = record.stdin(Stdio::null()).output().context("perf does not start")?;
    under_load.end()?;
    server.stop()?;
    if !recorded.status.success() {
        let words = String::from_utf8_lossy(&recorded.stderr).into_owned();
        let first = words.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("perf fails");
        return Ok(Err(format!(
            "the kernel forbids perf ({first}): run as root, or allow it with sysctl kernel.perf_event_paranoid=1"
        )));
    }
    let script = directory.path().join("script");
    let mut write = Command::new(&perf);
    // The names of inlined functions would take minutes.
    write.args(["script", "--no-inline", "-i"]).arg(&data).stdin(Stdio::null());
    let status = write.stdout(File::create(&script)?).stderr(Stdio::null()).status()?;
    ensure!(status.success(), "perf cannot read what it has recorded");
    let script = fs::read_to_string(&script)?;
    let folded = fold(&script)?;
    let file = out.join("on-cpu.svg");
    if let Some(stacks) = summary(&script, &folded, file.clone()) {
        draw(&folded, &file, &target.name, load)?;
        return Ok(Ok(stacks));
    }
    Ok(Err("perf has found the server on no CPU: is the load too small?".to_owned()))
}

/// A line for each stack, with the time that it stands for, ns.
fn fold(script: &str) -> Result<String> {
    let mut options = Folding::default();
    (options.annotate_kernel, options.include_pid, options.include_tid) = (true, false, false);
    let mut folded = Vec::new();
    Folder::from(options)
        .collapse(script.as_bytes(), &mut folded)
        .context("perf's stacks have another form here")?;
    Ok(String::from_utf8_lossy(&folded).into_owned())
}

/// `None` where there is no stack.
fn summary(script: &str, folded: &str, file: PathBuf) -> Option<Stacks> {
    let mut tops: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut all, mut kernel) = (0, 0);
    for (stack, count) in folded.lines().filter_map(|line| line.rsplit_once(' ')) {
        let count: u64 = count.parse().ok()?;
        let top = stack.rsplit(';').next().unwrap_or(stack);
        all += count;
        kernel += if top.ends_with(KERNEL) { count } else { 0 };
        *tops.entry(top).or_default() += count;
    }
    (all > 0).then_some(())?;
    let samples = script.lines().filter(|line| line.contains(" cpu-clock:")).count() as u64;
    let share = |count: u64| count as f64 / all as f64;
    let mut functions: Vec<(String, f64)> =
        tops.into_iter().map(|(name, count)| (name.to_owned(), share(count))).collect();
    functions.sort_by(|one, other| other.1.total_cmp(&one.1));
    functions.truncate(MOST);
    Some(Stacks { file, samples, kernel: share(kernel), functions })
}

fn draw(folded: &str, file: &Path, name: &str, load: &Load) -> Result<()> {
    let mut options = Drawing::default();
    options.title = format!("Stage {name} on its CPU: {}", load.text());
    options.subtitle = Some("by cpu-clock; the kernel's functions end with [k]".to_owned());
    // The kernel and the server's own code have different colours.
    options.colors = Palette::Multi(MultiPalette::Rust);
    options.bgcolors = Some(flamegraph::color::BackgroundColor::Flat((255, 255, 255).into()));
    let picture = File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
    flamegraph::from_lines(&mut options, folded.lines(), picture).context("the flame graph cannot be drawn")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// As perf script writes it: the innermost function first.
    const SCRIPT: &str = "\
stage-07 22577 34948.193443:     250000 cpu-clock: 
	ffffffff81a16316 tcp_sendmsg+0x86 ([kernel.kallsyms])
	ffffffff81a10000 __x64_sys_sendto+0x1d ([kernel.kallsyms])
	           16316 kit::protocol::http::receive+0xc86 (/lab/stage-07)
	            1000 main+0x10 (/lab/stage-07)

stage-07 22577 34948.194443:     250000 cpu-clock: 
	           16316 kit::protocol::http::receive+0xc86 (/lab/stage-07)
	            1000 main+0x10 (/lab/stage-07)

";

    #[test]
    fn the_kernel_is_told_from_the_server_and_the_picture_is_drawn() {
        let folded = fold(SCRIPT).expect("perf's form");
        let place = tempfile::tempdir().expect("a directory");
        let file = place.path().join("on-cpu.svg");
        let stacks = summary(SCRIPT, &folded, file.clone()).expect("two stacks");
        assert_eq!((stacks.samples, stacks.kernel), (2, 0.5));
        let names: Vec<&str> = stacks.functions.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.iter().any(|name| name.ends_with("tcp_sendmsg_[k]")), "{names:?}");
        assert!(names.iter().any(|name| name.ends_with("receive")), "{names:?}");
        let load = Load::parse("-c 1 /", Duration::from_secs(1)).expect("good");
        draw(&folded, &file, "07", &load).expect("drawn");
        let svg = fs::read_to_string(&file).expect("written");
        assert!(svg.contains("Stage 07") && svg.contains("tcp_sendmsg"), "{svg}");
        assert!(summary("", "", file).is_none());
    }
}
