//! What a client still gets when the server is told to stop.

#[path = "../../01-blocking-echo/tests/common/mod.rs"]
mod common;

/// As many connections as threads are between two requests, and the others wait in the pool's queue or in the
/// kernel's.
#[test]
fn what_was_sent_before_the_signal_is_answered() {
    common::what_was_sent_before_the_signal_is_answered(env!("CARGO_BIN_EXE_stage-03"), 4);
}
