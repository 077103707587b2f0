//! What is read side by side: each stream has a reader, decoders, and what has come of them. Without `--merge` there
//! is one, which reads all inputs in turn.

use crate::cli::Config;
use crate::engine::Cursor;
use crate::error::Error;
use crate::event::place::place_years;
use crate::event::{Aside, EventBatch, SourceId};
use crate::host::Clock;
use crate::input::pool::{self, Collector, Item, Pause, WAITING};
use crate::input::reader::{ReadClock, Reader, Source};
use crate::time::year::Years;
use crossbeam_channel::{Receiver, TryRecvError};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Blocks are this small at the least where many inputs share the memory for them.
const SMALLEST_BLOCK: usize = 16 << 10;

/// One reader and its decoders.
pub struct Stream {
    /// Its (first) input.
    pub id: SourceId,
    collector: Collector,
    reader: Option<JoinHandle<()>>,
    /// The next item, if it was looked at before its turn.
    ahead: Option<Item<EventBatch>>,
    /// The batch that is being taken, and how far it has been.
    pub at_hand: Option<(EventBatch, Cursor)>,
    /// The years of its times, if they are written without.
    years: Option<Years>,
    /// The local time of the last record before the newest batch, if it matters.
    before: Option<i128>,
    /// Bytes of its inputs that have been taken, as they are stored.
    pub taken: u64,
    /// Since when a read of it has been waiting, if nothing has come since.
    pause: Option<Pause>,
    /// It was silent for too long, and has not spoken since.
    pub is_idle: bool,
    /// Its threads have nothing more.
    is_drained: bool,
    /// No more will come, and that has been noted.
    pub has_ended: bool,
}

impl Stream {
    /// Starts one of so many streams, which reads some inputs.
    pub fn start(config: &Config, clock: &Arc<dyn Clock>, count: usize, sources: Vec<Source>) -> Result<Stream, Error> {
        let id = sources.first().map_or(SourceId(0), |source| source.id);
        let threads = (config.threads / count).max(1);
        let (value_fields, named_fields) = (config.projection.values.len(), config.projection.fields().count());
        let new_batch = || EventBatch::new(value_fields, named_fields);
        let (dealer, collector, spare) = pool::start(threads, WAITING / count, new_batch)
            .map_err(|source| Error::System { what: "starting a decoder thread", source })?;
        let mut options = config.read.clone();
        if count > 1 {
            options.block_size = (4 * options.block_size / count).clamp(SMALLEST_BLOCK, options.block_size);
        }
        let (for_now, for_wall) = (clock.clone(), clock.clone());
        let clock = ReadClock { now: Box::new(move || for_now.now()), wall: Box::new(move || for_wall.wall()) };
        let reader = Reader::new(options, config.projection.clone(), config.time_is_given, spare, dealer, clock);
        let reader = thread::Builder::new()
            .name("read".into())
            .spawn(move || reader.run(sources))
            .map_err(|source| Error::System { what: "starting a reader thread", source })?;
        Ok(Stream::new(id, collector, reader, Years::new(&config.projection.time_rules)))
    }

    /// A stream whose threads have started.
    fn new(id: SourceId, collector: Collector, reader: JoinHandle<()>, years: Option<Years>) -> Stream {
        Stream {
            id,
            collector,
            reader: Some(reader),
            ahead: None,
            at_hand: None,
            years,
            before: None,
            taken: 0,
            pause: None,
            is_idle: false,
            is_drained: false,
            has_ended: false,
        }
    }

    /// The next item; pauses are kept here.
    ///
    /// # Errors
    /// If there is none yet, or none any more.
    pub fn next(&mut self) -> Result<Item<EventBatch>, TryRecvError> {
        if let Some(item) = self.ahead.take() {
            return Ok(item);
        }
        loop {
            let item = self.collector.try_next();
            self.is_drained = matches!(item, Err(TryRecvError::Disconnected));
            let item = item?;
            self.collector.advance();
            match item {
                Item::Pause(pause) => self.pause = Some(pause),
                Item::Records(_) => {
                    self.pause = None;
                    return Ok(item);
                }
                _ => return Ok(item),
            }
        }
    }

    /// Notes a pause, and looks at what else has come without taking it.
    pub fn look_ahead(&mut self) {
        if self.waits_for().is_some()
            && let Ok(item) = self.next()
        {
            self.ahead = Some(item);
        }
    }

    /// Whether there is something to be taken, or its end to be noted.
    pub fn has_something(&self) -> bool {
        !self.has_ended && self.waits_for().is_none()
    }

    /// Where the next item will come from, unless there is one already.
    pub fn waits_for(&self) -> Option<&Receiver<Item<EventBatch>>> {
        let has_more = !self.is_drained && self.ahead.is_none() && self.at_hand.is_none();
        (has_more && !self.collector.has_next()).then(|| self.collector.next())
    }

    /// When it will have been silent for so long, if it is silent now: a read of it waits, and all that came before has
    /// been taken.
    pub fn silent_until(&self, timeout: Duration) -> Option<Instant> {
        let pause =
            self.pause.as_ref().filter(|pause| pause.goes_on() && !self.is_idle && self.waits_for().is_some())?;
        pause.since.checked_add(timeout)
    }

    /// Goes on after a record of this local time, if times have no year.
    pub fn resume_years(&mut self, last: Option<i128>) {
        if let Some(years) = &mut self.years {
            years.resume(last);
        }
    }

    /// Gives the times of a batch that is to be taken their years, if they are written without.
    pub fn place(&mut self, batch: &mut EventBatch) {
        if let Some(years) = &mut self.years {
            self.before = years.last();
            place_years(batch, years);
        }
    }

    /// Of the batch that was placed last, only so many bytes are taken.
    pub fn step_back(&mut self, batch: &EventBatch, bytes: u64) {
        let last = self.last_within(batch, bytes);
        self.resume_years(last);
    }

    /// The local time of the last record that has been taken, if times have no year.
    pub fn last_time(&self) -> Option<i128> {
        match &self.at_hand {
            Some((batch, cursor)) => self.last_within(batch, cursor.bytes()),
            None => self.years.as_ref()?.last(),
        }
    }

    fn last_within(&self, batch: &EventBatch, bytes: u64) -> Option<i128> {
        let years = self.years.as_ref()?;
        last_placed(batch, bytes).map_or(self.before, |last| Some(years.local(batch.times[last])))
    }

    /// Gives a batch back, to be filled again.
    pub fn recycle(&mut self, batch: EventBatch) {
        self.collector.recycle(batch);
    }

    /// Notes that no more will come; whether no thread broke down.
    pub fn end(&mut self) -> bool {
        self.has_ended = true;
        let reader_ended = self.reader.take().is_none_or(|reader| reader.join().is_ok());
        self.collector.ended_well() && reader_ended
    }
}

/// The last event of so many bytes of a batch that has a moment.
fn last_placed(batch: &EventBatch, bytes: u64) -> Option<usize> {
    let is_taken = |index: &usize| {
        let text = batch.records[*index].text;
        u64::from(text.start + text.len) <= bytes
    };
    let is_placed = |index: &usize| {
        !batch
            .asides
            .iter()
            .any(|placed| placed.before_event as usize == *index && matches!(placed.aside, Aside::Unplaceable(_)))
    };
    (0..batch.times.len()).rev().filter(is_taken).find(is_placed)
}
