//! From a trace and the clients' logs to the lanes of a timeline.

use crate::clients::{ClientLog, Played, What};
use crate::findings;
use crate::flows::{Passage, passages, wakes};
use crate::meaning::{Meaning, Object, WAIT, Waiting, events};
use crate::model::{Arrow, Event, Flow, Kind, Lane, LaneKind, Timeline};
use crate::queues::{Queued, accept_queue, between_tasks, unread};
use crate::strace::{Call, Trace};
use crate::tasks::{Task, tasks};
use lab_core::units::time;
use std::collections::{BTreeMap, HashMap};

/// How much of the time before the first client is shown, µs.
const LEAD: i64 = 500;
/// With more tasks than this, those are left out that wait for the whole time.
const MANY_TASKS: usize = 9;

/// What a run was, in words; the rest of a timeline is derived.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) about: String,
    pub(crate) server: String,
    pub(crate) recorded: String,
}

/// A time in which a task does one thing, in µs since 1970.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) task: i32,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) kind: Kind,
    /// For what it waits.
    pub(crate) waiting: Option<Waiting>,
    pub(crate) label: String,
    pub(crate) text: String,
    /// Whether it waits for one client, and not for any work.
    pub(crate) for_client: bool,
}

/// A time in which a client waits for a reply, or for several, in µs since 1970.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ask {
    pub(crate) client: usize,
    pub(crate) from: i64,
    /// `None` if no reply came, or not all.
    pub(crate) to: Option<i64>,
    /// What it sent, and what it received, each in its order.
    pub(crate) requests: Vec<String>,
    pub(crate) replies: Vec<String>,
}

/// All that was derived.
pub(crate) struct Derived<'a> {
    /// The calls of the time that is shown.
    pub(crate) trace: Trace,
    pub(crate) clients: &'a [ClientLog],
    pub(crate) tasks: Vec<Task>,
    pub(crate) meaning: Meaning,
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) states: Vec<State>,
    pub(crate) asks: Vec<Ask>,
    pub(crate) accept_queue: Vec<Queued>,
    pub(crate) unread: Vec<Queued>,
    pub(crate) between: Vec<Queued>,
    /// What each epoll_wait(2) reported, by its place in the trace.
    pub(crate) reported: HashMap<usize, Vec<Object>>,
    /// Place in the trace of the cause and the effect.
    wakes: Vec<(usize, usize)>,
}

/// The timeline of a run.
pub(crate) fn timeline(words: Words, trace: &Trace, played: &Played) -> Timeline {
    let derived = Derived::new(trace, &played.clients, played.end);
    let findings = findings::findings(&derived);
    Drawer::new(&derived).timeline(words, findings)
}

impl<'a> Derived<'a> {
    pub(crate) fn new(whole: &Trace, clients: &'a [ClientLog], end: i64) -> Self {
        let tasks = tasks(whole);
        let meaning = Meaning::new(whole, &tasks, clients);
        let reported = events(whole, &meaning);
        let first = clients.iter().flat_map(|log| &log.moments).map(|moment| moment.at).min();
        let start = first.unwrap_or(end) - LEAD;
        // What was before says what a descriptor is, and nothing else: some servers make thousands of calls
        // until they listen.
        let is_shown = |call: &Call| call.start <= end && call.end.is_none_or(|end| end >= start);
        let shown: Vec<usize> =
            (0..whole.calls.len()).filter(|&place| is_shown(&whole.calls[place])).collect();
        let reported: HashMap<usize, Vec<Object>> = shown
            .iter()
            .enumerate()
            .filter_map(|(place, before)| Some((place, reported.get(before)?.clone())))
            .collect();
        let calls = shown.iter().map(|&place| whole.calls[place].clone()).collect();
        let trace = Trace { calls, ends: whole.ends.clone() };
        let processes: HashMap<i32, i32> = tasks.iter().map(|task| (task.id, task.process)).collect();
        let process = |task: i32| processes.get(&task).copied().unwrap_or(task);
        let mut derived = Self {
            clients,
            start,
            end,
            states: Vec::new(),
            asks: clients.iter().enumerate().flat_map(|(client, log)| asks(client, log)).collect(),
            accept_queue: accept_queue(&trace, &meaning, clients),
            unread: unread(&trace, &meaning, clients),
            between: between_tasks(&trace, &meaning, &reported),
            wakes: wakes(&trace, &meaning, &reported, process),
            trace,
            tasks,
            meaning,
            reported,
        };
        derived.states = derived.tasks.iter().flat_map(|task| derived.states_of(task)).collect();
        derived
    }

    /// The calls of a task, and between them what it runs, clipped to the time that is shown.
    fn states_of(&self, task: &Task) -> Vec<State> {
        let end = task.ended.map_or(self.end, |ended| ended.min(self.end));
        let (mut states, mut free) = (Vec::new(), task.begun.max(self.start));
        let state = |from, to, kind| State {
            task: task.id,
            from,
            to,
            kind,
            waiting: None,
            label: String::new(),
            text: String::new(),
            for_client: false,
        };
        for (place, call) in self.trace.calls.iter().enumerate() {
            let to = call.end.unwrap_or(end).min(end);
            let is_shown =
                call.task == task.id && call.start < end && to >= free && !call.name.starts_with("exit");
            if !is_shown {
                continue;
            }
            let events = self.reported.get(&place).map_or(&[][..], Vec::as_slice);
            let text = self.meaning.text(call, events);
            let waiting =
                self.meaning.waiting(call).filter(|_| call.end.is_none_or(|end| end - call.start >= WAIT));
            let from = call.start.max(free);
            match waiting {
                None => {
                    let label = self.call_label(call);
                    states.push(State { label, text, ..state(from, to, Kind::Call) });
                }
                Some(waiting) => {
                    if from > free {
                        states.push(state(free, from, Kind::Run));
                    }
                    free = to;
                    let kind = if waiting == Waiting::Time { Kind::Sleep } else { Kind::Wait };
                    let (label, for_client) = self.wait_label(place, call, waiting);
                    let waiting = Some(waiting);
                    states.push(State { waiting, label, text, for_client, ..state(from, to, kind) });
                }
            }
        }
        if end > free {
            states.push(state(free, end, Kind::Run));
        }
        states
    }

    /// What a call did, in a few words.
    fn call_label(&self, call: &Call) -> String {
        match (call.name.as_str(), self.meaning.accepted(call), call.error()) {
            ("io_uring_enter", ..) if call.argument(1) != "0" => format!("submits {}", call.argument(1)),
            (name, Some(client), _) => format!("{name}: {}", self.clients[client].letter),
            // Who was woken in vain.
            (name, None, Some(error)) if name.starts_with("accept") => format!("{name}: {error}"),
            (name, ..) => name.to_owned(),
        }
    }

    /// For whom or what a task waits, in a few words, and whether that is one client.
    fn wait_label(&self, place: usize, call: &Call, waiting: Waiting) -> (String, bool) {
        let how = &call.name;
        let waker = self
            .wakes
            .iter()
            .find(|(_, effect)| *effect == place)
            .map(|&(cause, _)| &self.trace.calls[cause]);
        let waker = waker.and_then(|cause| self.tasks.iter().find(|task| task.id == cause.task));
        let about = self.meaning.about(call);
        let mut for_client = false;
        let label = match (waiting, &about, waker) {
            (Waiting::Accept, ..) => format!("waits for a connection ({how})"),
            (Waiting::Read | Waiting::Write, Object::Client(_), _) => {
                for_client = true;
                format!("waits for {} ({how})", self.meaning.name(&about))
            }
            (Waiting::Read | Waiting::Write, object, Some(waker)) => {
                format!("waits for {} ({})", waker.name, self.meaning.name(object))
            }
            (Waiting::Read | Waiting::Write, object, None) => {
                format!("waits ({})", self.meaning.name(object))
            }
            (Waiting::Events, ..) => format!("waits for an event ({how})"),
            (Waiting::Futex, _, Some(waker)) => format!("waits for {} (futex)", waker.name),
            (Waiting::Futex, _, None) => "waits (futex)".to_owned(),
            (Waiting::Completions, ..) if call.argument(1) != "0" => {
                format!("waits for completions (submits {})", call.argument(1))
            }
            (Waiting::Completions, ..) => format!("waits for completions ({how})"),
            (Waiting::Child, ..) => format!("waits for a child ({how})"),
            (Waiting::Time, ..) => {
                let slept = call.end.map(|end| format!(" {}", time((end - call.start) as f64)));
                format!("sleeps{} ({how})", slept.unwrap_or_default())
            }
        };
        (label, for_client)
    }

    /// A task by its number.
    pub(crate) fn task(&self, id: i32) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == id)
    }
}

/// When a client waits: as long as it has sent more requests than replies have begun to come.
fn asks(client: usize, log: &ClientLog) -> Vec<Ask> {
    let (mut asks, mut open): (Vec<Ask>, Option<Ask>) = (Vec::new(), None);
    let mut due = 0_usize;
    for moment in &log.moments {
        match &moment.what {
            What::Sends { requests, text, .. } if *requests > 0 => {
                due += requests;
                let ask = open.get_or_insert_with(|| Ask { client, from: moment.at, ..Ask::default() });
                ask.requests.push(text.trim_end_matches(" HTTP/1.1").to_owned());
            }
            What::Receives { replies, text, .. } if *replies > 0 => {
                due = due.saturating_sub(*replies);
                open.iter_mut().for_each(|ask| ask.replies.push(text.clone()));
            }
            What::Ended | What::Closes => due = 0,
            _ => continue,
        }
        if due == 0 {
            asks.extend(open.take().map(|ask| Ask { to: Some(moment.at), ..ask }));
        }
    }
    asks.into_iter().chain(open).collect()
}

/// Puts what was derived into lanes, with times from the start.
struct Drawer<'a> {
    derived: &'a Derived<'a>,
    lanes: Vec<Lane>,
    /// By task.
    task_lanes: BTreeMap<i32, usize>,
    events: Vec<Event>,
}

impl<'a> Drawer<'a> {
    fn new(derived: &'a Derived<'a>) -> Self {
        Self { derived, lanes: Vec::new(), task_lanes: BTreeMap::new(), events: Vec::new() }
    }

    fn timeline(mut self, words: Words, findings: Vec<String>) -> Timeline {
        for client in self.derived.clients {
            let lane = self.lane(&client.name(), LaneKind::Client);
            self.client(lane, client);
        }
        self.queue("accept queue", &self.derived.accept_queue);
        self.queue("unread bytes", &self.derived.unread);
        self.queue("hand-off queue", &self.derived.between);
        for task in &self.derived.tasks {
            if self.is_shown(task) {
                let lane = self.lane(&task.name, LaneKind::Task);
                self.task_lanes.insert(task.id, lane);
                for state in self.derived.states.iter().filter(|state| state.task == task.id) {
                    self.event(lane, state.from, Some(state.to), state.kind, &state.label, &state.text);
                }
            }
        }
        let arrows = self.arrows();
        // States lie below what happens in them.
        self.events.sort_by_key(|event| (event.lane, !event.kind.is_state(), event.from, event.to));
        let Words { name, title, about, server, recorded } = words;
        let end = self.derived.end - self.derived.start;
        Timeline {
            name,
            title,
            about,
            server,
            recorded,
            end,
            lanes: self.lanes,
            events: self.events,
            arrows,
            findings,
        }
    }

    fn lane(&mut self, name: &str, kind: LaneKind) -> usize {
        self.lanes.push(Lane { name: name.to_owned(), kind });
        self.lanes.len() - 1
    }

    /// One that is there for a part of the time and does something else than wait for its children; of many
    /// tasks, one that does anything.
    fn is_shown(&self, task: &Task) -> bool {
        let derived = self.derived;
        let mut states = derived.states.iter().filter(|state| state.task == task.id).peekable();
        let is_alive = task.is_server && task.begun < derived.end && states.peek().is_some();
        let only_waits = states.all(|state| state.kind == Kind::Wait);
        let mut states = derived.states.iter().filter(|state| state.task == task.id);
        let for_child = states.all(|state| state.waiting == Some(Waiting::Child));
        let are_many = derived.tasks.len() > MANY_TASKS;
        is_alive && !for_child && !(only_waits && are_many)
    }

    fn event(&mut self, lane: usize, from: i64, to: Option<i64>, kind: Kind, label: &str, text: &str) {
        let (start, end) = (self.derived.start, self.derived.end);
        let to = to.unwrap_or(end);
        if to < start || from > end {
            return;
        }
        let clipped = |at: i64| at.clamp(start, end) - start;
        let (label, text) = (label.to_owned(), text.to_owned());
        self.events.push(Event { lane, from: clipped(from), to: clipped(to), kind, label, text });
    }

    fn client(&mut self, lane: usize, log: &ClientLog) {
        let (mut opened, mut closed) = (None, None);
        for moment in &log.moments {
            let at = moment.at;
            let (kind, label, text) = match &moment.what {
                What::Connects => (Kind::Connect, "connects".to_owned(), "connects".to_owned()),
                What::Connected => {
                    opened = Some(at);
                    continue;
                }
                What::Sends { bytes, text, .. } => {
                    let short = text.trim_end_matches(" HTTP/1.1").to_owned();
                    (Kind::Send, short, format!("sends {bytes} bytes: {text}"))
                }
                What::Receives { bytes, text, .. } => {
                    (Kind::Receive, text.clone(), format!("receives {bytes} bytes: {text}"))
                }
                What::Ended => {
                    (Kind::End, "ended".to_owned(), "the server has closed the connection".to_owned())
                }
                What::Closes => (Kind::Close, "closes".to_owned(), "closes its connection".to_owned()),
            };
            if matches!(kind, Kind::End | Kind::Close) {
                closed = closed.or(Some(at));
            }
            self.event(lane, at, Some(at), kind, &label, &text);
        }
        let Some(opened) = opened else { return };
        let closed = closed.unwrap_or(self.derived.end);
        let mut from = opened;
        let place = self.derived.clients.iter().position(|other| other.letter == log.letter);
        for ask in self.derived.asks.iter().filter(|ask| Some(ask.client) == place) {
            self.event(lane, from, Some(ask.from), Kind::Idle, "", "connected, idle");
            let to = ask.to.unwrap_or(self.derived.end);
            let waited = time((to - ask.from) as f64);
            let text = match ask.to {
                Some(_) => format!("waits {waited} for a reply"),
                None => format!("waits {waited}, and no reply comes"),
            };
            self.event(lane, ask.from, Some(to), Kind::Ask, &format!("waits {waited}"), &text);
            from = to;
        }
        self.event(lane, from, Some(closed), Kind::Idle, "", "connected, idle");
    }

    fn queue(&mut self, name: &str, items: &[Queued]) {
        let derived = self.derived;
        let is_shown =
            |item: &&Queued| item.from < derived.end && item.to.is_none_or(|to| to > derived.start);
        if !items.iter().any(|item| is_shown(&item)) {
            return;
        }
        let is_bytes = items.iter().all(|item| item.bytes > 0);
        let lane = self.lane(name, LaneKind::Queue);
        for item in items.iter().filter(is_shown) {
            let client = &derived.clients[item.client];
            let taker = item.taker.and_then(|task| derived.task(task)).map(|task| task.name.as_str());
            let end = match (taker, is_bytes) {
                (Some(task), false) => format!("taken by {task}"),
                (Some(task), true) => format!("read by {task}"),
                (None, false) => "nobody takes it".to_owned(),
                (None, true) => "nobody reads them".to_owned(),
            };
            let (label, what) = match is_bytes {
                true => (
                    format!("{}: {}", client.letter, item.bytes),
                    format!("{} bytes of {}", item.bytes, client.name()),
                ),
                false => (client.letter.to_string(), client.name()),
            };
            let to = item.to.unwrap_or(derived.end);
            let held = time((to.min(derived.end) - item.from) as f64);
            self.event(lane, item.from, Some(to), Kind::Queued, &label, &format!("{what}, {held}; {end}"));
        }
    }

    fn arrows(&self) -> Vec<Arrow> {
        let derived = self.derived;
        let calls = &derived.trace.calls;
        let lane = |call: &Call| self.task_lanes.get(&call.task).copied();
        let mut arrows = Vec::new();
        let mut add = |from: (Option<usize>, i64), to: (Option<usize>, Option<i64>), kind| {
            if let ((Some(lane), at), (Some(other), Some(until))) = (from, to) {
                let is_shown = at >= derived.start && until <= derived.end && lane != other;
                let arrow =
                    Arrow { from: (lane, at - derived.start), to: (other, until - derived.start), kind };
                arrows.extend(is_shown.then_some(arrow));
            }
        };
        for call in calls {
            if let Some(client) = derived.meaning.accepted(call) {
                let connects =
                    derived.clients[client].moments.first().map_or(derived.start, |moment| moment.at);
                add((Some(client), connects), (lane(call), call.end), Flow::Connection);
            }
        }
        for passage in passages(&derived.trace, &derived.meaning, derived.clients) {
            match passage {
                Passage::In { client, moment, call } => {
                    let (at, call) = (derived.clients[client].moments[moment].at, &calls[call]);
                    add((Some(client), at), (lane(call), call.end), Flow::Bytes);
                }
                Passage::Out { call, client, moment } => {
                    let (call, at) = (&calls[call], derived.clients[client].moments[moment].at);
                    add((lane(call), call.start), (Some(client), Some(at)), Flow::Bytes);
                }
            }
        }
        for &(cause, effect) in &derived.wakes {
            let (cause, effect) = (&calls[cause], &calls[effect]);
            add((lane(cause), cause.start), (lane(effect), effect.end), Flow::Wake);
        }
        arrows.sort_by_key(|arrow| (arrow.from.1, arrow.to.1));
        arrows
    }
}
