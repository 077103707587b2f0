//! What a file holds, by place: as it is, or unpacked.

use super::disk::{FileSystem, OpenFile, Stat};
use super::position::{HEAD, TRAIL};
use crate::input::feed::{Feed, Piped};
use crate::input::unpack::{LONGEST_MAGIC, Packing};
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// An open file that somebody else may close: a deleted one that nobody reads fills the disk (R18).
pub struct Held {
    file: Mutex<Option<Arc<dyn OpenFile>>>,
    size: AtomicU64,
}

impl Held {
    fn new(file: Arc<dyn OpenFile>) -> Arc<Held> {
        Arc::new(Held { file: Mutex::new(Some(file)), size: AtomicU64::default() })
    }

    /// The file, unless it has been let go.
    pub fn get(&self) -> Option<Arc<dyn OpenFile>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets the file go. A read that goes on ends first.
    pub fn let_go(&self) {
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(stat) = file.and_then(|file| file.stat().ok()) {
            self.size.store(stat.size, Ordering::SeqCst);
        }
    }

    /// How many bytes it had when it was let go.
    pub fn size(&self) -> u64 {
        self.size.load(Ordering::SeqCst)
    }
}

/// A file's content.
pub struct Body {
    held: Arc<Held>,
    packed: Option<Unpacked>,
}

/// Packed content, which can only be read forward; going back begins anew.
struct Unpacked {
    packing: Packing,
    reader: Box<dyn Read + Send>,
    at: u64,
}

/// Reads an open file from its beginning.
struct Cursor {
    file: Arc<dyn OpenFile>,
    at: u64,
}

impl Read for Cursor {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(self.at, into)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// The file has been let go.
fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "it was deleted and has been let go")
}

impl Body {
    /// Opens a file as it is.
    ///
    /// # Errors
    /// If it cannot be opened, or is no regular file.
    pub fn open(files: &dyn FileSystem, path: &Path) -> io::Result<(Body, Stat)> {
        let file = files.open(path)?;
        let stat = file.stat()?;
        if !stat.is_regular {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is no regular file"));
        }
        Ok((Body { held: Held::new(file), packed: None }, stat))
    }

    /// The same content, to be read from its beginning.
    ///
    /// # Errors
    /// If it has been let go.
    pub fn again(&self) -> io::Result<Body> {
        let mut body = Body { held: self.held.clone(), packed: None };
        if let Some(Unpacked { packing, .. }) = self.packed {
            body.packed = Some(Unpacked { packing, reader: body.unpacked(packing)?, at: 0 });
        }
        Ok(body)
    }

    /// Opens a file, and what it holds if its first bytes say that it is packed (R14).
    ///
    /// # Errors
    /// If it cannot be opened, or is no regular file.
    pub fn unpack(files: &dyn FileSystem, path: &Path) -> io::Result<(Body, Stat)> {
        let (mut body, stat) = Body::open(files, path)?;
        let mut magic = [0; LONGEST_MAGIC];
        let length = body.fill(0, &mut magic)?;
        if let Some(packing) = Packing::of(&magic[..length]) {
            body.packed = Some(Unpacked { packing, reader: body.unpacked(packing)?, at: 0 });
        }
        Ok((body, stat))
    }

    fn unpacked(&self, packing: Packing) -> io::Result<Box<dyn Read + Send>> {
        let file = self.held.get().ok_or_else(gone)?;
        let feed: Box<dyn Feed> = Box::new(Piped(Cursor { file, at: 0 }));
        let unpacked = packing.unpack(Vec::new(), feed, Arc::default())?;
        Ok(Box::new(unpacked))
    }

    /// The file, for who may have to let it go.
    pub fn held(&self) -> Arc<Held> {
        self.held.clone()
    }

    /// Whether it is packed: then it is finished, and its size says nothing of what it holds.
    pub fn is_packed(&self) -> bool {
        self.packed.is_some()
    }

    /// What the file is now.
    ///
    /// # Errors
    /// If that cannot be told, or it has been let go.
    pub fn stat(&self) -> io::Result<Stat> {
        self.held.get().ok_or_else(gone)?.stat()
    }

    /// Reads from a place on, as one read does; none at the end.
    ///
    /// # Errors
    /// If it cannot be read or unpacked, or has been let go.
    pub fn read_at(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = match self.packed {
                None => self.held.get().ok_or_else(gone)?.read_at(offset, into),
                Some(_) => self.read_packed(offset, into),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read,
            }
        }
    }

    fn read_packed(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let again = match &self.packed {
            Some(packed) if packed.at > offset => Some(self.unpacked(packed.packing)?),
            _ => None,
        };
        let Some(packed) = &mut self.packed else { return Ok(0) };
        if let Some(reader) = again {
            (packed.reader, packed.at) = (reader, 0);
        }
        let skipped = io::copy(&mut (&mut packed.reader).take(offset - packed.at), &mut io::sink())?;
        packed.at += skipped;
        if packed.at < offset {
            return Ok(0);
        }
        let read = packed.reader.read(into)?;
        packed.at += read as u64;
        Ok(read)
    }

    /// Bytes it holds, unpacked if it is packed.
    ///
    /// # Errors
    /// As [`Body::read_at`].
    pub fn length(&mut self) -> io::Result<u64> {
        if self.packed.is_none() {
            return Ok(self.stat()?.size);
        }
        let mut chunk = vec![0; 64 << 10];
        let mut length = 0;
        loop {
            match self.read_at(length, &mut chunk)? {
                0 => return Ok(length),
                read => length += read as u64,
            }
        }
    }

    /// Whether it begins as another one does up to a length, going by the first and the last bytes before that.
    pub fn begins_with(&mut self, other: &mut Body, length: u64) -> bool {
        let mut is_same = |from: u64, most: usize| {
            let count = most.min(usize::try_from(length).unwrap_or(most));
            let (mut own, mut others) = (vec![0; count], vec![0; count]);
            let filled = |body: &mut Body, into: &mut [u8]| body.fill(from, into).is_ok_and(|filled| filled == count);
            filled(self, &mut own) && filled(other, &mut others) && own == others
        };
        length > 0 && is_same(0, HEAD) && is_same(length.saturating_sub(TRAIL as u64), TRAIL)
    }

    /// Whether it begins with all that another one holds, whose size is not known if it is packed.
    pub fn holds(&mut self, other: &mut Body, size: Option<u64>) -> bool {
        let mut heads = [[0; 2 * TRAIL]; 2];
        let length = match size {
            Some(size) => Ok(size),
            None => self.fill(0, &mut heads[0]).and_then(|own| {
                let others = other.fill(0, &mut heads[1])?;
                if others > own || heads[0][..others] != heads[1][..others] { Ok(0) } else { other.length() }
            }),
        };
        length.is_ok_and(|length| self.begins_with(other, length))
    }

    /// Reads until the buffer is full or the content ends.
    ///
    /// # Errors
    /// As [`Body::read_at`].
    pub fn fill(&mut self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < into.len() {
            match self.read_at(offset + filled as u64, &mut into[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        Ok(filled)
    }
}
