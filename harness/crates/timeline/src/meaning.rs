//! What the calls mean: which descriptor is which client, who waits in a call, and in which words that is
//! said.

use crate::clients::ClientLog;
use crate::strace::{Call, Trace, descriptor, field, string};
use crate::tasks::Task;
use std::collections::{HashMap, HashSet};

/// A call that takes longer, in µs, has waited. strace alone makes any call last some tens of µs.
pub(crate) const WAIT: i64 = 400;

/// What a descriptor stands for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Object {
    /// A socket that listens.
    Listener,
    /// The connection of a client, by its place.
    Client(usize),
    /// An eventfd, a pipe, or a socket of a pair: what wakes another task.
    Link(String),
    /// An epoll instance.
    Epoll,
    /// Anything else.
    Other,
}

/// For what a call can wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// A connection.
    Accept,
    /// Bytes.
    Read,
    /// Room for bytes.
    Write,
    /// Any event of many descriptors.
    Events,
    /// A lock, or a condition.
    Futex,
    /// Completions of an io_uring.
    Completions,
    /// The end of a child.
    Child,
    /// Time.
    Time,
}

/// What is known of the descriptors of a trace.
#[derive(Debug, Default)]
pub(crate) struct Meaning {
    listeners: HashSet<String>,
    /// By socket.
    connections: HashMap<String, usize>,
    /// The other sockets of pairs.
    mates: HashMap<String, String>,
    /// By task.
    processes: HashMap<i32, i32>,
    /// The names of the clients.
    names: Vec<String>,
}

impl Meaning {
    pub(crate) fn new(trace: &Trace, tasks: &[Task], clients: &[ClientLog]) -> Self {
        let processes = tasks.iter().map(|task| (task.id, task.process)).collect();
        let names = clients.iter().map(ClientLog::name).collect();
        let mut meaning = Self { processes, names, ..Self::default() };
        for call in &trace.calls {
            match call.name.as_str() {
                "accept" | "accept4" | "listen" => {
                    meaning.listeners.extend(descriptor(call.argument(0)).map(|(_, file)| file.to_owned()));
                }
                "socketpair" => meaning.pair(call),
                _ => {}
            }
        }
        meaning.connect(trace, clients);
        meaning
    }

    fn pair(&mut self, call: &Call) {
        let Some(text) = call.arguments().last().and_then(|text| text.strip_prefix('[')) else { return };
        let ends: Vec<&str> = text.split(',').filter_map(|end| Some(descriptor(end)?.1)).collect();
        if let [one, other] = ends[..] {
            self.mates.insert(one.to_owned(), other.to_owned());
            self.mates.insert(other.to_owned(), one.to_owned());
        }
    }

    /// Which accepted socket is whose: by the peer's port where the call asked for it, by the `Host` of its
    /// requests, and else by the order, in which the kernel keeps connections of one listener.
    fn connect(&mut self, trace: &Trace, clients: &[ClientLog]) {
        let accepted: Vec<(&str, &Call)> = trace
            .calls
            .iter()
            .filter(|call| call.name.starts_with("accept"))
            .filter_map(|call| Some((descriptor(&call.result)?.1, call)))
            .collect();
        let mut owners: HashMap<&str, usize> = HashMap::new();
        for &(socket, call) in &accepted {
            let port = call.args.split_once("htons(").and_then(|(_, rest)| rest.split_once(')'));
            let owner =
                port.and_then(|(port, _)| clients.iter().position(|client| port.parse() == Ok(client.port)));
            owners.extend(owner.map(|owner| (socket, owner)));
        }
        for call in &trace.calls {
            let Some((_, socket)) = descriptor(call.argument(0)) else { continue };
            let said = |client: &ClientLog| call.args.contains(&format!("Host: {}\\r", client.host()));
            if !owners.contains_key(socket) && accepted.iter().any(|(other, _)| *other == socket) {
                owners.extend(clients.iter().position(said).map(|owner| (socket, owner)));
            }
        }
        let mut others =
            accepted.iter().map(|(socket, _)| *socket).filter(|socket| !owners.contains_key(socket));
        let others: Vec<&str> = others.by_ref().collect();
        let known: HashSet<usize> = owners.values().copied().collect();
        let mut silent: Vec<usize> = (0..clients.len()).filter(|place| !known.contains(place)).collect();
        silent.sort_by_key(|&place| clients[place].moments.first().map(|moment| moment.at));
        owners.extend(others.into_iter().zip(silent));
        self.connections = owners.into_iter().map(|(socket, owner)| (socket.to_owned(), owner)).collect();
    }

    fn process(&self, task: i32) -> i32 {
        self.processes.get(&task).copied().unwrap_or(task)
    }

    /// What a descriptor of a task stands for.
    pub(crate) fn object(&self, task: i32, text: &str) -> Object {
        let Some((number, file)) = descriptor(text) else { return Object::Other };
        if let Some(&client) = self.connections.get(file) {
            return Object::Client(client);
        }
        match file {
            file if self.listeners.contains(file) => Object::Listener,
            file if file.starts_with("anon_inode:[eventpoll") => Object::Epoll,
            // They have no number of their own, and a descriptor means the same in all threads of a process.
            file if file.starts_with("anon_inode:[eventfd") => {
                Object::Link(format!("eventfd {} {number}", self.process(task)))
            }
            file if file.starts_with("pipe:") || self.mates.contains_key(file) => {
                Object::Link(file.to_owned())
            }
            _ => Object::Other,
        }
    }

    /// Where arrives what is written to a link.
    pub(crate) fn other_end(&self, link: &str) -> String {
        self.mates.get(link).map_or(link, String::as_str).to_owned()
    }

    /// What a call is about: its first descriptor, or for epoll_ctl(2) its third argument.
    pub(crate) fn about(&self, call: &Call) -> Object {
        let place = if call.name == "epoll_ctl" { 2 } else { 0 };
        self.object(call.task, call.argument(place))
    }

    /// The connection that a call accepted.
    pub(crate) fn accepted(&self, call: &Call) -> Option<usize> {
        let is_accept = call.name.starts_with("accept");
        match self.object(call.task, &call.result) {
            Object::Client(client) if is_accept => Some(client),
            _ => None,
        }
    }

    /// For what a call waits, if it is one that can.
    pub(crate) fn waiting(&self, call: &Call) -> Option<Waiting> {
        let is_stream = || matches!(self.about(call), Object::Client(_) | Object::Link(_));
        Some(match call.name.as_str() {
            "accept" | "accept4" => Waiting::Accept,
            "read" | "readv" | "recvfrom" | "recvmsg" if is_stream() => Waiting::Read,
            "write" | "writev" | "sendto" | "sendmsg" | "sendfile" if is_stream() => Waiting::Write,
            "epoll_wait" | "epoll_pwait" | "epoll_pwait2" | "poll" | "ppoll" | "select" | "pselect6" => {
                Waiting::Events
            }
            "futex" if call.argument(1).starts_with("FUTEX_WAIT") => Waiting::Futex,
            "io_uring_enter" => Waiting::Completions,
            "wait4" | "waitid" => Waiting::Child,
            "nanosleep" | "clock_nanosleep" => Waiting::Time,
            _ => return None,
        })
    }

    /// Where the bytes come from that a call has read; nothing for any other call.
    pub(crate) fn read(&self, call: &Call) -> Option<(Object, u64)> {
        let is_read = matches!(call.name.as_str(), "read" | "readv" | "recvfrom" | "recvmsg");
        let count = call.value().and_then(|count| u64::try_from(count).ok()).filter(|&count| count > 0)?;
        is_read.then(|| (self.about(call), count))
    }

    /// Where the bytes go that a call has written; nothing for any other call.
    pub(crate) fn written(&self, call: &Call) -> Option<(Object, u64)> {
        let is_write = matches!(call.name.as_str(), "write" | "writev" | "sendto" | "sendmsg" | "sendfile");
        let count = call.value().and_then(|count| u64::try_from(count).ok()).filter(|&count| count > 0)?;
        is_write.then(|| (self.about(call), count))
    }

    /// A descriptor's name in a text.
    pub(crate) fn name(&self, object: &Object) -> String {
        match object {
            Object::Listener => "listener".to_owned(),
            Object::Client(client) => self.names.get(*client).cloned().unwrap_or_default(),
            Object::Link(link) if link.starts_with("eventfd") => "eventfd".to_owned(),
            Object::Link(link) if link.starts_with("pipe") => "pipe".to_owned(),
            Object::Link(_) => "socket pair".to_owned(),
            Object::Epoll => "epoll".to_owned(),
            Object::Other => "…".to_owned(),
        }
    }

    /// A call in a few words, without numbers that differ from run to run. `events` is what an epoll
    /// reported.
    pub(crate) fn text(&self, call: &Call, events: &[Object]) -> String {
        let about = self.name(&self.about(call));
        let result = match (call.value(), call.error(), self.accepted(call)) {
            (_, Some(error), _) => format!(" = {error}"),
            (.., Some(client)) => format!(" = {}", self.names[client]),
            (Some(count), ..) => format!(" = {count}"),
            (None, ..) => String::new(),
        };
        let name = &call.name;
        match name.as_str() {
            "futex" => {
                let operation = call.argument(1).split(['_', '|']).nth(1).unwrap_or_default();
                format!("futex({operation}){result}")
            }
            "epoll_ctl" => {
                let operation = call.argument(1).trim_start_matches("EPOLL_CTL_");
                format!("epoll_ctl({operation}, {about}){result}")
            }
            "epoll_wait" | "epoll_pwait" | "epoll_pwait2" if !events.is_empty() => {
                let names: Vec<String> = events.iter().map(|event| self.name(event)).collect();
                format!("{name} = {}: {}", events.len(), names.join(", "))
            }
            "epoll_wait" | "epoll_pwait" | "epoll_pwait2" => format!("{name}{result}"),
            "io_uring_enter" => {
                let (submitted, waits) = (call.argument(1), call.argument(2));
                format!("io_uring_enter(submit {submitted}, wait for {waits}){result}")
            }
            "clock_nanosleep" | "nanosleep" => name.clone(),
            "clone" | "clone3" | "fork" | "vfork" | "wait4" | "waitid" => name.clone(),
            _ => match call.arguments().get(1).and_then(|argument| string(argument)).map(line) {
                Some(line) if !line.is_empty() => format!("{name}({about}, \"{line}\"){result}"),
                _ => format!("{name}({about}){result}"),
            },
        }
    }
}

/// The first line of a string as strace escapes it, if it is text.
fn line(text: &str) -> &str {
    /// Longer ones are cut.
    const KEPT: usize = 30;
    let line = text.split("\\r").next().unwrap_or_default();
    let is_text = !line.contains('\\') && line.is_ascii();
    if is_text { &line[..line.len().min(KEPT)] } else { "" }
}

/// What epolls reported: for each call, by its place in the trace, the objects.
pub(crate) fn events(trace: &Trace, meaning: &Meaning) -> HashMap<usize, Vec<Object>> {
    // An epoll's own number, and the number that stands for a descriptor in it.
    type Token = (i32, i32, String);
    let mut order: Vec<(i64, usize)> =
        trace.calls.iter().enumerate().map(|(place, call)| (call.end.unwrap_or(i64::MAX), place)).collect();
    order.sort_unstable();
    let mut registered: HashMap<Token, Object> = HashMap::new();
    let mut reported = HashMap::new();
    for (_, place) in order {
        let call = &trace.calls[place];
        if !call.name.starts_with("epoll_") {
            continue;
        }
        let Some((epoll, _)) = descriptor(call.argument(0)) else { continue };
        let process = meaning.process(call.task);
        if call.name == "epoll_ctl" {
            if let (Some(data), Some(0)) = (field(call.argument(3), "u64"), call.value()) {
                registered.insert((process, epoll, data.to_owned()), meaning.about(call));
            }
        } else if call.value().is_some_and(|count| count > 0) {
            let data = call.argument(1).split("data=").skip(1).filter_map(|text| field(text, "u64"));
            let object = |data: &str| registered.get(&(process, epoll, data.to_owned())).cloned();
            reported.insert(place, data.map(|data| object(data).unwrap_or(Object::Other)).collect());
        }
    }
    reported
}
