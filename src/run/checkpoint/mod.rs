//! `--state`: a run that can be killed at any moment and goes on as if nothing had happened.
//!
//! ```text
//! inputs ─▶ batches ─▶ engine ─▶ rows ─▶ files           the run's thread: takes a batch, notes how far inputs are
//!    ▲                    │                │
//! positions          changed pieces     lengths           every 10 s: what belongs to one moment
//!    └────────────────────┴────────────────┘
//!                         ▼
//!                  checkpoint thread ─▶ StateDir           sync files, append, sync, head, sync
//! ```
//!
//! [`open`] finds out what is there, and refuses before anything is changed; [`Keeper`] is what the run holds.

pub mod inputs;
mod keeper;
pub mod look;
mod of_output;
mod opening;
pub mod outputs;
pub mod paths;
pub mod record;
mod restore;
mod target;
mod writer;

use crate::codec::Damaged;
use crate::error::Error;
pub use keeper::{Keeper, Pauses, Rest, Written};
pub use opening::{Ends, open};
pub use restore::restore;

fn damaged(directory: &str, what: Damaged) -> Error {
    Error::Refused(format!(
        "state in {directory} is damaged: {what}; nothing was overwritten (use another --state, or streamw state reset \
         {directory})"
    ))
}
