//! Windows without bounds (T8): so many events of a key, or all of them. Nothing is ever late for them.

use super::cell::Cell;
use super::keys::KeyId;
use super::pane::{Events, Timing};
use super::running::Updates;
use super::snapshot::Rows;
use super::{Context, Event, Placement, WindowStore};
use crate::time::Timestamp;
use crate::window::Window;
use crate::window::every::Every;

/// When a window without bounds prints.
#[derive(Clone, Debug)]
pub enum Rule {
    /// After so many events, and then begins anew (`count:N`).
    Full(u64),
    /// By its trigger, if it has one (`global`).
    Trigger(Option<Every>),
}

/// The windows of all keys.
#[derive(Debug)]
pub struct UnboundedStore {
    rule: Rule,
    pub(super) updates: Updates,
    pub(super) by_key: Rows<Bucket>,
    /// The watermark at which a trigger by time prints next.
    pub(super) next_moment: Timestamp,
}

/// The events of a key since it last began.
#[derive(Debug)]
pub(super) struct Bucket {
    /// What they come to.
    pub cell: Cell,
    /// Times of the first and the last event.
    pub extent: Option<Window>,
    /// Count windows so far.
    pub seq: u64,
}

/// What a bucket takes beside its cell.
pub(super) const BUCKET_BYTES: usize = size_of::<(KeyId, Bucket)>();

impl UnboundedStore {
    /// No events yet.
    pub fn new(rule: Rule, updates: Updates) -> UnboundedStore {
        let next_moment = match &rule {
            Rule::Trigger(Some(Every::Moments(_))) => Timestamp::MIN,
            _ => Timestamp::MAX,
        };
        UnboundedStore { rule, updates, by_key: Rows::default(), next_moment }
    }

    fn print(&mut self, (id, row): (KeyId, usize), timing: Timing, is_partial: bool, cx: &mut Context<'_>) {
        let is_count = matches!(self.rule, Rule::Full(_));
        let (bucket, _) = self.by_key.change(row);
        let Some(window) = bucket.extent else { return };
        let seq = is_count.then_some(bucket.seq);
        bucket.cell.print((window, Some(Events { seq, is_partial })), id, timing, &[], cx);
        if is_count {
            *bucket = Bucket { cell: Cell::new(cx.plan, self.updates), extent: None, seq: bucket.seq + 1 };
        }
    }

    /// Prints the keys that have news, in order.
    fn print_all(&mut self, timing: Timing, cx: &mut Context<'_>) {
        let is_partial = matches!(self.rule, Rule::Full(_));
        let with_news = self.by_key.iter().zip(0..).filter(|((_, bucket), _)| bucket.cell.since > 0);
        let mut rows: Vec<(KeyId, usize)> = with_news.map(|((id, _), row)| (id, row)).collect();
        rows.sort_unstable_by(|(a, _), (b, _)| cx.keys.bytes(*a).cmp(cx.keys.bytes(*b)));
        for row in rows {
            self.print(row, timing, is_partial, cx);
        }
    }
}

impl WindowStore for UnboundedStore {
    fn add(&mut self, event: &Event<'_>, cx: &mut Context<'_>) -> Option<Placement> {
        let (key, hash) = event.key();
        let id = cx.keys.intern(key, hash, event.guess);
        let updates = self.updates;
        let row = self.by_key.row_of(id, || {
            cx.keys.hold(id);
            cx.keys.size.grow(BUCKET_BYTES + Cell::bytes(cx.plan, updates));
            Bucket { cell: Cell::new(cx.plan, updates), extent: None, seq: 0 }
        });
        let (bucket, _) = self.by_key.change(row);
        bucket.cell.add(event, cx.plan);
        let own = Window { start: event.time, end: event.time };
        bucket.extent = Some(bucket.extent.map_or(own, |extent| extent.cover(&own)));
        match self.rule {
            Rule::Full(size) if bucket.cell.since == size => self.print((id, row), Timing::OnTime, false, cx),
            Rule::Trigger(Some(Every::Events(count))) if bucket.cell.since == count => {
                self.print((id, row), Timing::Early, false, cx);
            }
            Rule::Full(_) | Rule::Trigger(_) => {}
        }
        Some(Placement::Added)
    }

    fn fits(&self, _time: Timestamp) -> bool {
        true
    }

    fn last_end(&self, _time: Timestamp) -> Option<Timestamp> {
        None
    }

    fn announce(&mut self, cx: &mut Context<'_>) {
        if let Rule::Trigger(Some(Every::Moments(moments))) = &self.rule
            && cx.watermark >= self.next_moment
        {
            // The first watermark is no moment passed.
            let is_first = self.next_moment == Timestamp::MIN;
            self.next_moment = moments.next_after(cx.watermark);
            if !is_first {
                self.print_all(Timing::Early, cx);
            }
        }
    }

    fn prepare(&mut self, _cx: &mut Context<'_>) {}

    fn next_due(&self, _cx: &Context<'_>) -> Option<Window> {
        None
    }

    fn fire_next(&mut self, _cx: &mut Context<'_>) {}

    fn settle(&mut self, _cx: &mut Context<'_>) {}

    fn finish(&mut self, cx: &mut Context<'_>) {
        self.print_all(Timing::OnTime, cx);
    }

    fn next_advance(&self) -> Timestamp {
        self.next_moment
    }

    fn open_windows(&self) -> u64 {
        self.by_key.iter().filter(|(_, bucket)| bucket.cell.since > 0).count() as u64
    }

    fn last_open_end(&self) -> Option<Timestamp> {
        None
    }
}
