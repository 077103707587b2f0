//! The engine: one event at a time, in order (T2). It does no I/O and looks at no clock: the same
//! inputs give the same panes.

mod behind;
pub mod bound;
mod cell;
mod config;
mod cursor;
pub mod dedup;
pub mod fill;
pub mod fired;
mod general;
pub mod guard;
mod held;
mod input;
pub mod keys;
mod lane;
pub mod orders;
pub mod pane;
mod plain;
pub mod report;
pub mod runaway;
pub mod running;
mod session;
pub mod shard;
mod slices;
pub mod snapshot;
mod sorting;
pub mod sources;
mod table;
mod timeline;
mod tree;
pub mod trigger;
pub mod unbounded;

use crate::aggregate::Accumulator;
use crate::aggregate::plan::AggregatePlan;
use crate::event::{Aside, BadRecord, EventBatch, PlacedAside, Reason, SourceId, key};
use crate::metrics::Counters;
use crate::time::{Span, Timestamp};
use crate::window::Window;
use crate::window::spec::WindowSpec;
pub use config::{EngineConfig, Limits};
pub use cursor::Cursor;
use dedup::Id;
use general::General;
pub use input::{Input, Now, Stop};
use keys::{Guess, Keys};
use pane::{Emit, LateDrop, RecordRef, Timing};
use runaway::Runaway;
use running::Running;
use session::SessionStore;
use slices::SliceStore;
use snapshot::{Groups, Kept};
pub use sources::SourceStanding;
use std::ops::ControlFlow;
use trigger::{Trigger, Verdict};

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placement {
    Added,
    LateDrop,
    /// It fell between windows (T6).
    Unwindowed,
}

/// Events whose keys are looked up together.
const AHEAD: usize = 16;

/// One event of a batch.
#[derive(Clone, Copy)]
struct Event<'a> {
    batch: &'a EventBatch,
    index: usize,
    time: Timestamp,
    arrival: u64,
    /// Where its key was found when it was looked up ahead.
    guess: Guess,
    /// Another key that it is folded into, and its hash (`--on-key-limit other`).
    other: Option<(&'a [u8], u64)>,
}

impl<'a> Event<'a> {
    #[inline]
    fn key(&self) -> (&'a [u8], u64) {
        match self.other {
            None => self.batch.keys.get(self.index),
            Some(other) => other,
        }
    }

    /// Its id for `--dedup`, unless that is null.
    #[inline]
    fn id(&self) -> Option<Id<'a>> {
        let (bytes, hash) = self.batch.ids.get(self.index);
        (!key::is_null(bytes)).then_some(Id { bytes, hash, time: self.time })
    }

    #[inline]
    fn add_to(&self, row: &mut [Accumulator], plan: &AggregatePlan) {
        plan.add(row, self.batch, self.index, self.arrival);
    }
}

/// What the windows need of the engine while they take an event or fire.
struct Context<'a> {
    trigger: Trigger,
    /// `W` as it holds now: before the event while one is added, after it while windows fire.
    watermark: Timestamp,
    plan: &'a AggregatePlan,
    keys: &'a mut Keys,
    counters: &'a mut Counters,
    emit: &'a mut dyn Emit,
    /// Which of the windows asked for.
    spec: usize,
}

/// The windows of one kind and their state.
trait WindowStore: Kept {
    /// Judges an event against the watermark before it, adds it, prints late updates. `None`, and
    /// nothing done, if a bound of its window is beyond the range of time (T1).
    fn add(&mut self, event: &Event<'_>, cx: &mut Context<'_>) -> Option<Placement>;

    /// Looks at rows of slices that events may soon be added to, so that they are near then.
    #[inline]
    fn look_at(&self, _rows: &[Option<(i64, u32)>; AHEAD], _plan: &AggregatePlan) {}

    /// Whether the bounds of the windows of `time` are within the range of time (T1).
    fn fits(&self, time: Timestamp) -> bool;

    /// Where the last window of `time` ends; `None` if it has none.
    fn last_end(&self, time: Timestamp) -> Option<Timestamp>;

    /// Prints what passing moments bring, before what the watermark fires (T8).
    fn announce(&mut self, _cx: &mut Context<'_>) {}

    /// Prints rows of windows that go on, after those of windows that the watermark fires: they end later (T9).
    fn foretell(&mut self, _cx: &mut Context<'_>) {}

    /// Prints what only the end of input brings, after all else (T8).
    fn finish(&mut self, _cx: &mut Context<'_>) {}

    /// Finds out what is due, now that the watermark has advanced.
    fn prepare(&mut self, cx: &mut Context<'_>);

    /// The next window that is due, by end and then by start.
    fn next_due(&self, cx: &Context<'_>) -> Option<Window>;

    /// Prints the next window that is due, for all its keys in order.
    fn fire_next(&mut self, cx: &mut Context<'_>);

    /// Drops what is gone, when all that was due is printed.
    fn settle(&mut self, cx: &mut Context<'_>);

    /// Fires and drops what the watermark allows.
    fn advance(&mut self, cx: &mut Context<'_>) {
        self.prepare(cx);
        while self.next_due(cx).is_some() {
            self.fire_next(cx);
        }
        self.settle(cx);
    }

    /// The watermark from which on [`WindowStore::advance`] has something to do.
    fn next_advance(&self) -> Timestamp;

    /// Windows, per key, that hold events and have not been printed.
    fn open_windows(&self) -> u64;

    /// The largest end of them, where windows have ends.
    fn last_open_end(&self) -> Option<Timestamp>;
}

/// The windows, the watermark and all that is counted.
#[derive(Debug)]
pub struct Engine {
    windows: Machine,
    progress: Progress,
    /// Of the pieces that it is saved in.
    groups: Groups,
}

/// How events are taken.
#[derive(Debug)]
enum Machine {
    /// One kind of window and nothing else asked for: the hot path, compiled for each kind.
    Slices(SliceStore),
    Sessions(SessionStore),
    /// Anything else.
    General(Box<General>),
}

/// All of the engine but the windows.
#[derive(Debug)]
struct Progress {
    trigger: Trigger,
    delay: Span,
    plan: AggregatePlan,
    limits: Limits,
    keys: Keys,
    counters: Counters,
    watermark: Timestamp,
    /// Where the watermark of the plain machine stands at least since everything open was flushed (T5).
    floor: Timestamp,
    max_event_time: Timestamp,
    runaway: Runaway,
    /// The input being read, and its lines before the batch.
    source: u32,
    lines: u64,
}

impl Engine {
    /// An engine that has seen nothing.
    pub fn new(config: EngineConfig) -> Engine {
        let is_plain = config.is_plain();
        let groups = Groups::new(config.windows.len());
        let windows = match config.windows.as_slice() {
            [WindowSpec::Sliced(assigner)] if is_plain => Machine::Slices(SliceStore::new(assigner.clone())),
            [WindowSpec::Sessions(assigner)] if is_plain => {
                Machine::Sessions(SessionStore::new(*assigner, Running::default()))
            }
            _ => Machine::General(Box::new(General::new(&config))),
        };
        let progress = Progress {
            trigger: Trigger { lateness: config.lateness, rule: config.late_rule, emission: config.emission },
            delay: config.delay,
            plan: config.plan,
            limits: config.limits,
            keys: Keys::default(),
            counters: Counters::default(),
            watermark: Timestamp::MIN,
            floor: Timestamp::MIN,
            max_event_time: Timestamp::MIN,
            runaway: Runaway::default(),
            source: 0,
            lines: 0,
        };
        Engine { windows, progress, groups }
    }

    /// Takes one input. Breaks when a limit stops the run; the engine is to be left alone then.
    pub fn step(&mut self, input: Input<'_>, emit: &mut dyn Emit) -> ControlFlow<Stop> {
        let Engine { windows, progress, .. } = self;
        let general = match windows {
            Machine::Slices(store) => return progress.plain(store, input, emit),
            Machine::Sessions(store) => return progress.plain(store, input, emit),
            Machine::General(general) => general,
        };
        match input {
            Input::Batch(batch, now) => return general.take(progress, batch, &mut Cursor::whole(), now, emit),
            Input::Part(batch, cursor, now) => return general.take(progress, batch, cursor, now, emit),
            Input::End => return general.end(progress, emit),
            Input::Flush => general.flush(progress, emit),
            Input::Wake(input) => general.wake(input.0),
            Input::Idle(input) => general.fall_idle(progress, input.0, emit),
            Input::IdleSince(heard) => general.fall_idle_since(progress, heard, emit),
            Input::EndOf(input) => general.end_input(progress, input.0, emit),
            Input::Rest(input) => general.rest_input(input.0),
        }
        ControlFlow::Continue(())
    }

    /// Says which inputs with watermarks of their own this run has, in the order of the command line. Returns those of earlier
    /// runs that it has not, and that the watermark waits for still: they end here.
    pub fn name_inputs(&mut self, named: &[u32]) -> Vec<SourceId> {
        match &mut self.windows {
            Machine::General(general) => general.name_inputs(named).into_iter().map(SourceId).collect(),
            Machine::Slices(_) | Machine::Sessions(_) => Vec::new(),
        }
    }

    /// The input whose record is to be taken next (`--merge`); none if all have ended or are idle.
    pub fn next_input(&self) -> Option<SourceId> {
        match &self.windows {
            Machine::General(general) => general.sources().next().map(SourceId),
            Machine::Slices(_) | Machine::Sessions(_) => None,
        }
    }

    /// When the partition that has been silent for longest had its last event, of those that are not idle.
    pub fn heard_first(&self) -> Option<Span> {
        match &self.windows {
            Machine::General(general) => general.sources().heard_first(),
            Machine::Slices(_) | Machine::Sessions(_) => None,
        }
    }

    /// How the inputs stand that have watermarks of their own, in order; none if there is one watermark for all, or
    /// one for each partition.
    pub fn standings(&self) -> Vec<SourceStanding> {
        match &self.windows {
            Machine::General(general) => general.sources().of_inputs(),
            Machine::Slices(_) | Machine::Sessions(_) => Vec::new(),
        }
    }

    /// What has been counted so far.
    pub fn counters(&self) -> Counters {
        let mut counters = self.tally();
        counters.open_windows = self.open_windows();
        counters
    }

    /// The same without the open windows, which take longer the more of them there are.
    pub fn tally(&self) -> Counters {
        let Progress { max_event_time, delay, .. } = self.progress;
        let mut counters = self.progress.counters.clone();
        counters.state = self.progress.keys.size;
        counters.runaway = self.progress.runaway.largest();
        if max_event_time > Timestamp::MIN {
            counters.max_event_time = Some(max_event_time);
            counters.watermark = Some(max_event_time.saturating_sub(delay));
        }
        if let Machine::General(general) = &self.windows {
            counters.windows = general.counters();
            counters.watermark = general.watermark();
        }
        counters.add_windows();
        counters
    }

    /// Windows, per key, that hold events and have not been printed, counted now.
    pub fn open_windows(&self) -> u64 {
        match &self.windows {
            Machine::Slices(store) => store.open_windows(),
            Machine::Sessions(store) => store.open_windows(),
            Machine::General(general) => general.open_windows(),
        }
    }

    /// Records taken so far.
    pub fn records(&self) -> u64 {
        self.progress.counters.records
    }
}

impl Progress {
    /// Takes what stands between events; says how many of those that follow belong to it.
    fn aside(&mut self, batch: &EventBatch, placed: &PlacedAside, emit: &mut dyn Emit) -> ControlFlow<Stop, usize> {
        match &placed.aside {
            Aside::Blank(count) => {
                self.counters.blank += u64::from(*count);
                self.counters.records += u64::from(*count);
            }
            Aside::Filtered(count) => {
                self.counters.filtered += u64::from(*count);
                self.counters.records += u64::from(*count);
            }
            Aside::Header => {
                self.counters.headers += 1;
                self.counters.records += 1;
            }
            Aside::Bad(bad) => self.bad_record(batch, bad, placed.end, emit)?,
            Aside::AmbiguousTime => self.counters.ambiguous_time += 1,
            Aside::Unplaceable(bad) => {
                self.bad_record(batch, bad, placed.end, emit)?;
                return ControlFlow::Continue(1);
            }
            // What it moves is not here.
            Aside::Punctuation(_) => {
                self.counters.punctuation += 1;
                self.counters.records += 1;
            }
        }
        ControlFlow::Continue(0)
    }

    fn context<'a>(&'a mut self, emit: &'a mut dyn Emit) -> Context<'a> {
        Context {
            trigger: self.trigger,
            watermark: self.watermark.max(self.floor),
            plan: &self.plan,
            keys: &mut self.keys,
            counters: &mut self.counters,
            emit,
            spec: 0,
        }
    }

    fn record<'a>(&self, batch: &'a EventBatch, span: crate::event::RecordSpan) -> RecordRef<'a> {
        RecordRef { batch, span, line: self.lines + u64::from(span.line) + 1 }
    }

    /// Reports a late drop of one of the windows asked for, whose watermark does not stand below `floor`.
    fn late_drop(
        &mut self,
        event: &Event<'_>,
        (spec, floor): (usize, Timestamp),
        store: &dyn WindowStore,
        emit: &mut dyn Emit,
    ) {
        let record = self.record(event.batch, event.batch.records[event.index]);
        let watermark = self.watermark.max(floor);
        emit.late_drop(&LateDrop { spec, record, time: event.time, key: event.key().0, watermark });
        let trigger = self.trigger;
        self.runaway.note_drop(|from| {
            let (watermark, end) = (from.max(floor), store.last_end(event.time).unwrap_or(Timestamp::MIN));
            !trigger.refuses(event.time, watermark) && trigger.horizons(watermark).verdict(end) != Verdict::Gone
        });
    }

    /// Stops if these are more late drops than `--max-late` allows.
    fn check_late_drops(&mut self, event: &Event<'_>, late_drops: u64) -> ControlFlow<Stop> {
        if self.limits.max_late.is_some_and(|most| late_drops > most) {
            let span = event.batch.records[event.index];
            self.counters.bytes += u64::from(span.text.start + span.text.len);
            return ControlFlow::Break(Stop::MaxLate);
        }
        ControlFlow::Continue(())
    }

    /// Stops at an event whose key is one too many.
    fn stop_at_key_limit(&mut self, event: &Event<'_>) -> ControlFlow<Stop> {
        let span = event.batch.records[event.index];
        self.counters.bytes += u64::from(span.text.start + span.text.len);
        let line = self.record(event.batch, span).line;
        ControlFlow::Break(Stop::KeyLimit { source: self.source, line })
    }

    /// `W = max(W, event time - D)` (T2).
    #[inline]
    fn advance_watermark(&mut self, event: &Event<'_>) {
        if event.time > self.max_event_time {
            self.max_event_time = event.time;
            let watermark = self.watermark.max(event.time.saturating_sub(self.delay));
            let (source, lines) = (self.source, self.lines);
            let line = || lines + u64::from(event.batch.records[event.index].line) + 1;
            self.runaway.note(self.watermark, watermark, || (source, line()));
            self.watermark = watermark;
        }
    }

    /// An event whose window does not fit is a bad record after all (T1).
    fn out_of_range(&mut self, event: &Event<'_>, emit: &mut dyn Emit) -> ControlFlow<Stop> {
        let detail = "a window of this event reaches beyond the years 1677 to 2262".to_owned();
        self.no_event(event, Reason::Time, detail, emit)
    }

    /// An event that is a bad record after all.
    fn no_event(
        &mut self,
        event: &Event<'_>,
        reason: Reason,
        detail: String,
        emit: &mut dyn Emit,
    ) -> ControlFlow<Stop> {
        let span = event.batch.records[event.index];
        let end = u64::from(span.text.start + span.text.len);
        self.bad_record(event.batch, &BadRecord { span, reason, detail }, end, emit)
    }

    fn bad_record(&mut self, batch: &EventBatch, bad: &BadRecord, end: u64, emit: &mut dyn Emit) -> ControlFlow<Stop> {
        self.counters.bad += 1;
        self.counters.records += 1;
        emit.bad_record(self.record(batch, bad.span), bad);
        let stop = match self.limits {
            Limits { strict: true, .. } => Stop::Strict,
            Limits { max_bad: Some(most), .. } if self.counters.bad > most => Stop::MaxBad,
            _ => return ControlFlow::Continue(()),
        };
        self.counters.bytes += end;
        ControlFlow::Break(stop)
    }
}

impl Counters {
    #[inline]
    fn count_pane(&mut self, timing: Timing) {
        self.count_panes(timing, 1);
    }

    #[inline]
    fn count_panes(&mut self, timing: Timing, count: u64) {
        self.panes += count;
        match timing {
            Timing::OnTime => self.on_time += count,
            Timing::Late => self.late += count,
            Timing::Early => self.early += count,
            Timing::Retract => self.retract += count,
        }
    }
}
