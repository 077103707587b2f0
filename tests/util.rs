//! What the tests share: running streamw inside the test process on bytes in memory, and comparing what came out.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, never, unbounded};
use serde_json::Value;
use streamw::host::{Clock, Host};
use streamw::run;
use streamw::time::Timestamp;

/// A run of streamw: arguments, stdin, and how small the pieces are in which stdin arrives.
#[derive(Clone, Debug)]
pub struct Streamw {
    args: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    stdin: Vec<u8>,
    read_size: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    pub status: u8,
    pub stdout: String,
    pub stderr: String,
}

impl Streamw {
    pub fn new() -> Streamw {
        Streamw { args: Vec::new(), environment: Vec::new(), stdin: Vec::new(), read_size: usize::MAX }
    }

    /// One argument, also with blanks in it.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Streamw {
        self.args.push(arg.into());
        self
    }

    /// Several arguments, separated by blanks; what begins with a quote ends with one, and may have blanks in it.
    pub fn args(mut self, args: &str) -> Streamw {
        let mut rest = args.trim_start();
        while !rest.is_empty() {
            let (arg, after) = match rest.strip_prefix('\'') {
                Some(quoted) => quoted.split_once('\'').expect("a quote at the end"),
                None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
            };
            self.args.push(arg.into());
            rest = after.trim_start();
        }
        self
    }

    /// A variable of the environment.
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Streamw {
        self.environment.push((name.into(), value.into()));
        self
    }

    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Streamw {
        self.stdin = bytes.into();
        self
    }

    /// No read of stdin yields more bytes than this.
    pub fn read_size(mut self, bytes: usize) -> Streamw {
        self.read_size = bytes;
        self
    }

    pub fn run(self) -> Output {
        let (stdout, stderr) = (SharedBuffer::default(), SharedBuffer::default());
        let stdin = Pieces { bytes: self.stdin, at: 0, size: self.read_size };
        let mut host = Host::piped(stdin, stdout.clone(), stderr.clone());
        host.environment = self.environment;
        let status = run::main(self.args, host);
        Output { status, stdout: stdout.text(), stderr: stderr.text() }
    }

    /// Runs with a stdin that stays open until it is told to end.
    pub fn start(self) -> Live {
        let (feed, pieces) = unbounded();
        let (stdout, stderr) = (SharedBuffer::default(), SharedBuffer::default());
        let host = Host::piped(Fed::new(pieces), stdout.clone(), stderr.clone());
        let thread = std::thread::spawn(move || run::main(self.args, host));
        Live { feed, stdout, stderr, thread }
    }
}

impl Output {
    /// The JSON lines on stderr, without the lines for people.
    pub fn json_lines(&self) -> Vec<&str> {
        self.stderr.lines().filter(|line| line.starts_with('{')).collect()
    }

    /// The JSON lines on stderr that have this `type`, as they were printed.
    pub fn lines_of_type(&self, kind: &str) -> Vec<&str> {
        let wanted = |line: &&str| parse_json(line)["type"] == kind;
        self.json_lines().into_iter().filter(wanted).collect()
    }

    /// The summary that `--stats` prints; null unless there is one.
    pub fn summary(&self) -> Value {
        match self.lines_of_type("summary").as_slice() {
            [line] => parse_json(line),
            _ => Value::Null,
        }
    }
}

pub fn parse_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON ({error}): {text}"))
}

/// Says no, with both sides one under the other, unless they are the same.
pub fn same(what: &str, expected: &str, got: &str) -> Result<(), String> {
    if expected == got {
        return Ok(());
    }
    let differs = expected.lines().zip(got.lines()).position(|(expected, got)| expected != got);
    let line = differs.unwrap_or_else(|| expected.lines().count().min(got.lines().count())) + 1;
    Err(format!("{what} differs from line {line} on\n--- expected\n{expected}\n--- got\n{got}\n---"))
}

/// Panics with both sides, one under the other, unless they are the same.
#[track_caller]
pub fn assert_same(what: &str, expected: &str, got: &str) {
    if let Err(message) = same(what, expected, got) {
        panic!("{message}");
    }
}

/// A run whose stdin is written while it goes on.
pub struct Live {
    feed: Sender<Vec<u8>>,
    stdout: SharedBuffer,
    stderr: SharedBuffer,
    thread: JoinHandle<u8>,
}

impl Live {
    /// Only says that something is wrong; nothing waits this long in a good run.
    pub const PATIENCE: Duration = Duration::from_secs(20);

    pub fn send(&self, bytes: impl Into<Vec<u8>>) {
        // A run that has stopped reads no more; its status will tell.
        let _ = self.feed.send(bytes.into());
    }

    /// Waits until stdout has as many bytes as `expected`, or more, and gives what it has then.
    pub fn stdout_like(&self, expected: &str) -> String {
        self.stdout.wait_for(expected.len(), Self::PATIENCE)
    }

    /// Ends stdin and waits for the run.
    pub fn end(self) -> Output {
        drop(self.feed);
        let status = self.thread.join().expect("the run does not panic");
        Output { status, stdout: self.stdout.text(), stderr: self.stderr.text() }
    }
}

/// Bytes that the run writes and the test reads.
#[derive(Clone, Default)]
pub struct SharedBuffer(Arc<(Mutex<Vec<u8>>, Condvar)>);

impl SharedBuffer {
    fn bytes(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.0.lock().expect("no writer panics")
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.bytes().clone()).expect("output is UTF-8")
    }

    /// Waits until this is so of the text; gives up after so long and lets the test say what is wrong.
    pub fn wait_until(&self, patience: Duration, is_so: impl Fn(&str) -> bool) -> String {
        let is_not = |bytes: &mut Vec<u8>| !is_so(&String::from_utf8_lossy(bytes));
        let (bytes, _) = self.0.1.wait_timeout_while(self.bytes(), patience, is_not).expect("no writer panics");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn wait_for(&self, length: usize, patience: Duration) -> String {
        let too_short = |bytes: &mut Vec<u8>| bytes.len() < length;
        let (bytes, _) = self.0.1.wait_timeout_while(self.bytes(), patience, too_short).expect("no writer panics");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for SharedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes().extend_from_slice(bytes);
        self.0.1.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A clock that goes on by a step each time it is looked at. Its copies are one clock.
#[derive(Clone)]
pub struct TestClock {
    now: Arc<Mutex<Instant>>,
    step: Duration,
    skips_waits: bool,
    waits: Arc<AtomicUsize>,
}

impl TestClock {
    /// Whoever waits by it waits for ever.
    pub fn new(step: Duration) -> TestClock {
        TestClock { now: Arc::new(Mutex::new(Instant::now())), step, skips_waits: false, waits: Arc::default() }
    }

    /// Time passes only when somebody waits for it, and at once.
    pub fn skipping() -> TestClock {
        TestClock { skips_waits: true, ..TestClock::new(Duration::ZERO) }
    }

    /// How often somebody has waited.
    pub fn waits(&self) -> usize {
        self.waits.load(Ordering::SeqCst)
    }

    fn forward(&self, by: Duration) -> Instant {
        let mut now = self.now.lock().expect("nobody panics here");
        *now += by;
        *now
    }
}

impl Clock for TestClock {
    fn now(&self) -> Instant {
        self.forward(self.step)
    }

    fn wall(&self) -> Timestamp {
        Timestamp(0)
    }

    fn after(&self, wait: Duration) -> Receiver<Instant> {
        self.waits.fetch_add(1, Ordering::SeqCst);
        if !self.skips_waits {
            return never();
        }
        let (to, from) = bounded(1);
        to.send(self.forward(wait)).expect("there is room");
        from
    }
}

/// Bytes that come in pieces of at most `size`.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    size: usize,
}

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.at..];
        let length = rest.len().min(self.size).min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        self.at += length;
        Ok(length)
    }
}

/// Bytes that come as they are sent; a read blocks until there are some. The end of the channel is the end of input.
pub struct Fed {
    pieces: Receiver<Vec<u8>>,
    rest: Vec<u8>,
}

impl Fed {
    pub fn new(pieces: Receiver<Vec<u8>>) -> Fed {
        Fed { pieces, rest: Vec::new() }
    }
}

impl Read for Fed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.pieces.recv() {
                Ok(piece) => self.rest = piece,
                Err(_) => return Ok(0),
            }
        }
        let length = self.rest.len().min(into.len());
        into[..length].copy_from_slice(&self.rest[..length]);
        self.rest.drain(..length);
        Ok(length)
    }
}
