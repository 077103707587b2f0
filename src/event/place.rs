//! Yearless times get their years here, in the order of the records, before the engine sees them.

use super::{Aside, BadRecord, EventBatch, PlacedAside, Reason};
use crate::time::year::Years;

/// Places the times of a batch. An event that has no moment in its year becomes a bad record.
pub fn place_years(batch: &mut EventBatch, years: &mut Years) {
    let mut found = Vec::new();
    for (index, time) in batch.times.iter_mut().enumerate() {
        let span = batch.records[index];
        let aside = match years.place(*time) {
            Ok(moment) => {
                *time = moment.time;
                moment.is_ambiguous.then_some(Aside::AmbiguousTime)
            }
            Err(bad) => {
                let detail = format!("event time {}", bad.reason());
                Some(Aside::Unplaceable(Box::new(BadRecord { span, reason: Reason::Time, detail })))
            }
        };
        let end = u64::from(span.text.start + span.text.len);
        found.extend(aside.map(|aside| PlacedAside { before_event: index as u32, end, aside }));
    }
    if !found.is_empty() {
        batch.asides.append(&mut found);
        // Stable: what was noted before an event stays before what is said of the event itself.
        batch.asides.sort_by_key(|placed| placed.before_event);
    }
}
