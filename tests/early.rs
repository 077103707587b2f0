//! Rows before their window ends, rows that say differences, and windows without bounds (T3, T8; `--early`,
//! `--updates`, `--trigger`), against a model that keeps every event.

use std::collections::BTreeMap;

use crate::util::{Streamw, assert_same};

#[derive(Clone, Debug)]
struct Event {
    ts: i64,
    key: String,
    value: i64,
}

fn events(count: u64, seed: u64) -> Vec<Event> {
    let mut state = seed.wrapping_mul(977) | 1;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let event = |index: u64| {
        let ts = (index * 2 + 60) as i64 - next(30) as i64;
        Event { ts, key: format!("k{}", next(3)), value: next(50) as i64 }
    };
    (0..count).map(event).collect()
}

fn ndjson(events: &[Event]) -> String {
    let line = |event: &Event| format!("{{\"ts\":{},\"k\":\"{}\",\"v\":{}}}\n", event.ts, event.key, event.value);
    events.iter().map(line).collect()
}

fn run(flags: &str, events: &[Event]) -> String {
    let run =
        Streamw::new().args(flags).args("-t ts -k k -a count -a sum:v -o csv --output-time s -q --late /dev/null");
    let output = run.clone().stdin(ndjson(events)).run();
    assert_eq!(output.status, 0, "{flags}: {}", output.stderr);
    let pieces = run.stdin(ndjson(events)).read_size(37).args("--threads 3").run();
    assert_same(&format!("{flags} in pieces"), &output.stdout, &pieces.stdout);
    output.stdout
}

/// What a key has in a window: the events since the last pane, those of all panes, what the last pane said.
#[derive(Clone, Default)]
struct Cell {
    all: Vec<i64>,
    news: Vec<i64>,
    printed: Option<Vec<i64>>,
    revision: u32,
}

#[derive(Clone, Copy, PartialEq)]
enum Updates {
    Accumulating,
    Discarding,
    Retracting,
}

struct Rules {
    size: i64,
    slide: i64,
    delay: i64,
    lateness: i64,
    every_events: Option<usize>,
    every_moments: Option<i64>,
    updates: Updates,
}

struct Model {
    rules: Rules,
    cells: BTreeMap<(i64, i64, String), Cell>,
    watermark: i64,
    rows: String,
}

impl Model {
    fn print(&mut self, at: &(i64, i64, String), timing: &str) {
        let cell = self.cells.get_mut(at).expect("has events");
        let mut row = |values: &[i64], timing: &str, revision: &mut u32| {
            let (end, start, key) = at;
            let sum = if values.is_empty() { String::new() } else { values.iter().sum::<i64>().to_string() };
            self.rows += &format!("{start},{end},{key},{},{sum},{timing},{revision}\n", values.len());
            *revision += 1;
        };
        if self.rules.updates == Updates::Retracting
            && let Some(printed) = &cell.printed
        {
            row(printed, "retract", &mut cell.revision);
        }
        let said = if self.rules.updates == Updates::Discarding { &cell.news } else { &cell.all };
        row(said, timing, &mut cell.revision);
        cell.printed = Some(cell.all.clone());
        cell.news.clear();
    }

    fn take(&mut self, event: &Event) {
        let Rules { size, slide, lateness, .. } = self.rules;
        let mut start = event.ts.div_euclid(slide) * slide;
        let mut windows = vec![];
        while start + size > event.ts {
            windows.insert(0, (start + size, start));
            start -= slide;
        }
        for (end, start) in windows {
            if end + lateness <= self.watermark {
                continue;
            }
            let at = (end, start, event.key.clone());
            let cell = self.cells.entry(at.clone()).or_default();
            cell.all.push(event.value);
            cell.news.push(event.value);
            if end <= self.watermark {
                self.print(&at, "late");
            } else if self.rules.every_events == Some(cell.news.len()) {
                self.print(&at, "early");
            }
        }
        self.advance(event.ts - self.rules.delay);
    }

    fn advance(&mut self, to: i64) {
        let from = self.watermark;
        self.watermark = from.max(to);
        let due: Vec<_> = self.cells.keys().filter(|at| at.0 > from && at.0 <= self.watermark).cloned().collect();
        due.iter().for_each(|at| self.print(at, "on_time"));
        let passed =
            self.rules.every_moments.is_some_and(|every| from.div_euclid(every) < self.watermark.div_euclid(every));
        if passed && from > i64::MIN {
            let open = |(at, cell): (&(i64, i64, String), &Cell)| {
                (at.0 > self.watermark && !cell.news.is_empty()).then(|| at.clone())
            };
            let open: Vec<_> = self.cells.iter().filter_map(open).collect();
            open.iter().for_each(|at| self.print(at, "early"));
        }
    }
}

#[test]
fn early_rows_and_updates_agree_with_a_model() {
    let mut seed = 0;
    for (size, slide) in [(10, 10), (30, 10), (25, 10), (7, 10)] {
        for (delay, lateness) in [(0, 0), (5, 12), (40, 1000)] {
            for early in ["", "every:1", "every:3", "every:4s", "every:10s"] {
                for updates in ["accumulating", "discarding", "retracting"] {
                    seed += 1;
                    let events = events(120, seed);
                    let number: Option<i64> = early.trim_start_matches("every:").trim_end_matches('s').parse().ok();
                    let is_moments = early.ends_with('s');
                    let rules = Rules {
                        size,
                        slide,
                        delay,
                        lateness,
                        every_events: number.filter(|_| !is_moments).map(|count| count as usize),
                        every_moments: number.filter(|_| is_moments),
                        updates: match updates {
                            "discarding" => Updates::Discarding,
                            "retracting" => Updates::Retracting,
                            _ => Updates::Accumulating,
                        },
                    };
                    let header = "window_start,window_end,k,count,sum_v,pane,revision\n".to_owned();
                    let mut model = Model { rules, cells: BTreeMap::new(), watermark: i64::MIN, rows: header };
                    events.iter().for_each(|event| model.take(event));
                    model.rules.every_moments = None;
                    model.advance(i64::MAX);
                    let early = if early.is_empty() { String::new() } else { format!("--early {early}") };
                    let flags = format!("-w {size}s/{slide}s -d {delay}s -l {lateness}s {early} --updates {updates}");
                    assert_same(&flags, &model.rows, &run(&flags, &events));
                }
            }
        }
    }
}

#[test]
fn t8_count_windows_are_full_and_the_remainder_comes_last() {
    let events: Vec<Event> = [(5, "b"), (3, "a"), (9, "b"), (1, "b"), (2, "b"), (7, "a"), (8, "b")]
        .into_iter()
        .map(|(ts, key)| Event { ts, key: key.into(), value: ts })
        .collect();
    assert_same(
        "count",
        "k,count,sum_v,pane,revision,seq,partial,first_time,last_time\n\
         b,2,14,on_time,0,0,,5,9\n\
         b,2,3,on_time,0,1,,1,2\n\
         a,2,10,on_time,0,0,,3,7\n\
         b,1,8,on_time,0,2,true,8,8\n",
        &run("-w count:2", &events),
    );
    // Beside another window they come after its late updates and before what W fires; at the end, last.
    assert_same(
        "count and tumbling",
        "window,window_start,window_end,k,count,sum_v,pane,revision,seq,partial,first_time,last_time\n\
         5s,0,5,a,1,3,late,0,,,,\n\
         count:2,,,b,2,14,on_time,0,0,,5,9\n\
         5s,0,5,b,1,1,late,0,,,,\n\
         5s,0,5,b,2,3,late,1,,,,\n\
         count:2,,,b,2,3,on_time,0,1,,1,2\n\
         count:2,,,a,2,10,on_time,0,0,,3,7\n\
         5s,5,10,a,1,7,on_time,0,,,,\n\
         5s,5,10,b,3,22,on_time,0,,,,\n\
         count:2,,,b,1,8,on_time,0,2,true,8,8\n",
        &run("-w count:2 -w 5s -l 1m", &events),
    );
}

#[test]
fn t8_a_global_window_prints_by_its_trigger_and_at_the_end() {
    let events: Vec<Event> = [(5, "b"), (3, "a"), (9, "b"), (11, "b"), (12, "a"), (31, "b")]
        .into_iter()
        .map(|(ts, key)| Event { ts, key: key.into(), value: ts })
        .collect();
    let header = "k,count,sum_v,pane,revision,seq,partial,first_time,last_time\n";
    for (flags, rows) in [
        ("", "a,2,15,on_time,0,,,3,12\nb,4,56,on_time,0,,,5,31\n"),
        ("--trigger every:2", "b,2,14,early,0,,,5,9\na,2,15,early,0,,,3,12\nb,4,56,early,1,,,5,31\n"),
        ("--trigger every:3", "b,3,25,early,0,,,5,11\na,2,15,on_time,0,,,3,12\nb,4,56,on_time,1,,,5,31\n"),
        (
            "--trigger every:10s",
            "a,1,3,early,0,,,3,3\nb,3,25,early,0,,,5,11\na,2,15,early,1,,,3,12\nb,4,56,early,1,,,5,31\n",
        ),
        (
            "--trigger every:2 --updates retracting",
            "b,2,14,early,0,,,5,9\na,2,15,early,0,,,3,12\nb,2,14,retract,1,,,5,31\nb,4,56,early,2,,,5,31\n",
        ),
        (
            "--trigger every:3 --updates discarding",
            "b,3,25,early,0,,,5,11\na,2,15,on_time,0,,,3,12\nb,1,31,on_time,1,,,5,31\n",
        ),
    ] {
        assert_same(flags, &format!("{header}{rows}"), &run(&format!("-w global {flags}"), &events));
    }
}

#[test]
fn t7_early_rows_of_sessions_are_replaced_and_taken_back() {
    let events: Vec<Event> = [(1, "a"), (8, "a"), (4, "a"), (40, "a")]
        .into_iter()
        .map(|(ts, key)| Event { ts, key: key.into(), value: ts })
        .collect();
    let header = "window_start,window_end,k,count,sum_v,pane,revision,replaces\n";
    for (updates, rows) in [
        (
            "accumulating",
            "1,5,a,1,1,early,0,\n8,12,a,1,8,early,0,\n1,12,a,3,13,early,0,\"[[1,5],[8,12]]\"\n\
             40,44,a,1,40,early,0,\n1,12,a,3,13,on_time,1,\n40,44,a,1,40,on_time,1,\n",
        ),
        (
            "retracting",
            "1,5,a,1,1,early,0,\n8,12,a,1,8,early,0,\n1,5,a,1,1,retract,1,\n8,12,a,1,8,retract,1,\n\
             1,12,a,3,13,early,0,\"[[1,5],[8,12]]\"\n40,44,a,1,40,early,0,\n1,12,a,3,13,retract,1,\n1,12,a,3,13,on_time,2,\n\
             40,44,a,1,40,retract,1,\n40,44,a,1,40,on_time,2,\n",
        ),
        (
            "discarding",
            "1,5,a,1,1,early,0,\n8,12,a,1,8,early,0,\n1,12,a,3,13,early,0,\"[[1,5],[8,12]]\"\n\
             40,44,a,1,40,early,0,\n1,12,a,0,,on_time,1,\n40,44,a,0,,on_time,1,\n",
        ),
    ] {
        let flags = format!("-w session:4s -d 10s --early every:1 --updates {updates}");
        assert_same(&flags, &format!("{header}{rows}"), &run(&flags, &events));
    }
}

#[test]
fn flags_that_have_no_meaning_together_are_refused() {
    for (flags, hint) in [
        ("-w count:0", "count:100"),
        ("-w count:x", "count:100"),
        ("-w count:5 --offset 1s", "--offset"),
        ("-w global:5", "--trigger"),
        ("-w 1m --trigger every:5", "-w global"),
        ("-w global --trigger 5", "every:100"),
        ("-w 1m --early every:0", "no events"),
        ("-w 1m --early every:1M", "m for minutes"),
        ("-w 1m --updates all", "accumulating"),
    ] {
        let output = Streamw::new().args(flags).run();
        assert!(output.status == 2 && output.stderr.contains(hint), "{flags}: {}", output.stderr);
    }
}
