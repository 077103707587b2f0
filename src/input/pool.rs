//! Decoder threads. Blocks are dealt out in turn and taken back in the same turn, so that batches
//! come out in the order of blocks without anybody sorting them (T9).

use super::position::Learnt;
use super::{Decode, Layout, Tools, push_bad, too_long};
use crate::error::{Error, Severity};
use crate::event::{EventBatch, Reason, RecordSpan, SourceId, TextSpan};
use crossbeam_channel::{Receiver, Sender, bounded};
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

/// Deals items out to the decoders, in turn.
pub struct Dealer {
    to: Vec<Sender<Item<Block>>>,
    next: usize,
}

/// The engine has stopped listening.
#[derive(Debug)]
pub struct Gone;

impl Dealer {
    /// Hands over the next item; waits while its decoder is busy.
    pub fn deal(&mut self, item: Item<Block>) -> Result<(), Gone> {
        let sent = self.to[self.next].send(item);
        self.next = (self.next + 1) % self.to.len();
        sent.map_err(|_| Gone)
    }
}

/// Takes items back from the decoders, in the turn they were dealt.
pub struct Collector {
    from: Vec<Receiver<Item<EventBatch>>>,
    next: usize,
    spare: Sender<EventBatch>,
    threads: Vec<JoinHandle<()>>,
}

impl Collector {
    /// Where the next item will come from.
    pub fn next(&self) -> &Receiver<Item<EventBatch>> {
        &self.from[self.next]
    }

    /// The item has been taken.
    pub fn advance(&mut self) {
        self.next = (self.next + 1) % self.from.len();
    }

    /// Whether all decoders came to their end, and none broke down. Only to be asked when the items have ended.
    pub fn ended_well(&mut self) -> bool {
        self.threads.drain(..).all(|thread| thread.join().is_ok())
    }

    /// Gives a batch back, to be filled again.
    pub fn recycle(&self, mut batch: EventBatch) {
        batch.clear();
        // The reader may have ended.
        let _ = self.spare.send(batch);
    }
}

/// Blocks that wait for all decoders together, or for the engine: enough for no thread to wait for
/// another's turn on the processor.
pub const WAITING: usize = 32;
/// Blocks that wait for each decoder at least.
const LEAST_PER_THREAD: usize = 2;
/// One block is being read, and one is in the engine.
const BESIDES: usize = 2;

/// Starts `threads` decoders, for which `waiting` blocks wait together. Batches made by `new_batch` go round: from the returned receiver
/// through dealer, decoder and collector back to it; when none is left the reader waits.
///
/// # Errors
/// If the system gives no thread.
pub fn start(
    threads: usize,
    waiting: usize,
    new_batch: impl Fn() -> EventBatch,
) -> io::Result<(Dealer, Collector, Receiver<EventBatch>)> {
    let per_thread = (waiting / threads).max(LEAST_PER_THREAD);
    let batches = threads * per_thread + BESIDES;
    let (spare_to, spare) = bounded(batches);
    for _ in 0..batches {
        let _ = spare_to.send(new_batch());
    }
    let mut dealer = Dealer { to: Vec::new(), next: 0 };
    let mut collector = Collector { from: Vec::new(), next: 0, spare: spare_to, threads: Vec::new() };
    for index in 0..threads {
        let (block_to, blocks) = bounded(per_thread);
        let (batch_to, batches) = bounded(per_thread);
        let decoder = thread::Builder::new().name(format!("decode-{index}"));
        collector.threads.push(decoder.spawn(move || run(&blocks, &batch_to))?);
        dealer.to.push(block_to);
        collector.from.push(batches);
    }
    Ok((dealer, collector, spare))
}

fn run(blocks: &Receiver<Item<Block>>, batches: &Sender<Item<EventBatch>>) {
    let mut tools = Tools::default();
    for item in blocks {
        let item = match item {
            Item::Records(block) => Item::Records(decode(block, &mut tools)),
            Item::Say(severity, text) => Item::Say(severity, text),
            Item::Names(names) => Item::Names(names),
            Item::Learnt(source, learnt) => Item::Learnt(source, learnt),
            Item::Pause(pause) => Item::Pause(pause),
            Item::Failed(error) => Item::Failed(error),
        };
        if batches.send(item).is_err() {
            return;
        }
    }
}

fn decode(block: Block, tools: &mut Tools) -> EventBatch {
    let Block { mut batch, content } = block;
    match content {
        Content::Records(layout, decoder) => decoder.decode(&layout, &mut batch, tools),
        Content::LongLine { length, lines, max_line } => {
            let text = TextSpan { start: 0, len: batch.bytes.len() as u32 };
            let end = batch.consumed;
            batch.lines = lines;
            push_bad(&mut batch, RecordSpan { text, line: 0 }, (Reason::TooLong, too_long(length, max_line)), end);
        }
    }
    batch
}
