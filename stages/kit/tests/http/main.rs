//! `kit::protocol::http` from outside: bytes in, bytes out.
//!
//! * `rules`: what is answered when, one row of the rules after the other;
//! * `cuts`: the same bytes give the same replies, however they are cut, and any bytes do no harm;
//! * `pipelines`: requests that come together get the replies that they get alone;
//! * `files`: the root directory, and what must not leave it;
//! * `limits`: the defaults and the options.
//!
//! `stage` plays the part of a server, `reply` reads replies with no help from kit, `site` is a root
//! directory to serve.

mod cuts;
mod files;
mod limits;
mod pipelines;
mod reply;
mod rules;
mod site;
mod stage;
