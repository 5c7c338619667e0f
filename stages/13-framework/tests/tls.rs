//! The hooks, by a real pair: TLS.

mod common;
#[path = "../examples/https/tls.rs"]
mod tls;

use common::{LIMIT, Lines, Running};
use framework::{Protocol, Server, Settings};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, StreamOwned};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

/// A server of [`Lines`] over TLS, and what its clients need.
fn secured() -> (Running, Arc<ClientConfig>, Receiver<framework::ConnectionId>) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let chain = vec![made.cert.der().clone()];
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    let config = Arc::new(config);
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let (opened, ids) = channel();
    let make = move |_: &Server| {
        let lines = Lines { opened: opened.clone(), service: "lines" };
        Box::new(tls::Secured::new(lines, Arc::clone(&config))) as Box<dyn Protocol>
    };
    (Running::start(Settings { workers: 2, ..Settings::default() }, make), Arc::new(client), ids)
}

fn connect(running: &Running, config: &Arc<ClientConfig>) -> StreamOwned<ClientConnection, TcpStream> {
    let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
    StreamOwned::new(ClientConnection::new(Arc::clone(config), name).unwrap(), running.connect())
}

/// Protects what hooks are for: a protocol that knows nothing of TLS serves over it, in both directions, more
/// than fits into any buffer; tasks of other threads go through the hooks too; and the end is an orderly one.
#[test]
fn a_protocol_that_knows_nothing_of_it_serves_over_tls() {
    let (running, config, ids) = secured();
    let mut stream = connect(&running, &config);
    stream.write_all(b"hello\n").unwrap();
    let mut answer = [0; 6];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"hello\n");
    // Records are 16 KiB, the loop's buffer is 64 KiB, and the queue may hold 1 MiB.
    let sent: Vec<u8> = (0..2_000_000_u32).map(|i| (i % 251) as u8).collect();
    for piece in sent.chunks(300_000) {
        stream.write_all(piece).unwrap();
        let mut back = vec![0; piece.len()];
        stream.read_exact(&mut back).unwrap();
        assert!(back == piece);
    }
    let id = ids.recv_timeout(LIMIT).unwrap();
    let task = |connection: &mut framework::Connection<'_>| {
        connection.write(&[b'x'; 500_000]);
        connection.write_urgent(b"urgent ");
        connection.close();
    };
    running.server.fd_task(id, task, |_| {});
    let mut rest = Vec::new();
    // Without the close_notify of TLS this would be an error.
    stream.read_to_end(&mut rest).unwrap();
    assert!(rest.starts_with(b"urgent xxx") && rest.len() == 500_007);
}

/// Protects the loop: a client that speaks no TLS, or does not trust us, ends its own connection.
#[test]
fn a_failed_handshake_ends_one_connection() {
    let (running, config, _ids) = secured();
    let mut plain = running.connect();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut alert = Vec::new();
    let _ = plain.read_to_end(&mut alert);
    assert_eq!(alert.first(), Some(&21), "the alert protocol (RFC 8446 §5.1)");
    let nobody = ClientConfig::builder().with_root_certificates(RootCertStore::empty()).with_no_client_auth();
    assert!(connect(&running, &Arc::new(nobody)).write_all(b"hello\n").is_err());
    let mut good = connect(&running, &config);
    good.write_all(b"still here\n").unwrap();
    let mut answer = [0; 11];
    good.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"still here\n");
}
