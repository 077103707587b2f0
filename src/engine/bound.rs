//! Bounded keys (`--key-limit`): at most so many have state, per `-w`. What becomes of others is decided event by
//! event, from what came before it alone.

use super::keys::Keys;
use crate::event::{column, key};

/// A limit on keys.
#[derive(Clone, Copy, Debug)]
pub struct KeyLimit {
    /// The most keys with state.
    pub most: usize,
    /// What becomes of an event with one more.
    pub beyond: Beyond,
    /// Fields of a key.
    pub fields: usize,
}

/// What becomes of an event whose key is one too many (`--on-key-limit`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// The run stops.
    Fail,
    /// It is folded into one row for all such.
    Other,
    /// It is dropped and counted.
    Drop,
}

/// The limit, and the key of the row that others are folded into.
#[derive(Debug)]
pub struct Bound {
    limit: KeyLimit,
    other: Vec<u8>,
    hash: u64,
}

impl Bound {
    /// A limit.
    pub fn new(limit: KeyLimit) -> Bound {
        let other = key::other(limit.fields);
        Bound { limit, hash: column::hash(&other), other }
    }

    /// The key of the row that others are folded into, and its hash.
    pub fn other(&self) -> (&[u8], u64) {
        (&self.other, self.hash)
    }

    /// What becomes of an event, unless it has its place: its key has state, or may have. `would_take` says whether
    /// a window would take it; if none does, it takes nobody's place.
    #[inline]
    pub fn judge(&self, keys: &Keys, (key, hash): (&[u8], u64), would_take: impl FnOnce() -> bool) -> Option<Beyond> {
        if keys.count() < self.limit.most || keys.find(key, hash).is_some() {
            return None;
        }
        // The row of others is none of them.
        let others = usize::from(keys.find(&self.other, self.hash).is_some());
        (keys.count() - others >= self.limit.most && would_take()).then_some(self.limit.beyond)
    }
}
