//! What goes to stderr: reports as JSON lines (E2), and lines for people.

use super::finally::Judgement;
use super::gate::Gate;
use super::junit::Outcome;
use super::paint::Paint;
use super::rows::Rows;
use super::sink::Sink;
use super::summary::{Figures, of_input, per_window};
use super::text::{for_people, json_key, json_string, json_time};
use super::{Encoder, RowShape};
use crate::engine::fired::Fired;
use crate::engine::pane::{Emit, LateDrop, Pane, RecordRef};
use crate::engine::report::TakeRows;
use crate::error::{Error, Severity};
use crate::event::BadRecord;
use crate::metrics::{Advance, Counters};
use crate::time::Timestamp;
use crate::time::format::TimeStyle;
use crossbeam_channel::Select;
use std::io::Write;
use std::time::Duration;

/// All that a run writes.
pub struct Output {
    rows: Rows,
    stderr: Sink,
    /// Instead of stderr (`--late`).
    late: Option<Sink>,
    /// Instead of stderr (`--bad`).
    bad: Option<Sink>,
    time_style: TimeStyle,
    /// The windows as given, if there are several.
    windows: Vec<String>,
    voice: Voice,
    sources: Vec<String>,
    /// What looks at rows on their way, if anything does.
    gate: Option<Gate>,
    /// Why no row can follow any more.
    failure: Option<String>,
}

/// How lines for people are told.
#[derive(Clone, Copy, Debug)]
pub struct Voice {
    /// Those that matter less are left out (`-v`, `-q`).
    pub least: Severity,
    /// The colour of their beginnings.
    pub paint: Paint,
}

/// Where things go.
pub struct Sinks {
    /// The rows.
    pub rows: Sink,
    /// Reports and lines for people.
    pub stderr: Sink,
    /// Late drops, if not to stderr.
    pub late: Option<Sink>,
    /// Bad records, if not to stderr.
    pub bad: Option<Sink>,
}

/// What is written into files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Rows (`--output`).
    Rows,
    /// Late drops (`--late`).
    Late,
    /// Bad records (`--bad`).
    Bad,
}

impl Output {
    /// Writes rows of a shape with an encoder. `sources` are the inputs' names.
    pub fn new(
        encoder: Box<dyn Encoder>,
        shape: &RowShape,
        sinks: Sinks,
        sources: Vec<String>,
        voice: Voice,
    ) -> Output {
        let Sinks { rows, stderr, late, bad } = sinks;
        let (time_style, windows) = (shape.time_style.clone(), shape.windows.clone());
        let rows = Rows::new(encoder, rows);
        Output { rows, stderr, late, bad, time_style, windows, voice, sources, gate: None, failure: None }
    }

    /// Lets a thread of its own write rows where there are many at once.
    pub fn share_rows(&mut self) {
        self.rows.may_leave();
    }

    /// Has something look at rows on their way.
    pub fn set_gate(&mut self, gate: Gate) {
        self.gate = Some(gate);
    }

    /// Why no row can follow any more, if a check is to blame.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    /// What looks at rows on their way.
    pub fn gate(&self) -> Option<&Gate> {
        self.gate.as_ref()
    }

    /// Checks the summary, unless the run has failed.
    pub fn check_summary(&mut self, counters: &Counters, took: Duration) {
        let Some(gate) = self.gate.as_mut().filter(|_| self.failure.is_none()) else { return };
        let figures = Figures::new(counters, took, &self.time_style);
        let mut lines = Vec::new();
        let checked = gate.checks.summary(&figures, &mut lines);
        self.stderr.lines(|out| out.extend_from_slice(&lines));
        if let Err(message) = checked {
            self.failure.get_or_insert(message);
        }
    }

    /// Judges all rows together and says what is wrong with them; what came of each check, if the run has not failed.
    pub fn judge_rows(&mut self) -> Vec<Outcome> {
        let finally = self.gate.as_ref().and_then(|gate| gate.finally.as_ref()).filter(|_| self.failure.is_none());
        let Some(finally) = finally else { return Vec::new() };
        match finally.judge() {
            Ok(Judgement { outcomes, told, lines }) => {
                self.stderr.lines(|out| out.extend_from_slice(&lines));
                for line in told {
                    self.say(Severity::Failure, &line);
                }
                outcomes
            }
            Err(error) => {
                self.failure = Some(error.to_string());
                Vec::new()
            }
        }
    }

    /// What was counted, of rows those that were printed.
    pub fn corrected(&self, mut counters: Counters) -> Counters {
        if let Some(gate) = &self.gate {
            gate.correct(&mut counters);
        }
        counters
    }

    /// Writes what comes before the first row, if the format has such a thing.
    pub fn begin(&mut self) {
        self.rows.begin();
    }

    /// Whether nobody takes the rows, and they wait for another run.
    pub fn is_stuck(&self) -> bool {
        self.rows.is_stuck()
    }

    /// Bytes of rows that wait: to be released (`--hold`), or for another run.
    pub fn held_bytes(&self) -> usize {
        self.rows.held_bytes()
    }

    /// Takes the rows that wait.
    pub fn take_held(&mut self) -> Vec<u8> {
        self.rows.take_held()
    }

    /// Writes rows that have waited.
    pub fn release(&mut self, rows: &[u8]) {
        self.rows.release(rows);
    }

    /// The name of an input.
    pub fn source_name(&self, source: u32) -> &str {
        self.sources.get(source as usize).map_or("", String::as_str)
    }

    /// A line for people, unless it matters too little to those who asked.
    pub fn say(&mut self, severity: Severity, text: &str) {
        let Voice { least, paint } = self.voice;
        if severity >= least {
            self.stderr.lines(|out| {
                let _ = writeln!(out, "{} {}", paint.prefix(severity), for_people(text));
            });
        }
    }

    /// An answer to somebody who asked, however quiet the run is to be.
    pub fn answer(&mut self, text: &str) {
        let paint = self.voice.paint;
        self.stderr.lines(|out| {
            let _ = writeln!(out, "{} {}", paint.prefix(Severity::Note), for_people(text));
        });
    }

    /// Goes on writing somewhere else, once all that has been gathered is written; a new file begins as the first did.
    pub fn reopen(&mut self, which: Which, writer: Box<dyn Write + Send>, is_new: bool) {
        let sink = match which {
            Which::Rows => return self.rows.reopen(writer, is_new),
            Which::Late => self.late.as_mut(),
            Which::Bad => self.bad.as_mut(),
        };
        if let Some(sink) = sink {
            sink.reopen(writer);
        }
    }

    /// A time as rows show it.
    pub fn shown(&self, time: Timestamp) -> String {
        let mut text = Vec::new();
        self.time_style.write(&mut text, time);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// Says which record moved the watermark farthest, if events were dropped for it (T11).
    pub fn tell_advance(&mut self, advance: &Advance) {
        if advance.later_drops == 0 {
            return;
        }
        let (from, to) = (self.shown(advance.from), self.shown(advance.to));
        let source = self.sources.get(advance.source as usize).map_or("", String::as_str);
        let (line, drops) = (advance.line, advance.later_drops);
        let (events, were) = if drops == 1 { ("event", "was") } else { ("events", "were") };
        self.say(Severity::Warning, &format!(
            "line {line} of {source} moved the watermark from {from} to {to}; {drops} later {events} {were} dropped as late \
             for it (if its time is wrong, --max-jump DUR refuses such records; if not, -d or -l is too small)"
        ));
    }

    /// Writes out everything gathered.
    pub fn flush(&mut self) {
        let remarks = self.rows.flush();
        self.flush_beside(&remarks);
    }

    /// Writes out everything gathered, but for rows that a thread still writes: [`Output::await_rows`] until it has.
    pub fn flush_at_hand(&mut self) {
        let remarks = self.rows.flush_if_here();
        self.flush_beside(&remarks);
    }

    /// Also waits for those.
    pub fn await_rows<'a>(&'a self, select: &mut Select<'a>) {
        self.rows.await_thread(select);
    }

    fn flush_beside(&mut self, remarks: &[String]) {
        for remark in remarks {
            self.say(Severity::Warning, remark);
        }
        self.stderr.flush();
        for sink in [&mut self.late, &mut self.bad].into_iter().flatten() {
            sink.flush();
        }
    }

    /// Whether rows are kept until [`Output::show`] is called.
    pub fn is_picture(&self) -> bool {
        self.rows.is_picture()
    }

    /// Appends what they are, so that another run can go on with them.
    pub fn save_picture(&self, out: &mut Vec<u8>) {
        self.rows.save_picture(out);
    }

    /// Whether rows have come since.
    pub fn has_news(&self) -> bool {
        self.rows.has_news()
    }

    /// Writes the rows that were kept, all of them as they are now.
    pub fn show(&mut self) {
        self.rows.show();
    }

    /// Whether nobody reads the rows any more, or they cannot be written.
    pub fn is_done(&self) -> bool {
        self.failure.is_some()
            || self.rows.is_done()
            || [&self.late, &self.bad].into_iter().flatten().any(Sink::is_done)
    }

    /// Whether the reader of the rows has gone away.
    pub fn is_closed(&self) -> bool {
        self.rows.is_closed()
    }

    /// What went wrong in writing, if anything did. Lost lines on stderr are nobody's failure.
    ///
    /// # Errors
    /// The first failure.
    pub fn check(&mut self) -> Result<(), Error> {
        if let Some(message) = self.failure.take() {
            return Err(Error::Expression(message));
        }
        self.rows.check()?;
        [&mut self.late, &mut self.bad].into_iter().flatten().try_for_each(Sink::check)
    }

    /// The summary line (`--stats`).
    pub fn summary(&mut self, counters: &Counters, took: Duration) {
        let style = &self.time_style;
        self.stderr.lines(|out| {
            let mut line = Line::begin(out, "summary");
            for (name, value) in of_input(counters) {
                line.number(name, value);
            }
            for (name, value) in per_window(counters) {
                line.number(name, value);
            }
            for (name, time) in [("watermark", counters.watermark), ("max_event_time", counters.max_event_time)] {
                line.member(name, |out| match time {
                    Some(time) => json_time(out, style, time),
                    None => out.extend_from_slice(b"null"),
                });
            }
            line.member("largest_advance", |out| match &counters.runaway {
                Some(advance) => json_advance(out, style, &self.sources, advance),
                None => out.extend_from_slice(b"null"),
            });
            if !self.windows.is_empty() {
                line.member("windows", |out| json_windows(out, &self.windows, &counters.windows));
            }
            line.number("bytes", counters.bytes);
            line.member("seconds", |out| {
                let _ = write!(out, "{:.3}", took.as_secs_f64());
            });
            line.number("open_windows", counters.open_windows);
            line.number("peak_state_bytes", counters.state.peak);
            line.end();
        });
    }
}

fn json_windows(out: &mut Vec<u8>, names: &[String], windows: &[Counters]) {
    out.push(b'[');
    for (index, (name, counters)) in names.iter().zip(windows).enumerate() {
        out.extend_from_slice(if index > 0 { b",{\"window\":" } else { b"{\"window\":" });
        json_string(out, name);
        for (name, value) in per_window(counters) {
            // Writing to a Vec cannot fail.
            let _ = write!(out, ",\"{name}\":{value}");
        }
        out.push(b'}');
    }
    out.push(b']');
}

fn json_advance(out: &mut Vec<u8>, style: &TimeStyle, sources: &[String], advance: &Advance) {
    out.extend_from_slice(b"{\"source\":");
    json_string(out, sources.get(advance.source as usize).map_or("", String::as_str));
    let _ = write!(out, ",\"line\":{},\"from\":", advance.line);
    json_time(out, style, advance.from);
    out.extend_from_slice(b",\"to\":");
    json_time(out, style, advance.to);
    let _ = write!(out, ",\"later_drops\":{}}}", advance.later_drops);
}

impl TakeRows for Output {
    fn rows(&mut self, text: &[u8]) {
        self.rows.written(text);
    }
}

impl Emit for Output {
    fn pane(&mut self, pane: &Pane<'_>) {
        let Some(gate) = &mut self.gate else {
            return self.rows.pane(pane);
        };
        // What follows a row that cannot be judged is not said: how much of it there is depends on the blocks (T9).
        if self.failure.is_some() {
            return;
        }
        let (rows, stderr) = (&mut self.rows, &mut self.stderr);
        let judged = gate.pane(pane, |pane| rows.pane(pane), |line| stderr.lines(|out| out.extend_from_slice(line)));
        self.failure = judged.err();
    }

    fn takes_windows(&self) -> bool {
        // What looks at rows sees them one by one.
        self.gate.is_none() && self.rows.leaves()
    }

    fn window(&mut self, fired: Fired) {
        self.rows.window(fired);
    }

    fn late_drop(&mut self, drop: &LateDrop<'_>) {
        if self.failure.is_some() {
            return;
        }
        let style = &self.time_style;
        let late_by = i128::from(drop.watermark.0) - i128::from(drop.time.0);
        self.late.as_mut().unwrap_or(&mut self.stderr).lines(|out| {
            let mut line = Line::begin(out, "late_drop");
            line.place(&self.sources, &drop.record);
            line.member("time", |out| json_time(out, style, drop.time));
            line.member("key", |out| json_key(out, drop.key));
            line.member("watermark", |out| json_time(out, style, drop.watermark));
            line.member("late_by_ns", |out| {
                let _ = write!(out, "{late_by}");
            });
            if let Some(window) = self.windows.get(drop.spec) {
                line.text("window", window);
            }
            line.raw(&drop.record);
            line.end();
        });
    }

    fn bad_record(&mut self, record: RecordRef<'_>, bad: &BadRecord) {
        if self.failure.is_some() {
            return;
        }
        self.bad.as_mut().unwrap_or(&mut self.stderr).lines(|out| {
            let mut line = Line::begin(out, "bad_record");
            line.place(&self.sources, &record);
            line.text("reason", bad.reason.as_str());
            line.text("detail", &bad.detail);
            line.raw(&record);
            line.end();
        });
    }
}

/// A JSON object being written.
pub(super) struct Line<'a> {
    out: &'a mut Vec<u8>,
}

impl Line<'_> {
    pub(super) fn begin<'a>(out: &'a mut Vec<u8>, kind: &str) -> Line<'a> {
        out.extend_from_slice(b"{\"type\":");
        json_string(out, kind);
        Line { out }
    }

    pub(super) fn member(&mut self, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
        self.out.push(b',');
        json_string(self.out, name);
        self.out.push(b':');
        value(self.out);
    }

    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.member(name, |out| json_string(out, value));
    }

    fn number(&mut self, name: &str, value: u64) {
        self.member(name, |out| {
            let _ = write!(out, "{value}");
        });
    }

    fn place(&mut self, sources: &[String], record: &RecordRef<'_>) {
        let source = sources.get(record.batch.source.0 as usize).map_or("", String::as_str);
        self.text("source", source);
        self.number("line", record.line);
        self.number("offset", record.offset());
    }

    fn raw(&mut self, record: &RecordRef<'_>) {
        let text = record.batch.text(record.span.text);
        match simdutf8::basic::from_utf8(text) {
            Ok(text) => self.text("raw", text),
            Err(_) => self.text("raw", &String::from_utf8_lossy(text)),
        }
    }

    pub(super) fn end(self) {
        self.out.extend_from_slice(b"}\n");
    }
}
