//! `webbench`: see `load::webbench`.

fn main() -> std::process::ExitCode {
    load::webbench::main()
}
