//! A connection that speaks HTTP: kit's session, with the dashboard's routes within.

use super::Shared;
use super::page::{MAX_PAGES, Page, SERVICE};
use super::routes::{Count, Routes, Told};
use crate::apps::httpd::{MAX_READS, drive, reads};
use framework::{Connection, Protocol};
use kit::session::Session;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// One connection.
pub(super) struct Front {
    shared: Arc<Shared>,
    told: Arc<Told>,
    /// Made when the connection is opened.
    session: Option<Session>,
}

impl Front {
    /// A conversation that has not begun.
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, told: Arc::default(), session: None }
    }

    fn drive(&mut self, connection: &mut Connection<'_>, reads: usize) {
        let Some(session) = &mut self.session else { return };
        drive(session, connection, reads);
        let replies = self.told.replies.swap(0, Relaxed);
        if replies > 0 {
            connection.count_requests(replies);
        }
        if self.told.events.load(Relaxed) && !session.has_output() {
            if connection.server().count(Some(SERVICE)) < MAX_PAGES {
                Page::begin(connection, &self.shared);
            } else {
                connection.write(
                    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
                );
                connection.close();
            }
        }
    }
}

impl Protocol for Front {
    fn service(&self) -> &'static str {
        "http"
    }

    fn on_open(&mut self, connection: &mut Connection<'_>) {
        let port = connection.server().address().port();
        let routes = Routes::new(Arc::clone(&self.shared), Arc::clone(&self.told), port);
        let timeouts = self.shared.switches.timeouts(self.shared.sessions.timeouts());
        let session = self.session.insert(Session::new(Box::new(routes), timeouts, connection.now()));
        session.observe(Box::new(Count(Arc::clone(&self.told))));
        // The session ends the connection, and knows when.
        connection.hold(true);
        connection.set_deadline(session.deadline());
    }

    fn on_data(&mut self, connection: &mut Connection<'_>) {
        let reads = reads(1, connection);
        self.drive(connection, reads);
    }

    fn on_ready(&mut self, connection: &mut Connection<'_>) {
        let reads = reads(0, connection);
        self.drive(connection, reads);
    }

    fn on_shutdown(&mut self, connection: &mut Connection<'_>) {
        self.drive(connection, MAX_READS);
    }

    fn ping(&mut self, connection: &mut Connection<'_>) {
        self.drive(connection, MAX_READS);
    }
}
