//! The tables of slices as pieces: a group for each slice, a piece for each key. The first row also says which slice
//! it is, by a time in it.

use super::rows::{arrange, places};
use super::{Damaged, Group, Kept, Marks, Sink};
use crate::aggregate::plan::{AggregatePlan, save_row};
use crate::codec::{Reader, put, put_bytes, put_signed};
use crate::engine::Context;
use crate::engine::behind::Behind;
use crate::engine::keys::KeyId;
use crate::engine::slices::SliceStore;
use crate::engine::table::{Table, row_bytes};
use crate::engine::tree::Node;
use crate::time::Timestamp;
use crate::window::{SliceId, WindowId};
use hashbrown::HashMap;

/// What there is to save of slices, and those that are being restored.
#[derive(Debug, Default)]
pub struct SliceChanges {
    /// Slices with rows that have changed, and a time in each.
    touched: Vec<(i64, Timestamp)>,
    /// Groups of slices that are gone.
    pub gone: Vec<u64>,
    restored: HashMap<u64, Restored>,
    nodes: Vec<Node>,
}

impl SliceChanges {
    /// A row of a slice has changed, the first one since the last save; its event has this time.
    #[cold]
    pub fn touch(&mut self, slice: SliceId, time: Timestamp) {
        self.touched.push((slice.0, time));
    }
}

/// A table of which not all rows have come.
#[derive(Debug, Default)]
struct Restored {
    table: Table,
    /// The row of each.
    order: Vec<u32>,
    /// By row.
    behind: HashMap<u32, Behind>,
    time: Option<Timestamp>,
}

/// The piece of the fixed group that lists the nodes above slices.
const NODES: u64 = 0;

impl Kept for SliceStore {
    fn track(&mut self) {
        self.tree.track();
    }

    fn save(&mut self, sink: &mut Sink<'_>, cx: &Context<'_>) {
        for group in self.changes.gone.drain(..) {
            sink.remove_group(group);
        }
        for (slice, time) in self.changes.touched.drain(..) {
            // It may be gone.
            let Some(table) = self.tree.slice_of(slice) else { continue };
            let first = self.assigner.windows(SliceId(slice)).start;
            save_table(table, first, time, sink, cx);
        }
        if let Some(nodes) = self.tree.other_nodes() {
            sink.put(sink.fixed(), NODES, |out| {
                for Node { level, position } in nodes {
                    put(out, level as u64);
                    put_signed(out, position);
                }
            });
        }
    }

    fn save_head(&self, _out: &mut Vec<u8>) {}

    fn restore_head(&mut self, _bytes: &mut Reader<'_>) -> Result<(), Damaged> {
        Ok(())
    }

    fn piece(&mut self, group: Group, row: u64, bytes: Reader<'_>, cx: &mut Context<'_>) -> Result<(), Damaged> {
        if group.is_fixed {
            return self.restore_nodes(row, bytes);
        }
        let restored = self.changes.restored.entry(group.number).or_default();
        restored.row(row, bytes, cx)
    }

    fn assemble(&mut self, cx: &mut Context<'_>) -> Result<(), Damaged> {
        for (group, restored) in std::mem::take(&mut self.changes.restored) {
            let time = restored.time.ok_or(Damaged("a slice has no first row"))?;
            let slice = self.assigner.slice(time).ok_or(Damaged("a slice is beyond the range of time"))?.id;
            let windows = self.assigner.windows(slice);
            if windows.is_empty() {
                return Err(Damaged("a slice has no windows"));
            }
            let mut table = restored.assemble(cx.plan)?;
            for behind in table.behind.iter_mut().flat_map(|behind| behind.values_mut()) {
                behind.place(&windows)?;
            }
            table.marks = Some(Box::new(Marks::of(group)));
            self.tree.insert(slice.0, table)?;
        }
        let nodes = std::mem::take(&mut self.changes.nodes);
        self.tree.restore_nodes(&nodes, cx.plan, cx.keys)?;
        self.restore_revisions(cx);
        Ok(())
    }
}

fn save_table(table: &mut Table, first: WindowId, time: Timestamp, sink: &mut Sink<'_>, cx: &Context<'_>) {
    let Some(mut marks) = table.marks.take() else { return };
    let group = sink.group(&mut marks.group);
    marks.drain(|row| {
        sink.put(group, row as u64, |out| {
            if row == 0 {
                put_signed(out, time.0);
            }
            put_bytes(out, cx.keys.bytes(table.ids[row]));
            match table.behind(row) {
                None => put(out, 0),
                Some(behind) => behind.save(first, out),
            }
            save_row(table.row(row, cx.plan), out);
        });
    });
    table.marks = Some(marks);
}

impl Restored {
    fn row(&mut self, row: u64, mut bytes: Reader<'_>, cx: &mut Context<'_>) -> Result<(), Damaged> {
        let row = u32::try_from(row).map_err(|_| Damaged("a row has an impossible number"))?;
        if row == 0 {
            self.time = Some(Timestamp(bytes.signed()?));
        }
        let id = cx.keys.restore(bytes.bytes()?)?;
        if let Some(behind) = Behind::restore(&mut bytes)? {
            self.behind.insert(row, behind);
        }
        cx.plan.restore_row(&mut bytes, &mut self.table.cells)?;
        cx.keys.size.grow(row_bytes(cx.plan));
        self.table.ids.push(id);
        self.order.push(row);
        bytes.end()
    }

    fn assemble(self, plan: &AggregatePlan) -> Result<Table, Damaged> {
        let Restored { mut table, order, behind, .. } = self;
        let width = plan.width();
        arrange(order, |a, b| {
            table.ids.swap(a, b);
            for slot in 0..width {
                table.cells.swap(a * width + slot, b * width + slot);
            }
        })?;
        table.rows = places(&table.ids)?;
        table.behind = (!behind.is_empty()).then(|| Box::new(behind));
        Ok(table)
    }
}

impl SliceStore {
    fn restore_nodes(&mut self, row: u64, mut bytes: Reader<'_>) -> Result<(), Damaged> {
        if row != NODES {
            return Err(Damaged("a piece is of no known kind"));
        }
        while bytes.left() > 0 {
            let level = bytes.byte()?.into();
            self.changes.nodes.push(Node { level, position: bytes.signed()? });
        }
        Ok(())
    }

    /// How many panes each key has had of windows that have fired: one for each event behind the watermark, and one
    /// if it was there on time.
    fn restore_revisions(&mut self, cx: &Context<'_>) {
        let horizons = cx.trigger.horizons(cx.watermark);
        let kept = self.assigner.first_ending_after(horizons.gone);
        let mut last_of_key: HashMap<KeyId, (WindowId, WindowId)> = HashMap::new();
        for (slice, table) in self.tree.slices_from(i64::MIN) {
            let Some(behind) = &table.behind else { continue };
            let first = self.assigner.windows(SliceId(slice)).start.max(kept);
            for (row, behind) in behind.iter() {
                let id = table.ids[*row as usize];
                for (unfired, count) in behind.events() {
                    for window in (first.0..unfired.0).map(WindowId) {
                        let panes = self.revisions.entry(window).or_default().entry(id).or_insert(0);
                        *panes = panes.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
                    }
                    if first < unfired {
                        let reach = last_of_key.entry(id).or_insert((first, unfired));
                        *reach = (reach.0.min(first), reach.1.max(unfired));
                    }
                }
            }
        }
        for (id, (first, end)) in last_of_key {
            let on_time = self.printed_on_time(&(first..end), id, cx.keys);
            for (window, revisions) in self.revisions.range_mut(first..end) {
                if let Some(panes) = revisions.get_mut(&id).filter(|_| on_time.has(*window)) {
                    *panes = panes.saturating_add(1);
                }
            }
        }
    }
}
