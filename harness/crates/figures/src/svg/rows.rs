//! A row for each server: its marks or bars on one or more axes, and its figures at the end.

use super::mark::{Area, Drawn, Entry, GREY, cross, draw, legend_across, marker};
use super::scale::Scale;
use super::text::{self, MARGIN, NORMAL, SMALL, font};
use super::{Body, WIDTH};
use crate::model::{Interval, Look, Point, Points, Reference, Show, Style};
use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

/// Of the column of names.
const NAMES: i32 = 330;
/// The height of one mark; a row is as high as its marks, and never lower than its text.
const MARK: i32 = 15;
/// Half of a bar.
const BAR: f64 = 10.0;
const STRIPE: RGBColor = RGBColor(245, 245, 245);

/// The rows of a figure.
pub(super) struct Picture<'a> {
    points: &'a Points,
    /// The series that have a row.
    rows: Vec<usize>,
    panels: Vec<Panel>,
    /// Of the marks, where they are not those of the servers.
    styles: Vec<Style>,
}

/// One axis.
struct Panel {
    options: Vec<usize>,
    measures: Vec<usize>,
    head: String,
}

impl<'a> Picture<'a> {
    pub(super) fn new(points: &'a Points) -> Self {
        let (facets, drawn) = (points.facets(), points.drawn());
        let has_row = |series: &usize| {
            let has_point = points.points.iter().any(|p| p.series == *series && facets.contains(&p.options));
            has_point || points.gaps.iter().any(|gap| gap.server == points.series[*series].server)
        };
        let groups: Vec<Vec<usize>> = match points.show {
            Show::Beside => drawn.iter().map(|&measure| vec![measure]).collect(),
            _ => vec![drawn.clone()],
        };
        let several = facets.len() * groups.len() > 1;
        let mut panels = Vec::new();
        for options in &facets {
            for measures in &groups {
                let name = points.facet_name(options);
                let label = measures.first().map_or("", |&at| points.measures[at].axis.label.as_str());
                let head = match (name.is_empty(), several) {
                    (true, _) => label.to_owned(),
                    (false, true) => format!("{name}; scales differ"),
                    (false, false) => name,
                };
                panels.push(Panel { options: options.clone(), measures: measures.clone(), head });
            }
        }
        let is_marked = points.show == Show::Marks && drawn.len() > 1;
        let styles = drawn.iter().filter(|_| is_marked).map(|&at| points.measures[at].style).collect();
        Self { points, rows: (0..points.series.len()).filter(has_row).collect(), panels, styles }
    }

    fn row_height(&self) -> i32 {
        (MARK * self.styles.len() as i32 + 8).max(30)
    }

    fn entries(&self) -> Vec<Entry<'_>> {
        let says = self.points.drawn().into_iter().map(|at| self.points.measures[at].says.as_str());
        let entry = |(text, style): (&'a str, _)| Entry {
            text,
            style: Some(style),
            has_line: false,
            look: Some(Look::Filled),
        };
        says.zip(&self.styles).map(entry).collect()
    }

    /// Where the rows begin.
    fn top(&self) -> i32 {
        let legend = legend_across(None, &self.entries(), (NAMES, 0), WIDTH - NAMES - MARGIN);
        40 + legend.unwrap_or_default()
    }

    /// Below the rows, for the numbers and for what they are where no head says it.
    fn foot(&self) -> i32 {
        if self.panels.iter().all(|panel| panel.head == self.label(panel)) { 24 } else { 50 }
    }

    fn label(&self, panel: &Panel) -> &'a str {
        panel.measures.first().map_or("", |&at| self.points.measures[at].axis.label.as_str())
    }

    fn height(&self) -> i32 {
        self.row_height() * self.rows.len() as i32
    }

    fn drawn(&self, panel: &Panel) -> impl Iterator<Item = &'a Point> {
        let of = panel
            .measures
            .iter()
            .flat_map(|&measure| self.points.points.iter().filter(move |point| point.measure == measure));
        of.filter(|point| point.options == panel.options && point.is_drawn()).collect::<Vec<_>>().into_iter()
    }

    fn style(&self, point: &Point) -> Style {
        let at = self.points.drawn().iter().position(|&measure| measure == point.measure).unwrap_or(0);
        self.styles.get(at).copied().unwrap_or(self.points.series[point.series].style)
    }

    fn panel(&self, area: &Area, panel: &Panel, left: i32, width: i32) -> Drawn {
        let texts: Vec<(String, bool)> = self.rows.iter().map(|&row| self.words(panel, row)).collect();
        let beside = texts.iter().filter(|(_, has_marks)| *has_marks);
        let room = beside.map(|(text, _)| text::width(text, SMALL)).max().unwrap_or(0).min(width / 2);
        let (top, height) = (self.top(), self.height());
        let right = left + width - room - if room > 0 { 40 } else { 24 };
        text::write(area, &panel.head, NORMAL, (left, top - 18), BLACK, HPos::Left)?;
        self.axes(area, panel, (left, top), right - left)?;
        for (at, (words, has_marks)) in texts.iter().enumerate() {
            let y = top + self.row_height() * at as i32 + self.row_height() / 2;
            // Nothing was measured: the reason stands where the marks would be.
            let (x, room) = if *has_marks { (right + 16, room) } else { (left + 8, width - 16) };
            text::write(area, &text::fit(words, SMALL, room), SMALL, (x, y), BLACK, HPos::Left)?;
        }
        draw(area, PathElement::new(vec![(left, top), (left, top + height)], GREY.stroke_width(1)))
    }

    fn axes(&self, area: &Area, panel: &Panel, (left, top): (i32, i32), width: i32) -> Drawn {
        let Some(axis) = panel.measures.first().map(|&at| &self.points.measures[at].axis) else {
            return Ok(());
        };
        let height = self.height();
        let lines = self.points.references.iter().flat_map(|reference| match reference {
            Reference::Line(value) => vec![*value],
            _ => Vec::new(),
        });
        let x = Scale::of(axis, self.drawn(panel).flat_map(Point::ends).chain(lines), width, true);
        let y = Scale::rows(self.rows.len());
        let around = area.clone().shrink((left, top), (width, height + self.foot()));
        let mut chart = ChartBuilder::on(&around)
            .set_label_area_size(LabelAreaPosition::Bottom, self.foot())
            .build_cartesian_2d(x.clone(), y.clone())?;
        self.references(area, &x, (left, top), width)?;
        let mut mesh = chart.configure_mesh();
        mesh.label_style(font(SMALL)).axis_desc_style(font(NORMAL)).axis_style(TRANSPARENT);
        mesh.bold_line_style(GREY.mix(0.35)).light_line_style(TRANSPARENT).disable_y_mesh();
        if panel.head != axis.label {
            mesh.x_desc(axis.label.as_str());
        }
        mesh.draw()?;
        let marks = if self.styles.is_empty() { 1 } else { self.styles.len() } as f64;
        let row = |point: &Point| {
            let at = self.rows.iter().position(|&row| row == point.series).unwrap_or(0) as f64;
            let drawn = self.points.drawn();
            let mark = drawn.iter().position(|&measure| measure == point.measure).unwrap_or(0) as f64;
            let aside = if self.styles.is_empty() { 0.0 } else { mark - (marks - 1.0) / 2.0 };
            y.beside(at, aside * f64::from(MARK), height)
        };
        if self.points.bars {
            let end = |point: &Point, side: f64| y.beside(row(point), side * BAR, height);
            let bar = |point: &'a Point, style: ShapeStyle| {
                Rectangle::new([(0.0, end(point, -1.0)), (point.value, end(point, 1.0))], style)
            };
            chart.draw_series(self.drawn(panel).map(|point| bar(point, self.inside(point))))?;
            let outline = |point| RGBColor::from(self.style(point).colour).stroke_width(2);
            chart.draw_series(self.drawn(panel).map(|point| bar(point, outline(point))))?;
        }
        let whisker = |point: &&Point| {
            let Interval { low, high, .. } = point.interval?;
            let style = RGBColor::from(self.style(point).colour).stroke_width(2);
            Some(ErrorBar::new_horizontal(row(point), low, point.value, high, style, 8))
        };
        // The middle of an error bar, a dot, is behind the marker; a bar or a cross would not cover it.
        let bare = |point: &&Point| {
            let Interval { low, high, .. } = point.interval?;
            let colour = if self.points.bars { BLACK } else { self.style(point).colour.into() };
            Some(PathElement::new([(low, row(point)), (high, row(point))], colour.mix(0.7).stroke_width(2)))
        };
        let (bares, marks): (Vec<&Point>, Vec<&Point>) =
            self.drawn(panel).partition(|point| self.points.bars || point.look == Look::Cross);
        chart.draw_series(marks.iter().filter_map(whisker))?;
        chart.draw_series(bares.iter().filter_map(bare))?;
        if !self.points.bars {
            let place = |point: &Point| (point.value, row(point));
            chart.draw_series(bares.iter().map(|point| cross(place(point), &self.style(point))))?;
            let mark = |point: &&Point| marker(place(point), &self.style(point), point.look);
            chart.draw_series(marks.iter().map(mark))?;
        }
        Ok(())
    }

    /// What a bar is filled with.
    fn inside(&self, point: &Point) -> ShapeStyle {
        let colour = RGBColor::from(self.style(point).colour);
        match point.look {
            Look::Hollow => WHITE.filled(),
            Look::Cross => colour.mix(0.25).filled(),
            Look::Filled | Look::Missed => colour.mix(0.7).filled(),
        }
    }

    /// What the marks are compared with, behind them.
    fn references(&self, area: &Area, x: &Scale, (left, top): (i32, i32), width: i32) -> Drawn {
        let pixel = |value: f64| left + (f64::from(width) * x.share(value)).round() as i32;
        let bottom = top + self.height();
        for reference in &self.points.references {
            match reference {
                Reference::Band(low, high) => {
                    let corners = [(pixel(*low), top), (pixel(*high).max(pixel(*low) + 1), bottom)];
                    draw(area, Rectangle::new(corners, GREY.mix(0.25).filled()))?;
                }
                Reference::Line(value) => {
                    let ends = vec![(pixel(*value), top), (pixel(*value), bottom)];
                    draw(area, PathElement::new(ends, BLACK.stroke_width(1)))?;
                }
                Reference::Steps(..) => {}
            }
        }
        Ok(())
    }

    /// The figures of a row, and whether there are marks that they stand beside.
    fn words(&self, panel: &Panel, row: usize) -> (String, bool) {
        let its = self.points.points.iter().filter(|point| {
            point.series == row && point.options == panel.options && panel.measures.contains(&point.measure)
        });
        let its: Vec<&Point> = its.collect();
        if !its.iter().any(|point| point.is_drawn()) {
            return (self.points.why_not(row, &panel.options, &its), false);
        }
        (if self.points.figures { self.points.figures_of(&its) } else { String::new() }, true)
    }
}

impl Body for Picture<'_> {
    fn size(&self) -> (i32, i32) {
        (WIDTH, self.top() + self.height() + self.foot())
    }

    fn draw(&self, area: &Area) -> Drawn {
        legend_across(Some(area), &self.entries(), (NAMES, 0), WIDTH - NAMES - MARGIN)?;
        for (at, &row) in self.rows.iter().enumerate() {
            let y = self.top() + self.row_height() * at as i32;
            if at % 2 == 0 {
                let corners = [(MARGIN, y), (WIDTH - MARGIN, y + self.row_height())];
                draw(area, Rectangle::new(corners, STRIPE.filled()))?;
            }
            let name = text::fit(&self.points.series[row].label, NORMAL, NAMES - MARGIN - 8);
            let middle = y + self.row_height() / 2;
            text::write(area, &name, NORMAL, (NAMES - 12, middle), BLACK, HPos::Right)?;
        }
        let width = (WIDTH - MARGIN - NAMES) / self.panels.len().max(1) as i32;
        for (at, panel) in self.panels.iter().enumerate() {
            self.panel(area, panel, NAMES + width * at as i32, width)?;
        }
        Ok(())
    }
}
