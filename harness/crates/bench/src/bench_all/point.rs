//! What is measured once in each round.

use crate::generators::Tool;
use records::Phase;

/// One point: a load of one tool on one server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Point {
    /// The server, as an index into the plan's subjects.
    pub(super) subject: usize,
    /// What it is for.
    pub(super) phase: Phase,
    pub(super) tool: Tool,
    pub(super) concurrency: usize,
    pub(super) keep_alive: bool,
    /// In the latency phase: the rate, as per cent of the server's peak. Elsewhere 0.
    pub(super) share: u32,
}

impl Point {
    /// The tool as it is recorded. Silent connections need no generator.
    pub(super) fn tool_name(&self) -> &'static str {
        if self.phase == Phase::Idle { "connections" } else { self.tool.name() }
    }
}
