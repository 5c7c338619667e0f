//! A part of a picture, and drawing on it.

use plotters::coord::Shift;
use plotters::element::{Drawable, PointCollection};
use plotters::prelude::*;

/// A part of the picture.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// What drawing returns.
pub(super) type Drawn = anyhow::Result<()>;

/// Draws one element. The only error there is, a failing write, needs no type of its own.
pub(super) fn draw<'a, E>(area: &Area<'a>, element: E) -> Drawn
where
    for<'b> &'b E: PointCollection<'b, (i32, i32)>,
    E: Drawable<SVGBackend<'a>>,
{
    area.draw(&element).map_err(|error| anyhow::anyhow!("cannot draw: {error}"))
}
