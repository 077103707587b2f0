//! Cells as pieces. Those of a window that prints before its end are a group, whose first row also says which window it
//! is; those of windows without bounds are there for good.

use super::{Damaged, Group, Kept, Rows, Sink};
use crate::codec::{Reader, put, put_bytes, put_signed};
use crate::engine::Context;
use crate::engine::cell::Cell;
use crate::engine::fill::Filler;
use crate::engine::running::RunningStore;
use crate::engine::unbounded::{BUCKET_BYTES, Bucket, UnboundedStore};
use crate::time::Timestamp;
use crate::window::{Window, WindowId};
use hashbrown::HashMap;

/// What there is to save of windows, and those that are being restored.
#[derive(Debug, Default)]
pub struct WindowChanges {
    is_tracked: bool,
    /// Windows with cells that have changed.
    touched: Vec<WindowId>,
    /// Groups of windows that are gone.
    gone: Vec<u64>,
    restored: HashMap<u64, (Option<WindowId>, Rows<Cell>)>,
}

impl WindowChanges {
    /// The rows of a new window.
    pub fn rows(&self) -> Rows<Cell> {
        let mut rows = Rows::default();
        if self.is_tracked {
            rows.track();
        }
        rows
    }

    /// A cell of a window has changed, the first one since the last save.
    #[cold]
    pub fn touch(&mut self, window: WindowId) {
        self.touched.push(window);
    }

    /// A window is gone.
    pub fn remove(&mut self, rows: &Rows<Cell>) {
        self.gone.extend(rows.group().filter(|group| *group > 0));
    }
}

impl Kept for RunningStore {
    fn track(&mut self) {
        self.changes.is_tracked = true;
        self.filler.iter_mut().for_each(Filler::track);
    }

    fn save(&mut self, sink: &mut Sink<'_>, cx: &Context<'_>) {
        for group in self.changes.gone.drain(..) {
            sink.remove_group(group);
        }
        self.filler.iter_mut().for_each(|filler| filler.save(sink, cx.keys));
        for window in self.changes.touched.drain(..) {
            // It may be gone.
            let Some(cells) = self.windows.get_mut(&window) else { continue };
            let group = sink.group(cells.group_mut());
            cells.drain(|row, id, cell| {
                sink.put(group, row as u64, |out| {
                    if row == 0 {
                        put_signed(out, window.0);
                    }
                    put_bytes(out, cx.keys.bytes(id));
                    cell.save(out);
                });
            });
        }
    }

    fn save_head(&self, out: &mut Vec<u8>) {
        put_signed(out, self.next_moment.0);
    }

    fn restore_head(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        self.next_moment = Timestamp(bytes.signed()?);
        Ok(())
    }

    fn piece(&mut self, group: Group, row: u64, mut bytes: Reader<'_>, cx: &mut Context<'_>) -> Result<(), Damaged> {
        if group.is_fixed {
            let filler = self.filler.as_mut().ok_or(Damaged("a piece is of no known kind"))?;
            return filler.restore(row, bytes, cx.plan, cx.keys);
        }
        let (window, cells) = self.changes.restored.entry(group.number).or_default();
        if row == 0 {
            *window = Some(WindowId(bytes.signed()?));
        }
        let id = cx.keys.restore(bytes.bytes()?)?;
        let updates = self.running.updates;
        cells.restore(row, id, Cell::restore(&mut bytes, cx.plan, updates)?)?;
        cx.keys.size.grow(Cell::bytes(cx.plan, updates));
        bytes.end()
    }

    fn assemble(&mut self, _cx: &mut Context<'_>) -> Result<(), Damaged> {
        self.filler.iter_mut().for_each(Filler::assemble);
        for (group, (window, mut cells)) in std::mem::take(&mut self.changes.restored) {
            let window = window.ok_or(Damaged("a window has no first row"))?;
            let Window { start, end } = self.assigner.window(window);
            if start == Timestamp::MIN || end == Timestamp::MAX || start >= end {
                return Err(Damaged("a window is beyond the range of time"));
            }
            cells.assemble()?;
            cells.track();
            *cells.group_mut() = group;
            if self.windows.insert(window, cells).is_some() {
                return Err(Damaged("a window is there twice"));
            }
        }
        Ok(())
    }
}

impl Kept for UnboundedStore {
    fn track(&mut self) {
        self.by_key.track();
    }

    fn save(&mut self, sink: &mut Sink<'_>, cx: &Context<'_>) {
        let group = sink.fixed();
        self.by_key.drain(|row, id, Bucket { cell, extent, seq }| {
            sink.put(group, row as u64, |out| {
                put_bytes(out, cx.keys.bytes(id));
                put(out, *seq);
                out.push(u8::from(extent.is_some()));
                extent.iter().for_each(|extent| extent.save(out));
                cell.save(out);
            });
        });
    }

    fn save_head(&self, out: &mut Vec<u8>) {
        put_signed(out, self.next_moment.0);
    }

    fn restore_head(&mut self, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        self.next_moment = Timestamp(bytes.signed()?);
        Ok(())
    }

    fn piece(&mut self, group: Group, row: u64, mut bytes: Reader<'_>, cx: &mut Context<'_>) -> Result<(), Damaged> {
        if !group.is_fixed {
            return Err(Damaged("a piece is of no known kind"));
        }
        let id = cx.keys.restore(bytes.bytes()?)?;
        let seq = bytes.count()?;
        let extent = if bytes.flag()? { Some(Window::restore(&mut bytes)?) } else { None };
        let cell = Cell::restore(&mut bytes, cx.plan, self.updates)?;
        self.by_key.restore(row, id, Bucket { cell, extent, seq })?;
        cx.keys.size.grow(BUCKET_BYTES + Cell::bytes(cx.plan, self.updates));
        bytes.end()
    }

    fn assemble(&mut self, _cx: &mut Context<'_>) -> Result<(), Damaged> {
        self.by_key.assemble()
    }
}
