//! The grader as a library: a few probes against any command that takes a port.
//!
//! `cargo run -p grader --example ask -- 'python3 -m http.server --bind 127.0.0.1 $PORT'`

use grader::probes::{Target, find, run_one};

fn main() -> anyhow::Result<()> {
    let command =
        std::env::args().nth(1).unwrap_or_else(|| "target/debug/stage-04 --addr 127.0.0.1:$PORT".into());
    let target = Target::command(command);
    for name in ["keep-alive", "two-clients", "half-close"] {
        let finding = run_one(find(name)?, &target);
        println!("{name}: {} in {:.1} s {}", finding.outcome, finding.seconds, finding.detail);
    }
    Ok(())
}
