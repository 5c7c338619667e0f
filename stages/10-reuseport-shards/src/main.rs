//! The binary `stage-10`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::start::main(reuseport_shards::server::run)
}
