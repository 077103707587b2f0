//! `streamw state`: looking into a state, and removing it. A state that a run is using is that run's alone.

use super::record::{InputRecord, OutputRecord, Payload, Record};
use super::restore;
use crate::cli::state::{Setting, StateCommand, typed};
use crate::cli::{self, Command, Config, Terminals};
use crate::engine::pane::{Emit, LateDrop, Pane, RecordRef, Timing};
use crate::engine::{Engine, Input};
use crate::error::{Error, Exit, Severity};
use crate::event::BadRecord;
use crate::event::key::{KeyPart, parts};
use crate::host::Host;
use crate::metrics::Counters;
use crate::output::paint::Paint;
use crate::output::text::for_people;
use crate::output::{Encoder, RowFormat};
use crate::state::{Sizes, StateDir, StateError};
use crate::time::Timestamp;
use crate::time::format::TimeStyle;
use crate::time::zone::Zone;
use indicatif::{HumanBytes, HumanCount};
use serde_json::json;
use std::collections::HashSet;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Rows are handed over in pieces of about this size.
const ENOUGH: usize = 64 << 10;

/// Does what a `streamw state` command asks for.
pub fn command(command: StateCommand, mut host: Host) -> Exit {
    let done = match command {
        StateCommand::Show { directory, json } => show(&directory, json, host.stdout.as_mut()),
        StateCommand::Dump { directory, key } => dump(&directory, key, host.stdout.as_mut()),
        StateCommand::Verify { directory } => verify(&directory, host.stdout.as_mut()),
        StateCommand::Reset { directory } => StateDir::reset(&directory).map_err(Error::from).and_then(|()| {
            let text = format!("the state in {} is removed\n", for_people(&directory.display().to_string()));
            print(host.stdout.as_mut(), text.as_bytes())
        }),
    };
    match done {
        Ok(()) => Exit::Done,
        Err(error) => {
            let text = format!("{} {}\n", Paint::default().prefix(Severity::Failure), for_people(&error.to_string()));
            // Nobody may be there to read it.
            let _ = host.stderr.write_all(text.as_bytes());
            error.exit()
        }
    }
}

/// A closed stdout is nobody's failure (E3).
fn print(stdout: &mut dyn Write, bytes: &[u8]) -> Result<(), Error> {
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::File { name: "stdout".to_owned(), source: error })
        }
        _ => Ok(()),
    }
}

/// A state that has been read.
struct Found {
    directory: StateDir,
    payload: Payload,
    config: Box<Config>,
    engine: Engine,
}

impl Found {
    fn read(path: &Path) -> Result<Found, Error> {
        let mut directory = StateDir::open_existing(path)?;
        let name = directory.name().to_owned();
        if directory.epoch().is_none() {
            return Err(StateError::Missing { dir: name }.into());
        }
        let payload = Payload::read(directory.payload(), &name)?;
        let config = configuration(&payload.record, &name)?;
        let engine = restore(&config, &payload.head, &mut directory)?;
        Ok(Found { directory, payload, config, engine })
    }
}

/// The configuration that the flags of a state stand for.
fn configuration(record: &Record, name: &str) -> Result<Box<Config>, Error> {
    let argument = |Setting { flag, values }: &Setting| match &values[..] {
        [] => vec![format!("--{flag}").into()],
        values => values.iter().map(|value| format!("--{flag}={value}").into()).collect::<Vec<OsString>>(),
    };
    // How many followed files there are decides how many watermarks there are.
    let follows = record.inputs.iter().any(|input| input.path.is_some());
    let names = record.inputs.iter().filter(|_| follows).map(|input| OsString::from(&input.name));
    let separator = follows.then(|| OsString::from("--"));
    let arguments = record.settings.iter().flat_map(argument).chain(separator).chain(names).collect();
    let refused =
        |what: &str| Error::Refused(format!("state in {name}: its flags mean nothing to this streamw: {what}"));
    match cli::parse(arguments, &[], Terminals::default(), Timestamp(record.now)) {
        Ok(Command::Run(config)) => Ok(config),
        Ok(_) => Err(refused("they are no run's")),
        Err(answer) => Err(refused(answer.text.trim_end())),
    }
}

/// Rows of open windows, as they would be printed now.
struct Rows<'a> {
    encoder: Box<dyn Encoder>,
    /// How a key must begin to be wanted.
    prefix: Option<String>,
    rows: Vec<u8>,
    stdout: &'a mut dyn Write,
    result: Result<(), Error>,
}

impl Emit for Rows<'_> {
    fn pane(&mut self, pane: &Pane<'_>) {
        let is_wanted = self.prefix.as_ref().is_none_or(|prefix| begins_with(pane.key, prefix));
        if !is_wanted || pane.timing == Timing::Retract {
            return;
        }
        self.encoder.row(&Pane { timing: Timing::Early, ..*pane }, &mut self.rows);
        if self.rows.len() >= ENOUGH {
            self.hand_over();
        }
    }

    fn late_drop(&mut self, _drop: &LateDrop<'_>) {}

    fn bad_record(&mut self, _record: RecordRef<'_>, _bad: &BadRecord) {}
}

impl Rows<'_> {
    fn hand_over(&mut self) {
        if self.result.is_ok() {
            self.result = print(self.stdout, &self.rows);
        }
        self.rows.clear();
    }
}

fn begins_with(key: &[u8], prefix: &str) -> bool {
    matches!(parts(key).next(), Some(KeyPart::Text(text)) if text.starts_with(prefix))
}

fn dump(path: &Path, prefix: Option<String>, stdout: &mut dyn Write) -> Result<(), Error> {
    let Found { config, mut engine, .. } = Found::read(path)?;
    let encoder = RowFormat::Ndjson.encoder(config.shape.clone(), Paint::default());
    let mut rows = Rows { encoder, prefix, rows: Vec::new(), stdout, result: Ok(()) };
    // What the end of input would print is what is open. No limit is reached by an end.
    let _ = engine.step(Input::End, &mut rows);
    rows.hand_over();
    rows.result
}

/// Counts windows and their keys.
#[derive(Default)]
struct Tally {
    windows: u64,
    keys: HashSet<Vec<u8>>,
}

impl Emit for Tally {
    fn pane(&mut self, pane: &Pane<'_>) {
        self.windows += u64::from(pane.timing != Timing::Retract);
        if !self.keys.contains(pane.key) {
            self.keys.insert(pane.key.to_vec());
        }
    }

    fn late_drop(&mut self, _drop: &LateDrop<'_>) {}

    fn bad_record(&mut self, _record: RecordRef<'_>, _bad: &BadRecord) {}
}

/// All that is shown of a state.
struct Shown {
    name: String,
    epoch: u64,
    age: Option<Duration>,
    notice: Option<String>,
    record: Record,
    counters: Counters,
    tally: Tally,
    sizes: Sizes,
    /// Bytes of rows that may not have come out.
    waiting: u64,
}

fn show(path: &Path, as_json: bool, stdout: &mut dyn Write) -> Result<(), Error> {
    let Found { mut directory, payload, mut engine, .. } = Found::read(path)?;
    let counters = engine.counters();
    let mut tally = Tally::default();
    let _ = engine.step(Input::End, &mut tally);
    let shown = Shown {
        name: directory.name().to_owned(),
        epoch: directory.epoch().unwrap_or_default(),
        age: directory.written().and_then(|written| SystemTime::now().duration_since(written).ok()),
        notice: directory.notice(),
        sizes: directory.sizes()?,
        waiting: payload.held.len() as u64,
        record: payload.record,
        counters,
        tally,
    };
    let text = if as_json { shown.json() } else { shown.text() };
    print(stdout, text.as_bytes())
}

fn time(time: Option<Timestamp>) -> Option<String> {
    let mut text = Vec::new();
    TimeStyle::Rfc3339(Zone::utc()).write(&mut text, time?);
    Some(String::from_utf8_lossy(&text).into_owned())
}

impl Shown {
    fn json(&self) -> String {
        let Shown { record, counters, sizes, .. } = self;
        let input = |input: &InputRecord| {
            let InputRecord { name, file, path, position, has_ended, .. } = input;
            json!({"name": name, "is_file": file.is_some(), "followed": path.is_some(), "offset": position.offset, "lines": position.lines,
                   "packing": position.learnt.as_ref().and_then(|learnt| learnt.packing).map(|packing| packing.name()),
                   "ended": has_ended})
        };
        let output =
            |output: &OutputRecord| json!({"name": output.name, "committed": output.file.map(|file| file.length)});
        let flags = record.settings.iter().map(|setting| typed(&setting.flag, Some(&setting.values)));
        let outputs = &record.outputs;
        let shown = json!({
            "type": "state",
            "directory": self.name,
            "program": record.program,
            "checkpoint": self.epoch,
            "age_seconds": self.age.map(|age| age.as_secs()),
            "notice": self.notice,
            "clean": record.is_clean,
            "flags": flags.collect::<Vec<_>>(),
            "inputs": record.inputs.iter().map(input).collect::<Vec<_>>(),
            "output": output(&outputs.rows),
            "late": outputs.late.as_ref().map(output),
            "bad": outputs.bad.as_ref().map(output),
            "watermark": time(counters.watermark),
            "max_event_time": time(counters.max_event_time),
            "open_windows": counters.open_windows,
            "keys": self.tally.keys.len(),
            "records": counters.records,
            "events": counters.events,
            "bad_records": counters.bad,
            "late_drops": counters.late_drops,
            "rows": counters.panes,
            "waiting_bytes": self.waiting,
            "pieces": sizes.pieces,
            "state_bytes": sizes.live_bytes,
            "log_bytes": sizes.log_bytes,
            "directory_bytes": sizes.directory_bytes,
        });
        format!("{shown}\n")
    }

    fn text(&self) -> String {
        let Shown { record, counters, sizes, .. } = self;
        let mut lines: Vec<(&str, String)> = Vec::new();
        let age = self.age.map_or_else(String::new, |age| {
            format!(", written {} ago", humantime::format_duration(Duration::from_secs(age.as_secs())))
        });
        lines.push(("checkpoint", format!("{} of {}{age}", self.epoch, record.program)));
        lines.extend(self.notice.iter().map(|notice| ("", notice.clone())));
        let ended = if record.is_clean { "ended by itself" } else { "did not end by itself, or goes on" };
        lines.push(("run", ended.to_owned()));
        let flags = record.settings.iter().map(|setting| typed(&setting.flag, Some(&setting.values)));
        lines.push(("flags", flags.collect::<Vec<_>>().join(" ")));
        for InputRecord { name, position, has_ended, .. } in &record.inputs {
            let (bytes, count) = (HumanCount(position.offset), HumanCount(position.lines));
            let end = if *has_ended { ", its end" } else { "" };
            lines.push(("input", format!("{name}: up to byte {bytes}, line {count}{end}")));
        }
        let outputs = &record.outputs;
        for output in std::iter::once(&outputs.rows).chain(&outputs.late).chain(&outputs.bad) {
            let OutputRecord { name, file } = output;
            let committed = file.map_or_else(String::new, |file| format!(": {} bytes", HumanCount(file.length)));
            lines.push(("output", format!("{name}{committed}")));
        }
        if self.waiting > 0 {
            lines.push(("waiting", format!("{} of rows that may not have come out", HumanBytes(self.waiting))));
        }
        lines.push(("watermark", time(counters.watermark).unwrap_or_else(|| "none yet".to_owned())));
        let (windows, keys) = (many(self.tally.windows, "window"), many(self.tally.keys.len() as u64, "key"));
        lines.push(("open", format!("{windows} of {keys}")));
        let (pieces, live) = (many(sizes.pieces, "piece"), HumanBytes(sizes.live_bytes));
        lines.push(("size", format!("{pieces} of {live}, {} on disk", HumanBytes(sizes.directory_bytes))));
        let mut text = format!("state in {}\n", for_people(&self.name));
        for (what, value) in lines {
            text += format!("  {what:<10}  {}", for_people(&value)).trim_end();
            text.push('\n');
        }
        text
    }
}

/// `1 window`, `12,345 windows`.
fn many(number: u64, one: &str) -> String {
    format!("{} {one}{}", HumanCount(number), if number == 1 { "" } else { "s" })
}

fn verify(path: &Path, stdout: &mut dyn Write) -> Result<(), Error> {
    let examined = StateDir::verify(path)?;
    let mut text = String::new();
    for found in &examined {
        let which = found.epoch.map_or_else(|| "a checkpoint".to_owned(), |epoch| format!("checkpoint {epoch}"));
        text += &match &found.wrong {
            None => format!("{which}: whole, {} in {}\n", many(found.pieces, "piece"), many(found.chunks, "chunk")),
            Some(wrong) => format!("{which}: damaged: {}\n", for_people(wrong)),
        };
    }
    print(stdout, text.as_bytes())?;
    let is_whole = examined.first().is_some_and(|newest| newest.wrong.is_none());
    if is_whole {
        // What stands in it must be legible, too.
        return Found::read(path).map(|_| ());
    }
    let name = path.display();
    Err(Error::Refused(format!("the newest checkpoint in {name} is damaged, or there is none")))
}
