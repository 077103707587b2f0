//! `--state DIR`: checkpoints that outlive the process. What they mean is up to the caller.

mod changes;
mod chunk;
mod directory;
mod error;
mod files;
mod head;
mod home;
mod index;
mod medium;
mod quiet;
mod record;
mod recover;
mod state_dir;
mod store;
mod stream;
mod tree;

pub use changes::{Changes, PieceId};
pub use error::StateError;
pub use files::{Calls, Unhindered};
pub use head::FORMAT;
pub use medium::{Fault, Key, Medium};
pub use recover::Examined;
pub use state_dir::{Sizes, StateDir};
pub use store::{MOST_BYTES, SLACK_BYTES, Store};
