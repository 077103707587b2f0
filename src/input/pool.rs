//! Decoder threads. Blocks are dealt out in turn and taken back in the same turn, so that batches
//! come out in the order of blocks without anybody sorting them (T9). Whoever takes them back decodes
//! some blocks as well rather than wait for them.

use super::position::Learnt;
use super::tail::position::FileBegun;
use super::{Decode, Layout, Tools, push_bad, too_long};
use crate::error::{Error, Severity};
use crate::event::{Aside, EventBatch, Reason, RecordSpan, SourceId, TextSpan};
use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Instant;

/// A block on its way to a decoder.
pub struct Block {
    /// The bytes, in a batch whose columns are empty.
    pub batch: EventBatch,
    /// What they are.
    pub content: Content,
}

/// What the bytes of a block are.
pub enum Content {
    /// Whole records, what the reader knows of them, and what decodes them.
    Records(Layout, Arc<dyn Decode>),
    /// The same of a line that its file ended in (R7).
    Unfinished(Layout, Arc<dyn Decode>),
    /// What was read of a line that is no more (R2).
    Lost,
    /// The beginning of one line that was too long to keep.
    LongLine {
        /// Its whole length.
        length: u64,
        /// How many lines it is: a row of CSV may have several.
        lines: u32,
        /// As in `--max-line`.
        max_line: usize,
    },
}

/// What comes out of the inputs, in order.
pub enum Item<B> {
    /// Records.
    Records(B),
    /// A line for people.
    Say(Severity, String),
    /// The names in the first record, to guess from what a misspelt one was meant to be.
    Names(Vec<String>),
    /// What has been found out about an input.
    Learnt(SourceId, Box<Learnt>),
    /// Of a followed path a file begins, or goes on here.
    Begun(SourceId, Box<FileBegun>),
    /// A read has begun that has to wait.
    Pause(Pause),
    /// The inputs cannot be read on.
    Failed(Error),
}

/// A read that has to wait, as nothing is there to be read.
pub struct Pause {
    /// Since when.
    pub since: Instant,
    /// Whether it still does.
    pub waits: Arc<AtomicBool>,
}

impl Pause {
    /// Whether the reader still waits; if so, all that it dealt out came before this.
    pub fn goes_on(&self) -> bool {
        self.waits.load(Ordering::SeqCst)
    }
}

/// An item and its number in the order of items.
type Numbered = (u64, Item<Block>);

/// Deals items out to the decoders, in turn.
pub struct Dealer {
    to: Vec<Sender<Numbered>>,
    next: u64,
}

/// The engine has stopped listening.
#[derive(Debug)]
pub struct Gone;

impl Dealer {
    /// Hands over the next item; waits while its decoder is busy.
    pub fn deal(&mut self, item: Item<Block>) -> Result<(), Gone> {
        let to = &self.to[turn(self.next, self.to.len())];
        let sent = to.send((self.next, item));
        self.next += 1;
        sent.map_err(|_| Gone)
    }
}

/// Whose turn an item is.
fn turn(number: u64, threads: usize) -> usize {
    (number % threads as u64) as usize
}

/// Takes items back from the decoders, in the turn they were dealt.
pub struct Collector {
    from: Vec<Receiver<Item<EventBatch>>>,
    /// The number of the item that is next.
    next: u64,
    /// What waits for each decoder.
    waiting: Vec<Receiver<Numbered>>,
    /// What has been decoded here, before its turn.
    decoded: BTreeMap<u64, Item<EventBatch>>,
    tools: Tools,
    spare: Sender<EventBatch>,
    /// Batches that have been taken and not yet given back.
    returned: Vec<EventBatch>,
    /// So many are given back together: a reader that waits for them is woken less often.
    together: usize,
    threads: Vec<JoinHandle<()>>,
}

impl Collector {
    /// Where the next item will come from, unless it [is here](Collector::has_next).
    pub fn next(&self) -> &Receiver<Item<EventBatch>> {
        &self.from[turn(self.next, self.from.len())]
    }

    /// Whether the next item has been decoded here.
    pub fn has_next(&self) -> bool {
        self.decoded.contains_key(&self.next)
    }

    /// The next item, which is then to be [passed](Collector::advance), if it is there or comes while blocks are decoded
    /// here with which no decoder has begun: where there are few processors, none is idle then while others take turns.
    ///
    /// # Errors
    /// If it is not there yet, or if there is none.
    pub fn try_next(&mut self) -> Result<Item<EventBatch>, TryRecvError> {
        loop {
            if let Some(item) = self.decoded.remove(&self.next) {
                return Ok(item);
            }
            match self.next().try_recv() {
                Err(TryRecvError::Empty) if self.decode_one() => {}
                Ok(item) => return Ok(item),
                Err(error) => {
                    // Whoever waits for us is not to be waited for.
                    self.give_back();
                    return Err(error);
                }
            }
        }
    }

    /// Decodes a block that waits, the earlier the better. False if none does.
    fn decode_one(&mut self) -> bool {
        let mut turns = (self.next..).take(self.waiting.len());
        let waiting = turns.find_map(|number| self.waiting[turn(number, self.waiting.len())].try_recv().ok());
        let Some((number, item)) = waiting else { return false };
        self.decoded.insert(number, item.decoded(&mut self.tools));
        true
    }

    /// The item has been taken.
    pub fn advance(&mut self) {
        self.next += 1;
    }

    /// Whether all decoders came to their end, and none broke down. Only to be asked when the items have ended.
    pub fn ended_well(&mut self) -> bool {
        // If one broke down, nobody is to wait for it, or for us.
        self.waiting.clear();
        self.from.clear();
        self.threads.drain(..).all(|thread| thread.join().is_ok())
    }

    /// Gives a batch back, to be filled again.
    pub fn recycle(&mut self, mut batch: EventBatch) {
        batch.clear();
        self.returned.push(batch);
        if self.returned.len() >= self.together {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        for batch in self.returned.drain(..) {
            // The reader may have ended.
            let _ = self.spare.send(batch);
        }
    }
}

/// Blocks that wait for all decoders together, or for the engine: enough for no thread to wait for
/// another's turn on the processor.
pub const WAITING: usize = 32;
/// Blocks that wait for each decoder at least.
const LEAST_PER_THREAD: usize = 2;
/// One block is being read, and one is in the engine.
const BESIDES: usize = 2;
/// Of the batches, so many parts are given back together.
const RETURNS: usize = 4;

/// Starts decoders, for which `waiting` blocks wait together: one less than `threads`, as whoever takes the batches
/// decodes too, but at least one. Batches made by `new_batch` go round: from the returned receiver
/// through dealer, decoder and collector back to it; when none is left the reader waits.
///
/// # Errors
/// If the system gives no thread.
pub fn start(
    threads: usize,
    waiting: usize,
    new_batch: impl Fn() -> EventBatch,
) -> io::Result<(Dealer, Collector, Receiver<EventBatch>)> {
    let threads = threads.saturating_sub(1).max(1);
    let per_thread = (waiting / threads).max(LEAST_PER_THREAD);
    let batches = threads * per_thread + BESIDES;
    let (spare_to, spare) = bounded(batches);
    for _ in 0..batches {
        let _ = spare_to.send(new_batch());
    }
    let mut dealer = Dealer { to: Vec::new(), next: 0 };
    let mut collector = Collector {
        from: Vec::new(),
        next: 0,
        waiting: Vec::new(),
        decoded: BTreeMap::new(),
        tools: Tools::default(),
        spare: spare_to,
        returned: Vec::new(),
        together: (batches / RETURNS).max(1),
        threads: Vec::new(),
    };
    for index in 0..threads {
        let (block_to, blocks) = bounded(per_thread);
        collector.waiting.push(blocks.clone());
        let (batch_to, batches) = bounded(per_thread);
        let decoder = thread::Builder::new().name(format!("decode-{index}"));
        collector.threads.push(decoder.spawn(move || run(&blocks, &batch_to))?);
        dealer.to.push(block_to);
        collector.from.push(batches);
    }
    Ok((dealer, collector, spare))
}

fn run(blocks: &Receiver<Numbered>, batches: &Sender<Item<EventBatch>>) {
    let mut tools = Tools::default();
    for (_, item) in blocks {
        if batches.send(item.decoded(&mut tools)).is_err() {
            return;
        }
    }
}

impl Item<Block> {
    fn decoded(self, tools: &mut Tools) -> Item<EventBatch> {
        match self {
            Item::Records(block) => Item::Records(decode(block, tools)),
            Item::Say(severity, text) => Item::Say(severity, text),
            Item::Names(names) => Item::Names(names),
            Item::Learnt(source, learnt) => Item::Learnt(source, learnt),
            Item::Begun(source, begun) => Item::Begun(source, begun),
            Item::Pause(pause) => Item::Pause(pause),
            Item::Failed(error) => Item::Failed(error),
        }
    }
}

fn decode(block: Block, tools: &mut Tools) -> EventBatch {
    let Block { mut batch, content } = block;
    match content {
        Content::Records(layout, decoder) => decoder.decode(&layout, &mut batch, tools),
        Content::Unfinished(layout, decoder) => {
            decoder.decode(&layout, &mut batch, tools);
            batch.asides.iter_mut().for_each(|placed| unfinished(&mut placed.aside));
        }
        Content::Lost => {
            let text = TextSpan { start: 0, len: batch.bytes.len() as u32 };
            let end = batch.consumed;
            batch.lines = memchr::memchr_iter(b'\n', &batch.bytes).count() as u32 + 1;
            let detail = "the file was truncated within this line".to_owned();
            push_bad(&mut batch, RecordSpan { text, line: 0 }, (Reason::Truncated, detail), end);
        }
        Content::LongLine { length, lines, max_line } => {
            let text = TextSpan { start: 0, len: batch.bytes.len() as u32 };
            let end = batch.consumed;
            batch.lines = lines;
            push_bad(&mut batch, RecordSpan { text, line: 0 }, (Reason::TooLong, too_long(length, max_line)), end);
        }
    }
    batch
}

/// A line that its file ended in is bad for that reason.
fn unfinished(aside: &mut Aside) {
    if let Aside::Bad(bad) = aside
        && bad.reason != Reason::TooLong
    {
        bad.reason = Reason::Partial;
        bad.detail = format!("the file ended within this line ({})", bad.detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t9_items_come_back_in_order_whoever_decodes_them() {
        const COUNT: usize = 2000;
        for threads in [1, 2, 5] {
            let (mut dealer, mut collector, _spare) = start(threads, 8, || EventBatch::new(0, 1)).expect("threads");
            let dealing = thread::spawn(move || {
                (0..COUNT).all(|number| dealer.deal(Item::Say(Severity::Note, number.to_string())).is_ok())
            });
            let mut taken = 0;
            loop {
                let item = match collector.try_next() {
                    Ok(item) => item,
                    Err(TryRecvError::Disconnected) => break,
                    Err(TryRecvError::Empty) => {
                        assert!(!collector.has_next());
                        let Ok(item) = collector.next().recv() else { break };
                        item
                    }
                };
                collector.advance();
                assert!(matches!(item, Item::Say(_, text) if text == taken.to_string()), "item {taken}");
                taken += 1;
            }
            assert_eq!(taken, COUNT);
            assert!(collector.ended_well() && dealing.join().expect("the dealer"));
        }
    }
}
