//! One of sled's directories, with what it takes to trust sled.
//!
//! * Its `flush` ends before the disk: it says neither to the file system nor to the disk's cache that anything must
//!   be kept. So [`sync`](Tree::sync) calls fsync on its files and directory afterwards.
//! * When it is opened it writes a snapshot under a name that it would take for a whole one the next time. What a
//!   crash leaves there is deleted before it is opened.
//! * It panics on some damaged files. A panic is caught and is damage.
//! * It gives memory and disk back only when its epochs advance, which a busy writer must see to.
//! * Its cache forgets only what is read key by key; iterating keeps everything in memory.

use super::files::Files;
use super::lock::{LINGERING, PAUSE};
use super::medium::{Fault, Key};
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

/// One of sled's directories, open.
pub(super) struct Tree {
    /// Taken out only to be dropped with its panics caught.
    db: Option<sled::Db>,
    pub(super) path: PathBuf,
    pub(super) number: u64,
    files: Files,
    /// Open since before the first write, so that an error in writing back is reported to our fsync.
    file: File,
    /// The other files, all synced.
    synced: BTreeSet<String>,
    writes: u32,
}

impl Tree {
    pub(super) fn open(path: &Path, number: u64, files: &Files) -> Result<Tree, Fault> {
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
        Ok(Tree {
            db: Some(db),
            path: path.to_owned(),
            number,
            files: files.clone(),
            file,
            synced: BTreeSet::new(),
            writes: 0,
        })
    }

    /// Calls sled; what it answers with a panic is damage.
    fn call<T>(&self, what: &'static str, act: impl FnOnce(&sled::Db) -> sled::Result<T>) -> Result<T, Fault> {
        let Some(db) = &self.db else { return Err(Fault::Dead) };
        let refused = self.files.call(what, &self.path, || Ok(()));
        refused.and_then(|()| contained(|| act(db).map_err(|error| told(what, error))))
    }

    pub(super) fn get(&self, key: Key, into: &mut Vec<u8>) -> Result<bool, Fault> {
        let found = self.call("read", |db| db.get(encode(key)))?;
        into.clear();
        into.extend_from_slice(found.as_deref().unwrap_or_default());
        Ok(found.is_some())
    }

    pub(super) fn put(&mut self, key: Key, value: &[u8]) -> Result<(), Fault> {
        self.insert(&encode(key), value)
    }

    fn insert(&mut self, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        self.call("write", |db| db.insert(key, value))?;
        self.count_write();
        Ok(())
    }

    pub(super) fn remove(&mut self, key: Key) -> Result<(), Fault> {
        self.call("remove", |db| db.remove(encode(key)))?;
        self.count_write();
        Ok(())
    }

    fn count_write(&mut self) {
        self.writes += 1;
        if self.writes.is_multiple_of(WRITES_PER_COLLECTION) {
            collect();
        }
    }

    /// The first entry whose key is `from` or after it. Each is looked for anew, because an iterator keeps everything
    /// that it has passed in sled's cache.
    fn first_from(&self, from: &[u8]) -> Result<Option<(sled::IVec, sled::IVec)>, Fault> {
        self.call("read", |db| db.range(from..).next().transpose())
    }

    pub(super) fn chunks(&self, from: u64, to: u64) -> Result<Vec<u64>, Fault> {
        let mut numbers = Vec::new();
        let mut from = encode(Key::Chunk(from));
        while let Some((key, _)) = self.first_from(&from)? {
            match decode(&key) {
                Some(Key::Chunk(number)) if number < to => numbers.push(number),
                _ => break,
            }
            from = after(&key);
        }
        Ok(numbers)
    }

    pub(super) fn copy_to(&self, copy: &mut Tree) -> Result<(), Fault> {
        let mut from = Vec::new();
        while let Some((key, value)) = self.first_from(&from)? {
            copy.insert(&key, &value)?;
            from = after(&key);
        }
        Ok(())
    }

    /// What sled calls a flush, and then what makes it durable.
    pub(super) fn sync(&mut self) -> Result<(), Fault> {
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

    /// Ends sled. Nothing can be asked of the tree any more.
    pub(super) fn close(&mut self) {
        let db = self.db.take();
        // What was committed is durable, and nothing else matters.
        let _ = contained(|| {
            drop(db);
            Ok(())
        });
    }

    /// Bytes of its files.
    pub(super) fn bytes(&self) -> Result<u64, Fault> {
        let names = self.files.list(&self.path)?;
        Ok(names.iter().map(|name| size(&self.path.join(name))).sum())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.close();
    }
}

/// Lets sled give back what it has replaced, or what it held when it was closed: it does so only when somebody moves
/// its epochs on. That works only as long as this is the crossbeam-epoch that sled uses.
fn collect() {
    crossbeam_epoch::pin().flush();
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
                collect();
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

/// Bytes that a file takes, 0 if it has just gone.
pub(super) fn size(path: &Path) -> u64 {
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

/// The key that comes next after this one, if there is such a key.
fn after(key: &[u8]) -> Vec<u8> {
    [key, &[0]].concat()
}

fn decode(key: &[u8]) -> Option<Key> {
    match key {
        [HEADS, parity] => Some(Key::Head(*parity)),
        [CHUNKS, number @ ..] => Some(Key::Chunk(u64::from_be_bytes(number.try_into().ok()?))),
        _ => None,
    }
}
