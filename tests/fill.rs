//! `--fill`: rows of silent windows.

use crate::history::{History, Kind};
use crate::simulation::histories_with;
use crate::util::{Output, Streamw, assert_same};

fn run(flags: &str, input: &str) -> Output {
    // Words such as `5a`: a time and a key; each is an event with v = 10 times the time.
    let record = |word: &str| {
        let (time, key) = word.split_at(word.find(|c: char| c.is_ascii_alphabetic()).expect("a key"));
        let v = time.parse::<i64>().expect("a time") * 10;
        format!("{{\"ts\":{time},\"k\":\"{key}\",\"v\":{v}}}\n")
    };
    let input: String = input.split_whitespace().map(record).collect();
    Streamw::new().args("-t ts --time-format s --output-time s -k k --stats").args(flags).stdin(input).run()
}

/// Rows without their header, `;` between them.
fn rows(output: &Output) -> String {
    assert_eq!(output.status, 0, "{}", output.stderr);
    output.stdout.lines().skip(1).collect::<Vec<_>>().join(";")
}

#[test]
fn filled_histories_agree_with_the_model() {
    for kind in [Kind::Tumbling, Kind::Sliding, Kind::Holes] {
        histories_with(kind, "filled_histories", |seed| {
            let with = ["null", "zero", "previous"][seed as usize % 3];
            let limit = ["--fill-limit 1", "--fill-limit 3", "--fill-limit 40", ""][seed as usize / 3 % 4];
            let other = match seed % 7 {
                0 => "--emit final",
                1 | 2 if History::new(kind, seed).flags.contains(" -k ") => "--key-limit 2 --on-key-limit other",
                _ => "",
            };
            format!(" --fill {with} {limit} {other}")
        });
    }
}

#[test]
fn a_known_key_has_a_row_for_each_silent_window() {
    for (flags, input, expected) in [
        // b is not known before its first event, and at the end of input nothing comes after the last event.
        (
            "null",
            "5a 25b 41a",
            "0,10,a,1,50,50,on_time,0,;10,20,a,0,,,on_time,0,true;20,30,a,0,,,on_time,0,true;\
          20,30,b,1,250,250,on_time,0,;30,40,a,0,,,on_time,0,true;30,40,b,0,,,on_time,0,true;\
          40,50,a,1,410,410,on_time,0,;40,50,b,0,,,on_time,0,true",
        ),
        // What need not be a number stays null.
        ("zero", "5a 25a", "0,10,a,1,50,50,on_time,0,;10,20,a,0,0,,on_time,0,true;20,30,a,1,250,250,on_time,0,"),
        (
            "previous",
            "5a 8a 35a",
            "0,10,a,2,130,80,on_time,0,;10,20,a,2,130,80,on_time,0,true;\
          20,30,a,2,130,80,on_time,0,true;30,40,a,1,350,350,on_time,0,",
        ),
        // After the limit it is forgotten, until it speaks again.
        (
            "null --fill-limit 1",
            "5a 45a 65a",
            "0,10,a,1,50,50,on_time,0,;10,20,a,0,,,on_time,0,true;\
          40,50,a,1,450,450,on_time,0,;50,60,a,0,,,on_time,0,true;60,70,a,1,650,650,on_time,0,",
        ),
    ] {
        let output = run(&format!("-w 10s -a count -a sum:v -a last:v -o csv --fill {flags}"), input);
        let header = "window_start,window_end,k,count,sum_v,last_v,pane,revision,filled";
        assert_eq!(output.stdout.lines().next(), Some(header));
        assert_same(flags, &(expected.to_owned() + "\n"), &(rows(&output) + "\n"));
        let filled = expected.matches("true").count();
        assert_eq!(output.summary()["filled"], filled, "{flags}");
    }
}

#[test]
fn t4_a_late_event_corrects_a_filled_row() {
    for (flags, expected) in [
        ("", "0,10,a,1,on_time,0,;10,20,a,0,on_time,0,true;10,20,a,1,late,1,;20,30,a,1,on_time,0,"),
        ("--updates discarding", "0,10,a,1,on_time,0,;10,20,a,0,on_time,0,true;10,20,a,1,late,1,;20,30,a,1,on_time,0,"),
        (
            "--updates retracting",
            "0,10,a,1,on_time,0,;10,20,a,0,on_time,0,true;10,20,a,0,retract,1,true;10,20,a,1,late,2,;20,30,a,1,on_time,0,",
        ),
    ] {
        let output = run(&format!("-w 10s -l 10s -o csv --fill null {flags}"), "5a 25a 15a");
        assert_eq!(rows(&output), expected, "{flags}");
    }
    // What is repeated is taken back as it was said, and the correction is what is repeated then.
    let output = run("-w 10s -l 30s -o csv --fill previous --updates retracting", "5a 6a 25a 15a 35a");
    let expected = "0,10,a,2,on_time,0,;10,20,a,2,on_time,0,true;10,20,a,2,retract,1,true;10,20,a,1,late,2,;\
                    20,30,a,1,on_time,0,;30,40,a,1,on_time,0,";
    assert_eq!(rows(&output), expected);
    // A key can become known of late.
    let output = run("-w 10s -l 30s -o csv --fill previous", "25a 5b 35a");
    assert_eq!(
        rows(&output),
        "0,10,b,1,late,0,;20,30,a,1,on_time,0,;20,30,b,1,on_time,0,true;30,40,a,1,on_time,0,;30,40,b,1,on_time,0,true"
    );
}

#[test]
fn each_window_fills_for_itself_and_rows_are_in_the_order_of_t9() {
    let output = run("-w 10s -w 20s -o csv --fill zero --early every:1", "5a 31b");
    let expected = "10s,0,10,a,1,early,0,;20s,0,20,a,1,early,0,;10s,0,10,a,1,on_time,1,;20s,0,20,a,1,on_time,1,;\
                    10s,10,20,a,0,on_time,0,true;10s,20,30,a,0,on_time,0,true";
    assert!(rows(&output).contains("10s,10,20,a,0,on_time,0,true"), "{}", output.stdout);
    let by_end = |line: &str| line.split(',').nth(2).and_then(|end| end.parse::<i64>().ok());
    let on_time = || output.stdout.lines().filter(|line| line.contains("on_time"));
    assert!(on_time().map(by_end).is_sorted(), "{}", output.stdout);
    assert_eq!(on_time().filter(|line| line.ends_with("true")).count(), 4, "{expected}\n{}", output.stdout);
}

#[test]
fn t6_local_windows_without_length_are_not_filled() {
    // On 2026-03-29 the clocks of Berlin go from 02:00 to 03:00, which is 01:00 in UTC.
    let output = Streamw::new()
        .args("-t ts -w 1h --timezone Europe/Berlin -o csv --fill null")
        .stdin("{\"ts\":\"2026-03-28T23:30:00Z\"}\n{\"ts\":\"2026-03-29T02:30:00Z\"}\n")
        .run();
    let expected = "2026-03-29T00:00:00+01:00,2026-03-29T01:00:00+01:00,1,on_time,0,;\
                    2026-03-29T01:00:00+01:00,2026-03-29T03:00:00+02:00,0,on_time,0,true;\
                    2026-03-29T03:00:00+02:00,2026-03-29T04:00:00+02:00,0,on_time,0,true;\
                    2026-03-29T04:00:00+02:00,2026-03-29T05:00:00+02:00,1,on_time,0,";
    assert_eq!(rows(&output), expected);
}

#[test]
fn a_jump_to_the_end_of_time_fills_no_more_than_the_limit() {
    let output = run("-w 1s -o csv --fill null", "0a 9000000000a");
    assert_eq!(output.summary()["filled"], 1_000);
    let output = run("-w 1s/1ms -o csv --fill null --fill-limit 3", "0a 9223372035a");
    assert_eq!(output.summary()["filled"], 3);
}

#[test]
fn what_cannot_be_filled_is_refused() {
    for (flags, hint) in [
        ("-w session:5m --fill null", "sessions"),
        ("-w 1m -w count:5 --fill null", "count"),
        ("-w global --fill zero", "global"),
        ("-w 1m --fill previous --updates discarding", "--fill null or zero"),
        ("-w 1m --fill-limit 5", "--fill"),
        ("-w 1m --fill null --fill-limit 0", "--fill-limit"),
        ("-w 1m --fill nothing", "previous"),
    ] {
        let output = Streamw::new().args("-t ts").args(flags).run();
        assert_eq!(output.status, 2, "{flags}: {}", output.stderr);
        assert!(output.stderr.contains(hint), "{flags}: {} has no {hint}", output.stderr);
    }
}
