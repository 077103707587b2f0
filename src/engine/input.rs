//! What comes into the engine, and what ends a run early.

use super::Cursor;
use crate::event::{EventBatch, SourceId};
use crate::time::{Span, Timestamp};

/// Why a run was stopped before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// `--strict`, and a bad record.
    Strict,
    /// `--max-bad`.
    MaxBad,
    /// `--max-late`.
    MaxLate,
    /// `--key-limit`, at this record.
    KeyLimit {
        /// Its input.
        source: u32,
        /// Its line.
        line: u64,
    },
}

/// What comes in, in the order that counts.
#[derive(Debug)]
pub enum Input<'a> {
    /// Records, and when they are taken.
    Batch(&'a EventBatch, Now),
    /// Records from a cursor on, as long as those of no other input come before them (`--merge`).
    Part(&'a EventBatch, &'a mut Cursor, Now),
    /// An input speaks again that was idle.
    Wake(SourceId),
    /// An input has been silent for too long (`--idle-timeout`).
    Idle(SourceId),
    /// All partitions that had no event since this moment of the run have been silent for too long.
    IdleSince(Span),
    /// No more records of one of several inputs.
    EndOf(SourceId),
    /// No more of them in this run: the minimum waits for what a later one brings (T5).
    Rest(SourceId),
    /// What is open fires, and the watermark stays as it is but for a floor under each kind of windows (T5).
    Flush,
    /// No more of them: the watermark becomes infinite (T5).
    End,
}

/// When something is taken; the engine itself looks at no clock.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// What the wall clock says.
    pub wall: Timestamp,
    /// Time since the run began.
    pub elapsed: Span,
}
