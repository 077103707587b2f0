//! Random histories from a seed: flags, and records together with what they mean.
//!
//! Times lie on a small grid, so that the equalities on which the rules turn are hit all the time: W at the end of
//! a window, `end + L = W`, a gap of exactly G.

use crate::model::{Event, Field, Meaning, Nanos, Record, SECOND, json_string, rfc3339};

/// splitmix64: small, and the same everywhere.
#[derive(Clone)]
pub struct Rng(pub u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `least` to `greatest`, both included.
    pub fn between(&mut self, least: i128, greatest: i128) -> i128 {
        least + i128::from(self.next()) % (greatest - least + 1)
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.between(0, from.len() as i128 - 1) as usize]
    }

    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.between(0, last as i128) as usize);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Tumbling,
    Sliding,
    Holes,
    Session,
}

#[derive(Clone, Debug)]
pub struct History {
    pub flags: String,
    pub records: Vec<Record>,
    pub line_end: &'static str,
    /// Whether the last record has a line end too.
    pub ends_whole: bool,
    pub threads: usize,
    pub read_size: usize,
}

impl History {
    pub fn new(kind: Kind, seed: u64) -> History {
        let mut generator = Generator::new(kind, seed);
        let most = *generator.rng.pick(&[4, 12, 40, 40, 150]);
        let length = generator.rng.between(0, most);
        generator.history(length)
    }

    /// One that is read in many blocks, also by large reads.
    pub fn long(kind: Kind, seed: u64) -> History {
        Generator::new(kind, seed).history(3_000)
    }

    pub fn input(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (number, record) in (1..).zip(&self.records) {
            bytes.extend_from_slice(&record.raw);
            // No bytes and no line end would be no record.
            if number < self.records.len() || self.ends_whole || record.raw.is_empty() {
                bytes.extend_from_slice(self.line_end.as_bytes());
            }
        }
        bytes
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Format {
    Ndjson,
    Csv,
}

#[derive(Clone, Copy)]
enum TimeStyle {
    Rfc3339,
    /// A number in this unit.
    Number(Nanos),
    /// Each event another way; `--time-format auto` tells them apart by magnitude.
    Auto,
}

/// How the times of events follow one another.
#[derive(Clone, Copy)]
enum Disorder {
    InOrder,
    WithinDelay,
    Stragglers,
    Uniform,
    FewTimes,
    Boundaries,
}

const UNITS: [(&str, Nanos); 4] = [("s", SECOND), ("ms", 1_000_000), ("us", 1_000), ("ns", 1)];
const COLUMNS: [&str; 6] = ["ts", "k", "k2", "v", "n", "s"];
const HUGE: Nanos = 100_000 * 86_400 * SECOND;

const AGGREGATES: &str = "count|count:v|count:s|first:s|last:s|sum:v|total=sum:v|avg:v|min:v|max:v|range:v|\
    sum:n|avg:n|min:n|max:n|range:n";

/// Keys and values as they are written, `|` between them; nothing is a field that is not there, or an empty cell.
const JSON_KEYS: &str = r#"null||false|true|1|1.0|1e0|-3|-20|0.5|0.05|20|1234567890123456789012345|1234567890123456789012346|"1"|"a"|"\u0061"|"b"|"é"|""|"say \"hi\""|"a key that is longer than most keys are"|"a key that is longer than most keys were"|"a key that""#;
const CSV_KEYS: &str =
    "|1|1.0|true|null|a|b| a|é|x,y|say \"hi\"|two\nlines|a key that is longer than most keys are|a key that";
const JSON_VALUES: &str =
    r#"1|2|7|-3|40|0.1|0.2|2.50|-3.75|12.0|2.0|2.0|1e2|25E-1|-0|0.125|"7"|" 8 "|"+1.5"|".5"|"5."|"007"|null|"#;
const JSON_ANY: &str = r#""x"|"y"|"two\nlines"|"é"|1|1.50|-2e3|true|false|null|"#;
const CSV_VALUES: &str = "1|2|7|-3|40|0.1|2.50|12.0|1e2|-0| 8 |+1.5|.5|5.|007|";

struct Generator {
    rng: Rng,
    kind: Kind,
    format: Format,
    /// One step of the grid, and its unit.
    tick: Nanos,
    unit: (&'static str, Nanos),
    /// All below is in ticks.
    base: i128,
    size: i128,
    slide: i128,
    offset: i128,
    delay: i128,
    lateness: i128,
    disorder: Disorder,
    newest: i128,
    previous: i128,
    time_style: TimeStyle,
    keys: Vec<(String, Field)>,
    numeric: Vec<&'static str>,
    columns: Vec<&'static str>,
    flags: String,
}

impl Generator {
    fn new(kind: Kind, seed: u64) -> Generator {
        let mut rng = Rng(seed ^ ((kind as u64 + 1) << 56));
        rng.next();
        let format = if rng.chance(70) { Format::Ndjson } else { Format::Csv };
        let unit = *rng.pick(&UNITS);
        let tick = if unit.0 == "ms" && rng.chance(50) { 250 * unit.1 } else { unit.1 };
        let today = 1_767_225_600 * SECOND;
        let base = match rng.between(0, 11) {
            0..=2 => 0,
            3 | 4 => -30 * tick,
            5 | 6 => -157_766_400 * SECOND,
            7 => Nanos::from(i64::MAX) - 60 * tick,
            8 => Nanos::from(i64::MIN) + 20 * tick,
            _ => today,
        };
        let size = rng.between(1, 12);
        let slide = match kind {
            Kind::Tumbling | Kind::Session => size,
            Kind::Sliding => rng.between(1, size),
            Kind::Holes => size + rng.between(1, 8),
        };
        let offset = if rng.chance(50) { 0 } else { rng.between(1 - slide, slide - 1) };
        let delay = span(&mut rng, tick, [55, 30, 12]);
        let lateness = span(&mut rng, tick, [25, 30, 40]);
        let time_style = match rng.between(0, 5) {
            0 | 1 => TimeStyle::Rfc3339,
            2 if base == today => TimeStyle::Auto,
            _ => TimeStyle::Number(rng.pick(&UNITS).1),
        };
        let disorder = *rng.pick(&[
            Disorder::InOrder,
            Disorder::WithinDelay,
            Disorder::Stragglers,
            Disorder::Uniform,
            Disorder::FewTimes,
            Disorder::Stragglers,
            Disorder::Boundaries,
            Disorder::Boundaries,
        ]);
        let base = base.div_euclid(tick) + 1;
        let mut columns = COLUMNS.to_vec();
        rng.shuffle(&mut columns);
        let mut generator = Generator {
            rng,
            kind,
            format,
            tick,
            unit,
            base,
            size,
            slide,
            offset,
            delay,
            lateness,
            disorder,
            time_style,
            columns,
            newest: base,
            previous: base,
            keys: Vec::new(),
            numeric: Vec::new(),
            flags: String::new(),
        };
        generator.choose_keys();
        generator.choose_flags();
        generator
    }

    fn history(mut self, length: i128) -> History {
        let mut records = Vec::new();
        let header = Record { raw: self.columns.join(",").into_bytes(), meaning: Meaning::Header };
        if self.format == Format::Csv {
            records.push(header.clone());
        }
        for _ in 0..length {
            let record = match self.rng.between(0, 99) {
                0..=2 => self.blank(),
                3..=6 => self.bad(),
                7 if self.format == Format::Csv => header.clone(),
                _ => self.event(),
            };
            records.push(record);
        }
        History {
            flags: self.flags,
            records,
            line_end: if self.rng.chance(75) { "\n" } else { "\r\n" },
            ends_whole: self.rng.chance(80),
            threads: *self.rng.pick(&[1, 2, 4, 8]),
            read_size: *self.rng.pick(&[1, 7, 4096]),
        }
    }

    // --- flags -----------------------------------------------------------------------------------------------

    fn choose_flags(&mut self) {
        let duration = |ticks: i128| format!("{}{}", ticks * self.tick / self.unit.1, self.unit.0);
        let long = |ticks: i128| if ticks * self.tick >= HUGE { "100000d".to_string() } else { duration(ticks) };
        let window = match self.kind {
            Kind::Tumbling => format!("-w {}", duration(self.size)),
            Kind::Session => format!("-w session:{}", duration(self.size)),
            _ => format!("-w {}/{}", duration(self.size), duration(self.slide)),
        };
        let format = if self.format == Format::Ndjson { "ndjson" } else { "csv" };
        let mut flags = format!("-i {format} -t ts {window} -d {} -l {}", long(self.delay), long(self.lateness));
        if self.offset != 0 && self.kind != Kind::Session {
            flags += &format!(" --offset={}", duration(self.offset));
        }
        if let TimeStyle::Number(unit) = self.time_style {
            let (name, _) = UNITS.iter().find(|(_, nanos)| *nanos == unit).expect("it was picked there");
            flags += &format!(" --time-format {name}");
        }
        if self.rng.chance(25) {
            flags += " --late-rule event";
        }
        flags += *self.rng.pick(&["", " -k k", " -k k", " -k name=k", " -k k -k k2"]);
        let mut aggregates: Vec<&str> = AGGREGATES.split('|').collect();
        self.rng.shuffle(&mut aggregates);
        for aggregate in aggregates.iter().take(self.rng.between(0, 5) as usize) {
            flags += &format!(" -a {aggregate}");
            if !aggregate.starts_with("count") {
                // Those over `s` take any value.
                self.numeric.extend(["v", "n"].iter().filter(|column| aggregate.ends_with(**column)));
            }
        }
        self.flags = flags;
    }

    /// A few keys as they are written, so that they meet again.
    fn choose_keys(&mut self) {
        let written: Vec<&str> = (if self.format == Format::Csv { CSV_KEYS } else { JSON_KEYS }).split('|').collect();
        for _ in 0..*self.rng.pick(&[1, 1, 2, 2, 5, 12]) {
            let text = *self.rng.pick(&written);
            let field = if self.format == Format::Csv { cell_field(text) } else { json_field(text) };
            self.keys.push((text.to_string(), field));
        }
    }

    // --- times -----------------------------------------------------------------------------------------------

    fn next_time(&mut self) -> i128 {
        let (newest, delay, lateness) = (self.newest, self.delay.min(40), self.lateness.min(40));
        let time = match self.disorder {
            Disorder::InOrder => newest + self.rng.between(0, 3),
            Disorder::WithinDelay => newest + self.rng.between(0, 4) - self.rng.between(0, delay),
            Disorder::Stragglers if self.rng.chance(25) => newest - self.rng.between(0, 40),
            Disorder::Stragglers => newest + self.rng.between(0, 2),
            Disorder::Uniform => self.base + self.rng.between(0, 60),
            Disorder::FewTimes => self.base + self.size * self.rng.between(0, 3),
            Disorder::Boundaries => {
                let watermark = newest - delay;
                let number = (watermark - self.offset).div_euclid(self.slide) + self.rng.between(-2, 2);
                let end = match self.kind {
                    Kind::Session => self.previous + self.size,
                    _ => number * self.slide + self.offset + self.size,
                };
                let wanted = [
                    end,
                    end - self.size,
                    end + delay,
                    end + delay + lateness,
                    watermark,
                    watermark - lateness,
                    watermark - self.size,
                    watermark - lateness - self.size,
                    self.previous,
                    self.previous - self.size,
                    newest + self.size,
                ];
                (*self.rng.pick(&wanted)).min(newest + 40) + *self.rng.pick(&[0, 0, 0, 1, -1])
            }
        };
        let (least, greatest) = (i128::from(i64::MIN) / self.tick, i128::from(i64::MAX) / self.tick);
        let time = time.clamp(least, greatest);
        self.newest = newest.max(time);
        self.previous = time;
        time
    }

    /// A time as a JSON value or a CSV cell without quotes.
    fn write_time(&mut self, time: Nanos) -> String {
        let style = match self.time_style {
            TimeStyle::Auto if self.rng.chance(30) => TimeStyle::Rfc3339,
            TimeStyle::Auto => TimeStyle::Number(self.rng.pick(&UNITS).1),
            style => style,
        };
        match style {
            TimeStyle::Number(unit) => decimal(time, unit),
            _ => {
                // Not where the local time would leave the calendar that the model can write.
                let shift = *self.rng.pick(&[0, 0, 0, 2, -5]);
                let local = rfc3339(time + shift * 3600 * SECOND);
                let text = match shift {
                    0 => local,
                    _ => format!("{}{shift:+03}:00", local.trim_end_matches('Z')),
                };
                if self.format == Format::Ndjson { json_string(&text) } else { text }
            }
        }
    }

    // --- records ---------------------------------------------------------------------------------------------

    fn event(&mut self) -> Record {
        let time = self.next_time() * self.tick;
        let mut written = vec![("ts", self.write_time(time))];
        let mut fields = Vec::new();
        let keys = self.keys.clone();
        let mut values = vec![("k", self.rng.pick(&keys).clone()), ("k2", self.rng.pick(&keys).clone())];
        for name in ["v", "n", "s"] {
            values.push((name, self.value(name)));
        }
        for (name, (text, field)) in values {
            written.push((name, text));
            fields.push((name.to_string(), field));
        }
        Record { raw: self.line(written), meaning: Meaning::Event(Event { time, fields }) }
    }

    fn value(&mut self, column: &str) -> (String, Field) {
        let texts = match (self.format, column) {
            (Format::Ndjson, "v") => JSON_VALUES,
            (Format::Ndjson, "n") => "0|1|2|3|-1|10|17|1000000000000|null",
            (Format::Ndjson, _) => JSON_ANY,
            (Format::Csv, "v") => CSV_VALUES,
            (Format::Csv, "n") => "0|1|2|-1|10|1000000000000|",
            (Format::Csv, _) => "x|y|two\nlines|x,y|é|12|1.50|-2e3|007|+5|.5|true|",
        };
        let text = *self.rng.pick(&texts.split('|').collect::<Vec<_>>());
        (text.to_string(), if self.format == Format::Csv { cell_field(text) } else { json_field(text) })
    }

    fn line(&mut self, mut written: Vec<(&'static str, String)>) -> Vec<u8> {
        if self.format == Format::Csv {
            let columns = self.columns.clone();
            let cells = columns.iter().map(|column| {
                let (_, cell) = written.iter().find(|(name, _)| name == column).expect("every column is written");
                let quoted = cell.contains([',', '"', '\n']) || (!cell.is_empty() && self.rng.chance(10));
                if quoted { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.clone() }
            });
            return cells.collect::<Vec<_>>().join(",").into_bytes();
        }
        written.retain(|(_, text)| !text.is_empty());
        self.rng.shuffle(&mut written);
        // What nobody asked for, a field of the same name inside another, and names that only look different.
        if self.rng.chance(10) {
            written.push(("other", r#"{"ts":[1,{"v":"}"}],"k":null}"#.to_string()));
        }
        // Of duplicates the last one counts (N5).
        let (name, wrong) = *self.rng.pick(&[("v", "\"no\""), ("ts", "{}"), ("k", "[1]")]);
        if self.rng.chance(10) && written.iter().any(|(column, _)| *column == name) {
            written.insert(0, (name, wrong.to_string()));
        }
        let blank = *self.rng.pick(&["", "", "", " ", "\t"]);
        let members: Vec<String> = written
            .iter()
            .map(|(name, text)| {
                let name = if self.rng.chance(2) { name.replace('t', "\\u0074") } else { name.to_string() };
                format!("{blank}\"{name}\"{blank}:{blank}{text}")
            })
            .collect();
        format!("{blank}{{{}}}{blank}", members.join(",")).into_bytes()
    }

    fn blank(&mut self) -> Record {
        let raw = if self.format == Format::Csv { "" } else { *self.rng.pick(&["", "  ", "\t"]) };
        Record { raw: raw.into(), meaning: Meaning::Blank }
    }

    /// An event with one thing wrong.
    fn bad(&mut self) -> Record {
        let time = self.write_time((self.newest + 20) * self.tick);
        let mut written: Vec<(&'static str, String)> = COLUMNS.map(|name| (name, "1".to_string())).to_vec();
        written[0].1 = time;
        let numeric = self.numeric.clone();
        let csv = self.format == Format::Csv;
        if !numeric.is_empty() && self.rng.chance(30) {
            let name = *self.rng.pick(&numeric);
            let cells = ["abc", "1,234", "0x10", "NaN", "1 2", "--1", ".", "1e"];
            let values = ["\"abc\"", "\"1,234\"", "\"0x10\"", "\"NaN\"", "true", "[1]", "{}", "\"\"", "\"1e\""];
            let text = if csv { *self.rng.pick(&cells) } else { *self.rng.pick(&values) };
            written.iter_mut().find(|(column, _)| *column == name).expect("it is a column").1 = text.to_string();
        } else if csv {
            written[0].1 = (*self.rng.pick(&["yesterday", "", "9999-99-99", "12:00"])).to_string();
        } else if self.flags.contains("-k") && self.rng.chance(30) {
            written[1].1 = (*self.rng.pick(&["{}", "[]", "[\"a\"]"])).to_string();
        } else if self.rng.chance(50) {
            written[0].1 = (*self.rng.pick(&["\"yesterday\"", "", "null", "true", "{}", "[5]", "\"\""])).to_string();
        } else {
            let broken: [&[u8]; 10] = [
                b"nonsense",
                b"[1,2]",
                b"7",
                b"\"text\"",
                b"{\"ts\":",
                b"{\"ts\":1}}",
                b"{\"ts\":1,}",
                b"{\"ts\":1,\"unused\":01}",
                b"{\"ts\":1,\"unused\":\"\xff\"}",
                b"{'ts':1}",
            ];
            return Record { raw: self.rng.pick(&broken).to_vec(), meaning: Meaning::Bad };
        }
        let raw = if csv {
            self.line(written)
        } else {
            // No duplicates here, which could mend it.
            let members = written.iter().filter(|(_, text)| !text.is_empty());
            let members: Vec<String> = members.map(|(name, text)| format!("\"{name}\":{text}")).collect();
            format!("{{{}}}", members.join(",")).into_bytes()
        };
        Record { raw, meaning: Meaning::Bad }
    }
}

/// A delay or a lateness in ticks: none, short, long or without end, with these chances in percent.
fn span(rng: &mut Rng, tick: Nanos, [none, short, long]: [i128; 3]) -> i128 {
    match rng.between(0, 99) {
        chance if chance < none => 0,
        chance if chance < none + short => rng.between(1, 5),
        chance if chance < none + short + long => rng.between(6, 40),
        _ => HUGE / tick,
    }
}

fn cell_field(text: &str) -> Field {
    if text.is_empty() { Field::Null } else { Field::Cell(text.to_string()) }
}

fn json_field(text: &str) -> Field {
    match text {
        "" | "null" => Field::Null,
        "true" => Field::Bool(true),
        "false" => Field::Bool(false),
        _ if text.starts_with('"') => Field::Text(serde_json::from_str(text).expect("a JSON string")),
        _ => Field::Number(text.to_string()),
    }
}

/// A time in some unit, with as many digits behind the point as it needs.
fn decimal(time: Nanos, unit: Nanos) -> String {
    let sign = if time < 0 { "-" } else { "" };
    let (whole, rest) = (time.abs() / unit, time.abs() % unit);
    if rest == 0 {
        return format!("{sign}{whole}");
    }
    let places = unit.ilog10() as usize;
    let fraction = format!("{rest:0places$}");
    format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
}
