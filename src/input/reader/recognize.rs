//! What an input is: packed or not, its format, and the record that tells its fields.

use super::{BYTE_ORDER_MARK, End, Phase, Reader, SourceReader};
use crate::error::{Error, Severity};
use crate::input::feed::Piped;
use crate::input::foreign::{self, Beginning, Foreign, Remedy};
use crate::input::ndjson::Ndjson;
use crate::input::pool::{Gone, Item};
use crate::input::position::Learnt;
use crate::input::unpack::{LONGEST_MAGIC, Packing};
use crate::input::{Decode, Format, Layout, explain};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

impl SourceReader {
    /// Finds out the format. False if more bytes are needed.
    pub(super) fn detect(&mut self, reader: &mut Reader) -> Result<bool, End> {
        let bytes = &self.batch.bytes;
        let is_all = self.is_end || self.broken.is_some();
        if bytes.len() < LONGEST_MAGIC && !is_all {
            return Ok(false);
        }
        match (Packing::of(bytes), &self.packed) {
            (Some(packing), None) if self.source.feed.is_followed() => {
                return Err(
                    self.unreadable("packed, and only plain text is followed", Remedy::Filter(packing.command()))
                );
            }
            (Some(packing), None) => return self.unpack(packing, reader),
            (Some(_), Some((outer, _))) => {
                return Err(self.unreadable("packed twice", Remedy::Filter(outer.command())));
            }
            (None, packed) => match foreign::beginning(bytes, is_all, packed.as_ref().map(|(packing, _)| *packing)) {
                Beginning::Short => return Ok(false),
                Beginning::Foreign(Foreign { what, remedy }) => return Err(self.unreadable(what, remedy)),
                Beginning::Text => {}
            },
        }
        let bytes = &self.batch.bytes;
        let mark = if bytes.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let found = reader.options.format.find(&self.source.name, &bytes[mark..], is_all);
        let Some((kind, by)) = found else { return Ok(false) };
        let format = reader.options.format.format(kind);
        self.explain(reader, || format!("read as {}, {by}", format.name()))?;
        self.batch.bytes.drain(..mark);
        self.offset += mark as u64;
        self.phase = Phase::Found(format.cutter(reader.options.max_line), format);
        self.kind = Some(kind);
        self.tell_learnt(reader, None)?;
        Ok(true)
    }

    /// Tells what a later run needs to know in order to read on.
    pub(super) fn tell_learnt(&self, reader: &mut Reader, names: Option<&[String]>) -> Result<(), Gone> {
        let Some(kind) = self.kind else { return Ok(()) };
        let (packing, time) = (self.packed.as_ref().map(|(packing, _)| *packing), reader.chosen_time.clone());
        let learnt = Learnt { kind, packing, names: names.map(<[String]>::to_vec), time };
        reader.dealer.deal(Item::Learnt(self.source.id, Box::new(learnt)))
    }

    /// Says what was found out about the input, if that is wanted.
    pub(super) fn explain(&self, reader: &mut Reader, what: impl FnOnce() -> String) -> Result<(), Gone> {
        if reader.options.explains {
            reader.say(Severity::Detail, format!("{}: {}", self.source.name, what()))?;
        }
        Ok(())
    }

    /// Reads on in what the input holds packed.
    pub(super) fn unpack(&mut self, packing: Packing, reader: &mut Reader) -> Result<bool, End> {
        self.explain(reader, || format!("{} is unpacked, by its first bytes", packing.name()))?;
        let failed = |source| End::Failed(Error::File { name: self.source.name.clone(), source });
        let begun = std::mem::take(&mut self.batch.bytes);
        let feed = std::mem::replace(&mut self.source.feed, Box::new(Piped(io::empty())));
        let taken = Arc::<AtomicU64>::default();
        self.packed = Some((packing, taken.clone()));
        self.source.feed = packing.unpack(begun, feed, taken).map_err(failed)?;
        self.is_end = false;
        Ok(false)
    }

    /// Refuses an input without any newline whose lines end with carriage returns alone, as on a Mac of long ago: all of it
    /// would be one line, and the only one of a CSV file is its header.
    pub(super) fn refuse_lone_returns(&self) -> Result<(), End> {
        let bytes = &self.batch.bytes;
        let is_whole_input = self.is_end && self.mark.is_none() && self.offset <= BYTE_ORDER_MARK.len() as u64;
        let has_lone_return = || memchr::memchr(b'\r', bytes).is_some_and(|at| at + 1 < bytes.len());
        if is_whole_input && has_lone_return() && memchr::memchr(b'\n', bytes).is_none() {
            let what = "text whose lines end with a carriage return alone";
            return Err(self.unreadable(what, Remedy::Filter("tr '\\r' '\\n'")));
        }
        Ok(())
    }

    pub(super) fn unreadable(&self, what: &'static str, remedy: Remedy) -> End {
        let name = self.source.name.clone();
        End::Failed(Error::Unreadable { what, remedy: remedy.for_input(&name), name })
    }

    /// Says what an input seems to be that begins so, and with no record.
    pub(super) fn puzzle(&self, reader: &mut Reader, begun: &[u8]) -> Result<(), Gone> {
        let is_json = matches!(&self.phase, Phase::Found(_, format) if format.name() == Ndjson.name());
        match foreign::puzzle(begun, &self.source.name) {
            Some(told) if is_json && self.offset <= BYTE_ORDER_MARK.len() as u64 => reader.say(Severity::Warning, told),
            _ => Ok(()),
        }
    }

    /// The decoder for the records up to `end`, and up to where it holds: what comes before the
    /// record that tells how to read the others goes into a block of its own, so that it is reported
    /// also if that record stops the run.
    pub(super) fn decoder(
        &mut self,
        reader: &mut Reader,
        end: usize,
        layout: &mut Layout,
    ) -> Result<(Arc<dyn Decode>, usize), End> {
        let max_line = reader.options.max_line;
        let format = match &self.phase {
            Phase::Known(_, decoder) => return Ok((decoder.clone(), end)),
            Phase::Found(_, format) => format.clone(),
            Phase::Unknown => unreachable!("blocks are cut once the format is known"),
        };
        let source = &self.source.name;
        let first = match format.first_record(&self.batch.bytes[..end], layout, max_line) {
            Some(first) if first.start == 0 => first,
            // All that comes before is blank or bad, whatever it is read for.
            later => {
                let before = format.decoder(reader.reading(&[], source))?;
                self.puzzle(reader, &self.batch.bytes[..end])?;
                return Ok((before, later.map_or(end, |first| first.start)));
            }
        };
        layout.header = first.is_header.then_some(0);
        reader.choose_time(&first.names, source)?;
        let mut first = first;
        let decoder = match (format.decoder(reader.reading(&first.names, source)), &self.names_before) {
            // A log that is rotated need not repeat its header.
            (Err(_), Some(names)) if first.is_header => {
                layout.header = None;
                first.names.clone_from(names);
                format.decoder(reader.reading(names, source))?
            }
            (decoder, _) => decoder?,
        };
        if reader.options.explains {
            let reading = reader.reading(&first.names, source);
            let times = explain::times(format.as_ref(), &reading, &self.batch.bytes[..end], layout);
            self.explain(reader, || explain::fields(&first, format.as_ref()))?;
            self.explain(reader, || times)?;
        }
        let names = first.names;
        if format.fields_vary() && !reader.names_told {
            reader.names_told = true;
            reader.dealer.deal(Item::Names(names.clone()))?;
        }
        self.tell_learnt(reader, Some(&names))?;
        self.names = Some(names);
        self.phase = match std::mem::replace(&mut self.phase, Phase::Unknown) {
            Phase::Found(cutter, _) | Phase::Known(cutter, _) => Phase::Known(cutter, decoder.clone()),
            Phase::Unknown => Phase::Unknown,
        };
        Ok((decoder, end))
    }

    /// Says so if every row was malformed, so that no header could be read: most likely it is another format.
    pub(super) fn tell_if_headless(&self, reader: &mut Reader) -> Result<(), End> {
        match &self.phase {
            Phase::Found(_, format) if self.has_content && !format.fields_vary() => {
                let name = &self.source.name;
                let note = format!("{name}: no row can be read as a header; another delimiter? (--delimiter ';')");
                Ok(reader.say(Severity::Warning, note)?)
            }
            _ => Ok(()),
        }
    }
}
