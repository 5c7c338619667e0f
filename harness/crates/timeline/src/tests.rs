//! From recorded traces to pictures and pages: on recorded runs, on what is committed, on invented ones.

use crate::build::{Words, timeline};
use crate::clients::Played;
use crate::layout::{Frame, Picture, layout};
use crate::model::{Arrow, Event, Flow, Kind, Lane, LaneKind, Timeline};
use crate::page::html;
use crate::record::Strace;
use crate::strace::parse;
use crate::svg::{STILL, still};
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};

/// A recorded run of a fixture.
fn recorded(name: &str) -> Timeline {
    let file = |ending: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/{name}.{ending}"));
        fs::read(path).expect("the fixture is there")
    };
    let played: Played = serde_json::from_slice(&file("clients")).expect("clients");
    let words = Words {
        name: name.into(),
        title: format!("The run of {name}"),
        server: "stage".into(),
        ..Words::default()
    };
    timeline(words, &parse(&file("strace")), &played)
}

/// Where the book's timelines are.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../notes/src/timelines")
}

/// What is committed: each timeline with the path of its JSON.
fn committed() -> Vec<(PathBuf, Timeline)> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder()).expect("the folder is there").flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    assert!(files.len() >= 10, "{files:?}");
    let read = |file: PathBuf| {
        let timeline = serde_json::from_slice(&fs::read(&file).expect("it is there")).expect("a timeline");
        (file, timeline)
    };
    files.into_iter().map(read).collect()
}

/// Every picture that is drawn of a timeline.
fn pictures(timeline: &Timeline) -> [Picture; 3] {
    [(STILL, Frame::Whole), (1180.0, Frame::Bare), (364.0, Frame::Bare)]
        .map(|(width, frame)| layout(timeline, width, frame))
}

/// What would make a picture hard to read, or wrong.
fn faults(timeline: &Timeline) -> Vec<String> {
    let mut faults = Vec::new();
    for picture in pictures(timeline) {
        let width = picture.width;
        for (place, text) in picture.texts.iter().enumerate() {
            for other in &picture.texts[place + 1..] {
                if text.area.overlaps(&other.area) {
                    faults.push(format!("{width}: `{}` lies on `{}`", text.text, other.text));
                }
            }
            if text.area.x < 0.0
                || text.area.x + text.area.width > width
                || text.area.y + text.area.height > picture.height
            {
                faults.push(format!("{width}: `{}` is outside", text.text));
            }
        }
        for (place, event) in timeline.events.iter().enumerate() {
            let shapes: Vec<_> = picture.shapes.iter().filter(|shape| shape.event == Some(place)).collect();
            let [shape] = shapes[..] else {
                faults.push(format!("{width}: event {place} is there {} times", shapes.len()));
                continue;
            };
            if !picture.bands[event.lane].holds(&shape.area) {
                faults.push(format!("{width}: event {place} is outside of its lane: {:?}", shape.area));
            }
        }
        for pair in picture.bands.windows(2) {
            if pair[0].overlaps(&pair[1]) {
                faults.push(format!("{width}: two lanes overlap"));
            }
        }
    }
    faults
}

#[test]
fn no_two_texts_overlap_and_each_event_is_inside_of_its_lane() {
    for timeline in
        ["thread-pool", "prefork"].map(recorded).into_iter().chain(committed().into_iter().map(|(_, it)| it))
    {
        assert_eq!(faults(&timeline), [""; 0], "{}", timeline.name);
    }
}

/// Any timeline, sensible or not.
fn any_timeline() -> impl Strategy<Value = Timeline> {
    const KINDS: [Kind; 12] = [
        Kind::Idle,
        Kind::Ask,
        Kind::Connect,
        Kind::Send,
        Kind::Receive,
        Kind::End,
        Kind::Close,
        Kind::Queued,
        Kind::Run,
        Kind::Wait,
        Kind::Sleep,
        Kind::Call,
    ];
    const LANES: [LaneKind; 3] = [LaneKind::Client, LaneKind::Queue, LaneKind::Task];
    let lanes = prop::collection::vec((0..3_usize, "[a-z ]{0,30}"), 1..8);
    let event = (0..8_usize, 0..300_000_i64, 0..300_000_i64, 0..12_usize, "\\PC{0,20}");
    (lanes, prop::collection::vec(event, 0..80), "\\PC{0,90}").prop_map(|(lanes, events, title)| {
        let lanes: Vec<Lane> =
            lanes.into_iter().map(|(kind, name)| Lane { name, kind: LANES[kind] }).collect();
        let events = events.into_iter().map(|(lane, from, length, kind, label)| Event {
            lane: lane % lanes.len(),
            from,
            to: (from + length).min(300_000),
            kind: KINDS[kind],
            label,
            text: String::new(),
        });
        let mut events: Vec<Event> = events.collect();
        events.sort_by_key(|event| (event.lane, event.from));
        let arrows = events.windows(2).map(|pair| Arrow {
            from: (pair[0].lane, pair[0].from),
            to: (pair[1].lane, pair[1].to),
            kind: Flow::Bytes,
        });
        let arrows = arrows.collect();
        Timeline {
            name: "any".into(),
            title,
            about: "".into(),
            server: "a server".into(),
            recorded: "".into(),
            end: 300_000,
            lanes,
            events,
            arrows,
            findings: Vec::new(),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Protects pages of servers that nobody has thought of.
    #[test]
    fn any_timeline_can_be_read(timeline in any_timeline()) {
        prop_assert_eq!(faults(&timeline), Vec::<String>::new());
        roxmltree::Document::parse(&still(&timeline)).expect("XML");
    }
}

/// Protects the chapters: what they embed is what their data says, and the same data is always drawn the
/// same.
#[test]
fn what_is_committed_was_drawn_from_its_json() {
    for (file, timeline) in committed() {
        let text = fs::read_to_string(&file).expect("it is there");
        assert_eq!(serde_json::to_string(&timeline).expect("JSON") + "\n", text, "{}", file.display());
        for (ending, drawn) in [("svg", still(&timeline)), ("html", html(&timeline).expect("a page"))] {
            let other = fs::read_to_string(file.with_extension(ending)).expect("it is there");
            assert!(
                drawn == other,
                "{} is not what is drawn now: ./lab timeline --draw",
                file.with_extension(ending).display()
            );
        }
    }
}

/// Protects readers without a network, and the repository's size.
#[test]
fn a_page_refers_to_nothing_outside_and_is_small() {
    for (file, timeline) in committed() {
        for ending in ["svg", "html"] {
            let text = fs::read_to_string(file.with_extension(ending)).expect("it is there");
            let refers = |text: &str| {
                let text = text.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
                let words =
                    ["http:", "https:", "//www", "src=", "href=", "@import", "fetch(", "XMLHttpRequest"];
                let outside = text.split("url(").skip(1).any(|rest| !rest.starts_with('#'));
                outside || words.iter().any(|word| text.contains(word))
            };
            assert!(!refers(&text), "{} {ending}", timeline.name);
            assert!(text.len() <= 100_000, "{} {ending}: {} bytes", timeline.name, text.len());
            for path in ["/home/", "/root/", "/tmp/", "/work/", "target/"] {
                assert!(!text.contains(path), "{} {ending}: {path}", timeline.name);
            }
        }
    }
}

/// Protects the page from what a client or a server sent.
#[test]
fn no_text_can_end_the_element_that_holds_it() {
    let mut timeline = recorded("thread-pool");
    timeline.title = "</title><script>1</script>".into();
    timeline.events[0].text = "</script><!--".into();
    timeline.findings.push("<b>\u{1b}".into());
    let page = html(&timeline).expect("a page");
    assert_eq!((page.matches("<script").count(), page.matches("</script").count()), (2, 2));
    assert!(!page.contains("<b>\u{1b}") && !page.contains('\u{1b}'));
    roxmltree::Document::parse(&still(&timeline)).expect("XML");
}

/// Protects what a chapter says of its flaw: the run is understood, and the sentence says who waited for
/// whom.
#[test]
fn the_fifth_client_of_a_pool_waits_for_the_silent_ones() {
    let timeline = recorded("thread-pool");
    let names: Vec<&str> = timeline.lanes.iter().map(|lane| lane.name.as_str()).collect();
    let expected = [
        "client A",
        "client B",
        "client C",
        "client D",
        "client E",
        "accept queue",
        "unread bytes",
        "hand-off queue",
        "main",
        "worker 1",
        "worker 2",
        "worker 3",
        "worker 4",
    ];
    assert_eq!(names, expected);
    let [finding] = &timeline.findings[..] else { panic!("{:?}", timeline.findings) };
    assert!(finding.starts_with("Client E waited 9") && finding.contains(" ms"), "{finding}");
    assert!(finding.contains("in the hand-off queue, while worker 1 waited for client "), "{finding}");
    let (last, wakes) = (finding.matches(" for client ").count(), |arrow: &&Arrow| arrow.kind == Flow::Wake);
    assert_eq!(last, 4, "{finding}");
    // main wakes each of the four workers for its first connection.
    let woken = timeline.arrows.iter().filter(wakes).filter(|arrow| names[arrow.from.0] == "main").count();
    assert!(woken >= 4, "{woken}");
}

/// Protects the same for processes: names, socket pairs, and an accept queue that every child takes from.
#[test]
fn the_children_of_a_prefork_server_are_told_apart() {
    let timeline = recorded("prefork");
    let names: Vec<&str> = timeline.lanes.iter().map(|lane| lane.name.as_str()).collect();
    assert_eq!(names[names.len() - 4..], ["parent", "child 1", "child 2", "child 3"]);
    let from_parent = |arrow: &&Arrow| arrow.kind == Flow::Wake && names[arrow.from.0] == "parent";
    let woken: Vec<&str> =
        timeline.arrows.iter().filter(from_parent).map(|arrow| names[arrow.to.0]).collect();
    assert!(woken.len() >= 3 && woken.iter().all(|name| name.starts_with("child")), "{woken:?}");
    let accepted = timeline.arrows.iter().filter(|arrow| arrow.kind == Flow::Connection).count();
    assert_eq!(accepted, 3);
    assert_eq!(
        timeline.findings.last().map(String::as_str),
        Some("No task was woken for a connection that another one took.")
    );
}

#[test]
fn a_run_without_a_trace_shows_its_clients() {
    let played: Played = serde_json::from_str(
        r#"{"clients":[{"letter":"A","port":1,"moments":[{"at":100,"what":"Connects"},{"at":200,"what":"Connected"},
        {"at":300,"what":{"Sends":{"bytes":9,"requests":1,"text":"GET /"}}}]}],"end":90000}"#,
    )
    .expect("clients");
    let timeline = timeline(Words::default(), &parse(b""), &played);
    assert_eq!(timeline.lanes.len(), 1);
    assert_eq!(timeline.findings, ["Client A got no reply in 89.7 ms."]);
    assert_eq!(faults(&timeline), [""; 0]);
}

#[test]
fn a_machine_without_strace_is_told_so_in_one_line() {
    let empty = tempfile::tempdir().expect("a folder");
    let error = Strace::find_in(empty.path().as_os_str()).expect_err("there is none").to_string();
    assert!(error.contains("apt-get install strace") && !error.contains('\n'), "{error}");
}
