//! The grader is graded: by servers that are wrong on purpose, and as a command.

mod command_line;
mod judging;
mod stub;
