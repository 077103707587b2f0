//! Chunks back into records: a record may begin in one chunk and end in a later one.

use super::chunk::Chunk;
use super::medium::Fault;
use super::record::{self, Record};

/// Reads the records of consecutive chunks. Memory grows with the bytes that are really there, never with a
/// length that a record claims.
#[derive(Debug, Default)]
pub(super) struct Stream {
    /// `done..` is the beginning of a record that has not ended yet.
    buffer: Vec<u8>,
    done: usize,
    /// The chunk in which that record begins.
    begun: u64,
    /// The epoch of the last chunk; `None` until a record has begun.
    epoch: Option<u64>,
}

/// A record and where it was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<'a> {
    pub record: Record<'a>,
    /// The chunk in which it begins.
    pub chunk: u64,
    /// As it stands in the log.
    pub encoded: &'a [u8],
}

impl Stream {
    /// The chunk in which the record began that goes on in the next chunk, if one does.
    pub(super) fn open_since(&self) -> Option<u64> {
        (self.done < self.buffer.len()).then_some(self.begun)
    }

    /// The records that end in this chunk. One that began before the first chunk read is left out.
    ///
    /// # Errors
    /// What is wrong: the chunks do not follow each other, or their records make no sense; or what `each` says.
    pub(super) fn read(
        &mut self,
        number: u64,
        chunk: &Chunk<'_>,
        each: &mut dyn FnMut(Found<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let wrong = |what: &str| Fault::Damaged(format!("chunk {number} {what}"));
        self.buffer.drain(..self.done);
        self.done = 0;
        let carried = self.buffer.len();
        let skipped = match (self.epoch, chunk.start) {
            (None, None) => return Ok(()),
            (None, Some(at)) => at,
            (Some(before), _) if chunk.epoch < before => return Err(wrong("follows one of a later checkpoint")),
            (Some(before), _) if chunk.epoch > before && carried > 0 => {
                return Err(wrong("follows a record that has not ended"));
            }
            _ => 0,
        };
        self.epoch = Some(chunk.epoch);
        self.buffer.extend_from_slice(&chunk.body[skipped..]);
        let mut at = 0;
        let mut start = None;
        while at < self.buffer.len() {
            if at >= carried && start.is_none() {
                start = Some(skipped + at - carried);
            }
            let Some((record, used)) =
                record::decode(&self.buffer[at..]).map_err(|what| wrong(&format!("holds {what}")))?
            else {
                break;
            };
            let from = if at < carried { self.begun } else { number };
            each(Found { record, chunk: from, encoded: &self.buffer[at..at + used] })?;
            at += used;
        }
        if start != chunk.start {
            return Err(wrong("has no record where it says"));
        }
        if at >= carried {
            self.begun = number;
        }
        self.done = at;
        Ok(())
    }
}
