//! The binary `stage-05-mio`.

use std::process::ExitCode;

fn main() -> ExitCode {
    kit::start::main(edge_vs_level::on_mio::run)
}
