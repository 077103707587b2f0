//! What followed paths of one run tell one another where one is named as a rotation of another (`-F log log.1`), so that
//! what both come to name is read once: by whoever began with it, and from where that one left it by the other (R4, R13).

use super::Tail;
use super::body::Body;
use super::disk::{FileId, Stat};
use super::position::Position;
use super::siblings::{Neighbourhood, Sibling, suffix};
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Ends of files that are remembered for each path.
const FORMERS: usize = 64;

/// How far the paths of a run are.
#[derive(Clone, Debug, Default)]
pub struct Together(Arc<Mutex<HashMap<PathBuf, Reached>>>);

/// How far one is.
#[derive(Debug, Default)]
pub struct Reached {
    /// In the file at hand, and whether that tells it from others: a header alone does not.
    current: Option<(Position, bool)>,
    /// Where it left others.
    formers: VecDeque<Position>,
}

/// Another path of the run whose name is this one's and more, or the other way round; or both are rotations of a third.
pub struct Partner {
    path: PathBuf,
    /// Whether this path is named as a rotation of it.
    is_original: bool,
}

/// Who reads a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Whoever asks.
    Free,
    /// Another one, or one that is about to.
    Taken,
    /// Another one has, up to here.
    ReadTo(u64),
}

/// The paths of a run, of which one is about to change.
pub type Held<'a> = MutexGuard<'a, HashMap<PathBuf, Reached>>;

impl Together {
    /// Keeps the others from looking until this one has changed.
    pub fn hold(&self) -> Held<'_> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        is_one.then(|| Partner { path: other.clone(), is_original })
    };
    all.iter().filter_map(partner).collect()
}

impl Tail {
    /// Says how far this one is, and where it left a file if it has.
    pub(super) fn tell(&self, held: &mut Held<'_>, left: Option<&Position>) {
        let reached = held.entry(self.path.clone()).or_default();
        let reading = self.reading.as_ref().or(self.queue.front());
        reached.current = reading.map(|reading| (reading.reached(), reading.is_telling()));
        if let Some(left) = left {
            if reached.formers.len() == FORMERS {
                reached.formers.pop_front();
            }
            reached.formers.push_back(left.clone());
        }
    }

    /// Who reads a file that has come to have this name.
    pub(super) fn claim(&self, body: &mut Body, stat: &Stat) -> Claim {
        if self.partners.is_empty() {
            return Claim::Free;
        }
        if stat.size == 0 {
            // A copy in the making, maybe.
            return Claim::Taken;
        }
        // First what the other path names, then what was read of it: else it could be read and emptied in between.
        for partner in self.partners.iter().filter(|partner| partner.is_original) {
            if let Ok((mut original, named)) = Body::open(&*self.files, &partner.path)
                && !body.is_packed()
                && (named.id == stat.id || original.begins_with(body, stat.size))
            {
                return Claim::Taken;
            }
        }
        let held = self.options.together.hold();
        let mut claim = Claim::Free;
        for reached in self.partners.iter().filter_map(|partner| held.get(&partner.path)) {
            if let Some((position, is_telling)) = &reached.current
                && (position.id == stat.id || *is_telling)
                && (position.is_in(body).unwrap_or(false) || position.is_past(body, stat.size).unwrap_or(false))
            {
                return Claim::Taken;
            }
            for former in reached.formers.iter().filter(|former| former.offset > 0) {
                let read_to = match claim {
                    Claim::ReadTo(offset) => offset,
                    Claim::Free | Claim::Taken => 0,
                };
                if former.offset > read_to && former.is_in(body).unwrap_or(false) {
                    claim = Claim::ReadTo(former.offset);
                } else if stat.size > read_to && former.is_past(body, stat.size).unwrap_or(false) {
                    // What was added between copying and emptying was read, too.
                    claim = Claim::ReadTo(stat.size);
                }
            }
        }
        claim
    }

    /// Files beside this one that are no siblings, as they are followed themselves, or are siblings of those; all may be
    /// what a file that was read has become.
    pub(super) fn beside(&self) -> Vec<Sibling> {
        let mut found: Vec<Sibling> = Vec::new();
        for Partner { path, .. } in &self.partners {
            if let Ok(stat) = self.files.stat(path) {
                found.push(Sibling { path: path.clone(), suffix: Default::default(), stat });
            }
            found.extend(Neighbourhood::of(&*self.files, path, &[]).siblings(&*self.files));
        }
        let named = self.named();
        found.retain(|sibling| Some(sibling.stat.id) != named && sibling.stat.id != FileId::default());
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partners_have_one_anothers_names_and_more() {
        let all: Vec<PathBuf> = ["a/log", "a/log.1", "a/log.2", "b/log", "a/other"].map(PathBuf::from).into();
        let found = |path: &str| -> Vec<(String, bool)> {
            let partners = partners(Path::new(path), &all);
            partners.iter().map(|partner| (partner.path.display().to_string(), partner.is_original)).collect()
        };
        let [log, one, two] = ["a/log", "a/log.1", "a/log.2"].map(str::to_owned);
        assert_eq!(found("a/log"), [(one.clone(), false), (two.clone(), false)]);
        assert_eq!(found("a/log.1"), [(log.clone(), true), (two, false)]);
        assert_eq!(found("a/log.2"), [(log, true), (one, false)]);
        assert_eq!(found("a/other"), []);
    }
}
