//! Which file comes next: at the start, after the one at hand, and where a former run ended.

use super::body::Body;
use super::disk::{FileSystem, Stat};
use super::position::Position;
use super::reading::{Reading, last_line};
use super::siblings::Sibling;
use super::{Mark, Tail, TailOptions};
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
        let mut tail = Tail::new(files, path, options);
        tail.known.replace(&tail.neighbourhood.siblings(&*tail.files));
        for past in history {
            let past = tail.open_past(past)?;
            tail.queue.push_back(past);
        }
        let live = tail.open_live(tail.options.from_end).map_err(|error| (path.to_owned(), error))?;
        // A path that is its own history is read once.
        tail.queue_last(live);
        Ok(tail)
    }

    /// Goes on where a former run was with the path, whatever has become of its file since. What that run had read
    /// of the history is not read again.
    ///
    /// # Errors
    /// As [`Tail::start`].
    pub fn resume(
        files: Arc<dyn FileSystem>,
        path: &Path,
        history: &[PathBuf],
        options: TailOptions,
        position: &Position,
    ) -> Result<Tail, Refused> {
        let mut tail = Tail::new(files, path, options);
        let failed = |error| (path.to_owned(), error);
        let siblings = tail.neighbourhood.siblings(&*tail.files);
        tail.known.replace(&siblings);
        let mut live = tail.open_live(false).map_err(failed)?;
        if let Some(live) = &mut live
            && live.stat.id == position.id
            && position.is_in(&mut live.body).unwrap_or(false)
        {
            let (body, stat) = Body::open(&*tail.files, path).map_err(failed)?;
            if stat.id == position.id {
                tail.queue.push_back(Reading::new(body, stat, position.offset).map_err(failed)?);
                return Ok(tail);
            }
        }
        let past = history.iter().filter_map(|path| {
            let stat = tail.files.stat(path).ok()?;
            Some(Sibling { path: path.clone(), suffix: Default::default(), stat })
        });
        let found = tail.find(position, siblings.iter().cloned().chain(past).collect());
        let own = found.as_ref().map(|(_, reading)| reading.stat);
        if let Some((sibling, reading)) = found {
            tail.queue.push_back(reading);
            // What is named as history after it comes next, in the order given.
            for past in history.iter().skip_while(|past| **past != sibling.path).skip(1) {
                let past = tail.open_past(past)?;
                tail.queue.push_back(past);
            }
        } else {
            tail.say(
                Severity::Warning,
                "the file that the last run read is not there any more; what it had after that place is lost",
            );
        }
        let is_later = |stat: &Stat| match own {
            Some(own) => stat.modified >= own.modified && stat.id != own.id,
            None => stat.modified > position.modified,
        };
        for sibling in siblings.iter().filter(|sibling| sibling.stat.size > 0 && is_later(&sibling.stat)) {
            let Ok((mut body, stat)) = Body::unpack(&*tail.files, &sibling.path) else { continue };
            let is_copy = position.is_in(&mut body).unwrap_or(true);
            if !is_copy && live.as_ref().is_none_or(|live| live.stat.id != stat.id) {
                let reading = Reading::new(body, stat, 0).map_err(|error| (sibling.path.clone(), error))?;
                tail.queue_last(Some(reading));
            }
        }
        tail.queue_last(live);
        Ok(tail)
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
        let offset = next.offset();
        let mut shown = vec![0; SHOWN.min(usize::try_from(offset).unwrap_or(SHOWN))];
        let length = next.body.fill(0, &mut shown)?;
        shown.truncate(length);
        self.marks.push_back(Mark::Begin { offset, shown });
        self.reading = Some(next);
        Ok(true)
    }

    fn next_file(&mut self) -> io::Result<Option<Reading>> {
        let live = self.open_live(false)?;
        let id = live.as_ref().map(|live| live.stat.id);
        // What has the name now comes last, unless it lost it this very moment.
        let first = self.unread(live.as_ref().map(|live| live.stat)).into_iter().next();
        let Some(sibling) = first.filter(|first| Some(first.stat.id) != id) else { return Ok(live) };
        match Body::unpack(&*self.files, &sibling.path) {
            Ok((body, stat)) if stat.id == sibling.stat.id => Ok(Some(Reading::new(body, stat, 0)?)),
            // It was renamed again: the next look finds it.
            _ => Ok(None),
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
