//! Files that are still to be read because they came to have the name of a path that is a rotation of another (`-F log log.1`).
//! Whoever followed that one leaves them to this path; so a later run has to find them again, whatever they are called by then.

use super::body::Body;
use super::disk::{FileId, Stat};
use super::position::{HEAD, Start};
use super::together::Together;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Files that have been begun before anything of them is processed.
const MOST_AHEAD: usize = 256;

/// A file that is to be read; plain data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owing {
    device: u64,
    inode: u64,
    created: Option<i64>,
    modified: i64,
    start: Start,
}

impl Owing {
    /// A file that begins like this, as far as it was written when somebody looked.
    pub fn new(id: FileId, created: Option<i64>, modified: i64, start: Start) -> Owing {
        Owing { device: id.device, inode: id.inode, created, modified, start }
    }

    /// An open file, unless it cannot be read any more.
    pub fn of(body: &Body) -> Option<Owing> {
        let stat = body.stat().ok()?;
        let mut start = vec![0; HEAD];
        let length = body.again().ok()?.fill(0, &mut start).ok()?;
        Some(Owing::new(stat.id, stat.created, stat.modified, Start::of(&start[..length])))
    }

    /// Whether this is the file, as far as can be told without reading it.
    pub fn is(&self, stat: &Stat) -> bool {
        let is_as_old = self.created.is_none() || stat.created.is_none() || self.created == stat.created;
        (self.device, self.inode) == (stat.id.device, stat.id.inode) && is_as_old
    }

    /// Whether the file may have been packed as this one, which has its time then; maybe only microseconds of it.
    pub fn may_be_packed_as(&self, stat: &Stat) -> bool {
        stat.modified.div_euclid(1000) >= self.modified.div_euclid(1000)
    }

    /// Whether a file begins as this one.
    pub fn begins(&self, body: &mut Body) -> bool {
        let mut others = vec![0; self.start.bytes().len()];
        body.fill(0, &mut others).is_ok_and(|filled| &others[..filled] == self.start.bytes())
    }
}

/// What a path has begun, numbered, and what waits for it.
#[derive(Clone, Default)]
pub struct Owed {
    begun: Arc<Mutex<VecDeque<(u64, Owing)>>>,
    waiting: Option<(Together, PathBuf)>,
}

impl Owed {
    /// Of a path that is a rotation of another.
    pub fn of(together: Together, path: PathBuf) -> Owed {
        Owed { waiting: Some((together, path)), ..Owed::default() }
    }

    /// A file is begun.
    pub fn begin(&self, number: u64, body: &Body) {
        if let Some(owing) = self.waiting.as_ref().and_then(|_| Owing::of(body)) {
            let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
            if begun.len() == MOST_AHEAD {
                begun.pop_front();
            }
            begun.push_back((number, owing));
        }
    }

    /// What comes after the file of a number. What was begun before it is forgotten.
    pub fn after(&self, number: u64) -> Vec<Owing> {
        let Some((together, path)) = &self.waiting else { return Vec::new() };
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.retain(|(other, _)| *other > number);
        begun.iter().map(|(_, owing)| owing.clone()).chain(together.waiting_for(path)).collect()
    }
}
