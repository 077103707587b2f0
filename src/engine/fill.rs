//! Silent windows of known keys (`--fill`): a key that had events before has a row for each window without any.

use super::keys::{KeyId, Keys};
use super::snapshot::Sink;
use super::table::IdMap;
use crate::aggregate::Accumulator;
use crate::aggregate::plan::{AggregatePlan, save_row};
use crate::codec::{Damaged, Reader, put_bytes, put_signed};
use crate::window::WindowId;

/// What the row of a silent window says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filling {
    /// What aggregates print over no events.
    Null,
    /// The same with 0 in place of null where the result is a number.
    Zero,
    /// What the last window of the key with events printed.
    Previous,
}

impl Filling {
    /// Its number among what is saved, from 1.
    pub(super) fn code(self) -> u8 {
        match self {
            Filling::Null => 1,
            Filling::Zero => 2,
            Filling::Previous => 3,
        }
    }

    /// What was saved; 0 is none.
    ///
    /// # Errors
    /// It is damaged.
    pub(super) fn of_code(code: u8) -> Result<Option<Filling>, Damaged> {
        let known = [None, Some(Filling::Null), Some(Filling::Zero), Some(Filling::Previous)];
        known.get(usize::from(code)).copied().ok_or(Damaged("a row is filled with nothing known"))
    }
}

/// Numbers in a gap between two that are used which are used again after a restart.
const FREE: usize = 1 << 16;

/// Which silent windows have a row.
#[derive(Clone, Copy, Debug)]
pub struct Fill {
    /// What it says.
    pub with: Filling,
    /// How many windows after the last one with events; then the key is forgotten.
    pub limit: u64,
}

/// A key that had events, and the last of its windows that had.
#[derive(Debug)]
struct Known {
    last: WindowId,
    /// What that window holds, if it is to be repeated.
    row: Vec<Accumulator>,
    /// Its number among what is saved.
    piece: u64,
    /// Whether it has changed since it was saved.
    is_touched: bool,
}

impl Known {
    fn bytes(&self) -> usize {
        size_of::<(KeyId, Known)>() + self.row.len() * size_of::<Accumulator>()
    }
}

/// The keys that had events in windows that have fired.
#[derive(Debug)]
pub struct Filler {
    fill: Fill,
    known: IdMap<Known>,
    /// Pieces of keys that have been forgotten, to be used again, and how many there have been at the most.
    free: Vec<u64>,
    pieces: u64,
    /// What has changed since the last save, if that is noted.
    changes: Option<Changes>,
}

#[derive(Debug, Default)]
struct Changes {
    touched: Vec<(u64, KeyId)>,
    forgotten: Vec<u64>,
}

impl Filler {
    /// No key is known.
    pub fn new(fill: Fill) -> Filler {
        Filler { fill, known: IdMap::default(), free: Vec::new(), pieces: 0, changes: None }
    }

    /// What rows say.
    pub fn with(&self) -> Filling {
        self.fill.with
    }

    /// Whether any key is known.
    pub fn has_keys(&self) -> bool {
        !self.known.is_empty()
    }

    /// Notes that a window that has fired holds events of a key, and what they come to.
    pub fn note(&mut self, window: WindowId, id: KeyId, row: &[Accumulator], keys: &mut Keys) {
        let Filler { fill, known, free, pieces, changes } = self;
        let is_repeated = fill.with == Filling::Previous;
        let known = known.entry(id).or_insert_with(|| {
            keys.hold(id);
            let piece = free.pop().unwrap_or_else(|| {
                *pieces += 1;
                *pieces - 1
            });
            let row = if is_repeated { row.to_vec() } else { Vec::new() };
            let known = Known { last: window, row, piece, is_touched: false };
            keys.size.grow(known.bytes());
            known
        });
        if window < known.last {
            return;
        }
        known.last = window;
        if is_repeated {
            known.row.clear();
            known.row.extend_from_slice(row);
        }
        if let Some(changes) = changes
            && !known.is_touched
        {
            known.is_touched = true;
            changes.touched.push((known.piece, id));
        }
    }

    /// The known keys that have a row for a window if they are silent in it. Those that have been silent for too long
    /// are forgotten.
    pub fn keys_of(&mut self, window: WindowId, keys: &mut Keys) -> Vec<KeyId> {
        let Filler { fill, known, free, changes, .. } = self;
        known.retain(|id, known| {
            let is_known = window.0.abs_diff(known.last.0) <= fill.limit;
            if !is_known {
                keys.size.shrink(known.bytes());
                keys.release(*id);
                free.push(known.piece);
                changes.iter_mut().for_each(|changes| changes.forgotten.push(known.piece));
            }
            is_known
        });
        known.keys().copied().collect()
    }

    /// What the last window of a key with events holds, if that is what rows say.
    pub fn repeated(&self, id: KeyId) -> Option<&[Accumulator]> {
        self.known.get(&id).filter(|_| self.fill.with == Filling::Previous).map(|known| known.row.as_slice())
    }

    /// Notes from now on what changes.
    pub fn track(&mut self) {
        self.changes = Some(Changes::default());
    }

    /// Hands out what has changed since the last save.
    pub(super) fn save(&mut self, sink: &mut Sink<'_>, keys: &Keys) {
        let Filler { known, changes: Some(changes), .. } = self else { return };
        let group = sink.fixed();
        for piece in changes.forgotten.drain(..) {
            sink.remove(group, piece);
        }
        for (piece, id) in changes.touched.drain(..) {
            // It may have been forgotten, and another may have its place.
            if let Some(known) = known.get_mut(&id).filter(|known| known.piece == piece) {
                known.is_touched = false;
                sink.put(group, piece, |out| {
                    put_bytes(out, keys.bytes(id));
                    put_signed(out, known.last.0);
                    save_row(&known.row, out);
                });
            }
        }
    }

    /// Takes a key that was saved.
    ///
    /// # Errors
    /// It is damaged.
    pub(super) fn restore(
        &mut self,
        piece: u64,
        mut bytes: Reader<'_>,
        plan: &AggregatePlan,
        keys: &mut Keys,
    ) -> Result<(), Damaged> {
        let id = keys.restore(bytes.bytes()?)?;
        let last = WindowId(bytes.signed()?);
        let mut row = Vec::new();
        if self.fill.with == Filling::Previous {
            plan.restore_row(&mut bytes, &mut row)?;
        }
        let known = Known { last, row, piece, is_touched: false };
        keys.size.grow(known.bytes());
        // Those before it that do not come are free.
        let pieces = piece.checked_add(1).filter(|pieces| *pieces <= u64::from(u32::MAX));
        self.pieces = self.pieces.max(pieces.ok_or(Damaged("a row has an impossible number"))?);
        if self.known.insert(id, known).is_some() {
            return Err(Damaged("a key is known twice"));
        }
        bytes.end()
    }

    /// All keys have come.
    pub(super) fn assemble(&mut self) {
        let mut taken: Vec<u64> = self.known.values().map(|known| known.piece).collect();
        taken.sort_unstable();
        // More than that would be a gap that nobody needs.
        self.pieces = taken.last().map_or(0, |last| last + 1);
        let mut next = 0;
        for piece in taken {
            self.free.extend((next..piece).take(FREE));
            next = piece + 1;
        }
    }
}
