//! The engine with everything that can be asked for: several windows, guards, several sources, punctuation. The plain
//! case has a loop of its own ([`Progress::events`]), which this one must agree with.

use super::cursor::{Cursor, Next};
use super::dedup::Dedup;
use super::guard::{Guard, GuardConfig};
use super::keys::Guess;
use super::lane::{Lanes, Shared};
use super::pane::Emit;
use super::sources::{SourceRule, Sources};
use super::{EngineConfig, Event, Now, Progress, Stop};
use crate::event::{Aside, EventBatch, Punctuation, RecordSpan};
use crate::metrics::Counters;
use crate::time::{Span, Timestamp};
use std::ops::ControlFlow;

/// The windows and what stands before them.
#[derive(Debug)]
pub struct General {
    pub(super) lanes: Lanes,
    pub(super) guard: GuardConfig,
    /// By source of the guard: an input or a partition.
    pub(super) guards: Vec<Guard>,
    pub(super) rule: SourceRule,
    pub(super) sources: Sources,
    /// Whether only punctuation moves the watermark.
    pub(super) is_punctuated: bool,
    pub(super) flushes_when_idle: bool,
    /// Lines of each input before the batch at hand.
    pub(super) lines: Vec<u64>,
    /// The watermark while there is input.
    pub(super) watermark: Option<Timestamp>,
    pub(super) dedup: Option<Dedup>,
}

impl General {
    /// Nothing seen yet.
    pub fn new(config: &EngineConfig) -> General {
        General {
            lanes: Lanes::new(config),
            guard: config.guard,
            guards: Vec::new(),
            rule: config.sources,
            sources: Sources::new(config),
            is_punctuated: config.is_punctuated,
            flushes_when_idle: config.flushes_when_idle,
            lines: Vec::new(),
            watermark: None,
            dedup: config.dedup.map(Dedup::new),
        }
    }

    /// Takes the records of a batch from the cursor on, as long as it is the turn of their source and as it may.
    pub fn take(
        &mut self,
        progress: &mut Progress,
        batch: &EventBatch,
        cursor: &mut Cursor,
        now: Now,
        emit: &mut dyn Emit,
    ) -> ControlFlow<Stop> {
        let input = batch.source.0;
        self.lines.resize(self.lines.len().max(input as usize + 1), 0);
        if let Some(lines) = batch.begins_at_line {
            self.lines[input as usize] = lines;
        }
        (progress.source, progress.lines) = (input, self.lines[input as usize]);
        // Whoever stops the run adds all that was taken of this batch.
        progress.counters.bytes -= cursor.take_counted();
        let bytes = progress.counters.bytes;
        let taken = self.take_from(progress, batch, cursor, now, emit);
        if taken.is_break() {
            cursor.stopped(progress.counters.bytes - bytes);
        }
        taken
    }

    /// The cursor is behind a record that stops the run, as behind any other.
    fn take_from(
        &mut self,
        progress: &mut Progress,
        batch: &EventBatch,
        cursor: &mut Cursor,
        now: Now,
        emit: &mut dyn Emit,
    ) -> ControlFlow<Stop> {
        let input = batch.source.0;
        loop {
            match cursor.next(batch, cursor.is_whole || self.sources.is_next(input)) {
                Next::Aside(placed) => {
                    progress.aside(batch, placed, emit)?;
                    if let Aside::Punctuation(punctuation) = &placed.aside {
                        self.punctuation(progress, batch, punctuation, now, emit);
                    }
                }
                Next::Events(range) => {
                    cursor.events += 1;
                    self.record(progress, batch, range.start, now, emit)?;
                }
                Next::Later => {
                    progress.counters.bytes += cursor.paused(batch);
                    return ControlFlow::Continue(());
                }
                Next::Nothing => break,
            }
        }
        progress.counters.bytes += batch.consumed;
        self.lines[input as usize] += u64::from(batch.lines);
        cursor.finish();
        ControlFlow::Continue(())
    }

    fn record(
        &mut self,
        progress: &mut Progress,
        batch: &EventBatch,
        index: usize,
        now: Now,
        emit: &mut dyn Emit,
    ) -> ControlFlow<Stop> {
        let time = batch.times[index];
        let event =
            Event { batch, index, time, arrival: progress.counters.events, guess: Guess::default(), other: None };
        let source = self.sources.of(batch.source.0, || batch.partitions.get(index).0);
        self.sources.hear(source, now.elapsed);
        if self.is_duplicate(progress, &event) {
            progress.counters.records += 1;
            progress.counters.duplicates += 1;
            return ControlFlow::Continue(());
        }
        let guard = self.guard;
        if let Err((reason, detail)) = self.guard_of(batch, source).judge(time, now.wall, &guard) {
            return progress.no_event(&event, reason, detail, emit);
        }
        if !self.lanes.fit(time) {
            return progress.out_of_range(&event, emit);
        }
        let taken = match batch.is_filtered(index) {
            true => {
                progress.counters.records += 1;
                progress.counters.filtered += 1;
                ControlFlow::Continue(())
            }
            false => self.event(progress, &event, emit),
        };
        if let ControlFlow::Break(Stop::KeyLimit { .. }) = taken {
            return taken;
        }
        // A run that stops here stops behind all that the record brings about, so that another can go on.
        progress.max_event_time = progress.max_event_time.max(time);
        let watermark = if self.is_punctuated { Timestamp::MIN } else { time.saturating_sub(progress.delay) };
        self.sources.advance(source, watermark, now.elapsed);
        if self.rule == SourceRule::One && !self.is_punctuated {
            self.watermark = self.watermark.max(Some(watermark));
        }
        self.follow(progress, Some((batch, batch.records[index])), emit);
        taken
    }

    fn event(&mut self, progress: &mut Progress, event: &Event<'_>, emit: &mut dyn Emit) -> ControlFlow<Stop> {
        progress.counters.records += 1;
        progress.counters.events += 1;
        let taken = self.lanes.add(event, progress, emit);
        if taken.by_any {
            self.note_id(progress, event);
        }
        progress.check_late_drops(event, taken.most_late_drops)?;
        if taken.is_beyond_limit { progress.stop_at_key_limit(event) } else { ControlFlow::Continue(()) }
    }

    /// Whether an event is a duplicate (`--dedup`). What makes a bad record whatever came before it is none.
    #[inline]
    fn is_duplicate(&self, progress: &Progress, event: &Event<'_>) -> bool {
        let Some(dedup) = &self.dedup else { return false };
        event.id().is_some_and(|id| dedup.is_seen(&id, progress.watermark)) && self.lanes.fit(event.time)
    }

    /// Notes the id of an event that a window has taken; forgets those that do not matter any more.
    fn note_id(&mut self, progress: &mut Progress, event: &Event<'_>) {
        let Some(dedup) = &mut self.dedup else { return };
        let (lanes, trigger, watermark) = (&self.lanes, progress.trigger, progress.watermark);
        dedup.forget(watermark, &mut progress.keys.size);
        if let Some(id) = event.id() {
            dedup.note(&id, watermark, &mut progress.keys.size, |time| trigger.gone_at(lanes.last_end(time)));
        }
    }

    /// Jumps are judged against the newest event of the same source; of inputs read one after the other, each is one.
    fn guard_of(&mut self, batch: &EventBatch, source: u32) -> &mut Guard {
        let place = match self.rule {
            SourceRule::One | SourceRule::Inputs(_) => batch.source.0,
            SourceRule::Partitions => source,
        };
        self.guards.resize(self.guards.len().max(place as usize + 1), Guard::default());
        &mut self.guards[place as usize]
    }

    /// A record that moves the watermark of its source and is no event.
    fn punctuation(
        &mut self,
        progress: &mut Progress,
        batch: &EventBatch,
        punctuation: &Punctuation,
        now: Now,
        emit: &mut dyn Emit,
    ) {
        let source = self.sources.of(batch.source.0, || &punctuation.partition);
        self.sources.advance(source, punctuation.time, now.elapsed);
        self.follow(progress, Some((batch, punctuation.span)), emit);
    }

    /// Moves the watermark to where the sources are, and fires. `cause` is the record that moved it, if one did.
    fn follow(&mut self, progress: &mut Progress, cause: Option<(&EventBatch, RecordSpan)>, emit: &mut dyn Emit) {
        let Some(watermark) = self.sources.watermark() else { return };
        if watermark <= progress.watermark {
            return;
        }
        if let Some((_, span)) = cause {
            let line = (progress.source, progress.lines + u64::from(span.line) + 1);
            progress.runaway.note(progress.watermark, watermark, || line);
        }
        progress.watermark = watermark;
        self.watermark = Some(watermark);
        if watermark >= self.lanes.next_advance() {
            self.lanes.advance(Shared::of(progress), emit);
        }
    }

    /// An input has been silent for too long.
    pub fn fall_idle(&mut self, progress: &mut Progress, input: u32, emit: &mut dyn Emit) {
        self.sources.fall_idle(self.source_of_input(input));
        self.settle_idle(progress, emit);
    }

    /// All partitions that had no event since a moment have been silent for too long.
    pub fn fall_idle_since(&mut self, progress: &mut Progress, heard: Span, emit: &mut dyn Emit) {
        self.sources.fall_idle_since(heard);
        self.settle_idle(progress, emit);
    }

    fn settle_idle(&mut self, progress: &mut Progress, emit: &mut dyn Emit) {
        self.follow(progress, None, emit);
        if self.flushes_when_idle && self.sources.are_idle() {
            self.lanes.flush(Shared::of(progress), emit);
        }
    }

    /// Everything open fires (T5).
    pub fn flush(&mut self, progress: &mut Progress, emit: &mut dyn Emit) {
        self.lanes.flush(Shared::of(progress), emit);
    }

    /// An input speaks again.
    pub fn wake(&mut self, input: u32) {
        self.sources.wake(self.source_of_input(input));
    }

    /// An input has ended, and others may go on.
    pub fn end_input(&mut self, progress: &mut Progress, input: u32, emit: &mut dyn Emit) {
        self.sources.end(input);
        self.follow(progress, None, emit);
    }

    /// An input has come to its end in this run, and holds back what it held back before.
    pub fn rest_input(&mut self, input: u32) {
        self.sources.rest(self.source_of_input(input));
    }

    /// As [`Engine::name_inputs`](super::Engine::name_inputs).
    pub fn name_inputs(&mut self, named: &[u32]) -> Vec<u32> {
        if matches!(self.rule, SourceRule::Inputs(_)) { self.sources.name(named) } else { Vec::new() }
    }

    fn source_of_input(&self, input: u32) -> u32 {
        if self.rule == SourceRule::One { 0 } else { input }
    }

    /// The sources.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The end of input: the watermark becomes infinite (T5).
    pub fn end(&mut self, progress: &mut Progress, emit: &mut dyn Emit) -> ControlFlow<Stop> {
        progress.watermark = Timestamp::MAX;
        self.lanes.advance(Shared::of(progress), emit);
        self.lanes.finish(Shared::of(progress), emit);
        ControlFlow::Continue(())
    }

    /// Windows, per key, that hold events and have not been printed.
    pub fn open_windows(&self) -> u64 {
        self.lanes.open_windows()
    }

    /// What each window has counted for itself.
    pub fn counters(&self) -> Vec<Counters> {
        self.lanes.counters().collect()
    }

    /// The watermark while there was input; `None` before its first value.
    pub fn watermark(&self) -> Option<Timestamp> {
        self.watermark
    }
}
