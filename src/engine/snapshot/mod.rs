//! The engine's whole state as pieces, and back (section 5 of the contract).
//!
//! ```text
//! Engine::kept ─▶ step … step ─▶ save(pieces) ─▶ head      put, remove, remove_group: what has changed since
//!                     ▲                │                    the last save, so that the cost follows the change
//!                     └────────────────┘
//! Restore::new(config, head) ─▶ piece(group, row, bytes) … ─▶ finish ─▶ Engine, as if nothing had happened
//! ```
//!
//! A piece is one row: the accumulators of one key in one slice, one session, one cell. The rows of a table share
//! a group, which goes as a whole when all its windows are gone. A row carries its key, so that there is no
//! dictionary to be kept in step. Ids of keys, hashes, alarms, nodes above slices and what follows from the
//! watermark are made anew. The head has everything else: it is small, whatever the number of windows.
//!
//! Whoever restores must give the configuration that the state was saved with. That the flags are the same is
//! checked elsewhere; here only that the pieces go together. Damaged ones are refused, whatever is wrong with them.
//!
//! # What it costs
//!
//! A million windows with count, sum and max of keys of 19 bytes, measured by `snapshot_figures` in tests/snapshot.rs, built
//! as tests are, on two shared cores under load: a piece has 30 bytes, a session's 48. Saving takes the engine's thread
//! 3 to 8 ms when 1 % has changed, 17 to 45 ms when 10 % has, up to 90 ms when everything has, 10 µs when nothing has; the
//! head has about 100 bytes. Restoring takes 0.5 s, sessions 1.1 s. Noting changes costs a bit in memory for each row.
//!
//! # Numbers of groups
//!
//! Slot 0 is the engine's, and slot `n` that of the n-th `-w`. The groups of all slots are counted from 1, and the
//! number of a group is `count * slots + slot`; each is used once. Group 0 of a slot is there for good.

mod cells;
mod head;
mod marks;
mod restore;
mod rows;
mod sessions;
mod slices;

pub use crate::codec::Damaged;
pub(super) use cells::WindowChanges;
pub(super) use marks::Marks;
pub use restore::Restore;
pub(super) use rows::{Rows, arrange};
pub(super) use sessions::SessionChanges;
pub(super) use slices::SliceChanges;

use super::{Context, Engine, Machine};
use crate::codec::Reader;

/// Takes what has changed. Of several changes of one piece the last one holds.
pub trait Pieces {
    /// The piece is now this.
    fn put(&mut self, group: u64, row: u64, bytes: &[u8]);
    /// The piece is gone.
    fn remove(&mut self, group: u64, row: u64);
    /// All pieces of the group are gone.
    fn remove_group(&mut self, group: u64);
}

/// Gives groups their numbers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Groups {
    slots: u64,
    /// How many there have been.
    count: u64,
}

/// A group of pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Its number; 0 is none.
    pub number: u64,
    /// Whether it is the one of its slot that is there for good.
    pub is_fixed: bool,
}

impl Groups {
    /// For so many `-w`.
    pub fn new(windows: usize) -> Groups {
        Groups { slots: windows as u64 + 1, count: 0 }
    }

    /// The slot of a group, and the group.
    fn of(&self, number: u64) -> Result<(usize, Group), Damaged> {
        let (slot, count) = (number % self.slots, number / self.slots);
        let group = Group { number, is_fixed: count == 0 };
        if count <= self.count { Ok((slot as usize, group)) } else { Err(Damaged("a group was never used")) }
    }
}

/// Where the pieces of one slot go.
pub(super) struct Sink<'a> {
    slot: usize,
    groups: &'a mut Groups,
    pieces: &'a mut dyn Pieces,
    /// Memory that is used again.
    scratch: Vec<u8>,
}

impl Sink<'_> {
    /// What follows is of this slot.
    pub fn enter(&mut self, slot: usize) {
        self.slot = slot;
    }

    /// The group of the slot that is there for good.
    pub fn fixed(&self) -> u64 {
        self.slot as u64
    }

    /// This group, or if it is none one that was never used before.
    pub fn group(&mut self, group: &mut u64) -> u64 {
        if *group == 0 {
            self.groups.count += 1;
            *group = self.groups.count * self.groups.slots + self.slot as u64;
        }
        *group
    }

    /// The piece is now what `write` appends.
    pub fn put(&mut self, group: u64, row: u64, write: impl FnOnce(&mut Vec<u8>)) {
        self.scratch.clear();
        write(&mut self.scratch);
        self.pieces.put(group, row, &self.scratch);
    }

    /// The piece is gone.
    pub fn remove(&mut self, group: u64, row: u64) {
        self.pieces.remove(group, row);
    }

    /// All pieces of the group are gone.
    pub fn remove_group(&mut self, group: u64) {
        self.pieces.remove_group(group);
    }
}

/// State that is saved as pieces.
pub(super) trait Kept {
    /// Notes from now on what changes. To be called before anything has.
    fn track(&mut self);

    /// Hands out what has changed since the last save.
    fn save(&mut self, sink: &mut Sink<'_>, cx: &Context<'_>);

    /// Appends what is saved each time.
    fn save_head(&self, out: &mut Vec<u8>);

    /// # Errors
    /// Nobody can have saved this.
    fn restore_head(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged>;

    /// Takes a piece. They come in any order.
    ///
    /// # Errors
    /// Nobody can have saved this.
    fn piece(&mut self, group: Group, row: u64, bytes: Reader<'_>, cx: &mut Context<'_>) -> Result<(), Damaged>;

    /// All pieces have come.
    ///
    /// # Errors
    /// They do not go together.
    fn assemble(&mut self, cx: &mut Context<'_>) -> Result<(), Damaged>;
}

impl Engine {
    /// Notes from now on what changes, so that it can be [saved](Engine::save). To be called before the first step.
    pub fn kept(mut self) -> Engine {
        match &mut self.windows {
            Machine::Slices(store) => store.track(),
            Machine::Sessions(store) => store.track(),
            Machine::General(general) => {
                general.sources.track();
                general.lanes.lanes.iter_mut().for_each(|lane| lane.windows.store_mut().track());
            }
        }
        self
    }

    /// Hands out as pieces what has changed since the last save, and returns the head: of it and of all pieces
    /// that there are then, [`Restore`] makes this engine again. To be called between steps, also after one that
    /// has stopped the run, on an engine that is [kept](Engine::kept).
    pub fn save(&mut self, pieces: &mut dyn Pieces) -> Vec<u8> {
        head::save(self, pieces)
    }
}
