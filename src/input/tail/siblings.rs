//! The files beside a followed one that it may have been renamed or copied to: in its directory, its name plus a suffix.

use super::disk::{FileSystem, Stat};
use std::cmp::Ordering;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Files that a link has led to beside which something is still looked for.
const MOST_TARGETS: usize = 4;

/// Looks at a directory in which names come and go all the time, after which the last one counts.
const MOST_LOOKS: usize = 16;

/// What a file beside a followed one is to that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kin {
    /// It has the name and more: it may have been renamed or copied to there.
    Own,
    /// It has the name of another that is followed, which is this one.
    Followed(PathBuf),
    /// It is to one of those what the siblings are to this one.
    Theirs,
}

/// A file beside a followed one.
#[derive(Clone, Debug)]
pub struct Sibling {
    /// Where it is.
    pub path: PathBuf,
    /// Its name.
    pub name: OsString,
    /// What it is to the followed one.
    pub kin: Kin,
    /// What it is.
    pub stat: Stat,
}

/// Where siblings of a path are looked for: beside it and, if it is a link, beside what it leads to.
pub struct Neighbourhood {
    /// The first is that of the path; the others are of files that it led to as a link, the newest last. These have been read under
    /// other names, so that they are siblings themselves.
    places: Vec<(PathBuf, OsString)>,
    /// Others that are followed.
    apart: Vec<(PathBuf, OsString, PathBuf)>,
    /// Of these those whose siblings are to be seen as well.
    family: Vec<(PathBuf, OsString)>,
}

impl Neighbourhood {
    /// That of a path, which need not be there yet; `apart` are no siblings, whatever their names; of `family`, which are some of
    /// those, the siblings are shown too.
    pub fn of(files: &dyn FileSystem, path: &Path, apart: &[PathBuf], family: &[PathBuf]) -> Neighbourhood {
        let place = |path: &Path| {
            let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let directory = files.resolve(directory).unwrap_or_else(|_| directory.to_owned());
            Some((directory, path.file_name()?.to_owned()))
        };
        let places = place(path).into_iter().collect();
        let apart = apart.iter().filter(|other| *other != path);
        let apart = apart.filter_map(|path| place(path).map(|(directory, name)| (directory, name, path.clone())));
        let family = family.iter().filter_map(|path| place(path)).collect();
        let mut neighbourhood = Neighbourhood { places, apart: apart.collect(), family };
        neighbourhood.add(files.resolve(path).ok().as_deref());
        neighbourhood
    }

    /// Also looks beside a file that the path leads to as a link. False if it does so already.
    pub fn add(&mut self, target: Option<&Path>) -> bool {
        let place = target.and_then(|target| Some((target.parent()?.to_owned(), target.file_name()?.to_owned())));
        let Some(place) = place.filter(|place| !self.places.contains(place)) else { return false };
        if self.places.len() > MOST_TARGETS {
            self.places.remove(1);
        }
        self.places.push(place);
        true
    }

    /// Looks beside the path alone.
    pub fn forget_targets(&mut self) {
        self.places.truncate(1);
    }

    /// What the path has led to, as it is or as a link.
    pub fn targets(&self) -> Vec<PathBuf> {
        self.places.iter().map(|(directory, name)| directory.join(name)).collect()
    }

    /// Whether a sibling is one of what the path led to.
    pub fn is_of(&self, target: &Path, sibling: &Sibling) -> bool {
        sibling.path.parent() == target.parent()
            && target.file_name().is_some_and(|name| suffix(&sibling.name, name).is_some())
    }

    /// The directories, and how siblings' names begin in each.
    pub fn places(&self) -> &[(PathBuf, OsString)] {
        &self.places
    }

    /// The directories, which tell by their time of change whether names have come or gone.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        self.places.iter().map(|(directory, _)| directory.as_path())
    }

    /// The siblings there are, oldest first, and what else is to be seen. What vanishes meanwhile, or cannot be looked at, is
    /// left out.
    ///
    /// Files may be renamed while names are listed and looked at one by one, so that one is missed under either name and
    /// another is taken to come next. So this looks until it has seen the same twice.
    pub fn siblings(&self, files: &dyn FileSystem) -> Vec<Sibling> {
        let mut found = self.look(files);
        for _ in 1..MOST_LOOKS {
            let again = self.look(files);
            let is_same = found.len() == again.len()
                && found.iter().zip(&again).all(|(one, other)| one.stat.id == other.stat.id && one.path == other.path);
            found = again;
            if is_same {
                break;
            }
        }
        sort(&mut found);
        found
    }

    /// One look at each name, in the order of names.
    fn look(&self, files: &dyn FileSystem) -> Vec<Sibling> {
        let mut found: Vec<Sibling> = Vec::new();
        let mut directories: Vec<&Path> = Vec::new();
        for (directory, _) in self.places.iter().chain(&self.family) {
            if directories.contains(&directory.as_path()) {
                continue;
            }
            directories.push(directory);
            let mut names = files.names(directory).unwrap_or_default();
            names.sort_unstable();
            for name in names {
                let Some(kin) = self.kin(directory, &name) else { continue };
                let path = directory.join(&name);
                let Ok(stat) = files.stat(&path) else { continue };
                if stat.is_regular && !found.iter().any(|other| other.stat.id == stat.id) {
                    found.push(Sibling { name, path, kin, stat });
                }
            }
        }
        found
    }

    /// What a file of this name is to the followed one, if anything. Who has more of its name in common is nearer to it.
    fn kin(&self, directory: &Path, candidate: &OsStr) -> Option<Kin> {
        let is_here = |place: &Path| place == directory;
        let apart = self.apart.iter().filter(|(place, ..)| is_here(place));
        if let Some((_, _, path)) = apart.clone().find(|(_, name, _)| name == candidate) {
            let is_family = self.family.iter().any(|(place, name)| is_here(place) && name == candidate);
            return is_family.then(|| Kin::Followed(path.clone()));
        }
        // What a rotation was packed to is one of what that is a rotation of.
        let (unpacked, _) = unpacked_name(candidate);
        let is_rotation = |name: &OsStr| {
            let others = self.places.iter().map(|(place, name)| (place, name));
            let mut others = others.chain(self.apart.iter().map(|(place, name, _)| (place, name)));
            others.any(|(place, other)| is_here(place) && suffix(name, other).is_some())
        };
        let is_packed = |name: &OsStr| unpacked == name.as_bytes() && is_rotation(name);
        let nearness = |name: &OsStr| suffix(candidate, name).filter(|_| !is_packed(name)).map(|_| name.len());
        if self.places.iter().skip(1).any(|(place, name)| is_here(place) && name == candidate) {
            return Some(Kin::Own);
        }
        let own = self.places.iter().filter(|(place, _)| is_here(place)).filter_map(|(_, name)| nearness(name)).max();
        let others = apart.filter_map(|(_, name, _)| nearness(name)).max();
        if own.is_some() && own >= others {
            return Some(Kin::Own);
        }
        let family = self.family.iter().filter(|(place, _)| is_here(place));
        family.filter_map(|(_, name)| nearness(name)).max().is_some().then_some(Kin::Theirs)
    }
}

/// What a name has more than another; `None` unless it begins with it and has more. A longer number is another one: `log.10`
/// is no rotation of `log.1`.
pub fn suffix<'a>(candidate: &'a OsStr, name: &OsStr) -> Option<&'a OsStr> {
    let rest = candidate.as_bytes().strip_prefix(name.as_bytes())?;
    let is_number =
        name.as_bytes().last().is_some_and(u8::is_ascii_digit) && rest.first().is_some_and(u8::is_ascii_digit);
    (!rest.is_empty() && !is_number).then(|| OsStr::from_bytes(rest))
}

/// Endings of what packs files; those of other packers than ours too, for their order alone.
const PACKED: [&str; 4] = [".gz", ".zst", ".bz2", ".xz"];

/// Oldest first, by when they were last written to. Where that is the same, names tell: they count up or down as most
/// of the others do; down, as logrotate's do, if there is no telling. A file comes before its packed form, which may not
/// be whole while the file is there.
fn sort(siblings: &mut [Sibling]) {
    let by_time_and_name = |siblings: &mut [Sibling], is_upward: bool| {
        siblings.sort_by(|one, other| {
            let (name, is_packed) = unpacked_name(&one.name);
            let (other_name, is_other_packed) = unpacked_name(&other.name);
            let names = natural(name, other_name);
            let names = if is_upward { names } else { names.reverse() };
            one.stat.modified.cmp(&other.stat.modified).then(names).then(is_packed.cmp(&is_other_packed))
        });
    };
    by_time_and_name(siblings, false);
    let mut upward = 0;
    for pair in siblings.windows(2).filter(|pair| pair[0].stat.modified != pair[1].stat.modified) {
        let names = natural(unpacked_name(&pair[0].name).0, unpacked_name(&pair[1].name).0);
        upward += names as i8 as i64;
    }
    if upward < 0 {
        by_time_and_name(siblings, true);
    }
}

/// A name without what says that the file is packed, and whether it said so.
fn unpacked_name(name: &OsStr) -> (&[u8], bool) {
    let name = name.as_bytes();
    let unpacked = PACKED.iter().find_map(|ending| name.strip_suffix(ending.as_bytes()));
    (unpacked.unwrap_or(name), unpacked.is_some())
}

/// Compares names by the numbers in them: `.9` comes before `.10`.
fn natural(one: &[u8], other: &[u8]) -> Ordering {
    let pieces = |name: &[u8]| -> Vec<(Vec<u8>, u128)> {
        let is_end = |pair: &[u8]| pair[0].is_ascii_digit() && !pair[1].is_ascii_digit();
        let mut pieces = Vec::new();
        let mut rest = name;
        while !rest.is_empty() {
            let end = rest.windows(2).position(is_end).map_or(rest.len(), |at| at + 1);
            let (piece, after) = rest.split_at(end);
            let digits = piece.iter().position(u8::is_ascii_digit).unwrap_or(piece.len());
            let number = piece[digits..]
                .iter()
                .fold(0u128, |number, digit| number.saturating_mul(10).saturating_add(u128::from(digit & 0xF)));
            pieces.push((piece[..digits].to_vec(), number));
            rest = after;
        }
        pieces
    };
    pieces(one).cmp(&pieces(other))
}

/// The files of these that may be read. While a file is packed it is there itself; once it is not, its packed form is whole.
pub fn whole(siblings: &[Sibling]) -> impl Iterator<Item = &Sibling> {
    siblings.iter().filter(|sibling| {
        let (name, is_packed) = unpacked_name(&sibling.name);
        let is_plain = |other: &Sibling| other.name.as_bytes() == name && other.path.parent() == sibling.path.parent();
        !is_packed || !siblings.iter().any(is_plain)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::tail::disk::FileId;

    fn sibling(suffix: &str, modified: i64) -> Sibling {
        let stat = Stat {
            id: FileId { device: 1, inode: modified as u64 },
            size: 1,
            modified,
            created: None,
            links: 1,
            is_regular: true,
        };
        Sibling { path: PathBuf::from(format!("log{suffix}")), name: suffix.into(), kin: Kin::Own, stat }
    }

    #[test]
    fn siblings_are_ordered_by_time_and_then_as_the_names_of_the_others_count() {
        let cases: [(&[(&str, i64)], &str); 7] = [
            (&[(".1", 30), (".2", 20), (".10", 10)], ".10 .2 .1"),
            (&[(".1", 20), (".2", 20), (".3", 10)], ".3 .2 .1"),
            (&[(".8", 10), (".9", 20), (".10", 20), (".11", 20)], ".8 .9 .10 .11"),
            (
                &[("-20260103", 9), ("-20260102", 9), ("-20260101", 3), ("-20260104", 12)],
                "-20260101 -20260102 -20260103 -20260104",
            ),
            (&[(".1", 5), (".2", 5)], ".2 .1"),
            (&[(".1.gz", 5), (".2.gz", 5), (".2", 5), (".1", 5)], ".2 .2.gz .1 .1.gz"),
            (&[(".1", 1), (".2", 2), (".4.zst", 5), (".3.gz", 5), (".3", 5)], ".1 .2 .3 .3.gz .4.zst"),
        ];
        for (given, expected) in cases {
            let mut siblings: Vec<_> = given.iter().map(|(suffix, modified)| sibling(suffix, *modified)).collect();
            sort(&mut siblings);
            let order: Vec<_> = siblings.iter().map(|sibling| sibling.name.to_string_lossy()).collect();
            assert_eq!(order.join(" "), expected);
        }
    }

    #[test]
    fn a_sibling_has_the_name_and_more() {
        let of = |candidate: &'static str| {
            suffix(OsStr::new(candidate), OsStr::new("a.log")).map(|s| s.to_str().expect("ASCII"))
        };
        assert_eq!(of("a.log.1.gz"), Some(".1.gz"));
        assert_eq!(of("a.log-20260101"), Some("-20260101"));
        assert_eq!(of("a.log"), None);
        assert_eq!(of("b.log.1"), None);
        assert_eq!(suffix(OsStr::new("log.10"), OsStr::new("log.1")), None);
        assert_eq!(suffix(OsStr::new("log.1.gz"), OsStr::new("log.1")), Some(OsStr::new(".gz")));
    }
}
