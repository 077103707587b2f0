//! What can be wrong with a state directory, told so that a person can act on it.

use super::head::FORMAT;
use super::medium::Fault;
use crate::error::plain;
use std::io;
use std::path::Path;

/// Why a state directory cannot be used, or can no longer be written.
///
/// Each text names the directory as the user did and, where there is one, the way out. None of these is
/// repaired behind the user's back: whoever gets one of them has a directory with the same checkpoints as before.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another run has it.
    #[error("state in {dir} is in use by {}", holder(*.process))]
    InUse {
        /// As named to people.
        dir: String,
        /// The process that holds the lock, if it has said so yet.
        process: Option<u32>,
    },

    /// The path is no directory that this program may keep its state in.
    #[error("{dir} cannot hold the state: {why}")]
    Unfit {
        /// As named to people.
        dir: String,
        /// What is wrong, and what would help.
        why: String,
    },

    /// There is no state to look at.
    #[error("there is no state in {dir}")]
    Missing {
        /// As named to people.
        dir: String,
    },

    /// Written by a later version of the program.
    #[error(
        "state in {dir} has the newer format {found}, this streamw reads up to {known} (use the newer streamw, or another --state)"
    )]
    Newer {
        /// As named to people.
        dir: String,
        /// The format found.
        found: u32,
        /// The newest one known here.
        known: u32,
    },

    /// Neither of the two newest checkpoints is whole.
    #[error(
        "state in {dir} is damaged: {what}; nothing was overwritten (use another --state, or streamw state reset {dir})"
    )]
    Damaged {
        /// As named to people.
        dir: String,
        /// What was found.
        what: String,
    },

    /// The system refused.
    #[error("state in {dir}: {doing}: {}", plain(.source))]
    Io {
        /// As named to people.
        dir: String,
        /// What was being done.
        doing: String,
        /// Why not.
        source: io::Error,
    },

    /// More than the format can hold.
    #[error("state in {dir}: {what} of {bytes} bytes is too large to be saved")]
    TooLarge {
        /// As named to people.
        dir: String,
        /// What was to be saved.
        what: &'static str,
        /// Its size.
        bytes: u64,
    },

    /// A write has failed before; nothing more is written in this run.
    #[error("state in {dir} can no longer be written after an earlier error")]
    Dead {
        /// As named to people.
        dir: String,
    },
}

impl StateError {
    /// What the layers below say, with the directory named.
    pub(super) fn told(dir: &str, fault: Fault) -> StateError {
        let dir = dir.to_owned();
        match fault {
            Fault::Damaged(what) => StateError::Damaged { dir, what },
            Fault::Newer(found) => StateError::Newer { dir, found, known: FORMAT },
            Fault::TooLarge(what, bytes) => StateError::TooLarge { dir, what, bytes },
            Fault::Dead => StateError::Dead { dir },
            Fault::Io { doing, source } => StateError::Io { dir, doing, source },
        }
    }
}

fn holder(process: Option<u32>) -> String {
    process.map_or_else(|| "another process".to_owned(), |id| format!("process {id}"))
}

/// The name of a directory in messages: as given, with one slash at the end.
pub(super) fn shown(path: &Path) -> String {
    let mut text = path.display().to_string();
    if !text.ends_with('/') {
        text.push('/');
    }
    text
}
