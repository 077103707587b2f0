//! The engine of a checkpoint: one thread reads its pieces, another makes the engine of them.

use super::damaged;
use crate::cli::Config;
use crate::codec::Damaged;
use crate::engine::Engine;
use crate::engine::snapshot::Restore;
use crate::error::Error;
use crate::state::{PieceId, StateDir};
use crossbeam_channel::{Receiver, Sender, bounded};
use std::thread;

/// Bytes of pieces that are handed over together.
const ENOUGH: usize = 256 << 10;

/// Some pieces, one after the other.
#[derive(Default)]
struct Batch {
    /// Which they are, and where each ends.
    pieces: Vec<(PieceId, usize)>,
    bytes: Vec<u8>,
}

impl Batch {
    fn push(&mut self, id: PieceId, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.pieces.push((id, self.bytes.len()));
    }

    fn clear(&mut self) {
        self.pieces.clear();
        self.bytes.clear();
    }

    fn iter(&self) -> impl Iterator<Item = (PieceId, &[u8])> {
        let begins = std::iter::once(0).chain(self.pieces.iter().map(|(_, end)| *end));
        self.pieces.iter().zip(begins).map(|((id, end), begin)| (*id, &self.bytes[begin..*end]))
    }
}

/// Makes the engine of its pieces.
///
/// # Errors
/// They cannot be read, or do not go together.
pub fn restore(config: &Config, head: &[u8], directory: &mut StateDir) -> Result<Engine, Error> {
    let name = directory.name().to_owned();
    let mut restore = Restore::new(config.engine.clone(), head).map_err(|what| damaged(&name, what))?;
    let (to, batches) = bounded(4);
    // They come back empty: memory that is new costs as much as what is copied into it.
    let (back, spare) = bounded(4);
    thread::scope(|scope| {
        let reading = scope.spawn(move || read(directory, &to, &spare));
        let made = make(&mut restore, batches, &back);
        // If it has broken down, this is not all there is.
        let read = reading.join().map_err(|_| Error::Defect)?;
        made.map_err(|what| damaged(&name, what))?;
        read
    })?;
    restore.finish().map_err(|what| damaged(&name, what))
}

fn read(directory: &mut StateDir, to: &Sender<Batch>, spare: &Receiver<Batch>) -> Result<(), Error> {
    let mut batch = Batch::default();
    directory.visit(|id, bytes| {
        batch.push(id, bytes);
        if batch.bytes.len() < ENOUGH {
            return Ok(());
        }
        // Whoever takes them no more says why.
        let empty = spare.try_recv().unwrap_or_default();
        to.send(std::mem::replace(&mut batch, empty)).map_err(|_| "a piece is damaged".to_owned())
    })?;
    let _ = to.send(batch);
    Ok(())
}

fn make(restore: &mut Restore, batches: Receiver<Batch>, back: &Sender<Batch>) -> Result<(), Damaged> {
    for mut batch in &batches {
        batch.iter().try_for_each(|(id, bytes)| restore.piece(id.group, id.row, bytes))?;
        batch.clear();
        // There may be enough of them.
        let _ = back.try_send(batch);
    }
    Ok(())
}
