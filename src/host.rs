//! What a run has around it: streams, and what may interrupt it.

use crate::cli::{PREFIX, Terminals};
use crate::input::feed::{Feed, FileFeed, Piped};
use crate::progress::Width;
use crate::state::{Calls, Unhindered};
use crate::time::Timestamp;
use crossbeam_channel::{Receiver, Sender, after, bounded, never};
use nix::sys::signal::{SigSet, Signal};
use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The streams of a run and what may interrupt it.
pub struct Host {
    /// Standard input.
    pub stdin: Box<dyn Feed>,
    /// Where rows go without `--output`.
    pub stdout: Box<dyn Write + Send>,
    /// Where reports go.
    pub stderr: Box<dyn Write + Send>,
    /// These as files, where they are some.
    pub files: StandardFiles,
    /// Which of them a person sits at.
    pub terminals: Terminals,
    /// The variables that stand for flags: those whose names begin with [`PREFIX`].
    pub environment: Vec<(OsString, OsString)>,
    /// How wide that person's terminal is, if stderr is one; asked for each line, since it can change.
    pub width: Width,
    /// What tells the time.
    pub clock: Box<dyn Clock>,
    /// What may interrupt the run.
    pub interrupts: Interrupts,
    /// What stands before each call by which a run keeps its state and writes its files.
    pub calls: Arc<dyn Calls>,
}

/// Standard streams as files, where they are some.
#[derive(Default)]
pub struct StandardFiles {
    /// Where rows go without `--output`.
    pub stdout: Option<File>,
    /// Where reports go.
    pub stderr: Option<File>,
}

/// The machine's time. What a run computes depends on event time alone, unless a flag says otherwise (T9).
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Instant;

    /// What the wall clock says.
    fn wall(&self) -> Timestamp;

    /// Speaks once, after so long.
    fn after(&self, wait: Duration) -> Receiver<Instant>;
}

/// The clock of the machine.
struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
    }

    fn after(&self, wait: Duration) -> Receiver<Instant> {
        after(wait)
    }
}

/// A clock whose wall clock stands still at the epoch, so that runs in memory can be repeated.
struct EpochClock;

impl Clock for EpochClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> Timestamp {
        Timestamp(0)
    }

    fn after(&self, wait: Duration) -> Receiver<Instant> {
        after(wait)
    }
}

/// What may interrupt a run that waits.
pub struct Interrupts {
    /// The first signal received; 0 for none. Set the moment it arrives.
    signal: Arc<AtomicUsize>,
    /// Speaks when there is a signal, or nobody reads stdout any more.
    pub wake: Receiver<Wake>,
    /// Where to speak; `None` if this process's signals are not for this run.
    wake_to: Option<Sender<Wake>>,
    requests: Arc<Requests>,
}

/// Whether a run is asked to stop, for those who wait where nothing wakes them.
#[derive(Clone, Default)]
pub struct Asked {
    signal: Arc<AtomicUsize>,
}

impl Asked {
    /// Whether a signal has come.
    pub fn to_stop(&self) -> bool {
        self.signal.load(Ordering::SeqCst) != 0
    }
}

/// What signals have asked for and has not been done yet.
#[derive(Default)]
struct Requests {
    reopening: AtomicBool,
    status: AtomicBool,
}

/// Why a waiting run is woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// SIGINT or SIGTERM.
    Signal,
    /// The reader of stdout has gone away.
    StdoutClosed,
    /// SIGHUP or SIGUSR1, if they are requests.
    Request,
}

impl Interrupts {
    fn none() -> Interrupts {
        Interrupts { signal: Arc::default(), wake: never(), wake_to: None, requests: Arc::default() }
    }

    /// Lets this thread take signals, now that all others are started.
    pub fn listen(&self) {
        // It can only fail for signals that do not exist.
        let _ = stopping().thread_unblock();
    }

    /// From now on SIGUSR1 asks for the status, and SIGHUP, if that is wanted, for files to be opened anew.
    ///
    /// # Errors
    /// If signals cannot be heard.
    pub fn hear_requests(&self, with_reopening: bool) -> io::Result<()> {
        let Some(wake) = self.wake_to.clone() else { return Ok(()) };
        let mut signals = signal_hook::iterator::Signals::new([SIGUSR1])?;
        if with_reopening {
            signals.add_signal(SIGHUP)?;
        }
        let requests = self.requests.clone();
        thread::Builder::new().name("requests".into()).spawn(move || {
            for signal in signals.forever() {
                let request = if signal == SIGHUP { &requests.reopening } else { &requests.status };
                request.store(true, Ordering::SeqCst);
                // If there is no room, the run is being woken anyway.
                let _ = wake.try_send(Wake::Request);
            }
        })?;
        Ok(())
    }

    /// Whether files are to be opened anew; asks for it no more.
    pub fn takes_reopening(&self) -> bool {
        self.requests.reopening.swap(false, Ordering::SeqCst)
    }

    /// Whether the status is to be told; asks for it no more.
    pub fn takes_status(&self) -> bool {
        self.requests.status.swap(false, Ordering::SeqCst)
    }

    /// The same for other threads and places.
    pub fn asked(&self) -> Asked {
        Asked { signal: self.signal.clone() }
    }

    /// The signal that asks the run to stop, if any.
    pub fn signal(&self) -> Option<i32> {
        match self.signal.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(signal as i32),
        }
    }
}

impl Host {
    /// Streams that are not the process's own, and no interruptions. Each read of `stdin` is taken
    /// as all there is for the moment.
    pub fn piped(
        stdin: impl Read + Send + 'static,
        stdout: impl Write + Send + 'static,
        stderr: impl Write + Send + 'static,
    ) -> Host {
        Host {
            stdin: Box::new(Piped(stdin)),
            stdout: Box::new(stdout),
            stderr: Box::new(stderr),
            files: StandardFiles::default(),
            terminals: Terminals::default(),
            environment: Vec::new(),
            width: Box::new(|| 0),
            clock: Box::new(EpochClock),
            interrupts: Interrupts::none(),
            calls: Arc::new(Unhindered),
        }
    }

    /// The process's own streams and signals.
    ///
    /// # Errors
    /// If they cannot be had.
    pub fn process() -> io::Result<Host> {
        // Plain files: Rust's own stdout flushes at each newline.
        let own = |fd: io::Result<std::os::fd::OwnedFd>| fd.map(File::from);
        let stdin = own(io::stdin().as_fd().try_clone_to_owned())?;
        let stdout = own(io::stdout().as_fd().try_clone_to_owned())?;
        let stderr = own(io::stderr().as_fd().try_clone_to_owned())?;
        let (wake_to, wake) = bounded(4);
        // Threads inherit this. Only the main thread is to take signals: when it is woken by an end
        // of input that came after a signal, it then knows of the signal first (E3).
        stopping().thread_block()?;
        let signal = watch_signals(wake_to.clone())?;
        watch_reader(stdout.try_clone()?, wake_to.clone())?;
        let screen = stderr.try_clone()?;
        let files = StandardFiles { stdout: Some(stdout.try_clone()?), stderr: Some(stderr.try_clone()?) };
        Ok(Host {
            files,
            terminals: terminals(&stdin, &stdout, &stderr),
            environment: variables(),
            width: Box::new(move || rustix::termios::tcgetwinsize(&screen).map_or(0, |size| size.ws_col)),
            clock: Box::new(SystemClock),
            stdin: Box::new(FileFeed::new(stdin)?),
            stdout: Box::new(stdout),
            stderr: Box::new(stderr),
            interrupts: Interrupts { signal, wake, wake_to: Some(wake_to), requests: Arc::default() },
            calls: Arc::new(Unhindered),
        })
    }
}

/// In the order of their names, whatever that of the environment.
fn variables() -> Vec<(OsString, OsString)> {
    let is_ours = |name: &OsString| name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
    let mut variables: Vec<_> = std::env::vars_os().filter(|(name, _)| is_ours(name)).collect();
    variables.sort();
    variables
}

fn terminals(stdin: &File, stdout: &File, stderr: &File) -> Terminals {
    let is_set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    Terminals {
        stdin: stdin.is_terminal(),
        stdout: stdout.is_terminal(),
        stderr: stderr.is_terminal(),
        is_one: is_one_terminal(stdout, stderr),
        no_color: is_set("NO_COLOR").is_some(),
        is_dumb: is_set("TERM").is_none_or(|terminal| terminal == "dumb"),
    }
}

/// Whether two terminals may be the same device.
fn is_one_terminal(one: &File, other: &File) -> bool {
    // /dev/tty, which is whichever terminal controls the process.
    let is_any = |device: u64| (rustix::fs::major(device), rustix::fs::minor(device)) == (5, 0);
    match (one.metadata(), other.metadata()) {
        (Ok(one), Ok(other)) => one.rdev() == other.rdev() || is_any(one.rdev()) || is_any(other.rdev()),
        _ => true,
    }
}

/// The signals that ask a run to stop.
fn stopping() -> SigSet {
    SigSet::from_iter([Signal::SIGINT, Signal::SIGTERM])
}

/// How long a run may take to stop after a signal; a reader that takes nothing could hold it for ever.
const PATIENCE: Duration = Duration::from_millis(1800);

/// Notes the first SIGINT or SIGTERM and wakes the run. A second one ends the process at once.
fn watch_signals(wake: Sender<Wake>) -> io::Result<Arc<AtomicUsize>> {
    let received = Arc::new(AtomicUsize::new(0));
    let again = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, again.clone())?;
        signal_hook::flag::register_usize(signal, received.clone(), signal as usize)?;
        signal_hook::flag::register(signal, again.clone())?;
    }
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().name("signals".into()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            // The run may be gone already.
            let _ = wake.try_send(Wake::Signal);
            thread::sleep(PATIENCE);
            std::process::exit(128 + signal);
        }
    })?;
    Ok(received)
}

/// Wakes the run when nobody reads stdout any more, also if there is nothing to write.
fn watch_reader(stdout: File, wake: Sender<Wake>) -> io::Result<()> {
    thread::Builder::new().name("stdout".into()).spawn(move || {
        let mut fds = [PollFd::new(&stdout, PollFlags::empty())];
        while matches!(poll(&mut fds, None), Err(rustix::io::Errno::INTR)) {}
        let _ = wake.try_send(Wake::StdoutClosed);
    })?;
    Ok(())
}
