//! The one way out of this crate: what is written can be read by whatever reads it.

use anyhow::Result;
use lab_core::files::write_atomically;
use std::path::Path;

/// Writes a picture or a page.
pub(crate) fn write(file: &Path, text: &str) -> Result<()> {
    write_atomically(file, text.as_bytes())
}

/// A text without what XML 1.0 (its production `Char`) allows in no document, not even escaped: a server may
/// be called anything, an escape character included. `<`, `&` and quotes are escaped by those who write the
/// elements.
pub(crate) fn clean(text: &str) -> String {
    let is_allowed = |c: char| {
        matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
            && !('\u{7f}'..='\u{9f}').contains(&c)
    };
    text.chars().map(|c| if is_allowed(c) { c } else { '\u{fffd}' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_document_may_hold_is_replaced_and_nothing_else() {
        assert_eq!(
            clean("a\u{1b}[31mb\0\u{8}\u{ffff}\u{fffe}"),
            "a\u{fffd}[31mb\u{fffd}\u{fffd}\u{fffd}\u{fffd}"
        );
        let allowed = "line\nand\ttab, <&\"', äß, 漢字, \u{1f600}\u{fffd}";
        assert_eq!(clean(allowed), allowed);
    }
}
