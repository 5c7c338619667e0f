//! Stage 13: the framework. Everything above as a library: an application is a type with callbacks, and never
//! sees a loop, a lock or an epoll instance.
//!
//! ```no_run
//! use framework::{Connection, Protocol, Server, Settings};
//!
//! struct Echo;
//!
//! impl Protocol for Echo {
//!     fn service(&self) -> &'static str {
//!         "echo"
//!     }
//!
//!     fn on_data(&mut self, connection: &mut Connection<'_>) {
//!         let Ok(bytes) = connection.receive() else { return };
//!         let bytes = bytes.to_vec();
//!         connection.write_move(bytes);
//!     }
//! }
//!
//! # fn main() -> std::io::Result<()> {
//! let server = Server::new(Settings { workers: 2, signals: true, announce: true, ..Settings::default() })?;
//! server.run(|_: &Server| Box::new(Echo) as Box<dyn Protocol>)
//! # }
//! ```
//!
//! # Architecture
//!
//! ```text
//!   processes (09's parent; a listener for each child, SO_REUSEPORT)
//!     server      the main reactor of a process: accepts, hands out, stops
//!       | once for each connection, over an eventfd (08's remote queue)
//!     event_loop  a worker: epoll, its connections, its timers        <- tasks: fd_task, each, run_after
//!       | visit: one callback at a time
//!     Protocol    what the application does with a connection         -> Connection: read, write, close
//!       |
//!     hooks       TLS, or nothing                                     -> the socket
//! ```
//!
//! * **One event at a time.** A connection belongs to one loop for its whole life. Its callbacks, and tasks
//!   of other threads for it, run on that loop's thread, one after the other, with `&mut` to the protocol: the
//!   compiler guarantees what the source guards with a `busy` flag for each descriptor.
//! * **Generations.** A [`ConnectionId`] is a descriptor's number and how often it has been used. A task for
//!   a connection that has gone finds nothing, although the number may be another client's by then.
//! * **A callback queues, the loop sends**: what one callback writes leaves in one call after it.
//!
//! What is reused: the shape of 08 (main reactor and a loop per thread) with its remote queue
//! (`loop_per_thread::remote`), 09's parent and reuseport group, the timers, the descriptor in reserve, and
//! of kit the connection table, the acceptor, the shutdown and, in `httpd`, the session. What is not: 08's
//! loop itself and 04's connection, which drive a *session*; here the loop must not know what a connection is
//! for. The access log and the ways to send files are for the protocol to use, not for the framework.
//!
//! # The operations of the source, and their counterparts
//!
//! | source 000 | here |
//! |---|---|
//! | `listen(settings)` | [`Server::new`], [`Server::run`] |
//! | `stop`, `stop_all` | [`Server::stop`], [`Server::stop_all`], from any thread. One process has one server under signals, so `stop_all` means all *processes* |
//! | `settings`, `root_pid`, `capacity` | [`Server::settings`], [`Server::root_pid`], [`Server::capacity`] |
//! | `reactor` | none: what one could do with it, the borrow checker could not follow |
//! | `attach` | [`Server::attach`] |
//! | `close`, `touch`, `set_timeout` | on [`Connection`] in a callback, on [`Server`] by id from any thread |
//! | `hijack` | [`Connection::hijack`]; it does not block until everything is sent, it calls back then |
//! | `count(service)` | [`Server::count`] |
//! | `is_busy` | [`Server::is_busy`]; nothing depends on it |
//! | `get_protocol`, `set_protocol` | [`Connection::service`], [`Connection::protocol`], [`Connection::set_protocol`] |
//! | `get_udata`, `set_udata` | the protocol's own fields; [`Connection::user_data`], [`Connection::set_user_data`] |
//! | server's `udata` | the fields of the [`Application`] |
//! | `rw_hooks` | [`Connection::set_hooks`]; one value has both hooks and their state |
//! | `read`, `write`, `write_urgent`, `sendfile` | the same on [`Connection`]; [`Connection::receive`] reads without a copy |
//! | `write_move`, `write_move_urgent` | the same: a moved `Vec<u8>`, or an `Arc<[u8]>` that many connections share |
//! | `run_after`, `run_every` | [`Server::run_after`], [`Server::run_every`]: no descriptor each; and [`ScheduledTask::cancel`] |
//! | `fd_task` | [`Server::fd_task`] |
//! | `each`, `each_block` | [`Server::each`], [`Server::each_block`] |
//! | `on_init`, `on_finish`, `on_tick`, `on_idle`, `on_init_thread` | [`Application`] |
//! | `on_open`, `on_data`, `on_ready`, `on_shutdown`, `on_close`, `ping` | [`Protocol`] |
//! | `Buffer.create`, `destroy_buffer` | none: a queue is empty until something waits, and is dropped with its owner |
//! | `async`: a pool of threads with a queue | none: a loop per thread needs no pool; [`Server::run_in_loop`] queues for one loop. See stages 06 and 07 |

mod application;
pub mod capacity;
mod connection;
mod counters;
mod event_loop;
mod handle;
mod hooks;
mod link;
mod loop_clock;
mod outgoing;
mod packet;
mod processes;
mod protocol;
mod schedule;
mod server;
mod settings;
mod tasks;
mod worker;

pub use application::Application;
pub use connection::Connection;
pub use counters::{WorkerCounters, percentile};
pub use handle::{ConnectionId, Server};
pub use hooks::Hooks;
pub use packet::Packet;
pub use protocol::{Protocol, Reason};
pub use schedule::ScheduledTask;
pub use settings::Settings;
