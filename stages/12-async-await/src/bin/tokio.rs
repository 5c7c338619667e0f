//! The binary `stage-12-tokio`.

/// Stage 12's twin: the same server on tokio.
#[cfg(not(loom))]
#[derive(Debug, clap::Parser)]
#[command(version)]
struct Twin {
    #[command(flatten)]
    shared: async_await::options::Options,
}

#[cfg(not(loom))]
fn main() -> std::process::ExitCode {
    kit::start::main(|options: Twin| async_await::on_tokio::run(options.shared))
}

/// Built for loom, tokio has no sockets.
#[cfg(loom)]
fn main() {}
