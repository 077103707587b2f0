//! The engine with everything that can be asked for: several windows, guards. The plain case has a
//! loop of its own ([`Progress::events`]), which this one must agree with.

use super::dedup::Dedup;
use super::guard::{Guard, GuardConfig};
use super::keys::Guess;
use super::lane::{Lanes, Shared};
use super::pane::Emit;
use super::{EngineConfig, Event, Progress, Stop};
use crate::event::EventBatch;
use crate::metrics::Counters;
use crate::time::Timestamp;
use std::ops::{ControlFlow, Range};

/// The windows and what stands before them.
#[derive(Debug)]
pub struct General {
    lanes: Lanes,
    guard: GuardConfig,
    /// By source.
    guards: Vec<Guard>,
    dedup: Option<Dedup>,
}

impl General {
    /// Nothing seen yet.
    pub fn new(config: &EngineConfig) -> General {
        General {
            lanes: Lanes::new(config),
            guard: config.guard,
            guards: Vec::new(),
            dedup: config.dedup.map(Dedup::new),
        }
    }

    /// Takes a batch; the wall clock says `now`.
    pub fn batch(
        &mut self,
        progress: &mut Progress,
        batch: &EventBatch,
        now: Timestamp,
        emit: &mut dyn Emit,
    ) -> ControlFlow<Stop> {
        let sources = batch.source.0 as usize + 1;
        self.guards.resize(sources.max(self.guards.len()), Guard::default());
        progress.batch(batch, emit, |progress, range, emit| self.events(progress, batch, range, now, emit))
    }

    fn events(
        &mut self,
        progress: &mut Progress,
        batch: &EventBatch,
        range: Range<usize>,
        now: Timestamp,
        emit: &mut dyn Emit,
    ) -> ControlFlow<Stop> {
        for index in range {
            let time = batch.times[index];
            let event =
                Event { batch, index, time, arrival: progress.counters.events, guess: Guess::default(), other: None };
            if self.is_duplicate(progress, &event) {
                progress.counters.records += 1;
                progress.counters.duplicates += 1;
            } else if let Err((reason, detail)) = self.guards[batch.source.0 as usize].judge(time, now, &self.guard) {
                progress.no_event(&event, reason, detail, emit)?;
            } else if !self.lanes.fit(time) {
                progress.out_of_range(&event, emit)?;
            } else {
                self.event(progress, &event, emit)?;
            }
        }
        ControlFlow::Continue(())
    }

    fn event(&mut self, progress: &mut Progress, event: &Event<'_>, emit: &mut dyn Emit) -> ControlFlow<Stop> {
        progress.counters.records += 1;
        progress.counters.events += 1;
        let taken = self.lanes.add(event, progress, emit);
        progress.check_late_drops(event, taken.most_late_drops)?;
        if taken.is_beyond_limit {
            return progress.stop_at_key_limit(event);
        }
        if taken.by_any {
            self.note_id(progress, event);
        }
        progress.advance_watermark(event);
        if progress.watermark >= self.lanes.next_advance() {
            self.lanes.advance(Shared::of(progress), emit);
        }
        ControlFlow::Continue(())
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
}
