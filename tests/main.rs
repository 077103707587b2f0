//! All integration tests in one binary, one module per topic.

mod formats;
mod generated;
mod history;
mod logs;
mod model;
mod readme;
mod simulation;
mod tidy;
mod transcript;
mod util;
