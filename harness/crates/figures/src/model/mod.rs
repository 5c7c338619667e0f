//! What a figure shows, as plain data: its words, its axes, its points with their intervals, what is missing
//! and why, and the records behind each point. The renderers read nothing else, so that the picture, the
//! interactive page and the tables cannot disagree.
//!
//! * `points`: values of servers, in a row each or over a load; `matrix`: what each server can do;
//! * `style`: a server looks the same on every figure; `unit`: a number reads the same everywhere.

mod matrix;
mod points;
mod style;
mod unit;

pub use matrix::{Cell, Matrix, Outcome};
pub use points::{Axis, Interval, Mark, Marker, Panel, Point, Points, Scale, marks};
pub(crate) use style::groups;
pub use style::{Colour, Series, Style};
pub use unit::{NONE, Unit};

use serde::Serialize;

/// Everything that a figure says.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Figure {
    /// Its name on the page and as a file: `latency` is `latency.svg`.
    pub id: String,
    /// The question that it answers.
    pub title: String,
    /// The answer, where one sentence is enough.
    pub finding: Option<String>,
    /// How it was measured, on what, and the data's name; a line each.
    pub subtitle: Vec<String>,
    /// What a reader must know to read it; empty if nothing.
    pub about: String,
    /// What the signs on it mean, and what else should be known.
    pub notes: Vec<String>,
    /// What its whiskers are; empty where it has none.
    pub whiskers: String,
    /// What is drawn.
    pub plot: Plot,
    /// The files of records behind it, as links from its directory.
    pub data: Vec<String>,
    /// The command that draws it again.
    pub command: String,
}

/// What is drawn.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "form", rename_all = "lowercase")]
pub enum Plot {
    /// Values.
    Points(Points),
    /// Outcomes.
    Matrix(Matrix),
}

impl Default for Plot {
    fn default() -> Self {
        Self::Points(Points::default())
    }
}

impl Figure {
    /// The name of its picture.
    pub fn file(&self) -> String {
        format!("{}.svg", self.id)
    }

    /// Its values, if it has any.
    pub fn points(&self) -> Option<&Points> {
        match &self.plot {
            Plot::Points(points) => Some(points),
            Plot::Matrix(_) => None,
        }
    }

    /// What stands below a picture, a paragraph each: about, the notes, what the whiskers are, what is
    /// missing.
    pub fn words(&self) -> Vec<String> {
        let missing = self.points().into_iter().flat_map(Points::missing);
        let notes = self.notes.iter().chain([&self.whiskers]).cloned();
        let all = std::iter::once(self.about.clone()).chain(notes).chain(missing);
        all.filter(|words| !words.is_empty()).collect()
    }
}
