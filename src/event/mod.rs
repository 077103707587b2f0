//! What the decoders make and the engine takes: batches of events in columns, and records that
//! would not decode.

pub mod column;
pub mod key;
pub mod number;
pub mod place;
pub mod projection;

use crate::time::Timestamp;
use column::KeyColumn;
use number::Number;

/// A place in an input: which one, in the order of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceId(pub u32);

/// A run of bytes in a batch: in its block or, from the block's end on, in its side buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextSpan {
    /// First byte.
    pub start: u32,
    /// Number of bytes.
    pub len: u32,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordSpan {
    /// Its bytes in the block, without the line end.
    pub text: TextSpan,
    /// Lines of the block before it.
    pub line: u32,
}

/// A value as it was read, for the aggregates that take any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RawValue {
    /// Missing, null or an empty cell (N2).
    #[default]
    Null,
    /// A JSON value, as written.
    Json(TextSpan),
    /// Text that is not JSON, unescaped: a CSV cell.
    Text(TextSpan),
}

/// Why a record is bad: the `reason` of its report (E2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Not a well-formed JSON object.
    Json,
    /// Nested deeper than 128.
    Depth,
    /// Not UTF-8.
    Utf8,
    /// Quoting that RFC 4180 does not know.
    Quote,
    /// More or fewer cells than the header.
    Ragged,
    /// Not a line of the format told.
    Format,
    /// Longer than `--max-line`.
    TooLong,
    /// The followed file ended within it, and what there is is no record.
    Partial,
    /// The followed file was truncated within it.
    Truncated,
    /// The event time is missing, unreadable or out of range (T1).
    Time,
    /// A key that is an object, an array or an endless number (N4, N6).
    Key,
    /// The event time is too far ahead of the newest of its source (`--max-jump`).
    Jump,
    /// The event time is too far ahead of the wall clock (`--max-future`).
    Future,
    /// A value that is not a number where one is needed (N3).
    Value,
    /// The condition of `--where` cannot be evaluated.
    Expression,
}

impl Reason {
    /// The word in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Json => "json",
            Reason::Depth => "depth",
            Reason::Utf8 => "utf8",
            Reason::Quote => "quote",
            Reason::Ragged => "ragged",
            Reason::Format => "format",
            Reason::TooLong => "too_long",
            Reason::Partial => "partial",
            Reason::Truncated => "truncated",
            Reason::Time => "time",
            Reason::Jump => "jump",
            Reason::Future => "future",
            Reason::Key => "key",
            Reason::Value => "value",
            Reason::Expression => "expression",
        }
    }
}

/// A record that is no event (E1). It is data: counted and reported, never an error of the program.
#[derive(Clone, Debug)]
pub struct BadRecord {
    /// Where it stands.
    pub span: RecordSpan,
    /// What is wrong, as a word.
    pub reason: Reason,
    /// What is wrong, for people.
    pub detail: String,
}

/// What stands between events: it is counted, and some of it reported, at its place in the order of records.
#[derive(Clone, Debug)]
pub enum Aside {
    /// So many blank lines in a row.
    Blank(u32),
    /// So many records in a row that do not pass `--where` and move nothing (`--where-first`).
    Filtered(u32),
    /// A CSV header, the first or a repeated one.
    Header,
    /// A record that would not decode.
    Bad(Box<BadRecord>),
    /// The event that follows has a local time that the clocks showed twice.
    AmbiguousTime,
    /// The event that follows is a bad record after all.
    Unplaceable(Box<BadRecord>),
    /// A record that moves the watermark and is no event (`--punctuate`).
    Punctuation(Box<Punctuation>),
}

impl Aside {
    /// How many of the events that follow belong to it.
    pub fn events(&self) -> usize {
        usize::from(matches!(self, Aside::Unplaceable(_)))
    }
}

/// A record that says how far time has come.
#[derive(Clone, Debug)]
pub struct Punctuation {
    /// Where it stands.
    pub span: RecordSpan,
    /// How far: no earlier event is to be waited for.
    pub time: Timestamp,
    /// Its partition, encoded as in [`key`]; empty without `--partition`.
    pub partition: Box<[u8]>,
}

/// An [`Aside`] and its place.
#[derive(Clone, Debug)]
pub struct PlacedAside {
    /// How many events of the batch come before it.
    pub before_event: u32,
    /// Where it ends, in bytes of the input from the block's beginning.
    pub end: u64,
    /// What it is.
    pub aside: Aside,
}

/// One decoded block: its events in columns, and the block itself, into which spans point.
#[derive(Debug)]
pub struct EventBatch {
    /// The input it was read from.
    pub source: SourceId,
    /// Where the block begins in that input, in bytes.
    pub offset: u64,
    /// The block.
    pub bytes: Vec<u8>,
    /// Text that had to be unescaped; spans from `bytes.len()` on point here.
    pub unescaped: Vec<u8>,
    /// Bytes of the input that the block stands for: more than it has where a line was too long to keep.
    pub consumed: u64,
    /// The last of these bytes, if the block has not all of them.
    pub ending: Vec<u8>,
    /// Lines of the input before the block, if reading begins with it in this run.
    pub begins_at_line: Option<u64>,
    /// Bytes of all inputs up to the block's end, as they are stored: packed ones, if they are packed.
    pub taken: u64,
    /// When the block was read, if that is the event time.
    pub arrival: Timestamp,
    /// Lines that begin in the block.
    pub lines: u32,
    /// Event times.
    pub times: Vec<Timestamp>,
    /// Where the events' records stand.
    pub records: Vec<RecordSpan>,
    /// The events' keys.
    pub keys: KeyColumn,
    /// The events' ids (`--dedup`), encoded as keys of one part; empty if nobody wants them.
    pub ids: KeyColumn,
    /// Which of them are none, because they do not pass `--where`; empty without it. They move the watermark.
    pub filtered: Vec<bool>,
    /// The events' partitions, encoded as keys are; empty without `--partition`.
    pub partitions: KeyColumn,
    /// Per field of the plan, its numbers (empty if no aggregate wants them).
    pub numbers: Vec<Vec<Option<Number>>>,
    /// Per field of the plan, its values (empty if no aggregate wants them).
    pub values: Vec<Vec<RawValue>>,
    /// What stands between the events, in order.
    pub asides: Vec<PlacedAside>,
    /// Per named field, whether any record had it.
    pub seen: Vec<bool>,
    /// Whether there is one that no record had.
    pub has_unseen: bool,
}

impl EventBatch {
    /// An empty batch for a plan with so many value fields and so many named fields in all.
    pub fn new(value_fields: usize, named_fields: usize) -> EventBatch {
        EventBatch {
            source: SourceId(0),
            offset: 0,
            bytes: Vec::new(),
            unescaped: Vec::new(),
            consumed: 0,
            ending: Vec::new(),
            begins_at_line: None,
            taken: 0,
            arrival: Timestamp::MIN,
            lines: 0,
            times: Vec::new(),
            records: Vec::new(),
            keys: KeyColumn::default(),
            ids: KeyColumn::default(),
            filtered: Vec::new(),
            partitions: KeyColumn::default(),
            numbers: vec![Vec::new(); value_fields],
            values: vec![Vec::new(); value_fields],
            asides: Vec::new(),
            seen: vec![false; named_fields],
            has_unseen: true,
        }
    }

    /// Empties the batch and keeps its memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.unescaped.clear();
        self.consumed = 0;
        self.ending.clear();
        self.begins_at_line = None;
        self.taken = 0;
        self.lines = 0;
        self.times.clear();
        self.records.clear();
        self.keys.clear();
        self.ids.clear();
        self.filtered.clear();
        self.partitions.clear();
        self.numbers.iter_mut().for_each(Vec::clear);
        self.values.iter_mut().for_each(Vec::clear);
        self.asides.clear();
        self.seen.fill(false);
        self.has_unseen = true;
    }

    /// Whether an event is none, because it does not pass `--where`.
    #[inline]
    pub fn is_filtered(&self, index: usize) -> bool {
        self.filtered.get(index).copied().unwrap_or(false)
    }

    /// Appends an event of another batch, but not where it stands, nor its partition.
    pub fn push_copy(&mut self, from: &EventBatch, index: usize) {
        self.times.push(from.times[index]);
        self.records.push(RecordSpan { text: TextSpan::default(), line: 0 });
        for (keys, theirs) in [(&mut self.keys, &from.keys), (&mut self.ids, &from.ids)] {
            if !theirs.is_empty() {
                keys.pending().extend_from_slice(theirs.get(index).0);
                keys.commit();
            }
        }
        if !from.filtered.is_empty() {
            self.filtered.push(from.is_filtered(index));
        }
        for (numbers, theirs) in self.numbers.iter_mut().zip(&from.numbers).filter(|(_, theirs)| !theirs.is_empty()) {
            numbers.push(theirs[index].clone());
        }
        for (field, theirs) in from.values.iter().enumerate().filter(|(_, theirs)| !theirs.is_empty()) {
            let value = match theirs[index] {
                RawValue::Null => RawValue::Null,
                RawValue::Json(span) => RawValue::Json(self.push_text(from.text(span))),
                RawValue::Text(span) => RawValue::Text(self.push_text(from.text(span))),
            };
            self.values[field].push(value);
        }
    }

    /// Appends text to the side buffer.
    pub(crate) fn push_text(&mut self, text: &[u8]) -> TextSpan {
        let start = (self.bytes.len() + self.unescaped.len()) as u32;
        self.unescaped.extend_from_slice(text);
        TextSpan { start, len: text.len() as u32 }
    }

    /// The bytes that a span points to.
    #[inline]
    pub fn text(&self, span: TextSpan) -> &[u8] {
        let (start, len) = (span.start as usize, span.len as usize);
        match start.checked_sub(self.bytes.len()) {
            Some(start) if len > 0 => &self.unescaped[start..start + len],
            Some(_) => &[],
            None => &self.bytes[start..start + len],
        }
    }

    /// Notes an aside after the events decoded so far. `end` is where it ends in the block.
    pub fn push_aside(&mut self, aside: Aside, end: u64) {
        let before_event = self.times.len() as u32;
        if let (Aside::Blank(more), Some(PlacedAside { before_event: at, end: last, aside: Aside::Blank(count) })) =
            (&aside, self.asides.last_mut())
            && *at == before_event
        {
            *count += more;
            *last = end;
            return;
        }
        if let (Aside::Filtered(more), Some(PlacedAside { before_event: at, end: last, aside: Aside::Filtered(count) })) =
            (&aside, self.asides.last_mut())
            && *at == before_event
        {
            *count += more;
            *last = end;
            return;
        }
        self.asides.push(PlacedAside { before_event, end, aside });
    }
}
