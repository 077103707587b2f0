//! What the line says.

use super::Standing;
use crate::time::format::TimeStyle;
use crate::time::zone::Zone;
use crate::time::{SECOND, Timestamp};

/// Between the parts.
const GAP: &str = "  ";

/// The line, with as many of its parts as there is room for.
pub fn line(standing: &Standing, bytes_per_second: f64, events_per_second: f64, columns: u16) -> String {
    let Standing { taken, total, watermark, open_windows, .. } = *standing;
    // A file that has grown since it was opened has no share.
    let total = total.filter(|total| *total > 0 && taken <= *total);
    let left = total.filter(|_| bytes_per_second > 0.0).map(|total| (total - taken) as f64 / bytes_per_second);
    // In order of place, each with how soon it has to go where there is no room.
    let mut parts = vec![
        (0, bytes(taken, total)),
        (2, format!("{} events/s", short(events_per_second))),
        (3, watermark.map_or_else(String::new, |watermark| format!("W {}", whole_second(watermark)))),
        (4, format!("{} open", short(open_windows as f64))),
        (1, left.map_or_else(String::new, |seconds| format!("{} left", clock(seconds)))),
    ];
    parts.retain(|(_, text)| !text.is_empty());
    loop {
        let line = parts.iter().map(|(_, text)| text.as_str()).collect::<Vec<_>>().join(GAP);
        let first_to_go = parts.iter().map(|(rank, _)| *rank).max().unwrap_or(0);
        if line.len() <= usize::from(columns) || first_to_go == 0 {
            // All of it is ASCII.
            return line.chars().take(columns.into()).collect();
        }
        parts.retain(|(rank, _)| *rank != first_to_go);
    }
}

/// `1.2/1.9 GiB 63%`, or `1.2 GiB`.
fn bytes(taken: u64, total: Option<u64>) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let largest = total.unwrap_or(taken);
    let unit = (largest.max(1).ilog2() / 10) as usize;
    let scale = (1u64 << (10 * unit)) as f64;
    let digits = usize::from(unit > 0 && largest as f64 / scale < 9.95);
    let amount = |bytes: u64| format!("{:.digits$}", bytes as f64 / scale);
    let name = UNITS[unit];
    match total {
        // Not all before it is all.
        Some(total) => {
            let percent = u128::from(taken) * 100 / u128::from(total);
            format!("{}/{} {name} {percent}%", amount(taken), amount(total))
        }
        None => format!("{} {name}", amount(taken)),
    }
}

/// Three digits of a number that is not negative, and its thousands: `12.3k`.
fn short(number: f64) -> String {
    // What would be rounded to a thousand of a unit is one of the next.
    let (unit, name) = match number {
        ..999.5 => (1.0, ""),
        ..999_500.0 => (1e3, "k"),
        ..999_500_000.0 => (1e6, "M"),
        _ => (1e9, "G"),
    };
    let number = number / unit;
    let digits = match number {
        _ if name.is_empty() => 0,
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{number:.digits$}{name}")
}

fn whole_second(time: Timestamp) -> String {
    let whole = Timestamp(time.0.saturating_sub(time.0.rem_euclid(SECOND)));
    let mut text = Vec::new();
    TimeStyle::Rfc3339(Zone::utc()).write(&mut text, whole);
    String::from_utf8_lossy(&text).into_owned()
}

/// `0:07`, `1:02:03`; a begun second is one.
fn clock(seconds: f64) -> String {
    let seconds = seconds.ceil() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STANDING: Standing = Standing {
        taken: 1_300_000_000,
        total: Some(2_050_000_000),
        events: 0,
        watermark: Some(Timestamp(1_767_226_351 * SECOND + 999_999_999)),
        open_windows: 12_345,
    };

    #[test]
    fn the_line_has_what_there_is_room_for() {
        let whole = "1.2/1.9 GiB 63%  2.43M events/s  W 2026-01-01T00:12:31Z  12.3k open  0:12 left";
        assert_eq!(whole.len(), 78, "it fits a terminal of 80");
        for (columns, expected) in [
            (200, whole),
            (78, whole),
            (77, "1.2/1.9 GiB 63%  2.43M events/s  W 2026-01-01T00:12:31Z  0:12 left"),
            (50, "1.2/1.9 GiB 63%  2.43M events/s  0:12 left"),
            (30, "1.2/1.9 GiB 63%  0:12 left"),
            (20, "1.2/1.9 GiB 63%"),
            (3, "1.2"),
        ] {
            assert_eq!(line(&STANDING, 64e6, 2_432_100.0, columns), expected, "{columns} columns");
        }
    }

    #[test]
    fn what_is_not_known_is_not_said() {
        for (standing, bytes_per_second, expected) in [
            (Standing { total: None, ..STANDING }, 64e6, "1.2 GiB  5 events/s  W 2026-01-01T00:12:31Z  12.3k open"),
            (STANDING, 0.0, "1.2/1.9 GiB 63%  5 events/s  W 2026-01-01T00:12:31Z  12.3k open"),
            (Standing::default(), 0.0, "0 B  5 events/s  0 open"),
            (Standing { total: Some(0), ..Standing::default() }, 1.0, "0 B  5 events/s  0 open"),
            // It has grown.
            (Standing { taken: 9, total: Some(8), ..Standing::default() }, 1.0, "9 B  5 events/s  0 open"),
            (
                Standing { taken: 8, total: Some(8), ..Standing::default() },
                1.0,
                "8/8 B 100%  5 events/s  0 open  0:00 left",
            ),
        ] {
            assert_eq!(line(&standing, bytes_per_second, 5.0, 200), expected, "{standing:?}");
        }
    }

    #[test]
    fn numbers_are_short() {
        for (number, expected) in [
            (0.0, "0"),
            (999.4, "999"),
            (999.6, "1.00k"),
            (9_994.0, "9.99k"),
            (9_996.0, "10.0k"),
            (99_960.0, "100k"),
            (999_499.0, "999k"),
            (999_500.0, "1.00M"),
            (1.5e9, "1.50G"),
            (123e9, "123G"),
        ] {
            assert_eq!(short(number), expected, "{number}");
        }
        for (taken, total, expected) in [
            (0, None, "0 B"),
            (1023, None, "1023 B"),
            (1024, None, "1.0 KiB"),
            (9 << 20, None, "9.0 MiB"),
            (10 << 20, None, "10 MiB"),
            (u64::MAX, None, "16 EiB"),
            (145 << 20, Some(586 << 20), "145/586 MiB 24%"),
            (999, Some(1000), "999/1000 B 99%"),
            (1, Some(1 << 20), "0.0/1.0 MiB 0%"),
        ] {
            assert_eq!(bytes(taken, total), expected);
        }
        for (seconds, expected) in
            [(0.0, "0:00"), (6.2, "0:07"), (60.0, "1:00"), (3723.0, "1:02:03"), (1e6, "277:46:40")]
        {
            assert_eq!(clock(seconds), expected);
        }
    }

    #[test]
    fn the_first_and_last_moments_have_a_second() {
        assert_eq!(whole_second(Timestamp::MAX), "2262-04-11T23:47:16Z");
        assert_eq!(whole_second(Timestamp(-1)), "1969-12-31T23:59:59Z");
        // The second that the first moment is in begins before all time.
        assert_eq!(whole_second(Timestamp::MIN), "1677-09-21T00:12:43.145224192Z");
    }
}
