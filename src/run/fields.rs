//! Fields that no record had: in NDJSON only the whole input can tell that a name was misspelt (T10).

use crate::error::{Severity, list};
use crate::event::EventBatch;
use crate::output::side::Output;

/// Records after which a live input is told of a field that none of them had (T10).
const ENOUGH_RECORDS: u64 = 1_000;

/// The named fields, and which of them any record had.
pub struct Fields {
    names: Vec<String>,
    seen: Vec<bool>,
    /// Those of the first record, to guess from. None were learnt from CSV, whose header tells at once.
    known: Vec<String>,
    is_live: bool,
    is_told: bool,
}

impl Fields {
    /// Fields of these names, in the order of [`EventBatch::seen`]; a live input is told early.
    pub fn new(names: Vec<String>, is_live: bool) -> Fields {
        Fields { seen: vec![false; names.len()], names, known: Vec::new(), is_live, is_told: false }
    }

    /// Goes on with what an earlier run has seen and learnt.
    pub fn resume(&mut self, seen: &[bool], known: Vec<String>) {
        self.seen.iter_mut().zip(seen).for_each(|(now, before)| *now |= before);
        self.known = known;
    }

    /// Which of the fields any record had, and what the first record has.
    pub fn found(&self) -> (Vec<bool>, Vec<String>) {
        (self.seen.clone(), self.known.clone())
    }

    /// What the first record has; the first input to tell is believed.
    pub fn learn(&mut self, known: Vec<String>) {
        if self.known.is_empty() {
            self.known = known;
        }
    }

    /// Notes what the records of a batch have.
    pub fn note(&mut self, batch: &EventBatch) {
        for (seen, in_batch) in self.seen.iter_mut().zip(&batch.seen) {
            *seen |= in_batch;
        }
    }

    /// Says which fields no record had, if the input is live and enough records have come.
    pub fn tell_if_live(&mut self, records: u64, output: &mut Output) {
        if self.is_live && records >= ENOUGH_RECORDS {
            self.tell(output);
        }
    }

    /// Says which fields no record had, once.
    pub fn tell(&mut self, output: &mut Output) {
        if self.is_told || self.known.is_empty() {
            return;
        }
        self.is_told = true;
        let mut missing: Vec<&str> =
            self.names.iter().zip(&self.seen).filter(|(_, seen)| !**seen).map(|(name, _)| name.as_str()).collect();
        missing.sort_unstable();
        missing.dedup();
        for name in missing {
            let near = match crate::suggest::nearest(name, self.known.iter().map(String::as_str)) {
                Some(near) => format!("; near: {near}"),
                None => format!("; the first has: {}", list(&self.known)),
            };
            output.say(Severity::Warning, &format!("no record had the field \"{name}\"{near}"));
        }
    }
}
