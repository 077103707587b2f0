//! How far a followed path has been processed: in which of its files, and where in that.
//!
//! The reader is ahead of the engine, maybe by whole files. What a checkpoint says goes by the batches that the engine
//! has taken: a file counts as begun with the first of them, so that a checkpoint never speaks of a file by nothing but
//! an inode.

use super::record::FileId;
use crate::event::{Aside, EventBatch};
use crate::input::position::{Ends, Extract, HEAD_BYTES, Learnt, Position, TAIL_BYTES, Trace};
use crate::input::tail::disk;
use crate::input::tail::known::{Beside, KnownRecord};
use crate::input::tail::position::{self as tail, Digest, FileBegun, Left, Place, Start};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Ends of former files that are remembered (R17).
const FORMERS: usize = 64;
/// Of so many of them, how they begin.
const DETAILED: usize = 8;

/// What a checkpoint says of a followed path beside the position in the file at hand.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PathRecord {
    /// The file at hand; device and inode 0 if there has been none.
    pub file: FileId,
    /// When it was made, where that is known.
    pub created: Option<i64>,
    /// When it had last been written to; if there has been none, when the path was first looked at.
    pub modified: i64,
    /// Whether what was read tells it from other files.
    pub is_telling: bool,
    /// How it begins.
    pub start: Start,
    /// The ends of files that were read before, oldest first.
    pub formers: Vec<FormerRecord>,
    /// What is known of the files beside it.
    pub known: KnownRecord,
}

/// The end of a file that was read before.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FormerRecord {
    file: FileId,
    modified: i64,
    offset: u64,
    head: Extract,
    tail: Extract,
    start: Start,
}

impl FormerRecord {
    fn position(&self) -> tail::Position {
        let FormerRecord { file: FileId { device, inode }, modified, offset, head, tail, ref start } = *self;
        let digest =
            |extract: Extract| Digest { length: u32::try_from(extract.length).unwrap_or(u32::MAX), hash: extract.hash };
        let id = disk::FileId { device, inode };
        tail::Position { id, head: digest(head), trail: digest(tail), offset, modified, start: start.clone() }
    }
}

/// Follows the processing of a followed path.
#[derive(Clone)]
pub struct PathTrace {
    record: PathRecord,
    formers: VecDeque<FormerRecord>,
    reach: Reach,
    /// What is known of the files beside the one at hand.
    beside: Beside,
    /// The file that comes next, of which nothing has been taken yet.
    next: Option<(FileBegun, Option<Learnt>)>,
}

/// Where in the file at hand.
#[derive(Clone)]
enum Reach {
    At(Trace),
    /// Where a former run was in a file that is not there any more.
    Lost(Position),
}

impl PathTrace {
    /// A path that no run has followed before; reading begins at a place, if there is a file. `now` is by the wall clock.
    pub fn new(place: Option<Place>, beside: Beside, now: i64) -> PathTrace {
        let record = PathRecord { modified: now, ..PathRecord::default() };
        let reach = Reach::At(Trace::new(TAIL_BYTES));
        let mut trace = PathTrace { record, formers: VecDeque::new(), reach, beside: beside.clone(), next: None };
        if let Some(place) = place {
            trace.turn_to(FileBegun { place, beside }, None);
        }
        trace
    }

    /// A path that a former run followed; it goes on at a place, if the file was found again.
    pub fn go_on(record: &PathRecord, position: &Position, place: Option<Place>, beside: Beside) -> PathTrace {
        let mut record = record.clone();
        let formers = std::mem::take(&mut record.formers).into();
        record.known = KnownRecord::default();
        let reach = match place {
            Some(Place { id, created, modified, offset, head, trail }) => {
                // Another path of the run may have read more of it.
                let position = &Position { offset, ..position.clone() };
                (record.file, record.created, record.modified) = (file_id(id), created, modified);
                Reach::At(Trace::from(position, Ends { head, tail: trail }, TAIL_BYTES))
            }
            None => Reach::Lost(position.clone()),
        };
        PathTrace { record, formers, reach, beside, next: None }
    }

    /// What a former run left of a path, and how far it was.
    pub fn left(path: &PathRecord, position: &Position) -> Left {
        Left {
            position: former(path, position).position(),
            created: path.created,
            is_telling: path.is_telling,
            formers: path.formers.iter().map(FormerRecord::position).collect(),
            known: path.known.clone(),
        }
    }

    /// Up to where it has been processed.
    pub fn position(&self) -> Position {
        match &self.reach {
            Reach::At(trace) => trace.position(),
            Reach::Lost(position) => position.clone(),
        }
    }

    /// What a checkpoint is to say.
    pub fn record(&self) -> PathRecord {
        let known = self.beside.record(self.record.is_telling);
        PathRecord { formers: self.formers.iter().cloned().collect(), known, ..self.at_hand() }
    }

    /// The same of the file at hand alone.
    fn at_hand(&self) -> PathRecord {
        let mut record = self.record.clone();
        record.modified = self.beside.modified().unwrap_or(record.modified);
        record
    }

    /// A file begins, or goes on at a place. What was taken before is of the one before.
    pub fn begun(&mut self, begun: FileBegun) {
        let now = self.position();
        let place = &begun.place;
        let is_same = place.offset == now.offset
            && Extract::of(&place.trail) == now.tail
            && Extract::of(&place.head) == now.head
            && matches!(self.reach, Reach::At(_));
        let is_first = self.record.file == FileId::default();
        if is_same && (place.offset > 0 || self.record.file == file_id(place.id)) {
            (self.record.file, self.record.created) = (file_id(place.id), place.created);
            self.record.modified = place.modified;
            (self.beside, self.next) = (begun.beside, None);
        } else if place.offset > 0 || is_first {
            self.turn_to(begun, None);
        } else {
            self.next = Some((begun, None));
        }
    }

    /// Something has been found out about the file that began last.
    pub fn learnt(&mut self, learnt: Learnt) {
        match (&mut self.next, &mut self.reach) {
            (Some((_, of_next)), _) => *of_next = Some(learnt),
            (None, Reach::At(trace)) => trace.learnt = Some(learnt),
            (None, Reach::Lost(_)) => {}
        }
    }

    fn turn_to(&mut self, FileBegun { place, beside }: FileBegun, learnt: Option<Learnt>) {
        if self.record.is_telling {
            if self.formers.len() == FORMERS {
                self.formers.pop_front();
            }
            if let Some(older) = self.formers.len().checked_sub(DETAILED) {
                self.formers[older].start = Start::default();
            }
            self.formers.push_back(former(&self.at_hand(), &self.position()));
        }
        let Place { id, created, modified, offset, head, trail } = place;
        let has_lines = memchr::memchr_iter(b'\n', &head).nth(1).is_some() || head.len() == HEAD_BYTES;
        self.record.file = file_id(id);
        (self.record.created, self.record.modified) = (created, modified);
        (self.record.is_telling, self.record.start) = (has_lines, Start::of(&head));
        self.beside = beside;
        let position = Position { offset, learnt, ..Position::default() };
        self.reach = Reach::At(Trace::from(&position, Ends { head, tail: trail }, TAIL_BYTES));
    }

    /// Whatever comes next is of the file that began last.
    fn turn(&mut self, batch: &EventBatch) {
        if let Some((begun, learnt)) = self.next.take() {
            self.turn_to(begun, learnt);
        }
        let tells = |aside: &Aside| matches!(aside, Aside::Filtered(_) | Aside::Punctuation(_));
        self.record.is_telling |= !batch.times.is_empty() || batch.asides.iter().any(|placed| tells(&placed.aside));
    }

    /// All of a batch has been processed.
    pub fn took(&mut self, batch: &EventBatch) {
        self.turn(batch);
        if let Reach::At(trace) = &mut self.reach {
            let whole = batch.bytes.len().min(usize::try_from(batch.consumed).unwrap_or(usize::MAX));
            self.record.start.extend(batch.offset, &batch.bytes[..whole]);
            trace.took(batch);
        }
    }

    /// As [`Trace::took_part`].
    pub fn took_part(&mut self, batch: &EventBatch, bytes: u64) -> u64 {
        self.turn(batch);
        match &mut self.reach {
            Reach::At(trace) => {
                let taken = trace.took_part(batch, bytes);
                self.record.start.extend(batch.offset, &batch.bytes[..batch.bytes.len().min(taken as usize)]);
                taken
            }
            Reach::Lost(_) => 0,
        }
    }
}

fn file_id(disk::FileId { device, inode }: disk::FileId) -> FileId {
    FileId { device, inode }
}

fn former(path: &PathRecord, position: &Position) -> FormerRecord {
    let PathRecord { file, modified, ref start, .. } = *path;
    let Position { offset, head, tail, .. } = *position;
    FormerRecord { file, modified, offset, head, tail, start: start.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn place(inode: u64, offset: u64, text: &str) -> Place {
        let bytes = text.as_bytes().to_vec();
        Place {
            id: disk::FileId { device: 1, inode },
            created: None,
            modified: 5,
            offset,
            head: bytes.clone(),
            trail: bytes,
        }
    }

    fn begun(place: Place) -> FileBegun {
        FileBegun { place, beside: Beside::default() }
    }

    fn batch(offset: u64, text: &str, has_events: bool) -> EventBatch {
        let mut batch = EventBatch::new(0, 0);
        batch.offset = offset;
        batch.bytes.extend_from_slice(text.as_bytes());
        batch.consumed = text.len() as u64;
        batch.lines = text.lines().count() as u32;
        batch.times.extend(has_events.then_some(Timestamp(0)));
        batch
    }

    /// Inode, offset and line of where a checkpoint would stand.
    fn at(trace: &PathTrace) -> (u64, u64, u64) {
        let Position { offset, lines, .. } = trace.position();
        (trace.record().file.inode, offset, lines)
    }

    #[test]
    fn r9_a_file_counts_as_begun_when_something_of_it_has_been_taken() {
        let mut trace = PathTrace::new(None, Beside::default(), 3);
        assert_eq!((at(&trace), trace.record().modified), ((0, 0, 0), 3));
        trace.begun(begun(place(7, 0, "")));
        assert_eq!(at(&trace), (7, 0, 0), "the first at once");
        trace.took(&batch(0, "a\nb\n", true));
        trace.begun(begun(place(8, 0, "")));
        assert_eq!(at(&trace), (7, 4, 2));
        trace.took(&batch(0, "x\n", true));
        assert_eq!(at(&trace), (8, 2, 1));
        let formers = trace.record().formers;
        assert_eq!((formers.len(), formers[0].file.inode, formers[0].offset), (1, 7, 4));
    }

    #[test]
    fn r15_a_header_alone_tells_no_file() {
        let mut trace = PathTrace::new(Some(place(7, 0, "")), Beside::default(), 3);
        trace.took(&batch(0, "ts,v\n", false));
        assert!(!trace.record().is_telling);
        trace.begun(begun(place(8, 0, "")));
        trace.took(&batch(0, "ts,v\n1,2\n", true));
        assert!(trace.record().is_telling);
        assert!(trace.record().formers.is_empty(), "whatever begins so would be taken for it");
    }

    #[test]
    fn a_file_that_goes_on_under_another_inode_keeps_its_lines() {
        let mut trace = PathTrace::new(Some(place(7, 0, "")), Beside::default(), 3);
        trace.took(&batch(0, "a\nb\n", true));
        let mut trace =
            PathTrace::go_on(&trace.record(), &trace.position(), Some(place(9, 4, "a\nb\n")), Beside::default());
        trace.begun(begun(place(9, 4, "a\nb\n")));
        trace.took(&batch(4, "c\n", true));
        assert_eq!(at(&trace), (9, 6, 3));
        assert!(trace.record().formers.is_empty());
    }

    #[test]
    fn a_position_in_a_file_that_is_gone_stays_until_another_file_is_read() {
        let mut trace = PathTrace::new(Some(place(7, 0, "")), Beside::default(), 3);
        trace.took(&batch(0, "a\nb\n", true));
        let mut trace = PathTrace::go_on(&trace.record(), &trace.position(), None, Beside::default());
        trace.begun(begun(place(7, 0, "")));
        assert_eq!(at(&trace), (7, 4, 2));
        trace.took(&batch(0, "x\n", true));
        assert_eq!(at(&trace), (7, 2, 1));
    }

    #[test]
    fn r17_what_is_remembered_of_former_files_is_bounded() {
        let mut trace = PathTrace::new(None, Beside::default(), 3);
        for inode in 1..=100_000 {
            trace.begun(begun(place(inode, 0, "")));
            trace.took(&batch(0, &format!("{inode}\n"), true));
        }
        assert_eq!(trace.record().formers.len(), FORMERS);
    }
}
