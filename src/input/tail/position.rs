//! How far a file has been read, and how to know it again: by device and inode, by how it begins, and by what comes
//! right before that place (R1). All three must agree; an inode alone is given to another file soon.

use super::body::Body;
use super::disk::{FileId, Stat};
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
        Position { id, head: Digest::of(head), trail: Digest::of(trail), offset, modified }
    }
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
}

impl Left {
    /// Whether a file may be the one, if its bytes say so as well. Where these tell nothing, it must be the very same.
    pub fn may_be(&self, stat: &Stat) -> bool {
        let is_as_old = self.created.is_none() || stat.created.is_none() || self.created == stat.created;
        self.is_telling || stat.id == self.position.id && is_as_old
    }
}

impl Position {
    /// Bytes of an encoded position.
    pub const ENCODED: usize = 16 + 2 * 20 + 8 + 8;

    /// Appends it as bytes.
    pub fn encode(&self, into: &mut Vec<u8>) {
        into.extend(self.id.device.to_le_bytes());
        into.extend(self.id.inode.to_le_bytes());
        for digest in [&self.head, &self.trail] {
            into.extend(digest.length.to_le_bytes());
            into.extend(digest.hash.to_le_bytes());
        }
        into.extend(self.offset.to_le_bytes());
        into.extend(self.modified.to_le_bytes());
    }

    /// Reads it back; `None` if these are not the bytes of one.
    pub fn decode(bytes: &[u8]) -> Option<Position> {
        let mut rest = bytes;
        let id = FileId { device: u64::from_le_bytes(take(&mut rest)?), inode: u64::from_le_bytes(take(&mut rest)?) };
        let mut digest = || {
            let length = u32::from_le_bytes(take(&mut rest)?);
            Some(Digest { length, hash: u128::from_le_bytes(take(&mut rest)?) })
        };
        let (head, trail) = (digest()?, digest()?);
        let (offset, modified) = (u64::from_le_bytes(take(&mut rest)?), i64::from_le_bytes(take(&mut rest)?));
        let is_sound = rest.is_empty()
            && head.length as usize <= HEAD
            && trail.length as usize <= TRAIL
            && u64::from(trail.length) <= offset;
        is_sound.then_some(Position { id, head, trail, offset, modified })
    }

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

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position() -> Position {
        Position {
            id: FileId { device: 5, inode: u64::MAX },
            head: Digest::of(b"a head"),
            trail: Digest::of(b"trail"),
            offset: 1 << 40,
            modified: -1,
        }
    }

    #[test]
    fn a_position_reads_back_and_nothing_else_does() {
        let mut bytes = Vec::new();
        position().encode(&mut bytes);
        assert_eq!(bytes.len(), Position::ENCODED);
        assert_eq!(Position::decode(&bytes), Some(position()));
        for length in 0..bytes.len() {
            assert_eq!(Position::decode(&bytes[..length]), None, "{length} bytes");
        }
        bytes.push(0);
        assert_eq!(Position::decode(&bytes), None);
    }

    #[test]
    fn lengths_that_no_position_has_are_refused() {
        for broken in [
            Position { head: Digest { length: HEAD as u32 + 1, hash: 0 }, ..position() },
            Position { trail: Digest { length: TRAIL as u32 + 1, hash: 0 }, ..position() },
            Position { offset: 4, ..position() },
        ] {
            let mut bytes = Vec::new();
            broken.encode(&mut bytes);
            assert_eq!(Position::decode(&bytes), None, "{broken:?}");
        }
    }
}
