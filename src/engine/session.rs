//! Sessions: windows that grow and merge as events come (T7).

use super::cell::Cell;
use super::keys::KeyId;
use super::pane::Timing;
use super::running::Running;
use super::snapshot::SessionChanges;
use super::table::IdMap;
use super::timeline::{Neighbours, Timeline};
use super::trigger::Verdict;
use super::{Context, Event, Placement, WindowStore};
use crate::aggregate::Accumulator;
use crate::aggregate::plan::AggregatePlan;
use crate::codec::Damaged;
use crate::time::Timestamp;
use crate::window::Window;
use crate::window::session::Sessions;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The sessions of all keys.
#[derive(Debug)]
pub struct SessionStore {
    assigner: Sessions,
    pub(super) running: Running,
    pub(super) next_moment: Timestamp,
    pub(super) sessions: Vec<Session>,
    free: Vec<u32>,
    /// The sessions of each key.
    pub(super) by_key: IdMap<Timeline>,
    /// When to look at a session next. A session that has grown is found here too early, never
    /// too late, and is put back: growing costs nothing.
    alarms: BinaryHeap<Reverse<Alarm>>,
    /// Counts alarms.
    serial: u64,
    /// Sessions that are due, the next one last.
    firing: Vec<u32>,
    pub(super) changes: SessionChanges,
}

/// A session of a key.
#[derive(Debug)]
pub struct Session {
    /// Its bounds so far.
    pub window: Window,
    /// Its key, held.
    pub key: KeyId,
    /// What it holds.
    pub cell: Cell,
    /// Whether it has printed on time or late under these bounds.
    pub has_fired: bool,
    /// Printed bounds that it has left behind and not yet listed.
    pub replaces: Vec<Window>,
    /// The alarm that counts; older ones of this place are void.
    pub(super) alarm: Option<Alarm>,
    /// The piece that it is saved in; 0 before the first save.
    pub piece: u64,
}

/// When to look at a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alarm {
    at: Timestamp,
    session: u32,
    /// Tells alarms of one place apart, as places are used again.
    serial: u64,
}

const SESSION_BYTES: usize = size_of::<Session>() + size_of::<u32>() + size_of::<Alarm>();

fn session_bytes(plan: &AggregatePlan) -> usize {
    SESSION_BYTES + plan.width() * size_of::<Accumulator>()
}

impl WindowStore for SessionStore {
    fn add(&mut self, event: &Event<'_>, cx: &mut Context<'_>) -> Option<Placement> {
        let own = self.assigner.window(event.time)?;
        if cx.trigger.refuses(event.time, cx.watermark) {
            return Some(Placement::LateDrop);
        }
        let (key, hash) = event.key();
        let id = cx.keys.intern(key, hash, event.guess);
        // Interned ids are forgotten with their last use: hold this one until a session does.
        cx.keys.hold(id);
        let placement = self.place(event, own, id, cx);
        cx.keys.release(id);
        Some(placement)
    }

    fn fits(&self, time: Timestamp) -> bool {
        self.assigner.window(time).is_some()
    }

    fn last_end(&self, time: Timestamp) -> Option<Timestamp> {
        Some(self.assigner.window(time)?.end)
    }

    fn prepare(&mut self, cx: &mut Context<'_>) {
        let horizons = cx.trigger.horizons(cx.watermark);
        while let Some(Reverse(alarm)) = self.alarms.peek().copied()
            && alarm.at <= cx.watermark
        {
            self.alarms.pop();
            let index = alarm.session;
            let session = &mut self.sessions[index as usize];
            if session.alarm != Some(alarm) {
                continue;
            }
            session.alarm = None;
            match (horizons.verdict(session.window.end), session.has_fired) {
                (Verdict::Open, _) => self.set_alarm(index, cx),
                (_, false) => self.firing.push(index),
                (Verdict::Late, _) => self.set_alarm(index, cx),
                (Verdict::Gone, _) => self.purge(index, cx),
            }
        }
        self.sort_firing(cx);
    }

    fn next_due(&self, _cx: &Context<'_>) -> Option<Window> {
        self.firing.last().map(|index| self.sessions[*index as usize].window)
    }

    fn fire_next(&mut self, cx: &mut Context<'_>) {
        let Some(window) = self.next_due(cx) else { return };
        let horizons = cx.trigger.horizons(cx.watermark);
        while let Some(index) = self.firing.pop_if(|index| self.sessions[*index as usize].window == window) {
            self.print(index, Timing::OnTime, cx);
            match horizons.verdict(window.end) {
                Verdict::Gone => self.purge(index, cx),
                Verdict::Open | Verdict::Late => self.set_alarm(index, cx),
            }
        }
    }

    fn settle(&mut self, _cx: &mut Context<'_>) {}

    fn foretell(&mut self, cx: &mut Context<'_>) {
        if self.running.passes(cx.watermark, &mut self.next_moment) {
            let open = |index: &u32| {
                let session = &self.sessions[*index as usize];
                !session.has_fired && session.cell.since > 0
            };
            let open: Vec<u32> = self.by_key.values().flat_map(Timeline::places).filter(open).collect();
            for index in open {
                self.print(index, Timing::Early, cx);
            }
        }
    }

    #[inline]
    fn next_advance(&self) -> Timestamp {
        self.alarms.peek().map_or(self.next_moment, |Reverse(alarm)| alarm.at.min(self.next_moment))
    }

    fn open_windows(&self) -> u64 {
        let live = self.by_key.values().flat_map(Timeline::places);
        live.filter(|index| !self.sessions[*index as usize].has_fired).count() as u64
    }

    fn last_open_end(&self) -> Option<Timestamp> {
        let live = self.by_key.values().flat_map(Timeline::places).map(|index| &self.sessions[index as usize]);
        live.filter(|session| !session.has_fired).map(|session| session.window.end).max()
    }
}

impl SessionStore {
    /// A store without sessions.
    pub fn new(assigner: Sessions, running: Running) -> SessionStore {
        SessionStore {
            assigner,
            next_moment: running.first_moment(),
            running,
            sessions: Vec::new(),
            free: Vec::new(),
            by_key: IdMap::default(),
            alarms: BinaryHeap::new(),
            serial: 0,
            firing: Vec::new(),
            changes: SessionChanges::default(),
        }
    }

    /// Merges first, then judges the merged session, then adds (T7).
    fn place(&mut self, event: &Event<'_>, own: Window, id: KeyId, cx: &mut Context<'_>) -> Placement {
        let window = |index: u32| self.sessions[index as usize].window;
        let touched = self.by_key.get(&id).map_or_else(Neighbours::new, |sessions| sessions.touched(own, window));
        let merged = touched.iter().fold(own, |all, index| all.cover(&window(*index)));
        let verdict = cx.trigger.horizons(cx.watermark).verdict(merged.end);
        if verdict == Verdict::Gone {
            return Placement::LateDrop;
        }
        let index = match touched.split_first() {
            None => self.open(own, id, cx),
            Some((first, others)) => self.join(*first, others, merged, cx),
        };
        self.sessions[index as usize].cell.add(event, cx.plan);
        self.changes.mark(index);
        match verdict {
            Verdict::Late => self.print(index, Timing::Late, cx),
            Verdict::Open if self.running.is_enough(self.sessions[index as usize].cell.since) => {
                self.print(index, Timing::Early, cx);
            }
            Verdict::Open | Verdict::Gone => {}
        }
        self.set_alarm(index, cx);
        Placement::Added
    }

    fn open(&mut self, window: Window, key: KeyId, cx: &mut Context<'_>) -> u32 {
        let cell = Cell::new(cx.plan, self.running.updates);
        let session = Session { window, key, cell, has_fired: false, replaces: Vec::new(), alarm: None, piece: 0 };
        let index = match self.free.pop() {
            Some(index) => {
                self.sessions[index as usize] = session;
                index
            }
            None => {
                self.sessions.push(session);
                self.sessions.len() as u32 - 1
            }
        };
        cx.keys.hold(key);
        cx.keys.size.grow(session_bytes(cx.plan));
        self.by_key.entry(key).or_default().insert(window.start, index);
        index
    }

    /// Makes one session of several neighbours, the first, which the others are merged into in order.
    fn join(&mut self, first: u32, others: &[u32], merged: Window, cx: &mut Context<'_>) -> u32 {
        let Session { window, key, .. } = self.sessions[first as usize];
        if window == merged {
            return first;
        }
        let mut replaces = Vec::new();
        for index in std::iter::once(&first).chain(others) {
            let session = &mut self.sessions[*index as usize];
            replaces.append(&mut session.replaces);
            if session.cell.revision > 0 {
                replaces.push(session.window);
            }
            session.cell.leave(session.window);
        }
        if let Some(sessions) = self.by_key.get_mut(&key) {
            others.iter().for_each(|index| sessions.remove(self.sessions[*index as usize].window.start));
            if window.start != merged.start {
                sessions.remove(window.start);
                sessions.insert(merged.start, first);
            }
        }
        for index in others {
            let cell = std::mem::take(&mut self.sessions[*index as usize].cell);
            self.sessions[first as usize].cell.absorb(cell);
            self.forget(*index, cx);
        }
        replaces.sort_unstable();
        let session = &mut self.sessions[first as usize];
        if !replaces.is_empty() {
            session.cell.say_all();
        }
        session.replaces = replaces;
        session.window = merged;
        session.has_fired = false;
        first
    }

    /// Sees to it that a session is looked at when it next fires or goes. An earlier alarm will do.
    fn set_alarm(&mut self, index: u32, cx: &mut Context<'_>) {
        let session = &mut self.sessions[index as usize];
        let end = session.window.end;
        let at = if session.has_fired { cx.trigger.gone_at(end) } else { cx.trigger.fires_at(end) };
        let is_never = session.has_fired && at == Timestamp::MAX;
        if is_never || session.alarm.is_some_and(|alarm| alarm.at <= at) {
            return;
        }
        self.serial += 1;
        let alarm = Alarm { at, session: index, serial: self.serial };
        session.alarm = Some(alarm);
        self.alarms.push(Reverse(alarm));
    }

    /// Puts the sessions found due into the order of T9, the first one last.
    fn sort_firing(&mut self, cx: &Context<'_>) {
        let sessions = &self.sessions;
        let key = |index: u32| cx.keys.bytes(sessions[index as usize].key);
        let window = |index: u32| sessions[index as usize].window;
        self.firing.sort_unstable_by(|b, a| {
            let by_window = window(*a).end.cmp(&window(*b).end).then(window(*a).start.cmp(&window(*b).start));
            by_window.then_with(|| key(*a).cmp(key(*b)))
        });
    }

    fn print(&mut self, index: u32, timing: Timing, cx: &mut Context<'_>) {
        let session = &mut self.sessions[index as usize];
        let Session { window, key, ref replaces, .. } = *session;
        session.cell.print((window, None), key, timing, replaces, cx);
        session.has_fired |= timing != Timing::Early;
        session.replaces.clear();
        self.changes.mark(index);
    }

    /// Adds a session that is restored, whose key is held.
    ///
    /// # Errors
    /// It overlaps or touches another of its key.
    pub(super) fn restore(&mut self, session: Session, cx: &mut Context<'_>) -> Result<(), Damaged> {
        let Session { window, key, .. } = session;
        let bounds = |index: u32| self.sessions[index as usize].window;
        let of_key = self.by_key.entry(key).or_default();
        if !of_key.touched(window, bounds).is_empty() {
            return Err(Damaged("sessions of a key touch"));
        }
        let index = self.sessions.len() as u32;
        of_key.insert(window.start, index);
        self.sessions.push(session);
        cx.keys.size.grow(session_bytes(cx.plan));
        self.set_alarm(index, cx);
        Ok(())
    }

    fn purge(&mut self, index: u32, cx: &mut Context<'_>) {
        let Session { window, key, .. } = self.sessions[index as usize];
        if let Some(sessions) = self.by_key.get_mut(&key) {
            sessions.remove(window.start);
            if sessions.is_empty() {
                self.by_key.remove(&key);
            }
        }
        self.forget(index, cx);
    }

    fn forget(&mut self, index: u32, cx: &mut Context<'_>) {
        let session = &mut self.sessions[index as usize];
        self.changes.remove(index, session.piece);
        session.alarm = None;
        session.cell = Cell::default();
        cx.keys.size.shrink(session_bytes(cx.plan));
        cx.keys.release(session.key);
        self.free.push(index);
    }
}
