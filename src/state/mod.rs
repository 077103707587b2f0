//! `--state DIR`: checkpoints that outlive the process. What they mean is up to the caller.
//!
//! ```text
//! StateDir ── lock, owner, format ─▶ directory
//!     │
//!     ▼
//!   Store ── log of chunks, heads, sweep ─▶ trait Medium ◀── Home: sled, its copies, its mark ─▶ Tree: one sled
//!     │                                          ▲
//!     └─▶ index: what is where                   └── simulated in tests: loses, tears, refuses
//! ```
//!
//! # For whoever writes
//!
//! State is made of *pieces*: bytes under a [`PieceId`], which is a group and a row in it. A piece may be one
//! window of one key; changed ones are put again, and a slice whose windows are all gone is one
//! [`remove_group`](Changes::remove_group). The engine's thread fills [`Changes`], which costs a copy of the bytes;
//! another thread owns the [`StateDir`] and does all else:
//!
//! 1. [`StateDir::open`] says what was there: [`epoch`](StateDir::epoch), [`payload`](StateDir::payload),
//!    [`notice`](StateDir::notice); [`visit`](StateDir::visit) hands out the pieces. Nothing has been changed yet.
//! 2. [`append`](StateDir::append), any number of times, writes changes that no checkpoint has yet.
//! 3. [`commit`](StateDir::commit) makes a checkpoint of them and of a new payload: the positions of inputs
//!    and outputs, counters, whatever must change at the same moment. All of it, or nothing.
//!
//! sled starts threads of its own on first use; they inherit the signal mask of the thread that opens.
//!
//! # What it costs
//!
//! A million windows of 100 bytes, measured as tests/state_figures.rs does, on two shared cores and a disk that syncs in
//! less than a millisecond: a checkpoint takes 9 ms of the writer's thread when 1 % has changed, 0.11 s when 10 % has,
//! 0.9 s when everything has. Opening and reading all back takes 0.8 to 1.2 s. The directory grows to 4.1 times the
//! live state, the process by about 100 MB. Ten million windows that come and go, 75,000 at a time, leave it at 45 MB.

mod changes;
mod chunk;
mod directory;
mod error;
mod files;
mod head;
mod home;
mod index;
mod lock;
mod medium;
mod quiet;
mod record;
mod recover;
mod rows;
mod state_dir;
mod store;
mod stream;
mod tree;

pub use changes::{Changes, PieceId};
pub use error::StateError;
pub use files::{Calls, Unhindered};
pub use head::FORMAT;
pub use lock::{Lock, take_lock};
pub use medium::{Fault, Key, Medium};
pub use recover::Examined;
pub use state_dir::{Sizes, StateDir};
pub use store::{MOST_BYTES, SLACK_BYTES, Store};
