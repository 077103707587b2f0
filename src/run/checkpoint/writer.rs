//! The thread that owns the state directory: encoding of the log, writing and waiting for the disk are off the engine's.

use super::outputs::ToSync;
use crate::error::Error;
use crate::state::{Changes, StateDir};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::thread::{self, JoinHandle};

/// A checkpoint to be written.
pub struct Job {
    /// The engine's pieces that have changed.
    pub changes: Changes,
    /// All else.
    pub payload: Vec<u8>,
    /// What has to be durable before this checkpoint and those after it, if that is not what it was before.
    pub outputs: Option<Vec<ToSync>>,
}

/// A checkpoint that has been written.
pub struct Done {
    /// Memory that can be used again.
    pub changes: Changes,
}

/// Hands checkpoints to the thread, one at a time.
pub struct Writer {
    jobs: Option<Sender<Job>>,
    /// Speaks once for each job.
    pub done: Receiver<Result<Done, Error>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread; `outputs` have to be durable before each checkpoint.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn start(mut state: StateDir, mut outputs: Vec<ToSync>) -> Result<Writer, Error> {
        let (jobs, todo) = bounded::<Job>(1);
        let (done_to, done) = bounded(1);
        let work = move || {
            for mut job in todo {
                outputs = job.outputs.take().unwrap_or(outputs);
                let result = write(&mut state, &outputs, &job).map(|_| {
                    job.changes.clear();
                    Done { changes: job.changes }
                });
                let is_last = result.is_err();
                // After an error nothing is tried again: see the order of writes.
                if done_to.send(result).is_err() || is_last {
                    return;
                }
            }
        };
        let thread = thread::Builder::new().name("checkpoint".into()).spawn(work);
        let thread = thread.map_err(|source| Error::System { what: "starting the checkpoint thread", source })?;
        Ok(Writer { jobs: Some(jobs), done, thread: Some(thread) })
    }

    /// Hands over a checkpoint. There must be none under way.
    ///
    /// # Errors
    /// The thread has broken down.
    pub fn write(&self, job: Job) -> Result<(), Error> {
        match &self.jobs {
            Some(jobs) => jobs.send(job).map_err(|_| Error::Defect),
            None => Err(Error::Defect),
        }
    }
}

impl Drop for Writer {
    /// Waits until the directory is closed, so that whoever runs next finds it free.
    fn drop(&mut self) {
        self.jobs = None;
        // Told by the thread itself.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Writes a checkpoint.
///
/// # The order of writes
///
/// Each step is durable before the next begins, so that whatever a crash cuts off, the newest checkpoint speaks of
/// rows that are in the files and of pieces that are in the log.
///
/// 0. Before a run writes its first row it makes a checkpoint of where everything stands ([`Keeper::begin`]): flags,
///    inputs, and the length of the outputs. Else a crash before the first regular one would leave rows behind that
///    nobody knows to be there, and they would come twice.
/// 1. The rows up to here have been handed to the system (the caller does that, for only the caller knows which they
///    are); here the files are synced. Were the head first, a power cut could leave a committed length that a file does
///    not have, and those rows would never come again. Pipes take no sync.
/// 2. The changed pieces and the payload are appended to the log, and that is synced.
/// 3. The head is written, in the slot of the checkpoint before the last, and synced. From here on the checkpoint exists.
/// 4. Only now is forgotten what it replaced; and only when this function has returned does the caller let out rows
///    that waited for it (`--hold`).
///
/// Steps 2 to 4 are those of [`Store::commit`](crate::state::Store::commit), which says why they come so. An error of
/// any step is the end of the run: after a failed sync the kernel takes the lost pages for clean, and a second one
/// would succeed without them.
///
/// [`Keeper::begin`]: super::Keeper::begin
fn write(state: &mut StateDir, outputs: &[ToSync], job: &Job) -> Result<u64, Error> {
    state.append(&job.changes)?;
    state.commit(&job.payload, || outputs.iter().try_for_each(ToSync::sync))
}
