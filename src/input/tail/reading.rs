//! One file being read while it grows: from place to place, with an eye on whether what was read is still there.

use super::body::Body;
use super::disk::Stat;
use super::passed::{Passed, Passing};
use super::position::{HEAD, Place, Position, TRAIL};
use std::io;

/// Bytes read at once.
const CHUNK: usize = 64 << 10;

/// What a look at a file gave.
#[derive(Debug, PartialEq, Eq)]
pub enum More {
    /// There are bytes to be taken.
    Bytes,
    /// So many NULs stand between two lines: a hole left by a writer that went on at its old place in an emptied
    /// file, or room that was never written to (R11).
    Hole(u64),
    /// What was read is not there any more: the file is shorter, or says something else (R2, R3).
    Changed,
    /// The end of the file, which may grow.
    End,
}

/// A file and how far it has been read.
pub struct Reading {
    /// Its content.
    pub body: Body,
    /// What it was when last looked at.
    pub stat: Stat,
    /// Whether nobody writes to it any more: it is packed, or a copy.
    pub is_finished: bool,
    /// What has been read of it.
    pub passing: Passing,
    /// The first [`HEAD`] bytes, or what has been read of them.
    head: Vec<u8>,
    /// What stands right before the unread bytes, at most [`TRAIL`], and then these.
    window: Vec<u8>,
    /// Where in the window the bytes begin that have not been taken, and where they end.
    taken: usize,
    filled: usize,
    /// Where in the file the window's content ends.
    offset: u64,
    /// Whether a line begins there.
    begins_line: bool,
    /// NULs up to here are part of a line.
    nuls_are_data_to: u64,
    /// Size and time of a file of which the rest is known to be NULs: not written yet.
    unwritten: Option<(u64, i64)>,
}

impl Reading {
    /// A file that has been read up to a place, which is the beginning of a line.
    ///
    /// # Errors
    /// If what comes before it cannot be read.
    pub fn new(mut body: Body, stat: Stat, offset: u64) -> io::Result<Reading> {
        let mut head = vec![0; HEAD.min(usize::try_from(offset).unwrap_or(HEAD))];
        let length = body.fill(0, &mut head)?;
        head.truncate(length);
        let trail = TRAIL.min(usize::try_from(offset).unwrap_or(TRAIL));
        let mut window = vec![0; TRAIL + CHUNK];
        let filled = body.fill(offset - trail as u64, &mut window[..trail])?;
        let before = Passed::MOST.min(usize::try_from(offset).unwrap_or(Passed::MOST));
        let mut recent = vec![0; before];
        // Packed, it is not gone back in for that.
        let known = if body.is_packed() { 0 } else { body.fill(offset - before as u64, &mut recent)? };
        if known < before {
            recent = window[..trail].to_vec();
        }
        let passed = Passed::new(stat.id, stat.modified, offset, &head, &recent);
        let mut reading = Reading {
            is_finished: body.is_packed(),
            body,
            stat,
            passing: passed.into(),
            head,
            window,
            taken: filled,
            filled,
            offset,
            begins_line: true,
            nuls_are_data_to: 0,
            unwritten: None,
        };
        if filled < trail {
            // It was cut off this very moment; the next look will say so.
            reading.window[filled..trail].fill(0xFF);
            (reading.taken, reading.filled) = (trail, trail);
        }
        Ok(reading)
    }

    /// Where the next byte to be taken stands.
    pub fn offset(&self) -> u64 {
        self.offset - (self.filled - self.taken) as u64
    }

    /// Whether bytes are at hand.
    pub fn has_bytes(&self) -> bool {
        self.taken < self.filled
    }

    /// Appends bytes that are at hand, at most so many; says how many.
    pub fn take(&mut self, into: &mut Vec<u8>, most: usize) -> usize {
        let count = most.min(self.filled - self.taken);
        let bytes = &self.window[self.taken..self.taken + count];
        into.extend_from_slice(bytes);
        self.taken += count;
        count
    }

    /// The place up to which bytes have been taken.
    pub fn position(&self) -> Position {
        self.place().position()
    }

    /// The same with the bytes by which it is known.
    pub fn place(&self) -> Place {
        self.place_at(self.taken)
    }

    fn place_at(&self, end: usize) -> Place {
        let offset = self.offset - (self.filled - end) as u64;
        let head = self.head.len().min(usize::try_from(offset).unwrap_or(HEAD));
        Place {
            id: self.stat.id,
            created: self.stat.created,
            modified: self.stat.modified,
            offset,
            head: self.head[..head].to_vec(),
            trail: self.window[end.saturating_sub(TRAIL)..end].to_vec(),
        }
    }

    /// What has been taken; what has been read beyond that is to be read again.
    pub fn given_back(&self) -> Passed {
        let Place { id, modified, offset, head, trail, .. } = self.place();
        Passed::new(id, modified, offset, &head, &trail)
    }

    /// The same, or all that has been read, if it has been taken.
    pub fn given(&self) -> Passing {
        if self.has_bytes() { self.given_back().into() } else { self.passing.clone() }
    }

    /// Whether what has been read tells the file from others.
    pub fn is_telling(&self) -> bool {
        self.passing.get().is_telling()
    }

    /// Whether the next byte to be taken begins a line, as far as one can tell.
    pub fn is_at_line(&self) -> bool {
        self.offset() == 0 || self.taken.checked_sub(1).is_some_and(|before| self.window[before] == b'\n')
    }

    /// Looks for more bytes, once all that were at hand have been taken. What stands before them is read again and
    /// compared, so that a file that was emptied and has grown past the place is not taken for its continuation.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn look(&mut self) -> io::Result<More> {
        let mut trail = [0; TRAIL];
        let kept = self.taken.min(TRAIL);
        trail[..kept].copy_from_slice(&self.window[self.taken - kept..self.taken]);
        let read = if self.body.is_packed() {
            self.window[..kept].copy_from_slice(&trail[..kept]);
            kept + self.body.read_at(self.offset, &mut self.window[kept..])?
        } else {
            self.body.read_at(self.offset - kept as u64, &mut self.window)?
        };
        if read < kept || self.window[..kept] != trail[..kept] {
            self.window[..kept].copy_from_slice(&trail[..kept]);
            (self.taken, self.filled) = (kept, kept);
            return Ok(More::Changed);
        }
        (self.taken, self.filled) = (kept, kept);
        match self.written(kept..read) {
            0 if read == kept => Ok(More::End),
            0 => self.nuls(),
            written => {
                self.advance(written);
                Ok(More::Bytes)
            }
        }
    }

    /// Whether all of it has been taken still, and what was taken is there, and it is as it was.
    pub fn is_as(&mut self, before: Option<Stat>) -> bool {
        let mut trail = [0; TRAIL];
        let kept = self.taken.min(TRAIL);
        let filled = self.body.fill(self.offset - kept as u64, &mut trail[..kept]);
        self.body.stat().ok() == before
            && filled.is_ok_and(|filled| filled == kept)
            && trail[..kept] == self.window[self.taken - kept..self.taken]
    }

    /// How many of these bytes of the window come before NULs of which it must be found out what they are.
    fn written(&self, bytes: std::ops::Range<usize>) -> usize {
        let data = &self.window[bytes];
        let known = usize::try_from(self.nuls_are_data_to.saturating_sub(self.offset)).unwrap_or(usize::MAX);
        let mut from = known.min(data.len());
        while let Some(at) = memchr::memchr(0, &data[from..]).map(|at| from + at) {
            let begins_line = at.checked_sub(1).map_or(self.begins_line, |before| data[before] == b'\n');
            let length = data[at..].iter().take_while(|byte| **byte == 0).count();
            if begins_line || at + length == data.len() {
                return at;
            }
            from = at + length;
        }
        data.len()
    }

    fn advance(&mut self, written: usize) {
        let bytes = self.taken..self.taken + written;
        if self.head.len() < HEAD && self.offset == self.head.len() as u64 {
            self.head.extend(self.window[bytes.clone()].iter().take(HEAD - self.head.len()));
        }
        self.passing.get().extend(&self.window[bytes.clone()]);
        self.begins_line = self.window[bytes.end - 1] == b'\n';
        self.filled = bytes.end;
        self.offset += written as u64;
        self.unwritten = None;
    }

    /// The next byte is a NUL: looks for where the run of them ends. One that reaches to the end of the file has not been
    /// written yet.
    fn nuls(&mut self) -> io::Result<More> {
        let stat = self.body.stat()?;
        if self.unwritten == Some((stat.size, stat.modified)) {
            return Ok(More::End);
        }
        let mut chunk = vec![0; CHUNK];
        let mut at = self.offset;
        loop {
            let read = self.body.read_at(at, &mut chunk)?;
            if read == 0 {
                self.unwritten = Some((stat.size, stat.modified));
                return Ok(More::End);
            }
            if let Some(found) = chunk[..read].iter().position(|byte| *byte != 0) {
                at += found as u64;
                break;
            }
            at += read as u64;
        }
        if !self.begins_line {
            self.nuls_are_data_to = at;
            return self.look();
        }
        let hole = at - self.offset;
        let kept = self.taken;
        let nuls = TRAIL.min(usize::try_from(hole).unwrap_or(TRAIL));
        self.window[kept..kept + nuls].fill(0);
        (self.taken, self.filled, self.offset) = (kept + nuls, kept + nuls, at);
        self.passing.get().skip(hole);
        if self.head.len() < HEAD && self.head.len() as u64 == at - hole {
            self.head.resize(HEAD.min(self.head.len() + usize::try_from(hole).unwrap_or(HEAD)), 0);
        }
        Ok(More::Hole(hole))
    }
}

/// Where the last line begins that is not finished; the end, if all are.
///
/// # Errors
/// If the file cannot be read.
pub fn last_line(body: &mut Body, size: u64) -> io::Result<u64> {
    let mut chunk = vec![0; CHUNK];
    let mut end = size;
    while end > 0 {
        let start = end.saturating_sub(CHUNK as u64);
        let length = (end - start) as usize;
        let read = body.fill(start, &mut chunk[..length])?;
        if let Some(at) = memchr::memrchr(b'\n', &chunk[..read]) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}
