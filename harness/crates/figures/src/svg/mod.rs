//! A figure as a picture: SVG by plotters, readable in print and by colour-blind eyes.
//!
//! * `rows`: a row for each server; `lines`: values over a load; `matrix`: outcomes;
//! * `small`: a few servers beside each other, for a page of the book;
//! * `scale`, `draw`, `text`: the axes, what stands on them, and the words.

mod draw;
mod lines;
mod matrix;
mod rows;
mod scale;
mod small;
mod text;

pub(crate) use small::{Row, small};

use crate::model::{Figure, Plot, Points};
use anyhow::Result;
use draw::{Area, Drawn};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;
use text::{LARGE, LINE, MARGIN};

/// Of a picture; some need more.
const WIDTH: i32 = 1240;
/// From the top of a picture to its first line under the title.
const HEAD: i32 = 58;

/// What is between the words above and the words below.
trait Body {
    /// Its width and its height, in pixels.
    fn size(&self) -> (i32, i32);
    /// Draws it, from the area's top.
    fn draw(&self, area: &Area) -> Drawn;
}

/// Draws a figure as SVG text.
///
/// # Errors
/// When it cannot be drawn.
pub fn picture(figure: &Figure) -> Result<String> {
    let body: Box<dyn Body + '_> = match &figure.plot {
        Plot::Matrix(matrix) => Box::new(matrix::Picture::new(matrix)),
        Plot::Points(points) if is_empty(points) => Box::new(Nothing),
        Plot::Points(points) => match &points.x {
            Some(x) => Box::new(lines::Picture::new(points, x)),
            None => Box::new(rows::Picture::new(points)),
        },
    };
    let (width, body_height) = body.size();
    let room = width - 2 * MARGIN;
    let above = text::wrap_all(figure.finding.iter().chain(&figure.subtitle), room);
    let below = text::wrap_all(&figure.words(), room);
    let top = HEAD + LINE * above.len() as i32;
    let bottom = top + body_height + 24;
    let height = bottom + LINE * below.len() as i32 + 10;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (width as u32, height as u32)).into_drawing_area();
        root.fill(&WHITE)?;
        let title = text::fit(&figure.title, LARGE, room);
        text::write(&root, &title, LARGE, (MARGIN, 30), BLACK, HPos::Left)?;
        text::lines(&root, &above, HEAD)?;
        body.draw(&root.clone().shrink((0, top), (width, body_height)))?;
        text::lines(&root, &below, bottom)?;
        root.present()?;
    }
    Ok(svg)
}

/// Whether there is neither a mark nor a row that says why there is none.
fn is_empty(points: &Points) -> bool {
    let has_mark = points.drawn().into_iter().any(|panel| points.on(panel).next().is_some());
    points.points.is_empty() || points.x.is_some() && !has_mark
}

/// The picture of a figure without points.
struct Nothing;

impl Body for Nothing {
    fn size(&self) -> (i32, i32) {
        (WIDTH, 60)
    }

    fn draw(&self, area: &Area) -> Drawn {
        text::write(
            area,
            "No point of this can be drawn; the reasons stand below.",
            text::NORMAL,
            (MARGIN, 30),
            BLACK,
            HPos::Left,
        )
    }
}
