//! What was found out about an input, in words (`-v`).

use super::{FirstRecord, Format, Layout, Reading, Tools};
use crate::error::list;
use crate::event::EventBatch;
use crate::event::projection::Projection;
use crate::time::SECOND;
use crate::time::format::TimeStyle;
use crate::time::parse::TimeFormat;
use std::sync::Arc;

/// Which fields there are.
pub fn fields(first: &FirstRecord, format: &dyn Format) -> String {
    let names = list(&first.names);
    match (first.is_header, format.fields_vary()) {
        (true, _) => format!("the header has {names}"),
        (false, true) => format!("the first record has {names}"),
        (false, false) => format!("the fields are {names}"),
    }
}

/// How event times are read, and the first of them in these whole records, if there is an event.
pub fn times(format: &dyn Format, reading: &Reading<'_>, bytes: &[u8], layout: &Layout) -> String {
    let projection = &reading.projection;
    if projection.time_is_arrival {
        return "the event time is that of the arrival, as told by -t @now".into();
    }
    let field = &projection.time.name;
    let told = match &projection.time_rules.format {
        TimeFormat::Auto => None,
        TimeFormat::Rfc3339 => Some("RFC 3339".to_owned()),
        TimeFormat::Units(unit) => Some(unit_name(*unit).to_owned()),
        TimeFormat::Pattern(pattern) => Some(pattern.text().to_owned()),
    };
    let decoded = decode(format, reading, projection.clone(), bytes, layout);
    let (how, first) = match (told, decoded) {
        (Some(told), decoded) => (format!("{told}, as told by --time-format"), decoded),
        (None, None) => ("each as it is written".into(), None),
        // Whichever format reads the same from the same record is how it was read.
        (None, Some(first)) => {
            let is_so = |as_format: &TimeFormat| {
                let mut projection = (**projection).clone();
                projection.time_rules.format = as_format.clone();
                decode(format, reading, Arc::new(projection), bytes, layout) == Some(first)
            };
            let units = [SECOND, 1_000_000, 1_000, 1];
            let how = match units.into_iter().find(|unit| is_so(&TimeFormat::Units(*unit))) {
                Some(unit) => unit_name(unit),
                None if is_so(&TimeFormat::Rfc3339) => "RFC 3339",
                None => "a date and time",
            };
            (how.to_owned(), Some(first))
        }
    };
    let first = first.map_or_else(String::new, |(_, nanos)| {
        let mut text = Vec::new();
        TimeStyle::Rfc3339(projection.time_rules.zone.clone()).write(&mut text, nanos);
        format!("; the first is {}", String::from_utf8_lossy(&text))
    });
    format!("the event time \"{field}\" is read as {how}{first}")
}

fn unit_name(unit: i64) -> &'static str {
    match unit {
        SECOND => "seconds since 1970",
        1_000_000 => "milliseconds since 1970",
        1_000 => "microseconds since 1970",
        _ => "nanoseconds since 1970",
    }
}

/// Where the first event stands in whole records, and its time.
fn decode(
    format: &dyn Format,
    reading: &Reading<'_>,
    projection: Arc<Projection>,
    bytes: &[u8],
    layout: &Layout,
) -> Option<(u32, crate::time::Timestamp)> {
    let mut batch = EventBatch::new(projection.values.len(), projection.fields().count());
    batch.bytes.extend_from_slice(bytes);
    let decoder = format.decoder(Reading { projection, ..*reading }).ok()?;
    decoder.decode(layout, &mut batch, &mut Tools::default());
    Some((batch.records.first()?.text.start, *batch.times.first()?))
}
