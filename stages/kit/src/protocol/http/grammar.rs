//! The alphabets and small rules that several parts share (RFC 9110 §5.6, RFC 3986 §3.2.2).

use std::net::Ipv6Addr;

/// Bytes of a method or a field name, all ASCII.
pub(super) const TOKEN: u8 = 1;
const FIELD: u8 = 2;
/// Bytes of a request target: visible ASCII.
pub(super) const TARGET: u8 = 4;
const HOST: u8 = 8;

/// One look-up per byte: which alphabets it belongs to.
static CLASS: [u8; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let byte = i as u8;
        if byte.is_ascii_alphanumeric() || in_set(byte, b"!#$%&'*+-.^_`|~") {
            table[i] |= TOKEN;
        }
        if byte == b'\t' || (byte >= b' ' && byte != 0x7f) {
            table[i] |= FIELD;
        }
        if byte.is_ascii_graphic() {
            table[i] |= TARGET;
        }
        if byte.is_ascii_alphanumeric() || in_set(byte, b"-._~!$&'()*+,;=") {
            table[i] |= HOST;
        }
        i += 1;
    }
    table
};

const fn in_set(byte: u8, set: &[u8]) -> bool {
    let mut i = 0;
    while i < set.len() {
        if set[i] == byte {
            return true;
        }
        i += 1;
    }
    false
}

/// A byte of a method or a field name.
pub(super) fn is_token(byte: u8) -> bool {
    CLASS[usize::from(byte)] & TOKEN != 0
}

/// A byte of a field value: visible, blank, or not ASCII; no control character but the tab.
pub(super) fn is_field(byte: u8) -> bool {
    CLASS[usize::from(byte)] & FIELD != 0
}

/// A byte of a request target: visible ASCII.
pub(super) fn is_target(byte: u8) -> bool {
    CLASS[usize::from(byte)] & TARGET != 0
}

/// How many bytes of this class stand at the front.
#[inline]
pub(super) fn span(text: &[u8], class: u8) -> usize {
    text.iter().position(|&byte| CLASS[usize::from(byte)] & class == 0).unwrap_or(text.len())
}

/// Whether every byte is of this class. There is no early end, so that the compiler looks at several bytes in
/// each round of the loop.
#[inline]
fn is_all(text: &[u8], class: u8) -> bool {
    text.iter().fold(class, |all, &byte| all & CLASS[usize::from(byte)]) != 0
}

/// Whether a field name is this one, which is in lower case and has nothing but letters and hyphens. The only
/// other byte that the fold would take for one of them is CR, for a hyphen, and no name has one.
#[inline]
pub(super) fn is_name<const N: usize>(name: &str, lower: &[u8; N]) -> bool {
    let Ok(name) = <&[u8; N]>::try_from(name.as_bytes()) else { return false };
    // Without an early end the compiler compares many bytes at once.
    name.iter().zip(lower).fold(0, |differ, (&byte, &lower)| differ | ((byte | 0x20) ^ lower)) == 0
}

/// The value without the blanks around it.
pub(super) fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// The number, if the text is nothing but decimal digits; `u64::MAX` where it is too large.
pub(super) fn decimal(text: &[u8]) -> Option<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0u64, |n, digit| n.saturating_mul(10).saturating_add(u64::from(digit - b'0'))))
}

/// Whether this is `uri-host [":" port]`. An empty host is legal in the Host field (RFC 9110 §7.2).
pub(super) fn is_authority(text: &[u8]) -> bool {
    // Only a host in brackets has colons, so the last colon outside of them is the port's.
    let host = match text.iter().rposition(|byte| !byte.is_ascii_digit()) {
        Some(colon) if text[colon] == b':' => &text[..colon],
        _ => text,
    };
    match host {
        [b'[', literal @ .., b']'] => is_ip_literal(literal),
        // Most names have no percent sign.
        _ => is_all(host, HOST) || is_encoded(host),
    }
}

/// Whether the bytes of a name are its own or percent-encoded.
#[cold]
fn is_encoded(mut name: &[u8]) -> bool {
    loop {
        name = match name {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
            [byte, rest @ ..] if CLASS[usize::from(*byte)] & HOST != 0 => rest,
            _ => return false,
        };
    }
}

/// What may stand between brackets: an IPv6 address, or "a future version" of IP.
fn is_ip_literal(text: &[u8]) -> bool {
    if let [b'v' | b'V', future @ ..] = text {
        let Some(dot) = future.iter().position(|&byte| byte == b'.') else { return false };
        let (version, address) = (&future[..dot], &future[dot + 1..]);
        return !version.is_empty()
            && version.iter().all(u8::is_ascii_hexdigit)
            && !address.is_empty()
            && address.iter().all(|&byte| byte == b':' || CLASS[usize::from(byte)] & HOST != 0);
    }
    std::str::from_utf8(text).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_what_rfc_3986_calls_one() {
        for good in
            ["", "a", "a:", "a:80", "127.0.0.1:8080", "[::1]", "[::1]:80", "[v7.a:b]", "a%20b", ":80", "x_y"]
        {
            assert!(is_authority(good.as_bytes()), "{good:?}");
        }
        assert!(is_authority(b"80"), "a name of digits");
        for bad in [
            "a b", "a:b", "a:80:80", "[::1", "[::g]", "[]", "[v.a]", "a%2", "a%zz", "u@h", "a/b", "h\u{e4}",
            "[::1]x", "[::1]80", "[::1]]", "[::1]:8x", "::1", "a%2:80",
        ] {
            assert!(!is_authority(bad.as_bytes()), "{bad:?}");
        }
    }

    /// Protects the framing of a message: a name that is taken for another could smuggle a request.
    #[test]
    fn a_name_is_compared_without_regard_to_case_and_with_regard_to_all_else() {
        for name in ["content-length", "Content-Length", "CONTENT-LENGTH"] {
            assert!(is_name(name, b"content-length"), "{name}");
        }
        let tokens = (0..=u8::MAX).filter(|&byte| is_token(byte));
        for byte in tokens {
            let name = format!("te{}", byte as char);
            assert_eq!(is_name(&name, b"te-"), name.eq_ignore_ascii_case("te-"), "{name}");
            let name = format!("h{}st", byte as char);
            assert_eq!(is_name(&name, b"host"), name.eq_ignore_ascii_case("host"), "{name}");
        }
        assert!(!is_name("hos", b"host") && !is_name("hosts", b"host"));
    }

    /// Protects the check of many bytes at once: whichever byte of a host is wrong, it is found.
    #[test]
    fn a_wrong_byte_anywhere_in_a_host_is_found() {
        for length in 1..40 {
            assert!(is_authority(&vec![b'a'; length]), "{length}");
            for at in 0..length {
                let mut host = vec![b'a'; length];
                host[at] = b'@';
                assert!(!is_authority(&host), "byte {at} of {length}");
            }
        }
    }

    #[test]
    fn a_decimal_is_digits_and_nothing_else() {
        assert_eq!(decimal(b"007"), Some(7));
        assert_eq!(decimal(b"99999999999999999999999"), Some(u64::MAX));
        for bad in ["", "+5", "-1", "0x10", "5,5", " 5"] {
            assert_eq!(decimal(bad.as_bytes()), None, "{bad:?}");
        }
    }
}
