//! From records to pictures and pages. A figure is described once, as data, and drawn by three renderers:
//!
//! * `model`: what a figure shows; `figures`: a file for each, which builds it from records;
//! * `sample` and `costs`: rounds put together, with how sure they are; `findings`: what they say, in
//!   sentences;
//! * `svg`: as a picture, by plotters; `page`: all of them on one interactive page; `table` and
//!   `markdown`: as rows of text, for the terminal and for a repository browser;
//! * `charts` and `report`: the commands; `chapter`: what a step costs, for a page of the book.
//!
//! It knows recorded data alone: not how it was measured, nor any server, tool or stage but by the names in
//! the records.

pub mod chapter;
pub mod charts;
mod costs;
pub mod figures;
mod findings;
mod machine;
mod markdown;
pub mod model;
mod output;
mod page;
pub mod report;
mod sample;
mod svg;
pub mod table;
#[cfg(test)]
mod tests;

pub use svg::picture;
