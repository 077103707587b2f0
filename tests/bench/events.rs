//! Made-up events, the same each time: what a web service might log.

use std::fmt::Write as _;
use std::io::{self, Write};
use streamw::time::Timestamp;
use streamw::time::format::TimeStyle;
use streamw::time::zone::Zone;

/// What the events are like.
#[derive(Clone, Copy, Debug)]
pub struct Events {
    /// How many.
    pub count: u64,
    /// Of so many keys, few of which are common (the density falls like one over the rank).
    pub keys: u64,
    /// So many in a second of event time.
    pub rate: u64,
    /// Seconds that an event is late at the most.
    pub disorder: u64,
    /// Columns, at least the three that are used.
    pub columns: usize,
    /// CSV with a header, or NDJSON.
    pub csv: bool,
}

/// 10,000 keys, 5,000 events a second, shuffled within 5 seconds, seven columns.
pub const USUAL: Events = Events { count: 1_000_000, keys: 10_000, rate: 5_000, disorder: 5, columns: 7, csv: false };

const WORDS: [&str; 16] = [
    "accepted",
    "backoff",
    "cache",
    "closed",
    "drained",
    "expired",
    "idle",
    "index",
    "München",
    "payload",
    "queue",
    "rejected",
    "retry",
    "served",
    "upstream",
    "a \"quoted\" word",
];

/// xorshift64*
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}

impl Events {
    /// Writes them.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut random = Random(0x5EED);
        let style = TimeStyle::Rfc3339(Zone::utc());
        let (mut line, mut text) = (Vec::new(), String::new());
        if self.csv {
            let more =
                (0..self.columns.saturating_sub(7)).fold(String::new(), |all, index| all + &format!(",c{index}"));
            writeln!(
                out,
                "ts,user,latency_ms{}{more}",
                [",bytes", ",status", ",url", ",msg"][..self.columns.clamp(3, 7) - 3].concat()
            )?;
        }
        for index in 0..self.count {
            let late = random.below(self.disorder * 1000 + 1) as i64;
            let millis = 1_767_225_600_000 + (index * 1000 / self.rate) as i64 - late;
            // A uniform logarithm.
            let key = (self.keys as f64).powf(random.below(1 << 40) as f64 / (1u64 << 40) as f64) as u64 - 1;
            line.clear();
            line.extend_from_slice(if self.csv { b"" } else { br#"{"ts":""# });
            style.write(&mut line, Timestamp(millis * 1_000_000));
            let latency = format!("{}.{}", 1 + random.below(200), 1 + random.below(999));
            match self.csv {
                true => write!(line, ",u{key},{latency}")?,
                false => write!(line, r#"","user":"u{key}","latency_ms":{latency}"#)?,
            }
            for column in 3..self.columns {
                text.clear();
                match column {
                    3 => write!(text, "{}", random.below(60_000)),
                    4 => write!(text, "{}", [200, 200, 301, 404, 500][random.below(5) as usize]),
                    5 => write!(text, "/api/v1/items?ref=home&id={}", random.below(100_000)),
                    6 => (0..8).try_for_each(|_| write!(text, "{} ", WORDS[random.below(16) as usize])),
                    _ => write!(text, "{}", random.below(1_000_000)),
                }
                .map_err(io::Error::other)?;
                let is_text = matches!(column, 5 | 6);
                match (self.csv, is_text) {
                    (true, false) => write!(line, ",{text}")?,
                    (true, true) => write!(line, ",\"{}\"", text.replace('"', "\"\""))?,
                    (false, false) => write!(line, ",\"{}\":{text}", name(column))?,
                    (false, true) => write!(line, ",\"{}\":\"{}\"", name(column), text.replace('"', "\\\""))?,
                }
            }
            line.extend_from_slice(if self.csv { b"\n" } else { b"}\n" });
            out.write_all(&line)?;
        }
        Ok(())
    }
}

/// What a column after the third is called.
fn name(column: usize) -> String {
    match column {
        3 => "bytes".into(),
        4 => "status".into(),
        5 => "url".into(),
        6 => "msg".into(),
        _ => format!("c{}", column - 7),
    }
}
