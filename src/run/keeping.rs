//! What a run with `--state` does beside its work: it makes checkpoints when they are due, and one at its end.

use super::Run;
use super::checkpoint::{Keeper, Rest};
use super::ending::Ending;
use crate::engine::{Cursor, Input, Stop};
use crate::error::{Error, Exit, Severity};
use crate::event::EventBatch;
use crossbeam_channel::{Receiver, never};
use std::ops::ControlFlow;
use std::time::Instant;

/// Which checkpoint ends a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LastWords {
    /// None: what came after the newest one is to come again.
    None,
    /// One in the middle: it could not go on.
    Passing,
    /// The last one, from which any later run can go on.
    Final {
        /// Whether its inputs have ended.
        of_inputs: bool,
    },
}

impl Run {
    /// Before the first batch of a run: the state says that it goes on, before it writes anything.
    pub(super) fn begin_state(&mut self) -> ControlFlow<Ending> {
        if self.keeper.as_ref().is_none_or(|keeper| !keeper.is_to_begin()) {
            return ControlFlow::Continue(());
        }
        let rest = self.rest();
        let (Some(keeper), Some(engine)) = (&mut self.keeper, self.engine.alone()) else {
            return ControlFlow::Continue(());
        };
        if let Err(error) = keeper.begin(engine, &mut self.output, &rest) {
            return ControlFlow::Break(Ending::Unkept(error));
        }
        ControlFlow::Continue(())
    }

    /// Merged inputs of earlier runs that this one does not name hold nothing back any more (T5).
    pub(super) fn leave_out(&mut self) -> ControlFlow<Ending> {
        let left_out = self.keeper.as_mut().map(Keeper::left_out).unwrap_or_default();
        if !left_out.is_empty() {
            self.begin_state()?;
        }
        left_out.into_iter().try_for_each(|input| self.step(Input::EndOf(input)))
    }

    /// A batch has been taken as a whole, or up to the record that stopped the run. `cursor` is how far, if it was taken in
    /// parts.
    pub(super) fn note_taken(
        &mut self,
        index: usize,
        batch: &EventBatch,
        cursor: Option<&Cursor>,
        step: &ControlFlow<Stop>,
    ) {
        let Some(keeper) = &mut self.keeper else { return };
        if step.is_continue() {
            keeper.took(batch);
            return;
        }
        let bytes = cursor.map_or_else(|| keeper.bytes_of_part(self.engine.tally().bytes), Cursor::bytes);
        let bytes = keeper.took_part(batch, bytes);
        self.streams[index].step_back(batch, bytes);
    }

    /// Hears of checkpoints that have been written, and makes one if it is due.
    pub(super) fn keep(&mut self) -> ControlFlow<Ending> {
        let Some(keeper) = &mut self.keeper else { return ControlFlow::Continue(()) };
        if let Ok(done) = keeper.written().try_recv()
            && let Err(error) = keeper.done(done, &mut self.output)
        {
            return ControlFlow::Break(Ending::Unkept(error));
        }
        let now = self.view.now();
        if !keeper.is_due(now, &self.output) {
            return ControlFlow::Continue(());
        }
        // Rows that nobody takes are in no checkpoint.
        self.output.flush();
        if self.output.is_done() {
            return ControlFlow::Break(Ending::OutputDone);
        }
        let rest = self.rest();
        let (Some(keeper), Some(engine)) = (&mut self.keeper, self.engine.alone()) else {
            return ControlFlow::Continue(());
        };
        match keeper.pass(engine, &mut self.output, &rest, now) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Ending::Unkept(error)),
        }
    }

    /// Speaks when the next checkpoint is due, or one has been written.
    pub(super) fn state_alarms(&self) -> (Receiver<Instant>, Receiver<super::checkpoint::Written>) {
        let Some(keeper) = &self.keeper else { return (never(), never()) };
        let due = keeper.wait(self.view.now()).map_or_else(never, |wait| self.view.after(wait));
        (due, keeper.written().clone())
    }

    /// Files that are written have been renamed: goes on with what has their names.
    pub(super) fn reopen_kept(&mut self) -> ControlFlow<Ending> {
        // Nobody has taken the last rows.
        self.output.flush();
        if self.output.is_done() {
            return ControlFlow::Break(Ending::OutputDone);
        }
        let rest = self.rest();
        let (Some(keeper), Some(engine)) = (&mut self.keeper, self.engine.alone()) else {
            return ControlFlow::Continue(());
        };
        match keeper.reopen(engine, &mut self.output, &rest, &self.reopened) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Ending::Unkept(error)),
        }
    }

    fn rest(&self) -> Rest {
        let (seen, known) = self.fields.found();
        let years = self.streams.iter().enumerate();
        let years = years.filter_map(|(index, stream)| Some((index, stream.last_time()?)));
        let at_hand = self.streams.iter().filter_map(|stream| stream.at_hand.as_ref());
        let parts = at_hand.filter_map(|(batch, cursor)| self.keeper.as_ref()?.within(batch, cursor));
        Rest { parts: parts.collect(), years: years.collect(), seen, known }
    }

    /// Which checkpoint an end deserves.
    pub(super) fn last_words(&self, ending: &Ending) -> LastWords {
        match ending {
            Ending::EndOfInput => LastWords::Final { of_inputs: true },
            // Its record was not taken, and must not be lost: the next run stops there as well.
            Ending::Limit(Stop::KeyLimit { .. }) => LastWords::None,
            Ending::Limit(Stop::Strict | Stop::MaxBad | Stop::MaxLate) | Ending::Signal(_) => {
                LastWords::Final { of_inputs: false }
            }
            Ending::Failed(Error::Defect) | Ending::OutputDone | Ending::Unkept(_) => LastWords::None,
            Ending::Failed(_) => LastWords::Passing,
        }
    }

    /// Makes the last checkpoint. Fails the run if that cannot be done.
    pub(super) fn end_state(&mut self, words: LastWords, exit: Exit) -> Exit {
        if self.keeper.is_none() || words == LastWords::None {
            return exit;
        }
        // Nobody has taken the last rows.
        self.output.flush();
        if self.output.is_done() {
            return exit;
        }
        let rest = self.rest();
        let (Some(keeper), Some(engine)) = (&mut self.keeper, self.engine.alone()) else { return exit };
        match keeper.end(engine, &mut self.output, &rest, words) {
            Ok(Some(note)) => self.output.say(Severity::Note, &note),
            Ok(None) => {}
            Err(error) => {
                self.output.say(Severity::Failure, &error.to_string());
                return error.exit();
            }
        }
        exit
    }
}
