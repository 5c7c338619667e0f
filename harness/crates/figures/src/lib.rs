//! From records to pictures and pages: `charts` draws them as SVG; `report` writes the pages beside them, one
//! to click through and one in Markdown.
//!
//! It knows recorded data alone: not how it was measured, nor any server, tool or stage but by the names in
//! the records.

pub mod charts;
pub mod report;
