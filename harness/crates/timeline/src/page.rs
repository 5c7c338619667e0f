//! The page: the picture to step through, in one file that fetches nothing.

use crate::layout::{Frame, Picture, layout, legend};
use crate::model::{Event, Kind, Lane, Timeline};
use crate::svg::{DEFINITIONS, escape, inner, sample, style};
use anyhow::{Context, Result};
use serde::Serialize;

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// The two pictures, in pixels: of a screen, and of a phone.
const WIDE: f64 = 1180.0;
const NARROW: f64 = 364.0;

/// What the script draws from.
#[derive(Serialize)]
struct Data<'a> {
    lanes: &'a [Lane],
    events: &'a [Event],
    /// The events to step through, by place.
    steps: &'a [usize],
    places: Places,
}

/// Where each step is on each picture, pixels.
#[derive(Serialize)]
struct Places {
    wide: Vec<f64>,
    narrow: Vec<f64>,
}

/// The page as HTML.
pub(crate) fn html(timeline: &Timeline) -> Result<String> {
    let mut steps: Vec<usize> =
        (0..timeline.events.len()).filter(|&place| is_step(timeline.events[place].kind)).collect();
    steps.sort_by_key(|&place| (timeline.events[place].from, timeline.events[place].lane));
    let (wide, narrow) = (layout(timeline, WIDE, Frame::Bare), layout(timeline, NARROW, Frame::Bare));
    let at = |picture: &Picture| -> Vec<f64> {
        let axis = &picture.axis_of_time;
        steps.iter().map(|&place| (axis.x(timeline.events[place].from) * 10.0).round() / 10.0).collect()
    };
    let places = Places { wide: at(&wide), narrow: at(&narrow) };
    let data = Data { lanes: &timeline.lanes, events: &timeline.events, steps: &steps, places };
    let data = serde_json::to_string(&data).context("the events cannot be written as JSON")?;
    let findings: String =
        timeline.findings.iter().map(|text| format!("<li>{}</li>", escape(text))).collect();
    let pictures = format!("{}\n{}", inner(&wide, "wide"), inner(&narrow, "narrow"));
    // The data last: nothing in it is a place to fill. In JSON a `<` is always inside of a string, where the
    // escape means the same, and it could end the element that holds the data.
    let page = PAGE
        .replace("{{style}}", &format!("{}{}", style(), STYLE.replace('\n', "")))
        .replace("{{definitions}}", DEFINITIONS)
        .replace("{{script}}", SCRIPT)
        .replace("{{pictures}}", &pictures)
        .replace("{{legend}}", &legend_list(timeline))
        .replace("{{findings}}", &findings)
        .replace("{{server}}", &escape(&timeline.server))
        .replace("{{title}}", &escape(&timeline.title))
        .replace("{{about}}", &escape(&timeline.about))
        .replace("{{recorded}}", &escape(&timeline.recorded));
    let (before, after) = page.split_once("{{data}}").context("the page has no place for its data")?;
    Ok([before, &data.replace('<', "\\u003c"), after].concat())
}

/// What a reader steps through: calls and moments, and not what lies between them.
fn is_step(kind: Kind) -> bool {
    kind.is_moment() || matches!(kind, Kind::Call | Kind::Wait | Kind::Sleep)
}

/// Each sign that is on the page, with its words.
fn legend_list(timeline: &Timeline) -> String {
    let item = |(sign, text)| format!("<li>{}{text}</li>", sample(sign));
    format!("<ul class=\"legend\">{}</ul>", legend(timeline).into_iter().map(item).collect::<String>())
}
