//! `harness doctor`: what is missing on this machine, or distorts the figures, and the command that mends it.

use Level::{Distorts, Missing, Note};
use anyhow::Result;
use bench::generators::{Tool, on_path};
use bench::references::Name;
use lab_core::host::Host;
use lab_core::process::machine_cpu_seconds;
use lab_core::stages;
use std::fs;
use std::process::{Command, ExitCode};
use std::thread::sleep;
use std::time::Duration;

/// How long to watch what other programs use.
const WATCH: Duration = Duration::from_secs(1);

/// Looks, and says what it found. It never fails for what it finds: a distorted figure is better than none,
/// as long as one knows.
pub(crate) fn run() -> Result<ExitCode> {
    let findings = examine(&Facts::look());
    findings.iter().for_each(|finding| println!("{}", finding.text()));
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    let (distorting, missing) = (count(Distorts), count(Missing));
    println!(
        "\n{} points were checked. What distorts the figures: {distorting}. What is missing: {missing}.",
        findings.len()
    );
    Ok(ExitCode::SUCCESS)
}

/// What the machine says about itself. What cannot be found out is `None`.
#[derive(Default)]
struct Facts {
    host: Host,
    /// CPUs that other programs used while nothing of ours ran.
    busy_cpus: Option<f64>,
    /// Share of the CPU time since boot that the hypervisor gave to others.
    steal: Option<f64>,
    /// What a system call pays for: one entry per vulnerability that the kernel works around.
    mitigations: usize,
    /// `in a container`, `in a virtual machine` or nothing.
    inside: Option<&'static str>,
    /// Each generator, each reference and what the book uses: its version, or the command that installs it.
    tools: Vec<(&'static str, Result<String, String>)>,
    /// Whether strace(1) can trace a process of ours; `None` if it is not installed.
    strace: Option<bool>,
    /// Whether perf(1) has hardware counters; `None` if it is not installed.
    perf: Option<bool>,
    /// Whether the kernel lets a stage use io_uring; `None` if that stage is not built.
    io_uring: Option<bool>,
}

impl Facts {
    /// Looks at the machine for about a second.
    fn look() -> Self {
        let before = machine_cpu_seconds();
        sleep(WATCH);
        let used = machine_cpu_seconds().zip(before).map(|(after, before)| after - before);
        let generators = Tool::ALL.iter().map(|tool| (tool.name(), tool.find().map(|found| found.version)));
        let references = Name::ALL.iter().map(|name| (name.as_str(), name.find().map(|found| found.version)));
        let commands = [
            ("curl", "apt-get install curl"),
            ("nc", "apt-get install netcat-openbsd"),
            ("strace", "apt-get install strace"),
            ("perf", "apt-get install linux-perf"),
        ];
        let commands =
            commands.map(|(name, install)| (name, on_path(name).map(|_| String::new()).ok_or(install)));
        let tools = generators.chain(references).chain(commands);
        let flags = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let container =
            ["/.dockerenv", "/run/.containerenv"].iter().any(|path| fs::exists(path).unwrap_or(false));
        let mitigations =
            fs::read_dir("/sys/devices/system/cpu/vulnerabilities").into_iter().flatten().flatten();
        let mitigations = mitigations.flat_map(|entry| fs::read_to_string(entry.path()));
        Self {
            host: Host::look(),
            busy_cpus: used.map(|seconds| seconds / WATCH.as_secs_f64()),
            steal: steal(),
            mitigations: mitigations.filter(|text| text.starts_with("Mitigation")).count(),
            inside: if container {
                Some("in a container")
            } else {
                flags.split_whitespace().any(|flag| flag == "hypervisor").then_some("in a virtual machine")
            },
            tools: tools.map(|(name, found)| (name, found.map_err(str::to_owned))).collect(),
            strace: succeeds("strace", &["-o", "/dev/null", "true"]),
            perf: succeeds("perf", &["stat", "-e", "instructions", "true"]),
            io_uring: io_uring(),
        }
    }
}

/// Asks the stage that needs it.
fn io_uring() -> Option<bool> {
    let stages = stages::discover().ok()?;
    let stage = stages.iter().find(|stage| stage.needs.as_deref() == Some("io_uring"))?;
    stage.binary.is_file().then(|| stage.lacks().is_none())
}

/// The share of the eighth column of the first line of `/proc/stat` (proc_stat(5)).
fn steal() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let ticks: Vec<f64> =
        text.lines().next()?.split_whitespace().skip(1).take(8).flat_map(str::parse).collect();
    let total: f64 = ticks.iter().sum();
    (total > 0.0).then(|| ticks.get(7).copied().unwrap_or(0.0) / total)
}

/// Whether the program does what it is asked, if it is there. perf ends with 0 where it could not count.
fn succeeds(program: &str, args: &[&str]) -> Option<bool> {
    let output = Command::new(on_path(program)?).args(args).output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr);
    Some(output.status.success() && !text.contains("not supported") && !text.contains("not counted"))
}

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// As it should be.
    Good,
    /// To be known when figures are compared.
    Note,
    /// Figures made here are wrong by it.
    Distorts,
    /// Something cannot be done at all.
    Missing,
}

/// One point that was looked at.
#[derive(Debug)]
struct Finding {
    level: Level,
    /// A sentence.
    found: String,
    /// What it distorts, or what cannot be done: a sentence, if it is not good.
    effect: &'static str,
    /// The command that mends it.
    command: Option<String>,
}

impl Finding {
    fn new(found: impl Into<String>) -> Self {
        Self { level: Level::Good, found: found.into(), effect: "", command: None }
    }

    /// What it means if the condition holds.
    fn when(self, condition: bool, level: Level, effect: &'static str) -> Self {
        if condition { Self { level, effect, ..self } } else { self }
    }

    /// The command that mends it, if it is not good.
    fn mend(self, command: &str) -> Self {
        let command = (self.level != Level::Good).then(|| command.to_owned());
        Self { command, ..self }
    }

    /// One line for what is well; the effect and the command below, where it is not.
    fn text(&self) -> String {
        let sign = match self.level {
            Level::Good => "ok",
            Note => "note",
            Distorts => "distorts",
            Missing => "missing",
        };
        let mut text = format!("{sign:<9} {}", self.found);
        if !self.effect.is_empty() {
            text.push_str(&format!("\n          {}", self.effect));
        }
        if let Some(command) = &self.command {
            text.push_str(&format!("\n          Command: {command}"));
        }
        text
    }
}

/// Every point, in the order in which a reader would ask.
fn examine(facts: &Facts) -> Vec<Finding> {
    let Facts { host, .. } = facts;
    let (busy, steal) = (facts.busy_cpus.unwrap_or(0.0), facts.steal.unwrap_or(0.0));
    let (soft, hard) = host.descriptors.unwrap_or_default();
    let (first, last) = ports(&host.port_range).unwrap_or_default();
    let somaxconn = host.somaxconn.unwrap_or_default();
    let cpus = match host.cores {
        1 => "This machine has one CPU.".to_owned(),
        cores => format!("This machine has {cores} CPUs."),
    };
    let governor = match host.governor.as_str() {
        "none" => "The kernel does not choose the clock rate.".to_owned(),
        governor => format!("The clock governor is {governor}."),
    };
    let mut findings = vec![
        Finding::new(cpus)
            .when(host.cores < 2, Distorts, "Server and generator share it, so speeds are of both together.")
            .when(
                (2..4).contains(&host.cores),
                Note,
                "One is for the server and one for the generator: more workers than one cannot show a gain.",
            ),
        Finding::new(governor)
            .when(
                !["none", "performance"].contains(&host.governor.as_str()),
                Distorts,
                "The clock rate follows the load, so a light load costs more time per request.",
            )
            .mend("cpupower frequency-set -g performance"),
        Finding::new(format!("Other programs used {busy:.2} CPUs during one second."))
            .when(
                busy >= 0.10,
                Distorts,
                "Speeds are too low and differ from run to run; CPU time per request is affected less. \
                 End what you do not need.",
            )
            .mend("top"),
        Finding::new(format!("The hypervisor has given {:.2} % of the CPU time to others.", 100.0 * steal))
            .when(steal >= 0.01, Distorts, "Speeds vary with that; trust only ratios to the floor."),
        Finding::new(format!("A process may open {soft} descriptors, and raise that to {hard}."))
            .when(
                hard < 12_000,
                Missing,
                "10,000 connections cannot be held, so the probe idle-10000 is not applicable.",
            )
            .mend("prlimit --pid $$ --nofile=65536:65536 (as root)"),
        Finding::new(format!("Connections start from the local ports {first} to {last}."))
            .when(
                last.saturating_sub(first) < 28_000,
                Distorts,
                "With a connection for each request they run out: failures that are not the server's.",
            )
            .mend("sysctl -w net.ipv4.ip_local_port_range='10240 65535'"),
        Finding::new(format!("An accept queue holds at most {somaxconn} connections (net.core.somaxconn)."))
            .when(
                somaxconn < 4096,
                Distorts,
                "The stages ask for 4096: in a burst some connections wait a second to send their SYN again.",
            )
            .mend("sysctl -w net.core.somaxconn=4096"),
        Finding::new(format!("The kernel works around {} vulnerabilities of the CPU.", facts.mitigations))
            .when(
                facts.mitigations > 0,
                Note,
                "Each system call pays for that: compare only figures of one machine.",
            ),
        Finding::new(format!("The lab runs {}.", facts.inside.unwrap_or("on the machine itself"))).when(
            facts.inside.is_some(),
            Note,
            "Neighbours share the hardware: quote ratios to the floor, not single figures.",
        ),
    ];
    findings.extend(facts.tools.iter().map(|(name, found)| tool(name, found)));
    findings.extend(facts.strace.map(|works| {
        Finding::new(format!("strace {} trace processes.", if works { "may" } else { "must not" }))
            .when(!works, Missing, "The book shows with it what the kernel sees.")
            .mend("sysctl -w kernel.yama.ptrace_scope=1 (as root; a container needs --cap-add SYS_PTRACE)")
    }));
    findings.extend(facts.io_uring.map(|works| {
        Finding::new(format!("io_uring {} be used.", if works { "can" } else { "cannot" }))
            .when(!works, Missing, "Stage 11 ends with status 3; everything else works.")
            .mend(
                "sysctl -w kernel.io_uring_disabled=0 (as root; a container's seccomp profile must allow it)",
            )
    }));
    findings.extend(facts.perf.map(|works| {
        Finding::new(format!("perf {} count instructions.", if works { "can" } else { "cannot" })).when(
            !works,
            Note,
            "There are no hardware counters here; it still shows where CPU time goes.",
        )
    }));
    findings
}

/// `32768-60999`.
fn ports(range: &str) -> Option<(u32, u32)> {
    let (first, last) = range.split_once('-')?;
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
}

fn tool(name: &str, found: &Result<String, String>) -> Finding {
    let effect = match name {
        "nginx" | "h2o" => "The charts could compare the stages with it.",
        "curl" | "nc" | "strace" => "Commands of the book use it.",
        "perf" => "It shows where CPU time goes.",
        _ => "Its charts are left out.",
    };
    match found {
        Ok(version) if version.is_empty() => Finding::new(format!("{name} is installed.")),
        Ok(version) => Finding::new(format!("{name} is installed: {version}.")),
        Err(install) => {
            Finding::new(format!("{name} is not installed.")).when(true, Missing, effect).mend(install)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Facts {
        Facts {
            host: Host {
                cores: 8,
                governor: "performance".into(),
                descriptors: Some((1024, 1 << 20)),
                port_range: "32768-60999".into(),
                somaxconn: Some(4096),
                ..Host::default()
            },
            tools: vec![("wrk", Ok("wrk 4.1".into()))],
            strace: Some(true),
            perf: Some(true),
            io_uring: Some(true),
            ..Facts::default()
        }
    }

    #[test]
    fn a_good_machine_has_nothing_to_mend() {
        for finding in examine(&good()) {
            assert_eq!((finding.level, &finding.command), (Level::Good, &None), "{finding:?}");
            assert_eq!(finding.text(), format!("ok        {}", finding.found));
        }
    }

    /// Each fault is found, alone, and reported with its effect and the command that mends it.
    #[test]
    fn every_fault_is_reported_with_its_effect() {
        type Spoil = fn(&mut Facts);
        let faults: [(&str, Spoil); 14] = [
            ("one CPU", |facts| facts.host.cores = 1),
            ("governor", |facts| facts.host.governor = "powersave".into()),
            ("Other programs", |facts| facts.busy_cpus = Some(0.8)),
            ("hypervisor", |facts| facts.steal = Some(0.2)),
            ("descriptors", |facts| facts.host.descriptors = Some((1024, 4096))),
            ("local ports", |facts| facts.host.port_range = "50000-60000".into()),
            ("accept queue", |facts| facts.host.somaxconn = Some(128)),
            ("vulnerabilities", |facts| facts.mitigations = 5),
            ("container", |facts| facts.inside = Some("in a container")),
            ("wrk", |facts| facts.tools[0].1 = Err("apt-get install wrk".into())),
            ("strace", |facts| facts.strace = Some(false)),
            ("strace", |facts| facts.tools.push(("strace", Err("apt-get install strace".into())))),
            ("io_uring", |facts| facts.io_uring = Some(false)),
            ("perf", |facts| facts.perf = Some(false)),
        ];
        for (subject, spoil) in faults {
            let mut facts = good();
            spoil(&mut facts);
            let mut found = examine(&facts);
            found.retain(|finding| finding.level != Level::Good);
            assert_eq!(found.len(), 1, "{subject}: {found:?}");
            assert!(found[0].found.contains(subject) && found[0].found.ends_with('.'), "{found:?}");
            assert!(found[0].effect.ends_with('.'), "{found:?}");
            let cannot_be_mended =
                ["one CPU", "hypervisor", "vulnerabilities", "container", "perf"].contains(&subject);
            assert_eq!(found[0].command.is_none(), cannot_be_mended, "{found:?}");
        }
    }

    #[test]
    fn a_range_of_ports_is_read_as_the_kernel_writes_it() {
        assert_eq!(ports("32768-60999"), Some((32768, 60999)));
        assert_eq!((ports(""), ports("nonsense-1")), (None, None));
    }

    #[test]
    fn this_machine_can_be_looked_at() {
        let facts = Facts::look();
        assert!(facts.host.cores >= 1 && facts.tools.iter().any(|(name, _)| *name == "wrk"));
        assert!(facts.steal.is_some_and(|share| (0.0..=1.0).contains(&share)), "{:?}", facts.steal);
    }
}
