//! The command line: webbench 1.5's flags and defaults.

use clap::Parser;
use lab_core::whole;

/// What differs from the original on purpose, for `--help`.
const MENDED: &str = "\
Same flags, request, counting and report as webbench 1.5. Mended: a completed run exits with 0; bytes are \
counted in 64 bits; the preamble is printed once, not once per client; children are waited for; the alarm \
repeats, so a client that it misses just before a read does not hang; the host is looked up once, and each \
of its addresses is tried; an IPv6 address has its brackets in Host; stderr reports when nothing was \
counted, or when no reply was a 2xx, neither of which the report shows.
Exit: 0 done, 1 the server cannot be reached, 2 bad arguments, 3 the run failed.";

/// Fetches a URL again and again with several clients, each a process, and reports the speed.
#[derive(Clone, Debug, Parser)]
#[command(
    name = "webbench",
    override_usage = "webbench [option]... URL",
    after_help = MENDED,
    disable_help_flag = true,
    disable_version_flag = true
)]
pub struct Options {
    /// Don't wait for the reply.
    #[arg(short, long)]
    pub force: bool,
    /// Send `Pragma: no-cache` (with a proxy only).
    #[arg(short, long)]
    pub reload: bool,
    /// Run for so many seconds.
    #[arg(short, long, value_name = "N", default_value_t = 30, value_parser = whole::<u32>(1..=86_400))]
    pub time: u32,
    /// Send the requests to this proxy; port 80 if none is named.
    #[arg(short, long, value_name = "HOST:PORT")]
    pub proxy: Option<String>,
    /// Run so many clients at once; 0 means 1.
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = whole::<u32>(0..=30_000))]
    pub clients: u32,
    /// HTTP/0.9: a bare request line, then the sending side is shut.
    #[arg(short = '9', long, group = "version")]
    http09: bool,
    /// HTTP/1.0 (the default).
    #[arg(short = '1', long, group = "version")]
    http10: bool,
    /// HTTP/1.1, with `Connection: close`.
    #[arg(short = '2', long, group = "version")]
    http11: bool,
    /// The method GET (the default).
    #[arg(long, group = "method")]
    get: bool,
    /// The method HEAD; at least HTTP/1.0.
    #[arg(long, group = "method")]
    head: bool,
    /// The method OPTIONS; HTTP/1.1.
    #[arg(long, group = "method")]
    options: bool,
    /// The method TRACE; HTTP/1.1.
    #[arg(long, group = "method")]
    trace: bool,
    /// This text (on stderr; exit 2, as the original).
    #[arg(short, visible_short_alias = '?', long)]
    pub help: bool,
    /// Print the version.
    #[arg(short = 'V', long = "version")]
    pub print_version: bool,
    /// `http://HOST[:PORT]/PATH`
    pub url: Option<String>,
}

/// The version of HTTP that is spoken. In order of age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// No version in the request line, no headers.
    Http09,
    /// The default.
    Http10,
    /// With `Connection: close`.
    Http11,
}

impl Options {
    /// The version to speak: what was asked for, raised to what the method needs.
    pub fn version(&self) -> Version {
        let asked = match (self.http09, self.http11) {
            (true, _) => Version::Http09,
            (_, true) => Version::Http11,
            _ => Version::Http10,
        };
        match self.method() {
            "HEAD" => asked.max(Version::Http10),
            "OPTIONS" | "TRACE" => Version::Http11,
            _ => asked,
        }
    }

    /// The method of the request.
    pub fn method(&self) -> &'static str {
        let methods = [(self.head, "HEAD"), (self.options, "OPTIONS"), (self.trace, "TRACE")];
        methods.into_iter().find(|(is_asked, _)| *is_asked).map_or("GET", |(_, method)| method)
    }
}
