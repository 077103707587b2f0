//! Keys as small integers: each key that has state anywhere is kept once, counted by its uses, and
//! forgotten with the last of them.

use super::fired::Fired;
use super::sorting::{Sorted, sort_by_key};
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

/// The length of a key whose head is not all of it.
const LONG: u8 = u8::MAX;

/// No row is this one, and any slice may have any number.
const NO_ROW: u32 = u32::MAX;

/// The keys that have state.
#[derive(Debug, Default)]
pub struct Keys {
    index: HashTable<u32>,
    known: Known,
    free: Vec<u32>,
    /// How many keys have been forgotten.
    forgotten: u64,
    /// Size of all state; the tables that hold rows count theirs here as well.
    pub size: StateSize,
}

/// What is known of keys, by id.
#[derive(Debug, Default)]
struct Known {
    entries: Vec<Entry>,
    /// How long the keys are that their heads are all of; else [`LONG`].
    lengths: Vec<u8>,
    /// The keys of which they are not. Nothing behind the last of these.
    long: Vec<Box<[u8]>>,
}

/// What was said of a key some time ago.
#[derive(Clone, Copy, Debug, Default)]
pub struct Guess {
    id: Option<KeyId>,
    /// How many keys had been forgotten then: an id is good until one is.
    forgotten: u64,
}

const ENTRY_BYTES: usize = size_of::<Entry>() + size_of::<u8>() + size_of::<u32>();

impl Guess {
    /// Whether the key was not known.
    #[inline]
    pub fn is_unknown(&self) -> bool {
        self.id.is_none()
    }
}

/// What a key takes that is kept as a whole.
fn long_bytes(key: &[u8]) -> usize {
    if key.len() > HEAD { key.len() + size_of::<Box<[u8]>>() } else { 0 }
}

impl Known {
    /// The bytes of a key.
    #[inline]
    fn bytes(&self, id: u32) -> &[u8] {
        match self.lengths[id as usize] {
            LONG => &self.long[id as usize],
            length => &self.entries[id as usize].head[..usize::from(length)],
        }
    }

    /// Its hash, as a column has it.
    #[inline]
    fn hash(&self, id: u32) -> u64 {
        match self.lengths[id as usize] {
            LONG => column::hash(&self.long[id as usize]),
            _ => column::hash_of_head(&self.entries[id as usize].head),
        }
    }

    #[inline]
    fn is(&self, id: u32, head: &[u8; HEAD], key: &[u8]) -> bool {
        self.entries[id as usize].head == *head && (key.len() <= HEAD || self.bytes(id) == key)
    }

    /// Keeps a key under the id, which may be a new one.
    fn set(&mut self, id: u32, key: &[u8]) {
        let at = id as usize;
        let entry = Entry { head: head(key), slice: 0, row: NO_ROW, uses: 0 };
        let length = if key.len() > HEAD { LONG } else { key.len() as u8 };
        if at == self.entries.len() {
            self.entries.push(entry);
            self.lengths.push(length);
        } else {
            self.entries[at] = entry;
            self.lengths[at] = length;
        }
        if length == LONG {
            self.long.resize_with(self.long.len().max(at + 1), Box::default);
            self.long[at] = key.into();
        }
    }
}

impl Keys {
    /// The id of a key, if it has state.
    #[inline]
    pub fn find(&self, key: &[u8], hash: u64) -> Option<KeyId> {
        self.find_by_head(&head(key), key, hash)
    }

    /// As [`Keys::find`], for a key whose [`head`] is at hand.
    #[inline]
    fn find_by_head(&self, head: &[u8; HEAD], key: &[u8], hash: u64) -> Option<KeyId> {
        self.index.find(hash, |id| self.known.is(*id, head, key)).map(|id| KeyId(*id))
    }

    /// Looks up the key of an event before its turn.
    #[inline]
    pub fn guess(&self, keys: &KeyColumn, index: usize) -> Guess {
        let (key, hash) = keys.get(index);
        Guess { id: self.find_by_head(&keys.head(index), key, hash), forgotten: self.forgotten }
    }

    /// The slice in which the key that was guessed was last found, and its row there.
    #[inline]
    pub fn last_row(&self, guess: &Guess) -> Option<(i64, u32)> {
        let entry = &self.known.entries[guess.id?.0 as usize];
        (entry.row != NO_ROW).then_some((entry.slice, entry.row))
    }

    /// Looks at where the next new keys will be kept, so that it is near when it is needed.
    #[inline]
    pub fn look_at_free(&self, count: usize) -> u32 {
        let next = self.free.iter().rev().take(count);
        next.fold(0, |sum, id| sum.wrapping_add(self.known.entries[*id as usize].uses))
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
        let Keys { index, known, free, size, .. } = self;
        let id = free.pop().unwrap_or(known.entries.len() as u32);
        known.set(id, key);
        index.insert_unique(hash, id, |id| known.hash(*id));
        size.grow(ENTRY_BYTES + long_bytes(key));
        KeyId(id)
    }

    /// The row of a key in a slice, if it is the one noted last.
    #[inline]
    pub fn noted_row(&self, id: KeyId, slice: i64) -> Option<u32> {
        let entry = &self.known.entries[id.0 as usize];
        (entry.slice == slice && entry.row != NO_ROW).then_some(entry.row)
    }

    /// Notes the row of a key in a slice; what was noted before is returned. Slices do not come back once they are gone.
    #[inline]
    pub fn note_row(&mut self, id: KeyId, slice: i64, row: u32) -> Option<(i64, u32)> {
        let entry = &mut self.known.entries[id.0 as usize];
        let (slice, row) = (std::mem::replace(&mut entry.slice, slice), std::mem::replace(&mut entry.row, row));
        (row != NO_ROW).then_some((slice, row))
    }

    /// Notes one more use of a key.
    #[inline]
    pub fn hold(&mut self, id: KeyId) {
        self.known.entries[id.0 as usize].uses += 1;
    }

    /// Ends a use of a key; with the last use the key is forgotten.
    #[inline]
    pub fn release(&mut self, id: KeyId) {
        let entry = &mut self.known.entries[id.0 as usize];
        entry.uses -= 1;
        if entry.uses == 0 {
            self.forget(id.0);
        }
    }

    /// Forgets a key without uses, which is returned if its head is not all of it.
    fn forget(&mut self, id: u32) -> Option<Box<[u8]>> {
        self.size.shrink(ENTRY_BYTES + long_bytes(self.known.bytes(id)));
        if let Ok(found) = self.index.find_entry(self.known.hash(id), |other| *other == id) {
            found.remove();
        }
        let is_long = self.known.lengths[id as usize] == LONG;
        let key = is_long.then(|| std::mem::take(&mut self.known.long[id as usize]));
        self.forgotten += 1;
        self.free.push(id);
        if self.free.len() == self.known.entries.len() {
            // Nothing is left: give the memory back.
            (self.index, self.known, self.free) = Default::default();
        }
        key
    }

    /// Looks at all that is kept of a key, so that it is near when it is [released](Keys::release).
    #[inline]
    pub fn look_at(&self, id: KeyId) -> bool {
        let is_last = self.known.entries[id.0 as usize].uses == 1;
        is_last && self.index.find(self.known.hash(id.0), |other| *other == id.0).is_some()
    }

    /// As [`Keys::release`], of a key that leaves with a row.
    #[inline]
    pub fn hand_over(&mut self, id: KeyId, fired: &mut Fired) {
        let entry = &mut self.known.entries[id.0 as usize];
        let (head, length) = (entry.head, self.known.lengths[id.0 as usize]);
        entry.uses -= 1;
        let key = match entry.uses {
            0 => self.forget(id.0),
            _ => (length == LONG).then(|| self.known.long[id.0 as usize].clone()),
        };
        match key {
            Some(key) => fired.push_long(&head, key),
            None => fired.push(&head, length),
        }
    }

    /// The bytes of a key.
    #[inline]
    pub fn bytes(&self, id: KeyId) -> &[u8] {
        self.known.bytes(id.0)
    }

    /// How many keys have state.
    #[inline]
    pub fn count(&self) -> usize {
        self.known.entries.len() - self.free.len()
    }

    /// One more than the largest id there is.
    pub fn limit(&self) -> usize {
        self.known.entries.len()
    }

    /// Sorts by key (N6) what `id` tells the key of.
    pub fn sort_by_key<T: Copy>(&self, items: &mut Vec<T>, scratch: &mut Vec<Sorted<T>>, id: impl Fn(T) -> KeyId) {
        scratch.clear();
        scratch.extend(items.iter().map(|item| (0, *item)));
        let head = |item| &self.known.entries[id(item).0 as usize].head;
        sort_by_key(scratch, head, |item| self.bytes(id(item)));
        items.clear();
        items.extend(scratch.iter().map(|(_, item)| *item));
    }
}
