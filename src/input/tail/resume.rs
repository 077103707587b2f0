//! Going on where a former run ended, whatever has become of its file since.

use super::body::Body;
use super::disk::{FileId, Stat};
use super::find::{Refused, reading_from};
use super::known::Known;
use super::owed::Owing;
use super::passed::Passed;
use super::position::{Left, Place, Position, Start};
use super::reading::Reading;
use super::siblings::{Kin, Sibling, whole};
use super::together::{As, Standing};
use super::{Former, Tail};
use crate::error::Severity;
use std::io;
use std::path::Path;

impl Tail {
    /// Knows what a former run has read of the path, and lets the others know that are followed: before any of them goes on.
    pub fn recall(&mut self, left: &Left) {
        // Whatever has been done to them meanwhile.
        let last = Some(&left.position).filter(|_| left.is_telling);
        let formers = left.formers.iter().chain(last).map(Passed::from);
        self.formers = formers.map(|passed| Former { passing: passed.into(), is_truncated: false }).collect();
        self.tell_formers();
        self.known = Known::from(&left.known);
        // Where the path led to then is looked at before where it leads to now.
        let now = self.neighbourhood.targets();
        self.neighbourhood.forget_targets();
        for target in left.known.targets.iter().chain(&now) {
            self.neighbourhood.add(Some(target));
        }
        let named = self.files.stat(&self.path).ok();
        for target in now.iter().filter(|target| !left.known.targets.contains(target)) {
            self.pass_over(target, named, left.position.modified);
        }
        self.beside.note(&self.known, None, false);
    }

    /// Begins where a former run was with the path, whatever has become of its file since; what came after that
    /// is read in its order. What that run had read of the history is not read again. Gives the place where the file goes
    /// on, unless it is not there any more.
    ///
    /// # Errors
    /// As [`Tail::start`].
    pub fn go_on(&mut self, left: &Left) -> Result<Option<Place>, Refused> {
        let place = self.go_on_at_hand(left)?;
        self.tell();
        // Where what was read does not tell the file at hand, it is one of those that are to be read.
        let Position { id, modified, ref start, .. } = left.position;
        let at_hand = Owing::new(id, left.created, modified, start.clone());
        let at_hand = (place.is_none() && !left.is_telling).then_some(at_hand);
        self.owe(at_hand.iter().chain(&left.known.owed));
        Ok(place)
    }

    /// The same of the file at hand alone.
    fn go_on_at_hand(&mut self, left: &Left) -> Result<Option<Place>, Refused> {
        let position = &left.position;
        self.recall(left);
        if position.id == FileId::default() {
            // There was no file yet; what has come since is to be read from its beginning.
            self.queue_history()?;
            return Ok(None);
        }
        let refused = |error| (self.path.clone(), error);
        let own = if left.is_telling { self.same(left).map_err(refused)? } else { self.same_untold(left)? };
        if let Some(own) = own {
            if left.is_telling {
                own.passing.get().tell();
            }
            let place = own.place();
            self.queue.push_back(own);
            return Ok(Some(place));
        }
        if !left.is_telling {
            // What is not known is read from its beginning, whichever it was.
            return Ok(None);
        }
        let past: Vec<Sibling> = self.history.iter().filter_map(|path| self.of_history(path)).collect();
        let found = self.find(&Passed::from(position), &past, |_| true);
        let place = found.as_ref().map(|(_, own)| own.place());
        match found {
            Some((sibling, own)) => {
                own.passing.get().tell();
                self.queue.push_back(own);
                // What is named as history after it comes next, in the order given.
                let at = self.history.iter().position(|past| *past == sibling.path);
                self.queue_history_from(at.map_or(self.history.len(), |at| at + 1))?;
            }
            None => self.say(
                Severity::Warning,
                "the file that the last run read is not there any more; what it had after that place is lost",
            ),
        }
        Ok(place)
    }

    /// The file that has the name, if that is where a former run was.
    fn same(&self, left: &Left) -> io::Result<Option<Reading>> {
        match Body::open(&*self.files, &self.path) {
            Ok((body, stat)) if stat.id == left.position.id => {
                let passed = Passed::from(&left.position);
                reading_from(body, stat, &|body| {
                    Ok(Some(passed.offset()).filter(|_| passed.is_in(body).unwrap_or(false)))
                })
            }
            _ => Ok(None),
        }
    }

    /// The same if all that was read is a header, or nothing. Then the file may have been copied away, emptied and begun anew:
    /// unless nothing has come beside it, it is read once more from its beginning, in its turn. Of a history that begins with it,
    /// all is read.
    fn same_untold(&mut self, left: &Left) -> Result<Option<Reading>, Refused> {
        let is_left = |stat: &Stat| left.may_be(stat);
        let past = self.history.iter().position(|path| self.files.stat(path).is_ok_and(|stat| is_left(&stat)));
        if let Some(at) = past {
            self.queue_history_from(at)?;
            return Ok(None);
        }
        let Some(named) = self.files.stat(&self.path).ok().filter(is_left) else {
            return Ok(self.renamed_untold(left));
        };
        let is_alone = |tail: &mut Tail| tail.unread(Some(named)).iter().all(|sibling| sibling.stat.id == named.id);
        if !is_alone(self) {
            return Ok(None);
        }
        let own = self.same(left).map_err(|error| (self.path.clone(), error))?;
        // It may have been copied while it was opened.
        Ok(own.filter(|_| is_alone(self)))
    }

    /// Finds again what an earlier run was to read here after the file at hand, whatever it is called now.
    fn owe<'a>(&mut self, owed: impl Iterator<Item = &'a Owing>) {
        if !self.is_rotation() {
            return;
        }
        let mut found: Vec<(Body, FileId)> = Vec::new();
        for owing in owed {
            let owed = self.owed(owing);
            found.extend(owed.filter(|(_, id)| found.iter().all(|(_, other)| other != id)));
        }
        self.await_first(found);
    }

    /// The file itself, or what it was packed to: that begins as it did, and if it had nothing by then, is as old.
    fn owed(&self, owing: &Owing) -> Option<(Body, FileId)> {
        let siblings = self.survey_all();
        let named = self.files.stat(&self.path).ok().map(|stat| (self.path.clone(), stat));
        let beside = whole(&siblings).map(|sibling| (sibling.path.clone(), sibling.stat));
        let all: Vec<_> = named.into_iter().chain(beside).collect();
        let open = |path: &Path| Body::unpack(&*self.files, path).ok();
        if let Some((path, stat)) = all.iter().find(|(_, stat)| owing.is(stat))
            && let Some((mut body, opened)) = open(path)
            && opened.id == stat.id
            && owing.begins(&mut body)
        {
            return Some((body, opened.id));
        }
        all.iter().filter(|(_, stat)| owing.may_be_packed_as(stat)).find_map(|(path, _)| {
            let (mut body, stat) = open(path)?;
            let is_it = body.is_packed() && !self.has_due(stat.id) && owing.begins(&mut body);
            let standing = self.standing(&mut body, &stat, As::Due).ok().filter(|_| is_it)?;
            matches!(standing, Standing::New | Standing::ReadTo { has_more: true, .. }).then_some((body, stat.id))
        })
    }

    /// The same file under another name; or what it was packed to, as far as that can be told.
    fn renamed_untold(&self, left: &Left) -> Option<Reading> {
        let Left { position, created, known, .. } = left;
        let passed = Passed::from(position);
        let is_own = |sibling: &Sibling| left.may_be(&sibling.stat) && created.is_some();
        if let Some((_, own)) = self.find(&passed, &[], is_own) {
            return Some(own);
        }
        let (known, owing) =
            (Known::from(known), Owing::new(position.id, *created, position.modified, Start::default()));
        let siblings = self.survey();
        whole(&siblings).filter(|sibling| !known.has(&sibling.stat) && owing.may_be_packed_as(&sibling.stat)).find_map(
            |sibling| {
                let (body, stat) = Body::unpack(&*self.files, &sibling.path).ok()?;
                let is_it =
                    |body: &mut Body| position.offset > 0 && body.is_packed() && passed.is_in(body).unwrap_or(false);
                reading_from(body, stat, &|body| Ok(is_it(body).then_some(position.offset))).ok().flatten()
            },
        )
    }

    fn of_history(&self, path: &Path) -> Option<Sibling> {
        let stat = self.files.stat(path).ok()?;
        Some(Sibling { path: path.to_owned(), name: Default::default(), kin: Kin::Own, stat })
    }

    /// Queues the files of the history from one on.
    fn queue_history_from(&mut self, at: usize) -> Result<(), Refused> {
        for past in self.history.clone().iter().skip(at) {
            let past = self.open_past(past)?;
            self.queue_last(Some(past));
        }
        Ok(())
    }
}
