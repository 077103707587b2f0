//! The engine's state as pieces and back (section 5): a run whose engine is thrown away at any moment and made again
//! of what was saved is the run that nobody disturbed. Rows, reports and every counter are the same to the byte.

use std::collections::BTreeMap;
use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

use streamw::cli::{self, Command, Config, Terminals};
use streamw::engine::snapshot::{Pieces, Restore};
use streamw::engine::sources::SourceRule;
use streamw::engine::{Cursor, Engine, Input, Now};
use streamw::event::{EventBatch, SourceId};
use streamw::host::Host;
use streamw::input::pool::{self, Item};
use streamw::input::reader::{ReadClock, Reader, Source, Start};
use streamw::output::side::{Output as Writer, Sinks};
use streamw::output::sink::Sink;
use streamw::time::{Span, Timestamp};

use crate::history::{History, Kind, Rng};
use crate::simulation::KINDS;
use crate::util::{Output, SharedBuffer, Streamw, assert_same};

const NOW: Now = Now { wall: Timestamp(0), elapsed: Span(0) };

/// What a state directory would hold.
#[derive(Clone, Debug, Default)]
struct Kept {
    pieces: BTreeMap<(u64, u64), Vec<u8>>,
}

impl Pieces for Kept {
    fn put(&mut self, group: u64, row: u64, bytes: &[u8]) {
        self.pieces.insert((group, row), bytes.to_vec());
    }

    fn remove(&mut self, group: u64, row: u64) {
        self.pieces.remove(&(group, row));
    }

    fn remove_group(&mut self, group: u64) {
        self.pieces.retain(|(other, _), _| *other != group);
    }
}

impl Kept {
    /// The engine that these pieces and this head make, which come in any order.
    fn restore(&self, config: &Config, head: &[u8], rng: &mut Rng) -> Result<Engine, String> {
        let mut restore = Restore::new(config.engine.clone(), head).map_err(|damaged| damaged.to_string())?;
        let mut pieces: Vec<_> = self.pieces.iter().collect();
        let turns = rng.between(0, pieces.len() as i128) as usize;
        pieces.rotate_left(turns);
        if rng.chance(50) {
            rng.shuffle(&mut pieces);
        }
        for ((group, row), bytes) in pieces {
            restore.piece(*group, *row, bytes).map_err(|damaged| damaged.to_string())?;
        }
        restore.finish().map_err(|damaged| damaged.to_string())
    }
}

/// A run with these flags whose engine is saved and made again by chance.
fn disturbed(flags: &str, input: &[u8], takes_parts: bool, read_size: usize, rng: &mut Rng) -> Output {
    let mut config = config(flags);
    if takes_parts {
        // Half of them as an input of its own, which the plain loop does not know.
        if config.engine.sources == SourceRule::One && rng.chance(50) {
            config.engine.sources = SourceRule::Inputs(1);
        }
        config.engine.limits.max_late = Some(rng.between(0, 3) as u64);
        config.engine.limits.max_bad = Some(rng.between(0, 3) as u64);
    }
    let (stdout, stderr) = (SharedBuffer::default(), SharedBuffer::default());
    let mut writer = writer(&config, &stdout, &stderr);
    let mut kept = Kept::default();
    let mut more = rng.clone();
    let sizes = &mut || more.between(1, 9) as usize;
    let sizes: Option<Sizes<'_>> = if takes_parts { Some(sizes) } else { None };
    let mut engine = take_all(&config, input.to_vec(), read_size, sizes, &mut writer, |engine| {
        survive(engine, &mut kept, &config, rng)
    });
    assert!(engine.step(Input::End, &mut writer).is_continue());
    let engine = survive(engine, &mut kept, &config, rng);
    writer.summary(&engine.counters(), Duration::ZERO);
    writer.flush();
    Output { status: 0, stdout: stdout.text(), stderr: stderr.text() }
}

fn writer(config: &Config, stdout: &SharedBuffer, stderr: &SharedBuffer) -> Writer {
    let encoder = config.row_format.encoder(config.shape.clone(), config.row_paint);
    let sink = |name: &str, buffer: &SharedBuffer| Sink::new(name, Box::new(buffer.clone()));
    let sinks = Sinks { rows: sink("stdout", stdout), stderr: sink("stderr", stderr), late: None, bad: None };
    Writer::new(encoder, &config.shape, sinks, vec!["-".to_owned()], config.voice)
}

/// How many events there are in each part of a batch.
type Sizes<'a> = &'a mut dyn FnMut() -> usize;

/// Takes a whole input, if so in parts of so many events; after each of them `between` has the engine.
fn take_all(
    config: &Config,
    input: Vec<u8>,
    read_size: usize,
    sizes: Option<Sizes<'_>>,
    writer: &mut Writer,
    between: impl FnMut(Engine) -> Engine,
) -> Engine {
    take_from(None, config, input, read_size, sizes, writer, between)
}

/// As [`take_all`], with an engine that has seen something.
fn take_from(
    engine: Option<Engine>,
    config: &Config,
    input: Vec<u8>,
    read_size: usize,
    mut sizes: Option<Sizes<'_>>,
    writer: &mut Writer,
    mut between: impl FnMut(Engine) -> Engine,
) -> Engine {
    let (values, named) = (config.projection.values.len(), config.projection.fields().count());
    let (dealer, mut collector, spare) =
        pool::start(config.threads, 8, || EventBatch::new(values, named)).expect("threads are to be had");
    let stdin = Host::piped(Small { bytes: input, at: 0, size: read_size }, std::io::sink(), std::io::sink()).stdin;
    let clock = ReadClock { now: Box::new(Instant::now), wall: Box::new(|| Timestamp(0)) };
    let reader =
        Reader::new(config.read.clone(), config.projection.clone(), config.time_is_given, spare, dealer, clock);
    let reading = thread::spawn(move || {
        reader.run(vec![Source { id: SourceId(0), name: "-".into(), feed: stdin, start: Start::default() }])
    });
    let mut engine = engine.unwrap_or_else(|| Engine::new(config.engine.clone()).kept());
    while let Ok(item) = collector.next().recv() {
        collector.advance();
        if let Item::Records(batch) = item {
            let mut cursor = Cursor::default();
            while !cursor.is_done() {
                let input = match &mut sizes {
                    Some(size) => {
                        cursor.stop_at(cursor.next_event() + size());
                        Input::Part(&batch, &mut cursor, NOW)
                    }
                    None => Input::Batch(&batch, NOW),
                };
                // After a stop another run goes on behind the record.
                let has_stopped = engine.step(input, writer).is_break();
                assert!(!has_stopped || config.engine.limits.max_late.is_some(), "nothing stops here");
                engine = between(engine);
                if sizes.is_none() {
                    break;
                }
            }
            collector.recycle(batch);
        }
    }
    reading.join().expect("the reader does not panic");
    engine
}

/// Whatever happens to an engine between two batches.
fn survive(mut engine: Engine, kept: &mut Kept, config: &Config, rng: &mut Rng) -> Engine {
    if rng.chance(60) {
        return engine;
    }
    let head = engine.save(kept);
    if rng.chance(40) {
        return engine;
    }
    let restored = kept.restore(config, &head, rng).unwrap_or_else(|damaged| panic!("refused: {damaged}"));
    assert_eq!(format!("{:?}", restored.counters()), format!("{:?}", engine.counters()));
    // Nothing has changed since.
    let mut again = Kept::default();
    let mut restored = restored;
    assert_eq!(restored.save(&mut again), head);
    assert!(again.pieces.is_empty(), "{} pieces are saved again", again.pieces.len());
    restored
}

struct Small {
    bytes: Vec<u8>,
    at: usize,
    size: usize,
}

impl Read for Small {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let rest = &self.bytes[self.at..];
        let length = rest.len().min(self.size).min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}

/// JSON lines without the seconds, which depend on the clock.
fn reports(output: &Output) -> String {
    let lines = output.json_lines().into_iter().map(|line| match (line.find(",\"seconds\":"), line.find(",\"open_")) {
        (Some(from), Some(to)) => format!("{}{}\n", &line[..from], &line[to..]),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

#[track_caller]
fn assert_survives(flags: &str, input: &[u8], read_size: usize, seed: u64) {
    let flags = format!("{flags} --stats --threads 1");
    let expected = Streamw::new().args(&flags).stdin(input).read_size(read_size).run();
    assert_eq!(expected.status, 0, "{flags}: {}", expected.stderr);
    let mut rng = Rng(seed);
    for round in 0..3 {
        // In parts of batches, or record by record: plain windows take a batch as a whole.
        let (takes_parts, size) = if round == 1 { (true, read_size) } else { (false, *rng.pick(&[1, 60, 250])) };
        let got = disturbed(&flags, input, takes_parts, size, &mut rng);
        let what = format!("round {round}, seed {seed}, {flags}\n{}\n", String::from_utf8_lossy(input));
        assert_same(&format!("{what}stdout"), &expected.stdout, &got.stdout);
        assert_same(&format!("{what}stderr"), &reports(&expected), &reports(&got));
    }
}

fn seeds(count: u64) -> impl Iterator<Item = u64> {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    match number("STREAMW_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("STREAMW_HISTORIES").map_or(count, |histories| histories / 4),
    }
}

fn histories(kind: Kind, count: u64, more_flags: impl Fn(u64) -> String) {
    for seed in seeds(count) {
        let history = History::new(kind, seed);
        assert_survives(&(history.flags.clone() + &more_flags(seed)), &history.input(), history.read_size, seed);
    }
}

#[test]
fn plain_histories_survive() {
    for kind in KINDS {
        histories(kind, 150, |_| String::new());
    }
}

/// The unit of a history's windows, and their size in it.
fn size_and_unit(flags: &str) -> (u64, &str) {
    let window = flags.split(" -w ").nth(1).and_then(|rest| rest.split([' ', '/']).next()).expect("a window");
    let window = window.trim_start_matches("session:");
    let unit = window.trim_start_matches(|c: char| c.is_ascii_digit());
    (window[..window.len() - unit.len()].parse().expect("a size"), unit)
}

#[test]
fn histories_with_other_rows_survive() {
    for kind in KINDS {
        histories(kind, 120, |seed| {
            let flags = History::new(kind, seed).flags;
            let (size, unit) = size_and_unit(&flags);
            let is_session = kind == Kind::Session;
            match seed % 12 {
                8 if !is_session => " --fill previous --fill-limit 4".to_owned(),
                9 if !is_session => " --fill zero --updates retracting".to_owned(),
                10 if !is_session => " --fill previous --updates retracting --fill-limit 2".to_owned(),
                11 if !is_session => " --fill null --emit final --fill-limit 1".to_owned(),
                0 => " --emit final".to_owned(),
                1 => " --early every:2".to_owned(),
                2 => format!(" --early every:{}{unit}", size.div_ceil(2)),
                3 => " --updates discarding".to_owned(),
                4 => " --updates retracting".to_owned(),
                5 => " --early every:3 --updates retracting".to_owned(),
                6 => format!(" --early every:{size}{unit} --updates discarding"),
                _ => format!(" --max-jump {}{unit}", size * 3),
            }
        });
    }
}

#[test]
fn histories_with_duplicates_and_bounded_keys_survive() {
    for kind in KINDS {
        histories(kind, 120, |seed| {
            let flags = History::new(kind, seed).flags;
            let (size, unit) = size_and_unit(&flags);
            let key = if flags.contains(" -k ") { "" } else { " -k k" };
            let more = match seed % 6 {
                0 => " --dedup s".to_owned(),
                1 => format!(" --dedup n --dedup-within {size}{unit}"),
                2 => format!(" --dedup v --key-limit 3 --on-key-limit other --max-jump {}{unit}", size * 4),
                3 => " --key-limit 1 --on-key-limit drop".to_owned(),
                4 => " --key-limit 2 --on-key-limit other --early every:2".to_owned(),
                _ => " --key-limit 2 --on-key-limit other".to_owned(),
            };
            more + key
        });
    }
}

#[test]
fn histories_with_several_windows_survive() {
    for kind in KINDS {
        histories(kind, 120, |seed| {
            let flags = History::new(kind, seed).flags;
            let (size, unit) = size_and_unit(&flags);
            let more = match seed % 6 {
                0 => format!(" -w session:{}{unit}", size + 1),
                1 => format!(" -w cumulate:{}{unit}/{size}{unit} -w count:3", size * 3),
                2 => " -w global --trigger every:4 -w count:2".to_owned(),
                3 => format!(" -w global --trigger every:{size}{unit} --updates retracting"),
                4 => format!(" -w {}{unit}/{size}{unit} -w session:{}{unit} --early every:2", size * 5, size * 2),
                _ => format!(" -w {}{unit} --dedup n --key-limit 2 --on-key-limit other", size * 2),
            };
            // These have no meaning for all of them.
            let more = if flags.contains(" -k ") { more } else { more + " -k k" };
            if flags.contains("--offset") { String::new() } else { more }
        });
    }
}

const AGGREGATES: &str = "count count:v sum:v avg:v min:v max:v range:v first:x last:x delta:v rate:v var:v stddev_pop:v \
    median:v p99:v distinct:x approx_distinct:x mode:x top:x:3 argmin:x:v argmax:x:v collect:x:3 min_text:x max_text:x";

/// Numbers whose sums are narrow, wide and none of both.
const NUMBERS: [&[&str]; 4] = [
    &["1", "2.5", "-3", "0.25", "1e2", "7", "null"],
    &["9223372036854775807", "-9223372036854775808", "0.1", "12"],
    &[
        "170141183460469231731687303715884105727",
        "0.0000000000000000001",
        "5",
        "-170141183460469231731687303715884105727",
    ],
    &["1e300", "-1e25", "1.5", "3", "2e-300"],
];

const VALUES: [&str; 9] =
    ["\"a\"", "\"\\u0061\"", "\"é\"", "1", "1.0", "true", "[1,{}]", "null", "\"a longer text than that\""];

/// Records whose times wander forwards in steps of about `step` seconds.
fn records(rng: &mut Rng, count: usize, start: i64, step: i64) -> String {
    let numbers = *rng.pick(&NUMBERS);
    let keys = rng.between(1, 6);
    let mut newest = start;
    let record = |_| {
        newest += rng.between(0, step.into()) as i64;
        let late = if rng.chance(40) { rng.between(0, i128::from(step) * 12) as i64 } else { 0 };
        let (v, x) = (*rng.pick(numbers), *rng.pick(&VALUES));
        let (key, id) = (rng.between(1, keys), rng.between(0, 60));
        format!("{{\"ts\":{},\"k\":\"key {key}\",\"v\":{v},\"x\":{x},\"id\":{id}}}\n", newest - late)
    };
    (0..count).map(record).collect()
}

#[test]
fn every_aggregate_survives_in_every_window() {
    let aggregates: String = AGGREGATES.split_whitespace().map(|call| format!(" -a {call}")).collect();
    let windows = [
        "-w 1h",
        "-w 3h/1h",
        "-w 5h/2h",
        "-w 1h/90m",
        "-w cumulate:1d/2h",
        "-w session:30m",
        "-w 1d --timezone America/New_York",
        "-w 12h/1h --timezone America/New_York",
        "-w 1mo",
        "-w count:7",
        "-w global --trigger every:5",
        "-w global --trigger every:3h",
        "-w 2h --early every:3",
        "-w 4h/1h --early every:30m --updates retracting",
        "-w session:1h --updates retracting --early every:4",
        "-w session:1h --updates discarding --early every:2h",
        "-w 1h -w 1d/1h -w session:2h -w count:5 -w global",
        "-w 2h -w 4h --emit final",
        "-w 1h --dedup id",
        "-w 6h/1h --dedup id --dedup-within 1h",
        "-w 2h -w session:20m --key-limit 2 --on-key-limit other",
        "-w 2h --max-jump 3h",
        "-w 2h --fill previous --updates retracting",
        "-w 1h -w 4h/1h --fill zero --fill-limit 3",
    ];
    for (number, window) in (0..).zip(windows) {
        for seed in seeds(6) {
            let mut rng = Rng(seed * 100 + number);
            // Around the change of clocks in November.
            let step = *rng.pick(&[100, 700, 4000]);
            let input = records(&mut rng, 220, 1_793_500_000, step);
            let (delay, lateness) = (*rng.pick(&["0s", "20m", "2h"]), *rng.pick(&["0s", "1h", "6h", "100000d"]));
            let rule = *rng.pick(&["", " --late-rule event"]);
            let key = if window.contains("--key-limit") { " -k k" } else { *rng.pick(&["", " -k k"]) };
            let all = if rng.chance(50) { aggregates.clone() } else { String::new() };
            let flags = format!("-t ts {window} -d {delay} -l {lateness}{rule}{key}{all}");
            assert_survives(&flags, input.as_bytes(), 4096, seed);
        }
    }
}

#[test]
fn sources_with_watermarks_of_their_own_survive() {
    for seed in seeds(30) {
        let mut rng = Rng(seed + 7000);
        let mut input = records(&mut rng, 200, 1_793_500_000, 700);
        for more in
            ["--partition id -w 1h -k k -l 1h -d 10m", "--partition k -w session:30m -l 30m --max-jump 4h -d 1m"]
        {
            assert_survives(&format!("-t ts {more} -a count -a sum:v"), input.as_bytes(), 4096, seed);
        }
        for part in 1..6 {
            let key = rng.between(1, 6);
            input += &format!("{{\"upto\":{},\"k\":\"key {key}\"}}\n", 1_793_500_000 + part * 30_000);
            input += &records(&mut rng, 30, 1_793_500_000 + part * 30_000, 700);
        }
        for more in ["--partition k -w 1h -w 3h/1h --dedup id", "-w 2h -k k -l 1h", "-w 1h --early every:3 -l 2h"] {
            assert_survives(&format!("-t ts --punctuate upto {more} -a sum:v"), input.as_bytes(), 4096, seed);
        }
    }
}

/// Sketches and registers begin where there are more values than are kept one by one.
#[test]
fn windows_of_many_values_survive() {
    let record = |index: u64| {
        let mixed = index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        format!("{{\"ts\":{},\"v\":{mixed},\"x\":\"{mixed}\"}}\n", index * 3)
    };
    let input: String = (0..1500).map(record).collect();
    let flags =
        "-t ts -w 1h/20m -l 1h -a median:v -a p99:v -a distinct:x -a approx_distinct:x -a top:x:3 -a collect:x:200";
    assert_survives(flags, input.as_bytes(), 4096, 7);
}

fn config(flags: &str) -> Config {
    let arguments = flags.split_whitespace().map(Into::into).collect();
    match cli::parse(arguments, &Vec::new(), Terminals::default(), Timestamp(0)) {
        Ok(Command::Run(config)) => *config,
        Ok(_) => panic!("no run: {flags}"),
        Err(answer) => panic!("{flags}: {}", answer.text),
    }
}

// --- damage --------------------------------------------------------------------------------------------------

/// Something in the middle of a run with these flags, and what it is saved as.
fn in_the_middle(flags: &str, input: String) -> (Config, Vec<u8>, Kept) {
    let config = config(flags);
    let (stdout, stderr) = (SharedBuffer::default(), SharedBuffer::default());
    let mut writer = writer(&config, &stdout, &stderr);
    let mut engine = take_all(&config, input.into_bytes(), 4096, None, &mut writer, |engine| engine);
    let mut kept = Kept::default();
    let head = engine.save(&mut kept);
    (config, head, kept)
}

/// One thing wrong.
fn damage(head: &mut Vec<u8>, kept: &mut Kept, rng: &mut Rng) {
    let ids: Vec<_> = kept.pieces.keys().copied().collect();
    let id = *rng.pick(&ids);
    let other = *rng.pick(&ids);
    match rng.between(0, 5) {
        0 => spoil(head, rng),
        1 => _ = kept.pieces.remove(&id),
        2 => {
            let bytes = kept.pieces[&id].clone();
            let odd = [(id.0, id.1 + 1), (id.0 + 1, id.1), (other.0, id.1), (id.0, rng.next()), (rng.next(), id.1)];
            kept.pieces.insert(*rng.pick(&odd), bytes);
        }
        _ => spoil(kept.pieces.get_mut(&id).expect("it is one of them"), rng),
    }
}

fn spoil(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let at = rng.between(0, bytes.len().max(1) as i128 - 1) as usize;
    match rng.between(0, 4) {
        _ if bytes.is_empty() => bytes.push(rng.next() as u8),
        0 => bytes.truncate(at),
        1 => bytes.insert(at, rng.next() as u8),
        2 => bytes[at..].iter_mut().for_each(|byte| *byte = rng.next() as u8),
        _ => bytes[at] ^= 1 << rng.between(0, 7),
    }
}

/// The store has sums over everything, so that this does not happen. If it does all the same, nothing is made of it
/// that cannot be, and what can be ends well.
#[test]
fn whatever_is_damaged_nothing_panics() {
    let aggregates: String = AGGREGATES.split_whitespace().map(|call| format!(" -a {call}")).collect();
    for window in [
        "-w 3h/1h -l 2h",
        "-w 1h -l 2h --dedup id",
        "-w session:30m -l 1h --updates retracting",
        "-w 2h --early every:2 --updates discarding --max-jump 3h",
        "-w count:5 -w global --trigger every:1h -w cumulate:6h/1h",
    ] {
        let mut rng = Rng(window.len() as u64);
        let numbers = records(&mut rng, 120, 1_793_500_000, 700);
        let flags = format!("-t ts -k k -d 1h {window} {aggregates}");
        let (config, head, kept) = in_the_middle(&flags, numbers);
        let mut refused = 0;
        for _ in 0..2000 {
            let (mut head, mut damaged) = (head.clone(), kept.clone());
            damage(&mut head, &mut damaged, &mut rng);
            match damaged.restore(&config, &head, &mut rng) {
                Err(message) => {
                    assert!(!message.is_empty());
                    refused += 1;
                }
                Ok(mut engine) => {
                    let (stdout, stderr) = (SharedBuffer::default(), SharedBuffer::default());
                    let mut writer = writer(&config, &stdout, &stderr);
                    assert!(engine.step(Input::End, &mut writer).is_continue());
                    engine.save(&mut Kept::default());
                }
            }
        }
        assert!(refused > 400, "{window}: {refused} are refused");
    }
}

#[test]
fn another_configuration_or_version_is_refused() {
    let (config_of, mut head, kept) = in_the_middle("-t ts -w 1h", "{\"ts\":1}\n".to_owned());
    let mut rng = Rng(1);
    assert!(kept.restore(&config("-t ts -w 1h -w 2h"), &head, &mut rng).is_err());
    assert!(kept.restore(&config_of, &head, &mut rng).is_ok());
    head[0] += 1;
    assert_eq!(kept.restore(&config_of, &head, &mut rng).err().as_deref(), Some("the state is of another version"));
}

/// What is gone is gone from the pieces as well.
#[test]
fn nothing_is_left_of_windows_that_are_gone() {
    for window in ["-w 1h", "-w 6h/1h", "-w session:30m", "-w 1h --early every:2", "-w 1h --dedup id"] {
        let mut rng = Rng(3);
        let config = config(&format!("-t ts -k k -l 30m {window}"));
        let (stdout, stderr) = (SharedBuffer::default(), SharedBuffer::default());
        let mut writer = writer(&config, &stdout, &stderr);
        let mut input = records(&mut rng, 400, 1_793_500_000, 700);
        input += "{\"ts\":1900000000,\"id\":1001}\n{\"ts\":1950000000,\"id\":1002}\n";
        let (mut kept, mut most) = (Kept::default(), 0);
        take_all(&config, input.into_bytes(), 150, None, &mut writer, |mut engine| {
            engine.save(&mut kept);
            most = most.max(kept.pieces.len());
            engine
        });
        // The last event, a list of nodes, ids, a source.
        let left = &kept.pieces;
        assert!(most > 5 && left.len() <= 4, "{window}: of {most} are left {left:?}");
    }
}

// --- figures -------------------------------------------------------------------------------------------------

/// Takes pieces as a state directory would on the engine's thread: copies them into one buffer.
#[derive(Default)]
struct Copied {
    pieces: Vec<(u64, u64, std::ops::Range<usize>)>,
    bytes: Vec<u8>,
}

impl Pieces for Copied {
    fn put(&mut self, group: u64, row: u64, bytes: &[u8]) {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        self.pieces.push((group, row, from..self.bytes.len()));
    }

    fn remove(&mut self, _group: u64, _row: u64) {}
    fn remove_group(&mut self, _group: u64) {}
}

/// Memory of the process in MB.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) / 256
}

/// What saves and restores of a million windows cost, measured: not part of an ordinary run.
///
/// ```text
/// cargo test --release --test main snapshot_figures -- --ignored --nocapture --test-threads 1
/// ```
#[test]
#[ignore = "a measurement"]
fn snapshot_figures() {
    const WINDOWS: u64 = 1_000_000;
    let record = |key: u64, ts: u64| format!("{{\"ts\":{ts},\"k\":\"customer {key:08}\",\"v\":{}}}\n", key % 1000);
    for window in ["-w 1d", "-w session:1h", "-w 1d/6h", "-w 1d --early every:1000000"] {
        let config = config(&format!("-i ndjson -t ts -k k {window} -l 1d -a count -a sum:v -a max:v --threads 1"));
        let (stdout, stderr) = (SharedBuffer::default(), SharedBuffer::default());
        let mut writer = writer(&config, &stdout, &stderr);
        let step = |engine: Option<Engine>, keys: &mut dyn Iterator<Item = u64>, writer: &mut Writer| {
            let input: String = keys.map(|key| record(key, 1_800_000_100 + key % 1000)).collect();
            let mut engine = engine;
            take_from(engine.take(), &config, input.into_bytes(), 1 << 16, None, writer, |engine| engine)
        };
        let before = resident();
        let mut engine = step(None, &mut (0..WINDOWS), &mut writer);
        let filled = resident();
        let timed = |engine: &mut Engine| {
            let mut copied = Copied { bytes: Vec::with_capacity(256 << 20), ..Copied::default() };
            copied.bytes.resize(256 << 20, 0);
            copied.bytes.clear();
            copied.pieces.reserve(WINDOWS as usize);
            let since = Instant::now();
            let head = engine.save(&mut copied);
            (since.elapsed(), copied, head)
        };
        println!("{window}: {} MB in memory for {} windows", filled - before, engine.open_windows());
        let (took, all, head) = timed(&mut engine);
        println!(
            "  all for the first time: {took:.1?}, {} pieces of {} bytes",
            all.pieces.len(),
            all.bytes.len() / all.pieces.len()
        );
        let since = Instant::now();
        let mut restore = Restore::new(config.engine.clone(), &head).expect("it is whole");
        for (group, row, bytes) in &all.pieces {
            restore.piece(*group, *row, &all.bytes[bytes.clone()]).expect("it is whole");
        }
        let took_pieces = since.elapsed();
        let restored = restore.finish().expect("it is whole");
        let finished = since.elapsed() - took_pieces;
        println!("  restored: {took_pieces:.1?} and {finished:.1?} to finish; {} windows", restored.open_windows());
        drop((restored, all));
        let mut rng = Rng(1);
        for percent in [0, 1, 10, 100] {
            let mut keys =
                (0..WINDOWS * percent / 100).map(|key| if percent == 100 { key } else { rng.next() % WINDOWS });
            engine = step(Some(engine), &mut keys, &mut writer);
            let (took, copied, head) = timed(&mut engine);
            println!(
                "  {percent} % changed: {took:.1?}, {} pieces, {} bytes, head {}",
                copied.pieces.len(),
                copied.bytes.len(),
                head.len()
            );
        }
    }
}
