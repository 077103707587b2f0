//! Keys as small integers: each key that has state anywhere is kept once, counted by its uses, and
//! forgotten with the last of them.

use super::fired::Fired;
use crate::codec::Damaged;
use crate::event::column::{self, HEAD, KeyColumn, head};
use crate::event::key;
use crate::metrics::StateSize;
use hashbrown::HashTable;

/// A key that has state. Valid while at least one use of it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyId(pub u32);

/// What is looked at for each event: it is small, so that many stay near the processor.
#[derive(Debug)]
struct Entry {
    /// See [`head`].
    head: [u8; HEAD],
    /// The slice the key was last found in, and its row there: most events come where the last did.
    slice: i64,
    row: u32,
    uses: u32,
}

#[derive(Debug)]
struct Rest {
    hash: u64,
    length: u32,
    /// The whole key, if the head is not.
    bytes: Box<[u8]>,
}

/// No row is this one, and any slice may have any number.
const NO_ROW: u32 = u32::MAX;

/// The keys that have state.
#[derive(Debug, Default)]
pub struct Keys {
    index: HashTable<u32>,
    entries: Vec<Entry>,
    rests: Vec<Rest>,
    free: Vec<u32>,
    /// How many keys have been forgotten.
    forgotten: u64,
    /// Size of all state; the tables that hold rows count theirs here as well.
    pub size: StateSize,
}

/// What was said of a key some time ago.
#[derive(Clone, Copy, Debug, Default)]
pub struct Guess {
    id: Option<KeyId>,
    /// How many keys had been forgotten then: an id is good until one is.
    forgotten: u64,
}

const ENTRY_BYTES: usize = size_of::<Entry>() + size_of::<Rest>() + size_of::<u32>();

impl Keys {
    /// The id of a key, if it has state.
    #[inline]
    pub fn find(&self, key: &[u8], hash: u64) -> Option<KeyId> {
        self.find_by_head(&head(key), key, hash)
    }

    /// As [`Keys::find`], for a key whose [`head`] is at hand.
    #[inline]
    fn find_by_head(&self, head: &[u8; HEAD], key: &[u8], hash: u64) -> Option<KeyId> {
        let is_same = |id: &u32| {
            self.entries[*id as usize].head == *head && (key.len() <= HEAD || *self.rests[*id as usize].bytes == *key)
        };
        self.index.find(hash, is_same).map(|id| KeyId(*id))
    }

    /// Looks up the key of an event before its turn.
    #[inline]
    pub fn guess(&self, keys: &KeyColumn, index: usize) -> Guess {
        let (key, hash) = keys.get(index);
        Guess { id: self.find_by_head(&keys.head(index), key, hash), forgotten: self.forgotten }
    }

    /// The id of a key, new if it has no state yet. The caller [holds](Keys::hold) it if it keeps it.
    /// `guess` is what [`Keys::guess`] said a little earlier; it may be out of date.
    #[inline]
    pub fn intern(&mut self, key: &[u8], hash: u64, guess: Guess) -> KeyId {
        if let Some(id) = guess.id
            && guess.forgotten == self.forgotten
        {
            return id;
        }
        self.intern_anew(key, hash)
    }

    /// The id of a key that is restored, which is held.
    ///
    /// # Errors
    /// It is no key.
    pub fn restore(&mut self, key: &[u8]) -> Result<KeyId, Damaged> {
        if !key::is_whole(key) || key.len() > u32::MAX as usize {
            return Err(Damaged("a key is none"));
        }
        let id = self.intern_anew(key, column::hash(key));
        self.hold(id);
        Ok(id)
    }

    fn intern_anew(&mut self, key: &[u8], hash: u64) -> KeyId {
        match self.find(key, hash) {
            Some(id) => id,
            None => self.insert(key, hash),
        }
    }

    #[cold]
    fn insert(&mut self, key: &[u8], hash: u64) -> KeyId {
        let entry = Entry { head: head(key), slice: 0, row: NO_ROW, uses: 0 };
        let bytes = if key.len() > HEAD { key.into() } else { Box::default() };
        let rest = Rest { hash, length: key.len() as u32, bytes };
        self.size.grow(rest.bytes.len() + ENTRY_BYTES);
        let id = match self.free.pop() {
            Some(id) => {
                self.entries[id as usize] = entry;
                self.rests[id as usize] = rest;
                id
            }
            None => {
                self.entries.push(entry);
                self.rests.push(rest);
                self.entries.len() as u32 - 1
            }
        };
        let rests = &self.rests;
        self.index.insert_unique(hash, id, |id| rests[*id as usize].hash);
        KeyId(id)
    }

    /// The row of a key in a slice, if it is the one noted last.
    #[inline]
    pub fn noted_row(&self, id: KeyId, slice: i64) -> Option<u32> {
        let entry = &self.entries[id.0 as usize];
        (entry.slice == slice && entry.row != NO_ROW).then_some(entry.row)
    }

    /// Notes the row of a key in a slice; what was noted before is returned. Slices do not come back once they are gone.
    #[inline]
    pub fn note_row(&mut self, id: KeyId, slice: i64, row: u32) -> Option<(i64, u32)> {
        let entry = &mut self.entries[id.0 as usize];
        let (slice, row) = (std::mem::replace(&mut entry.slice, slice), std::mem::replace(&mut entry.row, row));
        (row != NO_ROW).then_some((slice, row))
    }

    /// Notes one more use of a key.
    #[inline]
    pub fn hold(&mut self, id: KeyId) {
        self.entries[id.0 as usize].uses += 1;
    }

    /// Ends a use of a key; with the last use the key is forgotten.
    pub fn release(&mut self, id: KeyId) {
        let entry = &mut self.entries[id.0 as usize];
        entry.uses -= 1;
        if entry.uses == 0 {
            let rest = &mut self.rests[id.0 as usize];
            self.size.shrink(rest.bytes.len() + ENTRY_BYTES);
            rest.bytes = Box::default();
            if let Ok(found) = self.index.find_entry(rest.hash, |other| *other == id.0) {
                found.remove();
            }
            self.forgotten += 1;
            self.free.push(id.0);
            if self.free.len() == self.entries.len() {
                // Nothing is left: give the memory back.
                (self.index, self.entries, self.rests, self.free) = Default::default();
            }
        }
    }

    /// Looks at all that is kept of a key, so that it is near when it is needed.
    #[inline]
    pub fn look_at(&self, id: KeyId) -> u32 {
        self.entries[id.0 as usize].uses ^ self.rests[id.0 as usize].length
    }

    /// As [`Keys::release`], of a key that leaves with a row.
    #[inline]
    pub fn hand_over(&mut self, id: KeyId, fired: &mut Fired) {
        fired.push(self.bytes(id));
        self.release(id);
    }

    /// The bytes of a key.
    #[inline]
    pub fn bytes(&self, id: KeyId) -> &[u8] {
        let Rest { length, bytes, .. } = &self.rests[id.0 as usize];
        match bytes.len() {
            0 => &self.entries[id.0 as usize].head[..*length as usize],
            _ => bytes,
        }
    }

    /// How many keys have state.
    #[inline]
    pub fn count(&self) -> usize {
        self.entries.len() - self.free.len()
    }

    /// One more than the largest id there is.
    pub fn limit(&self) -> usize {
        self.entries.len()
    }

    /// Sorts by key (N6) what `id` tells the key of.
    pub fn sort_by_key<T: Copy>(&self, items: &mut Vec<T>, scratch: &mut Vec<(u128, T)>, id: impl Fn(T) -> KeyId) {
        // As numbers, heads order like bytes. A shorter key has zeros behind, and no longer one comes before that.
        let head = |item: &T| u128::from_be_bytes(self.entries[id(*item).0 as usize].head);
        scratch.clear();
        scratch.extend(items.iter().map(|item| (head(item), *item)));
        scratch.sort_unstable_by(|(a, x), (b, y)| a.cmp(b).then_with(|| self.bytes(id(*x)).cmp(self.bytes(id(*y)))));
        items.clear();
        items.extend(scratch.iter().map(|(_, item)| *item));
    }
}
