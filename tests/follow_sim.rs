//! Following a log, or a log and what it is rotated to, while a writer and logrotate do their things one by one: in any
//! order with our looks, each line comes exactly once (R4 to R6, R13, R14). The only lines that may be missing are those that
//! logrotate itself loses: added between its copying and its emptying, or deleted before anybody looked.
//!
//! In memory and without a clock, so that many thousands of histories take seconds. `FOLLOW_SEEDS=100000` is for more of
//! them, `FOLLOW_SEED=7` for one.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use streamw::event::EventBatch;
use streamw::input::position::Position;
use streamw::input::tail::disk::FileSystem;
use streamw::input::tail::together::Together;
use streamw::input::tail::{Given, Mark, QUIET, Tail, TailOptions};
use streamw::run::checkpoint::paths::{PathRecord, PathTrace};
use streamw::time::Timestamp;

use crate::follow_world::{Fate, Files, Step, World, path};
use crate::history::Rng;

const SEEDS: u64 = 3_000;

/// How the log is rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Rename,
    CopyTruncate,
}

/// When rotated files are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packs {
    Never,
    AtOnce,
    NextTime,
}

/// One who follows one name.
struct Follower {
    name: String,
    tail: Tail,
    /// Bytes of a line that is not whole.
    begun: Vec<u8>,
    /// The numbers of the lines it has given.
    given: Vec<usize>,
    /// Where the next one begins in its file.
    at: u64,
    trace: PathTrace,
    /// The same as it was since the last checkpoint: the engine takes what was read at its own pace, of each input.
    traces: Vec<(PathTrace, usize)>,
}

/// What a checkpoint says of each, and how many lines it had given.
type Checkpoint = Vec<(String, Position, usize)>;

impl Follower {
    /// Asks once; how long there is nothing to do, if that is so.
    fn ask(&mut self, files: &Files, most: usize, now: Instant) -> Result<Option<Duration>, String> {
        let given = self.tail.give(&mut self.begun, most, now).map_err(|error| error.to_string())?;
        match given {
            Given::Bytes(_) => {
                while let Some(end) = self.begun.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = self.begun.drain(..=end).collect();
                    let line = String::from_utf8(line).expect("ASCII");
                    let number = files.world().count(line.trim_end(), &self.name)?;
                    self.given.extend(number);
                    self.trace.took(&batch(self.at, &line, number.is_some()));
                    self.at += line.len() as u64;
                    self.traces.push((self.trace.clone(), self.given.len()));
                }
            }
            Given::Mark(mark) => {
                let mut world = files.world();
                let told = match &mark {
                    Mark::Begin { offset, begun, .. } => format!("begins at {offset} of {}", begun.place.id.inode),
                    Mark::Say(_, text) => text.clone(),
                    other => format!("{other:?}"),
                };
                world.trace.push(format!("    {}: {told}", self.name));
                if let Mark::Begin { begun, offset, .. } = &mark {
                    self.at = *offset;
                    self.trace.begun((**begun).clone());
                    self.traces.push((self.trace.clone(), self.given.len()));
                }
                if mark == Mark::Truncated {
                    // If nobody has its rest, the line is not missed either.
                    self.begun.clear();
                }
                if !matches!(mark, Mark::Say(..)) && !self.begun.is_empty() {
                    return Err(format!("a piece of a line: {:?}", String::from_utf8_lossy(&self.begun)));
                }
            }
            Given::Nothing(wait) => return Ok(Some(wait)),
        }
        Ok(None)
    }
}

/// A line as the engine takes it; a header is no event.
fn batch(offset: u64, line: &str, is_event: bool) -> EventBatch {
    let mut batch = EventBatch::new(0, 0);
    (batch.offset, batch.consumed, batch.lines) = (offset, line.len() as u64, 1);
    batch.bytes.extend_from_slice(line.as_bytes());
    batch.times.extend(is_event.then_some(Timestamp(0)));
    batch
}

/// What happens, and who follows what.
struct History {
    rng: Rng,
    files: Files,
    followers: Vec<Follower>,
    now: Instant,
    most: usize,
    options: TailOptions,
    checkpoint: Checkpoint,
}

impl History {
    /// `is_alone` says that the log is followed without its rotations.
    fn of(seed: u64, is_alone: bool) -> History {
        let mut rng = Rng(seed);
        for _ in 0..3 {
            rng.next();
        }
        let names: &[&str] = rng.pick::<&[&str]>(&[
            &["log"],
            &["log"],
            &["log", "log.1"],
            &["log.1", "log"],
            &["log", "log.1", "log.2"],
        ]);
        let how = *rng.pick(&[How::Rename, How::CopyTruncate, How::CopyTruncate]);
        let names = if is_alone { &["log"][..] } else { names };
        let packs = *rng.pick(&[Packs::Never, Packs::Never, Packs::AtOnce, Packs::NextTime]);
        let mut world = World::new(Rng(rng.next()));
        world.padding = *rng.pick(&[0, 40, 40, 600]);
        if rng.chance(20) {
            world.header = format!("#{}\n", "h".repeat(*rng.pick(&[3, 300, 2000])));
        }
        // What was there before.
        let past = if rng.chance(50) { rng.between(1, 3) as usize } else { 0 };
        for number in (1..=past).rev() {
            let name = format!("log.{number}");
            let fate = Fate { is_foreign: !names.contains(&name.as_str()), ..Fate::default() };
            let text: String = (0..rng.between(1, 20)).map(|_| world.line(fate)).collect();
            world.write(&name, &text);
            world.pass(1_000_000_000);
        }
        let text: String = (0..rng.between(0, 9)).map(|_| world.line(Fate::default())).collect();
        if !text.is_empty() {
            world.write("log", &text);
        }
        world.steps.push_back(Step::Reopen);
        world.step();
        let keeps = *rng.pick(&[2, 4, 20, 20]);
        for _ in 0..rng.between(1, 6) {
            rotation(&mut rng, &mut world, how, packs, keeps);
        }
        world.trace.push(format!("seed {seed}: {names:?}, {how:?}, packs {packs:?}, keeps {keeps}"));
        let files = Files(Arc::new(Mutex::new(world)));
        let options = TailOptions {
            from_end: false,
            rotate_wait: Duration::from_secs(5),
            poll: Duration::from_secs(1),
            apart: names.iter().map(|name| path(name)).collect(),
            together: Together::default(),
        };
        let follow = |name: &&str| {
            let tail = Tail::start(Arc::new(files.clone()), &path(name), &[], options.clone()).expect("a log");
            let trace = PathTrace::new(tail.place(), tail.beside(), files.world().now());
            let traces = vec![(trace.clone(), 0)];
            Follower { name: (*name).to_owned(), tail, begun: Vec::new(), given: Vec::new(), at: 0, trace, traces }
        };
        let followers = names.iter().map(follow).collect();
        let most = *rng.pick(&[7, 100, 1 << 16]);
        let mut history =
            History { rng, files, followers, now: Instant::now(), most, options, checkpoint: Checkpoint::new() };
        history.save();
        history
    }

    /// Takes a checkpoint.
    fn save(&mut self) {
        let History { rng, followers, .. } = self;
        let save = |follower: &mut Follower| {
            let all = follower.traces.len();
            let at = if rng.chance(60) { all - 1 } else { (rng.next() % all as u64) as usize };
            follower.traces.drain(..at);
            let (trace, given) = &follower.traces[0];
            (serde_json::to_string(&trace.record()).expect("plain data"), trace.position(), *given)
        };
        self.checkpoint = followers.iter_mut().map(save).collect();
    }

    /// Kills the run, and begins another one from the checkpoint.
    fn kill(&mut self) {
        let together = Together::default();
        self.options.together = together;
        let mut world = self.files.world();
        world.fates.iter_mut().for_each(|fate| fate.times = 0);
        let haste = std::mem::take(&mut world.haste);
        for (follower, (record, position, given)) in self.followers.iter_mut().zip(&self.checkpoint) {
            follower.given.truncate(*given);
            follower.given.iter().for_each(|number| world.fates[*number].times = 1);
            let record: PathRecord = serde_json::from_str(record).expect("plain data");
            let PathRecord { file, is_telling, .. } = record;
            let told = if is_telling { "which it tells" } else { "which tells nothing" };
            let text =
                format!("    {}: killed, goes on from {} of {}, {told}", follower.name, position.offset, file.inode);
            world.trace.push(text);
        }
        drop(world);
        let files: Arc<dyn FileSystem> = Arc::new(self.files.clone());
        for follower in &mut self.followers {
            follower.tail = Tail::new(files.clone(), &path(&follower.name), &[], self.options.clone());
            follower.begun.clear();
        }
        let lefts = self.checkpoint.iter().map(|(record, position, _)| {
            let record: PathRecord = serde_json::from_str(record).expect("plain data");
            (PathTrace::left(&record, position), record)
        });
        let lefts: Vec<_> = lefts.collect();
        for (follower, (left, _)) in self.followers.iter_mut().zip(&lefts) {
            follower.tail.recall(left);
        }
        self.files.world().haste = haste;
        let positions = self.checkpoint.iter().map(|(_, position, _)| position);
        for ((follower, (left, record)), position) in self.followers.iter_mut().zip(lefts).zip(positions) {
            let place = follower.tail.go_on(&left).expect("a log");
            follower.trace = PathTrace::go_on(&record, position, place, follower.tail.beside());
            follower.traces = vec![(follower.trace.clone(), follower.given.len())];
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.files.world().pass(time.as_nanos() as i64);
    }

    /// Everybody asks until nothing comes of waiting.
    fn settle(&mut self) -> Result<(), String> {
        let mut in_vain = 0;
        while in_vain < 8 {
            let mut is_something = false;
            for follower in &mut self.followers {
                while follower.ask(&self.files, self.most, self.now)?.is_none() {
                    is_something = true;
                }
            }
            self.pass(QUIET);
            in_vain = if is_something { 0 } else { in_vain + 1 };
        }
        Ok(())
    }

    fn run(&mut self, kills: u64) -> Result<(), String> {
        self.settle()?;
        let hastes = [0, 1, 3, 10, 30, 60];
        while !self.files.world().steps.is_empty() {
            if self.rng.chance(20) {
                self.files.world().haste = *self.rng.pick(&hastes);
            }
            if kills > 0 && self.rng.chance(20) {
                self.save();
            }
            if self.rng.chance(kills) {
                self.kill();
            }
            match self.rng.next() % 4 {
                0 => self.files.world().step(),
                // A file that its writer goes on with is not waited for longer than so.
                1 if self.files.world().is_settled() => {
                    let time = Duration::from_millis(*self.rng.pick(&[1, 5, 400, 1000, 6000]));
                    self.pass(time);
                }
                _ => {
                    let at = (self.rng.next() % self.followers.len() as u64) as usize;
                    let asks = self.rng.between(1, 12);
                    for _ in 0..asks {
                        if self.followers[at].ask(&self.files, self.most, self.now)?.is_some() {
                            break;
                        }
                    }
                }
            }
        }
        self.files.world().haste = 0;
        self.settle()?;
        let world = self.files.world();
        for (number, fate) in world.fates.iter().enumerate() {
            if fate.is_foreign && fate.times > 0 {
                return Err(format!("line {number} was there before, in a file that is not followed"));
            }
            if fate.times == 0 && !fate.may_be_lost && !fate.is_foreign {
                return Err(format!("line {number} is lost"));
            }
        }
        Ok(())
    }
}

/// What logrotate does one after the other, and lines that are added meanwhile.
fn rotation(rng: &mut Rng, world: &mut World, how: How, packs: Packs, keeps: usize) {
    let mut steps = Vec::new();
    let numbered = |number: usize| format!("log.{number}");
    let pack = |steps: &mut Vec<Step>, name: &str| {
        for percent in [0, 50, 100] {
            steps.push(Step::Pack(name.to_owned(), percent));
        }
    };
    let write = |rng: &mut Rng, steps: &mut Vec<Step>, is_copied: bool| {
        for _ in 0..*rng.pick(&[0, 0, 1, 2, 5]) {
            if !is_copied && rng.chance(20) {
                steps.extend([Step::Begin(rng.between(1, 99) as usize), Step::End]);
            } else {
                steps.push(Step::Write(rng.between(1, 6) as usize));
            }
        }
    };
    write(rng, &mut steps, false);
    write(rng, &mut steps, false);
    if packs == Packs::NextTime {
        pack(&mut steps, "log.1");
    }
    steps.push(Step::Delete(numbered(keeps)));
    steps.push(Step::Delete(numbered(keeps) + ".gz"));
    for number in (1..keeps.min(12)).rev() {
        steps.push(Step::Rename(numbered(number), numbered(number + 1)));
        steps.push(Step::Rename(numbered(number) + ".gz", numbered(number + 1) + ".gz"));
        if number < 3 && how == How::CopyTruncate && rng.chance(30) {
            steps.push(Step::Write(1));
        }
    }
    match how {
        How::CopyTruncate => {
            steps.push(Step::Create(numbered(1)));
            for _ in 0..rng.next() % 3 {
                steps.push(Step::Copy(rng.between(1, 300) as usize));
                write(rng, &mut steps, true);
            }
            steps.push(Step::CopyRest);
            if rng.chance(50) {
                write(rng, &mut steps, true);
            }
            steps.push(Step::Truncate);
        }
        How::Rename => {
            steps.push(Step::Rename("log".to_owned(), numbered(1)));
            // Its writer does not know yet.
            write(rng, &mut steps, false);
            steps.push(Step::Create("log".to_owned()));
            if rng.chance(50) {
                write(rng, &mut steps, false);
            }
            steps.push(Step::Reopen);
        }
    }
    write(rng, &mut steps, false);
    if packs == Packs::AtOnce {
        pack(&mut steps, "log.1");
    }
    world.steps.extend(steps);
}

fn follow(seed: u64, is_alone: bool, kills: u64) -> Result<(), String> {
    let mut history = History::of(seed, is_alone);
    let result = history.run(kills);
    result.map_err(|fault| {
        let trace = history.files.world().trace.join("\n");
        format!("{trace}\nseed {seed}: {fault}")
    })
}

/// Many histories, in which a run is killed at so many steps in a hundred.
fn each_line_comes_once(is_alone: bool, kills: u64) {
    let from_environment = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let seeds = match from_environment("FOLLOW_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..from_environment("FOLLOW_SEEDS").unwrap_or(SEEDS),
    };
    let mut faults = Vec::new();
    let count = seeds.end - seeds.start;
    for seed in seeds {
        if let Err(fault) = follow(seed, is_alone, kills) {
            faults.push(fault);
        }
    }
    if let Some(shortest) = faults.iter().min_by_key(|fault| fault.len()) {
        let all: Vec<&str> = faults.iter().filter_map(|fault| fault.lines().last()).collect();
        panic!("{} of {count}:\n{}\n\n{shortest}", faults.len(), all.join("\n"));
    }
}

#[test]
fn r4_r5_r6_whatever_happens_between_any_looks_each_line_comes_once() {
    each_line_comes_once(false, 0);
}

#[test]
fn f1_killed_between_any_looks_each_line_comes_once() {
    each_line_comes_once(true, 5);
}
