//! What has been read of a file, so that it is known again, and a copy of it as well, whole or not (R1, R4).
//!
//! A copy that was made a moment before the last lines were added is shorter than what was read. So more than the ends of
//! it is remembered: the last bytes, and hashes of blocks before them.

use super::body::Body;
use super::disk::FileId;
use super::position::{Digest, HEAD, Position, Start, TRAIL};
use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use xxhash_rust::xxh3::xxh3_64;

/// Bytes of a block of which a hash is kept.
const BLOCK: usize = 16 << 10;
/// Blocks of which one is kept: the last 64 MiB.
const BLOCKS: usize = 4096;
/// Bytes before the place that are kept as they are; at least a block.
const RECENT: usize = 16 << 10;

/// What has been read of a file.
#[derive(Clone, Debug)]
pub struct Passed {
    id: FileId,
    modified: i64,
    offset: u64,
    /// The first [`HEAD`] bytes, or what has been read of them.
    head: Vec<u8>,
    /// The bytes before the place, at most twice [`RECENT`].
    recent: Vec<u8>,
    /// Hashes of whole blocks, and which one comes after the last of them.
    blocks: VecDeque<u64>,
    next_block: u64,
    /// Lines that have ended; two are as good as more.
    lines: usize,
    /// All that is known, if it was read by a former run.
    former: Option<Position>,
}

/// The same while it is being read.
#[derive(Clone, Debug)]
pub struct Passing(Arc<Mutex<Passed>>);

impl Passing {
    /// What has been read by now.
    pub fn get(&self) -> MutexGuard<'_, Passed> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Passed> for Passing {
    fn from(passed: Passed) -> Passing {
        Passing(Arc::new(Mutex::new(passed)))
    }
}

impl From<&Position> for Passed {
    /// What a former run has read; only the ends of it are known.
    fn from(position: &Position) -> Passed {
        let Position { id, modified, offset, ref start, .. } = *position;
        let former = Some(position.clone());
        Passed { former, lines: 2, ..Passed::new(id, modified, offset, start.bytes(), &[]) }
    }
}

impl Passed {
    /// A file that has been read up to a place; of what was read these are the first [`HEAD`] bytes and the last ones.
    pub fn new(id: FileId, modified: i64, offset: u64, head: &[u8], recent: &[u8]) -> Passed {
        let beyond = usize::try_from(offset).unwrap_or(usize::MAX).saturating_sub(head.len()).min(recent.len());
        let lines_of = |bytes: &[u8]| memchr::memchr_iter(b'\n', bytes).take(2).count();
        let mut passed = Passed {
            id,
            modified,
            offset,
            head: head.to_vec(),
            recent: recent.to_vec(),
            blocks: VecDeque::new(),
            next_block: 0,
            lines: lines_of(head) + lines_of(&recent[recent.len() - beyond..]),
            former: None,
        };
        passed.next_block = passed.first_whole_block();
        passed
    }

    /// Bytes to read before a place to know all of this.
    pub const MOST: usize = RECENT;

    fn first_whole_block(&self) -> u64 {
        (self.offset - self.recent.len() as u64).div_ceil(BLOCK as u64)
    }

    /// These bytes come after it.
    pub fn extend(&mut self, bytes: &[u8]) {
        if self.head.len() < HEAD && self.offset == self.head.len() as u64 {
            self.head.extend(bytes.iter().take(HEAD - self.head.len()));
        }
        if self.lines < 2 {
            self.lines += memchr::memchr_iter(b'\n', bytes).take(2).count();
        }
        self.recent.extend_from_slice(bytes);
        self.offset += bytes.len() as u64;
        let start = self.offset - self.recent.len() as u64;
        while (self.next_block + 1) * BLOCK as u64 <= self.offset {
            let from = (self.next_block * BLOCK as u64 - start) as usize;
            if self.blocks.len() == BLOCKS {
                self.blocks.pop_front();
            }
            self.blocks.push_back(xxh3_64(&self.recent[from..from + BLOCK]));
            self.next_block += 1;
        }
        if self.recent.len() > 2 * RECENT {
            self.recent.drain(..self.recent.len() - RECENT);
        }
    }

    /// So many NULs come after it.
    pub fn skip(&mut self, nuls: u64) {
        let few = usize::try_from(nuls).unwrap_or(usize::MAX).min(2 * RECENT);
        self.offset += nuls - few as u64;
        if nuls > few as u64 {
            self.recent.clear();
            self.blocks.clear();
            self.next_block = self.first_whole_block();
        }
        self.extend(&vec![0; few]);
    }

    /// Only the ends of it matter from now on.
    pub fn shrink(&mut self) {
        self.recent.drain(..self.recent.len().saturating_sub(TRAIL));
        self.recent.shrink_to_fit();
        self.blocks = VecDeque::new();
        self.next_block = self.first_whole_block();
    }

    /// Which file it is.
    pub fn id(&self) -> FileId {
        self.id
    }

    /// The place up to which it has been read.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether that tells it from other files: a header of CSV does not, and a first line may be one.
    pub fn is_telling(&self) -> bool {
        self.lines >= 2 || self.lines == 1 && self.head.starts_with(b"{")
    }

    /// Somebody knows that it does: a record was among it.
    pub fn tell(&mut self) {
        self.lines = self.lines.max(2);
    }

    /// Whether the place is within a line.
    pub fn is_within_line(&self) -> bool {
        self.former.is_none() && self.recent.last().is_some_and(|last| *last != b'\n')
    }

    /// Where the line begins that the place is in, as far as that is known.
    pub fn line_start(&self) -> u64 {
        let within = self.recent.iter().rev().take_while(|byte| **byte != b'\n').count();
        if self.former.is_some() { self.offset } else { self.offset - within as u64 }
    }

    fn trail(&self) -> &[u8] {
        &self.recent[self.recent.len().saturating_sub(TRAIL)..]
    }

    /// What is kept of it.
    pub fn position(&self) -> Position {
        let Passed { id, modified, offset, .. } = *self;
        let (head, trail) = (Digest::of(&self.head), Digest::of(self.trail()));
        let position = || Position { id, head, trail, offset, modified, start: Start::of(&self.head) };
        self.former.clone().unwrap_or_else(position)
    }

    /// Up to where a file says the same as this one, if it comes to the place or ends before it; its size is not known if it
    /// is packed.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn is_seen_in(&self, body: &mut Body, size: Option<u64>) -> io::Result<Option<u64>> {
        if self.offset == 0 {
            return Ok(None);
        }
        if size.is_none_or(|size| size >= self.offset) && self.is_in(body)? {
            return Ok(Some(self.offset));
        }
        let size = match size {
            Some(size) => size,
            None if self.begins_alike(body)? => body.length()?,
            None => return Ok(None),
        };
        Ok(self.is_past(body, size)?.then_some(size))
    }

    /// Whether a file has the first bytes of this one, as far as it goes.
    fn begins_alike(&self, body: &mut Body) -> io::Result<bool> {
        if let Some(position) = self.former.as_ref().filter(|_| self.head.is_empty()) {
            return position.begins(body);
        }
        let mut head = vec![0; self.head.len()];
        let length = body.fill(0, &mut head)?;
        Ok(head[..length] == self.head[..length])
    }

    /// Whether a file begins as this one and comes to the place as this one, whatever its inode: then it is the same
    /// file or a copy of it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn is_in(&self, body: &mut Body) -> io::Result<bool> {
        if let Some(position) = &self.former {
            return position.is_in(body);
        }
        let trail = self.trail();
        Ok(is_at(body, 0, &self.head)? && is_at(body, self.offset - trail.len() as u64, trail)?)
    }

    /// Whether all of a file of so many bytes is what this one begins with: then it is a copy that was made before the last of
    /// what comes before the place was added.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn is_past(&self, body: &mut Body, size: u64) -> io::Result<bool> {
        if size == 0 || size >= self.offset {
            return Ok(false);
        }
        if let Some(position) = &self.former {
            if size <= self.head.len() as u64 {
                return is_at(body, 0, &self.head[..size as usize]);
            }
            // Only its first bytes can be compared, and a copy is older than the lines it lacks, if the clock shows it. Where
            // those bytes are a header it has to.
            let modified = body.stat()?.modified;
            let has_lines = memchr::memchr_iter(b'\n', &self.head).nth(1).is_some();
            let is_older = modified < position.modified || has_lines && modified == position.modified;
            return Ok(is_older && size >= HEAD as u64 && position.begins(body)?);
        }
        let count = usize::try_from(size).unwrap_or(HEAD).min(HEAD).min(self.head.len());
        if !is_at(body, 0, &self.head[..count])? {
            return Ok(false);
        }
        let start = self.offset - self.recent.len() as u64;
        if size > start {
            let end = (size - start) as usize;
            let from = end.saturating_sub(TRAIL);
            return is_at(body, start + from as u64, &self.recent[from..end]);
        }
        let last = size / BLOCK as u64;
        let first = self.next_block - self.blocks.len() as u64;
        if (first + 1..=self.next_block).contains(&last) {
            let mut bytes = vec![0; BLOCK];
            let filled = body.fill((last - 1) * BLOCK as u64, &mut bytes)?;
            return Ok(filled == BLOCK && xxh3_64(&bytes) == self.blocks[(last - 1 - first) as usize]);
        }
        // Nothing else is known of it.
        Ok(count as u64 == size)
    }
}

fn is_at(body: &mut Body, offset: u64, bytes: &[u8]) -> io::Result<bool> {
    let mut others = vec![0; bytes.len()];
    Ok(body.fill(offset, &mut others)? == bytes.len() && others == bytes)
}
