//! Sessions as pieces: one each, under a number that is given once, all in one group.

use super::{Damaged, Group, Kept, Marks, Sink};
use crate::codec::{Reader, put, put_bytes, put_signed};
use crate::engine::Context;
use crate::engine::cell::Cell;
use crate::engine::session::{Session, SessionStore};
use crate::time::Timestamp;
use crate::window::Window;

/// What there is to save of sessions.
#[derive(Debug, Default)]
pub struct SessionChanges {
    /// By place, if changes are noted.
    marks: Option<Marks>,
    /// Pieces of sessions that are gone.
    gone: Vec<u64>,
    /// Pieces so far.
    pieces: u64,
}

impl SessionChanges {
    /// A session has changed.
    #[inline]
    pub fn mark(&mut self, index: u32) {
        if let Some(marks) = &mut self.marks {
            marks.set(index as usize);
        }
    }

    /// A session is gone.
    #[inline]
    pub fn remove(&mut self, index: u32, piece: u64) {
        if let Some(marks) = &mut self.marks {
            marks.clear(index as usize);
            if piece > 0 {
                self.gone.push(piece);
            }
        }
    }
}

impl Kept for SessionStore {
    fn track(&mut self) {
        self.changes.marks = Some(Marks::default());
    }

    fn save(&mut self, sink: &mut Sink<'_>, cx: &Context<'_>) {
        let group = sink.fixed();
        for piece in self.changes.gone.drain(..) {
            sink.remove(group, piece);
        }
        let SessionStore { sessions, changes, .. } = self;
        let Some(marks) = &mut changes.marks else { return };
        marks.drain(|index| {
            let session = &mut sessions[index];
            if session.piece == 0 {
                changes.pieces += 1;
                session.piece = changes.pieces;
            }
            sink.put(group, session.piece, |out| save(session, out, cx));
        });
    }

    fn save_head(&self, out: &mut Vec<u8>) {
        put_signed(out, self.next_moment.0);
        put(out, self.changes.pieces);
    }

    fn restore_head(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        self.next_moment = Timestamp(bytes.signed()?);
        self.changes.pieces = bytes.count()?;
        Ok(())
    }

    fn piece(&mut self, group: Group, piece: u64, mut bytes: Reader<'_>, cx: &mut Context<'_>) -> Result<(), Damaged> {
        if !group.is_fixed || piece == 0 || piece > self.changes.pieces {
            return Err(Damaged("a piece is of no known kind"));
        }
        let key = cx.keys.restore(bytes.bytes()?)?;
        let window = Window::restore(&mut bytes)?;
        let has_fired = bytes.flag()?;
        let mut replaces = Vec::new();
        for _ in 0..bytes.length()? {
            replaces.push(Window::restore(&mut bytes)?);
        }
        let cell = Cell::restore(&mut bytes, cx.plan, self.running.updates)?;
        bytes.end()?;
        self.restore(Session { window, key, cell, has_fired, replaces, alarm: None, piece }, cx)
    }

    fn assemble(&mut self, _cx: &mut Context<'_>) -> Result<(), Damaged> {
        Ok(())
    }
}

fn save(session: &Session, out: &mut Vec<u8>, cx: &Context<'_>) {
    let Session { window, key, cell, has_fired, replaces, alarm: _, piece: _ } = session;
    put_bytes(out, cx.keys.bytes(*key));
    window.save(out);
    out.push(u8::from(*has_fired));
    put(out, replaces.len() as u64);
    replaces.iter().for_each(|window| window.save(out));
    cell.save(out);
}
