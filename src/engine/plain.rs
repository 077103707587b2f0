//! The hot path: one kind of window, one watermark, and nothing else asked for. Compiled for each kind.

use super::cursor::{Cursor, Next};
use super::input::{Input, Stop};
use super::keys::Guess;
use super::pane::Emit;
use super::{AHEAD, Event, Placement, Progress, WindowStore};
use crate::event::EventBatch;
use crate::time::Timestamp;
use std::hint::black_box;
use std::ops::{ControlFlow, Range};

impl Progress {
    /// With one source that is never idle there is nothing but batches and an end.
    pub(super) fn plain<S: WindowStore>(
        &mut self,
        store: &mut S,
        input: Input<'_>,
        emit: &mut dyn Emit,
    ) -> ControlFlow<Stop> {
        match input {
            Input::Batch(batch, _) => self.batch(store, batch, emit),
            Input::Part(batch, cursor, _) => self.part(store, batch, cursor, emit),
            Input::End => self.end(store, emit),
            Input::Flush => self.flush(store, emit),
            Input::Wake(_) | Input::Idle(_) | Input::IdleSince(_) | Input::EndOf(_) | Input::Rest(_) => {
                ControlFlow::Continue(())
            }
        }
    }

    /// Takes the records of a batch in order.
    fn batch<S: WindowStore>(&mut self, store: &mut S, batch: &EventBatch, emit: &mut dyn Emit) -> ControlFlow<Stop> {
        if let Some(lines) = batch.begins_at_line {
            (self.source, self.lines) = (batch.source.0, lines);
        }
        let mut done = 0;
        for aside in &batch.asides {
            self.events(store, batch, done..aside.before_event as usize, emit)?;
            done = aside.before_event as usize + self.aside(batch, aside, emit)?;
        }
        self.events(store, batch, done..batch.times.len(), emit)?;
        self.counters.bytes += batch.consumed;
        self.lines += u64::from(batch.lines);
        ControlFlow::Continue(())
    }

    /// Takes the records of a batch from a cursor on, as far as it may, where there is one source that is never idle.
    fn part<S: WindowStore>(
        &mut self,
        store: &mut S,
        batch: &EventBatch,
        cursor: &mut Cursor,
        emit: &mut dyn Emit,
    ) -> ControlFlow<Stop> {
        if let Some(lines) = batch.begins_at_line {
            (self.source, self.lines) = (batch.source.0, lines);
        }
        self.counters.bytes -= cursor.take_counted();
        let bytes = self.counters.bytes;
        let taken = self.part_from(store, batch, cursor, emit);
        if taken.is_break() {
            cursor.stopped(self.counters.bytes - bytes);
        }
        taken
    }

    /// The cursor is behind a record that stops the run, as behind any other.
    fn part_from<S: WindowStore>(
        &mut self,
        store: &mut S,
        batch: &EventBatch,
        cursor: &mut Cursor,
        emit: &mut dyn Emit,
    ) -> ControlFlow<Stop> {
        loop {
            match cursor.next(batch, true) {
                Next::Aside(placed) => {
                    self.aside(batch, placed, emit)?;
                }
                Next::Events(range) => {
                    let before = self.counters.records;
                    let taken = self.events(store, batch, range, emit);
                    // Each is a record, whatever becomes of it.
                    cursor.events += (self.counters.records - before) as usize;
                    taken?;
                }
                Next::Later => {
                    self.counters.bytes += cursor.paused(batch);
                    return ControlFlow::Continue(());
                }
                Next::Nothing => break,
            }
        }
        self.counters.bytes += batch.consumed;
        self.lines += u64::from(batch.lines);
        cursor.finish();
        ControlFlow::Continue(())
    }

    fn events<S: WindowStore>(
        &mut self,
        store: &mut S,
        batch: &EventBatch,
        range: Range<usize>,
        emit: &mut dyn Emit,
    ) -> ControlFlow<Stop> {
        let mut guesses = [Guess::default(); AHEAD];
        for index in range.clone() {
            let place = (index - range.start) % AHEAD;
            if place == 0 {
                self.look_ahead(store, batch, index..range.end.min(index + AHEAD), &mut guesses);
            }
            let time = batch.times[index];
            let event = Event { batch, index, time, arrival: self.counters.events, guess: guesses[place], other: None };
            if batch.is_filtered(index) {
                self.filtered(store, &event, emit)?;
                continue;
            }
            if !self.add(store, &event, emit)? {
                self.out_of_range(&event, emit)?;
                continue;
            }
            self.advance_watermark(&event);
            if self.watermark >= store.next_advance() {
                store.advance(&mut self.context(emit));
            }
        }
        ControlFlow::Continue(())
    }

    /// Adds an event or says that it is late. False, and nothing done, if a bound of its window is beyond the range of time.
    #[inline(always)]
    pub(super) fn add<S: WindowStore>(
        &mut self,
        store: &mut S,
        event: &Event<'_>,
        emit: &mut dyn Emit,
    ) -> ControlFlow<Stop, bool> {
        let Some(placement) = store.add(event, &mut self.context(emit)) else { return ControlFlow::Continue(false) };
        self.counters.records += 1;
        self.counters.events += 1;
        match placement {
            Placement::Added => self.counters.added += 1,
            Placement::LateDrop => {
                self.counters.late_drops += 1;
                self.late_drop(event, (0, self.floor), store, emit);
                self.check_late_drops(event, self.counters.late_drops)?;
            }
            Placement::Unwindowed => self.counters.unwindowed += 1,
        }
        ControlFlow::Continue(true)
    }

    /// A record that does not pass `--where`: it moves the watermark, as in Flink's SQL, and is in no window.
    fn filtered<S: WindowStore>(&mut self, store: &mut S, event: &Event<'_>, emit: &mut dyn Emit) -> ControlFlow<Stop> {
        if !store.fits(event.time) {
            return self.out_of_range(event, emit);
        }
        self.counters.records += 1;
        self.counters.filtered += 1;
        self.advance_watermark(event);
        if self.watermark >= store.next_advance() {
            store.advance(&mut self.context(emit));
        }
        ControlFlow::Continue(())
    }

    /// Looks up the keys of the next events, and looks at their rows. One after the other these lookups wait for memory;
    /// side by side the processor waits for all of them at once.
    #[inline]
    pub(super) fn look_ahead<S: WindowStore>(
        &self,
        store: &S,
        batch: &EventBatch,
        range: impl Iterator<Item = usize>,
        guesses: &mut [Guess; AHEAD],
    ) {
        let mut rows = [None; AHEAD];
        let mut unknown = 0;
        for ((guess, row), index) in guesses.iter_mut().zip(&mut rows).zip(range) {
            *guess = self.keys.guess(&batch.keys, index);
            *row = self.keys.last_row(guess);
            unknown += usize::from(guess.is_unknown());
        }
        store.look_at(&rows, &self.plan);
        black_box(self.keys.look_at_free(unknown));
    }

    fn flush<S: WindowStore>(&mut self, store: &mut S, emit: &mut dyn Emit) -> ControlFlow<Stop> {
        if let Some(end) = store.last_open_end() {
            self.floor = self.floor.max(self.trigger.fires_at(end));
            store.advance(&mut self.context(emit));
        }
        ControlFlow::Continue(())
    }

    pub(super) fn end<S: WindowStore>(&mut self, store: &mut S, emit: &mut dyn Emit) -> ControlFlow<Stop> {
        self.watermark = Timestamp::MAX;
        store.advance(&mut self.context(emit));
        ControlFlow::Continue(())
    }
}
