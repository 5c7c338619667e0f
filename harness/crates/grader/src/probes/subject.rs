//! The server under the probes: how it is started, and one that runs.

use super::client::{Client, LIMIT};
use super::ports::{self, Port};
use super::profile::current;
use super::shell::word;
use super::transcript::Recorder;
use super::verdict::{Fault, Kind, Outcome, Verdict, shortage};
use lab_core::server_process::{Ended, Launch, Ready, Server, override_options};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitStatus;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What is graded.
#[derive(Debug, Clone)]
pub enum Target {
    /// A stage's binary with options.
    Stage(Launch),
    /// A command for the shell, with `$PORT`, and `$OPTIONS` where it takes the options of a stage. The
    /// second is how long it may take until it listens.
    Command(String, Duration),
    /// A server that runs already.
    Address(SocketAddr),
}

/// What a probe needs.
#[derive(Debug, Clone, Copy)]
pub struct Setup {
    /// Options of the contract that the server is started with, besides the user's.
    pub options: &'static [&'static str],
    /// The server may open few descriptors only.
    pub few_descriptors: bool,
    /// The server runs on one CPU: whom it wakes may run before the one that wakes goes on.
    pub one_cpu: bool,
    /// The probe signals the process or looks at it.
    pub process: bool,
    /// The probe starts the server itself.
    pub by_hand: bool,
}

/// What a server may open that is to run out of descriptors: enough to start with a loop for each CPU, each
/// with a listener, an epoll instance and two more, and for a dozen clients.
pub(super) fn few_descriptors() -> usize {
    24 + 4 * std::thread::available_parallelism().map_or(1, usize::from)
}

/// The CPU of a server that is to have one: the last one that we may run on, since much else runs on the
/// first.
fn one_cpu() -> usize {
    let ours = nix::sched::sched_getaffinity(nix::unistd::Pid::from_raw(0));
    let is_ours = |cpu: &usize| ours.as_ref().is_ok_and(|set| set.is_set(*cpu).unwrap_or(false));
    (0..nix::sched::CpuSet::count()).rev().find(is_ours).unwrap_or(0)
}

impl Target {
    /// A command with the usual time to start.
    pub fn command(line: impl Into<String>) -> Self {
        Self::Command(line.into(), START_LIMIT)
    }

    /// Whether it is a server of another make, which need not keep more than the rules of the RFCs.
    pub(crate) fn is_foreign(&self) -> bool {
        !matches!(self, Target::Stage(_))
    }

    /// Why a probe with this setup cannot be run, where it cannot.
    pub(crate) fn hindrance(&self, setup: &Setup) -> Option<&'static str> {
        // A server that sends back what it receives needs no option for that.
        let does_so = current().is_echo() && setup.options == ["--protocol", "echo"];
        let needs_options = !setup.options.is_empty() && !does_so || setup.by_hand;
        match self {
            Target::Stage(_) => None,
            Target::Command(command, _) if needs_options && !command.contains("$OPTIONS") => {
                Some("needs options of the contract, and the command has no $OPTIONS")
            }
            Target::Command(..) => None,
            Target::Address(_) if needs_options => Some("needs options, and --addr starts nothing"),
            Target::Address(_) if setup.process || setup.few_descriptors => {
                Some("looks at the process or signals it, and --addr has none")
            }
            Target::Address(_) => None,
        }
    }

    /// How to start it with more options, listening on a free port or on `addr`.
    pub(crate) fn launch(&self, options: &[&str], addr: Option<SocketAddr>) -> Option<Launch> {
        let mut options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        match self {
            Target::Stage(launch) => {
                options.extend(addr.into_iter().flat_map(|addr| ["--addr".to_owned(), addr.to_string()]));
                let args = override_options(&launch.args, &options);
                Some(Launch { args, ..launch.clone() })
            }
            Target::Command(command, start_limit) => {
                let addr = addr.unwrap_or_else(|| Port::free().addr);
                let mut launch = Launch::new("/bin/sh");
                // Whatever it is, a list of commands or a script: the process that listens is looked for.
                launch.args = vec!["-c".to_owned(), command.clone()];
                (launch.is_guarded, launch.start_limit) = (true, *start_limit);
                launch.env.push(("PORT".into(), addr.port().to_string().into()));
                launch.env.push(("OPTIONS".into(), options.join(" ").into()));
                let root = current().root().map(|root| ("ROOT".into(), root.into()));
                launch.env.extend(root);
                launch.ready = Ready::Port(addr);
                Some(launch)
            }
            Target::Address(_) => None,
        }
    }
}

/// The line of a shell that starts the server for a probe and puts its process into `$PID`; `None` for one
/// that runs already, and for a probe that starts it by hand, which writes its own. With `own_group` it leads
/// a process group, as it does under the probes.
pub(crate) fn start_line(target: &Target, setup: &Setup, own_group: bool) -> Option<String> {
    if setup.by_hand {
        return None;
    }
    let (options, command) = command_line(target, setup.options, "127.0.0.1:$PORT")?;
    let limit = match setup.few_descriptors {
        true => format!("ulimit -n {}; ", few_descriptors()),
        false => String::new(),
    };
    let command = match (setup.one_cpu, command.contains([';', '&', '|', '\n', '(', '{'])) {
        (true, true) => format!("taskset -c {} sh -c {}", one_cpu(), word(&command)),
        (true, false) => format!("taskset -c {} {command}", one_cpu()),
        (false, _) => command,
    };
    // Where it is more than one command the shell stays, and `$PID` is the shell.
    let is_simple = !command.contains([';', '&', '|', '\n', '(', '{']);
    Some(match (limit.is_empty(), is_simple) {
        (_, true) if own_group => format!("{options}setsid {command} & PID=$!"),
        (_, false) if own_group => format!("{options}setsid sh -c {} & PID=$!", word(&command)),
        (true, true) => format!("{options}{command} & PID=$!"),
        (_, true) => format!("{options}({limit}exec {command}) & PID=$!"),
        (_, false) => format!("{options}({limit}{command}) & PID=$!"),
    })
}

/// The commands that start a server of these options by hand after `before`, and ask it; `None` for one that
/// runs already.
pub(crate) fn asked_by_hand(target: &Target, options: &[&str], before: &str, asked: &str) -> Option<String> {
    let (export, line) = command_line(target, options, "127.0.0.1:$PORT")?;
    Some(format!(
        "export PORT=${{PORT:-8080}}; {before}\n{export}{line} & PID=$!; sleep 1\n{asked}\nkill $PID 2>/dev/null"
    ))
}

/// What a shell does before it starts the server with these options, and the command that starts it; `None`
/// for one that runs already.
pub(crate) fn command_line(target: &Target, options: &[&str], addr: &str) -> Option<(String, String)> {
    match target {
        Target::Address(_) => None,
        Target::Stage(launch) => {
            let mut over: Vec<String> = options.iter().map(ToString::to_string).collect();
            over.extend(["--addr".to_owned(), addr.to_owned()]);
            let args = override_options(&launch.args, &over);
            let words = [path_from_here(&launch.program)].into_iter().chain(args);
            Some((String::new(), words.map(|text| word(&text)).collect::<Vec<_>>().join(" ")))
        }
        Target::Command(command, _) => {
            let mut before = match command.contains("$OPTIONS") && !options.is_empty() {
                true => {
                    let options = options.join(" ");
                    // What names the port is to be put in now: nobody looks at what `$OPTIONS` has in it.
                    let quote = if options.contains("$PORT") { '"' } else { '\'' };
                    format!("export OPTIONS={quote}{options}{quote}; ")
                }
                false => String::new(),
            };
            if let Some(root) = current().root() {
                before.push_str(&format!("export ROOT={}; ", word(&root.to_string_lossy())));
            }
            Some((before, command.clone()))
        }
    }
}

/// A path as a reader types it here.
fn path_from_here(path: &std::path::Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

/// How long a server may take to listen, if nothing else is asked for: a virtual machine that compiles its
/// program first takes a few seconds.
pub const START_LIMIT: Duration = Duration::from_secs(20);

/// After this time a probe makes no further connection: a server that lets each one wait a little would
/// otherwise keep a probe of thousands for hours.
const PROBE_LIMIT: Duration = Duration::from_secs(30);

/// A server that runs, for one probe.
pub(crate) struct Subject<'a> {
    pub(crate) addr: SocketAddr,
    pub(crate) target: &'a Target,
    /// What a probe that passes adds to its outcome.
    pub(crate) remark: String,
    /// What the probe sends and receives.
    pub(crate) recorder: Recorder,
    begun: Instant,
    server: Option<Server>,
    /// The ports of its servers, kept from other graders.
    ports: Mutex<Vec<Port>>,
    may_end: bool,
}

impl<'a> Subject<'a> {
    /// Starts the target as the probe wants it.
    pub(crate) fn start(target: &'a Target, setup: &Setup) -> Result<Self, Fault> {
        if let Some(reason) = target.hindrance(setup) {
            return Err(Fault::not_applicable(reason));
        }
        let adapt = |launch: &mut Launch| {
            launch.descriptors = setup.few_descriptors.then(|| few_descriptors() as u64);
            launch.cpus = setup.one_cpu.then(|| vec![one_cpu()]);
        };
        let (server, port) = match target {
            Target::Address(_) => (None, None),
            _ if setup.by_hand => (None, None),
            _ => {
                let (server, port) =
                    ports::start(target, setup.options, false, adapt).map_err(|error| not_started(&error))?;
                (Some(server), port)
            }
        };
        let addr = match (target, &server) {
            (Target::Address(addr), _) => *addr,
            (_, Some(server)) => server.addr,
            (_, None) => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        };
        Ok(Self {
            addr,
            target,
            remark: String::new(),
            recorder: Recorder::current(),
            begun: Instant::now(),
            server,
            ports: Mutex::new(port.into_iter().collect()),
            may_end: false,
        })
    }

    /// Starts another server of the same target, with these options besides the user's.
    pub(crate) fn start_another(&self, options: &[&str]) -> anyhow::Result<Server> {
        let (server, port) = ports::start(self.target, options, false, |_| {})?;
        self.keep(port);
        Ok(server)
    }

    /// The same, on a port that is known before, and where another one can be started after it.
    pub(crate) fn start_another_on_a_port(&self) -> anyhow::Result<Server> {
        let (server, port) = ports::start(self.target, &[], true, |_| {})?;
        self.keep(port);
        Ok(server)
    }

    /// Keeps a port for as long as the probe runs.
    fn keep(&self, port: Option<Port>) {
        self.ports.lock().unwrap_or_else(PoisonError::into_inner).extend(port);
    }

    pub(crate) fn connect(&self) -> Result<Client, Fault> {
        if self.begun.elapsed() > PROBE_LIMIT {
            return Err(Fault::hang(format!("not done after {PROBE_LIMIT:?}: each connection has to wait")));
        }
        let client = Client::connect_for(self.addr, &self.recorder)?;
        Ok(client.allowing_chunks(self.target.is_foreign()))
    }

    /// A number of connections. Where the kernel drops an attempt, because the backlog is full, and completes
    /// it a second later, the others are made more slowly: a short backlog is no fault of a server that
    /// accepts.
    pub(crate) fn connect_many(&self, count: usize) -> Result<Vec<Client>, Fault> {
        /// An attempt is repeated after a second.
        const DROPPED: Duration = Duration::from_millis(500);
        const SLOWEST: Duration = Duration::from_millis(16);
        let mut pause = Duration::ZERO;
        let mut clients = Vec::new();
        for _ in 0..count {
            thread::sleep(pause);
            let start = Instant::now();
            clients.push(self.connect()?);
            if start.elapsed() > DROPPED {
                pause = (pause * 2).clamp(Duration::from_millis(2), SLOWEST);
            }
        }
        Ok(clients)
    }

    /// A connection, if the kernel completes it at once: not if the backlog is full.
    pub(crate) fn connect_at_once(&self) -> Option<Client> {
        let client = Client::connect_within(self.addr, Duration::from_millis(300)).ok()?;
        Some(client.allowing_chunks(self.target.is_foreign()))
    }

    /// At most so many connections, as many as the kernel completes at once.
    pub(crate) fn connect_some(&self, count: usize) -> Vec<Client> {
        std::iter::from_fn(|| self.connect_at_once()).take(count).collect()
    }

    /// At most so many connections, as many as the server and its backlog take: where an attempt is dropped,
    /// it is made again a moment later, since a server with a short backlog may only have been slow to
    /// accept, and the others are made more slowly.
    pub(crate) fn connect_until_full(&self, count: usize) -> Vec<Client> {
        const TRIES: usize = 3;
        const SLOWEST: Duration = Duration::from_millis(16);
        let (mut clients, mut failed, mut pause) = (Vec::new(), 0, Duration::ZERO);
        while clients.len() < count && failed < TRIES {
            thread::sleep(pause);
            match self.connect_at_once() {
                Some(client) => {
                    clients.push(client);
                    failed = 0;
                }
                None => {
                    failed += 1;
                    pause = (pause * 2).clamp(Duration::from_millis(2), SLOWEST);
                    thread::sleep(Duration::from_millis(100));
                }
            }
        }
        clients
    }

    /// Asks on a connection of its own, as the last word of many probes: does the server still serve?
    pub(crate) fn must_serve(&self) -> Verdict {
        self.connect()?.ask(&super::client::get_and_close("/"))?.must_be_hello()
    }

    /// The same of a server that has just been given back what it lacked: it must take note of that first,
    /// and may still refuse what came before.
    pub(crate) fn must_serve_again(&self) -> Verdict {
        let start = Instant::now();
        loop {
            match self.must_serve() {
                Err(fault) if fault.outcome == Outcome::Wrong && start.elapsed() < LIMIT => {
                    thread::sleep(Duration::from_millis(50));
                }
                verdict => return verdict,
            }
        }
    }

    /// How the server ended, if it did so instead of answering.
    pub(crate) fn end(&mut self) -> Option<String> {
        // One that ends may close a connection some moments before its listener.
        let listens = [0, 50, 200].into_iter().all(|ms| {
            thread::sleep(Duration::from_millis(ms));
            self.connect().is_ok()
        });
        if listens {
            return None;
        }
        // The kernel closes the sockets of a process a moment before its status can be read.
        self.server.as_mut()?.end(Duration::from_secs(2))
    }

    /// The process, which [`Setup::process`] promised.
    pub(crate) fn process(&mut self) -> Result<&mut Server, Fault> {
        let server = self.server.as_mut().ok_or_else(|| Fault::not_applicable("there is no process"))?;
        match server.is_hidden() {
            false => Ok(server),
            true => Err(Fault::not_applicable(
                "the process that listens is none that the command has started, or may not be looked at",
            )),
        }
    }

    /// The process, to be signalled: from now on it may end.
    pub(crate) fn ending_process(&mut self) -> Result<&mut Server, Fault> {
        self.may_end = true;
        self.process()
    }

    /// The status with which the process ends within `limit`.
    pub(crate) fn exit_within(&mut self, limit: Duration) -> Result<ExitStatus, Fault> {
        let status = self.process()?.wait(limit);
        self.recorder.note(match status {
            Some(status) => format!("the process ended with {status}"),
            None => format!("the process is still running {limit:?} after the signal"),
        });
        status.ok_or_else(|| {
            let fault = Fault::hang(format!("still running {limit:?} after the signal"));
            fault.of(Kind::Running).shows("the process ends", "it goes on running")
        })
    }

    /// Exit status 0 within `limit`.
    pub(crate) fn must_exit_cleanly(&mut self, limit: Duration) -> Verdict {
        let status = self.exit_within(limit)?;
        if self.process()?.is_status_hidden() {
            self.remark = "it ended; behind its wrapper the exit status cannot be seen".to_owned();
        }
        match status {
            status if status.success() => Ok(()),
            status => {
                let fault = Fault::wrong(format!("ended with {status} instead of 0")).of(Kind::ExitStatus);
                Err(fault
                    .shows("exit status 0", format!("{status} (a shell shows 128 plus a signal's number)")))
            }
        }
    }

    /// What died, where something did. A thread or a forked child that panics leaves the process alive,
    /// so stderr is asked too.
    pub(crate) fn crash(&mut self) -> Option<String> {
        let Some(server) = &mut self.server else {
            let gone = matches!(self.target, Target::Address(_)) && Client::connect(self.addr).is_err();
            return gone.then(|| "nothing accepts connections any more".to_owned());
        };
        let stderr = server.stderr();
        if let Some(line) = stderr.lines().find(|line| line.contains("panicked at")) {
            return Some(line.to_owned());
        }
        if self.may_end {
            return None;
        }
        // A moment for one that dies of what the probe did last.
        server.end(Duration::from_millis(10))
    }
}

/// The fault of a server that does not start.
pub(super) fn not_started(error: &anyhow::Error) -> Fault {
    let system = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    system.and_then(shortage).unwrap_or_else(|| Fault::crash(format!("{error:#}")))
}

/// Runs a server that should refuse to start, and end at once.
pub(crate) fn run_to_end(launch: &Launch) -> Result<Ended, Fault> {
    let ended = launch.run_to_end(LIMIT).map_err(|error| Fault::crash(format!("{error:#}")))?;
    match ended.status {
        Some(_) => Ok(ended),
        None => Err(Fault::wrong(format!("started all the same: it ran for {LIMIT:?}"))),
    }
}
