//! Following a path: the file it names now, what that one was renamed to, and what comes after it (RELIABILITY R1 to R20).
//!
//! A [`Tail`] never waits and never looks at a clock: it is asked for bytes at a moment, gives what there is, and says when
//! to ask again. Whoever asks may be woken earlier; what a tail does depends on the files alone.
//!
//! - A file that was renamed is read to its end; the next one is begun when nothing has been added for
//!   [`QUIET`], or it has waited for `--rotate-wait`, or there is yet another one after it (R5, R6).
//! - What stands right before the place is read again with each read. If it has changed, the file was emptied and written
//!   anew: its rest is looked for in a copy beside it, as `copytruncate` makes one, and then the file is read from its
//!   beginning (R2, R3, R4).
//! - Files beside the path that came while we looked away are read in their order, before the one that has the name now.

pub mod body;
pub mod disk;
pub mod feed;
mod find;
pub mod known;
pub mod owed;
pub mod passed;
pub mod position;
pub mod reading;
mod resume;
pub mod siblings;
pub mod together;

use crate::error::Severity;
use body::Held;
use disk::{FileId, FileSystem, Stat};
use known::{Beside, Known};
use owed::Owed;
use passed::Passing;
use position::{FileBegun, Place, Position};
use reading::{More, Reading};
use siblings::{Neighbourhood, Sibling};
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use together::{Partner, Together};

/// A renamed file is given up for the next one when nothing has been added to it for so long.
pub const QUIET: Duration = Duration::from_secs(1);

/// Files that have been read whose end is remembered, in case one comes back (R17).
const FORMERS: usize = 64;
/// Of so many of them more than the end.
const DETAILED: usize = 8;

/// Longer than a tick of any file system's clock.
const SETTLED: Duration = Duration::from_millis(100);

/// How a path is followed.
#[derive(Clone, Debug)]
pub struct TailOptions {
    /// Whether what is there at first is passed over (`--from end`).
    pub from_end: bool,
    /// How long a renamed file is waited for at most once there is a new one, and a deleted one in any case.
    pub rotate_wait: Duration,
    /// How often to look where nothing tells that there is something new.
    pub poll: Duration,
    /// Files that are no rotations of this one, whatever their names: they are followed themselves.
    pub apart: Vec<PathBuf>,
    /// What these tell one another.
    pub together: Together,
}

/// What a tail gives.
#[derive(Debug, PartialEq, Eq)]
pub enum Given {
    /// So many bytes were appended.
    Bytes(usize),
    /// What stands here is no byte.
    Mark(Mark),
    /// Nothing now; ask again after so long at the latest.
    Nothing(Duration),
}

/// What stands between bytes.
#[derive(Debug, PartialEq, Eq)]
pub enum Mark {
    /// A file begins, or goes on at a place.
    Begin {
        /// The place.
        offset: u64,
        /// The same, to be known again.
        begun: Box<FileBegun>,
        /// What the file begins with, if the place is not its beginning: to tell its format and header.
        shown: Vec<u8>,
    },
    /// Here the file ends: a line that is not finished will not be.
    End,
    /// What was read of a line that is not finished is no more: the file was emptied.
    Truncated,
    /// So many NULs were passed over (R11).
    Hole(u64),
    /// A line for people.
    Say(Severity, String),
}

/// A file that has been read.
struct Former {
    passing: Passing,
    /// Whether it was emptied since.
    is_truncated: bool,
}

/// That the siblings were listed.
struct Listed {
    /// When the directories had changed last.
    when: Vec<Stat>,
    /// Since when that has been known.
    since: Instant,
    /// Whether nothing can have changed at the same moment since.
    is_settled: bool,
}

/// A path that is followed.
pub struct Tail {
    path: PathBuf,
    /// For people.
    name: String,
    files: Arc<dyn FileSystem>,
    options: TailOptions,
    /// What is to be read before it.
    history: Vec<PathBuf>,
    neighbourhood: Neighbourhood,
    /// Of the others those that may come to name the same.
    partners: Vec<Partner>,
    /// Files to be read first, in order.
    queue: VecDeque<Reading>,
    reading: Option<Reading>,
    /// Since when the file at hand has lost the name; `None` while it has it.
    left: Option<Left>,
    formers: VecDeque<Former>,
    known: Known,
    /// The same for a later run.
    beside: Beside,
    /// What is to be read for a later run to know, if this path is a rotation of another; and how many files it has begun.
    owed: Owed,
    begun: u64,
    /// What was known as the file at hand was begun: no copy of it is among that.
    before: Known,
    listed: Option<Listed>,
    /// Whether there was no telling of one of them, when they were last looked at, whether it has been read.
    is_undecided: bool,
    marks: VecDeque<Mark>,
    /// What is wrong with the path, once said.
    complaint: Option<io::ErrorKind>,
}

/// The file at hand does not have the name any more.
struct Left {
    since: Instant,
    /// Since when another has it.
    replaced: Option<Instant>,
    /// Since when nothing has been added.
    quiet: Option<Instant>,
    /// Whether there is yet another file after the next one. What came before that was seen is still to be read.
    is_superseded: bool,
}

impl Tail {
    /// Somebody who is to follow a path; `history` is read before it, in the order given. Nothing is opened yet.
    pub fn new(files: Arc<dyn FileSystem>, path: &Path, history: &[PathBuf], options: TailOptions) -> Tail {
        let partners = together::partners(path, &options.apart);
        let family: Vec<PathBuf> = partners.iter().map(|partner| partner.path.clone()).collect();
        let is_rotation = partners.iter().any(Partner::is_original);
        let owed = if is_rotation { Owed::of(options.together.clone(), path.to_owned()) } else { Owed::default() };
        let neighbourhood = Neighbourhood::of(&*files, path, &options.apart, &family);
        Tail {
            path: path.to_owned(),
            name: path.display().to_string(),
            beside: Beside::new(0, owed.clone(), neighbourhood.targets()),
            neighbourhood,
            partners,
            files,
            options,
            history: history.to_vec(),
            queue: VecDeque::new(),
            reading: None,
            left: None,
            formers: VecDeque::new(),
            known: Known::default(),
            owed,
            begun: 0,
            before: Known::default(),
            listed: None,
            is_undecided: false,
            marks: VecDeque::new(),
            complaint: None,
        }
    }

    /// The directories in which something may happen, and how the names begin of the files that matter there.
    pub fn places(&self) -> Vec<(PathBuf, OsString)> {
        self.neighbourhood.places().to_vec()
    }

    /// The file at hand, for who may have to let it go.
    pub fn held(&self) -> Option<Arc<Held>> {
        self.reading.as_ref().map(|reading| reading.body.held())
    }

    /// How far the file at hand has been taken.
    pub fn position(&self) -> Option<Position> {
        self.reading.as_ref().map(Reading::position)
    }

    /// Where reading is, or will begin.
    pub fn place(&self) -> Option<Place> {
        self.reading.as_ref().or(self.queue.front()).map(Reading::place)
    }

    /// What is known of the files beside the one at hand, or the one that comes first.
    pub fn beside(&self) -> Beside {
        self.beside.clone()
    }

    /// Whether bytes are at hand.
    pub fn has_bytes(&self) -> bool {
        self.marks.is_empty() && self.reading.as_ref().is_some_and(Reading::has_bytes)
    }

    /// Where the next byte of the file at hand stands.
    pub fn offset(&self) -> u64 {
        self.reading.as_ref().map_or(0, Reading::offset)
    }

    /// The file that has the name now.
    pub fn named(&self) -> Option<FileId> {
        self.files.stat(&self.path).ok().map(|stat| stat.id)
    }

    /// Gives what there is: appends at most so many bytes, or a mark that stands before them.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub fn give(&mut self, into: &mut Vec<u8>, most: usize, now: Instant) -> io::Result<Given> {
        let together = self.options.together.clone();
        let is_to_look = self.marks.is_empty() && !self.has_bytes();
        // Nobody is to look while it is not known what this one does.
        let _turn = (is_to_look && !self.partners.is_empty()).then(|| together.turn());
        let given = self.find_some(into, most, now);
        if is_to_look {
            self.tell();
            self.note_known();
        }
        given
    }

    fn find_some(&mut self, into: &mut Vec<u8>, most: usize, now: Instant) -> io::Result<Given> {
        loop {
            if let Some(mark) = self.marks.pop_front() {
                return Ok(Given::Mark(mark));
            }
            let Some(reading) = &mut self.reading else {
                if self.open_next()? {
                    continue;
                }
                return Ok(Given::Nothing(self.options.poll));
            };
            if reading.has_bytes() {
                return Ok(Given::Bytes(reading.take(into, most)));
            }
            let was_telling = reading.is_telling();
            match reading.look() {
                Ok(More::Bytes) => {
                    if let Ok(stat) = reading.body.stat() {
                        self.beside.note_time(stat.modified);
                    }
                    if !was_telling && self.gives_way() {
                        continue;
                    }
                    if let Some(left) = &mut self.left {
                        left.quiet = None;
                    }
                }
                Ok(More::Hole(length)) => {
                    self.marks.push_back(Mark::Hole(length));
                    self.say(Severity::Warning, &format!("{length} NUL bytes between two lines are passed over"));
                }
                Ok(More::Changed) => self.start_over()?,
                Ok(More::End) => {
                    if let Some(wait) = self.at_end(now) {
                        return Ok(Given::Nothing(wait));
                    }
                }
                // It was deleted and let go, or its server has no more of it.
                Err(error) if is_gone(&error) => self.lose(),
                Err(error) => return Err(error),
            }
        }
    }

    /// The end of the file at hand has been reached. Says when to look whether it has grown, unless it is finished.
    fn at_end(&mut self, now: Instant) -> Option<Duration> {
        let reading = self.reading.as_ref()?;
        if reading.is_finished {
            self.finish();
            return None;
        }
        let own = reading.stat.id;
        let before = reading.body.stat().ok();
        let is_telling = reading.is_telling();
        let listed = self.list_if_changed(now);
        if listed.is_some() && !is_telling && self.gives_way() {
            return None;
        }
        if listed.is_some() && !self.reading.as_mut()?.is_as(before) {
            // What was listed may be a copy of more than was read.
            return None;
        }
        let named = self.files.stat(&self.path).ok();
        if named.is_some_and(|stat| stat.id == own) {
            // While it has the name, nothing beside it comes after it.
            if let Some((listed, siblings)) = listed {
                // Unless one may be a copy of it, of which nothing that tells it has been given.
                let known = self.known.clone();
                let is_known = |sibling: &Sibling| {
                    (is_telling || known.has(&sibling.stat) || !self.may_be_of_own(sibling)) && !self.may_come(sibling)
                };
                let siblings: Vec<Sibling> = siblings.into_iter().filter(is_known).collect();
                self.known.replace(&siblings);
                self.listed = Some(listed);
                self.is_undecided &= !is_telling;
            }
            self.left = None;
            return Some(self.options.poll);
        }
        self.follow_link(named);
        let later = match self.queue.len() {
            0 => self.unread(named).len() + self.due_beside(named),
            queued => queued,
        };
        let links = self.reading.as_ref()?.body.stat().map_or(0, |stat| stat.links);
        let left = self.left.get_or_insert(Left { since: now, replaced: None, quiet: None, is_superseded: false });
        if later > 0 && left.replaced.is_none() {
            // Its writer may not know of the new one at once.
            (left.replaced, left.quiet) = (Some(now), None);
        }
        let quiet = *left.quiet.get_or_insert(now);
        let wait = self.options.rotate_wait;
        let mut due = (links == 0).then(|| left.since + wait);
        if let Some(replaced) = left.replaced {
            due = Some((quiet + QUIET).min(replaced + wait));
        }
        let was_superseded = std::mem::replace(&mut left.is_superseded, later > 1);
        if was_superseded || due.is_some_and(|due| due <= now) {
            self.finish();
            return None;
        }
        if later > 1 {
            // Once more to its end: it may have been written to until now.
            return None;
        }
        Some(due.map_or(self.options.poll, |due| self.options.poll.min(due - now)))
    }

    /// Keeps for a later run what is known by now.
    fn note_known(&self) {
        if let Some(reading) = &self.reading {
            self.beside.note(&self.known, Some(&reading.stat), reading.is_telling());
        }
    }

    /// The file at hand has been read.
    fn finish(&mut self) {
        let Some(mut reading) = self.reading.take() else { return };
        if let Ok(stat) = reading.body.stat() {
            reading.stat = stat;
        }
        self.known.add(reading.stat);
        self.remember(Former { passing: reading.passing, is_truncated: false });
        self.left = None;
        self.marks.push_back(Mark::End);
    }

    /// The file at hand cannot be read any more.
    fn lose(&mut self) {
        let Some(reading) = &self.reading else { return };
        let unread = reading.body.held().size().saturating_sub(reading.offset());
        if unread > 0 {
            self.say(
                Severity::Warning,
                &format!("{unread} bytes were not read: the file was deleted, and nobody took them for --rotate-wait"),
            );
        }
        self.finish();
    }

    /// The file at hand was emptied, and maybe written anew.
    fn start_over(&mut self) -> io::Result<()> {
        let Some(reading) = self.reading.take() else { return Ok(()) };
        let Reading { body, passing, .. } = reading;
        let is_telling = passing.get().is_telling();
        // What was there before may begin with the same header.
        let found = self.find(&passing.get(), &[], |sibling| is_telling || !self.before.has(&sibling.stat));
        match found {
            Some((copy, mut rest)) => {
                self.say(Severity::Detail, &format!("it was copied to {} and emptied", copy.path.display()));
                self.known.add(copy.stat);
                rest.is_finished = true;
                // It has the same bytes up to here: reading goes on, maybe within a line. What has come since, maybe in
                // further copies, is found behind it.
                self.reading = Some(rest);
            }
            None => {
                self.remember(Former { passing, is_truncated: true });
                if let Ok(stat) = body.stat() {
                    self.queue.push_front(Reading::new(body, stat, 0)?);
                }
                self.say(Severity::Note, "it was truncated and is read from its beginning");
                self.marks.push_back(Mark::Truncated);
            }
        }
        self.left = None;
        Ok(())
    }

    fn remember(&mut self, former: Former) {
        if self.formers.len() == FORMERS {
            self.formers.pop_front();
        }
        if let Some(older) = self.formers.len().checked_sub(DETAILED) {
            self.formers[older].passing.get().shrink();
        }
        self.formers.push_back(former);
        self.tell_formers();
    }

    fn say(&mut self, severity: Severity, text: &str) {
        self.marks.push_back(Mark::Say(severity, format!("{}: {text}", self.name)));
    }
}

/// Whether it says that a file is not there any more.
fn is_gone(error: &io::Error) -> bool {
    let stale = rustix::io::Errno::STALE.raw_os_error();
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(stale)
}
