//! The binary `stage-12-tokio`.

#[cfg(not(loom))]
fn main() -> std::process::ExitCode {
    kit::start::main(async_await::on_tokio::run)
}

/// Built for loom, tokio has no sockets.
#[cfg(loom)]
fn main() {}
