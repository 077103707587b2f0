//! Keys as small integers: each key that has state anywhere is kept once, counted by its uses, and
//! forgotten with the last of them.

use crate::metrics::StateSize;
use hashbrown::HashTable;
use smallvec::SmallVec;

/// A key that has state. Valid while at least one use of it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyId(pub u32);

#[derive(Debug)]
struct Entry {
    hash: u64,
    /// Short keys lie here and not elsewhere: each event compares its key with them.
    bytes: SmallVec<[u8; 16]>,
    uses: u32,
    /// The slice the key was last found in, and its row there: most events come where the last did.
    last: (i64, u32),
}

/// No row is this one, and any slice may have any number.
const NO_ROW: u32 = u32::MAX;

/// The keys that have state.
#[derive(Debug, Default)]
pub struct Keys {
    index: HashTable<u32>,
    entries: Vec<Entry>,
    free: Vec<u32>,
    /// Size of all state; the tables that hold rows count theirs here as well.
    pub size: StateSize,
}

const ENTRY_BYTES: usize = size_of::<Entry>() + size_of::<u32>();

impl Keys {
    /// The id of a key, if it has state.
    #[inline]
    pub fn find(&self, key: &[u8], hash: u64) -> Option<KeyId> {
        let found = self.index.find(hash, |id| self.is(KeyId(*id), key, hash));
        found.map(|id| KeyId(*id))
    }

    #[inline]
    fn is(&self, id: KeyId, key: &[u8], hash: u64) -> bool {
        let entry = &self.entries[id.0 as usize];
        entry.hash == hash && entry.bytes.as_slice() == key
    }

    /// The id of a key, new if it has no state yet. The caller [holds](Keys::hold) it if it keeps it.
    /// `guess` is what [`Keys::find`] said a little earlier; it may be out of date.
    #[inline]
    pub fn intern(&mut self, key: &[u8], hash: u64, guess: Option<KeyId>) -> KeyId {
        if let Some(id) = guess
            && self.entries.get(id.0 as usize).is_some_and(|entry| entry.uses > 0)
            && self.is(id, key, hash)
        {
            return id;
        }
        match self.find(key, hash) {
            Some(id) => id,
            None => self.insert(key, hash),
        }
    }

    #[cold]
    fn insert(&mut self, key: &[u8], hash: u64) -> KeyId {
        self.size.grow(key.len() + ENTRY_BYTES);
        let entry = Entry { hash, bytes: SmallVec::from_slice(key), uses: 0, last: (0, NO_ROW) };
        let id = match self.free.pop() {
            Some(id) => {
                self.entries[id as usize] = entry;
                id
            }
            None => {
                self.entries.push(entry);
                self.entries.len() as u32 - 1
            }
        };
        let entries = &self.entries;
        self.index.insert_unique(hash, id, |id| entries[*id as usize].hash);
        KeyId(id)
    }

    /// The row of a key in a slice, if it is the one noted last.
    #[inline]
    pub fn noted_row(&self, id: KeyId, slice: i64) -> Option<u32> {
        let (last, row) = self.entries[id.0 as usize].last;
        (last == slice && row != NO_ROW).then_some(row)
    }

    /// Notes the row of a key in a slice. Slices do not come back once they are gone.
    #[inline]
    pub fn note_row(&mut self, id: KeyId, slice: i64, row: u32) {
        self.entries[id.0 as usize].last = (slice, row);
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
            self.size.shrink(entry.bytes.len() + ENTRY_BYTES);
            entry.bytes = SmallVec::new();
            if let Ok(found) = self.index.find_entry(entry.hash, |other| *other == id.0) {
                found.remove();
            }
            self.free.push(id.0);
            if self.free.len() == self.entries.len() {
                // Nothing is left: give the memory back.
                (self.index, self.entries, self.free) = Default::default();
            }
        }
    }

    /// The bytes of a key.
    #[inline]
    pub fn bytes(&self, id: KeyId) -> &[u8] {
        &self.entries[id.0 as usize].bytes
    }

    /// One more than the largest id there is.
    pub fn limit(&self) -> usize {
        self.entries.len()
    }

    /// Sorts by key (N6) what `id` tells the key of.
    pub fn sort_by_key<T: Copy>(&self, items: &mut Vec<T>, scratch: &mut Vec<(u64, T)>, id: impl Fn(T) -> KeyId) {
        scratch.clear();
        scratch.extend(items.iter().map(|item| (prefix(self.bytes(id(*item))), *item)));
        // Most keys differ in their first eight bytes, and integers compare fast.
        scratch.sort_unstable_by(|(a, x), (b, y)| a.cmp(b).then_with(|| self.bytes(id(*x)).cmp(self.bytes(id(*y)))));
        items.clear();
        items.extend(scratch.iter().map(|(_, item)| *item));
    }
}

/// The first eight bytes as a number that orders like them. The tag of the first part comes first
/// and a shorter key is padded with zeros, which no longer key can precede.
fn prefix(bytes: &[u8]) -> u64 {
    match bytes.first_chunk::<8>() {
        Some(first) => u64::from_be_bytes(*first),
        None => {
            let mut first = [0; 8];
            first[..bytes.len()].copy_from_slice(bytes);
            u64::from_be_bytes(first)
        }
    }
}
