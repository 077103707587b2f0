//! The figures of the summary by name: for its JSON line (`--stats`) and for checks (`stats.bad > 0`).

use crate::expr::{Lookup, Scope, Type, Value};
use crate::metrics::Counters;
use crate::time::format::TimeStyle;
use std::borrow::Cow;
use std::time::Duration;

/// What is counted of the input as a whole.
pub fn of_input(counters: &Counters) -> [(&'static str, u64); 9] {
    [
        ("records", counters.records),
        ("blank", counters.blank),
        ("headers", counters.headers),
        ("bad", counters.bad),
        ("duplicates", counters.duplicates),
        ("punctuation", counters.punctuation),
        ("filtered", counters.filtered),
        ("events", counters.events),
        ("ambiguous_time", counters.ambiguous_time),
    ]
}

/// What is counted for each of several windows, too.
pub fn per_window(counters: &Counters) -> [(&'static str, u64); 12] {
    [
        ("added", counters.added),
        ("late_drops", counters.late_drops),
        ("unwindowed", counters.unwindowed),
        ("late_refused", counters.late_refused),
        ("key_drops", counters.key_drops),
        ("folded", counters.folded),
        ("panes", counters.panes),
        ("on_time", counters.on_time),
        ("late", counters.late),
        ("early", counters.early),
        ("retract", counters.retract),
        ("filled", counters.filled),
    ]
}

/// The figures of a run.
#[derive(Debug)]
pub struct Figures(Vec<(&'static str, Value<'static>)>);

impl Figures {
    /// What a run has counted, and how long it took.
    pub fn new(counters: &Counters, took: Duration, style: &TimeStyle) -> Figures {
        let counts = of_input(counters).into_iter().chain(per_window(counters)).chain([
            ("bytes", counters.bytes),
            ("open_windows", counters.open_windows),
            ("peak_state_bytes", counters.state.peak),
        ]);
        let mut figures: Vec<_> = counts.map(|(name, count)| (name, Value::count(count))).collect();
        let seconds = format!("{:.3}", took.as_secs_f64());
        figures.push(("seconds", Value::of_json(seconds.as_bytes()).unwrap_or(Value::Null)));
        for (name, time) in [("watermark", counters.watermark), ("max_event_time", counters.max_event_time)] {
            let value = time.map_or(Value::Null, |time| {
                let mut text = Vec::new();
                style.write(&mut text, time);
                match style.is_text() {
                    true => Value::Text(Cow::Owned(String::from_utf8_lossy(&text).into_owned())),
                    false => Value::of_json(&text).unwrap_or(Value::Null),
                }
            });
            figures.push((name, value));
        }
        Figures(figures)
    }

    /// The name of a figure.
    pub fn name(&self, slot: usize) -> &'static str {
        self.0[slot].0
    }
}

impl Lookup for Figures {
    fn value(&self, slot: usize) -> Result<Value<'_>, String> {
        Ok(self.0[slot].1.clone())
    }
}

/// The names of the figures.
pub struct SummaryScope;

impl Scope for SummaryScope {
    fn resolve(&mut self, name: &str) -> Result<(usize, Type), String> {
        let none = Figures::new(&Counters::default(), Duration::ZERO, &TimeStyle::Units(1));
        match none.0.iter().position(|(known, _)| *known == name) {
            Some(slot) => {
                let is_time = matches!(name, "watermark" | "max_event_time");
                Ok((slot, if is_time { Type::Any } else { Type::Number }))
            }
            None => {
                let names: Vec<_> = none.0.iter().map(|(known, _)| *known).collect();
                let near = crate::suggest::near(name, names.iter().copied());
                let known = if near.is_empty() { format!(" (it has: {})", names.join(" ")) } else { String::new() };
                Err(format!("the summary has no \"{name}\"{near}{known}"))
            }
        }
    }
}
