//! All integration tests in one binary, one module per topic.

mod aggregates;
mod cli;
mod config;
mod early;
mod formats;
mod generated;
mod golden;
mod history;
mod hostile;
mod logs;
mod model;
mod prometheus;
mod readme;
mod replay;
mod running;
mod seeing;
mod seeing_progress;
mod simulation;
mod streams;
mod table;
mod tidy;
mod transcript;
mod unpack;
mod util;
mod windows;
mod zones;
