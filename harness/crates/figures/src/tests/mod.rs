//! What every renderer and every figure must bear: unexpected names, no figures, one figure, figures
//! that are none.

mod figures;
mod renderers;

use crate::model::Figure;
use crate::output::clean;
use crate::svg;
use crate::table::Table;

/// An end of every element that holds text, an escape sequence of a terminal, a NUL, two that no XML has, and
/// an entity.
const HOSTILE: &str = "</text></svg>]]><b>\u{1b}[31m\0\u{fffe}\u{ffff} & \"quoted\" 'x' &amp; | 漢字";

/// A document that a parser accepts and that says the name, as far as XML has its letters.
fn check(svg: &str, what: &str) {
    let document = roxmltree::Document::parse(svg).unwrap_or_else(|error| panic!("{what}: {error}\n{svg}"));
    assert_eq!(document.root_element().tag_name().name(), "svg", "{what}");
    let texts =
        document.descendants().filter(|node| node.has_tag_name("text")).filter_map(|node| node.text());
    for text in texts {
        assert!(!text.contains("NaN") && !text.contains("inf"), "{what}: {text}");
    }
}

/// All three renderers.
fn render(figure: &Figure, what: &str) -> (String, String) {
    let svg = clean(&svg::picture(figure).unwrap_or_else(|error| panic!("{what}: {error}")));
    check(&svg, what);
    let json = serde_json::to_string(figure).unwrap_or_else(|error| panic!("{what}: {error}"));
    let text = Table::of(figure).markdown() + &Table::of(figure).terminal();
    assert!(!text.contains("NaN") && !text.contains("inf") && !json.contains("NaN"), "{what}: {text}");
    (svg, text)
}
