//! The honest oracle: rules T2 to T7, T9 and N1 to N6 written down as plainly as they can be.
//!
//! It keeps every event of every window, looks at every window for every event and computes every aggregate
//! anew for every pane. Times are `i128`, so nothing here can overflow or saturate. It shares no code with the
//! program and reads no input format: records come to it already understood.

mod value;

use std::collections::BTreeMap;

use value::{Decimal, aggregate_over};
pub use value::{json_string, rfc3339};

/// Nanoseconds since the epoch, or a number of them.
pub type Nanos = i128;

pub const SECOND: Nanos = 1_000_000_000;
const DAY: Nanos = 86_400 * SECOND;

// --- what is asked for ---------------------------------------------------------------------------------------

#[derive(Clone, Debug)]
pub struct Config {
    pub window: WindowSpec,
    pub delay: Nanos,
    pub lateness: Nanos,
    pub late_rule: LateRule,
    /// `--emit final`: `end + L` for `end` in T3, T5 and T9.
    pub is_final: bool,
    /// `--fill` and `--fill-limit`.
    pub fill: Option<(String, Nanos)>,
    /// `--key-limit`, and whether keys beyond it are folded.
    pub key_limit: Option<(usize, bool)>,
    /// `--dedup` and `--dedup-within`.
    pub dedup: Option<(String, Option<Nanos>)>,
    /// Output name and field.
    pub keys: Vec<(String, String)>,
    pub aggregates: Vec<Aggregate>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum WindowSpec {
    Aligned { size: Nanos, slide: Nanos, offset: Nanos },
    Session { gap: Nanos },
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LateRule {
    Window,
    Event,
}

#[derive(Clone, Debug)]
pub struct Aggregate {
    pub name: String,
    pub function: String,
    pub field: Option<String>,
}

impl Config {
    /// Reads the flags that matter to the rules and passes over the others, each of which takes a value
    /// unless it is `--stats`.
    pub fn parse(flags: &str) -> Config {
        let (mut window, mut offset, mut delay, mut lateness) = (None, 0, 0, 0);
        let mut late_rule = LateRule::Window;
        let mut is_final = false;
        let (mut dedup, mut within) = (None, None);
        let (mut fill, mut fill_limit) = (None, 1_000);
        let (mut key_limit, mut is_folding) = (None, false);
        let (mut keys, mut aggregates) = (Vec::new(), Vec::new());
        let mut words = flags.split_whitespace();
        while let Some(word) = words.next() {
            if word == "--stats" {
                continue;
            }
            let (flag, value) = match word.split_once('=') {
                Some((flag, value)) if word.starts_with("--") => (flag, value),
                _ => (word, words.next().expect("every flag here takes a value")),
            };
            match flag {
                "-w" => window = Some(value),
                "--offset" => offset = duration(value),
                "-d" => delay = duration(value),
                "-l" => lateness = duration(value),
                "--late-rule" if value == "event" => late_rule = LateRule::Event,
                "--key-limit" => key_limit = value.parse().ok(),
                "--on-key-limit" => is_folding = value == "other",
                "--dedup" => dedup = Some(value.to_string()),
                "--dedup-within" => within = Some(duration(value)),
                "--fill" => fill = Some(value.to_string()),
                "--fill-limit" => fill_limit = value.parse().expect("a number"),
                "--emit" => is_final = value == "final",
                "-k" => {
                    let (name, field) = value.split_once('=').unwrap_or((value, value));
                    keys.push((name.to_string(), field.to_string()));
                }
                "-a" => aggregates.push(Aggregate::parse(value)),
                _ => {}
            }
        }
        if aggregates.is_empty() {
            aggregates.push(Aggregate::parse("count"));
        }
        let window = WindowSpec::parse(window.expect("-w is required"), offset);
        let dedup = dedup.map(|field| (field, within));
        let key_limit = key_limit.map(|most| (most, is_folding));
        let fill = fill.map(|fill| (fill, fill_limit));
        Config { window, delay, lateness, late_rule, is_final, fill, key_limit, dedup, keys, aggregates }
    }
}

impl Aggregate {
    fn parse(text: &str) -> Aggregate {
        let (name, call) = match text.split_once('=') {
            Some((name, call)) => (Some(name), call),
            None => (None, text),
        };
        let (function, field) = match call.split_once(':') {
            Some((function, field)) => (function, Some(field)),
            None => (call, None),
        };
        let default_name = field.map_or(function.to_string(), |field| format!("{function}_{field}"));
        Aggregate {
            name: name.map_or(default_name, str::to_string),
            function: function.to_string(),
            field: field.map(str::to_string),
        }
    }
}

impl WindowSpec {
    fn parse(text: &str, offset: Nanos) -> WindowSpec {
        let (kind, lengths) = text.split_once(':').unwrap_or(("", text));
        match (kind, lengths.split_once('/')) {
            ("session", _) => WindowSpec::Session { gap: duration(lengths) },
            (_, Some((size, slide))) => WindowSpec::Aligned { size: duration(size), slide: duration(slide), offset },
            (_, None) => {
                let size = duration(lengths);
                WindowSpec::Aligned { size, slide: size, offset }
            }
        }
    }

    /// The windows `[start, end)` of one event, in ascending order (T6, T7): of all starts near it, those whose
    /// window holds it.
    pub fn windows(&self, time: Nanos) -> Vec<(Nanos, Nanos)> {
        match *self {
            WindowSpec::Session { gap } => vec![(time, time + gap)],
            WindowSpec::Aligned { size, slide, offset } => {
                let first = (time - size - offset).div_euclid(slide) - 1;
                let last = (time - offset).div_euclid(slide) + 1;
                (first..=last)
                    .map(|number| (number * slide + offset, number * slide + offset + size))
                    .filter(|&(start, end)| start <= time && time < end)
                    .collect()
            }
        }
    }
}

/// `7s`, `-1.5s`, `500ms`, `100000d`.
pub fn duration(text: &str) -> Nanos {
    let digits = text.find(|c: char| c.is_ascii_alphabetic()).expect("a duration has a unit");
    let unit = match &text[digits..] {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => 3_600 * SECOND,
        "d" => DAY,
        other => panic!("unknown unit {other:?} in {text:?}"),
    };
    let number = Decimal::parse(&text[..digits]).expect("a duration begins with a number");
    number.mantissa * unit / Decimal::ONE
}

// --- what comes in -------------------------------------------------------------------------------------------

/// One record of the input: its bytes without the line end, and what they mean.
#[derive(Clone, Debug)]
pub struct Record {
    pub raw: Vec<u8>,
    pub meaning: Meaning,
}

#[derive(Clone, Debug)]
pub enum Meaning {
    Event(Event),
    Bad,
    Blank,
    Header,
}

#[derive(Clone, Debug)]
pub struct Event {
    pub time: Nanos,
    pub fields: Vec<(String, Field)>,
}

/// A field as it was written. A field that is not there is `Null`.
#[derive(Clone, Debug)]
pub enum Field {
    Null,
    Bool(bool),
    /// A JSON number literal.
    Number(String),
    /// A JSON string, unescaped.
    Text(String),
    /// A CSV cell that is not empty.
    Cell(String),
}

impl Event {
    fn field(&self, name: &str) -> &Field {
        self.fields.iter().find(|(field, _)| field == name).map_or(&Field::Null, |(_, value)| value)
    }
}

/// The order of the variants is the order of N6. Numbers are compared by exact value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    Null,
    Bool(bool),
    Number(i128),
    Text(Vec<u8>),
    /// All keys beyond the limit.
    Other,
}

impl Key {
    fn of(field: &Field) -> Key {
        match field {
            Field::Null => Key::Null,
            Field::Bool(value) => Key::Bool(*value),
            Field::Number(literal) => Key::Number(Decimal::parse(literal).expect("a number").mantissa),
            Field::Text(text) | Field::Cell(text) => Key::Text(text.clone().into_bytes()),
        }
    }

    fn json(&self) -> String {
        match self {
            Key::Null | Key::Other => "null".to_string(),
            Key::Bool(value) => value.to_string(),
            Key::Number(mantissa) => Decimal { mantissa: *mantissa, pointed: false }.print(),
            Key::Text(text) => json_string(&String::from_utf8_lossy(text)),
        }
    }
}

// --- what comes out ------------------------------------------------------------------------------------------

/// A JSON line for stderr, in the order of the records (T9).
#[derive(Clone, Debug, PartialEq)]
pub enum Side {
    /// The whole line.
    LateDrop(String),
    /// Reason and detail are the program's own words.
    Bad { line: u64, offset: u64, raw: String },
}

pub type Counters = BTreeMap<&'static str, u64>;

/// The names of the counters in the summary.
pub const COUNTERS: [&str; 16] = [
    "records",
    "blank",
    "headers",
    "bad",
    "duplicates",
    "events",
    "added",
    "late_drops",
    "unwindowed",
    "late_refused",
    "key_drops",
    "folded",
    "panes",
    "on_time",
    "filled",
    "late",
];

/// Events in the order of arrival, and the number of their window.
type Numbered = (Nanos, Vec<(u64, Event)>);

/// Reads records one at a time and says what each of them brings out.
pub struct Model {
    config: Config,
    /// `None` is minus infinity.
    watermark: Option<Nanos>,
    kept: Vec<Kept>,
    /// Ids that windows have taken: the event time, and the W that ends them.
    seen: Vec<(Key, Nanos, Nanos)>,
    /// `--fill`: keys that had events in windows that have fired, the number of the last of these, and its events.
    known: BTreeMap<Vec<Key>, Numbered>,
    /// `--fill`: the number of the first window that has not fired.
    next: Option<Nanos>,
    pub side: Vec<Side>,
    pub counters: Counters,
    /// Where the next record begins.
    line: u64,
    offset: u64,
}

/// A window of a key, from its first event until `end + L <= W`.
#[derive(Clone, Debug)]
struct Kept {
    key: Vec<Key>,
    start: Nanos,
    end: Nanos,
    events: Vec<(u64, Event)>,
    /// The number of the next pane.
    revision: u64,
    /// Printed bounds that this session has swallowed and not yet named.
    replaces: Vec<(Nanos, Nanos)>,
}

impl Model {
    pub fn new(config: Config) -> Model {
        let counters = COUNTERS.iter().map(|&name| (name, 0)).collect();
        Model {
            config,
            watermark: None,
            kept: Vec::new(),
            seen: Vec::new(),
            known: BTreeMap::new(),
            next: None,
            side: Vec::new(),
            counters,
            line: 1,
            offset: 0,
        }
    }

    fn count(&mut self, name: &'static str) {
        *self.counters.entry(name).or_default() += 1;
    }

    /// The rows that this record brings, in order. `line_end` is the number of bytes between it and the next.
    pub fn record(&mut self, record: &Record, line_end: usize) -> Vec<String> {
        self.count("records");
        let rows = match &record.meaning {
            Meaning::Blank => {
                self.count("blank");
                Vec::new()
            }
            Meaning::Header => {
                self.count("headers");
                Vec::new()
            }
            Meaning::Bad => self.bad(&record.raw),
            Meaning::Event(event) => {
                let windows = self.config.window.windows(event.time);
                let in_range = |bound: Nanos| i64::try_from(bound).is_ok();
                if !windows.iter().all(|&(start, end)| in_range(start) && in_range(end)) {
                    self.bad(&record.raw)
                } else if self.is_duplicate(event) {
                    self.count("duplicates");
                    Vec::new()
                } else {
                    let added = self.counters["added"];
                    let rows = self.event(event, windows, &record.raw);
                    if self.counters["added"] > added {
                        self.see(event);
                    }
                    rows
                }
            }
        };
        self.line += 1 + record.raw.iter().filter(|&&byte| byte == b'\n').count() as u64;
        self.offset += (record.raw.len() + line_end) as u64;
        rows
    }

    fn id(&self, event: &Event) -> Option<(Key, Option<Nanos>)> {
        let (field, within) = self.config.dedup.as_ref()?;
        Some((Key::of(event.field(field)), *within)).filter(|(id, _)| *id != Key::Null)
    }

    /// `--dedup`: an equal id counts as seen, and near enough.
    fn is_duplicate(&self, event: &Event) -> bool {
        let Some((id, within)) = self.id(event) else { return false };
        let is_near = |time: Nanos| within.is_none_or(|within| (event.time - time).abs() <= within);
        let counts = |until: Nanos| !self.behind(|w| until <= w);
        self.seen.iter().any(|(other, time, until)| *other == id && is_near(*time) && counts(*until))
    }

    /// An id counts until all windows are gone that could take its equal.
    fn see(&mut self, event: &Event) {
        let Some((id, within)) = self.id(event) else { return };
        let last = event.time + within.unwrap_or(0);
        let end = self.config.window.windows(last).last().map_or(last, |window| window.1);
        self.seen.push((id, event.time, end + self.config.lateness));
    }

    /// T1, N3, N4, N5: counted and reported, nothing else happens.
    fn bad(&mut self, raw: &[u8]) -> Vec<String> {
        self.count("bad");
        let raw = String::from_utf8_lossy(raw).into_owned();
        self.side.push(Side::Bad { line: self.line, offset: self.offset, raw });
        Vec::new()
    }

    /// T2: assign, judge, add, and only then advance and fire.
    fn event(&mut self, event: &Event, windows: Vec<(Nanos, Nanos)>, raw: &[u8]) -> Vec<String> {
        self.count("events");
        let mut rows = Vec::new();
        let lateness = self.config.lateness;
        let refused = self.config.late_rule == LateRule::Event && self.behind(|w| event.time < w - lateness);
        let is_session = matches!(self.config.window, WindowSpec::Session { .. });
        let mut key: Vec<Key> = self.config.keys.iter().map(|(_, field)| Key::of(event.field(field))).collect();
        let is_beyond = self.is_beyond_limit(&key) && windows.iter().any(|&(_, end)| !self.gone(end)) && !refused;
        let is_folded = is_beyond && self.config.key_limit.is_some_and(|limit| limit.1);
        if is_folded {
            self.count("folded");
            key.fill(Key::Other);
        }
        if is_beyond && !is_folded {
            self.count("key_drops");
        } else if windows.is_empty() {
            self.count("unwindowed");
        } else if refused {
            self.late_drop(event, raw);
        } else {
            let all: Vec<Kept> = windows
                .iter()
                .map(|&window| if is_session { self.merge(&key, window) } else { self.take(&key, window) })
                .collect();
            let live: Vec<Kept> = all.into_iter().filter(|kept| !self.gone(kept.end)).collect();
            if live.is_empty() {
                self.late_drop(event, raw);
            } else {
                self.count("added");
                *self.counters.entry("late_refused").or_default() += (windows.len() - live.len()) as u64;
            }
            for mut kept in live {
                kept.events.push((self.counters["events"], event.clone()));
                if self.behind(|w| self.fires_at(kept.end) <= w) {
                    self.know(&kept);
                    rows.push(self.pane(&mut kept, "late"));
                }
                self.kept.push(kept);
            }
        }
        let reached = event.time - self.config.delay;
        self.watermark = Some(self.watermark.map_or(reached, |w| w.max(reached)));
        rows.extend(self.fire(false));
        let kept = std::mem::take(&mut self.kept);
        self.kept = kept.into_iter().filter(|kept| !self.gone(kept.end)).collect();
        rows
    }

    /// `--key-limit`: one key more than may have state. A key has state while it has a window that is not gone.
    fn is_beyond_limit(&self, key: &[Key]) -> bool {
        let Some((most, _)) = self.config.key_limit else { return false };
        let keys = self.kept.iter().map(|kept| &kept.key).chain(self.known.keys());
        let mut keys: Vec<_> = keys.filter(|key| key[0] != Key::Other).collect();
        keys.sort();
        keys.dedup();
        keys.len() >= most && !keys.iter().any(|known| known.as_slice() == key)
    }

    fn behind(&self, is: impl Fn(Nanos) -> bool) -> bool {
        self.watermark.is_some_and(is)
    }

    /// T3: the W that prints the window for the first time.
    fn fires_at(&self, end: Nanos) -> Nanos {
        if self.config.is_final { end + self.config.lateness } else { end }
    }

    /// T4: equality is gone.
    fn gone(&self, end: Nanos) -> bool {
        self.behind(|w| end + self.config.lateness <= w)
    }

    /// Takes the window out of what is kept, or makes it.
    fn take(&mut self, key: &[Key], (start, end): (Nanos, Nanos)) -> Kept {
        let mut same = self.take_all(|kept| kept.key == key && kept.start == start && kept.end == end);
        assert!(same.len() <= 1, "one window of a key is kept once");
        same.pop().unwrap_or_else(|| Kept {
            key: key.to_vec(),
            start,
            end,
            events: Vec::new(),
            revision: 0,
            replaces: Vec::new(),
        })
    }

    fn take_all(&mut self, which: impl Fn(&Kept) -> bool) -> Vec<Kept> {
        let (taken, rest) = std::mem::take(&mut self.kept).into_iter().partition(which);
        self.kept = rest;
        taken
    }

    /// T7: one session out of the event's own window and all live ones of its key that it overlaps or touches.
    fn merge(&mut self, key: &[Key], own: (Nanos, Nanos)) -> Kept {
        let absorbed = self.take_all(|kept| kept.key == key && kept.start <= own.1 && own.0 <= kept.end);
        let start = absorbed.iter().map(|kept| kept.start).min().unwrap_or(own.0).min(own.0);
        let end = absorbed.iter().map(|kept| kept.end).max().unwrap_or(own.1).max(own.1);
        let mut merged = Kept { key: key.to_vec(), start, end, events: Vec::new(), revision: 0, replaces: Vec::new() };
        for kept in absorbed {
            merged.events.extend(kept.events);
            merged.replaces.extend(kept.replaces);
            if (kept.start, kept.end) == (start, end) {
                merged.revision = kept.revision;
            } else if kept.revision > 0 {
                merged.replaces.push((kept.start, kept.end));
            }
        }
        merged
    }

    fn late_drop(&mut self, event: &Event, raw: &[u8]) {
        self.count("late_drops");
        let keys: Vec<String> = self.config.keys.iter().map(|(_, field)| Key::of(event.field(field)).json()).collect();
        let key = match keys.as_slice() {
            [] => "null".to_string(),
            [one] => one.clone(),
            several => format!("[{}]", several.join(",")),
        };
        let watermark = self.watermark.expect("nothing is late before the first watermark");
        self.side.push(Side::LateDrop(format!(
            r#"{{"type":"late_drop","source":"-","line":{},"offset":{},"time":"{}","key":{key},"watermark":"{}","late_by_ns":{},"raw":{}}}"#,
            self.line,
            self.offset,
            rfc3339(event.time),
            rfc3339(watermark),
            watermark - event.time,
            json_string(&String::from_utf8_lossy(raw)),
        )));
    }

    /// T3: the on_time panes of what has not printed yet and is reached by W, in the order of T9.
    fn fire(&mut self, is_end: bool) -> Vec<String> {
        if self.config.fill.is_some() {
            return self.fire_filled(is_end);
        }
        let w = self.watermark.unwrap_or(Nanos::MIN);
        let kept = std::mem::take(&mut self.kept);
        let is_due = |kept: &Kept| kept.revision == 0 && (is_end || self.fires_at(kept.end) <= w);
        let (mut due, rest): (Vec<_>, Vec<_>) = kept.into_iter().partition(is_due);
        self.kept = rest;
        due.sort_by(|a, b| (a.end, a.start, &a.key).cmp(&(b.end, b.start, &b.key)));
        let rows = due.iter_mut().map(|kept| self.pane(kept, "on_time")).collect();
        self.kept.extend(due);
        rows
    }

    /// T5: W becomes infinite.
    pub fn end(&mut self) -> Vec<String> {
        self.fire(true)
    }

    fn grid(&self) -> (Nanos, Nanos, Nanos) {
        match self.config.window {
            WindowSpec::Aligned { size, slide, offset } => (size, slide, offset),
            WindowSpec::Session { .. } => panic!("sessions are not filled"),
        }
    }

    /// `--fill`: a window that has fired holds events of its key.
    fn know(&mut self, kept: &Kept) {
        if self.config.fill.is_none() {
            return;
        }
        let (_, slide, offset) = self.grid();
        let number = (kept.start - offset) / slide;
        let known = self.known.entry(kept.key.clone()).or_insert((number, Vec::new()));
        if number >= known.0 {
            *known = (number, kept.events.clone());
        }
    }

    /// `--fill`: one window after the other, as long as there is something to be said of any.
    fn fire_filled(&mut self, is_end: bool) -> Vec<String> {
        let w = self.watermark.unwrap_or(Nanos::MIN);
        let (size, slide, offset) = self.grid();
        let limit = self.config.fill.as_ref().expect("it is asked for").1;
        let mut rows = Vec::new();
        loop {
            let open =
                self.kept.iter().filter(|kept| kept.revision == 0).map(|kept| (kept.start - offset) / slide).min();
            let number = match (self.next, open) {
                (Some(next), Some(_)) if !self.known.is_empty() => next,
                (Some(next), None) if !self.known.is_empty() && !is_end => next,
                (_, Some(open)) => open,
                (_, None) => break,
            };
            let (start, end) = (number * slide + offset, number * slide + offset + size);
            if !is_end && self.fires_at(end) > w {
                break;
            }
            self.known.retain(|_, (last, _)| number - *last <= limit);
            let mut due: BTreeMap<Vec<Key>, Option<Kept>> = self.known.keys().map(|key| (key.clone(), None)).collect();
            let taken = self.take_all(|kept| kept.revision == 0 && kept.start == start);
            due.extend(taken.into_iter().map(|kept| (kept.key.clone(), Some(kept))));
            for (key, kept) in due {
                let mut kept = match kept {
                    Some(mut kept) => {
                        rows.push(self.pane(&mut kept, "on_time"));
                        self.know(&kept);
                        kept
                    }
                    None => {
                        let mut kept = Kept { key, start, end, events: Vec::new(), revision: 0, replaces: Vec::new() };
                        rows.push(self.filled(&mut kept));
                        kept
                    }
                };
                kept.revision = 1;
                self.kept.push(kept);
            }
            self.next = Some(number + 1);
        }
        // What W has passed does not fire any more, with events or without.
        if let Some(w) = self.watermark {
            let late = if self.config.is_final { self.config.lateness } else { 0 };
            let passed = (w - late - offset - size).div_euclid(slide);
            self.next = Some(self.next.map_or(passed + 1, |next| next.max(passed + 1)));
        }
        rows
    }

    /// The row of a window without events.
    fn filled(&mut self, kept: &mut Kept) -> String {
        let (fill, _) = self.config.fill.clone().expect("it is asked for");
        if fill == "previous" {
            kept.events = self.known[&kept.key].1.clone();
        }
        let row = self.pane(kept, "on_time");
        kept.events.clear();
        self.count("filled");
        let row = row.trim_end_matches('}').to_string() + r#","filled":true}"#;
        match fill.as_str() {
            "zero" => {
                let mut row = row;
                for aggregate in
                    self.config.aggregates.iter().filter(|one| !matches!(one.function.as_str(), "first" | "last"))
                {
                    let name = json_string(&aggregate.name);
                    row = row.replace(&format!(",{name}:null"), &format!(",{name}:0"));
                }
                row
            }
            _ => row,
        }
    }

    fn pane(&mut self, kept: &mut Kept, timing: &'static str) -> String {
        self.count("panes");
        self.count(timing);
        let mut row = format!(r#"{{"window_start":"{}","window_end":"{}""#, rfc3339(kept.start), rfc3339(kept.end));
        for ((name, _), key) in self.config.keys.iter().zip(&kept.key) {
            row += &format!(",{}:{}", json_string(name), key.json());
        }
        for aggregate in &self.config.aggregates {
            row += &format!(",{}:{}", json_string(&aggregate.name), aggregate_over(aggregate, &kept.events));
        }
        row += &format!(r#","pane":"{timing}","revision":{}"#, kept.revision);
        kept.replaces.sort_unstable();
        let replaces: Vec<String> = (kept.replaces.drain(..))
            .map(|(start, end)| format!(r#"["{}","{}"]"#, rfc3339(start), rfc3339(end)))
            .collect();
        if !replaces.is_empty() {
            row += &format!(r#","replaces":[{}]"#, replaces.join(","));
        }
        if kept.key.first() == Some(&Key::Other) {
            row += r#","other":true"#;
        }
        kept.revision += 1;
        row + "}"
    }
}
