//! What a run holds of its state: it says when a checkpoint is due, and gathers what belongs to one moment.

use super::inputs::Inputs;
use super::of_output;
use super::outputs::{Reopened, ToSync, Tracked};
use super::record::Record;
use super::writer::{Done, Job, Writer};
use crate::cli::state::StateConfig;
use crate::engine::snapshot::Pieces;
use crate::engine::{Cursor, Engine};
use crate::error::{Error, Severity};
use crate::event::{EventBatch, SourceId};
use crate::input::position::{Learnt, Position};
use crate::input::tail::position::FileBegun;
use crate::output::side::{Output, Which};
use crate::run::keeping::LastWords;
use crate::state::{Changes, PieceId};
use crossbeam_channel::Receiver;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Held rows that make a checkpoint due before its time.
const MOST_HELD: usize = 64 << 20;

/// What the thread says of a checkpoint.
pub type Written = Result<Done, Error>;

/// What a run has to do with its state.
pub struct Keeper {
    interval: Duration,
    /// Whether what is open is printed at the end of input.
    pub flushes: bool,
    /// The directory, as named to people.
    name: String,
    record: Record,
    /// How far the inputs are.
    inputs: Inputs,
    /// Merged inputs of earlier runs that this one has not, and that hold the watermark back until that is noted (T5).
    left_out: Vec<SourceId>,
    /// Bytes that the engine has taken in whole batches, in all runs.
    bytes: u64,
    outputs: Tracked,
    writer: Writer,
    /// Outputs that the writer has not heard of.
    to_sync: Option<Vec<ToSync>>,
    spare: Changes,
    /// The rows that the checkpoint under way lets out.
    under_way: Option<Vec<u8>>,
    due: Instant,
    /// Whether the state says that a run is going on.
    has_begun: bool,
    /// Whether anything has been taken since the last checkpoint.
    has_news: bool,
    is_new: bool,
    was_clean: bool,
    /// A checkpoint could not be written, and no further one can be.
    is_dead: bool,
    pauses: Pauses,
    /// Rows that the newest checkpoint has let out, and that may not have come out.
    held: Vec<u8>,
    notice: Option<String>,
    /// What was gone on from, and how long that took.
    resumed: Option<String>,
}

/// Where a run begins.
pub(super) struct Begun {
    /// The directory, as named to people.
    pub name: String,
    /// What the newest checkpoint says, or the first will.
    pub record: Record,
    /// Rows that the newest checkpoint has let out.
    pub held: Vec<u8>,
    /// Whether there is no checkpoint yet.
    pub is_new: bool,
    /// Where the inputs are.
    pub inputs: Inputs,
    /// Merged inputs of earlier runs that this one has not.
    pub left_out: Vec<SourceId>,
    /// Bytes that the engine has taken.
    pub bytes: u64,
    /// What is written.
    pub outputs: Tracked,
    /// What writes checkpoints.
    pub writer: Writer,
    /// What is to be said of the directory.
    pub notice: Option<String>,
    /// What was gone on from, and how long that took.
    pub resumed: Option<String>,
}

/// How long checkpoints have kept records waiting: gathering what has changed is on the engine's thread.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pauses {
    /// How many there were.
    pub count: u64,
    /// All of them together.
    pub total: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Pauses {
    fn note(&mut self, pause: Duration) {
        self.count += 1;
        self.total += pause;
        self.longest = self.longest.max(pause);
    }
}

/// What of a run is not in its engine or keeper.
pub struct Rest {
    /// Where inputs stand of which a batch has been taken in part.
    pub parts: Vec<(SourceId, Position)>,
    /// By stream, the local time of the last record, if its times have no year.
    pub years: Vec<(usize, i128)>,
    /// See [`Record::seen`].
    pub seen: Vec<bool>,
    /// See [`Record::known`].
    pub known: Vec<String>,
}

impl Keeper {
    /// Goes on from there at a moment.
    pub(super) fn new(state: &StateConfig, begun: Begun, now: Instant) -> Keeper {
        let Begun { name, record, held, is_new, inputs, left_out, bytes, outputs, writer, notice, resumed } = begun;
        Keeper {
            interval: state.interval,
            flushes: state.flushes,
            was_clean: record.is_clean,
            record,
            name,
            inputs,
            left_out,
            bytes,
            outputs,
            writer,
            to_sync: None,
            spare: Changes::new(),
            under_way: None,
            due: now + state.interval,
            has_begun: false,
            has_news: false,
            is_new,
            is_dead: false,
            pauses: Pauses::default(),
            held,
            notice,
            resumed,
        }
    }

    /// What the last run has found out about fields: which were there, and which there are.
    pub fn fields(&mut self) -> (Vec<bool>, Vec<String>) {
        (std::mem::take(&mut self.record.seen), std::mem::take(&mut self.record.known))
    }

    /// The local time of the last record of the stream that begins with this input, if its times have no year.
    pub fn last_time(&self, first: SourceId) -> Option<i128> {
        self.record.years.iter().find(|(id, _)| *id == first.0).map(|(_, last)| *last)
    }

    /// The names of all inputs by their ids.
    pub fn source_names(&self) -> Vec<String> {
        self.inputs.names()
    }

    /// What people should know before the run goes on.
    pub fn notes(&mut self) -> Vec<String> {
        let mut notes = std::mem::take(&mut self.outputs.notes);
        notes.extend(self.notice.take());
        notes
    }

    /// What the run goes on from, if from anything.
    pub fn resumed(&self) -> Option<&str> {
        self.resumed.as_deref()
    }

    /// A batch has been taken.
    pub fn took(&mut self, batch: &EventBatch) {
        self.has_news = true;
        self.bytes += batch.consumed;
        if let Some(trace) = self.inputs.trace(batch.source) {
            trace.took(batch);
        }
    }

    /// Bytes of a batch that the engine has taken as far as it could, if it has taken all before it; `bytes` are all that
    /// it has ever taken.
    pub fn bytes_of_part(&self, bytes: u64) -> u64 {
        bytes.saturating_sub(self.bytes)
    }

    /// The run ends in a batch, after so many bytes of it. Returns how many they are with the line end.
    pub fn took_part(&mut self, batch: &EventBatch, bytes: u64) -> u64 {
        self.has_news = true;
        self.inputs.trace(batch.source).map_or(0, |trace| trace.took_part(batch, bytes))
    }

    /// Some of a batch has been taken, and the rest waits for other inputs, or is not due yet.
    pub fn takes_on(&mut self) {
        self.has_news = true;
    }

    /// Where the input of such a batch stands; `None` if nothing of it has been taken.
    pub fn within(&self, batch: &EventBatch, cursor: &Cursor) -> Option<(SourceId, Position)> {
        let bytes = Some(cursor.bytes()).filter(|bytes| *bytes > 0)?;
        Some((batch.source, self.inputs.within(batch, bytes)?))
    }

    /// Inputs of earlier runs that hold the watermark back, and will not come any more: each is told once.
    pub fn left_out(&mut self) -> Vec<SourceId> {
        std::mem::take(&mut self.left_out)
    }

    /// Something has been found out about an input.
    pub fn learnt(&mut self, source: SourceId, learnt: Learnt) {
        if let Some(trace) = self.inputs.trace(source) {
            trace.learnt(learnt);
        }
    }

    /// A file of a followed path begins.
    pub fn begun(&mut self, source: SourceId, begun: FileBegun) {
        if let Some(trace) = self.inputs.trace(source) {
            trace.begun(begun);
        }
    }

    /// Whether nothing has been written yet, and the state does not say that a run goes on.
    pub fn is_to_begin(&self) -> bool {
        !self.has_begun
    }

    /// Makes the checkpoint that says where everything stands before the first row of this run, and writes the header.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(&mut self, engine: &mut Engine, output: &mut Output, rest: &Rest) -> Result<(), Error> {
        self.has_begun = true;
        let (needs_header, can_be_cut) = (!self.outputs.rows_continue, self.outputs.rows_can_be_cut());
        // Down a pipe the header comes first, also before rows of an earlier run.
        if needs_header && !can_be_cut {
            output.begin();
        }
        // What was let out and may not have come out stays in the state until it has.
        let held = std::mem::take(&mut self.held);
        output.release(&held);
        self.save(engine, output, rest, LastWords::Passing)?;
        self.settle(output)?;
        // Into a file nothing is written that no checkpoint knows where to cut off.
        if needs_header && can_be_cut {
            output.begin();
        }
        Ok(())
    }

    /// Whether it is time for a checkpoint.
    pub fn is_due(&self, now: Instant, output: &Output) -> bool {
        self.has_begun
            && self.has_news
            && self.under_way.is_none()
            && (now >= self.due || output.held_bytes() > MOST_HELD)
    }

    /// How long until there is one to be made, if nothing more comes.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        let waits = self.has_begun && self.has_news && self.under_way.is_none();
        waits.then(|| self.due.saturating_duration_since(now))
    }

    /// What checkpoints cost the run while it went on.
    pub fn pauses(&self) -> Pauses {
        self.pauses
    }

    /// Speaks when a checkpoint has been written.
    pub fn written(&self) -> &Receiver<Result<Done, Error>> {
        &self.writer.done
    }

    /// Makes a checkpoint of this moment, to be written while the run goes on.
    ///
    /// # Errors
    /// The outputs are not what they should be.
    pub fn pass(&mut self, engine: &mut Engine, output: &mut Output, rest: &Rest, now: Instant) -> Result<(), Error> {
        self.due = now + self.interval;
        let since = Instant::now();
        self.save(engine, output, rest, LastWords::Passing)?;
        self.pauses.note(since.elapsed());
        Ok(())
    }

    /// Makes the last checkpoint. Returns a line for people, if there is something to say.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn end(
        &mut self,
        engine: &mut Engine,
        output: &mut Output,
        rest: &Rest,
        words: LastWords,
    ) -> Result<Option<String>, Error> {
        if self.is_dead {
            return Ok(None);
        }
        self.settle(output)?;
        if !self.has_begun && !self.held.is_empty() {
            // Nothing has come, but rows of an earlier run wait.
            self.begin(engine, output, rest)?;
        }
        if !self.has_begun && !self.is_new && self.was_clean && !self.has_news {
            let nothing = format!("nothing new since the run before; the state in {} stays as it is", self.name);
            return Ok((words == LastWords::Final { of_inputs: true }).then_some(nothing));
        }
        self.has_begun = true;
        if output.held_bytes() > 0 && !output.is_stuck() {
            // They come out now. Until the state says that they have, it is no end.
            self.save(engine, output, rest, LastWords::Passing)?;
            self.settle(output)?;
        }
        self.save(engine, output, rest, words)?;
        self.settle(output)?;
        Ok(None)
    }

    /// Goes on writing to what these paths name now. The state says before that the run has come to an end, after which any
    /// output may be named: whatever happens meanwhile, no row is in a file that the state does not know.
    ///
    /// # Errors
    /// A checkpoint cannot be written.
    pub fn reopen(
        &mut self,
        engine: &mut Engine,
        output: &mut Output,
        rest: &Rest,
        files: &[(Which, PathBuf)],
    ) -> Result<(), Error> {
        self.end(engine, output, rest, LastWords::Final { of_inputs: false })?;
        for (which, path) in files {
            match self.outputs.reopen(*which, path) {
                Ok(Some(Reopened { writer, is_empty })) => output.reopen(*which, writer, is_empty),
                Ok(None) => {}
                Err(error) => output.say(Severity::Warning, &format!("{error}; it is written on as it was")),
            }
        }
        self.to_sync = Some(self.outputs.to_sync()?);
        self.save(engine, output, rest, LastWords::Passing)?;
        self.settle(output)
    }

    fn save(&mut self, engine: &mut Engine, output: &mut Output, rest: &Rest, moment: LastWords) -> Result<(), Error> {
        // Step 1 of the order of writes: all rows of this moment are the system's.
        output.flush();
        output.check()?;
        let held = output.take_held();
        let mut changes = std::mem::take(&mut self.spare);
        let head = engine.save(&mut Gather(&mut changes));
        let has_ended = |_: u32| moment == LastWords::Final { of_inputs: true };
        let record = &mut self.record;
        record.is_clean = moment != LastWords::Passing;
        record.inputs = self.inputs.records(&has_ended);
        for (source, position) in &rest.parts {
            let input = record.inputs.iter_mut().find(|input| input.id == source.0);
            input.into_iter().for_each(|input| input.position.clone_from(position));
        }
        record.named.clone_from(&self.inputs.named);
        record.outputs = self.outputs.records()?;
        let named = &self.inputs.named;
        let first = |(stream, last): &(usize, i128)| Some((*named.get(*stream)?, *last));
        record.years = rest.years.iter().filter_map(first).collect();
        record.seen.clone_from(&rest.seen);
        record.known.clone_from(&rest.known);
        // At an end of input violations have been told, and are not those of a further run.
        let of_output = of_output::save(output, moment != LastWords::Final { of_inputs: true });
        let payload = record.payload(&held, &of_output, &head)?;
        self.has_news = false;
        self.under_way = Some(held);
        self.writer.write(Job { changes, payload, outputs: self.to_sync.take() })
    }

    /// Waits for the checkpoint under way.
    fn settle(&mut self, output: &mut Output) -> Result<(), Error> {
        if self.under_way.is_none() {
            return Ok(());
        }
        let done = self.writer.done.recv().map_err(|_| Error::Defect)?;
        self.done(done, output)
    }

    /// A checkpoint has been written: rows that waited for it come out.
    ///
    /// # Errors
    /// It could not be written: the run has to end.
    pub fn done(&mut self, done: Result<Done, Error>, output: &mut Output) -> Result<(), Error> {
        let held = self.under_way.take();
        self.is_dead = done.is_err();
        let Done { changes } = done?;
        self.spare = changes;
        if let Some(held) = held.filter(|held| !held.is_empty()) {
            output.release(&held);
            self.has_news = true;
        }
        Ok(())
    }
}

/// Gathers the engine's changes.
struct Gather<'a>(&'a mut Changes);

impl Pieces for Gather<'_> {
    fn put(&mut self, group: u64, row: u64, bytes: &[u8]) {
        self.0.put(PieceId { group, row }, bytes);
    }

    fn remove(&mut self, group: u64, row: u64) {
        self.0.remove(PieceId { group, row });
    }

    fn remove_group(&mut self, group: u64) {
        self.0.remove_group(group);
    }
}
