//! sled as a [`Medium`]: the directory of sled that holds the state, and how another takes its place.
//!
//! Directories of sled are numbered. One under an [unfinished](UNFINISHED) name is nobody's; once it has its own name,
//! it is durable and the highest, and that is the one that counts.

use super::directory::{self, Directory, MARK, RESERVE, SLED, UNFINISHED, remove_sled, sled_number};
use super::files::Files;
use super::medium::{Fault, Key, Medium};
use super::tree::{Tree, size};
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// sled has to write to be opened. On a full disk this much is given up for it: its snapshot takes some 32 bytes for
/// each of some thousand leaves.
const RESERVE_BYTES: u64 = 2 << 20;

/// A directory up to this size is copied before sled opens it, unless the file system can share the bytes anyway.
const COPY_BYTES: u64 = 32 << 20;

/// sled's file never shrinks. The directory is written anew when it is this many halves of the live state large: it
/// settles at about four times the live state under a steady load, and even while it is copied it must not exceed
/// eight times.
const MOST_HALVES_OF_LIVE: u64 = 11;

/// But not while it is smaller than this.
const FEW_BYTES: u64 = 48 << 20;

/// sled in a directory of ours.
pub(super) struct Home {
    directory: PathBuf,
    files: Files,
    tree: Tree,
    /// `tree` is new, or a copy, and has not taken its place yet.
    is_unfinished: bool,
    /// Open once something has been written there.
    mark: Option<File>,
    /// Bytes from which on the directory is written anew; raised after a failure.
    renew_from: u64,
}

impl Home {
    /// Opens sled in a locked directory, creating it if there is none.
    ///
    /// When it finds damage, or when a read fails, sled takes the rest of its log for torn and zeroes it. So it gets
    /// a copy, which takes the place of the original [with the first write](Medium::adopt) and not before. Only where
    /// a copy would take long or has no room is the original opened, after it has been read through.
    ///
    /// # Errors
    /// Its files are damaged or the system refuses.
    pub(super) fn open(directory: &Directory) -> Result<Home, Fault> {
        let files = &directory.files;
        let mut newest = None;
        for name in files.list(&directory.path)? {
            if name.strip_suffix(UNFINISHED).and_then(sled_number).is_some() {
                remove_sled(files, &directory.join(&name))?;
            }
            newest = newest.max(sled_number(&name));
        }
        let begun = directory.join(MARK).symlink_metadata().is_ok();
        match newest {
            // sled would make a new file in the place of a lost one.
            Some(number) if begun && !tree_path(&directory.path, number).join("db").exists() => {
                Err(Fault::Damaged(format!("there is no {SLED}{number}/db")))
            }
            Some(number) => Home::open_number(directory, number),
            None if begun => Err(Fault::Damaged(format!("there is no {SLED}1"))),
            None => Home::create(directory),
        }
    }

    fn new(directory: &Directory, tree: Tree, is_unfinished: bool) -> Home {
        let (files, directory) = (directory.files.clone(), directory.path.clone());
        Home { directory, files, tree, is_unfinished, mark: None, renew_from: FEW_BYTES }
    }

    /// It gets its own name with the first write: sled writes its settings and their checksum one after the other, and
    /// opens no directory that has only the first.
    fn create(directory: &Directory) -> Result<Home, Fault> {
        let (files, path) = (&directory.files, unfinished(&directory.path, 1));
        directory::write_format(files, &directory.path)?;
        files.create_directory(&path)?;
        Ok(Home::new(directory, Tree::open(&path, 1, files)?, true))
    }

    fn open_number(directory: &Directory, number: u64) -> Result<Home, Fault> {
        let (files, path) = (&directory.files, tree_path(&directory.path, number));
        let copy = unfinished(&directory.path, number + 1);
        let opened = copy_tree(files, &path, &copy)
            .and_then(|copied| if copied { Tree::open(&copy, number + 1, files).map(Some) } else { Ok(None) });
        match opened {
            Ok(Some(tree)) => return Ok(Home::new(directory, tree, true)),
            Err(fault) if !is_no_room(&fault) => {
                // If that fails too, the next run does it.
                let _ = remove_sled(files, &copy);
                return Err(fault);
            }
            _ => remove_sled(files, &copy)?,
        }
        files.read_through(&path.join("db"))?;
        let tree = match Tree::open(&path, number, files) {
            Err(fault) if is_no_room(&fault) => {
                files.remove_file(&directory.join(RESERVE))?;
                Tree::open(&path, number, files)?
            }
            opened => opened?,
        };
        Ok(Home::new(directory, tree, false))
    }

    /// Copies everything that is alive into a new directory, which then takes the place of the old one.
    fn renew(&mut self) -> Result<(), Fault> {
        let number = self.tree.number + 1;
        let path = unfinished(&self.directory, number);
        let copied = self.files.create_directory(&path).and_then(|()| {
            let mut copy = Tree::open(&path, number, &self.files)?;
            self.tree.copy_to(&mut copy)?;
            copy.sync()?;
            Ok(copy)
        });
        match copied {
            // No room, most likely: the old one is as good as before. Later, perhaps.
            Err(Fault::Io { .. }) => {
                self.renew_from = self.tree.bytes()?.saturating_mul(2);
                remove_sled(&self.files, &path)
            }
            Err(fault) => Err(fault),
            Ok(mut copy) => {
                finish(&self.files, &self.directory, &mut copy)?;
                self.tree = copy;
                self.remove_others()
            }
        }
    }

    /// Removes directories of sled whose place has been taken.
    fn remove_others(&self) -> Result<(), Fault> {
        for name in self.files.list(&self.directory)? {
            if sled_number(&name).is_some_and(|number| number != self.tree.number) {
                remove_sled(&self.files, &self.directory.join(name))?;
            }
        }
        Ok(())
    }

    /// Sets room aside that can be given up when the disk is full. Without it the state is as good.
    fn set_aside(&self) {
        let path = self.directory.join(RESERVE);
        if path.symlink_metadata().is_ok_and(|found| found.len() == RESERVE_BYTES) {
            return;
        }
        let written = self.files.open_or_create(&path).and_then(|file| {
            let none = rustix::fs::FallocateFlags::empty();
            self.files.call("write", &path, || Ok(rustix::fs::fallocate(&file, none, 0, RESERVE_BYTES)?))
        });
        if written.is_err() {
            let _ = self.files.remove_file(&path);
        }
    }
}

impl Medium for Home {
    fn get(&mut self, key: Key, into: &mut Vec<u8>) -> Result<bool, Fault> {
        self.tree.get(key, into)
    }

    fn adopt(&mut self) -> Result<(), Fault> {
        directory::write_format(&self.files, &self.directory)?;
        if self.is_unfinished {
            self.tree.sync()?;
            finish(&self.files, &self.directory, &mut self.tree)?;
            self.is_unfinished = false;
        }
        self.remove_others()?;
        self.set_aside();
        Ok(())
    }

    fn put(&mut self, key: Key, value: &[u8]) -> Result<(), Fault> {
        self.tree.put(key, value)
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
        let is_new = path.symlink_metadata().is_err();
        let mark = match self.mark.take() {
            Some(mark) => mark,
            None => self.files.open_or_create(&path)?,
        };
        let text = format!("{epoch:020}");
        let line = format!("{text} {:08x}\n", crc32c::crc32c(text.as_bytes()));
        self.files.write_at_start(&mark, &path, line.as_bytes())?;
        self.files.sync(&mark, &path)?;
        self.mark = Some(mark);
        if is_new { self.files.sync_directory(&self.directory) } else { Ok(()) }
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
        let too_large = bytes > self.renew_from && bytes > useful.saturating_mul(MOST_HALVES_OF_LIVE) / 2;
        if too_large { self.renew() } else { Ok(()) }
    }

    fn bytes(&mut self) -> Result<u64, Fault> {
        let mut bytes = self.tree.bytes()?;
        for name in self.files.list(&self.directory)? {
            bytes += size(&self.directory.join(name));
        }
        Ok(bytes)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if self.is_unfinished {
            self.tree.close();
            // If it cannot be removed now, the next run does it.
            let _ = remove_sled(&self.files, &self.tree.path);
        }
    }
}

fn tree_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{SLED}{number}"))
}

fn unfinished(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{SLED}{number}{UNFINISHED}"))
}

/// Gives a synced directory its own name: from here on it is what a later run opens.
fn finish(files: &Files, directory: &Path, tree: &mut Tree) -> Result<(), Fault> {
    let path = tree_path(directory, tree.number);
    files.rename(&tree.path, &path)?;
    files.sync_directory(directory)?;
    // sled itself uses no path once it is open.
    tree.path = path;
    Ok(())
}

/// Copies the files of sled; `false` if that would take long. What is there of the copy is then to be removed.
fn copy_tree(files: &Files, from: &Path, to: &Path) -> Result<bool, Fault> {
    let names: BTreeSet<String> = files.list(from)?.into_iter().filter(|name| is_file_of_sled(name)).collect();
    let bytes: u64 = names.iter().map(|name| size(&from.join(name))).sum();
    files.create_directory(to)?;
    for name in &names {
        let most = if bytes <= COPY_BYTES { COPY_BYTES } else { 0 };
        if !files.copy(&from.join(name), &to.join(name), most)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The files that make up a tree. Half a snapshot is none.
fn is_file_of_sled(name: &str) -> bool {
    name == "db" || name == "conf" || (name.starts_with("snap.") && !name.ends_with(".generating"))
}

fn is_no_room(fault: &Fault) -> bool {
    matches!(fault, Fault::Io { source, .. } if source.kind() == io::ErrorKind::StorageFull)
}
