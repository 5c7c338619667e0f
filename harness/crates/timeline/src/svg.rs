//! A laid out picture as SVG, alone or inside of a page.

use crate::layout::{
    Area, BAR, Frame, Line, Picture, Role, SIGN, Shape, Sign, example_line, example_shape, layout,
};
use crate::model::{Flow, Kind, Timeline};
use lab_core::units::xml_characters;
use std::fmt::Write;

/// The width of the picture that stands alone: what a page of the book has room for.
pub(crate) const STILL: f64 = 720.0;

/// Colours of a theme. Okabe and Ito's, lighter or darker where the ground asks for it; no meaning hangs on a
/// colour alone.
struct Theme {
    paper: &'static str,
    ink: &'static str,
    soft: &'static str,
    line: &'static str,
    pale: &'static str,
    cut: &'static str,
    run: &'static str,
    call: &'static str,
    wait: &'static str,
    sleep: &'static str,
    queue: &'static str,
    bytes: &'static str,
    wake: &'static str,
}

const LIGHT: Theme = Theme {
    paper: "#fff",
    ink: "#1a1a1a",
    soft: "#555",
    line: "#ccc",
    pale: "#f5f5f5",
    cut: "#e3e3e3",
    run: "#0072b2",
    call: "#003a5c",
    wait: "#e69f00",
    sleep: "#d55e00",
    queue: "#cc79a7",
    bytes: "#666",
    wake: "#009e73",
};

const DARK: Theme = Theme {
    paper: "#15181c",
    ink: "#e8e8e8",
    soft: "#aaa",
    line: "#444a52",
    pale: "#1c2126",
    cut: "#2b3138",
    run: "#56b4e9",
    call: "#0b3c5c",
    wait: "#b57f0c",
    sleep: "#d55e00",
    queue: "#b4608e",
    bytes: "#a0a0a0",
    wake: "#2fbf95",
};

/// What the patterns and arrow heads look like; once in a document.
pub(crate) const DEFINITIONS: &str = "<defs>\
<pattern id=\"waiting\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
<rect class=\"fw\" width=\"1.6\" height=\"6\"/></pattern>\
<pattern id=\"sleeping\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\">\
<circle class=\"fs\" cx=\"1.5\" cy=\"1.5\" r=\"1.1\"/></pattern>\
<marker id=\"hc\" viewBox=\"0 0 6 6\" refX=\"6\" refY=\"3\" markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\">\
<path class=\"hb\" d=\"M0 0 6 3 0 6z\"/></marker>\
<marker id=\"hw\" viewBox=\"0 0 6 6\" refX=\"6\" refY=\"3\" markerWidth=\"6\" markerHeight=\"6\" orient=\"auto\">\
<path class=\"hk\" d=\"M0 0 6 3 0 6z\"/></marker></defs>";

/// The rules of both themes.
pub(crate) fn style() -> String {
    let shared = "svg text{font:12px system-ui,sans-serif}svg text.T{font-size:16px;font-weight:600}\
        svg text.L{font-size:13px}svg text.S,svg text.C{paint-order:stroke;stroke-width:3px;stroke-linejoin:round}\
        .f{fill:none;stroke-width:1;opacity:.75}.fc{stroke-dasharray:1.5 2}.fk{stroke-width:1.4;stroke-dasharray:5 2}\
        .fb,.fc{marker-end:url(#hc)}.fk{marker-end:url(#hw)}.w,.a{fill:url(#waiting)}.z{fill:url(#sleeping)}\
        .q{fill-opacity:.3}.m{stroke-width:1.6}.x{fill:none}.tick{stroke-width:1}";
    format!("{shared}{}@media(prefers-color-scheme:dark){{{}}}", rules(&LIGHT), rules(&DARK))
}

fn rules(theme: &Theme) -> String {
    let Theme { paper, ink, soft, line, pale, cut, run, call, wait, sleep, queue, bytes, wake } = theme;
    format!(
        ".paper{{fill:{paper}}}svg text{{fill:{ink}}}svg text.N,svg text.K{{fill:{soft}}}svg text.S,svg text.C{{stroke:{paper}}}\
         .band{{fill:{pale}}}.cut{{fill:{cut}}}.tick{{stroke:{soft}}}\
         .r{{fill:{run}}}.c{{fill:{call};stroke:{paper};stroke-width:.5}}.w,.a{{stroke:{wait}}}.fw{{fill:{wait}}}\
         .z{{stroke:{sleep}}}.fs{{fill:{sleep}}}.q{{fill:{queue};stroke:{queue}}}.i{{fill:{line}}}\
         .m{{fill:{ink};stroke:{ink}}}.m.o,.m.e{{fill:{paper}}}\
         .fb,.fc{{stroke:{bytes}}}.fk{{stroke:{wake}}}.hb{{fill:{bytes}}}.hk{{fill:{wake}}}"
    )
}

/// The picture that stands alone.
pub(crate) fn still(timeline: &Timeline) -> String {
    let picture = layout(timeline, STILL, Frame::Whole);
    let (width, height) = (picture.width, picture.height);
    let title = escape(&format!("{}: {}", timeline.server, timeline.title));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\"><title>{title}</title><style>{}</style>{DEFINITIONS}\
         <rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>{}</svg>\n",
        style(),
        body(&picture, false)
    )
}

/// The picture inside of a page. Each bar and sign has the place of its event.
pub(crate) fn inner(picture: &Picture, class: &str) -> String {
    let (width, height) = (picture.width, picture.height);
    format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         aria-hidden=\"true\">{}<line class=\"cursor\" y1=\"0\" y2=\"{height}\"/></svg>",
        body(picture, true)
    )
}

/// A sign of the legend, as a picture of its own.
pub(crate) fn sample(sign: Sign) -> String {
    let (width, height) = (sign.width() + 2.0, BAR + 2.0);
    let mut out = format!(
        "<svg viewBox=\"-1 -1 {width} {height}\" width=\"{width}\" height=\"{height}\" aria-hidden=\"true\">"
    );
    match sign {
        Sign::Event(kind) => draw(&mut out, &example_shape(kind, (0.0, 0.0)), ""),
        Sign::Arrow(kind) => flow(&mut out, &example_line(kind, (0.0, 0.0))),
    }
    out + "</svg>"
}

fn body(picture: &Picture, has_events: bool) -> String {
    let mut out = String::new();
    for band in picture.bands.iter().step_by(2) {
        rect(&mut out, "band", band, "");
    }
    for cut in &picture.cuts {
        rect(&mut out, "cut", cut, "");
    }
    for line in &picture.lines {
        flow(&mut out, line);
    }
    // Signs lie on bars.
    let (signs, bars): (Vec<&Shape>, Vec<&Shape>) =
        picture.shapes.iter().partition(|shape| shape.kind.is_moment());
    for shape in bars.into_iter().chain(signs) {
        let event = shape.event.filter(|_| has_events).map(|event| format!(" data-e=\"{event}\""));
        draw(&mut out, shape, &event.unwrap_or_default());
    }
    let (y, left, right) = picture.axis;
    let _ = write!(out, "<path class=\"tick\" d=\"M{} {}H{}", n(left), n(y), n(right));
    for x in &picture.ticks {
        let _ = write!(out, "M{} {}v4", n(*x), n(y));
    }
    out.push_str("\"/>");
    for text in &picture.texts {
        let class = match text.role {
            Role::Title => "T",
            Role::Note => "N",
            Role::Name => "L",
            Role::State => "S",
            Role::Call => "C",
            Role::Tick => "K",
        };
        let (x, y) = (text.area.x, text.area.y + text.area.height - 4.0);
        let _ = write!(
            out,
            "<text class=\"{class}\" x=\"{}\" y=\"{}\">{}</text>",
            n(x),
            n(y),
            escape(&text.text)
        );
    }
    out
}

fn rect(out: &mut String, class: &str, area: &Area, more: &str) {
    let Area { x, y, width, height } = *area;
    let (x, y, width, height) = (n(x), n(y), n(width), n(height));
    let _ = write!(
        out,
        "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"{more}/>"
    );
}

fn draw(out: &mut String, shape: &Shape, more: &str) {
    let class = class(shape.kind);
    if !shape.kind.is_moment() {
        // Round ends: it sleeps.
        let round =
            if shape.kind == Kind::Sleep { format!(" rx=\"{}\"{more}", BAR / 2.0) } else { more.to_owned() };
        return rect(out, class, &shape.area, &round);
    }
    let (x, y) = (shape.area.x + SIGN, shape.area.y + SIGN);
    let from = |dx: f64, dy: f64| format!("{} {}", n(x + dx), n(y + dy));
    let path = match shape.kind {
        Kind::Send => format!("M{}h10l-5 8z", from(-5.0, -4.0)),
        Kind::Receive => format!("M{}h10l-5 -8z", from(-5.0, 4.0)),
        Kind::Close => format!("M{}l8 8m0 -8l-8 8", from(-4.0, -4.0)),
        Kind::End => format!("M{}h8v8h-8z", from(-4.0, -4.0)),
        _ => format!("M{}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z", from(-4.0, 0.0)),
    };
    let _ = write!(out, "<path class=\"{class}\" d=\"{path}\"{more}/>");
}

/// One letter each: there are hundreds.
fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Run => "r",
        Kind::Call => "c",
        Kind::Wait => "w",
        Kind::Ask => "a",
        Kind::Sleep => "z",
        Kind::Queued => "q",
        Kind::Idle => "i",
        Kind::Send | Kind::Receive => "m",
        Kind::Connect => "m o",
        Kind::Close => "m x",
        Kind::End => "m e",
    }
}

fn flow(out: &mut String, line: &Line) {
    let class = match line.kind {
        Flow::Connection => "f fc",
        Flow::Bytes => "f fb",
        Flow::Wake => "f fk",
    };
    let ((x1, y1), (x2, y2)) = (line.from, line.to);
    let _ = write!(out, "<path class=\"{class}\" d=\"M{} {} {} {}\"/>", n(x1), n(y1), n(x2), n(y2));
}

/// A number by one decimal, without a zero behind the point.
fn n(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").unwrap_or(&text).to_owned()
}

/// Text that may stand in XML and in HTML.
pub(crate) fn escape(text: &str) -> String {
    xml_characters(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
