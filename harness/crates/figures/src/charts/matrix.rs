//! Stages × probes: what each server can do.

use super::source::{Chart, Source};
use super::style::{Area, Drawn, draw};
use super::text::{self, DARK, MARGIN, NORMAL, SMALL};
use anyhow::Result;
use plotters::prelude::*;
use records::{Grade, Probed};

const WIDTH: i32 = 1240;
const TOP: i32 = 178;
const LEGEND: i32 = 106;
/// For the probes' names.
const NAMES: i32 = 260;
const ROW: i32 = 24;
/// The widest column.
const COLUMN: i32 = 84;

/// What a cell says: a letter, a colour that is light where the server is well, and the word.
struct Sign {
    letter: &'static str,
    word: &'static str,
    fill: RGBColor,
    ink: RGBColor,
}

/// From Okabe and Ito's colours. The letters say the same without any colour, and the lightness in print.
const SIGNS: [Sign; 6] = [
    Sign { letter: "·", word: "pass", fill: RGBColor(225, 240, 250), ink: RGBColor(0, 114, 178) },
    Sign { letter: "S", word: "starved", fill: RGBColor(230, 159, 0), ink: BLACK },
    Sign { letter: "W", word: "wrong", fill: RGBColor(204, 121, 167), ink: BLACK },
    Sign { letter: "B", word: "broken", fill: RGBColor(160, 60, 0), ink: WHITE },
    Sign { letter: "–", word: "not applicable", fill: WHITE, ink: RGBColor(120, 120, 120) },
    Sign { letter: "?", word: "unknown", fill: WHITE, ink: BLACK },
];

fn sign(outcome: &str) -> &'static Sign {
    let found = SIGNS.iter().find(|sign| outcome.starts_with(sign.word));
    found.unwrap_or(&SIGNS[SIGNS.len() - 1])
}

/// The newest grade of each stage and twin; the variants are in the file only.
pub(super) fn chart(grades: &[Grade], source: &Source) -> Result<Option<Chart>> {
    let mut columns: Vec<&Grade> = Vec::new();
    for grade in grades.iter().rev().filter(|grade| !grade.name.is_empty() && grade.options.is_empty()) {
        if columns.iter().all(|column| column.name != grade.name) {
            columns.push(grade);
        }
    }
    columns.sort_by(|one, other| one.name.cmp(&other.name));
    // Probes in their own order: that of the longest record, which may hold some that others were not asked.
    let Some(longest) = columns.iter().max_by_key(|grade| grade.probes.len()) else { return Ok(None) };
    let mut probes: Vec<&str> = longest.probes.iter().map(|probed| probed.probe.as_str()).collect();
    for probed in columns.iter().flat_map(|grade| &grade.probes) {
        if !probes.contains(&probed.probe.as_str()) {
            probes.push(&probed.probe);
        }
    }
    let title = format!("What each stage can do: {} probes", probes.len());
    let svg = svg(&columns, &probes, &title, source)?;
    Ok(Some(source.chart("probes.svg", title, svg)))
}

fn svg(columns: &[&Grade], probes: &[&str], title: &str, source: &Source) -> Result<String> {
    let room = WIDTH - MARGIN - NAMES;
    let column = (room / columns.len().max(1) as i32).min(COLUMN);
    let width = WIDTH;
    let bottom = TOP + ROW * probes.len() as i32;
    let notes = text::wrap_all(&notes(columns), SMALL, width - 2 * MARGIN);
    let height = bottom + 36 + 22 * notes.len() as i32;
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (width as u32, height as u32)).into_drawing_area();
        root.fill(&WHITE)?;
        let host = &columns[0].host;
        let from = format!("Graded {}; {}; {}.", columns[0].started_at, host.summary(), host.commit_name());
        text::header(&root, title, &[from, format!("Data: {}", source.line())])?;
        legend(&root)?;
        for (at, grade) in columns.iter().enumerate() {
            let x = NAMES + column * at as i32 + column / 2;
            // `02-threads` in two lines, so that fourteen columns fit.
            let (number, twin) = grade.name.split_once('-').unwrap_or((&grade.name, ""));
            text::centred(&root, number, NORMAL, (x, TOP - 32), BLACK)?;
            text::centred(&root, &text::fit(twin, SMALL, column - 2), SMALL, (x, TOP - 14), BLACK)?;
        }
        for (at, probe) in probes.iter().enumerate() {
            let y = TOP + ROW * at as i32;
            let name = text::fit(probe, SMALL, NAMES - MARGIN - 8);
            text::write(&root, &name, SMALL, (NAMES - 12, y + ROW / 2), BLACK, true)?;
            for (at, grade) in columns.iter().enumerate() {
                let corner = (NAMES + column * at as i32, y);
                if let Some(probed) = grade.probes.iter().find(|probed| probed.probe == *probe) {
                    cell(&root, corner, column, sign(&probed.outcome), Frame::of(probed))?;
                }
            }
        }
        for (at, line) in notes.iter().enumerate() {
            text::write(&root, line, SMALL, (MARGIN, bottom + 30 + 22 * at as i32), DARK, false)?;
        }
        root.present()?;
    }
    Ok(svg)
}

/// What stands around a cell.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Frame {
    /// A pass, as declared.
    None,
    /// Not a pass, as declared: the stage's flaw.
    Declared,
    /// Not what was declared.
    Surprise,
}

impl Frame {
    fn of(probed: &Probed) -> Self {
        if probed.surprise {
            Self::Surprise
        } else if matches!(probed.outcome.as_str(), "pass" | "not applicable") {
            Self::None
        } else {
            Self::Declared
        }
    }
}

fn cell(root: &Area, (x, y): (i32, i32), width: i32, sign: &Sign, frame: Frame) -> Drawn {
    let corners = [(x + 2, y + 2), (x + width - 2, y + ROW - 2)];
    draw(root, Rectangle::new(corners, sign.fill.filled()))?;
    if frame == Frame::Declared {
        draw(root, Rectangle::new(corners, BLACK.stroke_width(2)))?;
    }
    // A surprise has no frame: what is declared is framed, and what is not shouts.
    let letter = if frame == Frame::Surprise { format!("{} !", sign.letter) } else { sign.letter.to_owned() };
    text::centred(root, &letter, NORMAL, (x + width / 2, y + ROW / 2), sign.ink)
}

fn legend(root: &Area) -> Drawn {
    let y = LEGEND - ROW / 2;
    let mut x = NAMES;
    let entries = SIGNS[..5].iter().map(|sign| (sign, Frame::None, sign.word));
    let frames =
        [(&SIGNS[1], Frame::Declared, "a declared flaw"), (&SIGNS[1], Frame::Surprise, "a surprise")];
    for (sign, frame, word) in entries.chain(frames) {
        cell(root, (x, y), 36, sign, frame)?;
        text::write(root, word, SMALL, (x + 44, LEGEND), BLACK, false)?;
        x += 44 + text::width(word, SMALL) + 16;
    }
    Ok(())
}

fn notes(columns: &[&Grade]) -> Vec<String> {
    let names: Vec<String> = columns.iter().map(|grade| format!("{} {}", grade.name, grade.title)).collect();
    vec![
        format!("{}.", names.join("; ")),
        "Starved: no answer while the cause lasts, a right one after it. Broken: a crash, a hang, a leak or a spin. A \
         flaw that a stage declares is part of its lesson, and a pass in its place is a surprise too. What each probe \
         asks: ./lab grade --list; what was seen: in the data."
            .to_owned(),
    ]
}
