//! A part of a batch, as a batch: for who must not take all of it at once.

use super::{EventBatch, PlacedAside};
use std::mem::swap;
use std::ops::Range;

impl EventBatch {
    /// Makes `part` a batch of some events and of what stands before each of them; what stands after the last event of
    /// all, and what is counted of the block as a whole, comes with that one. Until it is taken back, the part has
    /// the block's bytes.
    pub fn lend(&mut self, events: Range<usize>, part: &mut EventBatch) {
        part.clear();
        swap(&mut self.bytes, &mut part.bytes);
        swap(&mut self.unescaped, &mut part.unescaped);
        (part.source, part.offset, part.taken) = (self.source, self.offset, self.taken);
        part.begins_at_line = self.begins_at_line.filter(|_| events.start == 0);
        let is_last = events.end == self.times.len();
        if is_last {
            (part.consumed, part.lines) = (self.consumed, self.lines);
        }
        part.times.extend_from_slice(&self.times[events.clone()]);
        part.records.extend_from_slice(&self.records[events.clone()]);
        part.keys.extend_from(&self.keys, events.clone());
        // Columns that nobody wants are empty.
        for (column, of_part) in self.numbers.iter().zip(&mut part.numbers).filter(|(column, _)| !column.is_empty()) {
            of_part.extend_from_slice(&column[events.clone()]);
        }
        for (column, of_part) in self.values.iter().zip(&mut part.values).filter(|(column, _)| !column.is_empty()) {
            of_part.extend_from_slice(&column[events.clone()]);
        }
        let from = self.asides.partition_point(|aside| (aside.before_event as usize) < events.start);
        let is_inside = |aside: &&PlacedAside| is_last || (aside.before_event as usize) < events.end;
        let asides = self.asides[from..].iter().take_while(is_inside).cloned();
        part.asides.extend(
            asides.map(|aside| PlacedAside { before_event: aside.before_event - events.start as u32, ..aside }),
        );
    }

    /// Takes back what was lent.
    pub fn take_back(&mut self, part: &mut EventBatch) {
        swap(&mut self.bytes, &mut part.bytes);
        swap(&mut self.unescaped, &mut part.unescaped);
    }
}
