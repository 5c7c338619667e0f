//! The load generator as a library: the same closed loop against several servers, one after the other.
//!
//! `cargo run --release -p load --example compare -- http://127.0.0.1:8080/ http://127.0.0.1:8081/`

use clap::Parser;

#[derive(Parser)]
struct Options {
    #[command(flatten)]
    load: load::Args,
}

fn main() -> anyhow::Result<()> {
    for url in std::env::args().skip(1) {
        let options = Options::parse_from(["compare", &url, "--duration", "1", "--connections", "16"]);
        let report = load::measure(&options.load)?;
        println!("{url}: {:.0} requests/s, {} errors", report.requests_per_second, report.failed());
    }
    Ok(())
}
