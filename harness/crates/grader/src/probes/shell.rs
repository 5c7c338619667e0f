//! Bytes and words as a reader and a POSIX shell have them.

/// Bytes as text: what is no printable ASCII is escaped as in C and Rust.
pub(crate) fn escaped(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace("\\'", "'")
}

/// The command that writes these bytes. `printf` of a POSIX shell knows `\ddd`, and not `\xNN`.
pub(crate) fn printf(bytes: &[u8]) -> String {
    let mut format = String::new();
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'\r' => format.push_str("\\r"),
            b'\n' => format.push_str("\\n"),
            b'\\' => format.push_str("\\\\"),
            b'%' => format.push_str("%%"),
            // At the beginning it would be an option; a quote would end the word.
            b'-' if at == 0 => format.push_str("\\055"),
            b'\'' => format.push_str("\\047"),
            b' '..=b'~' => format.push(byte.into()),
            _ => format.push_str(&format!("\\{byte:03o}")),
        }
    }
    format!("printf '{format}'")
}

/// A word, quoted where the shell would not take it as it is. `$PORT` stays a variable.
pub(crate) fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    match text.replace("$PORT", "").chars().all(is_plain) && !text.is_empty() {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Protects the start line of a server whose path has a space or a quote.
    #[test]
    fn a_word_is_quoted_where_it_must_be() {
        for (text, expected) in [
            ("target/debug/stage-04", "target/debug/stage-04"),
            ("127.0.0.1:$PORT", "127.0.0.1:$PORT"),
            ("my server", "'my server'"),
            ("it's", "'it'\\''s'"),
            ("", "''"),
        ] {
            assert_eq!(word(text), expected);
        }
    }
}
