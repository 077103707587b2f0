//! Inputs: bytes to blocks cut at record ends, blocks to batches of events. Knows no windows and
//! no aggregates.
//!
//! [`reader`] cuts, in order; [`pool`] decodes, in parallel, and hands on in order. A new format is
//! a file beside this one with `impl Format`, and a line in [`detect`].

pub mod again;
pub mod combined;
pub mod csv;
pub mod cut;
pub mod detect;
mod explain;
pub mod feed;
mod filter;
pub mod foreign;
pub mod grid;
pub mod json;
pub mod lines;
pub mod logfmt;
pub mod marks;
pub mod ndjson;
pub mod pattern;
pub mod pool;
pub mod position;
pub mod reader;
pub mod record;
pub mod tail;
mod trail;
pub mod unpack;

use crate::error::Error;
use crate::event::projection::{Field, Projection};
use crate::event::{Aside, BadRecord, EventBatch, RecordSpan, TextSpan};
use cut::{Cutter, Lines};
use record::Refusal;
use std::ops::Range;
use std::sync::Arc;

/// How the records of a format are cut and read.
pub trait Format: Send + Sync {
    /// Finds record ends; line ends, unless the format knows better.
    fn cutter(&self, _max_line: usize) -> Box<dyn Cutter> {
        Box::<Lines>::default()
    }

    /// The first of whole records that tells which fields there are, if any does.
    fn first_record(&self, bytes: &[u8], layout: &Layout, max_line: usize) -> Option<FirstRecord>;

    /// A decoder for the records of an input.
    ///
    /// # Errors
    /// A field that is asked for and not there.
    fn decoder(&self, input: Reading<'_>) -> Result<Arc<dyn Decode>, Error>;

    /// What it is called, for people.
    fn name(&self) -> String;

    /// Whether each record has fields of its own, so that only the whole input tells that one was misspelt.
    fn fields_vary(&self) -> bool;
}

/// What a decoder is to read.
pub struct Reading<'a> {
    /// What is wanted of each record.
    pub projection: Arc<Projection>,
    /// The fields there are; none for what comes before the record that tells them.
    pub names: &'a [String],
    /// The input's name.
    pub source: &'a str,
    /// As in `--max-line`.
    pub max_line: usize,
}

/// The record that tells which fields there are.
#[derive(Debug)]
pub struct FirstRecord {
    /// Where it begins.
    pub start: usize,
    /// The fields' names.
    pub names: Vec<String>,
    /// Whether it is a header and no event.
    pub is_header: bool,
}

/// The places of the wanted fields among an input's columns; none where no record has told the
/// columns yet.
///
/// # Errors
/// A field that is no column, with the near miss (T10), or that two columns are called.
fn columns(Reading { projection, names, source, .. }: &Reading<'_>) -> Result<Vec<usize>, Error> {
    let column = |field: &Field| {
        let named = |is_meant: &dyn Fn(&String) -> bool| -> Vec<usize> {
            names.iter().enumerate().filter(|(_, column)| is_meant(column)).map(|(index, _)| index).collect()
        };
        let mut found = named(&|column| *column == field.name);
        if found.is_empty() {
            found = named(&|column| field.is_column(column));
        }
        match found[..] {
            [column] => Ok(column),
            [] => Err(Error::no_column(source, &field.sought(), names)),
            // Taking either would be a guess.
            _ => Err(Error::TwoColumns { source_name: (*source).into(), column: field.name.clone() }),
        }
    };
    if names.is_empty() { Ok(Vec::new()) } else { projection.fields().map(column).collect() }
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
    fn decode(&self, layout: &Layout, batch: &mut EventBatch, tools: &mut Tools);
}

/// What a decoder thread has for its own, block after block.
#[derive(Debug, Default)]
pub struct Tools {
    /// For the places of some bytes in the block at hand.
    pub marks: marks::Marks,
    /// For the cells of the block at hand.
    pub grid: grid::Grid,
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
