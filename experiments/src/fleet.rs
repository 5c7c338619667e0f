//! Every stage at once, each with kept connections on which nothing happens.

use crate::client::Client;
use crate::session::Session;
use anyhow::{Result, ensure};
use lab_core::process::Usage;
use lab_core::server_process::Server;

/// A stage that runs, and its silent clients.
pub(crate) struct Member {
    /// `04`.
    pub(crate) name: String,
    /// The stage.
    pub(crate) server: Server,
    /// Each has been served once.
    pub(crate) clients: Vec<Client>,
}

impl Member {
    /// What it has used until now.
    pub(crate) fn usage(&self) -> Usage {
        Usage::of_tree(self.server.pid() as u32)
    }
}

/// Starts every stage that this machine can run, with the same options, and connects so many clients to each;
/// to one that serves fewer at once, as many as it serves.
pub(crate) fn start(session: &mut Session, options: &[&str], clients: usize) -> Result<Vec<Member>> {
    let mut fleet = Vec::new();
    for stage in session.stages()? {
        let server = session.start(&stage.name, options, None)?;
        let count = stage.serves_at_once.unwrap_or(usize::MAX).min(clients);
        let clients = (0..count).map(|_| served(&server)).collect::<Result<_>>()?;
        fleet.push(Member { name: stage.name, server, clients });
        session.check()?;
    }
    ensure!(!fleet.is_empty(), "no stage runs on this machine");
    Ok(fleet)
}

/// A client that has got a reply, so that its connection is accepted and kept.
fn served(server: &Server) -> Result<Client> {
    let mut client = Client::connect(server.addr)?;
    client.ask("/")?;
    client.reply()?;
    Ok(client)
}
