//! Which input of a command line is which of a state, and where reading goes on.

use super::paths::PathTrace;
use super::record::{FileId, InputRecord, Record};
use crate::cli::state::StdinResume;
use crate::error::{Error, plain};
use crate::event::{EventBatch, SourceId};
use crate::input::feed::{Feed, Piped};
use crate::input::position::{
    Ends, Learnt, Mismatch, Position, STREAM_TAIL_BYTES, TAIL_BYTES, Trace, check_file, skip,
};
use crate::input::reader::Source;
use crate::input::tail::position::FileBegun;
use crate::time::Timestamp;
use std::io::{self, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

/// An input of this run, or of an earlier one.
pub struct Tracked {
    record: InputRecord,
    /// Follows it, if this run reads it.
    trace: Option<Track>,
}

/// Follows how far an input has been processed.
pub enum Track {
    /// One input, read once.
    Input(Trace),
    /// One file after the other.
    Path(Box<PathTrace>),
}

impl Track {
    /// All of a batch has been processed.
    pub fn took(&mut self, batch: &EventBatch) {
        match self {
            Track::Input(trace) => trace.took(batch),
            Track::Path(path) => path.took(batch),
        }
    }

    /// As [`Trace::took_part`].
    pub fn took_part(&mut self, batch: &EventBatch, bytes: u64) -> u64 {
        match self {
            Track::Input(trace) => trace.took_part(batch, bytes),
            Track::Path(path) => path.took_part(batch, bytes),
        }
    }

    /// Something has been found out about it.
    pub fn learnt(&mut self, learnt: Learnt) {
        match self {
            Track::Input(trace) => trace.learnt = Some(learnt),
            Track::Path(path) => path.learnt(learnt),
        }
    }

    /// A file of it begins.
    pub fn begun(&mut self, begun: FileBegun) {
        if let Track::Path(path) = self {
            path.begun(begun);
        }
    }
}

/// All inputs, of which those of this run are being followed.
pub struct Inputs {
    /// By their ids.
    all: Vec<Tracked>,
    /// Those of this run, in the order of the command line.
    pub named: Vec<u32>,
}

/// Former inputs that are remembered, lest one that is named again be read again. Those that ended first are forgotten first.
const MOST_FORMER: usize = 1_000;

impl Inputs {
    /// Follows the inputs of a first run.
    ///
    /// # Errors
    /// A path cannot be followed.
    pub fn begin(sources: &mut [Source], now: Timestamp) -> Result<Inputs, Error> {
        let mut inputs = Inputs { all: Vec::new(), named: Vec::new() };
        for source in sources {
            inputs.add(source, now)?;
        }
        Ok(inputs)
    }

    /// Finds the inputs in the record of an earlier run and makes each begin where that one has come to. Nothing is written.
    ///
    /// # Errors
    /// One is missing, or is not what it was.
    pub fn resume(
        sources: &mut [Source],
        record: &Record,
        stdin: StdinResume,
        now: Timestamp,
    ) -> Result<Inputs, Error> {
        if let (Some(source), [_]) = (sources.iter().find(|source| source.feed.is_followed()), &record.inputs[..])
            && sources.len() > 1
        {
            return Err(Error::Refused(format!(
                "{} is followed with others now, each with a watermark of its own; the state has one (use another --state)",
                source.name
            )));
        }
        let all = record.inputs.iter().map(|record| Tracked { record: record.clone(), trace: None }).collect();
        let mut inputs = Inputs { all, named: Vec::new() };
        inputs.recall(sources);
        for source in &mut *sources {
            inputs.find(source, record.is_clean, stdin, now)?;
        }
        inputs.check_missing(record)?;
        inputs.forget_former();
        Ok(inputs)
    }

    /// The largest id there has been.
    fn next_id(&self) -> u32 {
        self.all.iter().map(|input| input.record.id + 1).max().unwrap_or(0)
    }

    fn add(&mut self, source: &mut Source, now: Timestamp) -> Result<(), Error> {
        let id = self.next_id();
        source.id = SourceId(id);
        self.named.push(id);
        let (file, base) = place(source.feed.as_ref());
        let trace = match source.feed.tail() {
            Some(tail) => {
                tail.begin().map_err(unfollowed)?;
                Track::Path(Box::new(PathTrace::new(tail.place(), tail.beside(), now.0)))
            }
            None => Track::Input(Trace::new(if file.is_some() { TAIL_BYTES } else { STREAM_TAIL_BYTES })),
        };
        let (name, position) = (source.name.clone(), Position::default());
        let record = InputRecord { id, name, file, path: None, base, position, has_ended: false };
        self.all.push(Tracked { record, trace: Some(trace) });
        Ok(())
    }

    fn find(&mut self, source: &mut Source, is_clean: bool, stdin: StdinResume, now: Timestamp) -> Result<(), Error> {
        let (file, _) = place(source.feed.as_ref());
        let find = |is_it: &dyn Fn(&InputRecord) -> bool| {
            self.all.iter().position(|input| input.trace.is_none() && is_it(&input.record))
        };
        // A file that was renamed, as when logs are rotated, is the same still; but its number may be another's by now.
        let by_file = find(&|record| record.file.is_some() && record.file == file);
        let by_file = by_file.filter(|at| self.all[*at].record.name == source.name || self.is_as_it_was(*at, source));
        match by_file.or_else(|| find(&|record| record.name == source.name)) {
            Some(at) => self.go_on(at, source, stdin),
            None if is_clean => self.add(source, now),
            None => Err(Error::Refused(format!(
                "{}: the run before did not end by itself and had no such input; run it once more as it was, then add inputs",
                source.name
            ))),
        }
    }

    fn is_as_it_was(&self, at: usize, source: &Source) -> bool {
        let InputRecord { base, position, .. } = &self.all[at].record;
        match source.feed.regular() {
            Some(file) if position.learnt.as_ref().is_none_or(|learnt| learnt.packing.is_none()) => {
                check_file(file, *base, position).is_ok()
            }
            // What is packed is checked while it is unpacked.
            found => found.is_some(),
        }
    }

    /// Lets followed paths know what has been read of each of them.
    fn recall(&self, sources: &mut [Source]) {
        for source in sources {
            let input = self.all.iter().find(|input| input.record.name == source.name);
            let path = input.and_then(|input| Some((&input.record, input.record.path.as_ref()?)));
            if let (Some(tail), Some((record, path))) = (source.feed.tail(), path) {
                tail.recall(&PathTrace::left(path, &record.position));
            }
        }
    }

    /// Makes a followed path go on where its record has come to.
    fn go_on_following(&mut self, at: usize, source: &mut Source) -> Result<(), Error> {
        let input = &mut self.all[at];
        let (Some(tail), Some(path)) = (source.feed.tail(), &input.record.path) else {
            let (was, is) = if input.record.path.is_some() {
                ("was followed", "is the same file as another one now, or none that can be followed")
            } else {
                ("was not followed", "is now")
            };
            return Err(Error::Refused(format!("{} {was}, and {is} (use another --state)", source.name)));
        };
        let position = &input.record.position;
        let place = tail.go_on(&PathTrace::left(path, position)).map_err(unfollowed)?;
        source.id = SourceId(input.record.id);
        source.start.offset = position.offset;
        source.start.lines = position.lines;
        source.start.learnt.clone_from(&position.learnt);
        input.trace = Some(Track::Path(Box::new(PathTrace::go_on(path, position, place, tail.beside()))));
        self.named.push(input.record.id);
        Ok(())
    }

    /// Makes a source begin where the record of an input has come to.
    fn go_on(&mut self, at: usize, source: &mut Source, stdin: StdinResume) -> Result<(), Error> {
        if source.feed.is_followed() || self.all[at].record.path.is_some() {
            return self.go_on_following(at, source);
        }
        let input = &mut self.all[at];
        let (file, _) = place(source.feed.as_ref());
        if file.is_some() != input.record.file.is_some() {
            let (was, is) = if file.is_some() { ("a pipe", "a file") } else { ("a file", "a pipe") };
            return Err(Error::Refused(format!(
                "{} was {was}, now it is {is}; the state goes on with the input it was made of (or use another --state)",
                source.name
            )));
        }
        let base = input.record.base;
        let position = &mut input.record.position;
        if position.offset == 0 {
            // What was found out is found out again: what stands before the first record belongs to nobody.
            position.learnt = None;
        }
        let ends = match stdin {
            StdinResume::Continue if file.is_none() => Ok(Ends::default()),
            _ => move_to(source, base, position),
        };
        let ends = ends.map_err(|mismatch| told(&source.name, file.is_none(), position, mismatch))?;
        source.id = SourceId(input.record.id);
        source.start.offset = position.offset;
        source.start.lines = position.lines;
        source.start.learnt.clone_from(&position.learnt);
        let most = if file.is_some() { TAIL_BYTES } else { STREAM_TAIL_BYTES };
        input.trace = Some(Track::Input(Trace::from(position, ends, most)));
        input.record.name.clone_from(&source.name);
        input.record.file = file;
        self.named.push(input.record.id);
        Ok(())
    }

    /// Refuses what was left out and may not be.
    fn check_missing(&self, record: &Record) -> Result<(), Error> {
        let may_be_left_out = |input: &Tracked| match record.is_clean {
            true => input.record.has_ended,
            false => !record.named.contains(&input.record.id),
        };
        let left_out = self.all.iter().find(|input| input.trace.is_none() && !may_be_left_out(input));
        if let Some(input) = left_out {
            let name = &input.record.name;
            let why = match record.is_clean {
                true if input.record.path.is_some() => "was followed, and has no end",
                true => "has not been read to its end",
                false => "was an input of the run before, which did not end by itself",
            };
            return Err(Error::Refused(format!("{name} {why}; name it again (or use another --state)")));
        }
        if !record.is_clean && self.named != record.named {
            return Err(Error::Refused(
                "the inputs come in another order than in the run before, which did not end by itself; name them as they were".into(),
            ));
        }
        Ok(())
    }

    fn forget_former(&mut self) {
        let former = self.all.iter().filter(|input| input.trace.is_none()).count();
        let mut too_many = former.saturating_sub(MOST_FORMER);
        self.all.retain(|input| {
            let goes = input.trace.is_none() && too_many > 0;
            too_many -= usize::from(goes);
            !goes
        });
    }

    /// What follows an input of this run.
    pub fn trace(&mut self, id: SourceId) -> Option<&mut Track> {
        self.all.iter_mut().find(|input| input.record.id == id.0)?.trace.as_mut()
    }

    /// Where an input stands of which so many bytes of a batch have been taken, while the rest waits for others. Followed
    /// paths are taken by whole batches.
    pub fn within(&self, batch: &EventBatch, bytes: u64) -> Option<Position> {
        let input = self.all.iter().find(|input| input.record.id == batch.source.0)?;
        match input.trace.as_ref()? {
            Track::Input(trace) => Some(trace.within(batch, bytes)),
            Track::Path(_) => None,
        }
    }

    /// The names of all inputs, by their ids.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec![String::new(); self.next_id() as usize];
        for input in &self.all {
            names[input.record.id as usize].clone_from(&input.record.name);
        }
        names
    }

    /// What a checkpoint is to say of them.
    pub fn records(&self, has_ended: &dyn Fn(u32) -> bool) -> Vec<InputRecord> {
        let record = |input: &Tracked| {
            let mut record = input.record.clone();
            match &input.trace {
                Some(Track::Input(trace)) => {
                    record.position = trace.position();
                    record.has_ended = has_ended(record.id);
                }
                Some(Track::Path(path)) => (record.position, record.path) = (path.position(), Some(path.record())),
                None => {}
            }
            record
        };
        self.all.iter().map(record).collect()
    }
}

/// A path that cannot be followed.
fn unfollowed((path, source): (PathBuf, io::Error)) -> Error {
    Error::File { name: path.display().to_string(), source }
}

/// Which file a feed is, and where it stands in it. Those of a followed path are told elsewhere.
fn place(feed: &dyn Feed) -> (Option<FileId>, u64) {
    let id = feed.identity().filter(|_| !feed.is_followed()).map(|(device, inode)| FileId { device, inode });
    (id, feed.regular().and_then(|mut file| file.stream_position().ok()).unwrap_or(0))
}

/// Moves a source to a position.
fn move_to(source: &mut Source, base: u64, position: &Position) -> Result<Ends, Mismatch> {
    let packing = position.learnt.as_ref().and_then(|learnt| learnt.packing);
    if let Some(mut file) = source.feed.regular() {
        if packing.is_none() {
            let ends = check_file(file, base, position)?;
            file.seek(SeekFrom::Start(base + position.offset))?;
            return Ok(ends);
        }
        file.seek(SeekFrom::Start(base))?;
    }
    if let Some(packing) = packing {
        let packed = std::mem::replace(&mut source.feed, Box::new(Piped(io::empty())));
        let taken = Arc::default();
        source.feed = packing.unpack(Vec::new(), packed, Arc::clone(&taken))?;
        source.start.packed = Some(taken);
    }
    skip(source.feed.as_mut(), position)
}

fn told(name: &str, is_pipe: bool, position: &Position, mismatch: Mismatch) -> Error {
    let way_out = match is_pipe {
        true => {
            "give it the same bytes once more, --stdin-resume continue if it goes on where it was, or another --state"
        }
        false => "a file that has been processed may only grow; give a new one another name, or use another --state",
    };
    let what = match mismatch {
        Mismatch::Short(length) => format!("has {length} bytes, and {} have been processed", position.offset),
        Mismatch::Head => "begins with other bytes than those that have been processed".to_owned(),
        Mismatch::Tail => {
            format!("has other bytes before byte {} than those that have been processed", position.offset)
        }
        Mismatch::Io(error) => format!("cannot be read up to where it has been processed: {}", plain(&error)),
    };
    Error::Refused(format!("{name} {what} ({way_out})"))
}
