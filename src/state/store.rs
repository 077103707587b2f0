//! Checkpoints as a log of small chunks that is swept from behind.
//!
//! # Layout
//!
//! Each checkpoint appends what has changed: records packed into [chunks](super::chunk) of at most 4 KiB,
//! numbered on and on. Its [head](super::head) says which chunks are the log, `tail..next`, and holds a digest over
//! all of them; reading them in order, the last word on each piece holds.
//!
//! What is superseded stays in the log as garbage until the sweep gets there: when the log is larger than
//! twice the live records (plus [`SLACK_BYTES`]), the live records of the *oldest* chunks are appended
//! once more and the chunks are forgotten. Oldest first, and not the emptiest first, because
//!
//! * a removal then never needs to be carried along: when the sweep gets to it, every chunk that could hold what it
//!   removed is already gone;
//! * the log stays one run of numbers, so that the head is small whatever the size of the state;
//! * the cost is bounded in every case: a byte written is followed by at most one byte swept, in
//!   the same checkpoint, so there is no base to be rewritten at once while the pipeline waits.
//!
//! Windows make it cheap: most of them are gone before the sweep meets them.
//!
//! # What a crash can do
//!
//! A head is written only after its chunks are durable, and chunks are forgotten only when neither of the two
//! newest heads needs them. So at any moment the newest durable head has all its chunks, and so has
//! the one before it. Chunks behind the newest head are the rest of an unfinished checkpoint.

use super::changes::{Changes, PieceId};
use super::chunk::{self, HEADER_BYTES, VALUE_BYTES};
use super::head::Head;
use super::index::Index;
use super::medium::{Fault, Key, Medium};
use super::record::{self, Record};
use super::recover::{self, Item};
use super::stream::{Found, Stream};

/// Garbage that is always allowed, so that small states are not swept all the time.
pub const SLACK_BYTES: u64 = 1 << 20;

/// The largest piece, and the largest payload.
pub const MOST_BYTES: u64 = 1 << 30;

/// The checkpoints in a [`Medium`].
pub struct Store {
    medium: Box<dyn Medium>,
    index: Index,
    /// The newest checkpoint.
    head: Option<Head>,
    payload: Vec<u8>,
    /// Why the newest checkpoint is not the one that was written last.
    fallback: Option<String>,
    writer: Writer,
    /// Chunks below this are neither in the medium nor needed.
    forgotten: u64,
    /// Garbage that is always allowed.
    slack: u64,
    /// Whether what earlier runs left behind has been removed.
    settled: bool,
    /// A call has failed or has not returned.
    dead: bool,
    /// Memory that is used again.
    scratch: Vec<u8>,
}

/// The chunk that is being filled.
#[derive(Debug, Default)]
struct Writer {
    /// Header and body; empty if no chunk has been begun.
    value: Vec<u8>,
    start: Option<usize>,
    /// Where the log of the coming epoch begins; `None` until something has been written for it.
    from: Option<u64>,
}

impl Store {
    /// Finds the newest whole checkpoint. Writes nothing.
    ///
    /// # Errors
    /// There have been checkpoints and neither of the two newest is whole; a newer format; the medium failed.
    pub fn open(mut medium: Box<dyn Medium>) -> Result<Store, Fault> {
        let Some(newest) = recover::newest(medium.as_mut())? else { return Ok(Store::empty(medium)) };
        Ok(Store {
            index: newest.index,
            head: Some(newest.head),
            payload: newest.payload,
            fallback: newest.fallback,
            forgotten: newest.kept_from,
            ..Store::empty(medium)
        })
    }

    /// Allows another amount of garbage than [`SLACK_BYTES`]; with little, small states are swept too.
    pub fn with_slack(self, bytes: u64) -> Store {
        Store { slack: bytes, ..self }
    }

    fn empty(medium: Box<dyn Medium>) -> Store {
        Store {
            medium,
            index: Index::new(0),
            head: None,
            payload: Vec::new(),
            fallback: None,
            writer: Writer::default(),
            forgotten: 0,
            slack: SLACK_BYTES,
            settled: false,
            dead: false,
            scratch: Vec::new(),
        }
    }

    /// The number of the newest checkpoint; `None` before the first.
    pub fn epoch(&self) -> Option<u64> {
        self.head.map(|head| head.epoch)
    }

    /// What the caller saved beside the pieces in the newest checkpoint.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Why this is not the checkpoint that was written last, if it is not.
    pub fn fallback(&self) -> Option<&str> {
        self.fallback.as_deref()
    }

    /// How many pieces there are.
    pub fn pieces(&self) -> u64 {
        self.index.pieces()
    }

    /// Bytes of their records.
    pub fn live_bytes(&self) -> u64 {
        self.index.live_bytes()
    }

    /// Bytes of the log, garbage and framing included.
    pub fn log_bytes(&self) -> u64 {
        self.index.log_bytes()
    }

    /// Bytes that the medium takes.
    ///
    /// # Errors
    /// The medium failed.
    pub fn medium_bytes(&mut self) -> Result<u64, Fault> {
        self.medium.bytes()
    }

    /// Hands out all pieces of the newest checkpoint, each once, in the order in which they were last written.
    /// `each` says what is wrong with a piece that it cannot use. To be called before anything is appended.
    ///
    /// # Errors
    /// The medium failed, or `each` has found a piece to be damaged.
    pub fn visit(&mut self, mut each: impl FnMut(PieceId, &[u8]) -> Result<(), String>) -> Result<(), Fault> {
        let Some(head) = self.head else { return Ok(()) };
        assert!(self.writer.from.is_none(), "pieces are read before new ones are written");
        let index = &self.index;
        recover::read_log(self.medium.as_mut(), &head, &mut |item| match item {
            Item::Record(Found { record: Record::Put(id, bytes), chunk, .. }) if index.is_at(id, chunk) => {
                each(id, bytes).map_err(Fault::Damaged)
            }
            _ => Ok(()),
        })
    }

    /// Writes changes for the next checkpoint. They exist only after the [`commit`](Store::commit) that
    /// follows; without it they never happened.
    ///
    /// # Errors
    /// The medium failed, now or before.
    pub fn append(&mut self, changes: &Changes) -> Result<(), Fault> {
        self.lively(|store| {
            store.begin()?;
            for (record, encoded) in changes.records() {
                if let Record::Put(_, bytes) = record {
                    check_size("a piece", bytes)?;
                }
                store.push(&record, encoded)?;
            }
            Ok(())
        })
    }

    /// Makes a checkpoint of everything appended since the last one. Its number is returned.
    ///
    /// # The order of writes
    ///
    /// Each step is durable before the next begins. Whatever a crash cuts off, the newest head on the medium then
    /// describes rows that are in the output and chunks that are in the log.
    ///
    /// 1. `outputs` writes the rows and syncs the files they are in. Were the head first, a power cut could leave
    ///    a committed length that the file does not have, and those rows would never be written again.
    /// 2. The chunks: what was appended, the payload, what the sweep saves. Then the medium is synced. Were the
    ///    head first, it would vouch for chunks that are not there.
    /// 3. The head, in the slot of the checkpoint before the last, so that the last one stays readable while it
    ///    is written; synced. From here on the new checkpoint exists. Then the mark, by which the next
    ///    run notices a medium that comes back without it.
    /// 4. Only now is forgotten what no head needs. The last two epochs stay whole: one bad chunk in what was
    ///    just written must not be the end of the state. A removal that a crash undoes is repeated later.
    ///
    /// An error of any step ends the writing in this run, and no sync is ever tried again: after a failed
    /// one the kernel takes the lost pages for clean, and the second would succeed without them.
    ///
    /// # Errors
    /// Those of `outputs`; the medium failed, now or before; a payload that is too large.
    pub fn commit<E: From<Fault>>(
        &mut self,
        payload: &[u8],
        outputs: impl FnOnce() -> Result<(), E>,
    ) -> Result<u64, E> {
        if self.dead {
            return Err(Fault::Dead.into());
        }
        self.dead = true;
        outputs()?;
        let head = self.write_chunks(payload)?;
        self.medium.sync()?;
        self.write_head(&head)?;
        self.forget(&head)?;
        self.payload.clear();
        self.payload.extend_from_slice(payload);
        self.head = Some(head);
        self.writer.from = None;
        self.dead = false;
        Ok(head.epoch)
    }

    /// Step 2: all that the coming head vouches for.
    fn write_chunks(&mut self, payload: &[u8]) -> Result<Head, Fault> {
        check_size("the payload", payload)?;
        self.begin()?;
        let epoch = self.coming();
        let mut encoded = std::mem::take(&mut self.scratch);
        encoded.clear();
        record::payload(&mut encoded, epoch, payload);
        self.push(&Record::Payload(epoch, payload), &encoded)?;
        self.scratch = encoded;
        self.sweep()?;
        self.end_chunk()?;
        Ok(Head {
            epoch,
            tail: self.index.tail(),
            next: self.index.next(),
            pieces: self.index.pieces(),
            digest: self.index.digest(),
        })
    }

    /// Step 3.
    fn write_head(&mut self, head: &Head) -> Result<(), Fault> {
        self.medium.put(slot(head.epoch), &head.encode())?;
        self.medium.sync()?;
        self.medium.mark(head.epoch)
    }

    /// Step 4: chunks that neither this head nor the one before it needs.
    fn forget(&mut self, head: &Head) -> Result<(), Fault> {
        let kept = self.head.map_or(head.tail, |before| before.tail);
        for number in self.forgotten..kept {
            self.medium.remove(Key::Chunk(number))?;
        }
        self.forgotten = kept;
        self.medium.tidy(self.index.live_bytes())
    }

    /// Before the first write for an epoch.
    fn begin(&mut self) -> Result<(), Fault> {
        if self.writer.from.is_some() {
            return Ok(());
        }
        let next = self.index.next();
        if !self.settled {
            self.medium.adopt()?;
            // Parts of checkpoints that were never finished, and what could not be forgotten any more.
            let mut garbage = self.medium.chunks(0, self.forgotten)?;
            garbage.extend(self.medium.chunks(next, u64::MAX)?);
            for number in garbage {
                self.medium.remove(Key::Chunk(number))?;
            }
            self.settled = true;
        }
        self.writer.from = Some(next);
        Ok(())
    }

    fn coming(&self) -> u64 {
        self.head.map_or(0, |head| head.epoch + 1)
    }

    /// Runs `act`; whatever goes wrong in it, the store is not written again.
    fn lively<T>(&mut self, act: impl FnOnce(&mut Store) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.dead {
            return Err(Fault::Dead);
        }
        self.dead = true;
        let done = act(self)?;
        self.dead = false;
        Ok(done)
    }

    /// Appends a record to the log.
    fn push(&mut self, record: &Record<'_>, encoded: &[u8]) -> Result<(), Fault> {
        let full = self.writer.value.len() == VALUE_BYTES;
        // Of the records that begin in one chunk, no two put the same piece: then "the live record of this piece
        // begins there" says which one it is.
        if full || (!self.writer.value.is_empty() && self.index.supersedes(record, self.index.next() - 1)) {
            self.end_chunk()?;
        }
        let mut rest = encoded;
        let mut begun = None;
        while !rest.is_empty() {
            if self.writer.value.len() == VALUE_BYTES {
                self.end_chunk()?;
            }
            if self.writer.value.is_empty() {
                self.writer.value.resize(HEADER_BYTES, 0);
                self.writer.start = None;
                self.index.begin_chunk();
            }
            let value = &mut self.writer.value;
            if begun.is_none() {
                begun = Some(self.index.next() - 1);
                self.writer.start.get_or_insert(value.len() - HEADER_BYTES);
            }
            let (now, later) = rest.split_at(rest.len().min(VALUE_BYTES - value.len()));
            value.extend_from_slice(now);
            rest = later;
        }
        if let Some(begun) = begun {
            self.index.apply(record, begun, encoded.len());
        }
        Ok(())
    }

    /// Writes the chunk that is being filled, if there is one.
    fn end_chunk(&mut self) -> Result<(), Fault> {
        let epoch = self.coming();
        let value = &mut self.writer.value;
        if value.is_empty() {
            return Ok(());
        }
        let number = self.index.next() - 1;
        chunk::seal(value, number, epoch, self.writer.start);
        self.index.end_chunk(value.len(), chunk::digest(value));
        self.medium.put(Key::Chunk(number), value)?;
        value.clear();
        Ok(())
    }

    /// Shortens the log from behind until garbage is at most half of it; what is alive there is appended anew.
    fn sweep(&mut self) -> Result<(), Fault> {
        let end = self.writer.from.unwrap_or(self.index.next());
        let mut alive = Changes::new();
        while self.index.tail() < end && self.index.log_bytes() > 2 * self.index.live_bytes() + self.slack {
            if self.index.live_in_first() > 0 {
                alive.clear();
                self.alive_in(self.index.tail(), &mut alive)?;
                for (record, encoded) in alive.records() {
                    self.push(&record, encoded)?;
                }
                if self.index.live_in_first() > 0 {
                    return Err(Fault::Damaged(format!("chunk {} has changed", self.index.tail())));
                }
            }
            self.index.drop_first();
        }
        Ok(())
    }

    /// The live records that begin in a chunk.
    fn alive_in(&mut self, number: u64, alive: &mut Changes) -> Result<(), Fault> {
        let mut stream = Stream::default();
        let mut value = Vec::new();
        let mut at = number;
        loop {
            recover::read_chunk(self.medium.as_mut(), at, &mut value, &mut stream, &mut |found| {
                if let Record::Put(id, bytes) = found.record
                    && found.chunk == number
                    && self.index.is_at(id, number)
                {
                    alive.put(id, bytes);
                }
                Ok(())
            })?;
            if stream.open_since() != Some(number) {
                return Ok(());
            }
            at += 1;
        }
    }
}

/// The place of an epoch's head.
pub(super) fn slot(epoch: u64) -> Key {
    Key::Head((epoch % 2) as u8)
}

fn check_size(what: &'static str, bytes: &[u8]) -> Result<(), Fault> {
    if bytes.len() as u64 > MOST_BYTES { Err(Fault::TooLarge(what, bytes.len() as u64)) } else { Ok(()) }
}
