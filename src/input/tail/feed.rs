//! A followed path as a stream of bytes for a reader that waits; and what others may see and do of it meanwhile.

use super::body::Held;
use super::disk::{FileId, OpenFile};
use super::{Given, Mark, Tail};
use crate::input::feed::Feed;
use std::io::{self, Read};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The clock of a tail, and what wakes it.
pub trait Wake: Send {
    /// The moment it is.
    fn now(&self) -> Instant;

    /// Waits until something may have happened, for so long at the most. False if nobody wants more.
    fn wait(&mut self, at_most: Duration) -> bool;
}

/// How a path is followed at the moment, for others to see.
#[derive(Default)]
pub struct Followed {
    held: Mutex<Option<Arc<Held>>>,
    offset: AtomicU64,
    looks: AtomicU64,
}

impl Followed {
    /// The file at hand.
    pub fn file(&self) -> Option<Arc<dyn OpenFile>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.get()
    }

    /// Lets the file at hand go, whatever has not been read of it.
    pub fn let_go(&self) {
        if let Some(held) = &*self.held.lock().unwrap_or_else(PoisonError::into_inner) {
            held.let_go();
        }
    }

    /// Bytes of the file at hand that have been read.
    pub fn offset(&self) -> u64 {
        self.offset.load(Ordering::SeqCst)
    }

    /// How often it has been looked at.
    pub fn looks(&self) -> u64 {
        self.looks.load(Ordering::SeqCst)
    }

    fn note(&self, tail: &Tail) {
        self.looks.fetch_add(1, Ordering::SeqCst);
        self.offset.store(tail.offset(), Ordering::SeqCst);
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = tail.held();
    }
}

/// A followed path that is read.
pub struct TailFeed {
    tail: Tail,
    wake: Box<dyn Wake>,
    followed: Arc<Followed>,
    mark: Option<Mark>,
    /// The file that had the name when it began.
    first: Option<FileId>,
}

impl TailFeed {
    /// What a tail gives, waiting as it is told; `followed` shows it to others.
    pub fn new(tail: Tail, wake: Box<dyn Wake>, followed: Arc<Followed>) -> TailFeed {
        TailFeed { first: tail.named(), tail, wake, followed, mark: None }
    }
}

impl Read for TailFeed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut bytes = Vec::new();
        let read = self.append(&mut bytes, into.len())?;
        into[..read].copy_from_slice(&bytes);
        Ok(read)
    }
}

impl Feed for TailFeed {
    fn append(&mut self, buffer: &mut Vec<u8>, most: usize) -> io::Result<usize> {
        loop {
            let given = self.tail.give(buffer, most, self.wake.now());
            self.followed.note(&self.tail);
            match given? {
                Given::Bytes(count) => return Ok(count),
                Given::Mark(mark) => {
                    self.mark = Some(mark);
                    return Ok(0);
                }
                Given::Nothing(wait) => {
                    if !self.wake.wait(wait) {
                        return Ok(0);
                    }
                }
            }
        }
    }

    fn is_ready(&self) -> bool {
        self.tail.has_bytes()
    }

    fn is_live(&self) -> bool {
        true
    }

    fn is_followed(&self) -> bool {
        true
    }

    fn tail(&mut self) -> Option<&mut Tail> {
        Some(&mut self.tail)
    }

    fn take_mark(&mut self) -> Option<Mark> {
        self.mark.take()
    }

    fn identity(&self) -> Option<(u64, u64)> {
        self.first.map(|id| (id.device, id.inode))
    }
}
