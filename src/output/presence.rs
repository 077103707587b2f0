//! What should be there: keys that have a row in every window (`--expect-keys`), windows that have rows
//! (`--expect-windows`).

use super::side::Line;
use super::text::json_time;
use crate::engine::pane::{Pane, Timing};
use crate::event::key::{KeyPart, parts};
use crate::time::Timestamp;
use crate::time::format::TimeStyle;
use crate::window::spec::WindowSpec;
use crate::window::{Window, WindowId};
use std::collections::{BTreeMap, HashMap};

/// Keys and windows that are expected, and which have come.
#[derive(Debug)]
pub struct Presence {
    windows: Vec<WindowSpec>,
    /// As given, if there are several.
    names: Vec<String>,
    style: TimeStyle,
    /// Expected keys, as text, and their places.
    keys: Vec<String>,
    places: HashMap<String, usize>,
    /// Windows from here on, and up to there, should be there.
    range: Option<(Timestamp, Timestamp)>,
    /// Which keys have come in each window.
    seen: BTreeMap<(usize, i64), Vec<bool>>,
    /// Which have come at all.
    ever: Vec<bool>,
}

/// Something that is not there.
struct Missing {
    check: &'static str,
    spec: usize,
    window: Option<Window>,
    key: Option<usize>,
}

/// Most windows that a range may have.
pub const MOST_WINDOWS: i64 = 1_000_000;

impl Presence {
    /// Nothing has come. `names` are the windows as given, if there are several.
    pub fn new(
        windows: Vec<WindowSpec>,
        names: Vec<String>,
        style: TimeStyle,
        range: Option<(Timestamp, Timestamp)>,
    ) -> Presence {
        Presence {
            windows,
            names,
            style,
            keys: Vec::new(),
            places: HashMap::new(),
            range,
            seen: BTreeMap::new(),
            ever: Vec::new(),
        }
    }

    /// Expects the keys of a file: one a line, the parts of a composite one between tabs.
    pub fn expect_keys(&mut self, text: &str) {
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let key = line.strip_suffix('\r').unwrap_or(line).to_owned();
            if !self.places.contains_key(&key) {
                self.places.insert(key.clone(), self.keys.len());
                self.keys.push(key);
            }
        }
        self.ever = vec![false; self.keys.len()];
    }

    /// Notes a row that is printed.
    pub fn take(&mut self, pane: &Pane<'_>) {
        if pane.timing == Timing::Retract {
            return;
        }
        let place = self.places.get(&key_text(pane.key)).copied();
        if let Some(place) = place {
            self.ever[place] = true;
        }
        if let Some(WindowSpec::Sliced(sliced)) = self.windows.get(pane.spec) {
            let last = Timestamp(pane.window.end.0.saturating_sub(1));
            let keys = self.keys.len();
            let seen =
                self.seen.entry((pane.spec, sliced.first_ending_after(last).0)).or_insert_with(|| vec![false; keys]);
            if let Some(place) = place {
                seen[place] = true;
            }
        }
    }

    /// Says what has not come, at the end; how much for each of the two checks, keys first.
    pub fn judge(&self, mut say: impl FnMut(&'static str, Vec<u8>)) {
        let is_of_windows = |spec: &WindowSpec| matches!(spec, WindowSpec::Sliced(_));
        for (spec, window) in self.windows.iter().enumerate() {
            match (window, self.range) {
                (WindowSpec::Sliced(sliced), Some((from, to))) => {
                    let first = sliced.first_ending_after(from).0;
                    for number in first..first.saturating_add(MOST_WINDOWS) {
                        let window = sliced.window(WindowId(number));
                        if window.end > to {
                            break;
                        }
                        if window.start >= from {
                            self.judge_window(spec, number, window, &mut say);
                        }
                    }
                }
                (WindowSpec::Sliced(sliced), None) => {
                    for (_, number) in self.seen.range((spec, i64::MIN)..=(spec, i64::MAX)).map(|(place, _)| place) {
                        self.judge_window(spec, *number, sliced.window(WindowId(*number)), &mut say);
                    }
                }
                _ => {}
            }
        }
        // Keys that never came, where no window says so.
        let is_told = self.range.is_some() || !self.seen.is_empty();
        if !(is_told && self.windows.iter().all(is_of_windows)) {
            for key in (0..self.keys.len()).filter(|key| !self.ever[*key]) {
                self.tell(
                    &Missing { check: "--expect-keys", spec: usize::MAX, window: None, key: Some(key) },
                    &mut say,
                );
            }
        }
    }

    fn judge_window(&self, spec: usize, number: i64, window: Window, say: &mut impl FnMut(&'static str, Vec<u8>)) {
        match self.seen.get(&(spec, number)) {
            None => self.tell(&Missing { check: "--expect-windows", spec, window: Some(window), key: None }, say),
            Some(seen) => {
                for key in (0..seen.len()).filter(|key| !seen[*key]) {
                    let missing = Missing { check: "--expect-keys", spec, window: Some(window), key: Some(key) };
                    self.tell(&missing, say);
                }
            }
        }
    }

    fn tell(&self, missing: &Missing, say: &mut impl FnMut(&'static str, Vec<u8>)) {
        let mut out = Vec::new();
        let mut line = Line::begin(&mut out, "violation");
        line.text("check", missing.check);
        if let Some(name) = self.names.get(missing.spec) {
            line.text("window", name);
        }
        if let Some(window) = missing.window {
            line.member("window_start", |out| json_time(out, &self.style, window.start));
            line.member("window_end", |out| json_time(out, &self.style, window.end));
        }
        if let Some(key) = missing.key {
            line.text("key", &self.keys[key]);
        }
        line.end();
        say(missing.check, out);
    }
}

/// A key as it stands in a file of expected ones.
fn key_text(key: &[u8]) -> String {
    let part = |part| match part {
        KeyPart::Null => "null".to_owned(),
        KeyPart::Bool(value) => value.to_string(),
        KeyPart::Number(number) => number,
        KeyPart::Text(text) => text.into_owned(),
    };
    parts(key).map(part).collect::<Vec<_>>().join("\t")
}
