//! What is where: for each live piece the chunk in which its record begins, for each chunk of the log how much of
//! it is alive. It is rebuilt from the log when a state is opened and costs 8 to 16 bytes a piece, up to 34 where rows are not
//! numbered from 0 on.

use super::changes::PieceId;
use super::record::Record;
use super::rows::{Place, Rows};
use hashbrown::HashMap;
use std::collections::VecDeque;

/// A chunk of the log.
#[derive(Clone, Copy, Debug, Default)]
struct ChunkInfo {
    digest: u128,
    /// Bytes of live records that begin in it.
    live: u32,
    /// Bytes it takes on the medium.
    bytes: u32,
}

/// What each value costs beside its own bytes, roughly: its key and its place in the tree. Counted so that a log
/// of many tiny checkpoints is swept like any other.
const VALUE_OVERHEAD: u64 = 64;

/// The live pieces and the chunks of one log.
#[derive(Debug, Default)]
pub(super) struct Index {
    groups: HashMap<u64, Rows, foldhash::fast::FixedState>,
    chunks: VecDeque<ChunkInfo>,
    /// The number of the first of `chunks`.
    first: u64,
    pieces: u64,
    live_bytes: u64,
    log_bytes: u64,
    digest: u128,
}

impl Index {
    /// Nothing is alive; the log will begin with this chunk.
    pub(super) fn new(first: u64) -> Index {
        Index { first, ..Index::default() }
    }

    /// The number of the first chunk.
    pub(super) fn tail(&self) -> u64 {
        self.first
    }

    /// The number after that of the last chunk.
    pub(super) fn next(&self) -> u64 {
        self.first + self.chunks.len() as u64
    }

    pub(super) fn pieces(&self) -> u64 {
        self.pieces
    }

    /// Bytes of the live records.
    pub(super) fn live_bytes(&self) -> u64 {
        self.live_bytes
    }

    /// Bytes of all chunks, with what each costs beside.
    pub(super) fn log_bytes(&self) -> u64 {
        self.log_bytes
    }

    /// The sum over all chunks.
    pub(super) fn digest(&self) -> u128 {
        self.digest
    }

    /// A chunk begins; its bytes are not known yet.
    pub(super) fn begin_chunk(&mut self) {
        self.chunks.push_back(ChunkInfo::default());
    }

    /// The last chunk is whole.
    pub(super) fn end_chunk(&mut self, bytes: usize, digest: u128) {
        if let Some(last) = self.chunks.back_mut() {
            last.bytes = bytes as u32;
            last.digest = digest;
            self.log_bytes += bytes as u64 + VALUE_OVERHEAD;
            self.digest = self.digest.wrapping_add(digest);
        }
    }

    /// Bytes of live records that begin in the first chunk.
    pub(super) fn live_in_first(&self) -> u32 {
        self.chunks.front().map_or(0, |chunk| chunk.live)
    }

    /// The log begins a chunk later. Nothing that begins in the first may be alive.
    pub(super) fn drop_first(&mut self) {
        if let Some(chunk) = self.chunks.pop_front() {
            assert_eq!(chunk.live, 0, "only chunks without live records are forgotten");
            self.first += 1;
            self.log_bytes -= u64::from(chunk.bytes) + VALUE_OVERHEAD;
            self.digest = self.digest.wrapping_sub(chunk.digest);
        }
    }

    /// What the record says holds from here on. It begins in chunk `number` and takes `length` bytes.
    pub(super) fn apply(&mut self, record: &Record<'_>, number: u64, length: usize) {
        match *record {
            Record::Put(id, _) => self.put(id, Place { chunk: number as u32, length: length as u32 }),
            Record::Remove(id) => self.remove(id),
            Record::RemoveGroup(group) => self.remove_group(group),
            Record::Payload(..) => {}
        }
    }

    /// Whether the live record of the piece begins in this chunk.
    pub(super) fn is_at(&self, id: PieceId, number: u64) -> bool {
        let place = self.groups.get(&id.group).and_then(|rows| rows.get(id.row));
        place.is_some_and(|place| place.chunk == number as u32)
    }

    /// Whether the record takes life from one that begins in this chunk.
    pub(super) fn supersedes(&self, record: &Record<'_>, number: u64) -> bool {
        match *record {
            Record::Put(id, _) | Record::Remove(id) => self.is_at(id, number),
            Record::RemoveGroup(group) => {
                self.groups.get(&group).is_some_and(|rows| rows.places().any(|place| place.chunk == number as u32))
            }
            Record::Payload(..) => false,
        }
    }

    fn put(&mut self, id: PieceId, place: Place) {
        self.come(place);
        match self.groups.entry(id.group).or_default().insert(id.row, place) {
            Some(before) => self.go(before),
            None => self.pieces += 1,
        }
    }

    fn remove(&mut self, id: PieceId) {
        let Some(rows) = self.groups.get_mut(&id.group) else { return };
        let Some(place) = rows.remove(id.row) else { return };
        if rows.is_empty() {
            self.groups.remove(&id.group);
        }
        self.pieces -= 1;
        self.go(place);
    }

    fn remove_group(&mut self, group: u64) {
        let Some(rows) = self.groups.remove(&group) else { return };
        for place in rows.places() {
            self.pieces -= 1;
            self.go(place);
        }
    }

    fn come(&mut self, place: Place) {
        self.live_bytes += u64::from(place.length);
        if let Some(chunk) = self.chunk_mut(place) {
            chunk.live += place.length;
        }
    }

    fn go(&mut self, place: Place) {
        self.live_bytes -= u64::from(place.length);
        if let Some(chunk) = self.chunk_mut(place) {
            chunk.live -= place.length;
        }
    }

    fn chunk_mut(&mut self, place: Place) -> Option<&mut ChunkInfo> {
        self.chunks.get_mut(place.chunk.wrapping_sub(self.first as u32) as usize)
    }
}
