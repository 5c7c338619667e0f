//! Where everything is on a picture: lanes, bars, signs, texts. A text that has no room is left out, so that
//! no two lie on each other.

use crate::axis::Axis;
use crate::model::{Event, Flow, Kind, LaneKind, Timeline};

/// Sizes of letters, pixels.
pub(crate) const SMALL: f64 = 12.0;
pub(crate) const NAME: f64 = 13.0;
pub(crate) const TITLE: f64 = 16.0;

/// Of a lane: the row of texts, the bar, what is between lanes.
const TEXT_ROW: f64 = 15.0;
pub(crate) const BAR: f64 = 17.0;
const GAP: f64 = 7.0;
/// A row of a queue.
const QUEUE_ROW: f64 = 19.0;
/// More rows than these are not drawn on top of each other: the last ones share one.
const QUEUE_ROWS: usize = 8;
/// A picture that is narrower has the names of its lanes above them.
const NARROW: f64 = 500.0;
/// Left of the bars, for the names: 15 letters, the most that a thread's can have.
const NAMES: f64 = 122.0;
const MARGIN: f64 = 10.0;
/// The narrowest bar that can be seen.
const THIN: f64 = 1.6;
/// Half the width of a sign.
pub(crate) const SIGN: f64 = 5.0;

/// A rectangle in pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Area {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

impl Area {
    #[cfg(test)]
    pub(crate) fn overlaps(&self, other: &Area) -> bool {
        /// Of rounding.
        const SLACK: f64 = 0.05;
        let apart = |a: f64, length: f64, b: f64| a + length <= b + SLACK;
        !(apart(self.x, self.width, other.x)
            || apart(other.x, other.width, self.x)
            || apart(self.y, self.height, other.y)
            || apart(other.y, other.height, self.y))
    }

    #[cfg(test)]
    pub(crate) fn holds(&self, other: &Area) -> bool {
        other.x >= self.x - 0.05
            && other.y >= self.y - 0.05
            && other.x + other.width <= self.x + self.width + 0.05
            && other.y + other.height <= self.y + self.height + 0.05
    }
}

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Title,
    Note,
    Name,
    /// In a bar.
    State,
    /// Above a bar.
    Call,
    Tick,
}

/// A line of text. The area is what it takes at most.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text {
    pub(crate) area: Area,
    pub(crate) text: String,
    pub(crate) role: Role,
}

/// A bar or a sign of an event.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shape {
    /// By place; `None` in the legend.
    pub(crate) event: Option<usize>,
    pub(crate) kind: Kind,
    pub(crate) area: Area,
}

/// From a point to another one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) from: (f64, f64),
    pub(crate) to: (f64, f64),
    pub(crate) kind: Flow,
}

/// Everything on a picture.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    pub(crate) width: f64,
    pub(crate) height: f64,
    /// By lane: the stripe across the whole picture.
    pub(crate) bands: Vec<Area>,
    /// Where the axis is cut.
    pub(crate) cuts: Vec<Area>,
    /// Short lines on the axis: x.
    pub(crate) ticks: Vec<f64>,
    /// y of the axis, and its ends.
    pub(crate) axis: (f64, f64, f64),
    pub(crate) lines: Vec<Line>,
    pub(crate) shapes: Vec<Shape>,
    pub(crate) texts: Vec<Text>,
    /// Where a time is.
    pub(crate) axis_of_time: Axis,
}

/// What a picture has beside the lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frame {
    /// A title, a legend and a note: it stands alone.
    Whole,
    /// Nothing: a page is around it.
    Bare,
}

/// How wide a text is at most: without a font nothing can measure it.
pub(crate) fn text_width(text: &str, size: f64) -> f64 {
    text.chars().count() as f64 * size * 0.6
}

/// Lays a timeline out in so many pixels.
pub(crate) fn layout(timeline: &Timeline, width: f64, frame: Frame) -> Picture {
    let is_narrow = width < NARROW;
    let left = if is_narrow { MARGIN } else { NAMES + MARGIN };
    let times: Vec<i64> = timeline
        .events
        .iter()
        .filter(|event| event.kind != Kind::Run)
        .flat_map(|event| [event.from, event.to])
        .collect();
    let cut = if is_narrow { 26.0 } else { 38.0 };
    let axis = Axis::new(&times, timeline.end, (left + SIGN, width - MARGIN - SIGN), cut);
    let mut page = Page {
        picture: Picture {
            width,
            height: 0.0,
            bands: Vec::new(),
            cuts: Vec::new(),
            ticks: Vec::new(),
            axis: (0.0, left, width - MARGIN),
            lines: Vec::new(),
            shapes: Vec::new(),
            texts: Vec::new(),
            axis_of_time: axis.clone(),
        },
        axis,
        is_narrow,
        bars: Vec::new(),
        y: MARGIN,
    };
    if frame == Frame::Whole {
        page.paragraph(&timeline.title, TITLE, Role::Title);
        page.paragraph(&timeline.server, SMALL, Role::Note);
        page.y += 4.0;
    }
    let top = page.y;
    for lane in 0..timeline.lanes.len() {
        page.lane(timeline, lane);
    }
    page.arrows(timeline);
    page.axis(top);
    if frame == Frame::Whole {
        page.legend(timeline);
    }
    page.picture.height = (page.y + MARGIN).ceil();
    page.picture
}

struct Page {
    picture: Picture,
    axis: Axis,
    is_narrow: bool,
    /// By lane: top and bottom of its bars.
    bars: Vec<(f64, f64)>,
    y: f64,
}

impl Page {
    fn text(&mut self, (x, y): (f64, f64), text: &str, size: f64, role: Role) {
        let area = Area { x, y, width: text_width(text, size), height: size + 2.0 };
        self.picture.texts.push(Text { area, text: text.to_owned(), role });
    }

    /// Lines between words, at the left.
    fn paragraph(&mut self, text: &str, size: f64, role: Role) {
        let room = self.picture.width - 2.0 * MARGIN;
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_whitespace() {
            match lines.last_mut() {
                Some(line) if text_width(&format!("{line} {word}"), size) <= room => {
                    *line += &format!(" {word}")
                }
                _ => lines.push(fit(word, size, room)),
            }
        }
        for line in lines {
            self.text((MARGIN, self.y), &line, size, role);
            self.y += size + 5.0;
        }
    }

    fn lane(&mut self, timeline: &Timeline, lane: usize) {
        let top = self.y;
        self.y += 3.0;
        let name = &timeline.lanes[lane].name;
        if self.is_narrow {
            let name = fit(name, NAME, self.picture.width - 2.0 * MARGIN);
            self.text((MARGIN, self.y), &name, NAME, Role::Name);
            self.y += NAME + 4.0;
        }
        let events: Vec<(usize, &Event)> =
            timeline.events.iter().enumerate().filter(|(_, event)| event.lane == lane).collect();
        let bars = match timeline.lanes[lane].kind {
            LaneKind::Queue => self.queue(&events),
            _ => self.states(&events),
        };
        self.bars.push(bars);
        if !self.is_narrow {
            let room = NAMES - 4.0;
            let name = fit(name, NAME, room);
            self.text((MARGIN, (bars.0 + bars.1 - NAME - 2.0) / 2.0), &name, NAME, Role::Name);
        }
        self.y += GAP;
        let (x, width, height) = (0.0, self.picture.width, self.y - top);
        self.picture.bands.push(Area { x, y: top, width, height });
    }

    fn span(&self, event: &Event) -> (f64, f64) {
        let (from, to) = (self.axis.x(event.from), self.axis.x(event.to));
        (from, (to - from).max(THIN))
    }

    /// Clients and tasks: bars in one row, texts of moments and calls above it.
    fn states(&mut self, events: &[(usize, &Event)]) -> (f64, f64) {
        let (above, top) = (self.y, self.y + TEXT_ROW);
        for &(place, event) in events {
            let (x, width) = self.span(event);
            let area = match event.kind {
                kind if kind.is_moment() => {
                    Area { x: x - SIGN, y: top + BAR / 2.0 - SIGN, width: 2.0 * SIGN, height: 2.0 * SIGN }
                }
                Kind::Call => Area { x, y: top + 5.0, width, height: BAR - 10.0 },
                Kind::Idle => Area { x, y: top + BAR / 2.0 - 1.0, width, height: 2.0 },
                _ => Area { x, y: top, width, height: BAR },
            };
            self.picture.shapes.push(Shape { event: Some(place), kind: event.kind, area });
        }
        self.state_texts(events, top);
        self.call_texts(events, above);
        self.y = top + BAR;
        (top, top + BAR)
    }

    /// In the bars, where they fit; the signs at the ends need room as well.
    fn state_texts(&mut self, events: &[(usize, &Event)], top: f64) {
        let mut taken: Vec<(f64, f64)> = Vec::new();
        for (_, event) in events.iter().filter(|(_, event)| event.kind.is_state()) {
            let (x, width) = self.span(event);
            let (x, room) = (x + SIGN + 3.0, width - 2.0 * (SIGN + 3.0));
            let fits = |text: &String| !text.is_empty() && text_width(text, SMALL) <= room;
            if let Some(text) = shorter(&event.label).into_iter().find(fits)
                && put(&mut taken, x, text_width(&text, SMALL))
            {
                self.text((x, top + 1.5), &text, SMALL, Role::State);
            }
        }
    }

    /// Above the bars: first what clients do, then the calls by what they say, each where there is room.
    fn call_texts(&mut self, events: &[(usize, &Event)], y: f64) {
        let mut events: Vec<&Event> =
            events.iter().map(|(_, event)| *event).filter(|event| !event.kind.is_state()).collect();
        events.sort_by_key(|event| (weight(event), event.from));
        let mut placed = self.placed(&events, [Side::Behind, Side::Before]);
        // What a client does is what a picture is about: where the usual side leaves no room for one of these
        // texts, the other side may.
        let of_client =
            |placed: &[(f64, &str, u8)]| placed.iter().filter(|(.., weight)| *weight <= 1).count();
        if of_client(&placed) < events.iter().filter(|event| weight(event) <= 1).count() {
            let other = self.placed(&events, [Side::Before, Side::Behind]);
            if of_client(&other) > of_client(&placed) {
                placed = other;
            }
        }
        for (x, text, _) in placed {
            self.text((x, y), text, SMALL, Role::Call);
        }
    }

    /// Where texts of calls have room, and with which weight each counts: on the first side of its sign, on
    /// the second, as far behind it as there is room, or a little further where another text stands.
    fn placed<'e>(&self, events: &[&'e Event], sides: [Side; 2]) -> Vec<(f64, &'e str, u8)> {
        let (left, right) = (self.picture.axis.1, self.picture.width - MARGIN);
        let mut taken: Vec<(f64, f64)> = Vec::new();
        let mut placed = Vec::new();
        for event in events {
            let (at, _) = self.span(event);
            for text in shorter_call(&event.label) {
                let width = text_width(text, SMALL);
                let beside = sides.map(|side| match side {
                    Side::Behind => at - SIGN,
                    Side::Before => at + SIGN - width,
                });
                let moved =
                    taken.iter().map(|&(_, to)| to + APART).filter(|&x| x > at - SIGN && x < at + MOVED);
                let next = moved.fold(f64::INFINITY, f64::min);
                let last = right - width;
                let last = if (at - width..at).contains(&last) { last } else { f64::INFINITY };
                let mut places = beside.into_iter().chain([last, next]);
                let is_inside = |x: f64| x >= left && x + width <= right;
                let found = places.find(|&x| !text.is_empty() && is_inside(x) && put(&mut taken, x, width));
                if let Some(x) = found {
                    placed.push((x, text, weight(event)));
                    break;
                }
            }
        }
        placed
    }

    /// Queues: what is in there at the same time lies below each other, each with its text in it or beside
    /// it.
    fn queue(&mut self, events: &[(usize, &Event)]) -> (f64, f64) {
        let top = self.y;
        let right = self.picture.width - MARGIN;
        // By row: where it is free from.
        let mut rows: Vec<f64> = Vec::new();
        for &(place, event) in events {
            let (x, width) = self.span(event);
            let wanted = text_width(&event.label, SMALL);
            let is_inside = wanted + 4.0 <= width;
            let is_behind = !is_inside && x + width + 2.0 + wanted <= right;
            let until = if is_behind { x + width + 2.0 + wanted } else { x + width };
            let free = rows.iter().position(|&from| from + 3.0 <= x);
            let row = free.unwrap_or(rows.len()).min(QUEUE_ROWS - 1);
            let is_crowded = free.is_none() && rows.len() == QUEUE_ROWS;
            match rows.get_mut(row) {
                Some(from) => *from = from.max(until),
                None => rows.push(until),
            }
            let y = top + row as f64 * QUEUE_ROW;
            let area = Area { x, y: y + 1.0, width, height: QUEUE_ROW - 4.0 };
            self.picture.shapes.push(Shape { event: Some(place), kind: event.kind, area });
            if !is_crowded && (is_inside || is_behind) {
                let x = if is_inside { x + 3.0 } else { x + width + 2.0 };
                self.text((x, y + 1.0), &event.label, SMALL, Role::State);
            }
        }
        self.y = top + rows.len().max(1) as f64 * QUEUE_ROW;
        (top, self.y)
    }

    fn arrows(&mut self, timeline: &Timeline) {
        for arrow in &timeline.arrows {
            let (from, to) = (self.bars[arrow.from.0], self.bars[arrow.to.0]);
            let (start, end) = if from.1 <= to.0 { (from.1, to.0) } else { (from.0, to.1) };
            let line = Line {
                from: (self.axis.x(arrow.from.1), start),
                to: (self.axis.x(arrow.to.1), end),
                kind: arrow.kind,
            };
            self.picture.lines.push(line);
        }
    }

    /// The axis below the lanes. The lengths of what was cut out come first, then round times where there is
    /// room.
    fn axis(&mut self, top: f64) {
        let y = self.y + 2.0;
        self.picture.axis.0 = y;
        let mut taken: Vec<(f64, f64)> = Vec::new();
        let (left, right) = (0.0, self.picture.width);
        let mut texts = Vec::new();
        let mut add = |middle: f64, text: String| {
            let width = text_width(&text, SMALL);
            let x = (middle - width / 2.0).clamp(left, (right - width).max(left));
            let is_put = put(&mut taken, x, width);
            texts.extend(is_put.then_some((x, text)));
            is_put
        };
        for piece in self.axis.pieces.iter().filter(|piece| piece.is_cut) {
            let (x, width) = (piece.left, piece.right - piece.left);
            self.picture.cuts.push(Area { x, y: top, width, height: y - top });
            add((piece.left + piece.right) / 2.0, cut_length(piece.to - piece.from));
        }
        for at in self.axis.ticks(30.0) {
            let x = self.axis.x(at);
            if add(x, tick(at)) {
                self.picture.ticks.push(x);
            }
        }
        for (x, text) in texts {
            self.text((x, y + 6.0), &text, SMALL, Role::Tick);
        }
        self.y = y + 6.0 + SMALL + 4.0;
    }

    fn legend(&mut self, timeline: &Timeline) {
        self.paragraph(
            "Time in ms since the first client, recorded under strace, which slows every call. Shaded: nothing \
             changes for so long; cut out.",
            SMALL,
            Role::Note,
        );
        self.y += 2.0;
        let (mut x, row) = (MARGIN, BAR + 5.0);
        for (sign, text) in legend(timeline) {
            let width = sign.width() + 5.0 + text_width(text, SMALL);
            if x > MARGIN && x + width > self.picture.width - MARGIN {
                (x, self.y) = (MARGIN, self.y + row);
            }
            match sign {
                Sign::Event(kind) => self.picture.shapes.push(example_shape(kind, (x, self.y))),
                Sign::Arrow(flow) => self.picture.lines.push(example_line(flow, (x, self.y))),
            }
            self.text((x + sign.width() + 5.0, self.y + BAR / 2.0 - 7.0), text, SMALL, Role::Note);
            x += width + 14.0;
        }
        self.y += row;
    }
}

/// On which side of its sign a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// It begins at the sign.
    Behind,
    /// It ends at the sign.
    Before,
}

/// Between two texts of a row.
const APART: f64 = 4.0;
/// How far from its place a text may stand.
const MOVED: f64 = 45.0;

/// Takes a place in a row for a text, if nothing else is there.
fn put(taken: &mut Vec<(f64, f64)>, x: f64, width: f64) -> bool {
    let is_free = taken.iter().all(|&(from, to)| x + width + APART <= from || to + APART <= x);
    if is_free {
        taken.push((x, x + width));
    }
    is_free
}

/// Something that the legend explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    Event(Kind),
    Arrow(Flow),
}

impl Sign {
    /// How wide it is in the legend.
    pub(crate) fn width(self) -> f64 {
        match self {
            Sign::Event(kind) if kind.is_moment() => 2.0 * SIGN,
            _ => 26.0,
        }
    }
}

/// The signs of a timeline, each with its words.
pub(crate) fn legend(timeline: &Timeline) -> Vec<(Sign, &'static str)> {
    // A client's wait looks like a thread's.
    let shown = |kind| if kind == Kind::Ask { Kind::Wait } else { kind };
    let has_kind = |kind| timeline.events.iter().any(|event| shown(event.kind) == kind);
    let has_flow = |flow| timeline.arrows.iter().any(|arrow| arrow.kind == flow);
    let kinds =
        KINDS.iter().filter(|(kind, _)| has_kind(*kind)).map(|&(kind, text)| (Sign::Event(kind), text));
    let flows =
        FLOWS.iter().filter(|(flow, _)| has_flow(*flow)).map(|&(flow, text)| (Sign::Arrow(flow), text));
    kinds.chain(flows).collect()
}

/// A shape as the legend has it, with its left upper corner.
pub(crate) fn example_shape(kind: Kind, (x, y): (f64, f64)) -> Shape {
    let middle = y + BAR / 2.0;
    let (y, height) = match kind {
        kind if kind.is_moment() => (middle - SIGN, 2.0 * SIGN),
        Kind::Idle => (middle - 1.0, 2.0),
        Kind::Call => (middle - 3.5, 7.0),
        _ => (y, BAR),
    };
    Shape { event: None, kind, area: Area { x, y, width: Sign::Event(kind).width(), height } }
}

/// An arrow as the legend has it.
pub(crate) fn example_line(kind: Flow, (x, y): (f64, f64)) -> Line {
    let y = y + BAR / 2.0;
    Line { from: (x, y), to: (x + Sign::Arrow(kind).width(), y), kind }
}

/// What each kind is, in the order of the legend.
const KINDS: [(Kind, &str); 11] = [
    (Kind::Run, "runs"),
    (Kind::Call, "a call"),
    (Kind::Wait, "waits"),
    (Kind::Sleep, "sleeps in its handler"),
    (Kind::Idle, "connected, idle"),
    (Kind::Queued, "in a queue"),
    (Kind::Connect, "connects"),
    (Kind::Send, "sends"),
    (Kind::Receive, "receives"),
    (Kind::Close, "closes"),
    (Kind::End, "closed by the server"),
];

/// What each arrow is.
const FLOWS: [(Flow, &str); 3] =
    [(Flow::Connection, "a connection"), (Flow::Bytes, "bytes"), (Flow::Wake, "wakes")];

/// How little the text of an event says about who waits for whom.
fn weight(event: &Event) -> u8 {
    match (event.kind, event.label.as_str()) {
        (Kind::Send | Kind::Receive, _) => 0,
        (Kind::Connect | Kind::Close | Kind::End, _) => 1,
        (_, label) if label.starts_with("accept") => 2,
        // One that failed has done nothing.
        _ if event.text.contains(" = E") => 6,
        // One call for several operations is what an io_uring is for.
        (_, "submits 1") => 3,
        (_, label) if label.starts_with("submits") => 2,
        (_, "read" | "recvfrom" | "recvmsg" | "write" | "sendto" | "sendmsg" | "sendfile") => 3,
        (_, "futex") => 4,
        (_, "epoll_ctl" | "close") => 7,
        _ => 5,
    }
}

/// A label of a call, then its end: of `accept4: EAGAIN` the latter says more.
fn shorter_call(label: &str) -> [&str; 2] {
    [label, label.split_once(": ").map_or("", |(_, end)| end)]
}

/// A label, then what it submits, then what is left without its parentheses.
fn shorter(label: &str) -> Vec<String> {
    let (plain, inside) = label.split_once(" (").unwrap_or((label, ""));
    let submits = inside.strip_suffix(')').filter(|inside| inside.starts_with("submits ")).unwrap_or("");
    let whom = plain.strip_prefix("waits for ").unwrap_or(plain);
    [label, submits, plain, whom].map(str::to_owned).to_vec()
}

/// The beginning of a text that fits, with dots if it was cut.
fn fit(text: &str, size: f64, room: f64) -> String {
    if text_width(text, size) <= room {
        return text.to_owned();
    }
    let mut short = text.to_owned();
    while !short.is_empty() && text_width(&short, size) + text_width("…", size) > room {
        short.pop();
    }
    short + "…"
}

fn tick(at: i64) -> String {
    if at % 1000 == 0 { format!("{}", at / 1000) } else { format!("{}", at as f64 / 1000.0) }
}

/// In few letters: it must fit into the cut.
fn cut_length(length: i64) -> String {
    let ms = length as f64 / 1000.0;
    if ms < 9.95 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}
