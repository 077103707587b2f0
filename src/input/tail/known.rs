//! Files beside a followed path of which it is known that they need not be read: they were there while the followed file was
//! at hand, or have been read. That is kept with the place in the file, so that a later run knows as much (F1).

use super::disk::{FileId, Stat};
use super::owed::{Owed, Owing};
use super::siblings::Sibling;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Files that are kept for a later run, the newest. Older ones are known by that.
const KEPT: usize = 256;

/// What is known.
#[derive(Clone, Debug, Default)]
pub struct Known {
    files: HashMap<FileId, (Seen, Why)>,
    /// When those were last written to that were there before and are not any more, and their sizes: their packed forms have
    /// that time too, and as much in them. Files that were read are known by what they hold.
    gone: HashSet<(i64, u64)>,
    /// What was last written to at this moment or before is known too.
    horizon: Option<i64>,
    /// How often something has changed.
    changes: u64,
}

/// What a file was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    size: u64,
    modified: i64,
    created: Option<i64>,
}

impl From<&Stat> for Seen {
    fn from(&Stat { size, modified, created, .. }: &Stat) -> Seen {
        Seen { size, modified, created }
    }
}

impl Seen {
    /// Whether two files of one inode are the same.
    fn is_same(&self, other: &Seen) -> bool {
        match (self.created, other.created) {
            (Some(one), Some(other)) => one == other,
            _ => (self.size, self.modified) == (other.size, other.modified),
        }
    }
}

/// Why a file is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Why {
    WasThere,
    WasRead,
    /// It is a copy of what was read, as long as it does not grow.
    IsCopy,
}

/// What is kept for a later run; plain data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownRecord {
    files: Vec<(u64, u64, Seen, Why)>,
    gone: Vec<(i64, u64)>,
    horizon: Option<i64>,
    /// What is to be read after the file at hand, if nobody else knows that.
    pub owed: Vec<Owing>,
    /// What the path has led to as a link.
    pub targets: Vec<PathBuf>,
}

/// Of a time that was set only so much is the same everywhere: microseconds.
fn set_time(modified: i64) -> i64 {
    modified.div_euclid(1000)
}

impl Known {
    /// Exactly these siblings are known now.
    pub fn replace(&mut self, siblings: &[Sibling]) {
        let known = siblings.iter().map(|sibling| (sibling.stat.id, (Seen::from(&sibling.stat), Why::WasThere)));
        *self = Known { files: known.collect(), changes: self.changes + 1, ..Known::default() };
    }

    /// A file was there before.
    pub fn add_present(&mut self, stat: Stat) {
        self.insert(&stat, Why::WasThere);
    }

    /// A file has been read.
    pub fn add(&mut self, stat: Stat) {
        self.insert(&stat, Why::WasRead);
    }

    /// What a file holds by now has been read.
    pub fn add_copy(&mut self, stat: Stat) {
        self.insert(&stat, Why::IsCopy);
    }

    fn insert(&mut self, stat: &Stat, why: Why) {
        let seen = Seen::from(stat);
        self.changes += 1;
        let other = self.files.insert(stat.id, (seen, why));
        if let Some((other, Why::WasThere | Why::IsCopy)) = other.filter(|(other, _)| !other.is_same(&seen)) {
            self.gone.insert((set_time(other.modified), other.size));
        }
    }

    /// Nothing is known of a file; of another one that had its inode before, the time is.
    fn forget(&mut self, stat: &Stat) {
        if let Some((seen, why)) = self.files.remove(&stat.id)
            && !seen.is_same(&Seen::from(stat))
            && why != Why::WasRead
        {
            self.gone.insert((set_time(seen.modified), seen.size));
        }
    }

    /// Notes the times of what is not among the siblings any more. It may only have been renamed as they were listed; so it is
    /// forgotten when there are many of those.
    pub fn retain(&mut self, siblings: &[Sibling]) {
        let present: HashMap<FileId, Seen> =
            siblings.iter().map(|sibling| (sibling.stat.id, Seen::from(&sibling.stat))).collect();
        let are_many = self.files.len() > present.len() + KEPT;
        let before = (self.files.len(), self.gone.len());
        let gone = &mut self.gone;
        self.files.retain(|id, (seen, why)| {
            let is_there = present.get(id).is_some_and(|present| present.is_same(seen));
            if !is_there && *why != Why::WasRead {
                gone.insert((set_time(seen.modified), seen.size));
            }
            is_there || !are_many
        });
        self.changes += u64::from((self.files.len(), self.gone.len()) != before);
    }

    /// Whether what was last written to at this moment and holds so many bytes is one of them that was packed.
    pub fn had(&self, modified: i64, size: impl FnOnce() -> Option<u64>) -> bool {
        let modified = set_time(modified);
        let is_then = |(gone, _): &(i64, u64)| *gone == modified;
        self.gone.iter().any(is_then) && size().is_some_and(|size| self.gone.contains(&(modified, size)))
    }

    /// Whether this is one of them, and no other file that got its inode.
    pub fn has(&self, stat: &Stat) -> bool {
        let is_known = |(known, why): &(Seen, Why)| {
            known.is_same(&Seen::from(stat)) && (*why != Why::IsCopy || known.size == stat.size)
        };
        self.files.get(&stat.id).is_some_and(is_known) || self.horizon.is_some_and(|horizon| stat.modified <= horizon)
    }

    /// What is to be kept of it.
    fn record(&self) -> KnownRecord {
        let newest = |(_, _, seen, _): &(u64, u64, Seen, Why)| std::cmp::Reverse(seen.modified);
        let file = |(id, (seen, why)): (&FileId, &(Seen, Why))| (id.device, id.inode, *seen, *why);
        let mut files: Vec<_> = self.files.iter().map(file).collect();
        files.sort_unstable_by_key(|file| (newest(file), file.0, file.1));
        let mut gone: Vec<_> = self.gone.iter().copied().collect();
        gone.sort_unstable_by_key(|gone| std::cmp::Reverse(*gone));
        gone.truncate(KEPT);
        let beyond = files.get(KEPT).map(|(_, _, seen, _)| seen.modified);
        files.truncate(KEPT);
        KnownRecord { files, gone, horizon: self.horizon.max(beyond), ..KnownRecord::default() }
    }
}

impl From<&KnownRecord> for Known {
    fn from(KnownRecord { files, gone, horizon, .. }: &KnownRecord) -> Known {
        let file = |(device, inode, seen, why): &(u64, u64, Seen, Why)| {
            (FileId { device: *device, inode: *inode }, (*seen, *why))
        };
        Known {
            files: files.iter().map(file).collect(),
            gone: gone.iter().copied().collect(),
            horizon: *horizon,
            changes: 1,
        }
    }
}

/// What is known while a file is at hand, as it changes: for whoever keeps it for a later run.
#[derive(Clone, Default)]
pub struct Beside {
    stages: Arc<Mutex<Stages>>,
    /// Of the file at hand.
    number: u64,
    owed: Owed,
    targets: Vec<PathBuf>,
}

#[derive(Debug, Default)]
struct Stages {
    /// Before anything had been read of the file that tells it from others: copies of it are not known then.
    untold: Known,
    newest: Known,
    /// When the file at hand had last been written to, of what was read of it.
    modified: Option<i64>,
}

impl Beside {
    /// Of the file that a path has begun as one of so many; `owed` is what comes after it, and `targets` what the path has led to.
    pub fn new(number: u64, owed: Owed, targets: Vec<PathBuf>) -> Beside {
        Beside { number, owed, targets, ..Beside::default() }
    }

    fn stages(&self) -> MutexGuard<'_, Stages> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So much is known now; `is_telling` says whether what was read tells the file at hand from others. That file itself is
    /// none of them: how far it has been taken is known elsewhere.
    pub fn note(&self, known: &Known, at_hand: Option<&Stat>, is_telling: bool) {
        let mut stages = self.stages();
        if stages.newest.changes == known.changes {
            return;
        }
        stages.newest = known.clone();
        if let Some(stat) = at_hand {
            stages.newest.forget(stat);
        }
        if !is_telling {
            stages.untold = stages.newest.clone();
        }
    }

    /// The file at hand had last been written to at this moment, after what was read of it.
    pub fn note_time(&self, modified: i64) {
        self.stages().modified = Some(modified);
    }

    /// When the file at hand had last been written to, if it was looked at since it was begun.
    pub fn modified(&self) -> Option<i64> {
        self.stages().modified
    }

    /// What is to be kept with a place; `is_telling` as in [`Beside::note`], for what comes before that.
    pub fn record(&self, is_telling: bool) -> KnownRecord {
        let owed = self.owed.after(self.number);
        let stages = self.stages();
        let known = if is_telling { stages.newest.record() } else { stages.untold.record() };
        // A path that is no text cannot be kept as it is; it is found if it has not been swapped.
        let targets = self.targets.iter().filter(|path| path.to_str().is_some()).cloned().collect();
        KnownRecord { owed, targets, ..known }
    }
}

/// They are the same if they change together.
impl PartialEq for Beside {
    fn eq(&self, other: &Beside) -> bool {
        Arc::ptr_eq(&self.stages, &other.stages)
    }
}

impl Eq for Beside {}

impl fmt::Debug for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beside").field("number", &self.number).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(inode: u64, modified: i64) -> Stat {
        let id = FileId { device: 1, inode };
        Stat { id, size: 1, modified, created: Some(1), links: 1, is_regular: true }
    }

    #[test]
    fn r1_another_file_with_a_known_inode_is_not_known() {
        let mut known = Known::default();
        let first = stat(7, 7);
        known.add(first);
        assert!(known.has(&Stat { size: 2, modified: 8, ..first }), "it was written to after all");
        assert!(!known.has(&Stat { created: Some(2), ..first }));
        let unknown_age = Stat { created: None, ..first };
        known.add(unknown_age);
        assert!(known.has(&unknown_age));
        assert!(!known.has(&Stat { size: 2, ..unknown_age }));
    }

    #[test]
    fn f1_of_any_number_of_files_the_newest_are_kept_and_older_ones_are_known_by_their_time() {
        let mut known = Known::default();
        for at in 0..1_000 {
            known.add(stat(at, at as i64));
        }
        let kept = known.record();
        assert_eq!(kept.files.len(), KEPT);
        let text = serde_json::to_string(&kept).expect("plain data");
        let again = Known::from(&serde_json::from_str::<KnownRecord>(&text).expect("the same"));
        assert!((0..1_000).all(|at| again.has(&stat(at, at as i64))));
        assert!(!again.has(&stat(2_000, 999)));
        assert_eq!(again.record(), kept);
    }

    #[test]
    fn r4_what_came_after_a_file_became_known_is_not_known_of_a_place_before_that() {
        let (beside, mut known) = (Beside::default(), Known::default());
        known.add(stat(1, 1));
        beside.note(&known, None, false);
        known.add(stat(2, 2));
        known.add(stat(3, 3));
        beside.note(&known, Some(&stat(3, 3)), true);
        let inodes = |is_telling| beside.record(is_telling).files.iter().map(|file| file.1).collect::<Vec<_>>();
        assert_eq!((inodes(false), inodes(true)), (vec![1], vec![2, 1]));
    }
}
