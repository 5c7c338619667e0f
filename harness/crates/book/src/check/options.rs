//! Options outside code marks: mdBook makes a dash of `--`, and a reader who copies that gets an error.

use super::Book;
use crate::markdown::{is_bare_option, paragraphs, without_code};

pub(crate) fn faults(book: &Book) -> Vec<String> {
    let of_page = |page: &super::Page| {
        let paragraphs = paragraphs(&page.whole);
        let prose = paragraphs.iter().map(|paragraph| without_code(paragraph));
        let words: Vec<String> =
            prose.flat_map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect();
        let bare = words.into_iter().filter(|word| is_bare_option(word));
        bare.map(|word| format!("{}: the option {word} has no code marks", page.name)).collect::<Vec<_>>()
    };
    book.pages.iter().flat_map(of_page).collect()
}

#[cfg(test)]
mod tests {
    use super::super::invented;
    use super::*;

    /// Protects a reader who copies an option from a sentence.
    #[test]
    fn an_option_without_code_marks_is_found() {
        let good = "`./lab x --files`, <!-- a comment -->\n\n```sh\nls --all\n```\n\na -- b, ---\n";
        let (_directory, book) = invented(&[("bad.md", "Stage 05 (--files mmap).\n"), ("good.md", good)]);
        assert_eq!(faults(&book), ["bad.md: the option (--files has no code marks"]);
    }
}
