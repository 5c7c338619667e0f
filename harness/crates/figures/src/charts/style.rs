//! What a series looks like. Colours, markers and dashes are chosen so that twelve series stay apart, on
//! paper and for colour-blind eyes too.

use plotters::prelude::*;

/// A part of the picture.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Okabe and Ito's colours, without the yellow, which is hardly seen on white.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 0, 0),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 158, 115),
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(204, 121, 167),
];

/// The floor, and lines that only guide the eye.
pub(super) const GREY: RGBColor = RGBColor(120, 120, 120);

/// Corners of the markers, around the point; all about equally large.
const MARKERS: [&[(i32, i32)]; 7] = [
    &[(-5, -5), (5, -5), (5, 5), (-5, 5)],
    &[(0, -7), (7, 5), (-7, 5)],
    &[(0, -7), (7, 0), (0, 7), (-7, 0)],
    &[(-7, -5), (7, -5), (0, 7)],
    &[(-6, 0), (-3, -6), (3, -6), (6, 0), (3, 6), (-3, 6)],
    &[(0, -8), (2, -2), (8, -2), (3, 2), (5, 8), (0, 4), (-5, 8), (-3, 2), (-8, -2), (-2, -2)],
    &[
        (-7, -2),
        (-2, -2),
        (-2, -7),
        (2, -7),
        (2, -2),
        (7, -2),
        (7, 2),
        (2, 2),
        (2, 7),
        (-2, 7),
        (-2, 2),
        (-7, 2),
    ],
];

/// How a point is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// The server was the limit, or nobody.
    Filled,
    /// The generator was the limit: the server could do more.
    Hollow,
    /// Only some of the clients were served.
    Cross,
}

/// The look of one series.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    pub(crate) colour: RGBColor,
    marker: &'static [(i32, i32)],
    dashes: Option<(i32, i32)>,
}

impl Style {
    /// The style of a server, the same on every chart whoever else is on it: `01`, `05-mio`, `floor`. Up to stage 14 no
    /// two stages look alike; a twin has its stage's colour, the next marker and dots.
    pub(crate) fn of(name: &str) -> Self {
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

    /// A reference is grey, since it is no competitor, and the floor is lighter than a server that does the work.
    fn reference(name: &str) -> Self {
        let (shade, marker, dashes) = match name {
            "floor" => (120, 0, (3, 4)),
            "nginx" => (85, 1, (9, 3)),
            "h2o" => (85, 2, (1, 3)),
            _ => (85, 3, (6, 6)),
        };
        Self { colour: RGBColor(shade, shade, shade), marker: MARKERS[marker], dashes: Some(dashes) }
    }

    /// One of a few series that are no servers; at most seven.
    pub(super) fn series(at: usize) -> Self {
        // The darkest contrast first: blue, orange, green, black.
        const ORDER: [usize; 7] = [4, 1, 3, 0, 5, 2, 6];
        let at = at % ORDER.len();
        Self {
            colour: COLOURS[ORDER[at]],
            marker: MARKERS[at],
            dashes: [None, Some((8, 4)), Some((2, 3))][at % 3],
        }
    }

    /// The corners of its marker, around the point, in pixels.
    pub(crate) fn marker(&self) -> &'static [(i32, i32)] {
        self.marker
    }

    /// The lengths of its dashes and of the gaps between, in pixels; `None` for a whole line.
    pub(crate) fn dashes(&self) -> Option<(i32, i32)> {
        self.dashes
    }

    /// Draws a line through points given in pixels.
    pub(super) fn line(&self, area: &Area, points: &[(i32, i32)]) -> Drawn {
        self.stroke(area, points, self.colour.stroke_width(2))
    }

    /// The same, paler: where the points matter and many lines cross each other.
    pub(super) fn faint_line(&self, area: &Area, points: &[(i32, i32)]) -> Drawn {
        self.stroke(area, points, self.colour.mix(0.45).stroke_width(1))
    }

    fn stroke(&self, area: &Area, points: &[(i32, i32)], stroke: ShapeStyle) -> Drawn {
        match self.dashes {
            None => draw(area, PathElement::new(points.to_vec(), stroke)),
            Some((on, off)) => {
                for piece in dashed(points, f64::from(on), f64::from(off)) {
                    draw(area, PathElement::new(piece.to_vec(), stroke))?;
                }
                Ok(())
            }
        }
    }

    /// Draws a marker at a pixel.
    pub(super) fn mark(&self, area: &Area, (x, y): (i32, i32), look: Look) -> Drawn {
        let outline = self.colour.stroke_width(2);
        if look == Look::Cross {
            draw(area, PathElement::new(vec![(x - 6, y - 6), (x + 6, y + 6)], outline))?;
            return draw(area, PathElement::new(vec![(x - 6, y + 6), (x + 6, y - 6)], outline));
        }
        let mut corners: Vec<(i32, i32)> = self.marker.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
        let fill = if look == Look::Hollow { WHITE } else { self.colour };
        draw(area, Polygon::new(corners.clone(), fill.filled()))?;
        corners.push(corners[0]);
        draw(area, PathElement::new(corners, outline))
    }
}

/// What drawing returns.
pub(super) type Drawn = anyhow::Result<()>;

/// Draws one element. The only error there is, a failing write, needs no type of its own.
pub(super) fn draw<'a, E>(area: &Area<'a>, element: E) -> Drawn
where
    for<'b> &'b E: plotters::element::PointCollection<'b, (i32, i32)>,
    E: plotters::element::Drawable<SVGBackend<'a>>,
{
    area.draw(&element).map_err(|error| anyhow::anyhow!("cannot draw: {error}"))
}

/// Cuts a path into dashes.
fn dashed(points: &[(i32, i32)], on: f64, off: f64) -> Vec<[(i32, i32); 2]> {
    let mut pieces = Vec::new();
    for pair in points.windows(2) {
        let [(x0, y0), (x1, y1)] = [pair[0], pair[1]].map(|(x, y)| (f64::from(x), f64::from(y)));
        let length = (x1 - x0).hypot(y1 - y0).max(f64::MIN_POSITIVE);
        let at = |distance: f64| {
            let share = distance.min(length) / length;
            ((x0 + (x1 - x0) * share).round() as i32, (y0 + (y1 - y0) * share).round() as i32)
        };
        let mut from = 0.0;
        while from < length {
            pieces.push([at(from), at(from + on)]);
            from += on + off;
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn twelve_stages_and_two_twins_can_be_told_apart() {
        let mut names: Vec<String> = (1..=12).map(|number| format!("{number:02}")).collect();
        names.extend(["02-threads", "05-mio", "floor", "nginx", "h2o"].map(String::from));
        let looks: BTreeSet<_> = names
            .iter()
            .map(|name| Style::of(name))
            .map(|style| {
                (style.colour.0, style.colour.1, style.colour.2, style.marker.to_vec(), style.dashes)
            })
            .collect();
        assert_eq!(looks.len(), names.len());
        let first: Vec<Style> = names[..7].iter().map(|name| Style::of(name)).collect();
        let colours: BTreeSet<_> =
            first.iter().map(|style| (style.colour.0, style.colour.1, style.colour.2)).collect();
        let markers: BTreeSet<_> = first.iter().map(|style| style.marker.to_vec()).collect();
        assert_eq!(
            (colours.len(), markers.len()),
            (7, 7),
            "seven stages have seven colours and seven markers"
        );
    }

    #[test]
    fn dashes_begin_and_end_on_the_line() {
        let pieces = dashed(&[(0, 0), (0, 100)], 10.0, 5.0);
        assert_eq!(pieces.len(), 7);
        assert_eq!((pieces[0], pieces[6]), ([(0, 0), (0, 10)], [(0, 90), (0, 100)]));
    }
}
