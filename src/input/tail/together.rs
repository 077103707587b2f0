//! What followed paths of one run tell one another where one is named as a rotation of another (`-F log log.1`), so that
//! what both come to name is read once (R4, R13).
//!
//! - They look at files in turns, so that none decides by what another one is about to change.
//! - A file is read by who began with it, whatever its name is by then; another one may go on where that one left it.
//! - A copy of what is being read is left to who reads it: what it lacks when its original is emptied it takes from there.
//! - A file that has come to have the name of a path that is a rotation of another is due there. Whoever sees it first opens it
//!   for that path, so that it is not missed when it is renamed at once. It is looked at there until it is clear whether it
//!   is a copy.

use super::Tail;
use super::body::Body;
use super::disk::{FileId, Stat};
use super::owed::Owing;
use super::passed::Passing;
use super::reading::Reading;
use super::siblings::{Kin, Sibling, suffix};
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Deleted files that wait for a path.
const DELETED: usize = 16;
/// Names that come and go all the time are looked at so often.
pub(super) const MOST_LOOKS: usize = 16;

/// How far the paths of a run are.
#[derive(Clone, Default)]
pub struct Together(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Whose turn it is to look.
    turn: Mutex<()>,
    paths: Mutex<HashMap<PathBuf, Reached>>,
}

impl fmt::Debug for Together {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Together")
    }
}

/// How far one is.
#[derive(Default)]
struct Reached {
    /// The file that is read, and those that come next; how far, and what they hold.
    at_hand: Vec<(Passing, Body)>,
    /// Files it has left.
    formers: Vec<Passing>,
    /// Files that have come to have the name and have not been begun.
    due: VecDeque<Body>,
}

impl Reached {
    fn has_at_hand(&self, id: FileId) -> bool {
        self.at_hand.iter().any(|(passing, _)| passing.get().id() == id)
    }

    fn is_due(&self, id: FileId) -> bool {
        self.due.iter().any(|body| body.stat().is_ok_and(|stat| stat.id == id))
    }
}

/// Another path of the run whose name is this one's and more, or the other way round; or both are rotations of a third.
pub struct Partner {
    /// Which.
    pub path: PathBuf,
    /// Whether this path is named as a rotation of it.
    is_original: bool,
    /// Whether it is named as a rotation of another.
    is_rotation: bool,
}

/// How a file comes to be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum As {
    /// It has the name of an original.
    Live,
    /// It has, or had, the name of a rotation.
    Due,
    /// It is beside the path.
    Sibling,
    /// It is a copy of what this path has read, or that itself.
    Copy,
}

/// What has been read of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    New,
    /// It has been read up to here, as itself or as what it is a copy of.
    ReadTo {
        /// The place.
        offset: u64,
        /// Whether there is more.
        has_more: bool,
        /// Whether it is known for good.
        is_certain: bool,
    },
    /// Another one is at it, or it is a copy of what is being read; or there is no telling yet.
    Taken,
}

impl Partner {
    /// Whether the path is named as a rotation of it.
    pub fn is_original(&self) -> bool {
        self.is_original
    }
}

impl Together {
    /// Files that have come to have the name of a path and have not been begun.
    pub fn waiting_for(&self, path: &Path) -> Vec<Owing> {
        self.paths().get(path).map_or(Vec::new(), |reached| reached.due.iter().filter_map(Owing::of).collect())
    }

    /// Keeps the others from looking.
    pub fn turn(&self) -> MutexGuard<'_, ()> {
        self.0.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn paths(&self) -> MutexGuard<'_, HashMap<PathBuf, Reached>> {
        self.0.paths.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The partners of a path among all that are followed.
pub fn partners(path: &Path, all: &[PathBuf]) -> Vec<Partner> {
    let continues = |longer: &Path, shorter: &Path| {
        let names = longer.file_name().zip(shorter.file_name());
        longer.parent() == shorter.parent() && names.is_some_and(|(longer, shorter)| suffix(longer, shorter).is_some())
    };
    let partner = |other: &PathBuf| {
        let is_original = continues(path, other);
        let of_the_same = |third: &PathBuf| continues(path, third) && continues(other, third) && path != other;
        let is_one = is_original || continues(other, path) || all.iter().any(of_the_same);
        let is_rotation = all.iter().any(|third| continues(other, third));
        is_one.then(|| Partner { path: other.clone(), is_original, is_rotation })
    };
    all.iter().filter_map(partner).collect()
}

/// The longest of places up to which a file was read.
struct Furthest {
    offset: u64,
    is_certain: bool,
}

impl Furthest {
    fn note(&mut self, offset: u64, is_certain: bool) {
        if offset > self.offset {
            *self = Furthest { offset, is_certain };
        }
    }
}

impl Tail {
    /// Whether this path is named as a rotation of another.
    pub(super) fn is_rotation(&self) -> bool {
        self.partners.iter().any(Partner::is_original)
    }

    /// Says how far this one is.
    pub(super) fn tell(&self) {
        if self.partners.is_empty() {
            return;
        }
        let mut paths = self.options.together.paths();
        let reached = paths.entry(self.path.clone()).or_default();
        reached.at_hand.clear();
        let at_hand = self.reading.iter().chain(&self.queue);
        let shared = |reading: &Reading| Some((reading.passing.clone(), reading.body.again().ok()?));
        reached.at_hand.extend(at_hand.filter_map(shared));
        let due = std::mem::take(&mut reached.due);
        reached.due = due.into_iter().filter(|due| due.stat().is_ok_and(|due| !reached.has_at_hand(due.id))).collect();
    }

    /// Says where it has left files.
    pub(super) fn tell_formers(&self) {
        if !self.partners.is_empty() {
            let formers = self.formers.iter().map(|former| former.passing.clone()).collect();
            self.options.together.paths().entry(self.path.clone()).or_default().formers = formers;
        }
    }

    /// Looks at what is beside the path, all at one moment; what has come to have the name of a partner is due there.
    /// Siblings come first to last; others that this one may have become are among them.
    pub(super) fn survey_all(&self) -> Vec<Sibling> {
        let mut found = self.neighbourhood.siblings(&*self.files);
        for _ in 1..MOST_LOOKS {
            if found.iter().all(|sibling| self.hand_over(sibling)) {
                break;
            }
            found = self.neighbourhood.siblings(&*self.files);
        }
        found
    }

    /// The siblings among [`Tail::survey_all`].
    pub(super) fn survey(&self) -> Vec<Sibling> {
        let mut found = self.survey_all();
        found.retain(|sibling| sibling.kin == Kin::Own);
        found
    }

    /// A file that has the name of a partner is due there, unless it is known. False if it was renamed this very moment.
    fn hand_over(&self, sibling: &Sibling) -> bool {
        let Kin::Followed(path) = &sibling.kin else { return true };
        let is_rotation = |partner: &Partner| partner.path == *path && partner.is_rotation;
        if !self.partners.iter().any(is_rotation) {
            return true;
        }
        match Body::open(&*self.files, &sibling.path) {
            Ok((body, stat)) if stat.id == sibling.stat.id => {
                self.options.together.paths().entry(path.clone()).or_default().is_to_come(body, stat.id);
                true
            }
            Ok(_) => false,
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        }
    }

    /// A file that has come to have this name is to be read after what came before it.
    pub(super) fn await_due(&self, body: Body, id: FileId) {
        self.options.together.paths().entry(self.path.clone()).or_default().is_to_come(body, id);
    }

    /// These files are to be read before others that have come to have this name.
    pub(super) fn await_first(&self, first: Vec<(Body, FileId)>) {
        let mut paths = self.options.together.paths();
        let reached = paths.entry(self.path.clone()).or_default();
        let is_first = |due: &Body| due.stat().is_ok_and(|due| first.iter().any(|(_, id)| *id == due.id));
        reached.due.retain(|due| !is_first(due));
        for (body, id) in first.into_iter().rev() {
            if !reached.has_at_hand(id) {
                reached.due.push_front(body);
            }
        }
    }

    /// Whether a file waits for this path.
    pub(super) fn has_due(&self, id: FileId) -> bool {
        self.options.together.paths().get(&self.path).is_some_and(|reached| reached.is_due(id))
    }

    /// Files that have come to have this name and have lost it.
    pub(super) fn due_beside(&self, named: Option<Stat>) -> usize {
        let paths = self.options.together.paths();
        let is_beside = |due: &&Body| due.stat().is_ok_and(|due| named.is_none_or(|named| named.id != due.id));
        paths.get(&self.path).map_or(0, |reached| reached.due.iter().filter(is_beside).count())
    }

    /// The next of the files that have come to have this name and that is neither read nor a copy of what is.
    pub(super) fn next_due(&mut self) -> io::Result<Option<Reading>> {
        let mut due = match self.options.together.paths().get_mut(&self.path) {
            Some(reached) => std::mem::take(&mut reached.due),
            None => VecDeque::new(),
        };
        let named = self.named();
        let (mut found, mut kept) = (None, VecDeque::new());
        while found.is_none()
            && let Some(mut body) = due.pop_front()
        {
            let Ok(stat) = body.stat() else { continue };
            let is_named = named == Some(stat.id);
            match self.standing(&mut body, &stat, As::Due) {
                Ok(Standing::New) => {
                    let offset = self.left_at(&mut body, stat.id)?;
                    if is_named || stat.size > offset {
                        found = Some(Reading::new(body, stat, offset)?);
                    }
                }
                Ok(Standing::ReadTo { offset, has_more, .. }) if is_named || has_more => {
                    found = Some(Reading::new(body, stat, offset)?);
                }
                // It lost its name before anything was written to it.
                Ok(Standing::Taken) if stat.size == 0 && !is_named => {}
                Ok(Standing::Taken) => kept.push_back(body),
                Ok(Standing::ReadTo { .. }) | Err(_) => {}
            }
        }
        kept.extend(due);
        if let Some(reached) = self.options.together.paths().get_mut(&self.path) {
            kept.append(&mut reached.due);
            reached.due = kept;
        }
        Ok(found)
    }

    /// What has been read of a file, by this path or its partners.
    ///
    /// # Errors
    /// If it cannot be read or unpacked.
    pub(super) fn standing(&self, body: &mut Body, stat: &Stat, how: As) -> io::Result<Standing> {
        let is_for_partners = matches!(how, As::Live | As::Copy);
        if is_for_partners && self.partners.is_empty() {
            return Ok(Standing::New);
        }
        if !is_for_partners && (stat.size == 0 || self.is_begun_by(body, stat, how)?) {
            return Ok(Standing::Taken);
        }
        // What an original held is compared first, and then how far it was read: else it could be read and emptied in between,
        // and while it is copied the copy grows.
        let size = if body.is_packed() { None } else { Some(body.stat()?.size) };
        let paths = self.options.together.paths();
        let is_partner = |path: &Path| self.partners.iter().any(|partner| partner.path == path);
        let partners: Vec<&Reached> =
            paths.iter().filter(|(path, _)| is_partner(path)).map(|(_, reached)| reached).collect();
        if partners.iter().any(|reached| reached.has_at_hand(stat.id) || how == As::Sibling && reached.is_due(stat.id))
        {
            return Ok(Standing::Taken);
        }
        for (_, other) in partners.iter().flat_map(|reached| &reached.at_hand).filter(|_| how != As::Live) {
            // Of a file that another one has opened nothing may have been read yet.
            if other.again().is_ok_and(|mut other| other.holds(body, size)) {
                return Ok(Standing::Taken);
            }
        }
        let Some(Furthest { offset, is_certain }) = self.furthest(&partners, body, size, how)? else {
            return Ok(Standing::Taken);
        };
        if offset == 0 {
            return Ok(Standing::New);
        }
        let has_more = body.fill(offset, &mut [0])? > 0;
        Ok(Standing::ReadTo { offset, has_more, is_certain })
    }

    /// Up to where a file has been read by this path or its partners; `None` if that is not over.
    fn furthest(
        &self,
        partners: &[&Reached],
        body: &mut Body,
        size: Option<u64>,
        how: As,
    ) -> io::Result<Option<Furthest>> {
        let mut furthest = Furthest { offset: 0, is_certain: false };
        // Of the file at hand what has been read may be put back.
        let own = self.reading.iter().chain(&self.queue).filter(|_| how == As::Sibling).map(Reading::given);
        let others = partners.iter().flat_map(|reached| &reached.at_hand).map(|(passing, _)| passing.clone());
        for passing in own.chain(others) {
            let passed = passing.get();
            let Some(to) = passed.is_seen_in(body, size)? else { continue };
            if passed.is_telling() || passed.is_within_line() {
                return Ok(None);
            }
            furthest.note(to, false);
        }
        let own = self.formers.iter().map(|former| &former.passing).filter(|_| matches!(how, As::Due | As::Sibling));
        for passing in own.chain(partners.iter().flat_map(|reached| &reached.formers)) {
            let passed = passing.get();
            let Some(to) = passed.is_seen_in(body, size)? else { continue };
            // A line of which the rest was not there any more has been given up.
            let is_cut = to == passed.offset() && passed.is_within_line() && body.fill(to, &mut [0])? > 0;
            let to = if is_cut { passed.line_start() } else { to };
            furthest.note(to, passed.is_telling() && to == passed.offset());
        }
        Ok(Some(furthest))
    }

    /// Whether what has the name of an original begins as a file does: then that is a copy of it. Or of what has the name of
    /// this path, if it is beside that.
    fn is_begun_by(&self, body: &mut Body, stat: &Stat, how: As) -> io::Result<bool> {
        if body.is_packed() {
            return Ok(false);
        }
        let originals = self.partners.iter().filter(|partner| partner.is_original).map(|partner| &partner.path);
        for path in originals.chain((how == As::Sibling).then_some(&self.path)) {
            if let Ok((mut original, named)) = Body::open(&*self.files, path)
                && (named.id == stat.id || original.begins_with(body, stat.size))
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl Reached {
    /// A file has come to have the name. It may have been packed and deleted since; few such are held open (R18).
    fn is_to_come(&mut self, body: Body, id: FileId) {
        let is_deleted = |due: &Body| due.stat().is_ok_and(|due| due.links == 0);
        let deleted = self.due.iter().filter(|due| is_deleted(due)).count();
        if deleted > DELETED
            && let Some(oldest) = self.due.iter().position(is_deleted)
        {
            self.due.remove(oldest);
        }
        if !self.has_at_hand(id) && !self.is_due(id) {
            self.due.push_back(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partners_have_one_anothers_names_and_more() {
        let all: Vec<PathBuf> =
            ["a/log", "a/log.1", "a/log.2", "a/log.10", "b/log", "a/other"].map(PathBuf::from).into();
        let found = |path: &str| -> Vec<(String, bool, bool)> {
            let partners = partners(Path::new(path), &all);
            partners
                .iter()
                .map(|partner| (partner.path.display().to_string(), partner.is_original, partner.is_rotation))
                .collect()
        };
        let [log, one, two, ten] = ["a/log", "a/log.1", "a/log.2", "a/log.10"].map(str::to_owned);
        assert_eq!(
            found("a/log"),
            [(one.clone(), false, true), (two.clone(), false, true), (ten.clone(), false, true)]
        );
        assert_eq!(
            found("a/log.1"),
            [(log.clone(), true, false), (two.clone(), false, true), (ten.clone(), false, true)]
        );
        assert_eq!(found("a/log.2"), [(log.clone(), true, false), (one.clone(), false, true), (ten, false, true)]);
        assert_eq!(found("a/log.10"), [(log, true, false), (one, false, true), (two, false, true)]);
        assert_eq!(found("a/other"), []);
    }
}
