//! What machine a figure comes from.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The machine, the tools and the commit: as much as it takes to doubt a figure with reason.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Host {
    /// `uname -r`.
    pub kernel: String,
    /// The processor's name.
    pub cpu: String,
    /// CPUs that this process may use.
    pub cores: usize,
    /// What decides the clock rate; `none` where the kernel does not (most virtual machines).
    pub governor: String,
    /// `net.core.somaxconn`: the longest accept queue that a `listen` can ask for.
    pub somaxconn: Option<u64>,
    /// `net.ipv4.ip_local_port_range`.
    pub port_range: String,
    /// Open descriptors: the soft and the hard limit.
    pub descriptors: Option<(u64, u64)>,
    /// The commit that was built; empty outside a git work tree.
    pub commit: String,
    /// The work tree differed from the commit.
    pub dirty: bool,
    /// The generators that were found, with the version that each one prints.
    pub tools: BTreeMap<String, String>,
}

impl Host {
    /// Whether figures of both can stand in one run: a virtual machine may wake up on another processor.
    pub fn is_same_machine(&self, other: &Host) -> bool {
        (&self.kernel, &self.cpu, self.cores) == (&other.kernel, &other.cpu, other.cores)
    }

    /// Looks at the machine. What cannot be found out stays empty: a benchmark does not fail for that.
    pub fn look() -> Self {
        Self {
            kernel: read("/proc/sys/kernel/osrelease"),
            cpu: cpu_name(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            governor: match read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor") {
                governor if governor.is_empty() => "none".into(),
                governor => governor,
            },
            somaxconn: read("/proc/sys/net/core/somaxconn").parse().ok(),
            port_range: read("/proc/sys/net/ipv4/ip_local_port_range").replace('\t', "-"),
            descriptors: nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).ok(),
            commit: git(&["rev-parse", "--short=10", "HEAD"]).unwrap_or_default(),
            // What a run writes itself is no change of what it measures.
            dirty: git(&["status", "--porcelain", "--", ":/", ":(exclude,top)results"])
                .is_some_and(|changes| !changes.is_empty()),
            tools: BTreeMap::new(),
        }
    }

    /// One short line for a chart.
    pub fn summary(&self) -> String {
        let cores = if self.cores == 1 { "1 CPU".to_owned() } else { format!("{} CPUs", self.cores) };
        format!("{}, {cores}, Linux {}", self.cpu, self.kernel)
    }

    /// The commit as a chart names it.
    pub fn commit_name(&self) -> String {
        match (self.commit.as_str(), self.dirty) {
            ("", _) => "no commit".into(),
            (commit, false) => format!("commit {commit}"),
            (commit, true) => format!("commit {commit} with changes"),
        }
    }
}

fn cpu_name() -> String {
    let info = read("/proc/cpuinfo");
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

/// The file's text without white space around it; empty if it cannot be read.
fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// What git prints about the tree that this harness was built from.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(args)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_a_kernel_and_a_processor() {
        let host = Host::look();
        assert!(!host.kernel.is_empty() && !host.cpu.is_empty() && host.cores >= 1, "{host:?}");
    }

    #[test]
    fn a_field_that_an_older_record_lacks_is_empty() {
        let host: Host = serde_json::from_str(r#"{"kernel":"6.1"}"#).expect("fields have defaults");
        assert_eq!((host.kernel.as_str(), host.commit_name().as_str()), ("6.1", "no commit"));
    }
}
