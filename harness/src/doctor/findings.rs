//! What of the facts matters to a measurement, why, and what mends it.

use super::facts::Facts;

/// How much it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) subject: String,
    pub(super) level: Level,
    pub(super) found: String,
    /// What it distorts, or what cannot be done.
    pub(super) why: Option<String>,
    /// The command that mends it.
    pub(super) mend: Option<String>,
}

impl Finding {
    fn good(subject: &str, found: String) -> Self {
        Self { subject: subject.into(), level: Level::Good, found, why: None, mend: None }
    }

    fn because(mut self, level: Level, why: &str) -> Self {
        (self.level, self.why) = (level, Some(why.into()));
        self
    }

    fn mended_by(mut self, command: &str) -> Self {
        self.mend = Some(command.into());
        self
    }
}

/// Every point, in the order in which a reader would ask.
pub(super) fn examine(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![cpus(facts), governor(facts), busy(facts), steal(facts)];
    findings.extend([descriptors(facts), ports(facts), backlog(facts), mitigations(facts), inside(facts)]);
    findings.extend(facts.tools.iter().map(|(name, found)| tool(name, found)));
    findings.extend([strace(facts), perf(facts)]);
    findings
}

fn cpus(facts: &Facts) -> Finding {
    let finding = Finding::good("CPUs", facts.cpus.to_string());
    match facts.cpus {
        0 | 1 => finding
            .because(Level::Distorts, "server and generator share one CPU: speeds are of both together"),
        2 | 3 => finding.because(
            Level::Note,
            "one CPU for the server, one for the generator: more workers than one cannot show a gain",
        ),
        _ => finding,
    }
}

fn governor(facts: &Facts) -> Finding {
    let finding = Finding::good("clock governor", facts.governor.clone());
    match facts.governor.as_str() {
        "none" | "performance" => finding,
        _ => finding
            .because(
                Level::Distorts,
                "the clock rate follows the load: a light load costs more time per request",
            )
            .mended_by("cpupower frequency-set -g performance"),
    }
}

fn busy(facts: &Facts) -> Finding {
    let Some(busy) = facts.busy_cpus else { return Finding::good("other programs", "unknown".into()) };
    let finding = Finding::good("other programs", format!("{busy:.2} CPUs during one second"));
    if busy < 0.10 {
        return finding;
    }
    finding
        .because(
            Level::Distorts,
            "speeds are too low, and differ from run to run; CPU time per request holds better",
        )
        .mended_by("top, and end what you do not need")
}

fn steal(facts: &Facts) -> Finding {
    let Some(steal) = facts.steal else { return Finding::good("steal", "unknown".into()) };
    let finding = Finding::good("steal", format!("{:.2} % of the CPU time since boot", 100.0 * steal));
    if steal < 0.01 {
        return finding;
    }
    finding.because(
        Level::Distorts,
        "the hypervisor gave this machine's time to others: trust ratios to the floor only",
    )
}

fn descriptors(facts: &Facts) -> Finding {
    let Some((soft, hard)) = facts.descriptors else { return Finding::good("descriptors", "unknown".into()) };
    let finding = Finding::good("descriptors", format!("{soft}, at most {hard}"));
    if hard >= 12_000 {
        return finding;
    }
    finding
        .because(Level::Missing, "10,000 connections cannot be held: the probe idle-10000 does not apply")
        .mended_by("as root: prlimit --pid $$ --nofile=65536:65536")
}

fn ports(facts: &Facts) -> Finding {
    let Some((first, last)) = facts.ports else { return Finding::good("local ports", "unknown".into()) };
    let finding = Finding::good("local ports", format!("{first} to {last}"));
    if last.saturating_sub(first) >= 28_000 {
        return finding;
    }
    finding
        .because(
            Level::Distorts,
            "a connection per request runs out of ports: failures that are not the server's",
        )
        .mended_by("sysctl -w net.ipv4.ip_local_port_range='10240 65535'")
}

fn backlog(facts: &Facts) -> Finding {
    let Some(somaxconn) = facts.somaxconn else { return Finding::good("accept queue", "unknown".into()) };
    let finding = Finding::good("accept queue", format!("at most {somaxconn} (net.core.somaxconn)"));
    if somaxconn >= 4096 {
        return finding;
    }
    finding
        .because(
            Level::Distorts,
            "the kernel cuts the stages' backlog of 4096: bursts of connections wait a second for their SYN",
        )
        .mended_by("sysctl -w net.core.somaxconn=4096")
}

fn mitigations(facts: &Facts) -> Finding {
    let finding = Finding::good("mitigations", format!("{} in the kernel", facts.mitigations));
    match facts.mitigations {
        0 => finding,
        _ => finding
            .because(Level::Note, "each system call pays for them: compare figures of one machine only"),
    }
}

fn inside(facts: &Facts) -> Finding {
    match facts.inside {
        None => Finding::good("runs on", "the machine itself".into()),
        Some(what) => Finding::good("runs in a", what.into()).because(
            Level::Note,
            "neighbours share the hardware: quote ratios to the floor, not single figures",
        ),
    }
}

fn tool(name: &str, found: &Result<String, String>) -> Finding {
    match found {
        Ok(version) => Finding::good(name, version.clone()),
        Err(install) => {
            let why = match name {
                "nginx" | "h2o" => "a reference that could stand on the charts",
                "curl" | "nc" => "the commands of the book use it",
                _ => "its chart is left out",
            };
            Finding::good(name, "not installed".into()).because(Level::Missing, why).mended_by(install)
        }
    }
}

fn strace(facts: &Facts) -> Finding {
    let why = "the book shows what the kernel sees with it";
    match facts.strace {
        Some(true) => Finding::good("strace", "may trace".into()),
        Some(false) => Finding::good("strace", "may not trace".into())
            .because(Level::Missing, why)
            .mended_by("as root: sysctl -w kernel.yama.ptrace_scope=1; in a container: --cap-add SYS_PTRACE"),
        None => Finding::good("strace", "not installed".into())
            .because(Level::Missing, why)
            .mended_by("apt-get install strace"),
    }
}

fn perf(facts: &Facts) -> Finding {
    let why = "no profile of where the time goes";
    match facts.perf {
        Some(true) => Finding::good("perf", "counts instructions".into()),
        Some(false) => Finding::good("perf", "no hardware counters".into())
            .because(Level::Note, "instructions and cycles cannot be counted here; CPU time can"),
        None => Finding::good("perf", "not installed".into())
            .because(Level::Missing, why)
            .mended_by("apt-get install linux-perf"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Facts {
        Facts {
            cpus: 8,
            governor: "performance".into(),
            busy_cpus: Some(0.01),
            steal: Some(0.0),
            descriptors: Some((1024, 1 << 20)),
            ports: Some((32_768, 60_999)),
            somaxconn: Some(4096),
            mitigations: 0,
            inside: None,
            tools: vec![("wrk", Ok("wrk 4.1".into()))],
            strace: Some(true),
            perf: Some(true),
        }
    }

    #[test]
    fn a_good_machine_has_nothing_to_mend() {
        for finding in examine(&good()) {
            assert_eq!((finding.level, &finding.mend), (Level::Good, &None), "{finding:?}");
        }
    }

    /// Each fault is found, alone, and told with what it distorts.
    #[test]
    fn every_fault_is_told_with_its_reason() {
        type Spoil = fn(&mut Facts);
        let faults: [(&str, Spoil); 13] = [
            ("CPUs", |facts| facts.cpus = 1),
            ("clock governor", |facts| facts.governor = "powersave".into()),
            ("other programs", |facts| facts.busy_cpus = Some(0.8)),
            ("steal", |facts| facts.steal = Some(0.2)),
            ("descriptors", |facts| facts.descriptors = Some((1024, 4096))),
            ("local ports", |facts| facts.ports = Some((50_000, 60_000))),
            ("accept queue", |facts| facts.somaxconn = Some(128)),
            ("mitigations", |facts| facts.mitigations = 5),
            ("runs in a", |facts| facts.inside = Some("container")),
            ("wrk", |facts| facts.tools[0].1 = Err("apt-get install wrk".into())),
            ("strace", |facts| facts.strace = Some(false)),
            ("strace", |facts| facts.strace = None),
            ("perf", |facts| facts.perf = None),
        ];
        for (subject, spoil) in faults {
            let mut facts = good();
            spoil(&mut facts);
            let found: Vec<Finding> =
                examine(&facts).into_iter().filter(|f| f.level != Level::Good).collect();
            assert_eq!(found.len(), 1, "{subject}: {found:?}");
            assert_eq!(found[0].subject, subject);
            assert!(found[0].why.is_some(), "{found:?}");
            let mendable = matches!(found[0].level, Level::Missing) || found[0].mend.is_some();
            assert!(
                mendable || matches!(subject, "CPUs" | "steal" | "mitigations" | "runs in a"),
                "{found:?}"
            );
        }
    }
}
