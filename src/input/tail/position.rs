//! How far a file has been read, and how to know it again: by device and inode, by how it begins, and by what comes
//! right before that place (R1). All three must agree; an inode alone is given to another file soon.

use super::body::Body;
use super::disk::{FileId, Stat};
use super::known::{Beside, KnownRecord};
use serde::{Deserialize, Serialize};
use std::io;
use xxhash_rust::xxh3::xxh3_128;

/// Bytes at a file's beginning that identify it; fewer if it has no more.
pub const HEAD: usize = 1024;
/// Bytes before a place that identify it; fewer if there are no more.
pub const TRAIL: usize = 256;

/// A hash of some bytes, and how many they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    /// How many.
    pub length: u32,
    /// Their hash.
    pub hash: u128,
}

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest { length: bytes.len() as u32, hash: xxh3_128(bytes) }
    }

    fn is_at(&self, offset: u64, body: &mut Body) -> io::Result<bool> {
        // A length from elsewhere asks for no memory that was not meant.
        let mut bytes = vec![0; (self.length as usize).min(HEAD)];
        Ok(body.fill(offset, &mut bytes)? == self.length as usize && Digest::of(&bytes) == *self)
    }
}

/// A place in a file, always just after a line end or at the end of a finished file; plain data, to be kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Which file.
    pub id: FileId,
    /// How it begins: at most [`HEAD`] bytes.
    pub head: Digest,
    /// What comes right before the place: at most [`TRAIL`] bytes.
    pub trail: Digest,
    /// The place: bytes from the beginning, unpacked ones if it is packed.
    pub offset: u64,
    /// When the file had last been written to: nanoseconds since the epoch, by the file system's clock.
    pub modified: i64,
    /// The first bytes, where they are still known, maybe more than the head: a copy that lacks the last lines is known by them.
    pub start: Start,
}

/// The first bytes of a file, where they are known: its first line, which may be a header, and [`HEAD`] more. Mostly they
/// are text, and kept as such: each byte as the character of its number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Start(Vec<u8>);

/// Longest start that is kept.
const MOST_START: usize = 8 << 10;

impl Start {
    /// These bytes.
    pub fn of(bytes: &[u8]) -> Start {
        Start(bytes.to_vec())
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// These bytes come at a place.
    pub fn extend(&mut self, offset: u64, bytes: &[u8]) {
        if offset != self.0.len() as u64 || bytes.is_empty() {
            return;
        }
        let first_line = memchr::memchr(b'\n', &self.0);
        let first_line = first_line.or_else(|| Some(self.0.len() + memchr::memchr(b'\n', bytes)?));
        let most = first_line.map_or(MOST_START, |end| MOST_START.min(end + 1 + HEAD));
        let missing = most.saturating_sub(self.0.len());
        self.0.extend(bytes.iter().take(missing));
    }
}

impl From<String> for Start {
    fn from(text: String) -> Start {
        Start(text.chars().filter_map(|character| u8::try_from(character).ok()).collect())
    }
}

impl From<Start> for String {
    fn from(Start(bytes): Start) -> String {
        bytes.into_iter().map(char::from).collect()
    }
}

/// Where in a file reading begins, with the bytes by which that is known again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Which file.
    pub id: FileId,
    /// When it was made, where that is known.
    pub created: Option<i64>,
    /// When it had last been written to: nanoseconds since the epoch, by the file system's clock.
    pub modified: i64,
    /// The place: bytes from the beginning, unpacked ones if it is packed.
    pub offset: u64,
    /// How the file begins: at most [`HEAD`] bytes before the place.
    pub head: Vec<u8>,
    /// What comes right before the place: at most [`TRAIL`] bytes.
    pub trail: Vec<u8>,
}

impl Place {
    /// What is kept of it.
    pub fn position(&self) -> Position {
        let Place { id, modified, offset, ref head, ref trail, .. } = *self;
        Position { id, head: Digest::of(head), trail: Digest::of(trail), offset, modified, start: Start::of(head) }
    }
}

/// That a file begins, or goes on at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileBegun {
    /// The place.
    pub place: Place,
    /// What is known of the files beside it, as long as it is at hand.
    pub beside: Beside,
}

/// What a former run leaves of a followed path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// Up to where it has come. No file at all (device and inode 0) if there was none yet.
    pub position: Position,
    /// When that file was made, where that is known: another one may have its inode by now.
    pub created: Option<i64>,
    /// Whether what was read tells the file from others, so that a copy of it is known for one. A header alone does not.
    pub is_telling: bool,
    /// The ends of files that were read before, oldest first.
    pub formers: Vec<Position>,
    /// What was known of the files beside it.
    pub known: KnownRecord,
}

impl Left {
    /// Whether a file may be the one, if its bytes say so as well. Where these tell nothing, it must be the very same.
    pub fn may_be(&self, stat: &Stat) -> bool {
        let is_as_old = self.created.is_none() || stat.created.is_none() || self.created == stat.created;
        self.is_telling || stat.id == self.position.id && is_as_old
    }
}

impl Position {
    /// Whether a file begins as this one and comes to the place as this one, whatever its inode: then it is the same
    /// file or a copy of it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn is_in(&self, body: &mut Body) -> io::Result<bool> {
        Ok(self.head.is_at(0, body)? && self.trail.is_at(self.offset - u64::from(self.trail.length), body)?)
    }

    /// Whether a file begins as this one.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn begins(&self, body: &mut Body) -> io::Result<bool> {
        self.head.is_at(0, body)
    }
}
