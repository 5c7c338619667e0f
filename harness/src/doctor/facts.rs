//! What the machine says about itself. What cannot be found out is `None`.

use bench::generators::Tool;
use bench::references::Name;
use lab_core::host::Host;
use lab_core::process::machine_cpu_seconds;
use std::fs;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// How long to watch what other programs and the hypervisor take.
const WATCH: Duration = Duration::from_secs(1);

/// What the machine says about itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) cpus: usize,
    /// `none` where the kernel does not decide the clock rate.
    pub(super) governor: String,
    /// CPUs that other programs used while nothing of ours ran.
    pub(super) busy_cpus: Option<f64>,
    /// Share of the CPU time since boot that the hypervisor gave to others.
    pub(super) steal: Option<f64>,
    /// Soft and hard limit of open descriptors.
    pub(super) descriptors: Option<(u64, u64)>,
    pub(super) ports: Option<(u32, u32)>,
    pub(super) somaxconn: Option<u64>,
    /// What a system call pays for: one entry per vulnerability that the kernel works around.
    pub(super) mitigations: usize,
    /// `container`, `virtual machine` or nothing.
    pub(super) inside: Option<&'static str>,
    /// Each generator, each reference and what the book uses, with its version or the command that installs
    /// it.
    pub(super) tools: Vec<(&'static str, Result<String, String>)>,
    /// Whether strace(1) can trace a process of ours; `None` if it is not installed.
    pub(super) strace: Option<bool>,
    /// Whether perf(1) has hardware counters; `None` if it is not installed.
    pub(super) perf: Option<bool>,
}

impl Facts {
    /// Looks at the machine for about a second.
    pub(super) fn look() -> Self {
        let host = Host::look();
        let before = machine_cpu_seconds();
        sleep(WATCH);
        let used = machine_cpu_seconds().zip(before).map(|(after, before)| after - before);
        let mut tools: Vec<_> = Tool::ALL
            .iter()
            .map(|tool| (tool.name(), tool.find().map(|found| found.version).map_err(str::to_owned)))
            .collect();
        tools.extend(Name::ALL.map(|name| {
            let found = name.find();
            (name.as_str(), found.map(|reference| reference.version).map_err(str::to_owned))
        }));
        for (name, package) in [("curl", "curl"), ("nc", "netcat-openbsd")] {
            let found = if on_path(name) {
                Ok("found".to_owned())
            } else {
                Err(format!("apt-get install {package}"))
            };
            tools.push((name, found));
        }
        Self {
            cpus: host.cores,
            governor: host.governor,
            busy_cpus: used.map(|seconds| seconds / WATCH.as_secs_f64()),
            steal: steal(),
            descriptors: host.descriptors,
            ports: ports(&host.port_range),
            somaxconn: host.somaxconn,
            mitigations: mitigations(),
            inside: inside(),
            tools,
            strace: on_path("strace").then(|| succeeds("strace", &["-o", "/dev/null", "true"])),
            perf: on_path("perf").then(counts_instructions),
        }
    }
}

/// `32768-60999`.
fn ports(range: &str) -> Option<(u32, u32)> {
    let (first, last) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
}

/// The share of the eighth column of the first line of `/proc/stat` (proc_stat(5)).
fn steal() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<f64> =
        text.lines().next()?.split_whitespace().skip(1).take(8).flat_map(str::parse).collect();
    let total: f64 = ticks.iter().sum();
    (total > 0.0).then(|| ticks.get(7).copied().unwrap_or(0.0) / total)
}

fn mitigations() -> usize {
    let entries = fs::read_dir("/sys/devices/system/cpu/vulnerabilities");
    let texts =
        entries.into_iter().flatten().flatten().filter_map(|entry| fs::read_to_string(entry.path()).ok());
    texts.filter(|text| text.starts_with("Mitigation")).count()
}

fn inside() -> Option<&'static str> {
    let container =
        ["/.dockerenv", "/run/.containerenv"].iter().any(|path| fs::exists(path).unwrap_or(false));
    let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let virtual_machine = flags
        .lines()
        .find(|line| line.starts_with("flags"))
        .is_some_and(|line| line.split_whitespace().any(|flag| flag == "hypervisor"));
    if container { Some("container") } else { virtual_machine.then_some("virtual machine") }
}

fn on_path(name: &str) -> bool {
    let Some(path) = std::env::var_os("PATH") else { return false };
    std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

fn succeeds(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

fn counts_instructions() -> bool {
    let output =
        Command::new("perf").args(["stat", "-e", "instructions", "true"]).stdin(Stdio::null()).output();
    output.is_ok_and(|output| {
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        output.status.success() && !text.contains("not supported") && !text.contains("not counted")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_ports_is_read_as_the_kernel_writes_it() {
        assert_eq!(ports("32768-60999"), Some((32768, 60999)));
        assert_eq!((ports(""), ports("nonsense-1")), (None, None));
    }

    #[test]
    fn this_machine_can_be_looked_at() {
        let facts = Facts::look();
        assert!(facts.cpus >= 1 && facts.tools.iter().any(|(name, _)| *name == "wrk"), "{facts:?}");
        assert!(facts.steal.is_some_and(|share| (0.0..=1.0).contains(&share)), "{facts:?}");
    }
}
