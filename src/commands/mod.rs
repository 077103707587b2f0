//! Auxiliary commands: what the flags' table generates.

pub mod chaos;
pub mod completions;
pub mod man;
