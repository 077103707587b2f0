//! sled as a [`Medium`], with what it takes to trust it.
//!
//! * Its `flush` ends before the disk: it says neither to the file system nor to the disk's cache that anything must
//!   be kept. So [`sync`](Sled::sync) calls fsync on its files and directory afterwards.
//! * When it is opened it writes a snapshot under a name that it would take for a whole one the next time. What a
//!   crash leaves there is deleted before it is opened.
//! * It has to write to be opened. When the disk is full, a reserve is given up.
//! * It panics on some damaged files. A panic is caught and is damage.
//! * It gives memory and disk back only when its epochs advance, which a busy writer must see to.
//! * Its file never shrinks. When it is far larger than what it holds, it is written anew.

use super::directory::{Directory, LINGERING, MARK, PAUSE, RESERVE, SLED, UNFINISHED, remove_sled, sled_number};
use super::files::Files;
use super::medium::{Fault, Key, Medium};
use super::quiet::contained;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Memory for sled's cache. More makes the log no faster: it is written and swept in order.
const CACHE_BYTES: u64 = 16 << 20;

/// Writes after which sled's garbage is offered for collection.
const WRITES_PER_COLLECTION: u32 = 50;

/// Size of the reserve: opening writes a snapshot, 32 bytes for each of some thousand leaves.
const RESERVE_BYTES: u64 = 2 << 20;

/// The directory is written anew when it is this many halves of the live state large: it settles at about five times
/// the live state under a steady load, and while it is copied it must not exceed eight times.
const MOST_HALVES_OF_LIVE: u64 = 11;

/// But not while it is smaller than this.
const FEW_BYTES: u64 = 48 << 20;

/// sled in a directory of ours.
pub(super) struct Sled {
    directory: PathBuf,
    files: Files,
    mark: File,
    tree: Tree,
    /// Bytes from which on the directory is written anew; raised after a failure.
    renew_from: u64,
}

/// One of sled's directories, open.
struct Tree {
    /// Taken out only to be dropped with its panics caught.
    db: Option<sled::Db>,
    path: PathBuf,
    number: u64,
    files: Files,
    /// Open since before the first write, so that an error in writing back is reported to our fsync.
    file: File,
    /// The other files, all synced.
    synced: BTreeSet<String>,
    writes: u32,
}

impl Sled {
    /// Opens sled in a locked directory, creating it if there is none.
    ///
    /// # Errors
    /// Its files are damaged or the system refuses.
    pub(super) fn open(directory: &Directory) -> Result<Sled, Fault> {
        let files = &directory.files;
        let names = files.list(&directory.path)?;
        let numbers: BTreeSet<u64> = names.iter().filter_map(|name| sled_number(name)).collect();
        let mark_path = directory.join(MARK);
        let number = match numbers.last() {
            Some(number) => *number,
            None if mark_path.exists() => return Err(Fault::Damaged(format!("there is no {SLED}1"))),
            None => create_tree(directory)?,
        };
        // The file is the state: sled would make a new one in its place.
        let path = directory.join(&format!("{SLED}{number}"));
        if mark_path.exists() && !path.join("db").exists() {
            return Err(Fault::Damaged(format!("there is no {SLED}{number}/db")));
        }
        let tree = match Tree::open(&path, number, files) {
            Err(Fault::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull => {
                files.remove_file(&directory.join(RESERVE))?;
                Tree::open(&path, number, files)?
            }
            opened => opened?,
        };
        // The highest number was given when the directory was whole; the others have served.
        for name in &names {
            let unfinished = name.strip_suffix(UNFINISHED).and_then(sled_number).is_some();
            if unfinished || sled_number(name).is_some_and(|other| other != number) {
                remove_sled(files, &directory.join(name))?;
            }
        }
        let mark = files.open_or_create(&mark_path)?;
        set_aside(directory);
        Ok(Sled { directory: directory.path.clone(), files: files.clone(), mark, tree, renew_from: FEW_BYTES })
    }

    /// Copies everything into a new directory, which then takes the place of the old one.
    fn renew(&mut self) -> Result<(), Fault> {
        let number = self.tree.number + 1;
        let path = self.directory.join(format!("{SLED}{number}"));
        let beside = self.directory.join(format!("{SLED}{number}{UNFINISHED}"));
        if beside.exists() {
            remove_sled(&self.files, &beside)?;
        }
        self.files.create_directory(&beside)?;
        let mut copy = match self.copy_into(&beside, number) {
            // No room, most likely: the old one is as good as before. Later, perhaps.
            Err(Fault::Io { .. }) => {
                self.renew_from = self.tree.bytes()?.saturating_mul(2);
                return remove_sled(&self.files, &beside);
            }
            copied => copied?,
        };
        // From here on the new one is what a later run opens. sled uses no path once it is open.
        self.files.rename(&beside, &path)?;
        self.files.sync_directory(&self.directory)?;
        copy.path = path;
        let old = std::mem::replace(&mut self.tree, copy);
        let old_path = old.path.clone();
        drop(old);
        remove_sled(&self.files, &old_path)
    }

    fn copy_into(&mut self, path: &Path, number: u64) -> Result<Tree, Fault> {
        let mut copy = Tree::open(path, number, &self.files)?;
        self.tree.copy_to(&mut copy)?;
        copy.sync()?;
        Ok(copy)
    }
}

impl Medium for Sled {
    fn get(&mut self, key: Key, into: &mut Vec<u8>) -> Result<bool, Fault> {
        self.tree.get(key, into)
    }

    fn put(&mut self, key: Key, value: &[u8]) -> Result<(), Fault> {
        self.tree.put(&encode(key), value)
    }

    fn remove(&mut self, key: Key) -> Result<(), Fault> {
        self.tree.remove(key)
    }

    fn chunks(&mut self, from: u64, to: u64) -> Result<Vec<u64>, Fault> {
        self.tree.chunks(from, to)
    }

    fn sync(&mut self) -> Result<(), Fault> {
        self.tree.sync()
    }

    fn mark(&mut self, epoch: u64) -> Result<(), Fault> {
        let path = self.directory.join(MARK);
        let text = format!("{epoch:020}");
        self.files.write_at_start(
            &self.mark,
            &path,
            format!("{text} {:08x}\n", crc32c::crc32c(text.as_bytes())).as_bytes(),
        )?;
        self.files.sync(&self.mark, &path)
    }

    fn marked(&mut self) -> Result<Option<u64>, Fault> {
        let content = self.files.read(&self.directory.join(MARK), 100)?.unwrap_or_default();
        Ok(std::str::from_utf8(&content).ok().and_then(|text| {
            let (text, sum) = text.strip_suffix('\n')?.split_once(' ')?;
            (sum == format!("{:08x}", crc32c::crc32c(text.as_bytes()))).then_some(())?;
            text.parse().ok()
        }))
    }

    fn tidy(&mut self, useful: u64) -> Result<(), Fault> {
        let bytes = self.tree.bytes()?;
        if bytes > self.renew_from && bytes > useful.saturating_mul(MOST_HALVES_OF_LIVE) / 2 {
            self.renew()
        } else {
            Ok(())
        }
    }

    fn bytes(&mut self) -> Result<u64, Fault> {
        let mut bytes = self.tree.bytes()?;
        for name in self.files.list(&self.directory)? {
            bytes += size(&self.directory.join(name));
        }
        Ok(bytes)
    }
}

impl Tree {
    fn open(path: &Path, number: u64, files: &Files) -> Result<Tree, Fault> {
        for name in files.list(path)? {
            // Half a snapshot, which sled would read as a whole one.
            if name.ends_with(".generating") {
                files.remove_file(&path.join(name))?;
            }
        }
        let db = open_sled(path, files)?;
        let file_path = path.join("db");
        let file = files.open_or_create(&file_path)?;
        files.make_private(&file, &file_path)?;
        let mut tree = Tree {
            db: Some(db),
            path: path.to_owned(),
            number,
            files: files.clone(),
            file,
            synced: BTreeSet::new(),
            writes: 0,
        };
        tree.sync()?;
        Ok(tree)
    }

    /// Calls sled.
    fn call<T>(&self, what: &'static str, act: impl FnOnce(&sled::Db) -> sled::Result<T>) -> Result<T, Fault> {
        let Some(db) = &self.db else { return Err(Fault::Dead) };
        let refused = self.files.call(what, &self.path, || Ok(()));
        refused.and_then(|()| contained(|| act(db).map_err(|error| told(what, error))))
    }

    fn get(&self, key: Key, into: &mut Vec<u8>) -> Result<bool, Fault> {
        let found = self.call("read", |db| db.get(encode(key)))?;
        into.clear();
        into.extend_from_slice(found.as_deref().unwrap_or_default());
        Ok(found.is_some())
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        self.call("write", |db| db.insert(key, value))?;
        self.collect();
        Ok(())
    }

    fn remove(&mut self, key: Key) -> Result<(), Fault> {
        self.call("remove", |db| db.remove(encode(key)))?;
        self.collect();
        Ok(())
    }

    /// Lets sled give back what it has replaced: it does so only when somebody moves its epochs on.
    fn collect(&mut self) {
        self.writes += 1;
        if self.writes.is_multiple_of(WRITES_PER_COLLECTION) {
            crossbeam_epoch::pin().flush();
        }
    }

    fn chunks(&self, from: u64, to: u64) -> Result<Vec<u64>, Fault> {
        self.call("read", |db| {
            let mut numbers = Vec::new();
            for entry in db.range(encode(Key::Chunk(from))..encode(Key::Chunk(to))) {
                if let Some(Key::Chunk(number)) = decode(&entry?.0) {
                    numbers.push(number);
                }
            }
            Ok(numbers)
        })
    }

    fn copy_to(&self, copy: &mut Tree) -> Result<(), Fault> {
        let mut next = Vec::new();
        loop {
            // By key and not by iterator: iterating, sled's cache would keep everything.
            let found = self.call("read", |db| match db.range(next.as_slice()..).next().transpose()? {
                Some((key, _)) => Ok(db.get(&key)?.map(|value| (key, value))),
                None => Ok(None),
            })?;
            let Some((key, value)) = found else { return Ok(()) };
            copy.put(&key, &value)?;
            next.clear();
            next.extend_from_slice(&key);
            next.push(0);
        }
    }

    /// What sled calls a flush, and then what makes it durable.
    fn sync(&mut self) -> Result<(), Fault> {
        self.call("flush", |db| db.flush())?;
        self.files.sync(&self.file, &self.path.join("db"))?;
        let mut names = BTreeSet::new();
        for name in self.files.list(&self.path)? {
            if name == "conf" || name.starts_with("snap.") {
                names.insert(name);
            }
        }
        if names != self.synced {
            for name in names.difference(&self.synced) {
                let path = self.path.join(name);
                let file = self.files.open_or_create(&path)?;
                self.files.make_private(&file, &path)?;
                self.files.sync(&file, &path)?;
            }
            self.files.sync_directory(&self.path)?;
            self.synced = names;
        }
        Ok(())
    }

    /// Bytes of its files.
    fn bytes(&self) -> Result<u64, Fault> {
        let names = self.files.list(&self.path)?;
        Ok(names.iter().map(|name| size(&self.path.join(name))).sum())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let db = self.db.take();
        // What was committed is durable, and nothing else matters.
        let _ = contained(|| {
            drop(db);
            Ok(())
        });
    }
}

/// Opens sled's own part.
fn open_sled(path: &Path, files: &Files) -> Result<sled::Db, Fault> {
    let since = Instant::now();
    loop {
        let config = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None);
        let opened = files
            .call("open", path, || Ok(()))
            .and_then(|()| contained(|| config.mode(sled::Mode::LowSpace).open().map_err(|error| told("open", error))));
        match opened {
            Err(Fault::Io { source, .. }) if is_lock(&source) && since.elapsed() < LINGERING => {
                std::thread::sleep(PAUSE);
            }
            opened => return opened,
        }
    }
}

/// Whether sled did not get its lock. Ours is held, so that it can only be an earlier handle of this process
/// that has not quite gone yet.
fn is_lock(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Other && error.to_string().starts_with("could not acquire lock")
}

fn told(what: &str, error: sled::Error) -> Fault {
    match error {
        sled::Error::Io(source) => Fault::io(format!("{what} sled"), source),
        sled::Error::Corruption { .. } => Fault::Damaged("sled finds its files damaged".to_owned()),
        other => Fault::Damaged(format!("sled says: {other}")),
    }
}

/// A first directory for sled.
fn create_tree(directory: &Directory) -> Result<u64, Fault> {
    directory.files.create_directory(&directory.join(&format!("{SLED}1")))?;
    directory.files.sync_directory(&directory.path)?;
    Ok(1)
}

/// Sets room aside that can be given up when the disk is full. Without it the state is as good.
fn set_aside(directory: &Directory) {
    let path = directory.join(RESERVE);
    if path.metadata().is_ok_and(|found| found.len() == RESERVE_BYTES) {
        return;
    }
    let written = directory.files.open_or_create(&path).and_then(|file| {
        let allocate = || Ok(rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, RESERVE_BYTES)?);
        directory.files.call("write", &path, allocate)
    });
    if written.is_err() {
        let _ = directory.files.remove_file(&path);
    }
}

/// Bytes that a file takes, 0 if it has just gone.
fn size(path: &Path) -> u64 {
    path.symlink_metadata().map_or(0, |found| if found.is_file() { found.blocks() * 512 } else { 0 })
}

const HEADS: u8 = b'h';
const CHUNKS: u8 = b'c';

/// Keys that sort as the log does.
fn encode(key: Key) -> Vec<u8> {
    match key {
        Key::Head(parity) => vec![HEADS, parity],
        Key::Chunk(number) => [&[CHUNKS][..], &number.to_be_bytes()].concat(),
    }
}

fn decode(key: &[u8]) -> Option<Key> {
    match key {
        [HEADS, parity] => Some(Key::Head(*parity)),
        [CHUNKS, number @ ..] => Some(Key::Chunk(u64::from_be_bytes(number.try_into().ok()?))),
        _ => None,
    }
}
