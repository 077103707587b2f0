//! Which file comes next: at the start, after the one at hand, and where a former run ended.

use super::body::Body;
use super::disk::{FileId, FileSystem, Stat};
use super::position::{Left, Place, Position};
use super::reading::{Reading, last_line};
use super::siblings::Sibling;
use super::together::Claim;
use super::{Former, Mark, Tail, TailOptions};
use crate::error::{Severity, plain};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes from a file's beginning that are shown to tell its format and header, where reading begins further on.
const SHOWN: usize = 64 << 10;

/// What a file beside the path is.
enum Compared {
    /// It has been read.
    Read,
    /// It has not been read.
    Unread,
    /// There is no telling yet: it cannot be opened or unpacked. While a file is being packed, it is there itself; once it
    /// is not, its packed form is whole.
    InTheMaking,
}

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
        self.known.replace(&self.neighbourhood.siblings(&*self.files));
        self.queue_history()?;
        let live = self.open_live(self.options.from_end).map_err(|error| (self.path.clone(), error))?;
        // A path that is its own history is read once.
        self.queue_last(live);
        self.tell_first(&[]);
        Ok(())
    }

    /// Says to the other paths where this one begins.
    fn tell_first(&self, formers: &[Position]) {
        if !self.partners.is_empty() {
            let together = self.options.together.clone();
            let mut held = together.hold();
            self.tell(&mut held, None);
            formers.iter().for_each(|former| self.tell(&mut held, Some(former)));
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
        let former = |position: &Position| Former { position: position.clone(), is_truncated: false, has_copies: true };
        let last = Some(position).filter(|_| left.is_telling);
        self.formers = left.formers.iter().chain(last).map(former).collect();
        let siblings = self.neighbourhood.siblings(&*self.files);
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
            self.tell_first(&left.formers);
            return Ok(Some(place));
        }
        let past = self.history.iter().filter_map(|path| {
            let stat = self.files.stat(path).ok()?;
            Some(Sibling { path: path.clone(), suffix: Default::default(), stat })
        });
        let is_own = |sibling: &Sibling| left.may_be(&sibling.stat);
        let found =
            self.find(position, siblings.iter().cloned().chain(self.beside()).chain(past).filter(is_own).collect());
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
        self.tell_first(&left.formers);
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
        let mut offset = if from_end { last_line(&mut body, stat.size)? } else { 0 };
        for former in self.formers.iter().rev().filter(|former| former.position.id == stat.id && !former.is_truncated) {
            if former.position.is_in(&mut body)? {
                offset = former.position.offset;
                break;
            }
        }
        Ok(Some(Reading::new(body, stat, offset)?))
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
        self.is_fresh = offset == 0;
        self.reading = Some(next);
        Ok(true)
    }

    fn next_file(&mut self) -> io::Result<Option<Reading>> {
        let mut live = self.open_live(false)?;
        let id = live.as_ref().map(|live| live.stat.id);
        // What has the name now comes last, unless it lost it this very moment.
        for sibling in self.unread(live.as_ref().map(|live| live.stat)) {
            if Some(sibling.stat.id) == id {
                break;
            }
            match Body::unpack(&*self.files, &sibling.path) {
                Ok((mut body, stat)) if stat.id == sibling.stat.id => {
                    let is_copy = |live: &mut Reading| !body.is_packed() && live.body.begins_with(&mut body, stat.size);
                    if !live.as_mut().is_some_and(is_copy) {
                        return self.unless_taken(Reading::new(body, stat, 0)?);
                    }
                    // Its original is about to be emptied; maybe before anything of that is read.
                }
                // It was renamed again: the next look finds it.
                _ => return Ok(None),
            }
        }
        live.map_or(Ok(None), |live| self.unless_taken(live))
    }

    /// Puts the file at hand back, of which nothing has been given, if another is to be read before it: it may have been copied
    /// and emptied since it was opened.
    pub(super) fn gives_way(&mut self) -> bool {
        let named = self.files.stat(&self.path).ok();
        let Some(own) = self.reading.as_ref().map(|reading| reading.stat.id) else { return false };
        if named.is_none_or(|named| named.id != own) {
            return false;
        }
        for sibling in self.unread(named) {
            let Some(reading) = self.reading.as_mut().filter(|_| sibling.stat.id != own) else { continue };
            let Ok((mut body, stat)) = Body::unpack(&*self.files, &sibling.path) else { continue };
            if !body.is_packed() && reading.body.begins_with(&mut body, stat.size) {
                self.known.add(stat);
                continue;
            }
            self.reading = None;
            self.left = None;
            self.marks.push_back(Mark::End);
            return true;
        }
        false
    }

    /// A file from where another path of the run has left it; none while that one is at it.
    fn unless_taken(&mut self, mut file: Reading) -> io::Result<Option<Reading>> {
        match self.claim(&mut file.body, &file.stat) {
            Claim::Free => Ok(Some(file)),
            Claim::Taken => Ok(None),
            Claim::ReadTo(offset) => {
                let offset = offset.max(file.offset());
                Ok(Some(Reading::new(file.body, file.stat, offset)?))
            }
        }
    }

    /// Files that came after the one at hand and have not been read, oldest first; the one that has the name now, which
    /// is last unless it has just been renamed too.
    pub(super) fn unread(&mut self, named: Option<Stat>) -> Vec<Sibling> {
        let own = self.reading.as_ref().map(|reading| reading.stat.id);
        let siblings = self.neighbourhood.siblings(&*self.files);
        self.known.retain(&siblings);
        let mut unread = Vec::new();
        for sibling in siblings {
            let id = sibling.stat.id;
            if Some(id) == own || self.known.has(&sibling.stat) {
                continue;
            }
            if named.is_some_and(|named| named.id == id) {
                unread.push(sibling);
            } else if sibling.stat.size == 0 {
                // It may become a packed file.
            } else {
                match self.compare(&sibling) {
                    Compared::Read => self.known.add(sibling.stat),
                    Compared::Unread => unread.push(sibling),
                    Compared::InTheMaking => {}
                }
            }
        }
        if let Some(stat) = named.filter(|named| unread.iter().all(|sibling| sibling.stat.id != named.id)) {
            unread.push(Sibling { path: self.path.clone(), suffix: Default::default(), stat });
        }
        unread
    }

    /// Whether a file has been read before: as itself, packed since or before, or emptied after a copy was made.
    fn compare(&mut self, sibling: &Sibling) -> Compared {
        let (mut body, stat) = match Body::unpack(&*self.files, &sibling.path) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let text = format!("{} came before it and is left out: {}", sibling.path.display(), plain(&error));
                self.say(Severity::Warning, &text);
                return Compared::Read;
            }
            Err(_) => return Compared::InTheMaking,
        };
        let is_packed = body.is_packed();
        let own = self.reading.as_ref().map(|reading| (reading.position(), reading.body.is_packed()));
        let formers = self.formers.iter().map(|former| (former.position.clone(), former.has_copies));
        for (position, has_copies) in own.into_iter().chain(formers) {
            if !(is_packed || has_copies || position.id == stat.id) {
                continue;
            }
            match position.is_in(&mut body) {
                Ok(false) => {}
                Ok(true) => return Compared::Read,
                Err(_) => return Compared::InTheMaking,
            }
        }
        Compared::Unread
    }

    /// The file among these that has been read up to a place; or else a copy of it, the newest.
    pub(super) fn find(&self, position: &Position, candidates: Vec<Sibling>) -> Option<(Sibling, Reading)> {
        let mut found = None;
        for sibling in candidates {
            let Ok((mut body, stat)) = Body::unpack(&*self.files, &sibling.path) else { continue };
            if !position.is_in(&mut body).unwrap_or(false) {
                continue;
            }
            let is_same = stat.id == position.id;
            if let Ok(reading) = Reading::new(body, stat, position.offset) {
                found = Some((sibling, reading));
            }
            if is_same {
                break;
            }
        }
        found
    }

    /// The siblings there are, if any came or went since they were last listed, and when that was.
    pub(super) fn list_if_changed(&self) -> Option<(Vec<Stat>, Vec<Sibling>)> {
        let when: Vec<Stat> =
            self.neighbourhood.directories().filter_map(|directory| self.files.stat(directory).ok()).collect();
        (when != self.listed).then(|| (when, self.neighbourhood.siblings(&*self.files)))
    }
}
