//! What a run does while there is nothing to be taken: it shows what it has, and waits for whatever comes first.

use super::Run;
use super::ending::Ending;
use super::streams::Stream;
use crate::engine::Input;
use crate::error::Severity;
use crate::host::Wake;
use crossbeam_channel::{Receiver, Select, never};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// A wait of a replay that somebody might take for a standstill.
const LONG_WAIT: Duration = Duration::from_secs(60);

/// Whose items are waited for, beside those of streams that are idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// Nobody's.
    Nobody,
    /// One stream's.
    One(usize),
    /// Anybody's.
    All,
}

impl Waits {
    fn has(self, index: usize) -> bool {
        self == Waits::All || self == Waits::One(index)
    }
}

impl Run {
    /// The input pauses: everything read so far has been processed. Shows it, and waits for more.
    pub(super) fn wait(&mut self, waits: Waits) -> ControlFlow<Ending> {
        // What is handed out comes back soon, and more may come of it.
        if !self.engine.is_busy() {
            self.output.flush_at_hand();
        }
        self.refresh();
        self.keep()?;
        let fell_idle = self.fall_idle()?;
        let is_due = |at, stream: &Stream| (waits.has(at) || stream.is_idle) && stream.has_something();
        if fell_idle || self.streams.iter().enumerate().any(|(at, stream)| is_due(at, stream)) {
            return ControlFlow::Continue(());
        }
        let (progress_alarm, idle_alarm, refresh_alarm) = (self.view.alarm(), self.idle_alarm(), self.refresh_alarm());
        let (checkpoint_alarm, written) = self.state_alarms();
        let mut select = Select::new();
        let wake = select.recv(&self.interrupts.wake);
        let alarm = select.recv(&progress_alarm);
        select.recv(&idle_alarm);
        select.recv(&refresh_alarm);
        select.recv(&checkpoint_alarm);
        select.recv(&written);
        self.output.await_rows(&mut select);
        self.engine.awaited().for_each(|answers| {
            select.recv(answers);
        });
        for (at, stream) in self.streams.iter().enumerate() {
            let is_wanted = waits.has(at) || stream.is_idle || self.idle_timeout.is_some();
            if let Some(items) = stream.waits_for().filter(|_| is_wanted) {
                select.recv(items);
            }
        }
        let ready = select.ready();
        if ready == alarm {
            self.view.show(&mut self.engine);
        }
        if ready == wake { self.hear() } else { ControlFlow::Continue(()) }
    }

    /// Somebody wakes the run.
    fn hear(&mut self) -> ControlFlow<Ending> {
        // Whoever is ready may be so no more.
        let Ok(wake) = self.interrupts.wake.try_recv() else { return ControlFlow::Continue(()) };
        self.woken(wake).map_or(ControlFlow::Continue(()), ControlFlow::Break)
    }

    /// Lets sources fall idle that have been silent for too long; whether there are any.
    fn fall_idle(&mut self) -> ControlFlow<Ending, bool> {
        let Some(timeout) = self.idle_timeout else { return ControlFlow::Continue(false) };
        self.streams.iter_mut().for_each(Stream::look_ahead);
        let mut any = false;
        for index in 0..self.streams.len() {
            let now = self.view.now();
            let is_over = self.silent_until(index, timeout).is_some_and(|until| until <= now);
            if !is_over {
                continue;
            }
            any = true;
            if self.has_partitions {
                self.step(Input::IdleSince(self.view.since_began(now.checked_sub(timeout).unwrap_or(now))))?;
            } else {
                self.streams[index].is_idle = true;
                self.step(Input::Idle(self.streams[index].id))?;
            }
        }
        ControlFlow::Continue(any)
    }

    /// Speaks when the next source may have been silent for too long.
    fn idle_alarm(&self) -> Receiver<Instant> {
        let Some(timeout) = self.idle_timeout else { return never() };
        let until = (0..self.streams.len()).filter_map(|index| self.silent_until(index, timeout)).min();
        until.map_or_else(never, |until| self.view.alarm_at(until))
    }

    /// When a stream, or the first of its partitions, will have been silent for too long.
    fn silent_until(&self, index: usize, timeout: Duration) -> Option<Instant> {
        let until = self.streams[index].silent_until(timeout)?;
        if !self.has_partitions {
            return Some(until);
        }
        self.view.at(self.engine.lead().heard_first()?).checked_add(timeout)
    }

    /// Writes the picture of the newest rows if there are new ones and it is time.
    pub(super) fn refresh(&mut self) {
        if let Some(refresh) = self.refresh.as_mut().filter(|_| self.output.has_news()) {
            let now = self.view.now();
            if refresh.wait(now).is_zero() {
                self.output.show();
                refresh.done(now);
            }
        }
    }

    /// Speaks when that may be done; never if the picture shows how things are.
    fn refresh_alarm(&self) -> Receiver<Instant> {
        match self.refresh.as_ref().filter(|_| self.output.has_news()) {
            Some(refresh) => self.view.after(refresh.wait(self.view.now())),
            None => never(),
        }
    }

    /// Waits for the moment when the next record of a replay is due.
    pub(super) fn wait_until(&mut self, due: Instant) -> ControlFlow<Ending> {
        loop {
            self.output.flush();
            self.refresh();
            if self.output.is_done() {
                return ControlFlow::Break(Ending::OutputDone);
            }
            self.keep()?;
            let wait = due.saturating_duration_since(self.view.now());
            if wait.is_zero() {
                return ControlFlow::Continue(());
            }
            if wait > LONG_WAIT && !self.has_told_of_waiting {
                self.has_told_of_waiting = true;
                let wait = humantime::format_duration(Duration::from_secs(wait.as_secs()));
                self.output.say(
                    Severity::Note,
                    &format!("the next record is replayed in {wait} (--replay-max-gap DUR makes long gaps shorter)"),
                );
                continue;
            }
            let (due, progress_alarm, refresh_alarm) = (self.view.after(wait), self.view.alarm(), self.refresh_alarm());
            let (checkpoint_alarm, written) = self.state_alarms();
            let mut select = Select::new();
            let wake = select.recv(&self.interrupts.wake);
            let alarm = select.recv(&progress_alarm);
            select.recv(&due);
            select.recv(&refresh_alarm);
            select.recv(&checkpoint_alarm);
            select.recv(&written);
            let ready = select.ready();
            if ready == alarm {
                self.view.show(&mut self.engine);
            }
            if ready == wake {
                self.hear()?;
            }
        }
    }

    /// What follows from being woken, if anything does.
    fn woken(&mut self, wake: Wake) -> Option<Ending> {
        if let ControlFlow::Break(ending) = self.heed_requests() {
            return Some(ending);
        }
        match wake {
            Wake::StdoutClosed => self.writes_to_stdout.then_some(Ending::OutputDone),
            Wake::Signal | Wake::Request => self.interrupts.signal().map(Ending::Signal),
        }
    }
}
