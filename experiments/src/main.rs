//! `experiment`: examines the literature's claims on this machine.

use std::process::ExitCode;

fn main() -> ExitCode {
    experiments::command::main()
}
