//! Writing pictures and pages, so that every program that opens them can read them.

use anyhow::Result;
use lab_core::files::write_atomically;
use std::path::Path;

/// A text without what XML allows in no document, not even escaped: a server may be called anything, an
/// escape character included. `<`, `&` and quotes are escaped where the elements are written.
pub(crate) use lab_core::units::xml_characters as clean;

/// Writes a picture or a page.
pub(crate) fn write(file: &Path, text: &str) -> Result<()> {
    write_atomically(file, text.as_bytes())
}
