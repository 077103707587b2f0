//! A run: the parts from the configuration, the threads, the loop. The only place that knows all
//! of them.

use crate::cli::{self, Command, Config, Share};
use crate::commands;
use crate::engine::{Engine, Input, Stop};
use crate::error::{Error, Exit};
use crate::event::EventBatch;
use crate::host::{Host, Interrupts, Wake};
use crate::input::feed::{Feed, FileFeed};
use crate::input::pool::{self, Collector, Item};
use crate::input::reader::{Reader, Source};
use crate::output::side::{Output, Sinks};
use crate::output::sink::Sink;
use crossbeam_channel::{TryRecvError, select};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

/// Runs as the program does, on the process's own streams; returns the exit status.
pub fn process(arguments: Vec<OsString>) -> u8 {
    match Host::process() {
        Ok(host) => main(arguments, host),
        Err(error) => {
            eprintln!("streamw: the standard streams cannot be used: {error}");
            Exit::Failure.code()
        }
    }
}

/// Runs with these arguments (without the program's name) and streams; returns the exit status.
pub fn main(arguments: Vec<OsString>, mut host: Host) -> u8 {
    let command = match cli::parse(arguments, host.stdin_is_terminal) {
        Ok(command) => command,
        Err(answer) => {
            let to = if answer.is_error { &mut host.stderr } else { &mut host.stdout };
            // Nobody is there to be told that nobody is there.
            let _ = to.write_all(answer.text.as_bytes());
            return if answer.is_error { Exit::Usage.code() } else { Exit::Done.code() };
        }
    };
    match command {
        Command::Run(config) => run(*config, host).code(),
        Command::Completions(shell) => text(host, commands::completions::script(shell)),
        Command::Man => text(host, commands::man::page()),
    }
}

fn text(mut host: Host, text: Vec<u8>) -> u8 {
    match host.stdout.write_all(&text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Exit::Failure.code(),
        _ => Exit::Done.code(),
    }
}

fn run(config: Config, host: Host) -> Exit {
    let is_quiet = config.is_quiet;
    let Host { stdin, stdout, stderr, interrupts, .. } = host;
    let stderr = Sink::new("stderr", stderr);
    let mut early = Early { stderr: Some(stderr) };
    let prepared = Run::prepare(config, stdin, stdout, interrupts, &mut early);
    match prepared {
        Ok(run) => run.finish(),
        Err(error) => early.fail(&error, is_quiet),
    }
}

/// Stderr until the run has it.
struct Early {
    stderr: Option<Sink>,
}

impl Early {
    fn fail(self, error: &Error, _is_quiet: bool) -> Exit {
        if let Some(mut stderr) = self.stderr {
            stderr.lines(|out| {
                out.extend_from_slice(
                    format!("streamw: {}\n", crate::output::text::for_people(&error.to_string())).as_bytes(),
                )
            });
            stderr.flush();
        }
        error.exit()
    }
}

/// A run in progress.
struct Run {
    began: Instant,
    engine: Engine,
    collector: Collector,
    output: Output,
    interrupts: Interrupts,
    fields: Fields,
    max_bad_share: Option<Share>,
    max_late_share: Option<Share>,
    has_stats: bool,
}

/// How the loop ended.
enum Ending {
    /// The input has ended.
    EndOfInput,
    /// A limit of E1.
    Limit(Stop),
    /// SIGINT or SIGTERM.
    Signal(i32),
    /// Nobody reads the rows any more, or they cannot be written.
    OutputDone,
    /// The inputs cannot be read on.
    Failed(Error),
}

/// Records after which a live input is told of a field that none of them had (T10).
const ENOUGH_RECORDS: u64 = 1_000;

/// The named fields, and which of them any record had (T10).
struct Fields {
    names: Vec<String>,
    seen: Vec<bool>,
    /// Of the first record, to guess from.
    known: Vec<String>,
    is_live: bool,
    told: bool,
}

impl Run {
    fn prepare(
        config: Config,
        stdin: Box<dyn Feed>,
        stdout: Box<dyn io::Write + Send>,
        interrupts: Interrupts,
        early: &mut Early,
    ) -> Result<Run, Error> {
        let began = Instant::now();
        let sources = open_inputs(&config.inputs, stdin)?;
        refuse_overwriting(&config)?;
        let rows = match &config.output {
            Some(path) => create(path)?,
            None => Sink::new("stdout", stdout),
        };
        let late = config.late.as_deref().map(create).transpose()?;
        let bad = config.bad.as_deref().map(create).transpose()?;
        let names: Vec<String> = config.projection.fields().map(|field| field.name.clone()).collect();
        let (value_fields, named_fields) = (config.projection.values.len(), names.len());
        let (dealer, collector, spare) = pool::start(config.threads, || EventBatch::new(value_fields, named_fields))
            .map_err(|source| Error::System { what: "starting a decoder thread", source })?;
        let fields = Fields {
            seen: vec![false; named_fields],
            names,
            known: Vec::new(),
            is_live: sources.iter().any(|source| source.feed.is_live()),
            told: false,
        };
        let source_names = sources.iter().map(|source| source.name.clone()).collect();
        let reader = Reader::new(config.read, config.projection, config.time_is_given, spare, dealer);
        thread::Builder::new()
            .name("read".into())
            .spawn(move || reader.run(sources))
            .map_err(|source| Error::System { what: "starting the reader thread", source })?;
        let stderr = early.stderr.take().unwrap_or_else(|| Sink::new("stderr", Box::new(io::sink())));
        let sinks = Sinks { rows, stderr, late, bad };
        let encoder = config.row_format.encoder(config.shape.clone());
        Ok(Run {
            began,
            engine: Engine::new(config.engine),
            collector,
            output: Output::new(encoder, &config.shape, sinks, source_names, config.is_quiet),
            interrupts,
            fields,
            max_bad_share: config.max_bad_share,
            max_late_share: config.max_late_share,
            has_stats: config.has_stats,
        })
    }

    /// Runs to the end and says how it was.
    fn finish(mut self) -> Exit {
        let ending = self.take_all();
        let exit = self.conclude(ending);
        if self.has_stats {
            self.output.summary(&self.engine.counters(), self.began.elapsed());
        }
        self.output.flush();
        match self.output.check() {
            Ok(()) => exit,
            Err(error) => {
                self.output.say_anyway(&error.to_string());
                self.output.flush();
                error.exit()
            }
        }
    }

    fn take_all(&mut self) -> Ending {
        loop {
            let item = match self.collector.next().try_recv() {
                Ok(item) => item,
                Err(TryRecvError::Disconnected) => return self.end_of_input(),
                Err(TryRecvError::Empty) => {
                    // The input pauses: everything read so far has been processed; show it.
                    self.output.flush();
                    select! {
                        recv(self.collector.next()) -> item => match item {
                            Ok(item) => item,
                            Err(_) => return self.end_of_input(),
                        },
                        recv(self.interrupts.wake) -> wake => match wake {
                            Ok(Wake::StdoutClosed) => return Ending::OutputDone,
                            Ok(Wake::Signal) | Err(_) => match self.interrupts.signal() {
                                Some(signal) => return Ending::Signal(signal),
                                None => continue,
                            }
                        },
                    }
                }
            };
            self.collector.advance();
            if let ControlFlow::Break(ending) = self.take(item) {
                return ending;
            }
        }
    }

    fn take(&mut self, item: Item<EventBatch>) -> ControlFlow<Ending> {
        match item {
            Item::Records(batch) => {
                let step = self.engine.step(Input::Batch(&batch), &mut self.output);
                self.fields.note(&batch);
                self.collector.recycle(batch);
                if let ControlFlow::Break(stop) = step {
                    return ControlFlow::Break(Ending::Limit(stop));
                }
                if self.fields.is_live && !self.fields.told && self.engine.records() >= ENOUGH_RECORDS {
                    self.fields.tell(&mut self.output);
                }
            }
            Item::Note(note) => self.output.say(&note),
            Item::Names(names) => self.fields.known = names,
            Item::Failed(error) => return ControlFlow::Break(Ending::Failed(error)),
        }
        if self.output.is_done() {
            return ControlFlow::Break(Ending::OutputDone);
        }
        match self.interrupts.signal() {
            Some(signal) => ControlFlow::Break(Ending::Signal(signal)),
            None => ControlFlow::Continue(()),
        }
    }

    /// The signal that ends the writer of our pipe is for us as well: an end of input seen after it is none (E3).
    fn end_of_input(&self) -> Ending {
        self.interrupts.signal().map_or(Ending::EndOfInput, Ending::Signal)
    }

    fn conclude(&mut self, ending: Ending) -> Exit {
        match ending {
            Ending::EndOfInput => self.complete(),
            Ending::Limit(stop) => {
                let (exit, why) = match stop {
                    Stop::Strict => (Exit::Failure, "stopped at the first bad record (--strict)"),
                    Stop::MaxBad => (Exit::CheckFailed, "stopped: more bad records than --max-bad allows"),
                    Stop::MaxLate => (Exit::CheckFailed, "stopped: more late drops than --max-late allows"),
                };
                self.say_stopped(why);
                exit
            }
            Ending::Signal(signal) => {
                self.say_stopped("stopped by a signal");
                Exit::Signal(signal)
            }
            Ending::OutputDone => Exit::Done,
            Ending::Failed(error) => {
                self.say_stopped(&error.to_string());
                error.exit()
            }
        }
    }

    /// The end of input: what is open fires, and the checks that need the whole are made.
    fn complete(&mut self) -> Exit {
        // No limit is reached by an end.
        let _ = self.engine.step(Input::End, &mut self.output);
        if !self.fields.told && self.engine.records() > 0 {
            self.fields.tell(&mut self.output);
        }
        let counters = self.engine.counters();
        let records = counters.records - counters.blank;
        let mut exit = Exit::Done;
        for (flag, share, count, what) in [
            ("--max-bad", self.max_bad_share, counters.bad, "bad records"),
            ("--max-late", self.max_late_share, counters.late_drops, "late drops"),
        ] {
            if let Some(share) = share
                && share.is_exceeded(count, records)
            {
                self.output
                    .say_anyway(&format!("{count} {what} in {records} records are more than {flag} {share} allows"));
                exit = Exit::CheckFailed;
            }
        }
        exit
    }

    fn say_stopped(&mut self, why: &str) {
        let open = match self.engine.counters().open_windows {
            0 => String::new(),
            1 => "; 1 open window was not printed".to_owned(),
            open => format!("; {open} open windows were not printed"),
        };
        self.output.say_anyway(&format!("{why}{open}"));
    }
}

impl Fields {
    fn note(&mut self, batch: &EventBatch) {
        for (seen, in_batch) in self.seen.iter_mut().zip(&batch.seen) {
            *seen |= in_batch;
        }
    }

    /// Says which fields no record had, once.
    fn tell(&mut self, output: &mut Output) {
        self.told = true;
        if self.known.is_empty() {
            return;
        }
        let mut missing: Vec<&str> =
            self.names.iter().zip(&self.seen).filter(|(_, seen)| !**seen).map(|(name, _)| name.as_str()).collect();
        missing.dedup();
        for name in missing {
            let near = match crate::suggest::nearest(name, self.known.iter().map(String::as_str)) {
                Some(near) => format!("; near: {near}"),
                None => String::new(),
            };
            output.say(&format!("no record had the field \"{name}\"{near}"));
        }
    }
}

/// Opens all inputs, so that a missing one is told before the first row (T10).
fn open_inputs(names: &[String], stdin: Box<dyn Feed>) -> Result<Vec<Source>, Error> {
    raise_file_limit();
    let mut stdin = Some(stdin);
    let open = |name: &String| -> Result<Source, Error> {
        if name == "-" {
            return match stdin.take() {
                Some(feed) => Ok(Source { name: name.clone(), feed }),
                None => Err(Error::Usage("stdin (-) is named twice, but can be read once".into())),
            };
        }
        let failed = |source| Error::File { name: name.clone(), source };
        let file = File::open(name).map_err(failed)?;
        if file.metadata().map_err(failed)?.is_dir() {
            return Err(failed(io::Error::other("is a directory")));
        }
        let feed = FileFeed::new(file).map_err(failed)?;
        Ok(Source { name: name.clone(), feed: Box::new(feed) })
    };
    names.iter().map(open).collect()
}

/// All inputs are open at once: allow as many as the system lets us have.
fn raise_file_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If it is refused, opening says which file was one too many.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// An output that is an input, or another output, would destroy it.
fn refuse_overwriting(config: &Config) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt;
    let identity = |path: &Path| {
        std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|file| (file.dev(), file.ino()))
    };
    let outputs: Vec<(&str, &PathBuf)> =
        [("--output", &config.output), ("--late", &config.late), ("--bad", &config.bad)]
            .into_iter()
            .filter_map(|(flag, path)| Some((flag, path.as_ref()?)))
            .collect();
    for (index, (flag, path)) in outputs.iter().enumerate() {
        let same = |other: &Path| *path == other || identity(path).is_some_and(|id| identity(other) == Some(id));
        if let Some(input) = config.inputs.iter().find(|input| same(Path::new(input))) {
            return Err(Error::Usage(format!(
                "{flag} {} is the input {input}, which it would overwrite",
                path.display()
            )));
        }
        if let Some((other, _)) = outputs[..index].iter().find(|(_, earlier)| same(earlier)) {
            return Err(Error::Usage(format!("{other} and {flag} both name {}", path.display())));
        }
    }
    Ok(())
}

fn create(path: &Path) -> Result<Sink, Error> {
    let name = path.display().to_string();
    match File::create(path) {
        Ok(file) => Ok(Sink::new(name, Box::new(file))),
        Err(source) => Err(Error::File { name, source }),
    }
}
