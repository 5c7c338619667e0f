//! What an experiment needs of the machine. What is missing is one line that says what to do about it.

use bench::generators::Tool;
use bench::references::Name;
use lab_core::stages;
use nix::sys::resource::{Resource, getrlimit};
use std::env;
use std::os::unix::fs::MetadataExt;

/// Something that a machine may lack or forbid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// So many CPUs that this process may use.
    Cpus(usize),
    /// So many open descriptors.
    Descriptors(u64),
    /// So much memory that is free, in MiB.
    Memory(u64),
    /// So many processes and threads at once.
    Processes(u64),
    /// A program on the PATH, with the Debian package that has it.
    Program(&'static str, &'static str),
    /// A stage that this kernel can run.
    Stage(&'static str),
    /// A load generator.
    Tool(Tool),
    /// A server that others wrote.
    Reference(Name),
    /// That strace may follow a process that it starts.
    Tracing,
}

impl Need {
    /// What is missing, in one line; `None` if nothing is.
    pub fn missing(self) -> Option<String> {
        match self {
            Self::Cpus(needed) => {
                let usable = std::thread::available_parallelism().map_or(1, usize::from);
                (usable < needed)
                    .then(|| format!("it needs {needed} CPUs, and this process may use {usable}"))
            }
            Self::Descriptors(needed) => {
                let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
                (hard < needed).then(|| {
                    format!("it needs {needed} descriptors, and the hard limit is {hard} (ulimit -Hn)")
                })
            }
            Self::Memory(needed) => {
                let free =
                    procfs::Current::current().ok().and_then(|info: procfs::Meminfo| info.mem_available);
                let free = free? >> 20;
                (free < needed).then(|| format!("it needs {needed} MiB of memory, and {free} MiB are free"))
            }
            Self::Processes(needed) => {
                let (allowed, limit) = processes()?;
                (allowed < needed)
                    .then(|| format!("it needs {needed} processes at once, and {limit} allows {allowed}"))
            }
            Self::Program(name, package) => (!is_on_path(name))
                .then(|| format!("it needs {name}, which is not on the PATH: apt-get install {package}")),
            Self::Stage(name) => {
                let all = stages::discover().ok()?;
                stages::find(&all, name).ok()?.lacks().map(|lacks| format!("stage {name}: {lacks}"))
            }
            Self::Tool(tool) => {
                let install = tool.find().err()?;
                Some(format!("it needs {}, which is not installed: {install}", tool.name()))
            }
            Self::Reference(name) => {
                let install = name.find().err()?;
                Some(format!("it needs {}, which is not installed: {install}", name.as_str()))
            }
            Self::Tracing => Self::Program("strace", "strace").missing().or_else(tracing_forbidden),
        }
    }
}

/// The first thing that is missing.
pub fn first_missing(needs: &[Need]) -> Option<String> {
    needs.iter().find_map(|need| need.missing())
}

/// How many processes and threads there may be, and what says so: the limit of the user, which does not hold
/// for root, or that of the container.
fn processes() -> Option<(u64, &'static str)> {
    let of_user = || {
        let is_root = std::fs::metadata("/proc/self").ok()?.uid() == 0;
        let (soft, _) = getrlimit(Resource::RLIMIT_NPROC).ok()?;
        (!is_root).then_some((soft, "the limit of the user (ulimit -u)"))
    };
    let of_container = || {
        let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
        let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?.trim_end_matches('/');
        let max = std::fs::read_to_string(format!("/sys/fs/cgroup{group}/pids.max")).ok()?;
        // Without a limit it says "max".
        Some((max.trim().parse().ok()?, "pids.max of the control group"))
    };
    of_user().into_iter().chain(of_container()).min()
}

fn is_on_path(name: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| directory.join(name).is_file())
}

/// Some containers forbid ptrace(2): the only way to know is to try.
fn tracing_forbidden() -> Option<String> {
    let traced = std::process::Command::new("strace").args(["-o", "/dev/null", "true"]).output().ok()?;
    let line = String::from_utf8_lossy(&traced.stderr).lines().next().unwrap_or_default().to_owned();
    (!traced.status.success()).then(|| format!("it needs strace, which may not trace here: {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_one_line_that_names_it() {
        for (need, word) in [
            (Need::Cpus(1 << 20), "CPUs"),
            (Need::Descriptors(u64::MAX), "ulimit"),
            (Need::Memory(1 << 40), "MiB"),
            (Need::Program("no-such-program", "no-such-package"), "apt-get install no-such-package"),
        ] {
            let line = need.missing().expect("no machine has that");
            assert!(line.contains(word) && !line.contains('\n'), "{line}");
        }
        assert_eq!(first_missing(&[Need::Cpus(1), Need::Program("sh", "dash")]), None);
    }
}
