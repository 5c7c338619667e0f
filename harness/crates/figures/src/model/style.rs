//! What a series looks like. A colour stands for how a server waits, a shape for the server.

use records::label;
use serde::{Serialize, Serializer};

/// Red, green, blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Colour(pub u8, pub u8, pub u8);

impl Serialize for Colour {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2))
    }
}

/// Okabe and Ito's colours, without the yellow, which is hardly seen on white.
const BLACK: Colour = Colour(0, 0, 0);
const ORANGE: Colour = Colour(230, 159, 0);
const SKY: Colour = Colour(86, 180, 233);
const GREEN: Colour = Colour(0, 158, 115);
const BLUE: Colour = Colour(0, 114, 178);
const VERMILION: Colour = Colour(213, 94, 0);
const PURPLE: Colour = Colour(204, 121, 167);
const GREY: Colour = Colour(110, 110, 110);

/// The groups of servers that have a colour each, with their members in the order of the shapes. Any other
/// stage has the last colour, any other server is grey.
const GROUPS: [(&str, Colour, &[&str]); 6] = [
    ("orange: a process or a thread per client", ORANGE, &["01", "02", "02-threads", "03"]),
    ("blue: one readiness loop", BLUE, &["04", "05", "05-mio"]),
    ("vermilion: hand-off to workers", VERMILION, &["06", "07"]),
    ("green: a loop per CPU", GREEN, &["08", "09", "10"]),
    ("purple: completion", PURPLE, &["11"]),
    ("sky blue: tasks", SKY, &["12", "12-tokio", "12-fibers", "13"]),
];

/// Corners of the shapes, around the point; all about equally large.
#[rustfmt::skip]
const SHAPES: [&[(i32, i32)]; 7] = [
    &[(-5, -5), (5, -5), (5, 5), (-5, 5)],
    &[(0, -7), (7, 5), (-7, 5)],
    &[(0, -7), (7, 0), (0, 7), (-7, 0)],
    &[(-7, -5), (7, -5), (0, 7)],
    &[(-6, 0), (-3, -6), (3, -6), (6, 0), (3, 6), (-3, 6)],
    &[(0, -8), (2, -2), (8, -2), (3, 2), (5, 8), (0, 4), (-5, 8), (-3, 2), (-8, -2), (-2, -2)],
    &[
        (-7, -2), (-2, -2), (-2, -7), (2, -7), (2, -2), (7, -2),
        (7, 2), (2, 2), (2, 7), (-2, 7), (-2, 2), (-7, 2),
    ],
];

/// Dashes of the lines of one colour.
const DASHES: [Option<(i32, i32)>; 4] = [None, Some((9, 4)), Some((2, 4)), Some((14, 3))];

/// The look of one series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Style {
    /// Of lines and markers.
    pub colour: Colour,
    /// The corners of its marker, around the point, in pixels.
    pub shape: &'static [(i32, i32)],
    /// The lengths of its dashes and of the gaps between, in pixels; `None` for a whole line.
    pub dashes: Option<(i32, i32)>,
}

impl Style {
    fn new(colour: Colour, at: usize) -> Self {
        Self { colour, shape: SHAPES[at % SHAPES.len()], dashes: DASHES[at % DASHES.len()] }
    }

    /// The style of a server, the same on every figure whatever else is on it: `01`, `05-mio`, `floor`.
    pub fn of(name: &str) -> Self {
        for (_, colour, members) in GROUPS {
            if let Some(at) = members.iter().position(|member| *member == name) {
                return Self::new(colour, at);
            }
        }
        match name {
            "floor" => Self::new(GREY, 4),
            "nginx" => Self::new(GREY, 1),
            "h2o" => Self::new(GREY, 2),
            _ if records::is_reference(name) => Self::new(GREY, 3),
            _ => Self::new(SKY, name.bytes().map(usize::from).sum()),
        }
    }

    /// One of a few series that are no servers. From the eighth on a colour comes again, with another shape.
    pub fn series(at: usize) -> Self {
        // The darkest contrast first.
        const ORDER: [Colour; 7] = [BLUE, ORANGE, GREEN, BLACK, VERMILION, SKY, PURPLE];
        Self::new(ORDER[at % ORDER.len()], at + 3 * (at / ORDER.len()))
    }
}

/// What the colours of these servers stand for, in one sentence.
pub(crate) fn groups(series: &[Series]) -> String {
    let is_here = |members: &[&str]| series.iter().any(|series| members.contains(&series.server.as_str()));
    let here = GROUPS.iter().filter(|(.., members)| is_here(members)).map(|(group, ..)| *group);
    let words = here.collect::<Vec<_>>().join("; ");
    if words.is_empty() { words } else { format!("Colours: {words}.") }
}

/// The owner of points.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    /// The server by which the page switches it on and off: `05-mio`; empty where it is none.
    pub server: String,
    /// In a sentence: `05-mio`.
    pub name: String,
    /// As figures and tables name it.
    pub label: String,
    /// What it looks like.
    pub style: Style,
    /// What stands behind its name in a legend.
    pub remark: Option<String>,
}

impl Series {
    /// A server.
    pub fn server(name: &str, title: &str) -> Self {
        let (name, label) = (name.to_owned(), label(name, title));
        Self { server: name.clone(), style: Style::of(&name), name, label, remark: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// The same for series that are no servers.
    #[test]
    fn every_series_has_its_own_look() {
        let looks: BTreeSet<_> =
            (0..14).map(Style::series).map(|style| (style.colour, style.shape)).collect();
        assert_eq!(looks.len(), 14);
    }

    /// Protects from two servers that cannot be told apart on one figure.
    #[test]
    fn every_server_of_the_lab_has_its_own_look() {
        let others = ["floor", "nginx", "h2o"];
        let names: Vec<&str> =
            GROUPS.iter().flat_map(|(_, _, members)| members.iter().copied()).chain(others).collect();
        let looks: BTreeSet<_> =
            names.iter().map(|name| Style::of(name)).map(|style| (style.colour, style.shape)).collect();
        assert_eq!(looks.len(), names.len());
    }
}
