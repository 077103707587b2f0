//! Other orders in which the same events could have come (`--check-order`).
//!
//! An event that was ahead of the watermark where it stands arrives a random while after its time, shorter than the
//! watermark delay. Before it come only events that arrive earlier, so none that is newer by as much as the delay: it is
//! ahead of the watermark again, and no window that takes it has fired.
//!
//! An event that was not ahead of the watermark keeps the watermark it met. It follows, as in the input, the event that
//! had moved the watermark there, and that one arrives at its own time: whatever is newer arrives later. What was older
//! than this watermark when it came has come before in any order, so that the event meets the same windows and sessions,
//! fired or gone. So in all orders each window gets the same events, and the table that the rows make must be the same.

use super::guard::{Guard, GuardConfig};
use crate::event::{Aside, EventBatch};
use crate::random::Random;
use crate::time::{Span, Timestamp};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Events that are kept at most. If more arrive within the delay, all of them are let go before others may come between.
const MOST_KEPT: usize = 1 << 18;

/// Events that are handed on together.
const TOGETHER: usize = 1 << 10;

/// Changes the order of events, as far as the watermark delay lets it.
pub struct Shuffle {
    delay: Span,
    value_fields: usize,
    most_kept: usize,
    random: Random,
    guard: GuardConfig,
    /// Those of the inputs.
    guards: Vec<Guard>,
    /// The newest time so far.
    newest: Option<Timestamp>,
    /// The event that has it, and those behind its watermark, while it has not been said when it arrives.
    leader: Option<(Kept, Vec<Kept>)>,
    waiting: BinaryHeap<Reverse<(Arrival, Kept)>>,
    /// What is kept: batches of events, and how many of each have not been let go.
    batches: VecDeque<(EventBatch, usize)>,
    /// Batches before the first of them, and events in all of them.
    gone: u64,
    kept: usize,
    out: EventBatch,
    tally: Tally,
    /// The last in the order of the input that has been let go.
    last: u64,
}

/// When an event arrives; of equal ones those that follow another come last, and the rest as it happens.
type Arrival = (i128, bool, u64);

/// An event that is kept: its number in the input, its batch, its place there.
type Kept = (u64, u64, usize);

/// What has been done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Records that have a time.
    pub records: u64,
    /// Those that came after one that stands behind them.
    pub moved: u64,
    /// Those that met the watermark, and keep it.
    pub late: u64,
}

impl Shuffle {
    /// An order of events that may come so much later than their time says, with so many fields whose values are wanted.
    /// What a guard refuses, in the order of the input, does not come.
    pub fn new(delay: Span, seed: u64, guard: GuardConfig, value_fields: usize) -> Shuffle {
        Shuffle {
            delay,
            value_fields,
            most_kept: MOST_KEPT,
            random: Random::new(seed),
            guard,
            guards: Vec::new(),
            newest: None,
            leader: None,
            waiting: BinaryHeap::new(),
            batches: VecDeque::new(),
            gone: 0,
            kept: 0,
            out: EventBatch::new(value_fields, 0),
            tally: Tally::default(),
            last: 0,
        }
    }

    /// What has been done so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// Takes the next batch of the input, and hands on what has its place.
    pub fn take(&mut self, batch: &EventBatch, hand_on: &mut dyn FnMut(&EventBatch)) {
        let mut copy = EventBatch::new(self.value_fields, 0);
        let number = self.gone + self.batches.len() as u64;
        let is_bad = |index: usize| {
            let before = |aside: &crate::event::PlacedAside| (aside.before_event as usize) < index;
            let from = batch.asides.partition_point(before);
            let at = batch.asides[from..].iter().take_while(|aside| aside.before_event as usize == index);
            at.map(|placed| &placed.aside).any(|aside| matches!(aside, Aside::Unplaceable(_)))
        };
        for (index, time) in batch.times.iter().enumerate() {
            if is_bad(index) || !self.is_let_in(batch.source.0, *time) {
                continue;
            }
            let kept = (self.tally.records, number, copy.times.len());
            copy.push_copy(batch, index);
            self.place(kept, *time);
        }
        self.kept += copy.times.len();
        let left = copy.times.len();
        self.batches.push_back((copy, left));
        // What is still to come arrives later than this.
        let settled = self.newest.map_or(i128::MIN, |newest| i128::from(newest.0) - i128::from(self.delay.0));
        self.let_go(settled, hand_on);
        if self.kept > self.most_kept {
            self.let_all_go(hand_on);
        }
    }

    /// Hands on the rest.
    pub fn end(&mut self, hand_on: &mut dyn FnMut(&EventBatch)) {
        self.let_all_go(hand_on);
        if !self.out.times.is_empty() {
            hand_on(&self.out);
            self.out.clear();
        }
    }

    fn is_let_in(&mut self, source: u32, time: Timestamp) -> bool {
        self.guards.resize(self.guards.len().max(source as usize + 1), Guard::default());
        let guard = &mut self.guards[source as usize];
        guard.judge(time, Timestamp::MAX, &self.guard).is_ok()
    }

    /// Says when an event arrives.
    fn place(&mut self, kept: Kept, time: Timestamp) {
        self.tally.records += 1;
        let is_behind = |newest: &Timestamp| i128::from(time.0) + i128::from(self.delay.0) <= i128::from(newest.0);
        match self.newest {
            Some(newest) if is_behind(&newest) => {
                self.tally.late += 1;
                match &mut self.leader {
                    Some((_, followers)) => followers.push(kept),
                    // Its leader has been let go.
                    None => self.waiting.push(Reverse(((newest.0.into(), true, kept.0), kept))),
                }
            }
            Some(newest) if time <= newest => {
                let arrival = self.arrival(time);
                self.waiting.push(Reverse((arrival, kept)));
            }
            _ => {
                self.settle_leader();
                self.newest = Some(time);
                self.leader = Some((kept, Vec::new()));
            }
        }
    }

    /// The next event is newer, or there is none: who follows the newest is known.
    fn settle_leader(&mut self) {
        let (Some((leader, followers)), Some(time)) = (self.leader.take(), self.newest) else { return };
        let arrival = match followers.is_empty() {
            true => self.arrival(time),
            false => (time.0.into(), false, self.random.bits()),
        };
        self.waiting.push(Reverse((arrival, leader)));
        let follow = |kept: Kept| Reverse(((time.0.into(), true, kept.0), kept));
        self.waiting.extend(followers.into_iter().map(follow));
    }

    /// Many arrive as early or as late as can be, where mistakes would show.
    fn arrival(&mut self, time: Timestamp) -> Arrival {
        let delay = self.delay.0.unsigned_abs();
        let later = match self.random.below(4) {
            0 => 0,
            1 => delay.saturating_sub(1),
            _ => self.random.below(delay),
        };
        (i128::from(time.0) + i128::from(later), false, self.random.bits())
    }

    /// Hands on what arrives up to a moment.
    fn let_go(&mut self, until: i128, hand_on: &mut dyn FnMut(&EventBatch)) {
        while let Some(Reverse(((arrival, ..), (number, batch, index)))) = self.waiting.peek().copied()
            && arrival <= until
        {
            self.waiting.pop();
            self.tally.moved += u64::from(number < self.last);
            self.last = self.last.max(number);
            let (from, left) = &mut self.batches[(batch - self.gone) as usize];
            self.out.push_copy(from, index);
            *left -= 1;
            if self.out.times.len() >= TOGETHER {
                hand_on(&self.out);
                self.out.clear();
            }
        }
        while let Some((batch, 0)) = self.batches.front() {
            self.kept -= batch.times.len();
            self.gone += 1;
            self.batches.pop_front();
        }
    }

    fn let_all_go(&mut self, hand_on: &mut dyn FnMut(&EventBatch)) {
        self.settle_leader();
        self.let_go(i128::MAX, hand_on);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::RawValue;

    /// A batch of these times; each has its number as key and value.
    fn batch(times: &[i64], from: usize) -> EventBatch {
        let mut batch = EventBatch::new(1, 0);
        for (index, time) in times.iter().enumerate() {
            let number = (from + index).to_string();
            batch.times.push(Timestamp(*time));
            batch.records.push(crate::event::RecordSpan { text: Default::default(), line: 0 });
            crate::event::key::push_text(batch.keys.pending(), number.as_bytes());
            batch.keys.commit();
            let value = RawValue::Json(batch.push_text(number.as_bytes()));
            batch.values[0].push(value);
        }
        batch
    }

    /// The numbers of the events in another order, and what was done.
    fn shuffled(times: &[i64], delay: i64, seed: u64, most_kept: usize) -> (Vec<usize>, Tally) {
        let mut shuffle = Shuffle::new(Span(delay), seed, GuardConfig::default(), 1);
        shuffle.most_kept = most_kept;
        let mut order = Vec::new();
        let mut hand_on = |batch: &EventBatch| {
            for (index, value) in batch.values[0].iter().enumerate() {
                let RawValue::Json(span) = value else { panic!("no value") };
                let number: usize = std::str::from_utf8(batch.text(*span)).expect("text").parse().expect("a number");
                assert_eq!(batch.times[index], Timestamp(times[number]));
                let mut key = Vec::new();
                crate::event::key::push_text(&mut key, number.to_string().as_bytes());
                assert_eq!(batch.keys.get(index).0, key);
                order.push(number);
            }
        };
        for (index, times) in times.chunks(7).enumerate() {
            shuffle.take(&batch(times, 7 * index), &mut hand_on);
            assert!(shuffle.kept <= most_kept.max(7), "{} are kept", shuffle.kept);
        }
        shuffle.end(&mut hand_on);
        (order, shuffle.tally())
    }

    /// The watermark before each event, in an order.
    fn watermarks(times: &[i64], order: impl Iterator<Item = usize>, delay: i64) -> Vec<i64> {
        let (mut before, mut newest) = (vec![0; times.len()], i64::MIN / 2);
        for number in order {
            before[number] = newest - delay;
            newest = newest.max(times[number]);
        }
        before
    }

    #[test]
    fn no_event_is_later_than_where_it_stands() {
        let mut random = Random::new(3);
        let mut moved = 0;
        for round in 0..400 {
            let (delay, step) = (1 + random.below(40) as i64, 1 + random.below(6));
            let far = if round % 3 == 0 { 80 } else { delay as u64 };
            let times: Vec<i64> = (0..200u64).map(|index| (index * step) as i64 - random.below(far) as i64).collect();
            let own = watermarks(&times, 0..times.len(), delay);
            for most_kept in [usize::MAX, 30] {
                let (order, tally) = shuffled(&times, delay, round, most_kept);
                let mut sorted = order.clone();
                sorted.sort_unstable();
                assert!(sorted.into_iter().eq(0..times.len()), "each comes once");
                let other = watermarks(&times, order.iter().copied(), delay);
                for (number, time) in times.iter().enumerate() {
                    match *time > own[number] {
                        true => assert!(*time > other[number], "{number} has become late"),
                        false => assert_eq!(other[number], own[number], "{number} met another watermark"),
                    }
                }
                let late = times.iter().zip(&own).filter(|(time, watermark)| time <= watermark).count();
                assert_eq!((tally.records, tally.late), (200, late as u64));
                moved += tally.moved;
            }
        }
        assert!(moved > 20_000, "{moved}");
    }

    #[test]
    fn what_came_before_a_late_event_and_is_older_than_its_watermark_does_so_again() {
        let mut random = Random::new(4);
        for round in 0..200 {
            let times: Vec<i64> = (0..150).map(|index| index * 2 - random.below(60) as i64).collect();
            let own = watermarks(&times, 0..times.len(), 20);
            let (order, _) = shuffled(&times, 20, round, if round % 2 == 0 { usize::MAX } else { 40 });
            let mut place = vec![0; times.len()];
            order.iter().enumerate().for_each(|(at, number)| place[*number] = at);
            for late in (0..times.len()).filter(|number| times[*number] <= own[*number]) {
                for other in (0..times.len()).filter(|other| times[*other] <= own[late] && *other != late) {
                    assert_eq!(place[other] < place[late], other < late, "{other} and the late {late}");
                }
            }
        }
    }

    #[test]
    fn the_seed_says_which_order_and_a_guard_who_comes() {
        let times: Vec<i64> = (0..100).map(|index| index * 3).collect();
        let order = |seed| shuffled(&times, 30, seed, usize::MAX).0;
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
        let guard = GuardConfig { max_jump: Some(Span(10)), max_future: None };
        let mut shuffle = Shuffle::new(Span(5), 1, guard, 1);
        let mut came = Vec::new();
        let mut hand_on = |batch: &EventBatch| came.extend(batch.times.iter().map(|time| time.0));
        shuffle.take(&batch(&[0, 1, 1_000, 2, 3], 0), &mut hand_on);
        shuffle.end(&mut hand_on);
        came.sort_unstable();
        assert_eq!(came, [0, 1, 2, 3]);
    }
}
