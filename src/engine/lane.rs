//! Several windows in one pass: each `-w` has its own state and is judged by itself (T4); what they print
//! is joined in one order (T9).

use super::bound::{Beyond, Bound};
use super::held::Held;
use super::keys::{Guess, Keys};
use super::pane::Emit;
use super::running::{Running, RunningStore, Updates};
use super::session::SessionStore;
use super::slices::SliceStore;
use super::trigger::{Trigger, Verdict};
use super::unbounded::{Rule, UnboundedStore};
use super::{Context, EngineConfig, Event, Placement, Progress, WindowStore};
use crate::aggregate::plan::AggregatePlan;
use crate::metrics::Counters;
use crate::time::Timestamp;
use crate::window::Window;
use crate::window::spec::WindowSpec;

/// The state of one `-w`.
#[derive(Debug)]
pub struct Lane {
    pub(super) windows: Windows,
    pub(super) keys: Keys,
    /// Where the watermark stands at least since everything open was flushed (T5).
    pub(super) floor: Timestamp,
    /// Of these only what is counted per window is used.
    pub counters: Counters,
}

/// The windows of one kind.
#[derive(Debug)]
pub enum Windows {
    /// Tumbling, sliding, cumulative.
    Slices(SliceStore),
    /// Sessions.
    Sessions(SessionStore),
    /// Tumbling, sliding, cumulative, printed before they end.
    Running(RunningStore),
    /// By count, or global.
    Unbounded(UnboundedStore),
}

impl Windows {
    /// No windows yet.
    pub fn new(spec: &WindowSpec, running: &Running) -> Windows {
        match spec {
            WindowSpec::Sliced(assigner) if running.is_on() => {
                Windows::Running(RunningStore::new(assigner.clone(), running.clone()))
            }
            WindowSpec::Sliced(assigner) => Windows::Slices(SliceStore::new(assigner.clone())),
            WindowSpec::Sessions(assigner) => Windows::Sessions(SessionStore::new(*assigner, running.clone())),
            WindowSpec::Count(size) => {
                Windows::Unbounded(UnboundedStore::new(Rule::Full(*size), Updates::Accumulating))
            }
            WindowSpec::Global(every) => {
                Windows::Unbounded(UnboundedStore::new(Rule::Trigger(every.clone()), running.updates))
            }
        }
    }

    /// Whatever they are.
    pub fn store(&self) -> &dyn WindowStore {
        match self {
            Windows::Slices(store) => store,
            Windows::Sessions(store) => store,
            Windows::Running(store) => store,
            Windows::Unbounded(store) => store,
        }
    }

    /// Whatever they are, to be changed.
    pub(super) fn store_mut(&mut self) -> &mut dyn WindowStore {
        match self {
            Windows::Slices(store) => store,
            Windows::Sessions(store) => store,
            Windows::Running(store) => store,
            Windows::Unbounded(store) => store,
        }
    }
}

impl Lane {
    fn new(spec: &WindowSpec, running: &Running) -> Lane {
        Lane {
            windows: Windows::new(spec, running),
            keys: Keys::default(),
            floor: Timestamp::MIN,
            counters: Counters::default(),
        }
    }

    /// What becomes of an event for its key, unless it has its place here.
    fn judge(&self, bound: &Bound, event: &Event<'_>, shared: Shared<'_>) -> Option<Beyond> {
        bound.judge(&self.keys, event.key(), || match &self.windows {
            Windows::Unbounded(_) => true,
            windows => windows.store().last_end(event.time).is_some_and(|end| {
                let (trigger, watermark) = (shared.trigger, shared.watermark.max(self.floor));
                !trigger.refuses(event.time, watermark) && trigger.horizons(watermark).verdict(end) != Verdict::Gone
            }),
        })
    }

    pub(super) fn with<T>(
        &mut self,
        shared: Shared<'_>,
        spec: usize,
        emit: &mut dyn Emit,
        work: impl FnOnce(&mut dyn WindowStore, &mut Context<'_>) -> T,
    ) -> T {
        let Shared { trigger, watermark, plan } = shared;
        let Lane { windows, keys, floor, counters } = self;
        let watermark = watermark.max(*floor);
        work(windows.store_mut(), &mut Context { trigger, watermark, plan, keys, counters, emit, spec })
    }
}

/// The windows of all `-w`, in their order.
#[derive(Debug)]
pub struct Lanes {
    pub(super) lanes: Vec<Lane>,
    /// Panes that wait to be put in order.
    held: Held,
    bound: Option<Bound>,
}

/// What became of an event in all lanes.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    /// Whether any window has taken it.
    pub by_any: bool,
    /// The largest number of late drops of any lane so far.
    pub most_late_drops: u64,
    /// Whether it is the end of the run that its key is one too many.
    pub is_beyond_limit: bool,
}

/// What all lanes share.
#[derive(Clone, Copy)]
pub struct Shared<'a> {
    /// The rules of lateness.
    pub trigger: Trigger,
    /// `W`.
    pub watermark: Timestamp,
    /// The aggregates.
    pub plan: &'a AggregatePlan,
}

impl<'a> Shared<'a> {
    /// As they stand now.
    pub fn of(progress: &'a Progress) -> Shared<'a> {
        Shared { trigger: progress.trigger, watermark: progress.watermark, plan: &progress.plan }
    }
}

impl Lanes {
    /// A lane for each window.
    pub fn new(config: &EngineConfig) -> Lanes {
        let lanes = config.windows.iter().map(|spec| Lane::new(spec, &config.running)).collect();
        Lanes { lanes, held: Held::default(), bound: config.key_limit.map(Bound::new) }
    }

    /// Whether all windows of `time` lie within the range of time (T1).
    pub fn fit(&self, time: Timestamp) -> bool {
        self.lanes.iter().all(|lane| lane.windows.store().fits(time))
    }

    /// Adds an event to the windows of each lane, reports those it is too late for, and prints late updates, in
    /// order of their windows and then of the lanes.
    pub fn add(&mut self, event: &Event<'_>, progress: &mut Progress, emit: &mut dyn Emit) -> Taken {
        let is_single = self.lanes.len() == 1;
        let mut taken = Taken { by_any: false, most_late_drops: 0, is_beyond_limit: false };
        for (spec, lane) in self.lanes.iter_mut().enumerate() {
            let panes: &mut dyn Emit = if is_single { &mut *emit } else { &mut self.held };
            let shared = Shared::of(progress);
            let beyond = self.bound.as_ref().and_then(|bound| lane.judge(bound, event, shared));
            let placement = match beyond {
                None => lane.with(shared, spec, panes, |store, cx| store.add(event, cx)),
                Some(Beyond::Other) => {
                    lane.counters.folded += 1;
                    let event =
                        Event { other: self.bound.as_ref().map(Bound::other), guess: Guess::default(), ..*event };
                    lane.with(shared, spec, panes, |store, cx| store.add(&event, cx))
                }
                Some(end) => {
                    lane.counters.key_drops += 1;
                    taken.is_beyond_limit |= end == Beyond::Fail;
                    continue;
                }
            };
            match placement {
                Some(Placement::Added) => {
                    lane.counters.added += 1;
                    taken.by_any = true;
                }
                Some(Placement::LateDrop) => {
                    lane.counters.late_drops += 1;
                    progress.late_drop(event, (spec, lane.floor), lane.windows.store(), emit);
                }
                // That its windows fit was asked before.
                Some(Placement::Unwindowed) | None => lane.counters.unwindowed += 1,
            }
            taken.most_late_drops = taken.most_late_drops.max(lane.counters.late_drops);
        }
        self.held.release_by_window(emit);
        taken
    }

    /// Where the last window of any lane ends that holds `time` or an earlier time; the end of time if one reaches
    /// beyond the range of time.
    pub fn last_end(&self, time: Timestamp) -> Timestamp {
        let ends = self.lanes.iter().map(|lane| match lane.windows.store() {
            store if !store.fits(time) => Timestamp::MAX,
            // Between windows none is longer than that.
            store => store.last_end(time).unwrap_or(time),
        });
        ends.max().unwrap_or(time)
    }

    /// Fires and drops what the watermark allows, in the order of T9.
    pub fn advance(&mut self, shared: Shared<'_>, emit: &mut dyn Emit) {
        self.each(shared, |store, cx| store.announce(cx));
        self.held.release_by_key(emit);
        self.each(shared, |store, cx| store.prepare(cx));
        while let Some(next) = self.next_due(shared, emit) {
            let due = |lane: &mut Lane, spec, emit: &mut dyn Emit| {
                lane.with(shared, spec, emit, |store, cx| store.next_due(cx)) == Some(next)
            };
            let mut firing = Vec::new();
            for (spec, lane) in self.lanes.iter_mut().enumerate() {
                if due(lane, spec, emit) {
                    firing.push(spec);
                }
            }
            // Only windows of the same bounds mix, key by key.
            let alone = firing.len() == 1;
            for spec in firing {
                let emit: &mut dyn Emit = if alone { &mut *emit } else { &mut self.held };
                self.lanes[spec].with(shared, spec, emit, |store, cx| store.fire_next(cx));
            }
            self.held.release_by_key(emit);
        }
        self.each(shared, |store, cx| store.foretell(cx));
        self.held.release_by_end(emit);
        self.each(shared, |store, cx| store.settle(cx));
    }

    /// Prints what comes last, at the end of input or of what is open.
    pub fn finish(&mut self, shared: Shared<'_>, emit: &mut dyn Emit) {
        self.each(shared, |store, cx| store.finish(cx));
        self.held.release_by_key(emit);
    }

    /// Does the same in each lane; what is printed is held.
    fn each(&mut self, shared: Shared<'_>, work: impl Fn(&mut dyn WindowStore, &mut Context<'_>)) {
        for (spec, lane) in self.lanes.iter_mut().enumerate() {
            lane.with(shared, spec, &mut self.held, &work);
        }
    }

    /// Fires everything open. From then on each lane's watermark stands at least where the last of it fires (T5).
    pub fn flush(&mut self, shared: Shared<'_>, emit: &mut dyn Emit) {
        for lane in &mut self.lanes {
            if let Some(end) = lane.windows.store().last_open_end() {
                lane.floor = lane.floor.max(shared.trigger.fires_at(end));
            }
        }
        self.advance(shared, emit);
        self.finish(shared, emit);
    }

    fn next_due(&mut self, shared: Shared<'_>, emit: &mut dyn Emit) -> Option<Window> {
        let lanes = self.lanes.iter_mut().enumerate();
        lanes
            .filter_map(|(spec, lane)| lane.with(shared, spec, emit, |store, cx| store.next_due(cx)))
            .min_by_key(|window| (window.end, window.start))
    }

    /// The watermark from which on there is something to do.
    pub fn next_advance(&self) -> Timestamp {
        self.lanes.iter().map(|lane| lane.windows.store().next_advance()).min().unwrap_or(Timestamp::MAX)
    }

    /// Windows, per key, that hold events and have not been printed.
    pub fn open_windows(&self) -> u64 {
        let open = self.lanes.iter().map(|lane| lane.windows.store().open_windows());
        open.fold(0, u64::saturating_add)
    }

    /// What each lane has counted.
    pub fn counters(&self) -> impl Iterator<Item = Counters> {
        self.lanes.iter().map(|lane| Counters { state: lane.keys.size, ..lane.counters.clone() })
    }
}
