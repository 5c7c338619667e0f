//! The binary `stage-05`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::start::main(edge_vs_level::server::run)
}
