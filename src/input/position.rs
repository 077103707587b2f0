//! How far an input has been processed, how that is told from another input, and how to go on from there.
//!
//! Offsets and hashes are those of the bytes that records are cut from: of packed input, what it holds.

use super::detect::Kind;
use super::feed::Feed;
use super::unpack::Packing;
use crate::event::EventBatch;
use std::io;
use xxhash_rust::xxh3::xxh3_128;

/// First bytes of an input by which it is known again.
pub const HEAD_BYTES: usize = 1024;
/// Bytes before an offset by which it is known that what comes after them is what comes next.
pub const TAIL_BYTES: usize = 256;
/// The same of what can only be read once more from its beginning.
pub const STREAM_TAIL_BYTES: usize = 64 << 10;

/// Some bytes of an input, by their hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Extract {
    /// How many they are.
    pub length: u64,
    /// XXH3 of them.
    pub hash: u128,
}

impl Extract {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Extract {
        Extract { length: bytes.len() as u64, hash: xxh3_128(bytes) }
    }
}

/// What reading has found out about an input that its later bytes do not tell.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Learnt {
    /// Its format.
    pub kind: Kind,
    /// The compression that its bytes come out of.
    pub packing: Option<Packing>,
    /// Its columns or fields, once a record has told them.
    pub names: Option<Vec<String>>,
    /// The event-time field, if it was chosen and not given.
    pub time: Option<String>,
}

/// Up to where an input has been processed.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Position {
    /// Bytes that have been processed: just after a record.
    pub offset: u64,
    /// Lines of them.
    pub lines: u64,
    /// Their first bytes.
    pub head: Extract,
    /// Their last bytes.
    pub tail: Extract,
    /// What has been found out; `None` before the format is known.
    pub learnt: Option<Learnt>,
}

/// Follows the processing of an input.
#[derive(Clone, Debug)]
pub struct Trace {
    offset: u64,
    lines: u64,
    head: Vec<u8>,
    /// Bytes have passed that were not kept: no more can be added to the head.
    head_ends: bool,
    tail: Vec<u8>,
    /// How long the tail may be.
    most: usize,
    /// What has been found out.
    pub learnt: Option<Learnt>,
}

impl Trace {
    /// Nothing has been processed. `most` bytes before the offset are to be remembered.
    pub fn new(most: usize) -> Trace {
        Trace { offset: 0, lines: 0, head: Vec::new(), head_ends: false, tail: Vec::new(), most, learnt: None }
    }

    /// Goes on from a position; the bytes of its head and tail are these, or none if nobody can tell them any more.
    pub fn from(position: &Position, bytes: Ends, most: usize) -> Trace {
        let Ends { head, tail } = bytes;
        let head_ends = (head.len() as u64) < position.offset;
        let Position { offset, lines, ref learnt, .. } = *position;
        Trace { offset, lines, head, head_ends, tail, most, learnt: learnt.clone() }
    }

    /// All of a batch has been processed.
    pub fn took(&mut self, batch: &EventBatch) {
        self.take(batch, batch.consumed, u64::from(batch.lines));
    }

    /// So many bytes of a batch have been processed, up to the end of a record with or without its line end. Returns
    /// how many with it.
    pub fn took_part(&mut self, batch: &EventBatch, bytes: u64) -> u64 {
        let bytes = if bytes >= batch.bytes.len() as u64 { batch.consumed } else { with_line_end(batch, bytes) };
        if bytes >= batch.consumed {
            self.took(batch);
        } else {
            let lines = memchr::memchr_iter(b'\n', &batch.bytes[..bytes as usize]).count();
            self.take(batch, bytes, lines as u64);
        }
        bytes
    }

    /// Where processing will stand once so many bytes of the next batch have been processed.
    pub fn within(&self, batch: &EventBatch, bytes: u64) -> Position {
        let mut trace = self.clone();
        trace.took_part(batch, bytes);
        trace.position()
    }

    fn take(&mut self, batch: &EventBatch, consumed: u64, lines: u64) {
        let is_whole = consumed >= batch.consumed && !batch.ending.is_empty();
        let bytes = if is_whole { &batch.ending } else { &batch.bytes[..consumed as usize] };
        self.pass_over(batch.offset);
        if is_whole {
            self.head_ends = true;
            self.tail.clear();
        }
        if !self.head_ends {
            self.head.extend(bytes.iter().take(HEAD_BYTES - self.head.len()));
            self.head_ends = self.head.len() == HEAD_BYTES;
        }
        let new = &bytes[bytes.len().saturating_sub(self.most)..];
        let old = self.tail.len().min(self.most - new.len());
        self.tail.drain(..self.tail.len() - old);
        self.tail.extend_from_slice(new);
        self.offset = batch.offset + consumed;
        self.lines += lines;
    }

    /// What is in no block: a byte order mark, or NULs where nothing was ever written.
    fn pass_over(&mut self, to: u64) {
        let mark = super::reader::BYTE_ORDER_MARK;
        let gap = to.saturating_sub(self.offset);
        if self.offset == 0 && gap == mark.len() as u64 {
            self.head.extend_from_slice(mark);
            self.tail.extend_from_slice(mark);
        } else if gap > 0 {
            let nuls = usize::try_from(gap).unwrap_or(usize::MAX);
            if !self.head_ends {
                self.head.resize(self.head.len().saturating_add(nuls).min(HEAD_BYTES), 0);
                self.head_ends = self.head.len() == HEAD_BYTES;
            }
            let kept = self.tail.len().min(self.most.saturating_sub(nuls));
            self.tail.drain(..self.tail.len() - kept);
            self.tail.resize(kept + nuls.min(self.most), 0);
        }
    }

    /// Where processing stands.
    pub fn position(&self) -> Position {
        Position {
            offset: self.offset,
            lines: self.lines,
            head: Extract::of(&self.head),
            tail: Extract::of(&self.tail),
            learnt: self.learnt.clone(),
        }
    }
}

/// Adds the line end to bytes that may end before it.
fn with_line_end(batch: &EventBatch, bytes: u64) -> u64 {
    let (before, rest) = batch.bytes.split_at(bytes as usize);
    let more = match rest {
        _ if before.last().is_none_or(|last| *last == b'\n') => 0,
        [b'\r', b'\n', ..] => 2,
        [b'\n', ..] => 1,
        _ => 0,
    };
    bytes + more
}

/// The bytes of a head and a tail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ends {
    /// The first of the input.
    pub head: Vec<u8>,
    /// The last before an offset.
    pub tail: Vec<u8>,
}

/// Why an input is not the one that a position was saved of.
#[derive(Debug)]
pub enum Mismatch {
    /// It ends after so many bytes.
    Short(u64),
    /// Its first bytes are others.
    Head,
    /// The bytes before the offset are others.
    Tail,
    /// It cannot be read.
    Io(io::Error),
}

impl From<io::Error> for Mismatch {
    fn from(error: io::Error) -> Self {
        Mismatch::Io(error)
    }
}

/// Looks at a file, of which offset 0 is at `base`, without moving in it.
///
/// # Errors
/// It is another one.
pub fn check_file(file: &std::fs::File, base: u64, position: &Position) -> Result<Ends, Mismatch> {
    use std::os::unix::fs::FileExt;
    let size = file.metadata()?.len().saturating_sub(base);
    if size < position.offset {
        return Err(Mismatch::Short(size));
    }
    let read = |from: u64, length: u64, most: usize| -> Result<Vec<u8>, Mismatch> {
        // What was saved may be damaged; no more is set aside than can have been meant.
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(most)];
        file.read_exact_at(&mut bytes, base + from)?;
        Ok(bytes)
    };
    let head = read(0, position.head.length, HEAD_BYTES)?;
    let tail_from = position.offset.saturating_sub(position.tail.length);
    let tail = read(tail_from, position.tail.length, STREAM_TAIL_BYTES)?;
    compare(position, Ends { head, tail })
}

/// Reads and forgets what comes before the offset.
///
/// # Errors
/// It is another input.
pub fn skip(feed: &mut dyn Feed, position: &Position) -> Result<Ends, Mismatch> {
    const STEP: usize = 256 << 10;
    let mut ends = Ends::default();
    let (head, tail) =
        (position.head.length.min(HEAD_BYTES as u64), position.tail.length.min(STREAM_TAIL_BYTES as u64));
    let tail_from = position.offset.saturating_sub(tail);
    let mut buffer = vec![0; STEP];
    let mut at = 0;
    while at < position.offset {
        let most = (position.offset - at).min(STEP as u64) as usize;
        let read = match feed.read(&mut buffer[..most]) {
            Ok(0) => return Err(Mismatch::Short(at)),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        let bytes = &buffer[..read];
        ends.head.extend(bytes.iter().take(head as usize - ends.head.len()));
        let before_tail = tail_from.saturating_sub(at).min(read as u64);
        ends.tail.extend_from_slice(&bytes[before_tail as usize..]);
        at += read as u64;
        if ends.head.len() as u64 == head && Extract::of(&ends.head) != position.head {
            return Err(Mismatch::Head);
        }
    }
    compare(position, ends)
}

fn compare(position: &Position, ends: Ends) -> Result<Ends, Mismatch> {
    if Extract::of(&ends.head) != position.head {
        return Err(Mismatch::Head);
    }
    if Extract::of(&ends.tail) != position.tail {
        return Err(Mismatch::Tail);
    }
    Ok(ends)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::feed::Piped;

    fn batch(offset: u64, bytes: &[u8]) -> EventBatch {
        let mut batch = EventBatch::new(0, 0);
        batch.offset = offset;
        batch.bytes.extend_from_slice(bytes);
        batch.consumed = bytes.len() as u64;
        batch.lines = memchr::memchr_iter(b'\n', bytes).count() as u32;
        batch
    }

    /// Lines of different lengths, so that ends of blocks fall everywhere.
    fn text() -> Vec<u8> {
        (0..400usize).flat_map(|line| format!("{line} {}\n", "x".repeat(line * 7 % 90)).into_bytes()).collect()
    }

    #[test]
    fn a_position_does_not_depend_on_blocks_and_is_known_again() {
        let text = text();
        let path = std::env::temp_dir().join(format!("streamw-position-{}", std::process::id()));
        std::fs::write(&path, &text).expect("a file");
        let file = std::fs::File::open(&path).expect("it");
        for end in [0, 2, 300, 1023, 1024, 1025, 9_000, text.len()] {
            let end = text[..end].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let expected = Position {
                offset: end as u64,
                lines: memchr::memchr_iter(b'\n', &text[..end]).count() as u64,
                head: Extract::of(&text[..end.min(HEAD_BYTES)]),
                tail: Extract::of(&text[end.saturating_sub(TAIL_BYTES)..end]),
                learnt: None,
            };
            for block in [1, 3, 100, 700, 5_000, usize::MAX] {
                let mut trace = Trace::new(TAIL_BYTES);
                let mut at = 0;
                while at < end {
                    let next = at + block.min(end - at);
                    trace.took(&batch(at as u64, &text[at..next]));
                    at = next;
                }
                assert_eq!(trace.position(), expected, "{end} in blocks of {block}");
            }
            let ends = check_file(&file, 0, &expected).expect("the same file");
            assert_eq!(skip(&mut Piped(&text[..]), &expected).expect("the same bytes"), ends);
            let mut on = Trace::from(&expected, ends, TAIL_BYTES);
            on.took(&batch(end as u64, &text[end..]));
            let mut whole = Trace::new(TAIL_BYTES);
            whole.took(&batch(0, &text));
            assert_eq!(on.position(), whole.position(), "going on from {end}");
        }
        std::fs::remove_file(path).expect("ours");
    }

    #[test]
    fn another_input_is_noticed() {
        let text = text();
        let mut trace = Trace::new(TAIL_BYTES);
        trace.took(&batch(0, &text[..10_000]));
        let position = trace.position();
        let with = |at: usize| {
            let mut text = text.clone();
            text[at] ^= 1;
            skip(&mut Piped(io::Cursor::new(text)), &position)
        };
        assert!(matches!(skip(&mut Piped(&text[..9_999]), &position), Err(Mismatch::Short(9_999))));
        assert!(matches!(with(0), Err(Mismatch::Head)));
        assert!(matches!(with(1_023), Err(Mismatch::Head)));
        assert!(matches!(with(9_744), Err(Mismatch::Tail)));
        assert!(matches!(with(9_999), Err(Mismatch::Tail)));
        assert!(with(10_000).is_ok(), "what comes after it may be anything");
    }

    #[test]
    fn a_part_ends_with_the_line_end_of_its_last_record() {
        for (text, taken, expected) in [
            ("ab\ncd\n", 2, (3, 1)),
            ("ab\ncd\n", 3, (3, 1)),
            ("ab\r\ncd\n", 2, (4, 1)),
            ("ab\r\ncd\n", 4, (4, 1)),
            ("ab\n\ncd\n", 3, (3, 1)),
            ("ab\ncd", 5, (5, 1)),
        ] {
            let mut trace = Trace::new(TAIL_BYTES);
            trace.took_part(&batch(0, text.as_bytes()), taken);
            let Position { offset, lines, .. } = trace.position();
            assert_eq!((offset, lines), expected, "{text:?} {taken}");
        }
    }
}
