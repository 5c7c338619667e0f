//! The time of day, as it is recorded.

use std::time::SystemTime;

/// UTC to the second, as RFC 3339 writes it.
pub fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string()
}

/// The time now, in the same form.
pub fn now() -> String {
    rfc3339(SystemTime::now())
}
