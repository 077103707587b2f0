//! What takes the records: one engine, or several that keys are shared out to.

use super::Run;
use super::ending::Ending;
use super::shards::{Answer, Shards};
use crate::engine::pane::Emit;
use crate::engine::report::TakeRows;
use crate::engine::{Engine, Input, Stop};
use crate::error::Error;
use crate::event::EventBatch;
use crate::metrics::Counters;
use crossbeam_channel::Receiver;
use std::ops::ControlFlow;
use std::time::Duration;

/// One engine, or several.
pub enum Engines {
    /// One that does all.
    Alone(Engine),
    /// Several, with threads of their own.
    Shared(Shards),
}

impl Engines {
    /// The engine that knows of time and of inputs.
    pub fn lead(&self) -> &Engine {
        match self {
            Engines::Alone(engine) => engine,
            Engines::Shared(shards) => shards.lead(),
        }
    }

    /// The only engine, if it is.
    pub fn alone(&mut self) -> Option<&mut Engine> {
        match self {
            Engines::Alone(engine) => Some(engine),
            Engines::Shared(_) => None,
        }
    }

    /// The threads that keys are shared out to, if they are.
    pub fn shards(&mut self) -> Option<&mut Shards> {
        match self {
            Engines::Alone(_) => None,
            Engines::Shared(shards) => Some(shards),
        }
    }

    /// Takes one input, but for batches and the end where keys are shared out: nothing else matters there.
    pub fn step(&mut self, input: Input<'_>, emit: &mut dyn Emit) -> ControlFlow<Stop> {
        match self {
            Engines::Alone(engine) => engine.step(input, emit),
            Engines::Shared(_) => ControlFlow::Continue(()),
        }
    }

    /// Takes the last input, [`Input::End`] or [`Input::Flush`].
    ///
    /// # Errors
    /// A thread broke down.
    pub fn end(&mut self, last: Input<'_>, emit: &mut dyn TakeRows) -> Result<(), Error> {
        match self {
            Engines::Alone(engine) => {
                // No limit is reached by an end.
                let _ = engine.step(last, emit);
                Ok(())
            }
            Engines::Shared(shards) => shards.end(emit),
        }
    }

    /// See [`Engine::tally`].
    pub fn tally(&self) -> Counters {
        match self {
            Engines::Alone(engine) => engine.tally(),
            Engines::Shared(shards) => shards.tally(),
        }
    }

    /// See [`Engine::counters`]. Of shared keys, once all that was handed out has been told.
    pub fn counters(&mut self) -> Counters {
        Counters { open_windows: self.open_windows(), ..self.tally() }
    }

    /// See [`Engine::open_windows`]. Of shared keys, once all that was handed out has been told.
    pub fn open_windows(&mut self) -> u64 {
        match self {
            Engines::Alone(engine) => engine.open_windows(),
            Engines::Shared(shards) => shards.open_windows(),
        }
    }

    /// The same at any time, but as it may have been a little while ago, and how long others took to count it.
    pub fn recent_open_windows(&mut self) -> (u64, Duration) {
        match self {
            Engines::Alone(engine) => (engine.open_windows(), Duration::ZERO),
            Engines::Shared(shards) => shards.recent_open_windows(),
        }
    }

    /// See [`Engine::records`].
    pub fn records(&self) -> u64 {
        match self {
            Engines::Alone(engine) => engine.records(),
            Engines::Shared(shards) => shards.records(),
        }
    }

    /// Whether something is handed out that has not been told.
    pub fn is_busy(&self) -> bool {
        matches!(self, Engines::Shared(shards) if shards.is_busy())
    }

    /// Where something comes from that is told next.
    pub fn awaited(&self) -> impl Iterator<Item = &Receiver<Answer>> {
        let shards = if let Engines::Shared(shards) = self { Some(shards) } else { None };
        shards.into_iter().flat_map(Shards::awaited)
    }
}

impl Run {
    /// Hands a batch of a stream out to those who share the keys.
    pub(super) fn hand_out(&mut self, index: usize, batch: EventBatch) -> ControlFlow<Ending> {
        if let Some(shards) = self.engine.shards() {
            shards.hand_out(batch);
        }
        self.tell_due(index)?;
        self.check()
    }

    /// Tells what need not be waited for, and what cannot wait.
    pub(super) fn tell_due(&mut self, index: usize) -> ControlFlow<Ending> {
        while self.engine.shards().is_some_and(Shards::is_due) {
            self.tell_next(index)?;
            self.check()?;
        }
        ControlFlow::Continue(())
    }

    /// Tells all that was handed out.
    pub(super) fn tell_all(&mut self, index: usize) -> ControlFlow<Ending> {
        while self.engine.is_busy() {
            self.tell_next(index)?;
            self.check()?;
        }
        ControlFlow::Continue(())
    }

    /// The run ends, for whatever reason: what was taken is told, so that what is counted is what was done.
    pub(super) fn tell_rest(&mut self, index: usize) {
        while self.engine.is_busy() && self.tell_next(index).is_continue() {}
    }

    fn tell_next(&mut self, index: usize) -> ControlFlow<Ending> {
        let Some(shards) = self.engine.shards() else { return ControlFlow::Continue(()) };
        match shards.tell_next(&mut self.output) {
            Ok(None) => ControlFlow::Continue(()),
            Ok(Some(batch)) => {
                self.fields.note(&batch);
                self.taken(index, batch, None, ControlFlow::Continue(()))
            }
            Err(error) => ControlFlow::Break(Ending::Failed(error)),
        }
    }
}
