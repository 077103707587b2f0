//! What has changed since the last checkpoint, gathered by whoever knows the state and handed to the writer.

use super::record::{self, Record};

/// The name of a piece of state. What it means is up to the caller.
///
/// Pieces that go together, such as the rows of one slice's table, share a group: the whole group is then
/// removed by one short record. Numbers are stored in as few bytes as they need, so small ones are cheaper.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PieceId {
    /// What it goes together with.
    pub group: u64,
    /// Which one of its group.
    pub row: u64,
}

/// Puts and removals in the order in which they happened; of several for one piece the last one holds.
///
/// One flat buffer in the format of the log: filling it costs a copy of the bytes and nothing else, so that
/// it can be done on the engine's thread, and [`clear`](Changes::clear)ing keeps the memory for the next time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    bytes: Vec<u8>,
    count: usize,
}

impl Changes {
    /// No changes.
    pub fn new() -> Changes {
        Changes::default()
    }

    /// The piece is now this.
    pub fn put(&mut self, id: PieceId, bytes: &[u8]) {
        record::put(&mut self.bytes, id, bytes);
        self.count += 1;
    }

    /// The piece is gone. Removing what is not there is allowed and costs nothing.
    pub fn remove(&mut self, id: PieceId) {
        record::remove(&mut self.bytes, id);
        self.count += 1;
    }

    /// All pieces of the group are gone.
    pub fn remove_group(&mut self, group: u64) {
        record::remove_group(&mut self.bytes, group);
        self.count += 1;
    }

    /// How many puts and removals there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Bytes gathered so far: a hint when to hand them over.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets them, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }

    /// The changes with their encoded form.
    pub(super) fn records(&self) -> impl Iterator<Item = (Record<'_>, &[u8])> {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (record, used) = record::decode(rest).ok().flatten()?;
            let (encoded, behind) = rest.split_at(used);
            rest = behind;
            Some((record, encoded))
        })
    }
}
