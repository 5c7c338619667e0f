//! `webbench`: see `harness::webbench`.

fn main() -> std::process::ExitCode {
    harness::webbench::main()
}
