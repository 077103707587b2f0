//! The head of a saved engine: the watermark, what was counted, and whatever else is small. And the way to the pieces of
//! each kind of windows.

use super::{Damaged, Groups, Kept, Pieces, Sink};
use crate::codec::{Reader, put, put_signed};
use crate::engine::general::General;
use crate::engine::guard::Guard;
use crate::engine::lane::{Lane, Lanes, Shared};
use crate::engine::pane::{Emit, LateDrop, Pane, RecordRef};
use crate::engine::runaway::Runaway;
use crate::engine::{Engine, Machine, Progress};
use crate::event::BadRecord;
use crate::metrics::Counters;
use crate::time::Timestamp;

/// The layout of heads and pieces. What a newer one has cannot be read.
const VERSION: u8 = 1;

/// Nothing is printed while state is saved or restored.
pub(super) struct Silence;

impl Emit for Silence {
    fn pane(&mut self, _pane: &Pane<'_>) {}
    fn late_drop(&mut self, _drop: &LateDrop<'_>) {}
    fn bad_record(&mut self, _record: RecordRef<'_>, _bad: &BadRecord) {}
}

/// See [`Engine::save`].
pub(super) fn save(engine: &mut Engine, pieces: &mut dyn Pieces) -> Vec<u8> {
    let Engine { windows, progress, groups } = engine;
    let mut sink = Sink { slot: 1, groups, pieces, scratch: Vec::new() };
    let mut of_windows = Vec::new();
    match windows {
        Machine::Slices(store) => save_store(store, progress, &mut sink, &mut of_windows),
        Machine::Sessions(store) => save_store(store, progress, &mut sink, &mut of_windows),
        Machine::General(general) => save_general(general, progress, &mut sink, &mut of_windows),
    }
    let Groups { slots, count } = *groups;
    let mut out = vec![VERSION];
    put(&mut out, slots);
    put(&mut out, count);
    save_progress(progress, &mut out);
    out.extend_from_slice(&of_windows);
    out
}

fn save_store(store: &mut dyn Kept, progress: &mut Progress, sink: &mut Sink<'_>, out: &mut Vec<u8>) {
    store.save(sink, &progress.context(&mut Silence));
    store.save_head(out);
}

fn save_general(general: &mut General, progress: &mut Progress, sink: &mut Sink<'_>, out: &mut Vec<u8>) {
    let General {
        lanes,
        guard: _,
        guards,
        rule: _,
        sources,
        is_punctuated: _,
        flushes_when_idle: _,
        lines,
        watermark,
        dedup,
    } = general;
    put(out, guards.len() as u64);
    guards.iter().for_each(|guard| guard.save(out));
    put(out, lines.len() as u64);
    lines.iter().for_each(|lines| put(out, *lines));
    out.push(u8::from(watermark.is_some()));
    watermark.iter().for_each(|watermark| put_signed(out, watermark.0));
    sink.enter(0);
    sources.save(sink);
    if let Some(dedup) = dedup {
        dedup.save(sink);
        dedup.save_head(out);
    }
    let Lanes { lanes, .. } = lanes;
    let shared = Shared::of(progress);
    for (spec, lane) in lanes.iter_mut().enumerate() {
        sink.enter(spec + 1);
        lane.with(shared, spec, &mut Silence, |store, cx| store.save(sink, cx));
        let Lane { windows, keys, floor, counters } = lane;
        save_counters(counters, out);
        put_signed(out, floor.0);
        put(out, keys.size.peak);
        windows.store().save_head(out);
    }
}

fn save_progress(progress: &mut Progress, out: &mut Vec<u8>) {
    let Progress {
        trigger: _,
        delay: _,
        plan: _,
        limits: _,
        keys,
        counters,
        watermark,
        floor,
        max_event_time,
        runaway,
        source,
        lines,
    } = progress;
    put_signed(out, watermark.0);
    put_signed(out, floor.0);
    put_signed(out, max_event_time.0);
    save_counters(counters, out);
    put(out, keys.size.peak);
    runaway.save(out);
    put(out, u64::from(*source));
    put(out, *lines);
}

fn save_counters(counters: &mut Counters, out: &mut Vec<u8>) {
    counters.counts().into_iter().for_each(|count| put(out, *count));
}

/// Fills a new engine with what the head says.
pub(super) fn restore(engine: &mut Engine, head: &[u8]) -> Result<(), Damaged> {
    let Engine { windows, progress, groups } = engine;
    let mut bytes = Reader::new(head);
    if bytes.byte()? != VERSION {
        return Err(Damaged("the state is of another version"));
    }
    if bytes.number()? != groups.slots {
        return Err(Damaged("there are not as many windows"));
    }
    groups.count = bytes.count()?;
    restore_progress(progress, &mut bytes)?;
    match windows {
        Machine::Slices(store) => store.restore_head(&mut bytes)?,
        Machine::Sessions(store) => store.restore_head(&mut bytes)?,
        Machine::General(general) => restore_general(general, &mut bytes)?,
    }
    bytes.end()
}

fn restore_general(general: &mut General, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
    for _ in 0..bytes.length()? {
        general.guards.push(Guard::restore(bytes)?);
    }
    for _ in 0..bytes.length()? {
        general.lines.push(bytes.count()?);
    }
    general.watermark = if bytes.flag()? { Some(Timestamp(bytes.signed()?)) } else { None };
    if let Some(dedup) = &mut general.dedup {
        dedup.restore_head(bytes)?;
    }
    for lane in &mut general.lanes.lanes {
        restore_counters(&mut lane.counters, bytes)?;
        lane.floor = Timestamp(bytes.signed()?);
        lane.keys.size.peak = bytes.count()?;
        lane.windows.store_mut().restore_head(bytes)?;
    }
    Ok(())
}

fn restore_progress(progress: &mut Progress, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
    progress.watermark = Timestamp(bytes.signed()?);
    progress.floor = Timestamp(bytes.signed()?);
    progress.max_event_time = Timestamp(bytes.signed()?);
    restore_counters(&mut progress.counters, bytes)?;
    progress.keys.size.peak = bytes.count()?;
    progress.runaway = Runaway::restore(bytes)?;
    progress.source = u32::try_from(bytes.number()?).map_err(|_| Damaged("a source has an impossible number"))?;
    progress.lines = bytes.count()?;
    Ok(())
}

fn restore_counters(counters: &mut Counters, bytes: &mut Reader<'_>) -> Result<(), Damaged> {
    for count in counters.counts() {
        *count = bytes.count()?;
    }
    Ok(())
}
