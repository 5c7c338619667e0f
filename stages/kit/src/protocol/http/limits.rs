//! What the server accepts, at most: each limit is an option of every stage.

use clap::value_parser;

/// The largest value of `--max-header-lines`: the parser's table is on the stack.
pub(super) const MAX_LINES: usize = 256;

/// What the server accepts, at most. Each is an option of every stage.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "HTTP limits")]
pub struct Limits {
    /// Longest request line, its line end included, in bytes (above: 414)
    #[arg(long, value_name = "BYTES", default_value_t = Self::DEFAULT.max_request_line)]
    #[arg(value_parser = value_parser!(u32).range(64..=1 << 20))]
    pub max_request_line: u32,

    /// Longest header section, line ends included, in bytes (above: 431); bounds chunk trailers too
    #[arg(long, value_name = "BYTES", default_value_t = Self::DEFAULT.max_header_bytes)]
    #[arg(value_parser = value_parser!(u32).range(64..=1 << 20))]
    pub max_header_bytes: u32,

    /// Most header lines in one request (above: 431)
    #[arg(long, value_name = "LINES", default_value_t = Self::DEFAULT.max_header_lines)]
    #[arg(value_parser = value_parser!(u16).range(1..=MAX_LINES as i64))]
    pub max_header_lines: u16,

    /// Longest request body, in bytes (above: 413)
    #[arg(long, value_name = "BYTES", default_value_t = Self::DEFAULT.max_body)]
    #[arg(value_parser = value_parser!(u64).range(0..=1 << 30))]
    pub max_body: u64,

    /// Most requests on one connection; the last reply says `Connection: close` [default: unlimited]
    #[arg(long, value_name = "REQUESTS")]
    #[arg(value_parser = value_parser!(u32).range(1..))]
    pub max_requests: Option<u32>,

    /// Largest N of /bytes/N, in bytes (above: 400)
    #[arg(long, value_name = "BYTES", default_value_t = Self::DEFAULT.max_bytes)]
    #[arg(value_parser = value_parser!(u64).range(0..=1 << 40))]
    pub max_bytes: u64,

    /// Largest MS of /sleep/MS, in milliseconds (above: 400)
    #[arg(long, value_name = "MS", default_value_t = Self::DEFAULT.max_sleep)]
    #[arg(value_parser = value_parser!(u64).range(0..=3_600_000))]
    pub max_sleep: u64,

    /// Largest US of /spin/US, in microseconds (above: 400)
    #[arg(long, value_name = "US", default_value_t = Self::DEFAULT.max_spin)]
    #[arg(value_parser = value_parser!(u64).range(0..=60_000_000))]
    pub max_spin: u64,
}

impl Limits {
    const DEFAULT: Self = Self {
        max_request_line: 8 * 1024,
        max_header_bytes: 16 * 1024,
        max_header_lines: 100,
        max_body: 1 << 20,
        max_requests: None,
        max_bytes: 1 << 30,
        max_sleep: 60_000,
        max_spin: 1_000_000,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
