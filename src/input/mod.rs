//! Inputs: bytes to blocks cut at record ends, blocks to batches of events. Knows no windows and
//! no aggregates.
//!
//! [`reader`] cuts, in order; [`pool`] decodes, in parallel, and hands on in order. A new format is
//! a file beside this one with `impl Decode` and a line in [`Format`].

pub mod csv;
pub mod cut;
pub mod feed;
pub mod json;
pub mod ndjson;
pub mod pool;
pub mod reader;
pub mod record;

use crate::event::{Aside, BadRecord, EventBatch, RecordSpan, TextSpan};
use record::Refusal;
use std::ops::Range;

/// An input format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// a JSON object a line
    Ndjson,
    /// comma-separated values with a header (RFC 4180)
    Csv,
}

/// What the reader knows of a block beside its bytes.
#[derive(Debug, Default)]
pub struct Layout {
    /// Where the header row begins, if it is in this block.
    pub header: Option<usize>,
    /// Lines with malformed quoting.
    pub malformed: Vec<Range<usize>>,
}

/// Makes events of a block. One per input, shared by the decoder threads.
pub trait Decode: Send + Sync {
    /// Fills the columns of a batch from its bytes.
    fn decode(&self, layout: &Layout, batch: &mut EventBatch);
}

/// Bytes of a line that is too long which its report shows.
pub const EXCERPT: usize = 256;

/// Detail of a record that is [`too_long`](crate::event::Reason::TooLong).
fn too_long(length: u64, max_line: usize) -> String {
    format!("a line of {length} bytes, and --max-line is {max_line}; its first {EXCERPT} are shown")
}

fn push_bad(batch: &mut EventBatch, mut span: RecordSpan, (reason, detail): Refusal, end: u64) {
    if reason == crate::event::Reason::TooLong {
        span.text = TextSpan { len: span.text.len.min(EXCERPT as u32), ..span.text };
    }
    batch.push_aside(Aside::Bad(Box::new(BadRecord { span, reason, detail })), end);
}
