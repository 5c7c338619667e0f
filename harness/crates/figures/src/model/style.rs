//! What a series looks like. Colours, markers and dashes are chosen so that twelve series stay apart, on
//! paper and for colour-blind eyes too.

use super::Look;
use records::{Kind, label};
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
const COLOURS: [Colour; 7] = [
    Colour(0, 0, 0),
    Colour(230, 159, 0),
    Colour(86, 180, 233),
    Colour(0, 158, 115),
    Colour(0, 114, 178),
    Colour(213, 94, 0),
    Colour(204, 121, 167),
];

/// Corners of the markers, around the point; all about equally large.
#[rustfmt::skip]
const MARKERS: [&[(i32, i32)]; 7] = [
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

/// The look of one series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Style {
    /// Of lines and markers.
    pub colour: Colour,
    /// The corners of its marker, around the point, in pixels.
    pub marker: &'static [(i32, i32)],
    /// The lengths of its dashes and of the gaps between, in pixels; `None` for a whole line.
    pub dashes: Option<(i32, i32)>,
}

impl Style {
    /// The style of a server, the same on every figure whoever else is on it: `01`, `05-mio`, `floor`. Up to
    /// stage 14 no two stages look alike; a twin has its stage's colour, the next marker and dots.
    pub fn of(name: &str) -> Self {
        let (number, twin) = name.split_once('-').map_or((name, false), |(number, _)| (number, true));
        let Some(index) = number.parse::<usize>().ok().and_then(|number| number.checked_sub(1)) else {
            return Self::reference(name);
        };
        let dashes = match (twin, index < COLOURS.len()) {
            (true, _) => Some((2, 4)),
            (false, true) => None,
            (false, false) => Some((10, 5)),
        };
        // The second seven have the colours of the first, and other markers.
        let shift = usize::from(twin) + index / COLOURS.len() * 3;
        Self {
            colour: COLOURS[index % COLOURS.len()],
            marker: MARKERS[(index + shift) % MARKERS.len()],
            dashes,
        }
    }

    /// A reference is grey, since it is no competitor, and the floor is lighter than a server that does the
    /// work.
    fn reference(name: &str) -> Self {
        let (shade, marker, dashes) = match name {
            "floor" => (120, 0, (3, 4)),
            "nginx" => (85, 1, (9, 3)),
            "h2o" => (85, 2, (1, 3)),
            _ => (85, 3, (6, 6)),
        };
        Self { colour: Colour(shade, shade, shade), marker: MARKERS[marker], dashes: Some(dashes) }
    }

    /// One of a few series that are no servers; at most seven.
    pub fn series(at: usize) -> Self {
        // The darkest contrast first: blue, orange, green, black.
        const ORDER: [usize; 7] = [4, 1, 3, 0, 5, 2, 6];
        let at = at % ORDER.len();
        Self {
            colour: COLOURS[ORDER[at]],
            marker: MARKERS[at],
            dashes: [None, Some((8, 4)), Some((2, 3))][at % 3],
        }
    }
}

/// Whose points they are.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    /// The server by which the page switches it on and off: `05-mio`; empty where it is nobody's here.
    pub server: String,
    /// As figures and tables name it.
    pub label: String,
    /// What the server is to the lab.
    pub kind: Kind,
    /// What it looks like.
    pub style: Style,
    /// A second line beside its name, with the mark that it is about.
    pub remark: Option<(Option<Look>, String)>,
}

impl Series {
    /// A server.
    pub fn server(name: &str, title: &str) -> Self {
        let kind = if records::is_reference(name) { Kind::Reference } else { Kind::Stage };
        Self { server: name.into(), label: label(name, title), kind, style: Style::of(name), remark: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn twelve_stages_and_two_twins_can_be_told_apart() {
        let mut names: Vec<String> = (1..=12).map(|number| format!("{number:02}")).collect();
        names.extend(["02-threads", "05-mio", "floor", "nginx", "h2o"].map(String::from));
        let looks: BTreeSet<_> = names.iter().map(|name| Style::of(name)).collect();
        assert_eq!(looks.len(), names.len());
        let first: Vec<Style> = names[..7].iter().map(|name| Style::of(name)).collect();
        let colours: BTreeSet<_> = first.iter().map(|style| style.colour).collect();
        let markers: BTreeSet<_> = first.iter().map(|style| style.marker).collect();
        assert_eq!(
            (colours.len(), markers.len()),
            (7, 7),
            "seven stages have seven colours and seven markers"
        );
    }
}
