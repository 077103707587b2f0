//! Reading a followed path: one file after the other, each with its own header and format (T10), and the unfinished
//! lines at their ends (R2, R7).

use super::{End, LIVE_READ, Phase, Reader, Source, SourceReader, Start};
use crate::error::Error;
use crate::event::EventBatch;
use crate::input::Layout;
use crate::input::pool::{Content, Item};
use crate::input::tail::Mark;
use std::io;
use std::sync::atomic::Ordering;

impl Reader {
    /// Reads the files that a path names one after the other, until nobody wants more.
    pub(super) fn follow(&mut self, mut source: Source, mut batch: EventBatch) -> Result<(), End> {
        let mut start = Some(std::mem::take(&mut source.start));
        let mut names = start.as_ref().and_then(|start| start.learnt.as_ref()?.names.clone());
        while let Some((offset, shown)) = self.next_file(&mut source, &mut batch)? {
            let resumed = start.take().filter(|start| offset > 0 && start.offset == offset);
            source.start = resumed.unwrap_or(Start { offset, ..Start::default() });
            let mut file = SourceReader::new(source, batch, self)?;
            file.names_before = names.take();
            if matches!(file.phase, Phase::Unknown) && !shown.is_empty() {
                file.learn(&shown, self)?;
            }
            file.read(self)?;
            names = file.names.or(file.names_before);
            (source, batch) = (file.source, file.batch);
            batch.bytes.clear();
            if file.mark.is_none() {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Waits for the next file: where in it reading begins, and how it begins if that is further on.
    fn next_file(&mut self, source: &mut Source, batch: &mut EventBatch) -> Result<Option<(u64, Vec<u8>)>, End> {
        loop {
            if self.options.tells_pauses {
                self.pause()?;
            }
            let read = source.feed.append(&mut batch.bytes, LIVE_READ);
            self.waits.store(false, Ordering::SeqCst);
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(End::Failed(Error::File { name: source.name.clone(), source: error })),
                Ok(_) => {}
            }
            match source.feed.take_mark() {
                Some(Mark::Begin { offset, begun, shown }) => {
                    self.dealer.deal(Item::Begun(source.id, begun))?;
                    return Ok(Some((offset, shown)));
                }
                Some(Mark::Say(severity, text)) => self.say(severity, text)?,
                Some(Mark::End | Mark::Truncated | Mark::Hole(_)) => {}
                None => return Ok(None),
            }
        }
    }
}

impl SourceReader {
    /// Learns the format and the header from how the file begins; reading itself begins further on.
    fn learn(&mut self, shown: &[u8], reader: &mut Reader) -> Result<(), End> {
        let whole = memchr::memrchr(b'\n', shown).map_or(shown, |end| &shown[..=end]);
        let text = whole.strip_prefix(super::BYTE_ORDER_MARK).unwrap_or(whole);
        let Some((kind, _)) = reader.options.format.find(&self.source.name, text, true) else { return Ok(()) };
        let max_line = reader.options.max_line;
        let format = reader.options.format.format(kind);
        let cutter = format.cutter(max_line);
        self.kind = Some(kind);
        match format.first_record(text, &Layout::default(), max_line).filter(|first| first.is_header) {
            None => self.phase = Phase::Found(cutter, format),
            Some(first) => {
                reader.choose_time(&first.names, &self.source.name)?;
                let decoder = format.decoder(reader.reading(&first.names, &self.source.name))?;
                self.tell_learnt(reader, Some(&first.names))?;
                self.names = Some(first.names);
                self.phase = Phase::Known(cutter, decoder);
            }
        }
        Ok(())
    }

    /// A read gave nothing: the input has ended, or a followed file has, or there is something else to be heeded.
    pub(super) fn heed_mark(&mut self, reader: &mut Reader) -> Result<(), End> {
        match self.source.feed.take_mark() {
            Some(Mark::Say(severity, text)) => reader.say(severity, text)?,
            mark => (self.mark, self.is_end) = (mark, true),
        }
        Ok(())
    }

    /// Whether a followed file has ended, and there is nothing of it that has not been dealt out.
    pub(super) fn has_ended_empty(&self) -> bool {
        self.mark.is_some() && self.batch.bytes.is_empty()
    }

    /// Goes on behind a hole, if that is what reading has come to.
    pub(super) fn goes_on_after_hole(&mut self) -> bool {
        let Some(Mark::Hole(length)) = self.mark else { return false };
        self.offset += length;
        (self.mark, self.is_end, self.shown) = (None, false, 0);
        self.cutter(|cutter| cutter.reset());
        true
    }

    /// Deals out whole records, and then a line that was not finished and will not be: as a record if it is one, and
    /// as lost if the file was emptied.
    pub(super) fn cut_at_mark(&mut self, reader: &mut Reader) -> Result<(), End> {
        self.cut_records(reader, false)?;
        if self.mark != Some(Mark::Truncated) {
            return self.cut_records(reader, true);
        }
        let rest = self.batch.bytes.len();
        if rest == 0 {
            return Ok(());
        }
        let lost = self.next_batch(reader, rest)?;
        self.cutter(|cutter| cutter.reset());
        self.shown = 0;
        self.deal(reader, lost, rest as u64, Content::Lost)
    }
}
