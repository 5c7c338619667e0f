//! `httpd` over TLS, with a certificate made for this run alone:
//! `cargo run -p framework --example https -- --addr 127.0.0.1:8443`, then `curl -k https://127.0.0.1:8443/`.

#[path = "../../src/apps/mod.rs"]
#[allow(dead_code, reason = "one application is used, and not its own start")]
mod apps;
mod tls;

use apps::Options;
use apps::httpd::Httpd;
use framework::{Protocol, Server};
use kit::options::ProtocolKind;
use kit::start::listen;
use nix::sys::socket::SockFlag;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    kit::start::main(run)
}

fn run(options: Options) -> io::Result<()> {
    let (listener, sessions) = listen(&options.common, SockFlag::SOCK_NONBLOCK, ProtocolKind::Http)?;
    let config = Arc::new(config().map_err(io::Error::other)?);
    let server = Server::with_listener(listener, options.settings())?;
    server.run(move |_: &Server| {
        let httpd = Httpd::new(sessions.clone());
        Box::new(tls::Secured::new(httpd, Arc::clone(&config))) as Box<dyn Protocol>
    })
}

/// A certificate that nobody has signed, for this address of this machine.
fn config() -> Result<ServerConfig, Box<dyn std::error::Error + Send + Sync>> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned(), "localhost".to_owned()])?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder().with_no_client_auth();
    Ok(config.with_single_cert(vec![made.cert.der().clone()], key)?)
}
