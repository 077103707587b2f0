//! gzip and zstd, undone while reading: known by their first bytes, never by a name.

use super::feed::Feed;
use flate2::bufread::GzDecoder;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Packing {
    /// gzip, of any number of members.
    Gzip,
    /// Zstandard, of any number of frames.
    Zstd,
}

/// Bytes of packed input that are read at once.
const PACKED_READ: usize = 64 << 10;

/// Bytes that are needed to know a packing.
pub const LONGEST_MAGIC: usize = 4;

impl Packing {
    /// The packing of an input that begins so.
    pub fn of(bytes: &[u8]) -> Option<Packing> {
        match bytes {
            [0x1F, 0x8B, ..] => Some(Packing::Gzip),
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(Packing::Zstd),
            _ => None,
        }
    }

    /// What it is called.
    pub fn name(self) -> &'static str {
        match self {
            Packing::Gzip => "gzip",
            Packing::Zstd => "zstd",
        }
    }

    /// A command that undoes it.
    pub fn command(self) -> &'static str {
        match self {
            Packing::Gzip => "gzip -dc",
            Packing::Zstd => "zstd -dc",
        }
    }

    /// What the packed input holds. `begun` are the bytes of it that have been read; `taken` counts all that are.
    ///
    /// # Errors
    /// If no decoder can be had.
    pub fn unpack(self, begun: Vec<u8>, feed: Box<dyn Feed>, taken: Arc<AtomicU64>) -> io::Result<Box<dyn Feed>> {
        let is_live = feed.is_live();
        let packed = Counted { reader: Cursor::new(begun).chain(feed), taken };
        let reader: Box<dyn Read + Send> = match self {
            Packing::Gzip => Box::new(GzipMembers::new(BufReader::with_capacity(PACKED_READ, packed))),
            Packing::Zstd => Box::new(zstd::stream::read::Decoder::new(packed)?),
        };
        Ok(Box::new(Unpacked { reader, is_live, packing: self }))
    }
}

struct Counted<R> {
    reader: R,
    taken: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.taken.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// What the members of a gzip file hold, one after the other. Zeros that fill a block up after the last one are
/// no part of it, as for gzip itself; anything else there is damage.
struct GzipMembers<R> {
    /// `None` at the end.
    member: Option<GzDecoder<R>>,
}

impl<R: BufRead> GzipMembers<R> {
    fn new(packed: R) -> GzipMembers<R> {
        GzipMembers { member: Some(GzDecoder::new(packed)) }
    }

    /// Goes on to the next member after one has ended.
    fn next_member(mut packed: R) -> io::Result<Option<GzDecoder<R>>> {
        loop {
            let bytes = packed.fill_buf()?;
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            match bytes.get(zeros) {
                None if bytes.is_empty() => return Ok(None),
                None => packed.consume(zeros),
                Some(0x1F) => {
                    packed.consume(zeros);
                    return Ok(Some(GzDecoder::new(packed)));
                }
                Some(_) => return Err(io::Error::new(io::ErrorKind::InvalidData, "something else follows it")),
            }
        }
    }
}

impl<R: BufRead> Read for GzipMembers<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            self.member = self.member.take().map(GzDecoder::into_inner).map_or(Ok(None), Self::next_member)?;
        }
        Ok(0)
    }
}

struct Unpacked {
    reader: Box<dyn Read + Send>,
    is_live: bool,
    packing: Packing,
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let name = self.packing.name();
        self.reader.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), format!("the {name} data is cut off")),
            kind => io::Error::new(kind, format!("the {name} data is damaged ({error})")),
        })
    }
}

impl Feed for Unpacked {
    fn is_ready(&self) -> bool {
        // How much of what is waiting makes a byte cannot be known; what there is, is shown.
        !self.is_live
    }

    fn is_live(&self) -> bool {
        self.is_live
    }
}
