//! Auxiliary commands: what the flags' table generates.

pub mod completions;
pub mod man;
