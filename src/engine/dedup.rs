//! Duplicates (`--dedup`): events whose id was seen before.
//!
//! An id counts as seen when a window has taken its event, and as long as one could take an event that would be
//! a duplicate of it; then the watermark makes it forgotten. Ids lie in generations by the watermark that ends
//! them, so that forgetting many is dropping one.

use super::snapshot::{Group, Sink};
use crate::codec::{Damaged, Reader, put, put_bytes, put_signed};
use crate::event::column;
use crate::metrics::StateSize;
use crate::time::{Span, Timestamp};
use hashbrown::HashTable;
use std::collections::BTreeMap;

/// What makes an event a duplicate.
#[derive(Clone, Copy, Debug)]
pub struct DedupConfig {
    /// The most event time between it and the one before; none if any will do while that is remembered.
    pub within: Option<Span>,
}

/// An id as it comes: encoded as a key ([`crate::event::key`]), and its hash.
#[derive(Clone, Copy, Debug)]
pub struct Id<'a> {
    /// The encoded value.
    pub bytes: &'a [u8],
    /// Its hash.
    pub hash: u64,
    /// The event time of its event.
    pub time: Timestamp,
}

/// The ids that count as seen.
#[derive(Debug)]
pub struct Dedup {
    within: Option<Span>,
    index: HashTable<Place>,
    generations: Vec<Generation>,
    free: Vec<u32>,
    /// By the last watermark at which any of a generation counts, in steps of `2^shift`.
    by_expiry: BTreeMap<i64, u32>,
    shift: Option<u32>,
    /// Answers of the windows that were asked for last.
    expiries: [Option<Stretch>; 2],
    /// Groups of generations that have been dropped.
    gone: Vec<u64>,
    /// Pieces that are being restored: their groups, the first number in each, and its ids.
    restored: Vec<(u64, u64, Generation)>,
}

/// Where an id lies.
#[derive(Clone, Copy, Debug)]
struct Place {
    generation: u32,
    at: u32,
}

/// Ids that are forgotten together.
#[derive(Debug, Default)]
struct Generation {
    seen: Vec<Seen>,
    bytes: Vec<u8>,
    /// How many have been saved, and in which group; 0 before the first save.
    saved: usize,
    group: u64,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    hash: u64,
    time: Timestamp,
    /// The watermark from which on it does not count.
    expiry: Timestamp,
    /// Where its bytes end, which begin where those of the one before it do.
    end: usize,
}

/// Times from `first` to `last` with one expiry.
#[derive(Clone, Copy, Debug)]
struct Stretch {
    first: Timestamp,
    last: Timestamp,
    expiry: Timestamp,
}

/// Ids that make a piece.
const PIECE: usize = 1024;

/// Generations that ids of one length of life fall into, as a power of two.
const GENERATIONS: u32 = 6;

const SEEN_BYTES: usize = size_of::<Seen>() + size_of::<Place>() + 1;

impl Dedup {
    /// Nothing seen yet.
    pub fn new(config: DedupConfig) -> Dedup {
        Dedup {
            within: config.within,
            index: HashTable::new(),
            generations: Vec::new(),
            free: Vec::new(),
            by_expiry: BTreeMap::new(),
            shift: None,
            expiries: [None; 2],
            gone: Vec::new(),
            restored: Vec::new(),
        }
    }

    /// Whether an id counts as seen at a watermark.
    #[inline]
    pub fn is_seen(&self, id: &Id<'_>, watermark: Timestamp) -> bool {
        let Some(within) = self.within else {
            return self.find(id, id.hash, watermark);
        };
        let first = self.cell(id.time.saturating_sub(within));
        let last = self.cell(id.time.saturating_add(within));
        (first..=last).any(|cell| self.find(id, mixed(id.hash, cell), watermark))
    }

    #[inline]
    fn find(&self, id: &Id<'_>, hash: u64, watermark: Timestamp) -> bool {
        let is_it = |place: &Place| {
            let generation = &self.generations[place.generation as usize];
            let seen = &generation.seen[place.at as usize];
            seen.hash == hash
                && seen.expiry > watermark
                && self.within.is_none_or(|within| seen.time.0.abs_diff(id.time.0) <= within.0.unsigned_abs())
                && generation.bytes_of(place.at as usize) == id.bytes
        };
        self.index.find(hash, is_it).is_some()
    }

    /// Ids of one value that lie far apart in time are kept apart, so that none is looked for among many: those
    /// that can be duplicates of one another lie in one cell or in two neighbours.
    fn cell(&self, time: Timestamp) -> i64 {
        let within = self.within.unwrap_or(Span::ZERO);
        time.0.div_euclid(within.0.saturating_add(1).saturating_mul(4))
    }

    /// Notes that a window has taken the event of an id. `gone_at` tells at which watermark no window takes events
    /// of a time; later times tell no earlier ones.
    pub fn note(
        &mut self,
        id: &Id<'_>,
        watermark: Timestamp,
        size: &mut StateSize,
        gone_at: impl Fn(Timestamp) -> Timestamp,
    ) {
        let last = id.time.saturating_add(self.within.unwrap_or(Span::ZERO));
        let expiry = self.expiry(last, gone_at);
        if expiry <= watermark {
            return;
        }
        let hash = if self.within.is_some() { mixed(id.hash, self.cell(id.time)) } else { id.hash };
        let generation = self.generation(id.time, expiry);
        self.generations[generation as usize].push(hash, id, expiry);
        size.grow(SEEN_BYTES + id.bytes.len());
        let place = Place { generation, at: self.generations[generation as usize].seen.len() as u32 - 1 };
        let generations = &self.generations;
        let hash_of = |place: &Place| generations[place.generation as usize].seen[place.at as usize].hash;
        self.index.insert_unique(hash, place, hash_of);
    }

    /// The watermark at which an event of this time is gone. Windows are asked once for many.
    fn expiry(&mut self, time: Timestamp, gone_at: impl Fn(Timestamp) -> Timestamp) -> Timestamp {
        let holds = |stretch: &Option<Stretch>| stretch.is_some_and(|s| s.first <= time && time <= s.last);
        if let Some(found) = self.expiries.iter().position(holds) {
            self.expiries.swap(0, found);
        } else {
            let expiry = gone_at(time);
            let same = |stretch: &Option<Stretch>| stretch.is_some_and(|s| s.expiry == expiry);
            match self.expiries.iter().position(same) {
                Some(found) => self.expiries.swap(0, found),
                None => {
                    self.expiries.rotate_right(1);
                    self.expiries[0] = Some(Stretch { first: time, last: time, expiry });
                }
            }
            if let Some(stretch) = &mut self.expiries[0] {
                (stretch.first, stretch.last) = (stretch.first.min(time), stretch.last.max(time));
            }
        }
        self.expiries[0].map_or(Timestamp::MAX, |stretch| stretch.expiry)
    }

    /// The generation of an expiry.
    fn generation(&mut self, time: Timestamp, expiry: Timestamp) -> u32 {
        let life = expiry.0.abs_diff(time.0).max(1);
        let shift = *self.shift.get_or_insert(life.ilog2().saturating_sub(GENERATIONS).min(62));
        *self.by_expiry.entry(expiry.0 >> shift).or_insert_with(|| match self.free.pop() {
            Some(generation) => generation,
            None => {
                self.generations.push(Generation::default());
                self.generations.len() as u32 - 1
            }
        })
    }

    /// Drops what does not count any more.
    #[inline]
    pub fn forget(&mut self, watermark: Timestamp, size: &mut StateSize) {
        let Some(shift) = self.shift else { return };
        while let Some(entry) = self.by_expiry.first_entry()
            // All of them are over when the first of the next generation might be.
            && *entry.key() < watermark.0 >> shift
        {
            let generation = entry.remove();
            let Generation { seen, bytes, group, .. } = std::mem::take(&mut self.generations[generation as usize]);
            self.gone.extend((group > 0).then_some(group));
            size.shrink(seen.len() * SEEN_BYTES + bytes.len());
            for (at, seen) in (0..).zip(&seen) {
                if let Ok(found) =
                    self.index.find_entry(seen.hash, |place| place.generation == generation && place.at == at)
                {
                    found.remove();
                }
            }
            self.free.push(generation);
        }
    }
}

/// As pieces: a group for each generation, to which those that came since the last save are added.
impl Dedup {
    /// Hands out what has changed since the last save.
    pub(super) fn save(&mut self, sink: &mut Sink<'_>) {
        for group in self.gone.drain(..) {
            sink.remove_group(group);
        }
        for generation in self.by_expiry.values() {
            let generation = &mut self.generations[*generation as usize];
            while generation.saved < generation.seen.len() {
                let piece = generation.saved..generation.seen.len().min(generation.saved + PIECE);
                generation.saved = piece.end;
                let group = sink.group(&mut generation.group);
                sink.put(group, piece.start as u64, |out| {
                    for at in piece {
                        let Seen { time, expiry, hash: _, end: _ } = generation.seen[at];
                        put_bytes(out, generation.bytes_of(at));
                        put_signed(out, time.0);
                        put_signed(out, expiry.0);
                    }
                });
            }
        }
    }

    /// Appends what is saved each time.
    pub(super) fn save_head(&self, out: &mut Vec<u8>) {
        put(out, self.shift.map_or(0, |shift| u64::from(shift) + 1));
    }

    /// # Errors
    /// It is damaged.
    pub(super) fn restore_head(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        self.shift = match bytes.number()? {
            0 => None,
            shift @ 1..=63 => Some(shift as u32 - 1),
            _ => return Err(Damaged("generations are of impossible length")),
        };
        Ok(())
    }

    /// Takes a piece. They come in any order.
    ///
    /// # Errors
    /// It is damaged.
    pub(super) fn piece(&mut self, group: Group, first: u64, mut bytes: Reader<'_>) -> Result<(), Damaged> {
        if group.is_fixed || bytes.left() == 0 {
            return Err(Damaged("a piece is of no known kind"));
        }
        let mut generation = Generation::default();
        while bytes.left() > 0 {
            let id = bytes.bytes()?;
            let (time, expiry) = (Timestamp(bytes.signed()?), Timestamp(bytes.signed()?));
            let hash = column::hash(id);
            let hash = if self.within.is_some() { mixed(hash, self.cell(time)) } else { hash };
            generation.push(hash, &Id { bytes: id, hash, time }, expiry);
        }
        self.restored.push((group.number, first, generation));
        Ok(())
    }

    /// All pieces have come.
    ///
    /// # Errors
    /// They do not go together.
    pub(super) fn assemble(&mut self, size: &mut StateSize) -> Result<(), Damaged> {
        let mut pieces = std::mem::take(&mut self.restored);
        pieces.sort_unstable_by_key(|(group, first, _)| (*group, *first));
        let mut whole: Vec<Generation> = Vec::new();
        for (group, first, piece) in pieces {
            if whole.last().is_none_or(|last| last.group != group) {
                whole.push(Generation { group, ..Generation::default() });
            }
            let Some(last) = whole.last_mut() else { continue };
            if first != last.seen.len() as u64 {
                return Err(Damaged("ids are missing"));
            }
            for (at, seen) in piece.seen.iter().enumerate() {
                last.push(seen.hash, &Id { bytes: piece.bytes_of(at), hash: seen.hash, time: seen.time }, seen.expiry);
            }
        }
        whole.into_iter().try_for_each(|generation| self.restore(generation, size))
    }

    fn restore(&mut self, mut whole: Generation, size: &mut StateSize) -> Result<(), Damaged> {
        whole.saved = whole.seen.len();
        size.grow(whole.seen.len() * SEEN_BYTES + whole.bytes.len());
        let shift = self.shift.ok_or(Damaged("there are ids where there were none"))?;
        let mut expiries = whole.seen.iter().map(|seen| seen.expiry.0 >> shift);
        let Some(expiry) = expiries.next().filter(|first| expiries.all(|expiry| expiry == *first)) else {
            return Err(Damaged("ids of one generation do not end together"));
        };
        let (generation, count) = (self.generations.len() as u32, whole.seen.len() as u32);
        self.generations.push(whole);
        if self.by_expiry.insert(expiry, generation).is_some() {
            return Err(Damaged("a generation is there twice"));
        }
        let generations = &self.generations;
        let hash_of = |place: &Place| generations[place.generation as usize].seen[place.at as usize].hash;
        for at in 0..count {
            let place = Place { generation, at };
            self.index.insert_unique(hash_of(&place), place, hash_of);
        }
        Ok(())
    }
}

impl Generation {
    fn push(&mut self, hash: u64, id: &Id<'_>, expiry: Timestamp) {
        self.bytes.extend_from_slice(id.bytes);
        self.seen.push(Seen { hash, time: id.time, expiry, end: self.bytes.len() });
    }

    #[inline]
    fn bytes_of(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.seen[at - 1].end };
        &self.bytes[start..self.seen[at].end]
    }
}

#[inline]
fn mixed(hash: u64, cell: i64) -> u64 {
    // As in [`super::table::IdHasher`].
    hash ^ (cell as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of all that was ever seen, against the table, with few ids and times so that edges are hit.
    #[test]
    fn agrees_with_a_list_and_forgets() {
        let mut state = 3_u64;
        let mut below = |most: i64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as i64 % most
        };
        for within in [None, Some(0), Some(1), Some(7), Some(40), Some(i64::MAX)] {
            let gone_at = |time: Timestamp| Timestamp((time.0.div_euclid(10) * 10).saturating_add(15));
            let mut dedup = Dedup::new(DedupConfig { within: within.map(Span) });
            let mut size = StateSize::default();
            let mut list: Vec<(Vec<u8>, Timestamp, Timestamp)> = Vec::new();
            let mut watermark = Timestamp(-500);
            let mut duplicates = 0;
            for _ in 0..4000 {
                let time = Timestamp(watermark.0 + below(40) - 25);
                let bytes = vec![b'a'; below(5) as usize + 1];
                // Hashes that collide.
                let id = Id { bytes: &bytes, hash: bytes.len() as u64 % 2, time };
                let is_near = |other: Timestamp| within.is_none_or(|most| (other.0 - time.0).abs() <= most);
                let expected =
                    list.iter().any(|(other, at, expiry)| *other == bytes && *expiry > watermark && is_near(*at));
                assert_eq!(dedup.is_seen(&id, watermark), expected, "{within:?} {id:?} at {watermark:?}");
                if expected {
                    duplicates += 1;
                } else {
                    dedup.note(&id, watermark, &mut size, gone_at);
                    let last = time.saturating_add(Span(within.unwrap_or(0)));
                    list.push((bytes, time, gone_at(last)));
                }
                watermark = watermark.max(Timestamp(time.0 - 5));
                dedup.forget(watermark, &mut size);
            }
            assert!(duplicates > 100, "{within:?}: {duplicates}");
            dedup.forget(Timestamp(i64::MAX - 1), &mut size);
            if within != Some(i64::MAX) {
                assert_eq!((dedup.index.len(), size.bytes), (0, 0), "{within:?}");
            }
        }
    }
}
