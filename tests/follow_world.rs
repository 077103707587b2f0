//! A directory of logs in memory, whose writer and whose logrotate do a thing now and then: between any two uses of files
//! by those who follow them. Everything follows from a seed.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use flate2::Compression;
use flate2::write::GzEncoder;
use streamw::input::tail::disk::{FileId, FileSystem, OpenFile, Stat};

use crate::history::Rng;

/// What the directory is called.
const HERE: &str = "/logs";
/// Stamps of files are this coarse, as those of Linux are: what happens within a tick has the same time.
const TICK: i64 = 4_000_000;

pub fn path(name: &str) -> PathBuf {
    Path::new(HERE).join(name)
}

/// A single thing that the writer or logrotate does.
#[derive(Clone, Debug)]
pub enum Step {
    /// The writer adds so many lines to the file that it has open.
    Write(usize),
    /// It adds a line in two pieces, the first of so many percent.
    Begin(usize),
    End,
    /// The writer opens what has the name now.
    Reopen,
    Create(String),
    Rename(String, String),
    Delete(String),
    /// A copy of the log goes on by so many bytes.
    Copy(usize),
    /// And to where the log ends at this moment.
    CopyRest,
    Truncate,
    /// The packed form of a file, up to a share of it in percent; when it is whole, the file goes.
    Pack(String, usize),
}

#[derive(Default)]
struct Inode {
    bytes: Vec<u8>,
    modified: i64,
    created: i64,
    links: u64,
    opened: u64,
}

/// What is to become of a line, and what has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fate {
    pub times: u32,
    /// Nobody need see it: logrotate emptied the log between copying and emptying, or deleted it before anybody looked.
    pub may_be_lost: bool,
    /// It was there before, in a file that nobody asked for.
    pub is_foreign: bool,
}

pub struct World {
    rng: Rng,
    names: BTreeMap<String, u64>,
    inodes: BTreeMap<u64, Inode>,
    /// By the clock of the file system.
    clock: i64,
    youngest: i64,
    /// When names had changed last.
    changed: i64,
    writer: u64,
    /// The rest of a line.
    rest: String,
    copied: usize,
    /// Bytes of a line at most, beside its number.
    pub padding: u64,
    /// A first line of each file that is no record.
    pub header: String,
    pub steps: VecDeque<Step>,
    /// How likely something happens at a use of files, in percent.
    pub haste: u64,
    pub fates: Vec<Fate>,
    lines: Vec<String>,
    pub trace: Vec<String>,
}

impl World {
    pub fn new(rng: Rng) -> World {
        World {
            rng,
            names: BTreeMap::new(),
            inodes: BTreeMap::new(),
            clock: 1_700_000_000_000_000_000,
            youngest: 0,
            changed: 0,
            writer: 0,
            rest: String::new(),
            copied: 0,
            padding: 40,
            header: String::new(),
            steps: VecDeque::new(),
            haste: 0,
            fates: Vec::new(),
            lines: Vec::new(),
            trace: Vec::new(),
        }
    }

    /// So much time goes by.
    pub fn pass(&mut self, nanoseconds: i64) {
        self.clock += nanoseconds / TICK * TICK;
    }

    /// What the writer has open has the name.
    pub fn is_settled(&self) -> bool {
        self.names.get("log").is_some_and(|inode| *inode == self.writer)
    }

    /// The moment it is.
    pub fn now(&self) -> i64 {
        self.clock
    }

    /// A line was given; its number, unless it is the header.
    pub fn count(&mut self, line: &str, by: &str) -> Result<Option<usize>, String> {
        if line == self.header.trim_end() {
            return Ok(None);
        }
        self.trace.push(format!("    {by} gives {}", &line[..line.len().min(12)]));
        let number = line.split(':').next().and_then(|number| number.parse::<usize>().ok());
        let fate = number.filter(|number| self.lines.get(*number).is_some_and(|written| written == line));
        let fate = fate.and_then(|number| self.fates.get_mut(number));
        let Some(fate) = fate else { return Err(format!("{line:?} was never written")) };
        fate.times += 1;
        if fate.times > 1 { Err(format!("{line:?} comes twice")) } else { Ok(number) }
    }

    /// Does the next thing.
    pub fn step(&mut self) {
        let Some(step) = self.steps.pop_front() else { return };
        self.trace.push(format!("{step:?}"));
        if self.rng.chance(40) {
            self.clock += TICK;
        }
        match step {
            Step::Write(lines) => {
                let text = (0..lines).map(|_| self.line(Fate::default())).collect::<String>();
                self.append(self.writer, text.as_bytes());
            }
            Step::Begin(percent) => {
                let mut line = self.line(Fate::default());
                // With its number: a byte or two may be the beginning of any.
                let number = line.find(':').map_or(0, |at| at + 1);
                self.rest = line.split_off(number.max(line.len() * percent / 100));
                self.append(self.writer, line.as_bytes());
            }
            Step::End => {
                let rest = std::mem::take(&mut self.rest);
                self.append(self.writer, rest.as_bytes());
            }
            Step::Reopen => self.writer = self.make("log"),
            Step::Create(name) => {
                self.make(&name);
                self.copied = 0;
            }
            Step::Rename(from, to) => {
                if let Some(inode) = self.names.remove(&from) {
                    self.unlink(&to);
                    self.names.insert(to, inode);
                    self.changed = self.clock;
                }
            }
            Step::Delete(name) => self.unlink(&name),
            Step::Copy(bytes) => self.copy(bytes),
            Step::CopyRest => self.copy(usize::MAX),
            Step::Truncate => {
                let log = self.names["log"];
                let lost = self.inodes[&log].bytes[self.copied..].to_vec();
                self.may_be_lost(&lost);
                let (clock, log) = (self.clock, self.inodes.get_mut(&log).expect("a file"));
                (log.bytes, log.modified) = (Vec::new(), clock);
            }
            Step::Pack(name, percent) => self.pack(&name, percent),
        }
    }

    /// A new line, as text.
    pub fn line(&mut self, fate: Fate) -> String {
        let number = self.fates.len();
        self.fates.push(fate);
        let padding = self.rng.next() % (self.padding + 1);
        // Of a log that says the same all the time nobody can tell which line is which.
        let padding: String = format!("{number}.").chars().cycle().take(padding as usize).collect();
        let line = format!("{number}:{padding}:{number}");
        self.lines.push(line.clone());
        line + "\n"
    }

    /// Adds to a file of this name, which is made if there is none.
    pub fn write(&mut self, name: &str, text: &str) {
        let inode = self.make(name);
        self.append(inode, text.as_bytes());
    }

    fn make(&mut self, name: &str) -> u64 {
        if let Some(inode) = self.names.get(name) {
            return *inode;
        }
        // A freed one is given away again at once.
        let inode = (10..).find(|inode| !self.inodes.contains_key(inode)).expect("numbers enough");
        self.youngest = self.clock.max(self.youngest + 1);
        let made = Inode { modified: self.clock, created: self.youngest, links: 1, ..Inode::default() };
        self.inodes.insert(inode, made);
        self.names.insert(name.to_owned(), inode);
        self.changed = self.clock;
        inode
    }

    fn append(&mut self, inode: u64, bytes: &[u8]) {
        let header = self.header.clone();
        let clock = self.clock;
        let Some(file) = self.inodes.get_mut(&inode) else { return };
        if file.bytes.is_empty() {
            file.bytes.extend_from_slice(header.as_bytes());
        }
        file.bytes.extend_from_slice(bytes);
        file.modified = clock;
    }

    fn copy(&mut self, bytes: usize) {
        let (log, to) = (self.names["log"], self.names["log.1"]);
        let all = &self.inodes[&log].bytes;
        let end = all.len().min(self.copied.saturating_add(bytes));
        let piece = all[self.copied..end].to_vec();
        let to = self.inodes.get_mut(&to).expect("a file");
        to.bytes.extend(piece);
        to.modified = self.clock;
        self.copied = end;
    }

    fn pack(&mut self, name: &str, percent: usize) {
        let Some(inode) = self.names.get(name).copied() else { return };
        let modified = self.inodes[&inode].modified;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&self.inodes[&inode].bytes).expect("room");
        let mut packed = encoder.finish().expect("room");
        packed.truncate(packed.len() * percent / 100);
        let to = self.make(&format!("{name}.gz"));
        let clock = self.clock;
        let to = self.inodes.get_mut(&to).expect("a file");
        (to.bytes, to.modified) = (packed, clock);
        if percent == 100 {
            to.modified = modified;
            self.names.remove(name);
            self.changed = clock;
            self.inodes.get_mut(&inode).expect("a file").links -= 1;
            self.forget(inode);
        }
    }

    fn unlink(&mut self, name: &str) {
        let Some(inode) = self.names.remove(name) else { return };
        self.changed = self.clock;
        let file = self.inodes.get_mut(&inode).expect("a file");
        file.links -= 1;
        let mut bytes = file.bytes.clone();
        if bytes.starts_with(&[0x1F, 0x8B]) {
            bytes.clear();
            let _ = io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&*file.bytes), &mut bytes);
        }
        self.may_be_lost(&bytes);
        self.forget(inode);
    }

    fn may_be_lost(&mut self, bytes: &[u8]) {
        for line in String::from_utf8_lossy(bytes).lines() {
            if let Some(number) = line.split(':').next().and_then(|number| number.parse::<usize>().ok()) {
                self.fates[number].may_be_lost = true;
            }
        }
    }

    fn forget(&mut self, inode: u64) {
        if self.inodes.get(&inode).is_some_and(|file| file.links == 0 && file.opened == 0) && inode != self.writer {
            self.inodes.remove(&inode);
        }
    }

    fn stat(&self, inode: u64) -> Stat {
        let file = &self.inodes[&inode];
        Stat {
            id: FileId { device: 1, inode },
            size: file.bytes.len() as u64,
            modified: file.modified,
            created: Some(file.created),
            links: file.links,
            is_regular: true,
        }
    }
}

/// Those who follow see the world through this.
#[derive(Clone)]
pub struct Files(pub Arc<Mutex<World>>);

impl Files {
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().expect("nobody fails within")
    }

    /// Files are used: something may happen before.
    fn used(&self) -> MutexGuard<'_, World> {
        let mut world = self.world();
        while world.haste > 0 && world.rng.next() % 100 < world.haste && !world.steps.is_empty() {
            world.step();
        }
        world
    }
}

fn named(path: &Path) -> io::Result<String> {
    let name = path.file_name().filter(|_| path.parent() == Some(Path::new(HERE)));
    name.map(|name| name.to_string_lossy().into_owned()).ok_or(io::ErrorKind::NotFound.into())
}

impl FileSystem for Files {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn OpenFile>> {
        let mut world = self.used();
        let inode = *world.names.get(&named(path)?).ok_or(io::ErrorKind::NotFound)?;
        world.inodes.get_mut(&inode).expect("a file").opened += 1;
        Ok(Arc::new(Opened { files: self.clone(), inode }))
    }

    fn stat(&self, path: &Path) -> io::Result<Stat> {
        let world = self.used();
        if path == Path::new(HERE) {
            let id = FileId { device: 1, inode: 1 };
            return Ok(Stat { id, size: 0, modified: world.changed, created: None, links: 1, is_regular: false });
        }
        let inode = *world.names.get(&named(path)?).ok_or(io::ErrorKind::NotFound)?;
        Ok(world.stat(inode))
    }

    fn names(&self, _: &Path) -> io::Result<Vec<OsString>> {
        Ok(self.used().names.keys().map(OsString::from).collect())
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(path.to_owned())
    }
}

struct Opened {
    files: Files,
    inode: u64,
}

impl OpenFile for Opened {
    fn stat(&self) -> io::Result<Stat> {
        Ok(self.files.used().stat(self.inode))
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let world = self.files.used();
        let bytes = &world.inodes[&self.inode].bytes;
        let from = bytes.len().min(usize::try_from(offset).unwrap_or(usize::MAX));
        let count = into.len().min(bytes.len() - from);
        into[..count].copy_from_slice(&bytes[from..from + count]);
        Ok(count)
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let mut world = self.files.world();
        world.inodes.get_mut(&self.inode).expect("a file").opened -= 1;
        world.forget(self.inode);
    }
}
