//! Panes that are held back until those of other windows that come before them are known.

use super::fill::Filling;
use super::pane::{Emit, Events, LateDrop, Pane, RecordRef, Timing};
use crate::aggregate::Accumulator;
use crate::event::BadRecord;
use crate::window::Window;

/// Panes, copied.
#[derive(Debug, Default)]
pub struct Held {
    panes: Vec<HeldPane>,
}

#[derive(Debug)]
struct HeldPane {
    spec: usize,
    window: Window,
    events: Option<Events>,
    key: Vec<u8>,
    timing: Timing,
    revision: u32,
    row: Vec<Accumulator>,
    replaces: Vec<Window>,
    filled: Option<Filling>,
}

impl HeldPane {
    fn lend(&self) -> Pane<'_> {
        let HeldPane { spec, window, events, ref key, timing, revision, ref row, ref replaces, filled } = *self;
        Pane { spec, window, events, key, timing, revision, row, replaces, filled }
    }
}

impl Held {
    /// Passes on the panes of one window in order of key, then of the command line.
    pub fn release_by_key(&mut self, emit: &mut dyn Emit) {
        self.panes.sort_by(|a, b| a.key.cmp(&b.key).then(a.spec.cmp(&b.spec)));
        self.release(emit);
    }

    /// Passes on the panes of several windows in order of window, key and the command line.
    pub fn release_by_end(&mut self, emit: &mut dyn Emit) {
        let bounds = |pane: &HeldPane| (pane.window.end, pane.window.start);
        self.panes.sort_by(|a, b| bounds(a).cmp(&bounds(b)).then_with(|| (&a.key, a.spec).cmp(&(&b.key, b.spec))));
        self.release(emit);
    }

    /// Passes on what one event prints: updates in order of window, then of the command line; and after them
    /// what has no bounds (T8).
    pub fn release_by_window(&mut self, emit: &mut dyn Emit) {
        let bounds = |pane: &HeldPane| pane.events.is_none().then_some((pane.window.end, pane.window.start));
        self.panes.sort_by_key(|pane| (pane.events.is_some(), bounds(pane), pane.spec));
        self.release(emit);
    }

    fn release(&mut self, emit: &mut dyn Emit) {
        for pane in self.panes.drain(..) {
            emit.pane(&pane.lend());
        }
    }
}

impl Emit for Held {
    fn pane(&mut self, pane: &Pane<'_>) {
        let Pane { spec, window, events, key, timing, revision, row, replaces, filled } = *pane;
        self.panes.push(HeldPane {
            spec,
            window,
            events,
            key: key.to_vec(),
            timing,
            revision,
            row: row.to_vec(),
            replaces: replaces.to_vec(),
            filled,
        });
    }

    // Only windows print through this, and they report nothing else.
    fn late_drop(&mut self, _drop: &LateDrop<'_>) {}
    fn bad_record(&mut self, _record: RecordRef<'_>, _bad: &BadRecord) {}
}
