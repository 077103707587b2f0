//! What came of a run, in a few sentences (`-v`).

use super::checkpoint::Pauses;
use crate::metrics::Counters;
use crate::time::format::TimeStyle;
use crate::time::zone::Zone;
use indicatif::{HumanBytes, HumanCount};
use std::time::Duration;

/// A paragraph for people; the summary of `--stats` has the same for programs.
pub fn paragraph(counters: &Counters, took: Duration) -> String {
    let seconds = took.as_secs_f64();
    let rate = match took {
        Duration::ZERO => String::new(),
        _ => format!(", {} a second", HumanCount((counters.records as f64 / seconds).round() as u64)),
    };
    let records = count(counters.records, "record", "records");
    let mut sentences = vec![
        sentence(
            format!("{records} ({}) in {seconds:.3} s{rate}", HumanBytes(counters.bytes)),
            &[
                (counters.bad, "bad record", "bad records"),
                (counters.duplicates, "duplicate", "duplicates"),
                (counters.filtered, "filtered out", "filtered out"),
                (counters.headers, "header", "headers"),
                (counters.punctuation, "record of punctuation", "records of punctuation"),
                (counters.blank, "blank line", "blank lines"),
            ],
        ),
        sentence(
            count(counters.events, "event", "events"),
            &[
                (counters.added, "in windows", "in windows"),
                (counters.late_drops, "dropped as too late", "dropped as too late"),
                (counters.unwindowed, "between windows", "between windows"),
                (counters.key_drops, "dropped for its key", "dropped for their keys"),
                (counters.folded, "folded into others", "folded into others"),
                (counters.late_refused, "refused by a window that was gone", "refused by windows that were gone"),
            ],
        ),
        sentence(
            count(counters.panes, "row", "rows"),
            &[
                (counters.on_time, "on time", "on time"),
                (counters.filled, "of a silent window", "of silent windows"),
                (counters.late, "late", "late"),
                (counters.open_windows, "window left open", "windows left open"),
            ],
        ),
    ];
    if let Some(watermark) = counters.watermark {
        let mut time = Vec::new();
        TimeStyle::Rfc3339(Zone::utc()).write(&mut time, watermark);
        sentences.push(format!("the watermark came to {}", String::from_utf8_lossy(&time)));
    }
    sentences.push(format!("windows took {} at their most", HumanBytes(counters.state.peak)));
    sentences.join("; ")
}

/// What checkpoints have cost, if there were any before the last.
pub fn checkpoints(pauses: Pauses) -> String {
    let Pauses { count: number, total, longest } = pauses;
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    match number {
        0 => String::new(),
        _ => format!(
            "; {} on the way held it up for {:.1} ms, {:.1} ms at the longest",
            count(number, "checkpoint", "checkpoints"),
            milliseconds(total),
            milliseconds(longest)
        ),
    }
}

/// What it begins with, and what there is any of.
fn sentence(begin: String, items: &[(u64, &str, &str)]) -> String {
    let any = items.iter().filter(|(number, ..)| *number > 0);
    let list: Vec<_> = any.map(|(number, one, many)| count(*number, one, many)).collect();
    if list.is_empty() { begin } else { format!("{begin}: {}", list.join(", ")) }
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", HumanCount(number), if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::StateSize;
    use crate::time::{SECOND, Timestamp};

    #[test]
    fn all_that_there_was_is_told() {
        let counters = Counters {
            records: 12_345,
            blank: 2,
            headers: 1,
            bad: 1,
            events: 12_341,
            added: 12_331,
            late_drops: 10,
            panes: 3,
            on_time: 2,
            late: 1,
            bytes: 3 << 20,
            watermark: Some(Timestamp(1_767_225_600 * SECOND)),
            open_windows: 4,
            state: StateSize { bytes: 0, peak: 2048 },
            ..Counters::default()
        };
        assert_eq!(
            paragraph(&counters, Duration::from_millis(500)),
            "12,345 records (3.00 MiB) in 0.500 s, 24,690 a second: 1 bad record, 1 header, 2 blank \
             lines; 12,341 events: 12,331 in windows, 10 dropped as too late; 3 rows: 2 on time, 1 late, 4 windows \
             left open; the watermark came to 2026-01-01T00:00:00Z; windows took 2.00 KiB at their most"
        );
        assert_eq!(
            paragraph(&Counters::default(), Duration::ZERO),
            "0 records (0 B) in 0.000 s; 0 events; 0 rows; windows took 0 B at their most"
        );
    }

    #[test]
    fn what_checkpoints_cost_is_told() {
        assert_eq!(checkpoints(Pauses::default()), "");
        let pauses = Pauses { count: 2, total: Duration::from_micros(12_345), longest: Duration::from_millis(9) };
        assert_eq!(checkpoints(pauses), "; 2 checkpoints on the way held it up for 12.3 ms, 9.0 ms at the longest");
    }
}
