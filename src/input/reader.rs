//! Reads inputs one after the other, finds out what they are, and cuts them into blocks of whole records.

use super::cut::{Cut, Cutter};
use super::detect::{FormatOptions, Kind};
use super::feed::Feed;
use super::pool::{Block, Content, Dealer, Gone, Item, Pause};
use super::position::Learnt;
use super::tail::Mark;
use super::unpack::Packing;
use super::{Decode, Format, Layout, Reading};
use crate::error::{Error, Severity, TIME_FIELDS};
use crate::event::projection::{Field, Projection};
use crate::event::{EventBatch, SourceId};
use crate::time::Timestamp;
use crossbeam_channel::Receiver;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

mod follow;
mod long_line;
mod recognize;

/// An opened input.
pub struct Source {
    /// By which its records are known.
    pub id: SourceId,
    /// As named on the command line; `-` is stdin.
    pub name: String,
    /// Its bytes, from the start on.
    pub feed: Box<dyn Feed>,
    /// Where they begin.
    pub start: Start,
}

/// Where reading begins: at the beginning, unless an earlier run has come farther.
#[derive(Default)]
pub struct Start {
    /// Bytes before it.
    pub offset: u64,
    /// Lines before it.
    pub lines: u64,
    /// What these have told.
    pub learnt: Option<Learnt>,
    /// Counts the packed bytes taken, if the feed has been unpacked already.
    pub packed: Option<Arc<AtomicU64>>,
}

/// How inputs are read.
#[derive(Clone)]
pub struct ReadOptions {
    /// How formats are found.
    pub format: FormatOptions,
    /// Longest line in bytes, without its end.
    pub max_line: usize,
    /// Bytes to read before a block is cut.
    pub block_size: usize,
    /// Whether to say what was found out about each input (`-v`).
    pub explains: bool,
    /// Whether a last line without its end is left to a later run, in which it may be longer.
    pub leaves_open_line: bool,
    /// Whether to tell of reads that have to wait (`--idle-timeout`).
    pub tells_pauses: bool,
}

/// What the reader asks the time of.
pub struct ReadClock {
    /// The moment it is.
    pub now: Box<dyn Fn() -> Instant + Send>,
    /// What the wall clock says.
    pub wall: Box<dyn Fn() -> Timestamp + Send>,
}

/// Lines of a block at the most: each may cost far more in its batch than the bytes it has.
const MOST_LINES: usize = 8192;

/// Stands before UTF-8 text now and then.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Bytes asked of a live input at once: what a pipe holds by default.
const LIVE_READ: usize = 64 << 10;

/// Reads all inputs.
pub struct Reader {
    options: ReadOptions,
    projection: Arc<Projection>,
    /// Whether the event-time field is settled.
    time_is_known: bool,
    /// The event-time field, if it was chosen here or in an earlier run.
    chosen_time: Option<String>,
    spare: Receiver<EventBatch>,
    dealer: Dealer,
    names_told: bool,
    /// Bytes of the inputs before the one at hand, as they are stored.
    taken_before: u64,
    clock: ReadClock,
    /// When bytes were read last, if that counts; it does not go back, whatever becomes of the wall clock.
    arrival: Timestamp,
    /// Whether a read has to wait.
    waits: Arc<AtomicBool>,
}

/// Why reading ended early.
enum End {
    /// Nobody takes the blocks.
    Gone,
    /// An input cannot be read.
    Failed(Error),
}

impl From<Gone> for End {
    fn from(_: Gone) -> Self {
        End::Gone
    }
}

impl Reader {
    /// A reader that fills spare batches and deals them out. Unless the event-time field was
    /// given, the first record decides which it is.
    pub fn new(
        options: ReadOptions,
        projection: Projection,
        time_is_given: bool,
        spare: Receiver<EventBatch>,
        dealer: Dealer,
        clock: ReadClock,
    ) -> Reader {
        Reader {
            options,
            projection: Arc::new(projection),
            time_is_known: time_is_given,
            chosen_time: None,
            spare,
            dealer,
            names_told: false,
            taken_before: 0,
            clock,
            arrival: Timestamp::MIN,
            waits: Arc::default(),
        }
    }

    /// Reads the inputs in the order given. What goes wrong is dealt out in its place.
    pub fn run(mut self, sources: Vec<Source>) {
        let chosen = sources.iter().find_map(|source| source.start.learnt.as_ref()?.time.clone());
        if let Some(name) = chosen.filter(|_| !self.time_is_known) {
            self.settle_time(&name);
        }
        for source in sources {
            let read = match self.spare.recv() {
                Ok(batch) => self.read(source, batch),
                Err(_) => return,
            };
            match read {
                Ok(()) => {}
                Err(End::Gone) => return,
                Err(End::Failed(error)) => {
                    let _ = self.dealer.deal(Item::Failed(error));
                    return;
                }
            }
        }
    }

    fn read(&mut self, source: Source, batch: EventBatch) -> Result<(), End> {
        if source.feed.is_followed() {
            return self.follow(source, batch);
        }
        SourceReader::new(source, batch, self)?.read(self)
    }

    /// A line for people, at its place among the records.
    fn say(&mut self, severity: Severity, text: String) -> Result<(), Gone> {
        self.dealer.deal(Item::Say(severity, text))
    }

    /// Tells that the next read has to wait.
    fn pause(&mut self) -> Result<(), Gone> {
        self.waits.store(true, Ordering::SeqCst);
        self.dealer.deal(Item::Pause(Pause { since: (self.clock.now)(), waits: self.waits.clone() }))
    }

    fn reading<'a>(&self, names: &'a [String], source: &'a str) -> Reading<'a> {
        Reading { projection: self.projection.clone(), names, source, max_line: self.options.max_line }
    }

    /// Settles which field is the event time, if it was not given, by the names of the first record.
    fn choose_time(&mut self, names: &[String], source: &str) -> Result<(), End> {
        if self.time_is_known {
            return Ok(());
        }
        let Some(name) = TIME_FIELDS.into_iter().find(|candidate| names.iter().any(|name| name == candidate)) else {
            return Err(End::Failed(Error::NoTimeField { source_name: source.into(), names: names.to_vec() }));
        };
        self.settle_time(name);
        Ok(self.say(Severity::Note, format!("the event time is \"{name}\" (choose another with -t)"))?)
    }
}

impl Reader {
    fn settle_time(&mut self, name: &str) {
        let field = Field { name: name.into(), path: vec![name.into()], is_name: true };
        self.projection = Arc::new(Projection { time: field, ..(*self.projection).clone() });
        self.time_is_known = true;
        self.chosen_time = Some(name.to_owned());
    }
}

/// What is known of an input.
enum Phase {
    /// Nothing yet.
    Unknown,
    /// The format; the record that tells the fields is still to come.
    Found(Box<dyn Cutter>, Arc<dyn Format>),
    /// All that is needed to cut and decode.
    Known(Box<dyn Cutter>, Arc<dyn Decode>),
}

/// One input being read.
struct SourceReader {
    source: Source,
    phase: Phase,
    /// The format, once it is known.
    kind: Option<Kind>,
    /// Holds in its bytes what has been read and not yet cut off.
    batch: EventBatch,
    /// How many of these bytes the cutter has seen.
    shown: usize,
    /// Where these bytes begin in the input.
    offset: u64,
    /// Whether nothing has been dealt out yet.
    begins: bool,
    is_end: bool,
    /// Whether anything but blank lines has come.
    has_content: bool,
    /// The compression that the bytes come out of, and the packed bytes taken.
    packed: Option<(Packing, Arc<AtomicU64>)>,
    /// Why the input cannot be read on, once what was whole before it has been dealt out.
    broken: Option<Error>,
    /// What reading has come to that is no byte, once what was before it has been dealt out.
    mark: Option<Mark>,
    /// The columns or fields, once they are known.
    names: Option<Vec<String>>,
    /// Those of the file that the path named before.
    names_before: Option<Vec<String>>,
}

impl SourceReader {
    fn new(mut source: Source, batch: EventBatch, reader: &Reader) -> Result<SourceReader, End> {
        let Start { offset, lines, learnt, packed } = std::mem::take(&mut source.start);
        source.start.lines = lines;
        let mut phase = Phase::Unknown;
        if let Some(learnt) = &learnt {
            let format = reader.options.format.format(learnt.kind);
            let cutter = format.cutter(reader.options.max_line);
            phase = match &learnt.names {
                Some(names) => Phase::Known(cutter, format.decoder(reader.reading(names, &source.name))?),
                None => Phase::Found(cutter, format),
            };
        }
        let packing = learnt.as_ref().and_then(|learnt| learnt.packing);
        let names = learnt.as_ref().and_then(|learnt| learnt.names.clone());
        Ok(SourceReader {
            source,
            phase,
            kind: learnt.map(|learnt| learnt.kind),
            batch,
            shown: 0,
            offset,
            begins: true,
            is_end: false,
            has_content: false,
            packed: packing.zip(packed),
            broken: None,
            mark: None,
            names,
            names_before: None,
        })
    }

    fn read(&mut self, reader: &mut Reader) -> Result<(), End> {
        loop {
            self.fill(reader)?;
            let is_unknown = matches!(self.phase, Phase::Unknown) && !self.has_ended_empty();
            if is_unknown && !self.detect(reader)? && self.broken.is_none() {
                continue;
            }
            self.refuse_lone_returns()?;
            self.cut(reader)?;
            self.skip_long_line(reader)?;
            if let Some(error) = self.broken.take() {
                return Err(End::Failed(error));
            }
            if self.is_end && !self.goes_on_after_hole() {
                reader.taken_before += self.taken();
                if !self.batch.bytes.is_empty() && !matches!(self.phase, Phase::Unknown) {
                    self.tell_open_line(reader)?;
                }
                return self.tell_if_headless(reader);
            }
        }
    }

    fn tell_open_line(&self, reader: &mut Reader) -> Result<(), End> {
        let name = &self.source.name;
        let note = format!("{name}: its last line has no line end yet and waits for the next run (--flush takes it)");
        Ok(reader.say(Severity::Note, note)?)
    }

    /// Bytes of the input that have been dealt out, as they are stored. Of packed ones, those that have been read.
    fn taken(&self) -> u64 {
        self.packed.as_ref().map_or(self.offset, |(_, taken)| taken.load(Ordering::Relaxed))
    }

    /// Reads until there is a block, or until the input pauses or ends.
    fn fill(&mut self, reader: &mut Reader) -> Result<(), End> {
        let (is_live, block_size) = (self.source.feed.is_live(), reader.options.block_size);
        if reader.options.tells_pauses && is_live && !self.source.feed.is_ready() {
            reader.pause()?;
        }
        let goal = (self.batch.bytes.len() + 1).next_multiple_of(block_size);
        loop {
            let most = (goal - self.batch.bytes.len()).min(if is_live { LIVE_READ } else { block_size });
            let read = self.source.feed.append(&mut self.batch.bytes, most);
            reader.waits.store(false, Ordering::SeqCst);
            if reader.projection.time_is_arrival {
                reader.arrival = reader.arrival.max((reader.clock.wall)());
            }
            match read {
                Ok(0) => return self.heed_mark(reader),
                Ok(_) if self.batch.bytes.len() < goal && self.source.feed.is_ready() => {}
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => {
                    self.broken = Some(Error::File { name: self.source.name.clone(), source });
                    return Ok(());
                }
            }
        }
    }

    /// Cuts off whole records and deals them out.
    fn cut(&mut self, reader: &mut Reader) -> Result<(), End> {
        if self.mark.is_some() {
            return self.cut_at_mark(reader);
        }
        self.cut_records(reader, self.is_end && !self.leaves_open_line(reader))
    }

    fn cut_records(&mut self, reader: &mut Reader, is_end: bool) -> Result<(), End> {
        loop {
            let (Phase::Found(cutter, _) | Phase::Known(cutter, _)) = &mut self.phase else {
                return Ok(());
            };
            let all = self.batch.bytes.len();
            self.shown += few_lines(&self.batch.bytes[self.shown..]);
            let Cut { end, malformed } = cutter.cut(&self.batch.bytes[..self.shown], is_end && self.shown == all);
            if end == 0 && self.shown == all {
                return Ok(());
            }
            if end == 0 {
                continue;
            }
            self.has_content |= has_content(&self.batch.bytes[..end]);
            let mut layout = Layout { malformed, ..Layout::default() };
            let (decoder, known_to) = self.decoder(reader, end, &mut layout)?;
            self.cutter(|cutter| if known_to < end { cutter.reset() } else { cutter.take(end) });
            self.shown = if known_to < end { 0 } else { self.shown - end };
            layout.malformed.retain(|line| line.start < known_to);
            let block = self.next_batch(reader, known_to)?;
            let content = if is_end && self.mark.is_some() { Content::Unfinished } else { Content::Records };
            self.deal(reader, block, known_to as u64, content(layout, decoder))?;
        }
    }

    /// Whether a last line without its end is no record yet: its rest may be on the way. What is packed is finished.
    fn leaves_open_line(&self, reader: &Reader) -> bool {
        reader.options.leaves_open_line && self.packed.is_none()
    }

    fn cutter(&mut self, act: impl FnOnce(&mut dyn Cutter)) {
        match &mut self.phase {
            Phase::Found(cutter, _) | Phase::Known(cutter, _) => act(cutter.as_mut()),
            Phase::Unknown => {}
        }
    }

    /// Leaves the first `end` bytes in the batch at hand and takes a new one with the rest.
    fn next_batch(&mut self, reader: &Reader, end: usize) -> Result<EventBatch, End> {
        let mut next = reader.spare.recv().map_err(|_| Gone)?;
        next.bytes.extend_from_slice(&self.batch.bytes[end..]);
        self.batch.bytes.truncate(end);
        Ok(std::mem::replace(&mut self.batch, next))
    }

    fn deal(&mut self, reader: &mut Reader, mut batch: EventBatch, consumed: u64, content: Content) -> Result<(), End> {
        batch.source = self.source.id;
        batch.begins_at_line = std::mem::take(&mut self.begins).then_some(self.source.start.lines);
        batch.offset = self.offset;
        batch.consumed = consumed;
        batch.arrival = reader.arrival;
        self.offset += consumed;
        batch.taken = reader.taken_before + self.taken();
        Ok(reader.dealer.deal(Item::Records(Block { batch, content }))?)
    }
}

/// How many of the bytes make up at most [`MOST_LINES`] lines; the last may not be whole.
fn few_lines(bytes: &[u8]) -> usize {
    let mut ends = memchr::memchr_iter(b'\n', bytes);
    match ends.clone().count() {
        ..MOST_LINES => bytes.len(),
        _ => ends.nth(MOST_LINES - 1).map_or(bytes.len(), |at| at + 1),
    }
}

/// Whether there is anything but blanks and line ends.
fn has_content(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| !matches!(byte, b' ' | b'\r' | b'\n'))
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        End::Failed(error)
    }
}
