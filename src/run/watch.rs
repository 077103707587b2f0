//! What wakes the readers of followed files: events of the file system where there are any, and time, which is the truth.
//! And who keeps deleted files from filling the disk while nobody takes rows (R18).

use crate::cli::Follow;
use crate::error::Error;
use crate::event::SourceId;
use crate::host::Clock;
use crate::input::feed::Piped;
use crate::input::reader::{Source, Start};
use crate::input::tail::Tail;
use crate::input::tail::disk::Disk;
use crate::input::tail::feed::{Followed, TailFeed, Wake};
use crossbeam_channel::{Receiver, Sender, bounded, select};
use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Between two looks for events there is at least so long: who writes line by line wakes nobody for each.
const SETTLE: Duration = Duration::from_millis(2);

/// Which names wake which reader.
type Waked = Arc<Mutex<Vec<(OsString, Sender<()>)>>>;

/// The followed files of a run.
pub struct Watch {
    followed: Vec<(SourceId, Arc<Followed>)>,
    /// `None` where there are no events.
    watcher: Option<RecommendedWatcher>,
    waked: Waked,
    /// Why there are none.
    trouble: Option<String>,
    /// What is to be said at the beginning.
    notes: Vec<String>,
    /// Ends the keeper with the run.
    _keeper: Sender<()>,
}

impl Watch {
    /// Nothing is followed yet.
    fn new(_keeper: Sender<()>) -> Watch {
        let waked = Waked::default();
        let for_events = waked.clone();
        let watcher = notify::recommended_watcher(move |event| wake(&for_events, event));
        let (watcher, trouble) = match watcher {
            Ok(watcher) => (Some(watcher), None),
            Err(error) => (None, Some(error.to_string())),
        };
        Watch { followed: Vec::new(), watcher, waked, trouble, notes: Vec::new(), _keeper }
    }

    /// Follows these paths of the inputs, which are at these places of the command line.
    ///
    /// # Errors
    /// A file that cannot be followed, or a thread that cannot be had.
    pub fn start(
        follow: &Follow,
        paths: Vec<(usize, &PathBuf)>,
        clock: &Arc<dyn Clock>,
    ) -> Result<(Watch, Vec<Source>), Error> {
        let (stop, stopped) = bounded(0);
        let mut watch = Watch::new(stop);
        let mut sources = Vec::new();
        let mut names: Vec<((u64, u64), String)> = Vec::new();
        for (index, path) in paths {
            let mut source = watch.follow(follow, index, path, clock)?;
            let id = source.feed.identity();
            match names.iter().find(|(known, _)| Some(*known) == id) {
                // Two names of a file, which is read once (R13).
                Some((_, other)) => {
                    watch.notes.push(format!("{} is the same file as {other} and is read once", source.name));
                    source.feed = Box::new(Piped(io::empty()));
                }
                None => names.extend(id.map(|id| (id, source.name.clone()))),
            }
            sources.push(source);
        }
        let followed: Vec<_> = watch.followed.iter().map(|(_, followed)| followed.clone()).collect();
        let (options, clock) = (follow.options.clone(), clock.clone());
        let patience = options.rotate_wait.max(2 * options.poll);
        thread::Builder::new()
            .name("keep".into())
            .spawn(move || keep(&followed, patience, options.poll, &*clock, &stopped))
            .map_err(|source| Error::System { what: "starting a thread", source })?;
        Ok((watch, sources))
    }

    fn follow(&mut self, follow: &Follow, index: usize, path: &Path, clock: &Arc<dyn Clock>) -> Result<Source, Error> {
        let failed = |(path, source): (PathBuf, io::Error)| Error::File { name: path.display().to_string(), source };
        let mut tail = Tail::new(Arc::new(Disk), path, &follow.history[index], follow.options.clone());
        if !follow.goes_on {
            tail.begin().map_err(failed)?;
        }
        let (wake, woken) = bounded(1);
        for (directory, name) in tail.places() {
            self.waked.lock().unwrap_or_else(PoisonError::into_inner).push((name, wake.clone()));
            let Some(watcher) = &mut self.watcher else { continue };
            if let Err(error) = watcher.watch(&directory, RecursiveMode::NonRecursive) {
                self.trouble.get_or_insert(error.to_string());
            }
        }
        let id = SourceId(index as u32);
        let followed = Arc::<Followed>::default();
        self.followed.push((id, followed.clone()));
        let alarm = Alarm { clock: clock.clone(), woken, last: None };
        let feed = Box::new(TailFeed::new(tail, Box::new(alarm), followed));
        Ok(Source { id, name: path.to_string_lossy().into_owned(), feed, start: Start::default() })
    }

    /// The inputs have got other numbers than their places on the command line, in the order of which they still are.
    pub fn renumber(&mut self, sources: &[Source]) {
        for (id, _) in &mut self.followed {
            *id = sources.get(id.0 as usize).map_or(*id, |source| source.id);
        }
    }

    /// What is to be said at the beginning.
    pub fn notes(&self) -> Vec<String> {
        let trouble = self.trouble.iter();
        let trouble =
            trouble.map(|why| format!("files are looked at every --poll-interval, as no changes are told: {why}"));
        self.notes.iter().cloned().chain(trouble).collect()
    }

    /// The followed files, and which inputs they are.
    pub fn followed(&self) -> impl Iterator<Item = (SourceId, &Followed)> {
        self.followed.iter().map(|(id, followed)| (*id, &**followed))
    }
}

/// Something happened in a directory.
fn wake(waked: &Waked, event: notify::Result<notify::Event>) {
    let is_told = |name: &OsString| match &event {
        // Some were lost, or it is not known which it was.
        Err(_) => true,
        Ok(event) if event.need_rescan() || event.paths.is_empty() => true,
        Ok(event) => {
            let is_own =
                |path: &PathBuf| path.file_name().is_some_and(|file| file.as_bytes().starts_with(name.as_bytes()));
            event.paths.iter().any(is_own)
        }
    };
    // That files are opened and read is our own doing.
    let by_reading =
        |kind: &EventKind| matches!(kind, EventKind::Access(access) if *access != AccessKind::Close(AccessMode::Write));
    if event.as_ref().is_ok_and(|event| by_reading(&event.kind)) {
        return;
    }
    for (name, reader) in &*waked.lock().unwrap_or_else(PoisonError::into_inner) {
        if is_told(name) {
            // One that is told already looks once more in any case.
            let _ = reader.try_send(());
        }
    }
}

/// Lets deleted files go of which nobody has taken anything for so long.
fn keep(followed: &[Arc<Followed>], patience: Duration, poll: Duration, clock: &dyn Clock, stopped: &Receiver<()>) {
    let mut since: Vec<Option<(u64, Instant)>> = vec![None; followed.len()];
    loop {
        select! {
            recv(stopped) -> _ => return,
            recv(clock.after(poll)) -> _ => {}
        }
        let now = clock.now();
        for (followed, since) in followed.iter().zip(&mut since) {
            let looks = followed.looks();
            let is_deleted = followed.file().and_then(|file| file.stat().ok()).is_some_and(|stat| stat.links == 0);
            match *since {
                Some((before, began)) if is_deleted && before == looks => {
                    if now.saturating_duration_since(began) >= patience {
                        followed.let_go();
                        *since = None;
                    }
                }
                _ => *since = is_deleted.then_some((looks, now)),
            }
        }
    }
}

/// The clock of a run and what wakes one reader.
struct Alarm {
    clock: Arc<dyn Clock>,
    woken: Receiver<()>,
    /// When it was woken last.
    last: Option<Instant>,
}

impl Wake for Alarm {
    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn wait(&mut self, at_most: Duration) -> bool {
        let is_wanted = select! {
            recv(self.woken) -> event => event.is_ok(),
            recv(self.clock.after(at_most)) -> _ => true,
        };
        let rest = self
            .last
            .map_or(Duration::ZERO, |last| SETTLE.saturating_sub(self.clock.now().saturating_duration_since(last)));
        if is_wanted && !rest.is_zero() {
            // What happens meanwhile is seen at once then.
            let _ = self.clock.after(rest).recv();
        }
        self.last = Some(self.clock.now());
        is_wanted
    }
}
