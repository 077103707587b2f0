//! A state directory in use: the lock, sled and the checkpoints in it.

use super::changes::{Changes, PieceId};
use super::directory::{Absent, Directory, MARK};
use super::error::StateError;
use super::files::{Calls, Unhindered};
use super::home::Home;
use super::medium::Fault;
use super::recover::{self, Examined};
use super::store::Store;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

/// An open state directory. It is locked until this is dropped or the process ends.
///
/// A run opens it and, if there is a checkpoint, reads the [payload](StateDir::payload) and the
/// [pieces](StateDir::visit); nothing of what is there is changed before the first [`commit`](StateDir::commit),
/// so that a run that finds itself refused leaves the state as it was.
pub struct StateDir {
    /// Dropped before the lock is given up.
    store: Store,
    directory: Directory,
}

/// How large things are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// How many pieces there are.
    pub pieces: u64,
    /// Bytes of their records.
    pub live_bytes: u64,
    /// Bytes of the log, what is superseded and framing included.
    pub log_bytes: u64,
    /// Bytes of all files.
    pub directory_bytes: u64,
}

impl StateDir {
    /// Opens the directory, or makes it, for a run.
    ///
    /// # Errors
    /// It is in use, another user's, of a newer format or damaged; or the system refuses.
    pub fn open(path: &Path) -> Result<StateDir, StateError> {
        StateDir::open_with(path, Arc::new(Unhindered))
    }

    /// As [`open`](StateDir::open), with a test standing before every call.
    ///
    /// # Errors
    /// As [`open`](StateDir::open).
    pub fn open_with(path: &Path, calls: Arc<dyn Calls>) -> Result<StateDir, StateError> {
        StateDir::begin(Directory::open(path, Absent::Create, calls)?)
    }

    /// Opens the directory to look at what is there.
    ///
    /// # Errors
    /// As [`open`](StateDir::open); there is none.
    pub fn open_existing(path: &Path) -> Result<StateDir, StateError> {
        StateDir::begin(Directory::open(path, Absent::Refuse, Arc::new(Unhindered))?)
    }

    fn begin(directory: Directory) -> Result<StateDir, StateError> {
        let opened = Home::open(&directory).and_then(|home| Store::open(Box::new(home)));
        match opened {
            Ok(store) => Ok(StateDir { store, directory }),
            Err(fault) => Err(directory.told(fault)),
        }
    }

    /// Checks every byte of the two newest checkpoints, the newest first.
    ///
    /// # Errors
    /// There is no state, sled cannot read it at all, or the system refuses.
    pub fn verify(path: &Path) -> Result<Vec<Examined>, StateError> {
        let directory = Directory::open(path, Absent::Refuse, Arc::new(Unhindered))?;
        let examined = Home::open(&directory).and_then(|mut home| recover::examine(&mut home));
        examined.map_err(|fault| directory.told(fault))
    }

    /// Removes the state, whole or damaged, and nothing else that may lie in the directory.
    ///
    /// # Errors
    /// There is none, it is in use or another user's; or the system refuses.
    pub fn reset(path: &Path) -> Result<(), StateError> {
        Directory::open(path, Absent::Refuse, Arc::new(Unhindered))?.reset()
    }

    /// The directory as named to people.
    pub fn name(&self) -> &str {
        &self.directory.name
    }

    /// The number of the newest checkpoint; `None` if there never was one.
    pub fn epoch(&self) -> Option<u64> {
        self.store.epoch()
    }

    /// A line for people if the checkpoint that was written last cannot be used, and the one before it is.
    pub fn notice(&self) -> Option<String> {
        let epoch = self.store.epoch()?;
        let what = self.store.fallback()?;
        Some(format!("state in {}: {what}; going on from checkpoint {epoch}", self.directory.name))
    }

    /// What was saved beside the pieces in the newest checkpoint; empty if there is none.
    pub fn payload(&self) -> &[u8] {
        self.store.payload()
    }

    /// Hands out all pieces of the newest checkpoint, each once, in the order in which they were last written;
    /// `each` says what is wrong with one that it cannot use. To be called before anything is appended.
    ///
    /// # Errors
    /// The state cannot be read any more, or `each` has found a piece to be damaged.
    pub fn visit(&mut self, each: impl FnMut(PieceId, &[u8]) -> Result<(), String>) -> Result<(), StateError> {
        let directory = &self.directory;
        self.store.visit(each).map_err(|fault| directory.told(fault))
    }

    /// Writes changes for the next checkpoint, which does not exist before the [`commit`](StateDir::commit). May
    /// be called any number of times, so that a large state need not be encoded as a whole.
    ///
    /// # Errors
    /// The disk is full or fails, now or before.
    pub fn append(&mut self, changes: &Changes) -> Result<(), StateError> {
        let directory = &self.directory;
        self.store.append(changes).map_err(|fault| directory.told(fault))
    }

    /// Makes a checkpoint of everything appended so far and returns its number; `outputs` makes the rows up to here
    /// durable first. See [`Store::commit`] for the order of writes.
    ///
    /// # Errors
    /// Those of `outputs`; the disk is full or fails, now or before. The run has to end then: the checkpoints
    /// that exist are good, and no further one can be made.
    pub fn commit<E: From<StateError>>(
        &mut self,
        payload: &[u8],
        outputs: impl FnOnce() -> Result<(), E>,
    ) -> Result<u64, E> {
        /// Either side's error on its way through the store.
        enum Either<E> {
            Outputs(E),
            Store(Fault),
        }
        impl<E> From<Fault> for Either<E> {
            fn from(fault: Fault) -> Self {
                Either::Store(fault)
            }
        }
        let directory = &self.directory;
        self.store.commit(payload, || outputs().map_err(Either::Outputs)).map_err(|error| match error {
            Either::Outputs(error) => error,
            Either::Store(fault) => directory.told(fault).into(),
        })
    }

    /// How large the state is.
    ///
    /// # Errors
    /// The directory cannot be read.
    pub fn sizes(&mut self) -> Result<Sizes, StateError> {
        let directory_bytes = self.store.medium_bytes().map_err(|fault| self.directory.told(fault))?;
        let store = &self.store;
        let (pieces, live_bytes, log_bytes) = (store.pieces(), store.live_bytes(), store.log_bytes());
        Ok(Sizes { pieces, live_bytes, log_bytes, directory_bytes })
    }

    /// When the newest checkpoint was written, by the clock of the file system.
    pub fn written(&self) -> Option<SystemTime> {
        self.directory.join(MARK).metadata().and_then(|found| found.modified()).ok()
    }
}
