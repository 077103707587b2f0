//! What is taken next, and what comes of it: items of the streams go to the engine and to the output.

use super::Run;
use super::checkpoint::Keeper;
use super::ending::Ending;
use super::waiting::Waits;
use crate::engine::{Cursor, Input, Stop};
use crate::error::Error;
use crate::event::{EventBatch, SourceId};
use crate::input::pool::Item;
use crossbeam_channel::TryRecvError;
use std::ops::ControlFlow;

impl Run {
    /// Takes all there is.
    pub(super) fn take_all(&mut self) -> Ending {
        // What is followed from its end goes on from there, also if nothing has come before the run is killed.
        if self.watch.is_some()
            && let ControlFlow::Break(ending) = self.begin_state()
        {
            return ending;
        }
        if let ControlFlow::Break(ending) = self.leave_out() {
            return ending;
        }
        loop {
            if let ControlFlow::Break(ending) = self.turn() {
                self.tell_rest(0);
                return ending;
            }
        }
    }

    /// Takes what is next, or waits for it.
    fn turn(&mut self) -> ControlFlow<Ending> {
        if self.is_merged {
            self.hear_idle()?;
        }
        // Keys are shared out only where there is one stream.
        self.tell_due(0)?;
        if self.streams.iter().all(|stream| stream.has_ended) {
            self.tell_all(0)?;
            // The signal that ended the writer of our pipe is for us as well (E3).
            return ControlFlow::Break(self.interrupts.signal().map_or(Ending::EndOfInput, Ending::Signal));
        }
        if self.streams.len() > 1 && !self.is_merged {
            return self.turn_of_any();
        }
        let next =
            if self.is_merged { self.engine.lead().next_input().map(|input| self.stream_of(input)) } else { Some(0) };
        let Some(index) = next else { return self.wait(Waits::Nobody) };
        if self.streams[index].at_hand.is_some() {
            return self.take_part(index);
        }
        match self.streams[index].next() {
            Ok(item) => self.take(index, item),
            Err(TryRecvError::Empty) => self.wait(Waits::One(index)),
            Err(TryRecvError::Disconnected) => self.end_of(index),
        }
    }

    /// Which stream reads an input.
    pub(super) fn stream_of(&self, input: SourceId) -> usize {
        self.streams.iter().position(|stream| stream.id == input).unwrap_or(0)
    }

    /// Inputs that were idle and speak again are waited for from now on.
    fn hear_idle(&mut self) -> ControlFlow<Ending> {
        for index in 0..self.streams.len() {
            let stream = &mut self.streams[index];
            if !stream.is_idle || stream.has_ended {
                continue;
            }
            match stream.next() {
                Ok(item @ Item::Records(_)) => {
                    stream.is_idle = false;
                    let id = stream.id;
                    self.step(Input::Wake(id))?;
                    self.take(index, item)?;
                }
                Ok(item) => self.take(index, item)?,
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => self.end_of(index)?,
            }
        }
        ControlFlow::Continue(())
    }

    pub(super) fn step(&mut self, input: Input<'_>) -> ControlFlow<Ending> {
        let step = self.engine.step(input, &mut self.output);
        self.refresh();
        step.map_break(Ending::Limit)
    }

    pub(super) fn take(&mut self, index: usize, item: Item<EventBatch>) -> ControlFlow<Ending> {
        match item {
            Item::Records(mut batch) => {
                self.begin_state()?;
                let stream = &mut self.streams[index];
                stream.place(&mut batch);
                // Those of several are told by the engine.
                stream.is_idle &= self.is_merged;
                if self.engine.shards().is_some() {
                    return self.hand_out(index, batch);
                }
                self.fields.note(&batch);
                if self.is_merged || self.replay.is_some() {
                    stream.at_hand = Some((batch, Cursor::default()));
                    return ControlFlow::Continue(());
                }
                let step = self.engine.step(Input::Batch(&batch, self.view.moment()), &mut self.output);
                self.taken(index, batch, None, step)?;
            }
            Item::Say(severity, text) => {
                self.tell_all(index)?;
                // What is said of all inputs is said once.
                let is_of_all = self.streams.len() > 1
                    && (self.is_merged || !text.starts_with(self.output.source_name(self.streams[index].id.0)));
                if !is_of_all || self.notes.insert(text.clone()) {
                    self.output.say(severity, &text);
                }
            }
            Item::Names(names) => self.fields.learn(names),
            Item::Learnt(source, learnt) => {
                if let Some(keeper) = &mut self.keeper {
                    keeper.learnt(source, *learnt);
                }
            }
            Item::Begun(source, begun) => {
                if let Some(keeper) = &mut self.keeper {
                    keeper.begun(source, *begun);
                }
            }
            // Streams keep them.
            Item::Pause(_) => {}
            Item::Failed(error) => return ControlFlow::Break(Ending::Failed(error)),
        }
        self.check()
    }

    /// Takes records of the batch at hand of a stream, up to where it is another one's turn, or nobody's yet.
    fn take_part(&mut self, index: usize) -> ControlFlow<Ending> {
        self.until_due(index)?;
        let Some((batch, mut cursor)) = self.streams[index].at_hand.take() else { return ControlFlow::Continue(()) };
        let step = self.engine.step(Input::Part(&batch, &mut cursor, self.view.moment()), &mut self.output);
        if cursor.is_done() || step.is_break() {
            self.taken(index, batch, Some(&cursor), step)?;
        } else {
            self.streams[index].at_hand = Some((batch, cursor));
            self.keeper.iter_mut().for_each(Keeper::takes_on);
            self.refresh();
        }
        self.check()
    }

    /// In a replay, waits until the next event of the batch at hand is due, and lets only those be taken that are.
    fn until_due(&mut self, index: usize) -> ControlFlow<Ending> {
        let (Some(replay), Some((batch, cursor))) = (&mut self.replay, &self.streams[index].at_hand) else {
            return ControlFlow::Continue(());
        };
        let from = cursor.next_event();
        let Some(first) = batch.times.get(from) else { return ControlFlow::Continue(()) };
        let due = replay.due(*first, self.view.now());
        self.wait_until(due)?;
        let now = self.view.now();
        let (Some(replay), Some((batch, cursor))) = (&mut self.replay, &mut self.streams[index].at_hand) else {
            return ControlFlow::Continue(());
        };
        // Of those behind it nobody knows yet whether it will be their turn.
        let rest = if self.is_merged { &[] } else { &batch.times[from + 1..] };
        let others = rest.iter().take_while(|time| replay.due(**time, now) <= now).count();
        cursor.stop_at(from + 1 + others);
        ControlFlow::Continue(())
    }

    /// A batch has been taken, or as much of it as was to be.
    pub(super) fn taken(
        &mut self,
        index: usize,
        batch: EventBatch,
        cursor: Option<&Cursor>,
        step: ControlFlow<Stop>,
    ) -> ControlFlow<Ending> {
        self.note_taken(index, &batch, cursor, &step);
        self.streams[index].taken = batch.taken;
        self.streams[index].recycle(batch);
        self.view.moved(&mut self.engine, self.streams.iter().map(|stream| stream.taken).sum());
        self.refresh();
        step.map_break(Ending::Limit)?;
        self.fields.tell_if_live(self.engine.records(), &mut self.output);
        self.keep()
    }

    pub(super) fn check(&mut self) -> ControlFlow<Ending> {
        self.heed_requests()?;
        if self.output.is_done() {
            return ControlFlow::Break(Ending::OutputDone);
        }
        match self.interrupts.signal() {
            Some(signal) => ControlFlow::Break(Ending::Signal(signal)),
            None => ControlFlow::Continue(()),
        }
    }

    /// No more items of a stream will come. That is its end only if the threads before us came to
    /// their ends, and not if one broke down.
    pub(super) fn end_of(&mut self, index: usize) -> ControlFlow<Ending> {
        if !self.streams[index].end() {
            return ControlFlow::Break(Ending::Failed(Error::Defect));
        }
        let goes_on = self.streams.iter().any(|stream| !stream.has_ended);
        let id = self.streams[index].id;
        match goes_on {
            // With a state an end moves nothing (T5).
            true if self.is_merged && self.keeper.is_some() => self.step(Input::Rest(id)),
            true => self.step(Input::EndOf(id)),
            false => ControlFlow::Continue(()),
        }
    }
}
