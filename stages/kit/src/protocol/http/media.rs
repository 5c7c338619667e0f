//! The media type of a file (RFC 9110 §8.3).

/// The media type of what is at this path, by the extension of its name.
pub(super) fn media_type(path: &str) -> &'static str {
    let extension = match path.rfind(['.', '/']) {
        Some(dot) if path[dot..].starts_with('.') => &path[dot + 1..],
        _ => "",
    };
    for (known, media_type) in MEDIA_TYPES {
        if extension.eq_ignore_ascii_case(known) {
            return media_type;
        }
    }
    "application/octet-stream"
}

const MEDIA_TYPES: [(&str, &str); 16] = [
    ("html", "text/html; charset=utf-8"),
    ("htm", "text/html; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("txt", "text/plain; charset=utf-8"),
    ("md", "text/markdown; charset=utf-8"),
    ("csv", "text/csv; charset=utf-8"),
    ("json", "application/json"),
    ("xml", "application/xml"),
    ("pdf", "application/pdf"),
    ("wasm", "application/wasm"),
    ("svg", "image/svg+xml"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("gif", "image/gif"),
    ("ico", "image/x-icon"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_of_the_name_alone_decides_the_type() {
        assert_eq!(media_type("a.b/INDEX.HTML"), "text/html; charset=utf-8");
        assert_eq!(media_type("a.html/b"), "application/octet-stream");
    }
}
