//! Random histories of a state: what is put and removed from checkpoint to checkpoint, and what must then be there.

use std::collections::BTreeMap;

use streamw::state::{Changes, PieceId};

use crate::history::Rng;

/// The pieces as they must be.
pub type Pieces = BTreeMap<PieceId, Vec<u8>>;

/// The checkpoints of a seed, one after the other and without end. The same seed gives the same ones.
pub struct Script {
    rng: Rng,
    pub pieces: Pieces,
    /// The epoch of the next checkpoint.
    pub epoch: u64,
    size: Size,
}

/// How much there is.
#[derive(Clone, Copy)]
pub struct Size {
    pub groups: u64,
    pub rows: u64,
    /// Puts and removals between two checkpoints, at most.
    pub changes: u64,
    /// Bytes of an ordinary piece, at most.
    pub bytes: u64,
}

/// So much that sled uses its segments again and again.
pub const LARGE: Size = Size { groups: 4, rows: 4_000, changes: 6_000, bytes: 300 };

pub const SMALL: Size = Size { groups: 4, rows: 30, changes: 40, bytes: 300 };

/// What one checkpoint consists of.
pub struct Step {
    pub changes: Vec<Changes>,
    pub payload: Vec<u8>,
}

impl Script {
    pub fn new(seed: u64, size: Size) -> Script {
        Script { rng: Rng(seed), pieces: Pieces::new(), epoch: 0, size }
    }

    /// The script after the checkpoint `epoch`, or at its beginning.
    pub fn after(seed: u64, size: Size, epoch: Option<u64>) -> Script {
        let mut script = Script::new(seed, size);
        while script.epoch < epoch.map_or(0, |epoch| epoch + 1) {
            script.step();
        }
        script
    }

    /// The next checkpoint.
    pub fn step(&mut self) -> Step {
        let mut parts = vec![Changes::new()];
        for _ in 0..self.rng.next() % (self.size.changes + 1) {
            if self.rng.chance(3) {
                parts.push(Changes::new());
            }
            let last = parts.len() - 1;
            self.change(&mut parts[last]);
        }
        let payload = payload(self.epoch);
        self.epoch += 1;
        Step { changes: parts, payload }
    }

    fn change(&mut self, changes: &mut Changes) {
        // Some groups have large numbers.
        let group = (self.rng.next() % self.size.groups).pow(9);
        let id = PieceId { group, row: self.rng.next() % self.size.rows };
        match self.rng.next() % 100 {
            0..70 => {
                let bytes = self.bytes();
                changes.put(id, &bytes);
                self.pieces.insert(id, bytes);
            }
            70..96 => {
                changes.remove(id);
                self.pieces.remove(&id);
            }
            _ => {
                changes.remove_group(group);
                self.pieces.retain(|id, _| id.group != group);
            }
        }
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = match self.rng.next() % 100 {
            0..5 => 0,
            5..95 => self.rng.next() % (self.size.bytes + 1),
            95..99 => 3_900 + self.rng.next() % 400,
            _ => self.rng.next() % 30_000,
        };
        (0..length).map(|_| self.rng.next() as u8).collect()
    }
}

/// What is saved beside the pieces: now and then more than a chunk holds.
pub fn payload(epoch: u64) -> Vec<u8> {
    let length = if epoch % 7 == 3 { 9_000 } else { 60 };
    epoch.to_le_bytes().into_iter().cycle().take(length).collect()
}
