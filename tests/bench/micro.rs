//! What the parts cost: `cargo bench --bench micro`, or `-- NAME` for some of them.

mod events;

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use events::{Events, USUAL};
use std::sync::Arc;
use streamw::cli::{Command, Config, Terminals, parse};
use streamw::engine::pane::{Emit, LateDrop, Pane, RecordRef};
use streamw::engine::{Engine, Input, Now};
use streamw::event::number::{Number, write_exact};
use streamw::event::{BadRecord, EventBatch};
use streamw::input::csv::{Columns, Separated};
use streamw::input::cut::{CsvRows, Cutter};
use streamw::input::marks::{Marks, Wanted};
use streamw::input::ndjson::Ndjson;
use streamw::input::{Format, Layout, Reading, Tools};
use streamw::output::Encoder;
use streamw::time::parse::{TimeCache, TimeFormat, TimeRules};
use streamw::time::year::YearRule;
use streamw::time::zone::Zone;
use streamw::time::{Span, Timestamp};

/// Events, or values, of each measurement.
const COUNT: u64 = 20_000;
/// Enough for many windows.
const SLOW: Events = Events { count: COUNT, rate: 100, ..USUAL };

fn main() {
    divan::main();
}

fn bytes(events: &Events) -> Vec<u8> {
    let mut bytes = Vec::new();
    events.write(&mut bytes).expect("writing to memory");
    bytes
}

fn config(flags: &str) -> Config {
    let flags = format!("-t ts -k user -d 6s {flags}").split_whitespace().map(Into::into).collect();
    match parse(flags, &Vec::new(), Terminals::default(), Timestamp(0)) {
        Ok(Command::Run(config)) => *config,
        Ok(_) => panic!("the flags are those of a run"),
        Err(answer) => panic!("{}", answer.text),
    }
}

const FIVE: &str = "-a count -a sum:latency_ms -a min:latency_ms -a max:latency_ms -a avg:latency_ms";

fn format(events: &Events) -> Box<dyn Format> {
    if events.csv { Box::new(Separated { delimiter: b',', columns: Columns::FromHeader }) } else { Box::new(Ndjson) }
}

/// Reads all of them as one block, as often as wanted.
fn decoder(events: &Events, config: &Config) -> (EventBatch, impl FnMut(&mut EventBatch) + use<>) {
    let names = ["ts", "user", "latency_ms", "bytes", "status", "url", "msg"].map(str::to_owned);
    let projection = Arc::new(config.projection.clone());
    let (values, fields) = (projection.values.len(), projection.fields().count());
    let decoder = format(events)
        .decoder(Reading { projection, names: &names, source: "-", max_line: 1 << 20 })
        .unwrap_or_else(|error| panic!("{error}"));
    let mut batch = EventBatch::new(values, fields);
    batch.bytes = bytes(events);
    let mut tools = Tools::default();
    (batch, move |batch| decoder.decode(&Layout::default(), batch, &mut tools))
}

fn decoded(events: &Events, config: &Config) -> EventBatch {
    let (mut batch, mut decode) = decoder(events, config);
    decode(&mut batch);
    assert_eq!(batch.times.len() as u64, events.count, "every record is an event");
    batch
}

#[divan::bench(args = [false, true])]
fn decode(bencher: Bencher, csv: bool) {
    let events = Events { count: COUNT, csv, ..USUAL };
    let (mut batch, mut decode) = decoder(&events, &config(&format!("-w 1m {FIVE}")));
    let bytes = batch.bytes.clone();
    bencher.counter(ItemsCount::new(COUNT)).counter(BytesCount::of_slice(&bytes)).bench_local(move || {
        batch.clear();
        batch.bytes.extend_from_slice(&bytes);
        decode(&mut batch);
    });
}

#[divan::bench]
fn marks(bencher: Bencher) {
    let bytes = bytes(&Events { count: COUNT, ..USUAL });
    let mut marks = Marks::default();
    bencher.counter(BytesCount::of_slice(&bytes)).bench_local(|| {
        marks.find(&bytes, Wanted::JsonSpecial);
        black_box(marks.places().len())
    });
}

#[divan::bench]
fn cut_csv(bencher: Bencher) {
    let bytes = bytes(&Events { count: 1000, csv: true, ..USUAL });
    bencher
        .counter(BytesCount::of_slice(&bytes))
        .bench(|| CsvRows::new(b',', 1 << 20).cut(black_box(&bytes), false).end);
}

#[divan::bench(args = ["2026-01-01T00:00:00.123Z", "2026-01-01 00:00:00+02:00", "1767225600", "1767225600.5"])]
fn time(bencher: Bencher, text: &str) {
    let rules = TimeRules { format: TimeFormat::Auto, zone: Zone::utc(), year: YearRule::Written };
    let mut cache = TimeCache::default();
    bencher.bench_local(|| rules.parse_text(black_box(text.as_bytes()), &mut cache));
}

#[divan::bench(args = ["7", "123.456", "-0.000123", "12345678901234567890.5", "6.02e23"])]
fn number(bencher: Bencher, text: &str) {
    bencher.bench(|| Number::parse(black_box(text.as_bytes())));
}

#[divan::bench]
fn write_number(bencher: Bencher) {
    let mut out = Vec::new();
    bencher.bench_local(|| {
        out.clear();
        write_exact(&mut out, black_box(123_456), black_box(3), true);
    });
}

/// Counts rows, and writes them if it can.
struct Rows {
    rows: u64,
    encoder: Option<Box<dyn Encoder>>,
    out: Vec<u8>,
}

impl Emit for Rows {
    fn pane(&mut self, pane: &Pane<'_>) {
        self.rows += 1;
        if let Some(encoder) = &mut self.encoder {
            self.out.clear();
            encoder.row(pane, &mut self.out);
        }
    }
    fn late_drop(&mut self, _: &LateDrop<'_>) {}
    fn bad_record(&mut self, _: RecordRef<'_>, _: &BadRecord) {}
}

fn run(batch: &EventBatch, config: &Config, encoder: Option<Box<dyn Encoder>>) -> u64 {
    let mut engine = Engine::new(config.engine.clone());
    let mut rows = Rows { rows: 0, encoder, out: Vec::new() };
    let now = Now { wall: Timestamp(0), elapsed: Span(0) };
    assert!(engine.step(Input::Batch(batch, now), &mut rows).is_continue());
    assert!(engine.step(Input::End, &mut rows).is_continue());
    rows.rows
}

/// Keys and state: with so many keys, in one window, whose rows go nowhere.
#[divan::bench(args = [100, 10_000, 1_000_000])]
fn table(bencher: Bencher, keys: u64) {
    let config = config("-w 1h -a count");
    let batch = decoded(&Events { count: COUNT, keys, ..USUAL }, &config);
    bencher.counter(ItemsCount::new(COUNT)).bench(|| run(&batch, &config, None));
}

/// Events into windows of different kinds.
#[divan::bench(args = ["1m", "5m/1m", "1h/1s", "session:30s", "count:10"])]
fn engine(bencher: Bencher, window: &str) {
    let config = config(&format!("-w {window} {FIVE}"));
    let batch = decoded(&Events { keys: 100, ..SLOW }, &config);
    bencher.counter(ItemsCount::new(COUNT)).bench(|| run(&batch, &config, None));
}

/// The same with one aggregate.
#[divan::bench(args = ["count", "sum:latency_ms", "stddev:latency_ms", "p99:latency_ms", "distinct:bytes", "last:latency_ms"])]
fn aggregate(bencher: Bencher, call: &str) {
    let config = config(&format!("-w 1m -a {call}"));
    let batch = decoded(&SLOW, &config);
    bencher.counter(ItemsCount::new(COUNT)).bench(|| run(&batch, &config, None));
}

/// The engine and the rows it makes, about one for two events.
#[divan::bench(args = ["ndjson", "csv", "tsv"])]
fn output(bencher: Bencher, format: &str) {
    let config = config(&format!("-w 1m -o {format} {FIVE}"));
    let batch = decoded(&SLOW, &config);
    let encoder = || Some(config.row_format.encoder(config.shape.clone(), config.row_paint));
    bencher.counter(ItemsCount::new(run(&batch, &config, None))).bench(|| run(&batch, &config, encoder()));
}
