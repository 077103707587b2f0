//! Which file comes next: at the start, and after the one at hand.

use super::body::Body;
use super::disk::{FileId, FileSystem, Stat};
use super::known::Beside;
use super::passed::Passed;
use super::position::FileBegun;
use super::reading::{Reading, last_line};
use super::siblings::{Kin, Sibling, whole};
use super::together::{As, MOST_LOOKS, Standing};
use super::{Former, Listed, Mark, SETTLED, Tail, TailOptions};
use crate::error::{Severity, plain};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Bytes from a file's beginning that are shown to tell its format and header, where reading begins further on.
const SHOWN: usize = 64 << 10;

/// What a file beside the path is.
enum Compared {
    /// It has been read.
    Read,
    /// What it holds by now has been read.
    Copied,
    /// It has not been read, or not all of it.
    Unread,
    /// There is no telling yet: it cannot be opened or unpacked. While a file is being packed, it is there itself; once it
    /// is not, its packed form is whole. Or it is being read.
    InTheMaking,
    /// It has just been renamed.
    Moved,
}

/// A file was renamed between two looks.
struct Moved;

/// A file that cannot be followed, and why.
pub type Refused = (PathBuf, io::Error);

impl Tail {
    /// Follows a path from its beginning or its end; `history` is read before it, in the order given.
    ///
    /// # Errors
    /// If a file of the history cannot be opened, or the path names something that is no regular file.
    pub fn start(
        files: Arc<dyn FileSystem>,
        path: &Path,
        history: &[PathBuf],
        options: TailOptions,
    ) -> Result<Tail, Refused> {
        let mut tail = Tail::new(files, path, history, options);
        tail.begin()?;
        Ok(tail)
    }

    /// Begins with the history, and then the path as [`Tail::start`] has it.
    ///
    /// # Errors
    /// As [`Tail::start`].
    pub fn begin(&mut self) -> Result<(), Refused> {
        let mut siblings = self.survey();
        // The history is still to be read, by a later run maybe, and under other names.
        let history: Vec<FileId> =
            self.history.iter().filter_map(|path| Some(self.files.stat(path).ok()?.id)).collect();
        // So is what has the name, which a link may lead to.
        let named = self.named();
        siblings.retain(|sibling| {
            !history.contains(&sibling.stat.id) && named != Some(sibling.stat.id) && !self.may_come(sibling)
        });
        self.known.replace(&siblings);
        self.beside.note(&self.known, None, false);
        self.queue_history()?;
        let live = self.open_live(self.options.from_end).map_err(|error| (self.path.clone(), error))?;
        let live = self.unless_copied(live).map_err(|error| (self.path.clone(), error))?;
        // A path that is its own history is read once.
        self.queue_last(live);
        self.tell();
        Ok(())
    }

    /// What has the name of a rotation at first, unless it is a copy of what it is a rotation of.
    fn unless_copied(&mut self, live: Option<Reading>) -> io::Result<Option<Reading>> {
        if !self.is_rotation() {
            return Ok(live);
        }
        let Some(mut live) = live else { return Ok(None) };
        let size = live.stat.size;
        match self.standing(&mut live.body, &live.stat, As::Due)? {
            Standing::Taken if size > 0 => {
                self.await_due(live.body, live.stat.id);
                Ok(None)
            }
            Standing::Taken | Standing::New => Ok(Some(live)),
            Standing::ReadTo { offset, .. } => {
                let offset = offset.max(live.offset());
                Reading::new(live.body, live.stat, offset).map(Some)
            }
        }
    }

    pub(super) fn queue_history(&mut self) -> Result<(), Refused> {
        for past in self.history.clone() {
            let past = self.open_past(&past)?;
            self.queue.push_back(past);
        }
        Ok(())
    }

    /// Queues a file unless it is queued already.
    pub(super) fn queue_last(&mut self, reading: Option<Reading>) {
        let is_new = |reading: &Reading| self.queue.iter().all(|other| other.stat.id != reading.stat.id);
        let reading = reading.filter(is_new);
        self.queue.extend(reading);
    }

    pub(super) fn open_past(&self, path: &Path) -> Result<Reading, Refused> {
        let opened = Body::unpack(&*self.files, path).and_then(|(body, stat)| Reading::new(body, stat, 0));
        opened.map_err(|error| (path.to_owned(), error))
    }

    /// Opens what has the name now, where it was left if it has been read before.
    fn open_live(&mut self, from_end: bool) -> io::Result<Option<Reading>> {
        let (body, stat) = match Body::open(&*self.files, &self.path) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(error),
            Err(error) => {
                self.complain(&error);
                return Ok(None);
            }
        };
        self.complaint = None;
        let own = reading_from(body, stat, &|body| self.left_at(body, stat.id).map(Some))?;
        match own {
            Some(mut own) if from_end && own.offset() == 0 => {
                let end = last_line(&mut own.body, stat.size)?;
                Ok(Some(Reading::new(own.body, stat, end)?))
            }
            own => Ok(own),
        }
    }

    /// Where this path has left a file that is there again, or still.
    pub(super) fn left_at(&self, body: &mut Body, id: FileId) -> io::Result<u64> {
        for former in self.formers.iter().rev().filter(|former| !former.is_truncated) {
            let passed = former.passing.get();
            if passed.id() == id && passed.is_in(body)? {
                return Ok(passed.offset());
            }
        }
        Ok(0)
    }

    /// Says once why the path cannot be opened. That it is not there for a moment is the way of things.
    fn complain(&mut self, error: &io::Error) {
        let is_missing = error.kind() == io::ErrorKind::NotFound;
        if self.complaint == Some(error.kind()) || is_missing && !self.formers.is_empty() {
            return;
        }
        self.complaint = Some(error.kind());
        if is_missing {
            self.say(Severity::Note, "is not there yet; it is waited for");
        } else {
            self.say(Severity::Warning, &format!("{}; it is tried again", plain(error)));
        }
    }

    /// Where the path leads somewhere else now, as links do, also looks there.
    pub(super) fn follow_link(&mut self, named: Option<Stat>) {
        if let Ok(target) = self.files.resolve(&self.path)
            && self.neighbourhood.add(Some(&target))
        {
            self.pass_over(&target, named, i64::MAX);
        }
    }

    /// What stands beside that to which the path leads since a while, and was last written to by a moment, is none of its
    /// rotations.
    pub(super) fn pass_over(&mut self, target: &Path, named: Option<Stat>, by: i64) {
        let own = self.reading.as_ref().map(|reading| reading.stat.id);
        for sibling in self.survey() {
            let id = Some(sibling.stat.id);
            let is_other = id != own && id != named.map(|named| named.id) && sibling.stat.modified <= by;
            if is_other && self.neighbourhood.is_of(target, &sibling) {
                self.known.add_present(sibling.stat);
            }
        }
    }

    /// Goes on to the next file, if there is one.
    pub(super) fn open_next(&mut self) -> io::Result<bool> {
        let next = match self.queue.pop_front() {
            Some(next) => Some(next),
            None => self.next_file()?,
        };
        let Some(mut next) = next else { return Ok(false) };
        let place = next.place();
        let offset = place.offset;
        let mut shown = vec![0; SHOWN.min(usize::try_from(offset).unwrap_or(SHOWN))];
        let length = next.body.fill(0, &mut shown)?;
        shown.truncate(length);
        // What follows is of this file; who keeps the places in the one before goes by what was known then.
        self.begun += 1;
        self.owed.begin(self.begun, &next.body);
        self.beside = Beside::new(self.begun, self.owed.clone(), self.neighbourhood.targets());
        self.beside.note(&self.known, Some(&next.stat), false);
        let begun = Box::new(FileBegun { place, beside: self.beside() });
        self.marks.push_back(Mark::Begin { offset, begun, shown });
        self.reading = Some(next);
        self.before = self.known.clone();
        Ok(true)
    }

    fn next_file(&mut self) -> io::Result<Option<Reading>> {
        let mut live = match self.open_live(false) {
            // It may have been renamed, and something else has the name for a moment.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                self.complain(&error);
                None
            }
            live => live?,
        };
        let named = live.as_ref().map(|live| live.stat);
        self.follow_link(named);
        // What has the name now comes last, unless it lost it this very moment.
        let first = self.unread(named).into_iter().next();
        if let Some(sibling) = first.filter(|first| Some(first.stat.id) != named.map(|named| named.id)) {
            return match Body::unpack(&*self.files, &sibling.path) {
                Ok((body, stat)) if stat.id == sibling.stat.id => {
                    self.unless_taken(Reading::new(body, stat, 0)?, As::Sibling)
                }
                // It was renamed again: the next look finds it.
                _ => Ok(None),
            };
        }
        if !self.is_rotation() {
            return live.map_or(Ok(None), |live| self.unless_taken(live, As::Live));
        }
        if let Some(live) = live.take() {
            self.await_due(live.body, live.stat.id);
        }
        self.next_due()
    }

    /// Puts the file at hand back, of which nothing has been given that tells it from others, if another is to be read before it:
    /// it may have been copied and emptied since it was opened.
    pub(super) fn gives_way(&mut self) -> bool {
        let named = self.files.stat(&self.path).ok();
        let Some(own) = self.reading.as_ref().map(|reading| reading.stat.id) else { return false };
        if named.is_none_or(|named| named.id != own) {
            return false;
        }
        let others: Vec<Sibling> = self
            .unread(named)
            .into_iter()
            .filter(|sibling| sibling.stat.id != own && self.may_be_of_own(sibling))
            .collect();
        let is_first = !others.is_empty();
        let Some(reading) = self.reading.take_if(|reading| is_first && reading.is_at_line()) else { return false };
        if reading.offset() > 0 {
            self.remember(Former { passing: reading.given_back().into(), is_truncated: false });
        }
        self.left = None;
        self.marks.push_back(Mark::End);
        true
    }

    /// Whether a file may be a copy of the one at hand, going by what has been given of that; or may have come before it, if that
    /// is nothing.
    pub(super) fn may_be_of_own(&self, sibling: &Sibling) -> bool {
        let Some(given) = self.reading.as_ref().map(Reading::given_back) else { return true };
        let is_in = |(mut body, _): (Body, Stat)| given.is_in(&mut body).unwrap_or(true);
        given.offset() == 0 || Body::unpack(&*self.files, &sibling.path).is_ok_and(is_in)
    }

    /// Whether a link may come to lead to a file: it is made first, and has nothing yet.
    pub(super) fn may_come(&self, sibling: &Sibling) -> bool {
        self.neighbourhood.targets().len() > 1 && sibling.stat.size == 0
    }

    /// A file from where it has been left; none while another path of the run is at it.
    fn unless_taken(&mut self, mut file: Reading, how: As) -> io::Result<Option<Reading>> {
        match self.standing(&mut file.body, &file.stat, how)? {
            Standing::New => Ok(Some(file)),
            Standing::Taken => Ok(None),
            Standing::ReadTo { offset, .. } => {
                let offset = offset.max(file.offset());
                Ok(Some(Reading::new(file.body, file.stat, offset)?))
            }
        }
    }

    /// Files that came after the one at hand and have not been read, oldest first; the one that has the name now, which
    /// is last unless it has just been renamed too.
    pub(super) fn unread(&mut self, named: Option<Stat>) -> Vec<Sibling> {
        let own = self.reading.as_ref().map(|reading| reading.stat.id);
        let mut unread = Vec::new();
        for _ in 0..MOST_LOOKS {
            let siblings = self.survey_all();
            self.known.retain(&siblings);
            unread.clear();
            self.is_undecided = false;
            let mut has_moved = false;
            for sibling in whole(&siblings).filter(|sibling| sibling.kin == Kin::Own) {
                let id = sibling.stat.id;
                if Some(id) == own || self.known.has(&sibling.stat) {
                    continue;
                }
                if named.is_some_and(|named| named.id == id) {
                    // Where a link leads to is no other name that it got.
                    if !self.neighbourhood.targets().contains(&sibling.path) {
                        unread.push(sibling.clone());
                    }
                    continue;
                }
                match self.compare(sibling) {
                    Compared::Read => self.known.add(sibling.stat),
                    Compared::Copied => self.known.add_copy(sibling.stat),
                    Compared::Unread => unread.push(sibling.clone()),
                    Compared::InTheMaking => self.is_undecided = true,
                    Compared::Moved => has_moved = true,
                }
            }
            if !has_moved {
                break;
            }
        }
        if let Some(stat) = named.filter(|named| unread.iter().all(|sibling| sibling.stat.id != named.id)) {
            unread.push(Sibling { path: self.path.clone(), name: Default::default(), kin: Kin::Own, stat });
        }
        unread
    }

    /// Whether a file has been read before: as itself, packed since or before, or emptied after a copy was made.
    fn compare(&mut self, sibling: &Sibling) -> Compared {
        let (mut body, stat) = match Body::unpack(&*self.files, &sibling.path) {
            Ok(opened) if opened.1.id == sibling.stat.id => opened,
            Ok(_) => return Compared::Moved,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Compared::Moved,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let text = format!("{} came before it and is left out: {}", sibling.path.display(), plain(&error));
                self.say(Severity::Warning, &text);
                return Compared::Read;
            }
            Err(_) => return Compared::InTheMaking,
        };
        if body.is_packed() && self.known.had(stat.modified, || body.length().ok()) {
            return Compared::Read;
        }
        match self.standing(&mut body, &stat, As::Sibling) {
            Ok(Standing::ReadTo { has_more: false, is_certain: true, .. }) => Compared::Read,
            Ok(Standing::ReadTo { has_more: false, .. }) => Compared::Copied,
            Ok(Standing::Taken) | Err(_) => Compared::InTheMaking,
            Ok(Standing::ReadTo { .. } | Standing::New) => Compared::Unread,
        }
    }

    /// The file beside the path, or of these, that has been read up to a place; or else a copy of it, the newest. None that
    /// another path of the run reads; what one has read of it is not read again.
    pub(super) fn find(
        &self,
        passed: &Passed,
        others: &[Sibling],
        is_meant: impl Fn(&Sibling) -> bool,
    ) -> Option<(Sibling, Reading)> {
        for _ in 0..MOST_LOOKS {
            let mut candidates = self.survey_all();
            candidates.extend_from_slice(others);
            if let Ok(found) = self.find_among(passed, &candidates, &is_meant) {
                return found;
            }
        }
        None
    }

    /// Fails if one of them has just been renamed.
    fn find_among(
        &self,
        passed: &Passed,
        candidates: &[Sibling],
        is_meant: &impl Fn(&Sibling) -> bool,
    ) -> Result<Option<(Sibling, Reading)>, Moved> {
        let mut found = None;
        for sibling in whole(candidates).filter(|sibling| is_meant(sibling)) {
            let (mut body, stat) = match Body::unpack(&*self.files, &sibling.path) {
                Ok(opened) if opened.1.id == sibling.stat.id => opened,
                Ok(_) => return Err(Moved),
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Moved),
                Err(_) => continue,
            };
            if !passed.is_in(&mut body).unwrap_or(false) {
                continue;
            }
            let is_same = stat.id == passed.id();
            let offset = |body: &mut Body| match self.standing(body, &stat, As::Copy)? {
                _ if !passed.is_in(body)? => Ok(None),
                Standing::New => Ok(Some(passed.offset())),
                Standing::ReadTo { offset, .. } => Ok(Some(offset.max(passed.offset()))),
                Standing::Taken => Ok(None),
            };
            match reading_from(body, stat, &offset) {
                Ok(Some(reading)) => found = Some((sibling.clone(), reading)),
                Ok(None) | Err(_) => continue,
            }
            if is_same {
                break;
            }
        }
        Ok(found)
    }

    /// The siblings there are, if any came or went since they were last listed, and when that was. What changes within a tick
    /// of the file system's clock has the same time; so they are listed once more when that is over.
    pub(super) fn list_if_changed(&self, now: Instant) -> Option<(Listed, Vec<Sibling>)> {
        let directories = self.neighbourhood.directories();
        let when: Vec<Stat> = directories.filter_map(|directory| self.files.stat(directory).ok()).collect();
        let since = self.listed.as_ref().filter(|listed| listed.when == when);
        if since.is_some_and(|listed| listed.is_settled) && !self.is_undecided {
            return None;
        }
        let since = since.map_or(now, |listed| listed.since);
        Some((Listed { when, since, is_settled: now >= since + SETTLED }, self.survey()))
    }
}

/// Begins to read a file at the place that is found in it, if any. It may be emptied and written anew while it is opened; so the
/// place is looked for once more, when what comes before it has been read.
///
/// # Errors
/// If it cannot be read.
pub(super) fn reading_from(
    mut body: Body,
    stat: Stat,
    find: &dyn Fn(&mut Body) -> io::Result<Option<u64>>,
) -> io::Result<Option<Reading>> {
    loop {
        let Some(offset) = find(&mut body)? else { return Ok(None) };
        let mut reading = Reading::new(body, stat, offset)?;
        if offset == 0 || find(&mut reading.body)? == Some(offset) {
            return Ok(Some(reading));
        }
        body = reading.body;
    }
}
