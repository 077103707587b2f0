//! A run: the parts from the configuration, the threads, the loop. The only place that knows all
//! of them.

mod chaos;
mod checking;
pub mod checkpoint;
mod ending;
mod engines;
mod fields;
mod following;
mod keeping;
mod open;
mod orders;
mod patient;
mod recap;
mod refresh;
mod replay;
mod shards;
mod streams;
mod taking;
mod view;
mod waiting;
mod watch;

use crate::cli::{self, Command, Config, Share};
use crate::commands;
use crate::engine::Engine;
use crate::engine::sources::SourceRule;
use crate::error::{Error, Exit, Severity};
use crate::host::{Clock, Host, Interrupts};
use crate::input::reader::Source;
use crate::output::RowFormat;
use crate::output::finally::Finally;
use crate::output::junit::Outcome;
use crate::output::side::{Output, Sinks, Which};
use crate::output::sink::Sink;
use crate::output::text::for_people;
use crate::time::format::TimeStyle;
use crate::time::year::YearRule;
use crate::time::zone::Zone;
use checkpoint::{Ends, Keeper};
use engines::Engines;
use fields::Fields;
use open::{Opened, Writers};
use orders::Halt;
use patient::Patient;
use refresh::Refresh;
use replay::Replay;
use shards::Shards;
use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use streams::Stream;
use view::View;
use watch::Watch;

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
    let command = match cli::parse(arguments, &host.environment, host.terminals, host.clock.wall()) {
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
        Command::Chaos(config) => chaos::run(&config, host),
        Command::Completions(shell) => text(host, commands::completions::script(shell)),
        Command::State(command) => checkpoint::look::command(command, host).code(),
        Command::Man => text(host, commands::man::page()),
        Command::Flags(flags) => text(host, flags.into_bytes()),
    }
}

fn text(mut host: Host, text: Vec<u8>) -> u8 {
    match host.stdout.write_all(&text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Exit::Failure.code(),
        _ => Exit::Done.code(),
    }
}

fn run(mut config: Config, host: Host) -> Exit {
    let Host { stdin, stdout, mut stderr, files, interrupts, width, clock, calls, .. } = host;
    let clock: Arc<dyn Clock> = Arc::from(clock);
    let paint = config.voice.paint;
    let loaded = config.gate.as_mut().and_then(|gate| gate.finally.as_mut()).map_or(Ok(()), Finally::load);
    let opened = loaded.and_then(|()| match config.state.clone() {
        None => {
            let patient = files.stdout.as_ref().and_then(|file| Patient::reopened(file, interrupts.asked()));
            let stdout = patient.map_or(stdout, |patient| Box::new(patient) as Box<_>);
            Opened::new(&config, stdin, stdout, &clock).map(|opened| (opened, Engine::new(config.engine.clone()), None))
        }
        Some(state) => {
            let ends = Ends { stdin, stdout, files, calls, asked: interrupts.asked() };
            checkpoint::open(&mut config, &state, ends, &clock)
        }
    });
    let started = opened.and_then(|(mut opened, engine, keeper)| {
        let again = opened.again.take();
        Ok((start(&config, opened, engine, keeper, &clock)?, again))
    });
    match started {
        Ok((started, again)) => {
            let is_alone = !started.writers.has_terminal;
            let (view, stderr) = View::new(&config, clock.clone(), stderr, width, started.total, is_alone);
            let run = Run::new(&mut config, started, stderr, interrupts, view);
            run.finish(|run| again.map_or(Ok(None), |again| run.check_orders(&config, &clock, &again)))
        }
        Err(error) => {
            let text = format!("{} {}\n", paint.prefix(Severity::Failure), for_people(&error.to_string()));
            // Nobody may be there to read it.
            let _ = stderr.write_all(text.as_bytes());
            error.exit()
        }
    }
}

/// What is under way before the first batch comes.
struct Started {
    engine: Engines,
    keeper: Option<Keeper>,
    streams: Vec<Stream>,
    watch: Option<Watch>,
    writers: Writers,
    fields: Fields,
    source_names: Vec<String>,
    /// Bytes of all inputs, if they are known.
    total: Option<u64>,
}

/// Starts the threads that read and decode.
fn start(
    config: &Config,
    opened: Opened,
    engine: Engine,
    mut keeper: Option<Keeper>,
    clock: &Arc<dyn Clock>,
) -> Result<Started, Error> {
    let Opened { sources, watch, writers, .. } = opened;
    let names: Vec<String> = config.projection.fields().map(|field| field.name.clone()).collect();
    let mut fields = Fields::new(names, sources.iter().any(|source| source.feed.is_live()));
    let total = sources.iter().map(|source| source.feed.size().map(|rest| source.start.offset + rest)).sum();
    let mut source_names: Vec<String> = sources.iter().map(|source| source.name.clone()).collect();
    let groups: Vec<Vec<Source>> = if config.is_merged || config.follow.is_some() {
        sources.into_iter().map(|source| vec![source]).collect()
    } else {
        vec![sources]
    };
    let count = groups.len();
    let streams = groups.into_iter().map(|sources| Stream::start(config, clock, count, sources));
    let mut streams = streams.collect::<Result<Vec<_>, _>>()?;
    if let Some(keeper) = &mut keeper {
        source_names = keeper.source_names();
        let (seen, known) = keeper.fields();
        fields.resume(&seen, known);
        let standings = engine.standings();
        for stream in &mut streams {
            stream.resume_years(keeper.last_time(stream.id));
            let standing = standings.get(stream.id.0 as usize).filter(|_| config.is_merged);
            stream.is_idle = standing.is_some_and(|standing| standing.is_idle);
        }
    }
    let engine = match shards::count(config) {
        0 => Engines::Alone(engine),
        count => Engines::Shared(Shards::start(config, count)?),
    };
    Ok(Started { engine, keeper, streams, watch, writers, fields, source_names, total })
}

/// A run in progress.
struct Run {
    engine: Engines,
    /// What makes checkpoints (`--state`).
    keeper: Option<Keeper>,
    streams: Vec<Stream>,
    /// Whether they are taken by their watermarks.
    is_merged: bool,
    /// How long a source may be silent.
    idle_timeout: Option<Duration>,
    has_partitions: bool,
    output: Output,
    interrupts: Interrupts,
    fields: Fields,
    year_rule: YearRule,
    /// Lines that were said of another input already.
    notes: HashSet<String>,
    max_bad_share: Option<Share>,
    max_late_share: Option<Share>,
    has_stats: bool,
    is_verbose: bool,
    writes_to_stdout: bool,
    /// The followed files.
    watch: Option<Watch>,
    /// Of several that are taken as they come, the stream that was last.
    last_taken: usize,
    /// Files that are opened anew when that is asked for.
    reopened: Vec<(Which, PathBuf)>,
    view: View,
    /// How fast records are fed.
    replay: Option<Replay>,
    has_told_of_waiting: bool,
    /// When the file of `-o prometheus` is written anew.
    refresh: Option<Refresh>,
}

impl Run {
    fn new(
        config: &mut Config,
        started: Started,
        stderr: Box<dyn io::Write + Send>,
        interrupts: Interrupts,
        view: View,
    ) -> Run {
        let Started { engine, mut keeper, streams, watch, writers, fields, source_names, .. } = started;
        let reopened = reopened(config);
        let new_encoder = || config.row_format.encoder(config.shape.clone(), config.row_paint);
        let encoder = writers.encoder.unwrap_or_else(new_encoder);
        let sinks =
            Sinks { rows: writers.rows, late: writers.late, bad: writers.bad, stderr: Sink::new("stderr", stderr) };
        let mut output = Output::new(encoder, &config.shape, sinks, source_names, config.voice);
        if let Some(gate) = config.gate.take() {
            output.set_gate(gate);
        }
        if config.threads > 1 {
            output.share_rows();
        }
        for warning in &config.warnings {
            output.say(Severity::Warning, warning);
        }
        match &mut keeper {
            // What is written before the first row waits until that comes.
            Some(keeper) => {
                keeper.notes().iter().for_each(|note| output.say(Severity::Warning, note));
                keeper.resumed().iter().for_each(|note| output.say(Severity::Detail, note));
            }
            None => output.begin(),
        }
        for choice in &config.choices {
            output.say(Severity::Detail, choice);
        }
        if let Engines::Shared(shards) = &engine {
            output.say(Severity::Detail, &format!("keys are shared out to {} threads", shards.count()));
        }
        for note in watch.iter().flat_map(Watch::notes) {
            output.say(Severity::Note, &note);
        }
        Run {
            replay: config.pace.map(Replay::new),
            has_told_of_waiting: false,
            // On stdout it could not be taken back.
            refresh: (output.is_picture() && config.output.is_some()).then(Refresh::default),
            has_partitions: config.engine.sources == SourceRule::Partitions,
            engine,
            keeper,
            streams,
            is_merged: config.is_merged,
            idle_timeout: config.idle_timeout,
            output,
            interrupts,
            fields,
            year_rule: config.projection.time_rules.year,
            notes: HashSet::new(),
            max_bad_share: config.max_bad_share,
            max_late_share: config.max_late_share,
            has_stats: config.has_stats,
            is_verbose: config.voice.least == Severity::Detail,
            writes_to_stdout: config.output.is_none(),
            watch,
            last_taken: 0,
            reopened,
            view,
        }
    }

    /// Runs to the end and says how it was. What more is to be done with the input is done when all of it was taken.
    fn finish(mut self, more: impl FnOnce(&mut Run) -> Result<Option<Outcome>, Halt>) -> Exit {
        self.interrupts.listen();
        // Where signals cannot be heard, they do what they always do.
        let _ = self.watch.as_ref().map(|_| self.interrupts.hear_requests(!self.reopened.is_empty()));
        self.tell_year();
        let ending = self.take_all();
        self.tell_late_drops();
        let last_words = self.last_words(&ending);
        let is_whole = matches!(ending, ending::Ending::EndOfInput);
        let exit = self.conclude(ending);
        let (exit, outcome) = match (is_whole, exit) {
            (true, Exit::Done | Exit::CheckFailed) => self.after(exit, more),
            _ => (exit, None),
        };
        let exit = checking::tell(&mut self.output, exit, is_whole, outcome, self.view.elapsed());
        let exit = self.end_state(last_words, exit);
        let exit = self.give_up_rows(exit);
        if self.output.is_picture() {
            self.output.show();
        }
        self.view.end();
        if self.has_stats || self.is_verbose {
            self.sum_up();
        }
        self.output.flush();
        match self.output.check() {
            Ok(()) => exit,
            // One reason is enough where the next run makes it good.
            Err(_) if exit == Exit::Failure && self.keeper.is_some() => exit,
            Err(error) => {
                self.output.say(Severity::Failure, &error.to_string());
                self.output.flush();
                error.exit()
            }
        }
    }

    /// Does what more is to be done with the input.
    fn after(
        &mut self,
        exit: Exit,
        more: impl FnOnce(&mut Run) -> Result<Option<Outcome>, Halt>,
    ) -> (Exit, Option<Outcome>) {
        match more(self) {
            Ok(outcome) => (exit, outcome),
            Err(Halt::Signal(signal)) => {
                self.output.say(Severity::Failure, "stopped by a signal; all rows are there");
                (Exit::Signal(signal), None)
            }
            Err(Halt::Failed(error)) => {
                self.output.say(Severity::Failure, &error.to_string());
                (error.exit(), None)
            }
        }
    }

    /// Says once which year is taken for times that have none.
    fn tell_year(&mut self) {
        if let YearRule::NewestBefore(now) = self.year_rule {
            let mut today = Vec::new();
            TimeStyle::Rfc3339(Zone::utc()).write(&mut today, now);
            let today = String::from_utf8_lossy(&today[..10]);
            self.output.say(Severity::Note, &format!(
                "times have no year: each is taken in the newest that is not after today, {today} (--year tells that of the first record)"
            ));
        }
    }
}

/// The files that a run which follows logs opens anew, so that they can be rotated themselves. A picture replaces its file
/// each time anyway.
fn reopened(config: &Config) -> Vec<(Which, PathBuf)> {
    if config.follow.is_none() {
        return Vec::new();
    }
    let rows = config.output.as_ref().filter(|_| config.row_format != RowFormat::Prometheus);
    let files = [(Which::Rows, rows), (Which::Late, config.late.as_ref()), (Which::Bad, config.bad.as_ref())];
    files.into_iter().filter_map(|(which, path)| Some((which, path?.clone()))).collect()
}
