//! T10: sources with watermarks of their own, punctuation, idleness.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use streamw::host::{Clock, Host};
use streamw::run;
use streamw::time::Timestamp;

use crate::history::Rng;
use crate::util::{Fed, Live, Output, SharedBuffer, Streamw, assert_same, parse_json};

const CSV: &str = "-t ts --time-format s --output-time s -o csv --stats";

/// Rows without their header.
fn rows(output: &Output) -> String {
    output.stdout.split_inclusive('\n').skip(1).collect()
}

#[track_caller]
fn counters_add_up(output: &Output) {
    let summary = output.summary();
    let count = |name: &str| summary[name].as_u64().unwrap_or_else(|| panic!("no {name} in {summary}"));
    let sum: u64 = ["blank", "headers", "bad", "duplicates", "punctuation", "events"].into_iter().map(count).sum();
    assert_eq!(count("records"), sum, "{summary}");
    let fates: u64 = ["added", "late_drops", "unwindowed"].into_iter().map(count).sum();
    assert_eq!(count("events"), fates, "{summary}");
}

/// A directory of a test, which goes with it.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Directory {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let (process, number) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("sources-{name}-{process}-{number}"));
        fs::create_dir_all(&path).expect("a directory");
        Directory(path)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).to_str().expect("UTF-8").to_owned()
    }

    fn file(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).expect("it can be written");
        self.path(name)
    }

    fn fifo(&self, name: &str) -> String {
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, self.path(name), rustix::fs::FileType::Fifo, mode, 0).expect("a FIFO");
        self.path(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

// --- the naive model -------------------------------------------------------------------------------------------------

/// What one record of a history is: seconds, or nothing that could be read.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Record {
    Event(i64),
    Punctuation(i64),
    Bad,
    Blank,
}

/// One tumbling window size, no key, counts; every event looks at everything.
struct Naive {
    size: i64,
    delay: i64,
    lateness: i64,
    is_punctuated: bool,
    /// By source; none before its first event.
    watermarks: Vec<Option<i64>>,
    watermark: i64,
    /// Start, events, panes printed.
    windows: Vec<(i64, u64, u64)>,
    rows: String,
    late_drops: u64,
}

const NEVER: i64 = i64::MIN / 4;
const FOR_EVER: i64 = i64::MAX / 4;

impl Naive {
    fn new(flags: &Flags, watermarks: Vec<Option<i64>>) -> Naive {
        Naive {
            size: flags.size,
            delay: flags.delay,
            lateness: flags.lateness,
            is_punctuated: flags.is_punctuated,
            watermarks,
            watermark: NEVER,
            windows: Vec::new(),
            rows: String::new(),
            late_drops: 0,
        }
    }

    fn take(&mut self, source: usize, record: Record) {
        let moved_to = match record {
            Record::Bad | Record::Blank => return,
            Record::Event(time) => {
                self.event(time);
                if self.is_punctuated { NEVER } else { time - self.delay }
            }
            Record::Punctuation(time) => time,
        };
        let own = &mut self.watermarks[source];
        *own = Some(own.unwrap_or(NEVER).max(moved_to));
        self.follow();
    }

    fn event(&mut self, time: i64) {
        let start = time.div_euclid(self.size) * self.size;
        let end = start + self.size;
        if end + self.lateness <= self.watermark {
            self.late_drops += 1;
            return;
        }
        if !self.windows.iter().any(|window| window.0 == start) {
            self.windows.push((start, 0, 0));
        }
        let window = self.windows.iter_mut().find(|window| window.0 == start).expect("it is there");
        window.1 += 1;
        if end <= self.watermark {
            self.rows += &format!("{start},{end},{},late,{}\n", window.1, window.2);
            window.2 += 1;
        }
    }

    fn follow(&mut self) {
        let minimum = self.watermarks.iter().flatten().min().copied().unwrap_or(FOR_EVER);
        self.watermark = self.watermark.max(minimum);
        self.windows.sort_unstable();
        for (start, count, panes) in &mut self.windows {
            let end = *start + self.size;
            if end <= self.watermark && *panes == 0 {
                self.rows += &format!("{start},{end},{count},on_time,0\n");
                *panes = 1;
            }
        }
    }

    fn end_of(&mut self, source: usize) {
        self.watermarks[source] = None;
        self.follow();
    }

    fn end(&mut self) {
        self.watermarks.clear();
        self.follow();
    }
}

#[derive(Debug)]
struct Flags {
    size: i64,
    delay: i64,
    lateness: i64,
    is_punctuated: bool,
}

impl Flags {
    fn random(rng: &mut Rng) -> Flags {
        let is_punctuated = rng.chance(30);
        let delay = if is_punctuated { 0 } else { i64::try_from(rng.between(0, 8)).expect("small") };
        let lateness = *rng.pick(&[0, 0, 3, 10]);
        Flags { size: *rng.pick(&[1, 5, 10]), delay, lateness, is_punctuated }
    }

    fn line(&self) -> String {
        let Flags { size, delay, lateness, is_punctuated } = self;
        let punctuate = if *is_punctuated { "--punctuate upto" } else { "" };
        format!("{CSV} -q -w {size}s -d {delay}s -l {lateness}s {punctuate}")
    }
}

/// Records of a source whose clock goes on by itself.
fn record(rng: &mut Rng, clock: &mut i64, is_punctuated: bool) -> Record {
    let step = |rng: &mut Rng, from, to| i64::try_from(rng.between(from, to)).expect("small");
    *clock += step(rng, 0, 3);
    match step(rng, 0, 99) {
        0..4 => Record::Bad,
        4..8 => Record::Blank,
        8..25 if is_punctuated => Record::Punctuation(*clock - step(rng, 0, 6)),
        _ => Record::Event(*clock - step(rng, 0, 9)),
    }
}

fn written(record: Record, host: usize) -> String {
    match record {
        Record::Event(time) => format!("{{\"ts\":{time},\"host\":{host}}}\n"),
        Record::Punctuation(time) => format!("{{\"upto\":{time},\"host\":{host}}}\n"),
        Record::Bad => format!("{{\"ts\":true,\"host\":{host}}}\n"),
        Record::Blank => "\n".to_owned(),
    }
}

// --- punctuation -----------------------------------------------------------------------------------------------------

#[test]
fn only_punctuation_moves_the_watermark() {
    let input = "{\"ts\":1}\n{\"ts\":50}\n{\"ts\":2,\"upto\":null}\n{\"upto\":10}\n{\"ts\":3}\n{\"upto\":9}\n{\"upto\":\"soon\"}\n{\"ts\":4}\n";
    let output = Streamw::new().args(CSV).args("-w 10s -l 5s --punctuate upto").stdin(input).run();
    assert_same("rows", "0,10,2,on_time,0\n0,10,3,late,1\n0,10,4,late,2\n50,60,1,on_time,0\n", &rows(&output));
    let bad = output.lines_of_type("bad_record");
    assert_eq!(bad.len(), 1);
    let bad = parse_json(bad[0]);
    assert_eq!((bad["line"].as_u64(), bad["reason"].as_str()), (Some(7), Some("time")), "{bad}");
    assert_eq!(bad["detail"], "watermark \"upto\" = \"soon\" is not a time");
    let summary = output.summary();
    assert_eq!((summary["punctuation"].as_u64(), summary["watermark"].as_f64()), (Some(2), Some(10.0)), "{summary}");
    counters_add_up(&output);
}

#[test]
fn punctuation_in_csv_is_a_cell_that_is_not_empty() {
    let input = "ts,upto\n1,\n20,\n,10\nts,upto\n2,\n";
    let output = Streamw::new().args(CSV).args("-i csv -w 10s --punctuate upto -q").stdin(input).run();
    assert_same("rows", "0,10,1,on_time,0\n20,30,1,on_time,0\n", &rows(&output));
    assert_eq!(output.summary()["late_drops"], 1);
    counters_add_up(&output);
}

#[test]
fn t11_punctuation_from_the_future_is_named() {
    let input = "{\"ts\":1}\n{\"upto\":5}\n{\"upto\":1000}\n{\"ts\":2}\n";
    let output = Streamw::new().args(CSV).args("-w 10s --punctuate upto").stdin(input).run();
    let said = output.stderr.lines().find(|line| line.contains("moved the watermark")).expect("it is said");
    assert!(said.contains("line 3 of -"), "{said}");
}

// --- partitions ------------------------------------------------------------------------------------------------------

#[test]
fn t10_the_watermark_is_the_minimum_over_partitions() {
    let input = "{\"ts\":1,\"host\":\"a\"}\n{\"ts\":2,\"host\":\"b\"}\n{\"ts\":25,\"host\":\"a\"}\n{\"ts\":9,\"host\":\"b\"}\n\
                 {\"ts\":12,\"host\":\"b\"}\n{\"ts\":3,\"host\":\"c\"}\n{\"ts\":31,\"host\":\"b\"}\n";
    let output = Streamw::new().args(CSV).args("-w 10s --partition host").stdin(input).run();
    // c joins behind W, which does not go back.
    assert_same("rows", "0,10,3,on_time,0\n10,20,1,on_time,0\n20,30,1,on_time,0\n30,40,1,on_time,0\n", &rows(&output));
    assert_eq!(output.summary()["late_drops"], 1);
    assert_eq!(output.summary()["watermark"], 12);
    counters_add_up(&output);
}

#[test]
fn t11_each_partition_is_guarded_for_itself() {
    let input = "{\"ts\":1,\"host\":\"a\"}\n{\"ts\":900,\"host\":\"b\"}\n{\"ts\":800,\"host\":\"a\"}\n{\"ts\":910,\"host\":\"b\"}\n";
    let output = Streamw::new().args(CSV).args("-w 10s --partition host --max-jump 1m").stdin(input).run();
    let bad: Vec<_> = output.lines_of_type("bad_record").into_iter().map(parse_json).collect();
    assert_eq!(bad.len(), 1);
    assert_eq!((bad[0]["line"].as_u64(), bad[0]["reason"].as_str()), (Some(3), Some("jump")));
}

#[test]
fn t10_a_refused_record_makes_no_partition() {
    let input = "{\"ts\":-5,\"host\":\"a\"}\n{\"ts\":900,\"host\":\"b\"}\n{\"ts\":-1,\"host\":\"a\"}\n{\"ts\":0,\"host\":\"a\"}\n";
    let output = Streamw::new().args(CSV).args("-w 5s --partition host --max-future 1m").stdin(input).run();
    assert_eq!(output.summary()["watermark"], 0);
    assert_eq!(output.summary()["bad"], 1);
}

#[test]
fn partitions_agree_with_the_naive_model() {
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let flags = Flags::random(&mut rng);
        let hosts = usize::try_from(rng.between(1, 4)).expect("small");
        let mut clocks: Vec<i64> = (0..hosts).map(|_| i64::try_from(rng.between(-20, 20)).expect("small")).collect();
        let mut naive = Naive::new(&flags, vec![None; hosts]);
        let mut input = String::new();
        for _ in 0..rng.between(0, 120) {
            let host = usize::try_from(rng.between(0, hosts as i128 - 1)).expect("small");
            let record = record(&mut rng, &mut clocks[host], flags.is_punctuated);
            input += &written(record, host);
            naive.take(host, record);
        }
        naive.end();
        let threads = rng.between(1, 3);
        let run = Streamw::new().args(&flags.line()).args(&format!("-i ndjson --partition host --threads {threads}"));
        let output = run.stdin(input.clone()).read_size(*rng.pick(&[1, 7, 50, usize::MAX])).run();
        let what = format!("seed {seed}: {flags:?}\n{input}");
        assert_same(&what, &naive.rows, &rows(&output));
        assert_eq!(output.summary()["late_drops"], naive.late_drops, "{what}");
        counters_add_up(&output);
    }
}

// --- merged inputs ---------------------------------------------------------------------------------------------------

fn merged(naive: &mut Naive, mut inputs: Vec<Vec<Record>>) {
    inputs.iter_mut().for_each(|records| records.reverse());
    while let Some((_, source)) =
        naive.watermarks.iter().enumerate().filter_map(|(source, own)| own.map(|own| (own, source))).min()
    {
        match inputs[source].pop() {
            Some(record) => naive.take(source, record),
            None => naive.end_of(source),
        }
    }
}

#[test]
fn t10_merged_inputs_agree_with_the_naive_model() {
    for seed in 0..200 {
        let mut rng = Rng::new(seed);
        let flags = Flags::random(&mut rng);
        let count = usize::try_from(rng.between(1, 4)).expect("small");
        let stdin = usize::try_from(rng.between(0, count as i128)).expect("small");
        let directory = Directory::new("merge");
        let (mut inputs, mut names, mut piped) = (Vec::new(), String::new(), String::new());
        for host in 0..count {
            let mut clock = i64::try_from(rng.between(-20, 20)).expect("small");
            let length = *rng.pick(&[0, 1, 20, 60]);
            let records: Vec<_> = (0..length).map(|_| record(&mut rng, &mut clock, flags.is_punctuated)).collect();
            let text: String = records.iter().map(|record| written(*record, host)).collect();
            if host == stdin {
                piped = text;
                names += " -";
            } else {
                names += &format!(" {}", directory.file(&format!("{host}.ndjson"), &text));
            }
            inputs.push(records);
        }
        let mut naive = Naive::new(&flags, vec![Some(NEVER); count]);
        let what = format!("seed {seed}: {flags:?} {inputs:?}");
        merged(&mut naive, inputs);
        let threads = rng.between(1, 6);
        let run =
            Streamw::new().args(&flags.line()).args(&format!("-i ndjson --merge --threads {threads}")).args(&names);
        let output = run.stdin(piped).read_size(*rng.pick(&[1, 7, 50, usize::MAX])).run();
        assert_same(&what, &naive.rows, &rows(&output));
        assert_eq!(output.summary()["late_drops"], naive.late_drops, "{what}");
        counters_add_up(&output);
    }
}

#[test]
fn t9_merged_inputs_stop_after_the_same_record_however_they_arrive() {
    let directory = Directory::new("stop");
    let mut rng = Rng::new(5);
    let mut text = |host| {
        let mut clock = 0;
        (0..200).map(|_| written(record(&mut rng, &mut clock, false), host)).collect::<String>()
    };
    let (file, piped) = (directory.file("a.ndjson", &text(0)), text(1));
    let run = |size, threads, stop: &str| {
        let run = Streamw::new()
            .args(CSV)
            .args(&format!("-i ndjson -w 5s -l 2s --merge --threads {threads} {stop} - {file}"));
        let output = run.stdin(piped.clone()).read_size(size).run();
        let mut summary = output.summary();
        for exempt in ["seconds", "peak_state_bytes"] {
            summary[exempt].take();
        }
        let drops = output.stderr.lines().filter(|line| !line.contains("summary")).map(|line| format!("{line}\n"));
        format!("{}\n{}{}{summary}", output.status, output.stdout, drops.collect::<String>())
    };
    for stop in ["", "--strict", "--max-bad 3", "--max-late 4"] {
        let whole = run(usize::MAX, 1, stop);
        for (size, threads) in [(1, 1), (13, 3), (4096, 2)] {
            assert_same(stop, &whole, &run(size, threads, stop));
        }
    }
}

#[test]
fn t10_each_merged_file_has_its_own_header_and_its_own_lines() {
    let directory = Directory::new("headers");
    let one = directory.file("one.csv", "ts,v\n1,1\nx,1\n11,1\n21,1\n");
    let two = directory.file("two.csv", "v,ts\n10,2\n10,12\n10,y\n");
    let output = Streamw::new().args(CSV).args("-w 10s -a sum:v --merge").args(&format!("{one} {two}")).run();
    assert_same("rows", "0,10,11,on_time,0\n10,20,11,on_time,0\n20,30,1,on_time,0\n", &rows(&output));
    let bad: Vec<_> = output.lines_of_type("bad_record").into_iter().map(parse_json).collect();
    let places: Vec<_> = bad.iter().map(|bad| (bad["source"].as_str(), bad["line"].as_u64())).collect();
    assert_eq!(places, [(Some(one.as_str()), Some(3)), (Some(two.as_str()), Some(4))]);
    assert_eq!(output.summary()["headers"], 2);
}

#[test]
fn t10_a_missing_column_stops_a_merged_run() {
    let directory = Directory::new("columns");
    let one = directory.file("one.csv", "ts,v\n1,1\n");
    let two = directory.file("two.csv", "time,v\n1,1\n");
    let output = Streamw::new().args(CSV).args("-w 10s --merge").args(&format!("{one} {two}")).run();
    assert_eq!(output.status, 1);
    assert!(output.stderr.contains(&format!("{two} has no column \"ts\"")), "{}", output.stderr);
}

// --- FIFOs, and silence ----------------------------------------------------------------------------------------------

/// Until when somebody waits.
type Waiting = Vec<(Duration, Sender<Instant>)>;

/// A clock that stands still until it is told to go on. Its copies are one clock.
#[derive(Clone)]
struct ManualClock {
    began: Instant,
    state: Arc<Mutex<(Duration, Waiting)>>,
    /// How often a reader had to wait.
    pauses: Arc<(Mutex<usize>, Condvar)>,
}

impl ManualClock {
    fn new() -> ManualClock {
        ManualClock { began: Instant::now(), state: Arc::default(), pauses: Arc::default() }
    }

    fn forward(&self, by: Duration) {
        let mut state = self.state.lock().expect("nobody panics here");
        state.0 += by;
        let now = state.0;
        state.1.retain(|(due, waiting)| {
            if *due <= now {
                // Whoever waited may have stopped waiting.
                let _ = waiting.send(self.began + now);
            }
            *due > now
        });
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        let now = self.began + self.state.lock().expect("nobody panics here").0;
        // A reader asks only when it has to wait.
        if std::thread::current().name() == Some("read") {
            *self.pauses.0.lock().expect("nobody panics here") += 1;
            self.pauses.1.notify_all();
        }
        now
    }

    fn wall(&self) -> Timestamp {
        let passed = self.state.lock().expect("nobody panics here").0;
        Timestamp(i64::try_from(passed.as_nanos()).expect("not long"))
    }

    fn after(&self, wait: Duration) -> Receiver<Instant> {
        let mut state = self.state.lock().expect("nobody panics here");
        let (to, from) = bounded(1);
        let due = state.0 + wait;
        if wait == Duration::ZERO {
            to.send(self.began + due).expect("there is room");
        } else {
            state.1.push((due, to));
        }
        from
    }
}

/// A run with a clock that the test moves on.
struct Timed {
    clock: ManualClock,
    feed: Option<Sender<Vec<u8>>>,
    stdout: SharedBuffer,
    stderr: SharedBuffer,
    thread: JoinHandle<u8>,
}

impl Timed {
    fn start(args: &str) -> Timed {
        Timed::with(&format!("{CSV} -i ndjson {args}"))
    }

    fn with(args: &str) -> Timed {
        let (feed, pieces) = unbounded();
        let (stdout, stderr, clock) = (SharedBuffer::default(), SharedBuffer::default(), ManualClock::new());
        let mut host = Host::piped(Fed::new(pieces), stdout.clone(), stderr.clone());
        host.clock = Box::new(clock.clone());
        let args = args.split_whitespace().map(OsString::from).collect();
        let thread = std::thread::spawn(move || run::main(args, host));
        Timed { clock, feed: Some(feed), stdout, stderr, thread }
    }

    /// Sends events, and waits until they have been taken: a bad record before them says so.
    fn send(&self, events: &[(i64, &str)]) {
        let count = |text: &str| text.matches("bad_record").count();
        let before = count(&self.stderr.text());
        let events = events.iter().map(|(ts, host)| format!("{{\"ts\":{ts},\"host\":\"{host}\"}}\n"));
        let text = "x\n".to_owned() + &events.collect::<String>();
        self.feed.as_ref().expect("it is open").send(text.into()).expect("somebody reads");
        self.stderr.wait_until(Live::PATIENCE, |text| count(text) > before);
    }

    /// Waits until readers have had to wait so often.
    fn paused(&self, times: usize) {
        let (count, changed) = &*self.clock.pauses;
        let count = count.lock().expect("nobody panics here");
        let _ = changed.wait_timeout_while(count, Live::PATIENCE, |count| *count < times);
    }

    fn forward(&self, seconds: u64) {
        self.clock.forward(Duration::from_secs(seconds));
    }

    #[track_caller]
    fn expect(&self, rows: &str) {
        let rows = format!("window_start,window_end,count,pane,revision\n{rows}");
        let got = self.stdout.wait_until(Live::PATIENCE, |text| text.len() >= rows.len());
        assert_same("rows so far", &rows, &got);
    }

    fn end(mut self) -> Output {
        drop(self.feed.take());
        let status = self.thread.join().expect("the run does not panic");
        Output { status, stdout: self.stdout.text(), stderr: self.stderr.text() }
    }
}

#[test]
fn t10_fifos_are_files_like_any_other_in_whatever_order_they_are_opened() {
    for flags in ["", "--merge"] {
        let directory = Directory::new("fifos");
        let (one, two) = (directory.fifo("one"), directory.fifo("two"));
        let names = format!("{one} {two}");
        let run = std::thread::spawn(move || {
            Streamw::new().args(CSV).args("-i ndjson -w 10s").args(flags).args(&names).run()
        });
        // One writer for both, which opens the second first; its open waits for the reader's.
        let mut second = OpenOptions::new().write(true).open(two).expect("it can be opened");
        second.write_all(b"{\"ts\":2}\n{\"ts\":13}\n").expect("it is read");
        let mut first = OpenOptions::new().write(true).open(one).expect("it can be opened");
        first.write_all(b"{\"ts\":1}\n").expect("it is read");
        drop((first, second));
        let output = run.join().expect("the run does not panic");
        assert_same("rows", "0,10,2,on_time,0\n10,20,1,on_time,0\n", &rows(&output));
    }
}

#[test]
fn t10_a_silent_input_is_left_out_until_it_speaks_again() {
    let directory = Directory::new("silent");
    let fifo = directory.fifo("other");
    let run = Timed::start(&format!("-w 10s --merge --idle-timeout 30s - {fifo}"));
    let mut other = OpenOptions::new().write(true).open(&fifo).expect("it can be opened");
    run.paused(2);
    run.forward(1);
    run.send(&[(5, "a"), (25, "a")]);
    // It has been silent from the start.
    run.forward(29);
    run.expect("0,10,1,on_time,0\n");
    other.write_all(b"{\"ts\":3}\n{\"ts\":40}\n").expect("it is read");
    run.stderr.wait_until(Live::PATIENCE, |text| text.contains("late_drop"));
    run.send(&[(31, "a")]);
    run.expect("0,10,1,on_time,0\n20,30,1,on_time,0\n");
    drop(other);
    let output = run.end();
    assert_same("rows", "0,10,1,on_time,0\n20,30,1,on_time,0\n30,40,1,on_time,0\n40,50,1,on_time,0\n", &rows(&output));
    assert_eq!(output.summary()["late_drops"], 1);
}

#[test]
fn t10_when_all_partitions_are_idle_w_is_the_largest_of_their_watermarks() {
    let run = Timed::start("-w 10s --partition host --idle-timeout 30s");
    run.send(&[(5, "b"), (25, "a")]);
    run.forward(10);
    run.send(&[(35, "a"), (8, "b")]);
    run.forward(10);
    run.send(&[(36, "a")]);
    // b has been silent for 30 seconds, a for 20.
    run.forward(20);
    run.expect("0,10,2,on_time,0\n20,30,1,on_time,0\n");
    run.send(&[(41, "b"), (52, "a")]);
    run.expect("0,10,2,on_time,0\n20,30,1,on_time,0\n30,40,2,on_time,0\n");
    run.forward(30);
    run.expect("0,10,2,on_time,0\n20,30,1,on_time,0\n30,40,2,on_time,0\n40,50,1,on_time,0\n");
    let output = run.end();
    assert_eq!(output.summary()["late_drops"], 0);
    assert_eq!(output.summary()["watermark"], 52);
}

#[test]
fn t5_idle_flush_prints_what_is_open_and_keeps_its_end_as_a_floor() {
    let run = Timed::start("-w 10s -l 5s --idle-timeout 30s --idle-flush");
    run.send(&[(5, "a"), (12, "a")]);
    run.paused(2);
    run.forward(30);
    run.expect("0,10,1,on_time,0\n10,20,1,on_time,0\n");
    // W is 12 still; for the window it is 20, the largest end that was flushed.
    run.send(&[(13, "a"), (6, "a")]);
    run.expect("0,10,1,on_time,0\n10,20,1,on_time,0\n10,20,2,late,1\n");
    let output = run.end();
    let drop = parse_json(output.lines_of_type("late_drop")[0]);
    assert_eq!((drop["time"].as_i64(), drop["watermark"].as_i64()), (Some(6), Some(20)));
    assert_eq!(output.summary()["panes"], 3);
    assert_eq!(output.summary()["watermark"], 13);
}

#[test]
fn t5_each_window_has_a_floor_of_its_own_and_a_final_row_stays_final() {
    let flags = "-w 10s -w 30s -l 5s --emit final --idle-timeout 30s --idle-flush -o ndjson";
    let run = Timed::with(&format!("-t ts --time-format s --output-time s --stats -i ndjson {flags}"));
    run.send(&[(5, "a"), (12, "a")]);
    run.paused(2);
    run.forward(30);
    let row = |window, start, end, count, pane| {
        format!(
            "{{\"window\":\"{window}\",\"window_start\":{start},\"window_end\":{end},\"count\":{count},\"pane\":\"{pane}\",\"revision\":0}}\n"
        )
    };
    let flushed =
        [row("10s", 0, 10, 1, "on_time"), row("10s", 10, 20, 1, "on_time"), row("30s", 0, 30, 2, "on_time")].concat();
    run.stdout.wait_until(Live::PATIENCE, |text| text.len() >= flushed.len());
    // No row may change these any more; the next window of 10s is open, that of 30s is not.
    run.send(&[(13, "a"), (22, "a")]);
    let output = run.end();
    assert_same("rows", &(flushed + &row("10s", 20, 30, 1, "on_time")), &output.stdout);
    let drops: Vec<_> = output.lines_of_type("late_drop").into_iter().map(parse_json).collect();
    let drops: Vec<_> =
        drops.iter().map(|drop| (drop["window"].as_str(), drop["time"].as_i64(), drop["watermark"].as_i64())).collect();
    // A final row comes at end + L, and so far the floor reaches.
    assert_eq!(
        drops,
        [(Some("10s"), Some(13), Some(25)), (Some("30s"), Some(13), Some(35)), (Some("30s"), Some(22), Some(35))]
    );
}

#[test]
fn t8_idle_flush_purges_the_remainder_of_a_count_and_leaves_a_global_window() {
    let flags = "-w count:3 -w global --idle-timeout 30s --idle-flush -o ndjson";
    let run = Timed::with(&format!("-t ts --time-format s --output-time s --stats -i ndjson {flags}"));
    run.send(&[(1, "a"), (2, "a"), (3, "a"), (4, "a")]);
    run.paused(2);
    run.forward(30);
    run.stdout.wait_until(Live::PATIENCE, |text| text.lines().count() >= 3);
    run.send(&[(5, "a"), (6, "a"), (7, "a")]);
    let output = run.end();
    let rows: Vec<_> = output.stdout.lines().map(parse_json).collect();
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let number = |name: &str| row[name].as_u64();
            (
                row["window"].as_str(),
                row["pane"].as_str(),
                number("count"),
                number("revision"),
                number("seq"),
                row["partial"].as_bool(),
            )
        })
        .collect();
    let (count, global, on_time) = (Some("count:3"), Some("global"), Some("on_time"));
    assert_eq!(
        rows,
        [
            (count, on_time, Some(3), Some(0), Some(0), None),
            (count, on_time, Some(1), Some(0), Some(1), Some(true)),
            (global, on_time, Some(4), Some(0), None, None),
            (count, on_time, Some(3), Some(0), Some(2), None),
            (global, on_time, Some(7), Some(1), None, None),
        ]
    );
}

#[test]
fn t9_merged_inputs_can_be_replayed() {
    let directory = Directory::new("replayed");
    let mut rng = Rng::new(11);
    let mut file = |name: &str| {
        let mut clock = 0;
        let text: String =
            (0..300).map(|_| record(&mut rng, &mut clock, true)).map(|record| written(record, 0)).collect();
        directory.file(name, &text)
    };
    let names = format!("{} {}", file("a"), file("b"));
    let run = |flags: &str| {
        let run = Streamw::new().args(CSV).args("-i ndjson -w 5s -l 2s --merge --punctuate upto").args(flags);
        let output = run.args(&names).run();
        let drops: String = output.lines_of_type("late_drop").into_iter().map(|line| format!("{line}\n")).collect();
        output.stdout + &drops
    };
    let plain = run("");
    assert!(plain.lines().count() > 100, "{plain}");
    assert_same("replayed", &plain, &run("--replay 1000000x"));
}

#[test]
fn duplicates_are_no_events_but_their_partition_has_spoken() {
    let run = Timed::start("-w 10s --partition host --dedup id --idle-timeout 30s");
    let send = |text: &str| run.feed.as_ref().expect("it is open").send(text.into()).expect("somebody reads");
    send("{\"ts\":5,\"host\":\"b\",\"id\":1}\n{\"ts\":25,\"host\":\"a\",\"id\":2}\nx\n");
    run.stderr.wait_until(Live::PATIENCE, |text| text.contains("bad_record"));
    run.forward(20);
    // It moves nothing on, but b has not been silent for 30 seconds when a has.
    send("{\"ts\":9,\"host\":\"b\",\"id\":1}\nx\n");
    run.stderr.wait_until(Live::PATIENCE, |text| text.matches("bad_record").count() == 2);
    run.forward(20);
    send("{\"ts\":12,\"host\":\"b\",\"id\":3}\n");
    run.expect("0,10,1,on_time,0\n");
    let output = run.end();
    assert_same("rows", "0,10,1,on_time,0\n10,20,1,on_time,0\n20,30,1,on_time,0\n", &rows(&output));
    assert_eq!((output.summary()["duplicates"].as_u64(), output.summary()["late_drops"].as_u64()), (Some(1), Some(0)));
    counters_add_up(&output);
}

// --- processing time -------------------------------------------------------------------------------------------------

#[test]
fn at_now_a_record_has_the_time_at_which_it_is_read() {
    let run = Timed::with("-t @now -i ndjson -w 10s --output-time s -o csv --stats");
    run.send(&[(1_000, "a"), (2, "a")]);
    run.forward(12);
    run.send(&[(3, "a")]);
    run.expect("0,10,2,on_time,0\n");
    let output = run.end();
    assert_same("rows", "0,10,2,on_time,0\n10,20,1,on_time,0\n", &rows(&output));
    counters_add_up(&output);
}

#[test]
fn at_now_csv_needs_no_column_of_times_and_repeated_headers_are_none() {
    let input = "host,v\na,1\nhost,v\nb,2\n";
    let output =
        Streamw::new().args("-t @now -i csv -w 10s -k host -o csv --output-time s -a sum:v").stdin(input).run();
    assert_same("rows", "0,10,a,1,on_time,0\n0,10,b,2,on_time,0\n", &rows(&output));
}

// --- usage -----------------------------------------------------------------------------------------------------------

#[test]
fn what_makes_no_sense_is_refused_with_a_way_out() {
    for (flags, expected) in
        [("--punctuate upto -d 5s", "leave one of them out"), ("--punctuate upto --time-format %m-%d", "add %Y")]
    {
        let output = Streamw::new().args("-w 10s -t ts").args(flags).run();
        assert_eq!(output.status, 2, "{flags}");
        assert!(
            output.stderr.starts_with("streamw: ") && output.stderr.contains(expected),
            "{flags}: {}",
            output.stderr
        );
    }
    for (flags, expected) in [("--time-format ms", "leave out --time-format"), ("--replay 1x", "leave one out")] {
        let output = Streamw::new().args("-w 10s -t @now").args(flags).run();
        assert_eq!(output.status, 2);
        assert!(output.stderr.contains(expected), "{}", output.stderr);
    }
}
