//! Duplicates (`--dedup`): events whose id was seen before.
//!
//! An id counts as seen when a window has taken its event, and as long as one could take an event that would be
//! a duplicate of it; then the watermark makes it forgotten. Ids lie in generations by the watermark that ends
//! them, so that forgetting many is dropping one.

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
        let Generation { seen, bytes } = &mut self.generations[generation as usize];
        bytes.extend_from_slice(id.bytes);
        seen.push(Seen { hash, time: id.time, expiry, end: bytes.len() });
        size.grow(SEEN_BYTES + id.bytes.len());
        let place = Place { generation, at: seen.len() as u32 - 1 };
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
            let Generation { seen, bytes } = std::mem::take(&mut self.generations[generation as usize]);
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

impl Generation {
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
