//! A run: the parts from the configuration, the threads, the loop. The only place that knows all
//! of them.

mod fields;
mod open;
mod recap;
mod refresh;
mod replay;
mod view;

use crate::cli::{self, Command, Config, Share};
use crate::commands;
use crate::engine::{Engine, Input, Stop};
use crate::error::{Error, Exit, Severity};
use crate::event::EventBatch;
use crate::event::place::place_years;
use crate::host::{Host, Interrupts, Wake};
use crate::input::pool::{self, Collector, Item};
use crate::input::reader::Reader;
use crate::output::side::{Output, Sinks};
use crate::output::sink::Sink;
use crate::output::text::for_people;
use crate::time::format::TimeStyle;
use crate::time::year::{YearRule, Years};
use crate::time::zone::Zone;
use crossbeam_channel::{Receiver, TryRecvError, never, select};
use fields::Fields;
use open::{Opened, Writers};
use refresh::Refresh;
use replay::Replay;
use std::ffi::OsString;
use std::io;
use std::ops::ControlFlow;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use view::View;

/// A wait of a replay that somebody might take for a standstill.
const LONG_WAIT: Duration = Duration::from_secs(60);

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
        Command::Completions(shell) => text(host, commands::completions::script(shell)),
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

fn run(config: Config, host: Host) -> Exit {
    let Host { stdin, stdout, mut stderr, interrupts, width, clock, .. } = host;
    let paint = config.voice.paint;
    let started = Opened::new(&config, stdin, stdout).and_then(|opened| start(&config, opened));
    match started {
        Ok(started) => {
            let is_alone = !started.writers.has_terminal;
            let (view, stderr) = View::new(&config, clock, stderr, width, started.total, is_alone);
            Run::new(config, started, stderr, interrupts, view).finish()
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
    collector: Collector,
    writers: Writers,
    fields: Fields,
    source_names: Vec<String>,
    /// Bytes of all inputs, if they are known.
    total: Option<u64>,
    reader: JoinHandle<()>,
}

/// Starts the threads that read and decode.
fn start(config: &Config, opened: Opened) -> Result<Started, Error> {
    let Opened { sources, writers } = opened;
    let names: Vec<String> = config.projection.fields().map(|field| field.name.clone()).collect();
    let (value_fields, named_fields) = (config.projection.values.len(), names.len());
    let (dealer, collector, spare) = pool::start(config.threads, || EventBatch::new(value_fields, named_fields))
        .map_err(|source| Error::System { what: "starting a decoder thread", source })?;
    let fields = Fields::new(names, sources.iter().any(|source| source.feed.is_live()));
    let total = sources.iter().map(|source| source.feed.size()).sum();
    let source_names = sources.iter().map(|source| source.name.clone()).collect();
    let reader = Reader::new(config.read.clone(), config.projection.clone(), config.time_is_given, spare, dealer);
    let reader = thread::Builder::new()
        .name("read".into())
        .spawn(move || reader.run(sources))
        .map_err(|source| Error::System { what: "starting the reader thread", source })?;
    Ok(Started { collector, writers, fields, source_names, total, reader })
}

/// A run in progress.
struct Run {
    engine: Engine,
    collector: Collector,
    reader: Option<JoinHandle<()>>,
    output: Output,
    interrupts: Interrupts,
    fields: Fields,
    year_rule: YearRule,
    years: Option<Years>,
    max_bad_share: Option<Share>,
    max_late_share: Option<Share>,
    has_stats: bool,
    is_verbose: bool,
    writes_to_stdout: bool,
    view: View,
    /// How fast records are fed, and the batch that has those of the moment.
    replay: Option<(Replay, EventBatch)>,
    has_told_of_waiting: bool,
    /// When the file of `-o prometheus` is written anew.
    refresh: Option<Refresh>,
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

impl Run {
    fn new(
        config: Config,
        started: Started,
        stderr: Box<dyn io::Write + Send>,
        interrupts: Interrupts,
        view: View,
    ) -> Run {
        let Started { collector, writers, fields, source_names, reader, .. } = started;
        let encoder = config.row_format.encoder(config.shape.clone(), config.row_paint);
        let sinks =
            Sinks { rows: writers.rows, late: writers.late, bad: writers.bad, stderr: Sink::new("stderr", stderr) };
        let mut output = Output::new(encoder, &config.shape, sinks, source_names, config.voice);
        for warning in &config.warnings {
            output.say(Severity::Warning, warning);
        }
        for choice in &config.choices {
            output.say(Severity::Detail, choice);
        }
        let (value_fields, named_fields) = (config.projection.values.len(), config.projection.fields().count());
        Run {
            replay: config.pace.map(|pace| (Replay::new(pace), EventBatch::new(value_fields, named_fields))),
            has_told_of_waiting: false,
            // On stdout it could not be taken back.
            refresh: (output.is_picture() && config.output.is_some()).then(Refresh::default),
            engine: Engine::new(config.engine),
            collector,
            reader: Some(reader),
            output,
            interrupts,
            fields,
            year_rule: config.projection.time_rules.year,
            years: Years::new(&config.projection.time_rules),
            max_bad_share: config.max_bad_share,
            max_late_share: config.max_late_share,
            has_stats: config.has_stats,
            is_verbose: config.voice.least == Severity::Detail,
            writes_to_stdout: config.output.is_none(),
            view,
        }
    }

    /// Runs to the end and says how it was.
    fn finish(mut self) -> Exit {
        self.interrupts.listen();
        self.tell_year();
        let ending = self.take_all();
        if let Some(advance) = self.engine.tally().runaway {
            self.output.tell_advance(&advance);
        }
        let exit = self.conclude(ending);
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
            Err(error) => {
                self.output.say(Severity::Failure, &error.to_string());
                self.output.flush();
                error.exit()
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

    fn sum_up(&mut self) {
        let (counters, took) = (self.engine.counters(), self.view.elapsed());
        self.output.say(Severity::Detail, &recap::paragraph(&counters, took));
        if self.has_stats {
            self.output.summary(&counters, took);
        }
    }

    fn take_all(&mut self) -> Ending {
        loop {
            let item = match self.collector.next().try_recv() {
                Ok(item) => item,
                Err(TryRecvError::Disconnected) => return self.end_of_items(),
                Err(TryRecvError::Empty) => {
                    // The input pauses: everything read so far has been processed; show it.
                    self.output.flush();
                    self.refresh();
                    let (alarm, refresh) = (self.view.alarm(), self.refresh_alarm());
                    select! {
                        recv(alarm) -> _ => {
                            self.view.show(&self.engine);
                            continue;
                        }
                        recv(refresh) -> _ => continue,
                        recv(self.collector.next()) -> item => match item {
                            Ok(item) => item,
                            Err(_) => return self.end_of_items(),
                        },
                        recv(self.interrupts.wake) -> wake => match self.woken(wake.ok()) {
                            Some(ending) => return ending,
                            None => continue,
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
            Item::Records(mut batch) => {
                if let Some(years) = &mut self.years {
                    place_years(&mut batch, years);
                }
                let step = match self.replay.take() {
                    Some(replay) => self.replay(replay, &mut batch),
                    None => self.step(&batch),
                };
                self.fields.note(&batch);
                self.collector.recycle(batch);
                step?;
                self.fields.tell_if_live(self.engine.records(), &mut self.output);
            }
            Item::Say(severity, text) => self.output.say(severity, &text),
            Item::Names(names) => self.fields.learn(names),
            // Only a run that is to be resumed needs it.
            Item::Learnt(..) => {}
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

    fn step(&mut self, batch: &EventBatch) -> ControlFlow<Ending> {
        let step = self.engine.step(Input::Batch(batch, self.view.wall_clock()), &mut self.output);
        self.view.moved(&self.engine, batch.taken);
        self.refresh();
        step.map_break(Ending::Limit)
    }

    /// Writes the picture of the newest rows if there are new ones and it is time.
    fn refresh(&mut self) {
        if let Some(refresh) = self.refresh.as_mut().filter(|_| self.output.has_news()) {
            let now = self.view.now();
            if refresh.wait(now).is_zero() {
                self.output.show();
                refresh.done(now);
            }
        }
    }

    /// Speaks when that may be done; never if the picture shows how things are.
    fn refresh_alarm(&self) -> Receiver<Instant> {
        match self.refresh.as_ref().filter(|_| self.output.has_news()) {
            Some(refresh) => self.view.after(refresh.wait(self.view.now())),
            None => never(),
        }
    }

    /// Takes the records of a batch when they are due.
    fn replay(&mut self, (mut replay, mut part): (Replay, EventBatch), batch: &mut EventBatch) -> ControlFlow<Ending> {
        let (mut from, events) = (0, batch.times.len());
        for index in 0..=events {
            let due = (index < events).then(|| replay.due(batch.times[index], self.view.now()));
            if due.is_some_and(|due| due <= self.view.now()) {
                continue;
            }
            if from < index || due.is_none() {
                batch.lend(from..index, &mut part);
                let step = self.step(&part);
                batch.take_back(&mut part);
                step?;
                from = index;
            }
            if let Some(due) = due {
                self.wait_until(due)?;
            }
        }
        self.replay = Some((replay, part));
        ControlFlow::Continue(())
    }

    /// Waits for the moment when the next record of a replay is due.
    fn wait_until(&mut self, due: Instant) -> ControlFlow<Ending> {
        loop {
            self.output.flush();
            self.refresh();
            if self.output.is_done() {
                return ControlFlow::Break(Ending::OutputDone);
            }
            let wait = due.saturating_duration_since(self.view.now());
            if wait.is_zero() {
                return ControlFlow::Continue(());
            }
            if wait > LONG_WAIT && !self.has_told_of_waiting {
                self.has_told_of_waiting = true;
                let wait = humantime::format_duration(Duration::from_secs(wait.as_secs()));
                self.output.say(
                    Severity::Note,
                    &format!("the next record is replayed in {wait} (--replay-max-gap DUR makes long gaps shorter)"),
                );
                continue;
            }
            let (due, alarm, refresh) = (self.view.after(wait), self.view.alarm(), self.refresh_alarm());
            select! {
                recv(due) -> _ => {}
                recv(refresh) -> _ => {}
                recv(alarm) -> _ => self.view.show(&self.engine),
                recv(self.interrupts.wake) -> wake => {
                    if let Some(ending) = self.woken(wake.ok()) {
                        return ControlFlow::Break(ending);
                    }
                }
            }
        }
    }

    /// What follows from being woken, if anything does.
    fn woken(&self, wake: Option<Wake>) -> Option<Ending> {
        match wake {
            Some(Wake::StdoutClosed) => self.writes_to_stdout.then_some(Ending::OutputDone),
            Some(Wake::Signal) | None => self.interrupts.signal().map(Ending::Signal),
        }
    }

    /// No more items will come. That is the end of input only if the threads before us came to
    /// their ends, and not if one broke down; and the signal that ended the writer of our pipe is
    /// for us as well (E3).
    fn end_of_items(&mut self) -> Ending {
        let reader_ended = self.reader.take().is_none_or(|reader| reader.join().is_ok());
        if !(self.collector.ended_well() && reader_ended) {
            return Ending::Failed(Error::Defect);
        }
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
                    Stop::KeyLimit { source, line } => {
                        let name = self.output.source_name(source);
                        let why = format!(
                            "stopped at line {line} of {name}: its key is one more than --key-limit allows (raise it, or \
                             fold or drop such keys with --on-key-limit other or drop)"
                        );
                        self.say_stopped(&why);
                        return Exit::Failure;
                    }
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
        self.fields.tell(&mut self.output);
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
                let text = format!("{count} {what} in {records} records are more than {flag} {share} allows");
                self.output.say(Severity::Failure, &text);
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
        self.output.say(Severity::Failure, &format!("{why}{open}"));
    }
}
