//! A share of the work, where keys are shared out to several engines. Each of them sees all records, in order: so each knows
//! the watermark before and after every event without asking anybody, judges lateness and fires as one engine alone would.
//! Only the events of its keys does it add. What each has to say goes into [reports](super::report), which are merged in the
//! order in which one engine alone would have said it (T9).
//!
//! Time is cheap: most events of others are passed by in one step, to the largest of their times.

use super::keys::Guess;
use super::report::{Moment, Reporter};
use super::{AHEAD, Engine, EngineConfig, Event, Machine, Progress, WindowStore};
use crate::event::EventBatch;
use crate::metrics::Counters;
use crate::time::Timestamp;
use std::ops::{ControlFlow, Range};

/// What one of the engines looks after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// What is of no key: bad records and all else that is between events, and how far the input has been taken.
    Rest,
    /// The events of some of the keys.
    Keys {
        /// Which, from 0.
        part: usize,
        /// Of how many parts.
        of: usize,
    },
}

impl Share {
    /// The part that a key belongs to.
    #[inline]
    pub fn part(hash: u64, of: usize) -> usize {
        // Of the bits of a hash, tables look at the others: at the lower ones, and at the first seven.
        ((hash >> 32 & 0xFFFF) as usize * of) >> 16
    }
}

/// An engine with a share of the work.
#[derive(Debug)]
pub struct Shard {
    engine: Engine,
    share: Share,
    survey: Survey,
}

/// What is known of some events before they are taken one by one.
#[derive(Debug)]
struct Survey {
    /// Those of the share. Others follow behind, left from earlier.
    own: Vec<Own>,
    count: usize,
    /// The largest time, also of all events before.
    newest: Timestamp,
    /// The smallest time.
    oldest: Timestamp,
    /// The longest step of the largest time.
    longest: u64,
}

/// An event of the share.
#[derive(Clone, Copy, Debug)]
struct Own {
    index: u32,
    /// The largest time before it.
    newest: Timestamp,
}

impl Survey {
    fn new() -> Survey {
        Survey { own: Vec::new(), count: 0, newest: Timestamp::MIN, oldest: Timestamp::MAX, longest: 0 }
    }

    /// Looks at events; `newest` is the largest time before them.
    fn look(&mut self, batch: &EventBatch, range: Range<usize>, share: Share, newest: Timestamp) {
        (self.count, self.newest, self.oldest, self.longest) = (0, newest, Timestamp::MAX, 0);
        match share {
            Share::Rest => self.walk(batch, range, |_| false),
            Share::Keys { part, of } => {
                if self.own.len() < range.len() {
                    self.own.resize(range.len(), Own { index: 0, newest });
                }
                self.walk(batch, range, |index| Share::part(batch.keys.hash(index), of) == part);
            }
        }
    }

    /// No branch depends on the data: whose event is next is anybody's guess.
    #[inline(always)]
    fn walk(&mut self, batch: &EventBatch, range: Range<usize>, is_own: impl Fn(usize) -> bool) {
        let Survey { own, count, newest, oldest, longest } = self;
        // Where they stand while it goes on is nobody's business: they are kept near.
        let (mut counted, mut largest, mut smallest, mut step) = (*count, *newest, *oldest, *longest);
        for index in range {
            let time = batch.times[index];
            if let Some(own) = own.get_mut(counted) {
                *own = Own { index: index as u32, newest: largest };
            }
            counted += usize::from(is_own(index));
            let next = largest.max(time);
            step = step.max(next.0.wrapping_sub(largest.0) as u64);
            largest = next;
            smallest = smallest.min(time);
        }
        (*count, *newest, *oldest, *longest) = (counted, largest, smallest, step);
    }
}

impl Shard {
    /// An engine that has seen nothing, for what [can be shared](EngineConfig::can_be_shared).
    pub fn new(config: EngineConfig, share: Share) -> Shard {
        Shard { engine: Engine::new(config), share, survey: Survey::new() }
    }

    /// The engine. It has counted what is its share.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Takes its share of a batch.
    pub fn take(&mut self, batch: &EventBatch, to: &mut Reporter<'_>) {
        let Shard { engine: Engine { windows, progress, .. }, share, survey } = self;
        let mut taking = Taking { progress, share: *share, survey, batch, to };
        match windows {
            Machine::Slices(store) => taking.batch(store),
            Machine::Sessions(store) => taking.batch(store),
            // It cannot be shared.
            Machine::General(_) => {}
        }
    }

    /// The input has ended.
    pub fn end(&mut self, to: &mut Reporter<'_>) {
        let Engine { windows, progress, .. } = &mut self.engine;
        to.now(Moment::END);
        // No limit is reached by an end.
        let _ = match windows {
            Machine::Slices(store) => progress.end(store, to),
            Machine::Sessions(store) => progress.end(store, to),
            Machine::General(_) => ControlFlow::Continue(()),
        };
    }
}

/// A share of a batch that is being taken.
struct Taking<'a, 'b> {
    progress: &'a mut Progress,
    share: Share,
    survey: &'a mut Survey,
    batch: &'a EventBatch,
    to: &'a mut Reporter<'b>,
}

impl Taking<'_, '_> {
    fn batch<S: WindowStore>(&mut self, store: &mut S) {
        let batch = self.batch;
        if let Some(lines) = batch.begins_at_line {
            (self.progress.source, self.progress.lines) = (batch.source.0, lines);
        }
        let mut done = 0;
        for placed in &batch.asides {
            let before = placed.before_event as usize;
            self.events(store, done..before);
            let skipped = match self.share {
                Share::Rest => {
                    self.to.now(Moment::before(before));
                    // There is no limit that is reached.
                    match self.progress.aside(batch, placed, self.to) {
                        ControlFlow::Continue(skipped) => skipped,
                        ControlFlow::Break(_) => 0,
                    }
                }
                Share::Keys { .. } => placed.aside.events(),
            };
            done = before + skipped;
        }
        self.events(store, done..batch.times.len());
        if self.share == Share::Rest {
            self.progress.counters.bytes += batch.consumed;
        }
        self.progress.lines += u64::from(batch.lines);
    }

    /// Takes those of its share, and passes the others by.
    fn events<S: WindowStore>(&mut self, store: &mut S, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        self.survey.look(self.batch, range.clone(), self.share, self.progress.max_event_time);
        let Survey { newest, oldest, longest, .. } = *self.survey;
        // Times that fit are those between two others: where the first and the last one do, all do.
        let is_calm = self.progress.max_event_time > Timestamp::MIN
            && !self.progress.runaway.is_larger(longest)
            && store.fits(newest)
            && store.fits(oldest);
        let calm = |newest| is_calm.then_some(newest);
        let mut next = range.start;
        let mut guesses = [Guess::default(); AHEAD];
        for begin in (0..self.survey.count).step_by(AHEAD) {
            let group = begin..self.survey.count.min(begin + AHEAD);
            let indices = self.survey.own[group.clone()].iter().map(|own| own.index as usize);
            self.progress.look_ahead(store, self.batch, indices, &mut guesses);
            for (place, guess) in group.zip(guesses) {
                let Own { index, newest } = self.survey.own[place];
                let index = index as usize;
                self.pass(store, next..index, calm(newest));
                self.take(store, index, guess);
                next = index + 1;
            }
        }
        self.pass(store, next..range.end, calm(newest));
    }

    /// Takes an event of its own.
    #[inline]
    fn take<S: WindowStore>(&mut self, store: &mut S, index: usize, guess: Guess) {
        let batch = self.batch;
        let time = batch.times[index];
        let event = Event { batch, index, time, arrival: self.progress.counters.events, guess, other: None };
        if batch.is_filtered(index) {
            if store.fits(time) {
                self.progress.counters.records += 1;
                self.progress.counters.filtered += 1;
                self.advance(store, &event);
            }
            return;
        }
        self.to.now(Moment::of(index));
        // That it does not fit is told by whoever has the rest, and there is no limit that is reached.
        if self.progress.add(store, &event, self.to) == ControlFlow::Continue(true) {
            self.advance(store, &event);
        }
    }

    /// Passes events of others by. `newest` is the largest time up to their end, if nothing needs to be known of each of
    /// them but what its time fires.
    #[inline]
    fn pass<S: WindowStore>(&mut self, store: &mut S, others: Range<usize>, newest: Option<Timestamp>) {
        let progress = &mut *self.progress;
        if let Some(newest) = newest {
            let watermark = progress.watermark.max(newest.saturating_sub(progress.delay));
            if watermark < store.next_advance() {
                (progress.max_event_time, progress.watermark) = (newest, watermark);
                return;
            }
        }
        self.walk(store, others);
    }

    /// Looks at events of others one by one.
    #[cold]
    fn walk<S: WindowStore>(&mut self, store: &mut S, others: Range<usize>) {
        for index in others {
            let (batch, guess) = (self.batch, Guess::default());
            let event = Event { batch, index, time: batch.times[index], arrival: 0, guess, other: None };
            if store.fits(event.time) {
                self.advance(store, &event);
            } else if self.share == Share::Rest {
                self.to.now(Moment::of(index));
                let _ = self.progress.out_of_range(&event, self.to);
            }
        }
    }

    /// Moves the watermark, and fires what it reaches.
    #[inline]
    fn advance<S: WindowStore>(&mut self, store: &mut S, event: &Event<'_>) {
        self.progress.advance_watermark(event);
        if self.progress.watermark >= store.next_advance() {
            self.to.now(Moment::after(event.index));
            store.advance(&mut self.progress.context(self.to));
        }
    }
}

/// Adds up what all shares have counted; `rest` is what the one counted that has no keys.
pub fn sum<'a>(rest: Counters, others: impl Iterator<Item = &'a Counters>) -> Counters {
    others.fold(rest, |mut sum, share| {
        let mut share = share.clone();
        sum.counts().into_iter().zip(share.counts()).for_each(|(sum, count)| *sum += *count);
        sum.open_windows += share.open_windows;
        sum.state.bytes += share.state.bytes;
        sum.state.peak += share.state.peak;
        // All have seen the same advance, and each has counted its own drops.
        if let (Some(advance), Some(other)) = (&mut sum.runaway, share.runaway) {
            advance.later_drops += other.later_drops;
        }
        sum
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::column;
    use crate::time::Span;
    use crate::time::zone::Zone;
    use crate::window::spec::WindowSpec;

    #[test]
    fn keys_are_shared_out_evenly() {
        for of in [2, 3, 5, 8] {
            let mut shares = vec![0; of];
            (0..10_000).for_each(|key| shares[Share::part(column::hash(format!("user-{key}").as_bytes()), of)] += 1);
            let even = 10_000 / of;
            assert!(shares.iter().all(|share| (even * 3 / 4..even * 5 / 4).contains(share)), "{shares:?}");
        }
    }

    /// What makes it enough to look at the first and the last of some times.
    #[test]
    fn t1_times_whose_windows_are_within_range_lie_between_two_others() {
        let lisbon = Zone::parse("Europe/Lisbon").expect("a zone");
        let specs = ["10s", "1h/7m", "10s/1h", "7d", "1w", "1mo", "1y", "3mo/1mo", "cumulate:1d/1h", "session:30m"];
        for (spec, zone) in
            specs.iter().flat_map(|spec| [(spec, &Zone::utc()), (spec, &lisbon)].map(|(s, z)| (*s, z.clone())))
        {
            let fits = |time| match WindowSpec::parse(spec, Span::ZERO, &zone).expect(spec) {
                WindowSpec::Sliced(assigner) => assigner.slice(time).is_some(),
                WindowSpec::Sessions(assigner) => assigner.window(time).is_some(),
                WindowSpec::Count(_) | WindowSpec::Global(_) => true,
            };
            const STEP: i64 = 997 * 1_000_000_000;
            let near = (0..60_000).map(|step| step * STEP);
            let times = near.clone().map(|from| i64::MIN + from).chain(near.rev().map(|from| i64::MAX - from));
            let runs: Vec<_> = times.map(|time| fits(Timestamp(time))).collect();
            let changes = runs.windows(2).filter(|pair| pair[0] != pair[1]).count();
            assert!(changes <= 2 && runs[runs.len() / 2], "{spec}: {changes} changes");
        }
    }
}
