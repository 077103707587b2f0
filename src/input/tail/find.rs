//! Which file comes next: at the start, after the one at hand, and where a former run ended.

use super::body::Body;
use super::disk::{FileId, FileSystem, Stat};
use super::passed::Passed;
use super::position::{Left, Place};
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
        self.known.replace(&self.survey());
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

    fn queue_history(&mut self) -> Result<(), Refused> {
        for past in self.history.clone() {
            let past = self.open_past(&past)?;
            self.queue.push_back(past);
        }
        Ok(())
    }

    /// Begins where a former run was with the path, whatever has become of its file since; what came after that
    /// is read in its order. What that run had read of the history is not read again. Gives the place where the file goes
    /// on, unless it is not there any more.
    ///
    /// # Errors
    /// As [`Tail::start`].
    pub fn go_on(&mut self, left: &Left) -> Result<Option<Place>, Refused> {
        let position = &left.position;
        // Whatever has been done to them meanwhile.
        let last = Some(position).filter(|_| left.is_telling);
        let formers = left.formers.iter().chain(last).map(Passed::from);
        self.formers = formers.map(|passed| Former { passing: passed.into(), is_truncated: false }).collect();
        self.tell_formers();
        let siblings = self.survey();
        if position.id == FileId::default() {
            // There was no file yet; what has come since is to be read from its beginning.
            self.known.replace_by(&siblings, |sibling| sibling.stat.modified < position.modified);
            self.queue_history()?;
            return Ok(None);
        }
        // If all that was read is a header, or nothing, the file may have been copied away, emptied and begun anew.
        let is_certain = left.is_telling || siblings.iter().all(|sibling| sibling.stat.modified <= position.modified);
        if let Ok((mut body, stat)) = Body::open(&*self.files, &self.path)
            && left.may_be(&stat)
            && stat.id == position.id
            && is_certain
            && position.is_in(&mut body).unwrap_or(false)
        {
            self.known.replace(&siblings);
            let own = Reading::new(body, stat, position.offset).map_err(|error| (self.path.clone(), error))?;
            let place = own.place();
            self.queue.push_back(own);
            self.tell();
            return Ok(Some(place));
        }
        let past = self.history.iter().filter_map(|path| {
            let stat = self.files.stat(path).ok()?;
            Some(Sibling { path: path.clone(), name: Default::default(), kin: Kin::Own, stat })
        });
        let past: Vec<Sibling> = past.collect();
        let found = self.find(&Passed::from(position), &past, |sibling| left.may_be(&sibling.stat));
        let own = found.as_ref().map(|(_, own)| own.stat);
        let place = found.as_ref().map(|(_, own)| own.place());
        if let Some((sibling, own)) = found {
            self.queue.push_back(own);
            // What is named as history after it comes next, in the order given.
            let history = self.history.clone();
            for past in history.iter().skip_while(|past| **past != sibling.path).skip(1) {
                let past = self.open_past(past)?;
                self.queue_last(Some(past));
            }
        } else if left.is_telling {
            self.say(
                Severity::Warning,
                "the file that the last run read is not there any more; what it had after that place is lost",
            );
        }
        let is_earlier = |stat: &Stat| match own {
            Some(own) => stat.modified < own.modified || stat.id == own.id,
            // Packed it has its old time, but is younger itself; others of that moment are older.
            None if stat.modified == position.modified => {
                stat.created.zip(left.created).is_some_and(|(created, of_own)| created <= of_own)
            }
            None => stat.modified < position.modified,
        };
        self.known.replace_by(&siblings, |sibling| is_earlier(&sibling.stat));
        self.tell();
        Ok(place)
    }

    /// Queues a file unless it is queued already.
    fn queue_last(&mut self, reading: Option<Reading>) {
        let is_new = |reading: &Reading| self.queue.iter().all(|other| other.stat.id != reading.stat.id);
        let reading = reading.filter(is_new);
        self.queue.extend(reading);
    }

    fn open_past(&self, path: &Path) -> Result<Reading, Refused> {
        let opened = Body::unpack(&*self.files, path).and_then(|(body, stat)| Reading::new(body, stat, 0));
        opened.map_err(|error| (path.to_owned(), error))
    }

    /// Opens what has the name now, where it was left if it has been read before.
    fn open_live(&mut self, from_end: bool) -> io::Result<Option<Reading>> {
        let (mut body, stat) = match Body::open(&*self.files, &self.path) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(error),
            Err(error) => {
                self.complain(&error);
                return Ok(None);
            }
        };
        self.complaint = None;
        let offset = match self.left_at(&mut body, stat.id)? {
            0 if from_end => last_line(&mut body, stat.size)?,
            offset => offset,
        };
        Ok(Some(Reading::new(body, stat, offset)?))
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

    /// Goes on to the next file, if there is one.
    pub(super) fn open_next(&mut self) -> io::Result<bool> {
        let next = match self.queue.pop_front() {
            Some(next) => Some(next),
            None => self.next_file()?,
        };
        let Some(mut next) = next else { return Ok(false) };
        let place = Box::new(next.place());
        let offset = place.offset;
        let mut shown = vec![0; SHOWN.min(usize::try_from(offset).unwrap_or(SHOWN))];
        let length = next.body.fill(0, &mut shown)?;
        shown.truncate(length);
        self.marks.push_back(Mark::Begin { offset, place, shown });
        self.reading = Some(next);
        self.before = self.known.clone();
        Ok(true)
    }

    fn next_file(&mut self) -> io::Result<Option<Reading>> {
        let mut live = self.open_live(false)?;
        let named = live.as_ref().map(|live| live.stat);
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
                    unread.push(sibling.clone());
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
            let offset = match self.standing(&mut body, &stat, As::Copy) {
                Ok(Standing::New) => passed.offset(),
                Ok(Standing::ReadTo { offset, .. }) => offset.max(passed.offset()),
                Ok(Standing::Taken) | Err(_) => continue,
            };
            if let Ok(reading) = Reading::new(body, stat, offset) {
                found = Some((sibling.clone(), reading));
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
