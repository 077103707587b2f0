//! Rows on their way out. Where a window has many, a thread of their own puts them in order, writes them as text and
//! hands them to the system, while the engine goes on with the next window.

use super::Encoder;
use super::sink::Sink;
use crate::engine::fired::Fired;
use crate::engine::pane::Pane;
use crate::error::Error;
use crossbeam_channel::{Receiver, Select, Sender, TryRecvError, bounded};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// The encoder and what takes its lines. Whoever has it writes: rows come out in one order.
struct Desk {
    encoder: Box<dyn Encoder>,
    sink: Sink,
}

impl Desk {
    #[inline]
    fn pane(&mut self, pane: &Pane<'_>) {
        self.sink.lines(|out| self.encoder.row(pane, out));
    }
}

/// Where the desk is.
enum Place {
    Here(Box<Desk>),
    /// With the thread, which gives it back.
    Away,
    /// The thread broke down.
    Lost,
}

/// The thread.
struct Writer {
    work: Sender<(Box<Desk>, Fired)>,
    done: Receiver<Box<Desk>>,
}

/// Rows, in whatever format.
pub struct Rows {
    place: Place,
    /// Started when it is needed.
    writer: Option<Writer>,
    may_leave: bool,
    /// Whether nobody takes rows any more; told by the thread before it gives the desk back.
    is_done: Arc<AtomicBool>,
}

impl Rows {
    /// Rows that an encoder writes there.
    pub fn new(encoder: Box<dyn Encoder>, sink: Sink) -> Rows {
        let place = Place::Here(Box::new(Desk { encoder, sink }));
        Rows { place, writer: None, may_leave: false, is_done: Arc::default() }
    }

    /// From now on a thread may write where there is much to be written at once.
    pub fn may_leave(&mut self) {
        // Who keeps rows back, or shows the newest of them, is asked about them at any time.
        self.may_leave = self.here().is_some_and(|desk| !desk.sink.is_held() && !desk.encoder.is_picture());
    }

    /// Whether it is worth while to hand over whole windows.
    pub fn leaves(&self) -> bool {
        self.may_leave
    }

    /// The desk, once the thread has done what was begun.
    fn here(&mut self) -> Option<&mut Desk> {
        if let Place::Away = self.place {
            let back = self.writer.as_ref().and_then(|writer| writer.done.recv().ok());
            self.place = back.map_or(Place::Lost, Place::Here);
        }
        match &mut self.place {
            Place::Here(desk) => Some(desk),
            Place::Away | Place::Lost => None,
        }
    }

    /// A row.
    #[inline]
    pub fn pane(&mut self, pane: &Pane<'_>) {
        if let Place::Here(desk) = &mut self.place {
            return desk.pane(pane);
        }
        if let Some(desk) = self.here() {
            desk.pane(pane);
        }
    }

    /// Rows that are written already, by [`RowFormat::writer`](super::RowFormat::writer).
    #[inline]
    pub fn written(&mut self, rows: &[u8]) {
        if let Some(desk) = self.here() {
            desk.sink.lines(|out| out.extend_from_slice(rows));
        }
    }

    /// All rows of a window.
    pub fn window(&mut self, mut fired: Fired) {
        if self.writer.is_none() {
            self.writer = Writer::start(&self.is_done);
        }
        // One window is being written at most: memory does not grow, and who reads slowly slows the input down.
        if self.is_writing() {
            fired.sort();
        }
        self.here();
        match (std::mem::replace(&mut self.place, Place::Lost), &self.writer) {
            (Place::Here(desk), Some(writer)) => {
                if writer.work.send((desk, fired)).is_ok() {
                    self.place = Place::Away;
                }
            }
            (Place::Here(mut desk), None) => {
                fired.each(|pane| desk.pane(pane));
                self.place = Place::Here(desk);
            }
            (Place::Away | Place::Lost, _) => {}
        }
    }

    /// What comes before the first row.
    pub fn begin(&mut self) {
        if let Some(Desk { encoder, sink }) = self.here() {
            sink.at_once(|out| encoder.header(out));
        }
    }

    /// Whether the thread is still writing; else the desk is here, or lost.
    fn is_writing(&mut self) -> bool {
        let (Place::Away, Some(writer)) = (&self.place, &self.writer) else { return false };
        self.place = match writer.done.try_recv() {
            Ok(desk) => Place::Here(desk),
            Err(TryRecvError::Empty) => return true,
            Err(TryRecvError::Disconnected) => Place::Lost,
        };
        false
    }

    /// Also waits for the thread to be done with what it writes, if it writes something.
    pub fn await_thread<'a>(&'a self, select: &mut Select<'a>) {
        if let (Place::Away, Some(writer)) = (&self.place, &self.writer) {
            select.recv(&writer.done);
        }
    }

    /// As [`Rows::flush`], unless the thread writes: whoever has nothing to do but that would wait for it while there is
    /// something to be done.
    pub fn flush_if_here(&mut self) -> Vec<String> {
        if self.is_writing() { Vec::new() } else { self.flush() }
    }

    /// Writes out everything so far; what people should know of the rows.
    pub fn flush(&mut self) -> Vec<String> {
        let Some(Desk { encoder, sink }) = self.here() else { return Vec::new() };
        sink.lines(|out| encoder.pause(out));
        sink.flush();
        std::iter::from_fn(|| encoder.remark()).collect()
    }

    /// Goes on writing somewhere else, once all that has been gathered is written; what is new begins as the first did.
    pub fn reopen(&mut self, writer: Box<dyn Write + Send>, is_new: bool) {
        if let Some(Desk { encoder, sink }) = self.here() {
            sink.reopen(writer);
            if is_new {
                sink.lines(|out| encoder.header(out));
            }
        }
    }

    /// Whether nobody takes the rows, and they wait for another run.
    pub fn is_stuck(&self) -> bool {
        self.desk().is_some_and(|desk| desk.sink.is_stuck())
    }

    /// Bytes that wait: to be released, or for another run.
    pub fn held_bytes(&self) -> usize {
        self.desk().map_or(0, |desk| desk.sink.held_bytes())
    }

    /// Takes the rows that wait.
    pub fn take_held(&mut self) -> Vec<u8> {
        self.here().map_or(Vec::new(), |desk| desk.sink.take_held())
    }

    /// Writes rows that have waited.
    pub fn release(&mut self, rows: &[u8]) {
        if let Some(desk) = self.here() {
            desk.sink.release(rows);
        }
    }

    /// The desk, if it is here.
    fn desk(&self) -> Option<&Desk> {
        match &self.place {
            Place::Here(desk) => Some(desk),
            Place::Away | Place::Lost => None,
        }
    }

    /// Whether rows are kept until [`Rows::show`] is called; then the desk never leaves.
    pub fn is_picture(&self) -> bool {
        self.desk().is_some_and(|desk| desk.encoder.is_picture())
    }

    /// Whether rows have come since.
    pub fn has_news(&self) -> bool {
        self.desk().is_some_and(|desk| desk.encoder.has_news())
    }

    /// As [`Encoder::save`]; of anything but a picture, nothing.
    pub fn save_picture(&self, out: &mut Vec<u8>) {
        if let Some(desk) = self.desk() {
            desk.encoder.save(out);
        }
    }

    /// Writes the rows that were kept.
    pub fn show(&mut self) {
        if let Some(Desk { encoder, sink }) = self.here() {
            sink.write_whole(|out| encoder.picture(out));
        }
    }

    /// Whether nothing more will be written, for whatever reason.
    pub fn is_done(&self) -> bool {
        match &self.place {
            Place::Here(desk) => desk.sink.is_done(),
            Place::Away => self.is_done.load(Ordering::Relaxed),
            Place::Lost => true,
        }
    }

    /// Whether the reader has gone away, as far as is known.
    pub fn is_closed(&self) -> bool {
        self.desk().is_some_and(|desk| desk.sink.is_closed())
    }

    /// What went wrong, if anything did.
    ///
    /// # Errors
    /// The first failure to write, or that the thread broke down.
    pub fn check(&mut self) -> Result<(), Error> {
        self.here().map_or(Err(Error::Defect), |desk| desk.sink.check())
    }
}

impl Writer {
    /// Starts the thread; `None` if the system gives none: then there is none.
    fn start(is_done: &Arc<AtomicBool>) -> Option<Writer> {
        let (work, works) = bounded::<(Box<Desk>, Fired)>(1);
        let (give_back, done) = bounded(1);
        let is_done = is_done.clone();
        let run = move || {
            for (mut desk, mut fired) in works {
                fired.each(|pane| desk.pane(pane));
                is_done.store(desk.sink.is_done(), Ordering::Relaxed);
                // Whoever waits for the desk need not wait for the memory to be given back.
                if give_back.send(desk).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new().name("rows".into()).spawn(run).ok().map(|_| Writer { work, done })
    }
}
