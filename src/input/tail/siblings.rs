//! The files beside a followed one that it may have been renamed or copied to: in its directory, its name plus a suffix.

use super::disk::{FileId, FileSystem, Stat};
use std::cmp::Ordering;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Looks at a directory in which names come and go all the time, after which the last one counts.
const MOST_LOOKS: usize = 16;

/// A file whose name is that of the followed one plus a suffix.
#[derive(Clone, Debug)]
pub struct Sibling {
    /// Where it is.
    pub path: PathBuf,
    /// What its name has more.
    pub suffix: OsString,
    /// What it is.
    pub stat: Stat,
}

/// Where siblings of a path are looked for: beside it and, if it is a link, beside what it leads to.
pub struct Neighbourhood {
    places: Vec<(PathBuf, OsString)>,
    /// Names that are none.
    apart: Vec<(PathBuf, OsString)>,
}

impl Neighbourhood {
    /// That of a path, which need not be there yet; `apart` are no siblings, whatever their names.
    pub fn of(files: &dyn FileSystem, path: &Path, apart: &[PathBuf]) -> Neighbourhood {
        let place = |path: &Path| {
            let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let directory = files.resolve(directory).unwrap_or_else(|_| directory.to_owned());
            Some((directory, path.file_name()?.to_owned()))
        };
        let mut places = Vec::new();
        for path in [Some(path.to_owned()), files.resolve(path).ok()].into_iter().flatten() {
            let place = place(&path).filter(|place| !places.contains(place));
            places.extend(place);
        }
        Neighbourhood { places, apart: apart.iter().filter_map(|path| place(path)).collect() }
    }

    /// The directories, and how siblings' names begin in each.
    pub fn places(&self) -> &[(PathBuf, OsString)] {
        &self.places
    }

    /// The directories, which tell by their time of change whether names have come or gone.
    pub fn directories(&self) -> impl Iterator<Item = &Path> {
        self.places.iter().map(|(directory, _)| directory.as_path())
    }

    /// The siblings there are, oldest first. What vanishes meanwhile, or cannot be looked at, is left out.
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
        for (directory, name) in &self.places {
            let mut names = files.names(directory).unwrap_or_default();
            names.sort_unstable();
            for candidate in names {
                let Some(suffix) = suffix(&candidate, name) else { continue };
                if self.apart.iter().any(|(other, name)| other == directory && *name == candidate) {
                    continue;
                }
                let path = directory.join(&candidate);
                let Ok(stat) = files.stat(&path) else { continue };
                if stat.is_regular && !found.iter().any(|other| other.stat.id == stat.id) {
                    found.push(Sibling { suffix: suffix.to_owned(), path, stat });
                }
            }
        }
        found
    }
}

/// What a name has more than another; `None` unless it begins with it and has more.
pub fn suffix<'a>(candidate: &'a OsStr, name: &OsStr) -> Option<&'a OsStr> {
    let rest = candidate.as_bytes().strip_prefix(name.as_bytes())?;
    (!rest.is_empty()).then(|| OsStr::from_bytes(rest))
}

/// Endings of what packs files; those of other packers than ours too, for their order alone.
const PACKED: [&str; 4] = [".gz", ".zst", ".bz2", ".xz"];

/// Oldest first, by when they were last written to. Where that is the same, names tell: they count up or down as most
/// of the others do; down, as logrotate's do, if there is no telling. A file comes before its packed form, which may not
/// be whole while the file is there.
fn sort(siblings: &mut [Sibling]) {
    let by_time_and_name = |siblings: &mut [Sibling], is_upward: bool| {
        siblings.sort_by(|one, other| {
            let (name, is_packed) = unpacked_name(&one.suffix);
            let (other_name, is_other_packed) = unpacked_name(&other.suffix);
            let names = natural(name, other_name);
            let names = if is_upward { names } else { names.reverse() };
            one.stat.modified.cmp(&other.stat.modified).then(names).then(is_packed.cmp(&is_other_packed))
        });
    };
    by_time_and_name(siblings, false);
    let mut upward = 0;
    for pair in siblings.windows(2).filter(|pair| pair[0].stat.modified != pair[1].stat.modified) {
        let names = natural(unpacked_name(&pair[0].suffix).0, unpacked_name(&pair[1].suffix).0);
        upward += names as i8 as i64;
    }
    if upward < 0 {
        by_time_and_name(siblings, true);
    }
}

/// A suffix without what says that the file is packed, and whether it said so.
fn unpacked_name(suffix: &OsStr) -> (&[u8], bool) {
    let name = suffix.as_bytes();
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

/// Files of which it is known that they need not be read: they were there while the followed file was at hand, or have been
/// read.
#[derive(Default)]
pub struct Known(HashMap<FileId, Stat>);

impl Known {
    /// Exactly these siblings are known now.
    pub fn replace(&mut self, siblings: &[Sibling]) {
        self.replace_by(siblings, |_| true);
    }

    /// Exactly these of the siblings are known now.
    pub fn replace_by(&mut self, siblings: &[Sibling], is_known: impl Fn(&Sibling) -> bool) {
        let known = siblings.iter().filter(|sibling| is_known(sibling));
        self.0 = known.map(|sibling| (sibling.stat.id, sibling.stat)).collect();
    }

    /// A file has been read.
    pub fn add(&mut self, stat: Stat) {
        self.0.insert(stat.id, stat);
    }

    /// Forgets what is not among the siblings any more.
    pub fn retain(&mut self, siblings: &[Sibling]) {
        let present: HashMap<FileId, ()> = siblings.iter().map(|sibling| (sibling.stat.id, ())).collect();
        self.0.retain(|id, _| present.contains_key(id));
    }

    /// Whether this is one of them, and no other file that got its inode.
    pub fn has(&self, stat: &Stat) -> bool {
        self.0.get(&stat.id).is_some_and(|known| match (known.created, stat.created) {
            (Some(known), Some(created)) => known == created,
            _ => (known.size, known.modified) == (stat.size, stat.modified),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sibling(suffix: &str, modified: i64) -> Sibling {
        let stat = Stat {
            id: FileId { device: 1, inode: modified as u64 },
            size: 1,
            modified,
            created: None,
            links: 1,
            is_regular: true,
        };
        Sibling { path: PathBuf::from(format!("log{suffix}")), suffix: suffix.into(), stat }
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
            let order: Vec<_> = siblings.iter().map(|sibling| sibling.suffix.to_string_lossy()).collect();
            assert_eq!(order.join(" "), expected);
        }
    }

    #[test]
    fn r1_another_file_with_a_known_inode_is_not_known() {
        let mut known = Known::default();
        let first = Stat { created: Some(1), ..sibling(".1", 7).stat };
        known.add(first);
        assert!(known.has(&Stat { size: 2, modified: 8, ..first }), "it was written to after all");
        assert!(!known.has(&Stat { created: Some(2), ..first }));
        let unknown_age = Stat { created: None, ..first };
        known.add(unknown_age);
        assert!(known.has(&unknown_age));
        assert!(!known.has(&Stat { size: 2, ..unknown_age }));
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
    }
}
