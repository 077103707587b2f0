//! A run that follows files: whose records come next, and what may be asked of it meanwhile by signals.

use super::Run;
use super::ending::Ending;
use super::waiting::Waits;
use crate::error::{Severity, plain};
use crossbeam_channel::TryRecvError;
use std::fs::OpenOptions;
use std::ops::ControlFlow;
use std::time::Duration;

impl Run {
    /// Takes what there is of any followed file; of several, of the one that holds the watermark back, so that no more
    /// windows are open than need be.
    pub(super) fn turn_of_any(&mut self) -> ControlFlow<Ending> {
        let next = self.engine.lead().next_input().filter(|_| !self.has_partitions).map(|input| self.stream_of(input));
        let count = self.streams.len();
        // The others in turn, so that none of them has to wait for one that never pauses.
        let others = (1..=count).map(|step| (self.last_taken + step) % count);
        for index in next.into_iter().chain(others.collect::<Vec<_>>()) {
            if self.streams[index].has_ended {
                continue;
            }
            match self.streams[index].next() {
                Ok(item) => {
                    self.last_taken = index;
                    return self.take(index, item);
                }
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return self.end_of(index),
            }
        }
        self.wait(Waits::All)
    }

    /// Does what signals have asked for since.
    pub(super) fn heed_requests(&mut self) -> ControlFlow<Ending> {
        if self.interrupts.takes_reopening() {
            match self.keeper {
                Some(_) => self.reopen_kept()?,
                None => self.reopen(),
            }
        }
        if self.interrupts.takes_status() {
            self.tell_status();
        }
        ControlFlow::Continue(())
    }

    /// Opens the files that are written anew: they have been renamed. What cannot be opened is written on as it was.
    fn reopen(&mut self) {
        for (which, path) in self.reopened.clone() {
            let opened = OpenOptions::new().append(true).create(true).open(&path);
            match opened.and_then(|file| Ok((file.metadata()?.len() == 0, file))) {
                Ok((is_new, file)) => self.output.reopen(which, Box::new(file), is_new),
                Err(error) => {
                    let text = format!("{}: {}; it is written on as it was", path.display(), plain(&error));
                    self.output.say(Severity::Warning, &text);
                }
            }
        }
    }

    /// Says how far each followed file has been read, and which of them the watermark waits for.
    fn tell_status(&mut self) {
        let Some(watch) = &self.watch else { return };
        let standings = self.engine.lead().standings();
        let now = self.view.since_began(self.view.now());
        let ago = |heard: i64| {
            let silent = Duration::from_nanos(now.0.saturating_sub(heard).max(0).unsigned_abs());
            humantime::format_duration(Duration::from_millis(silent.as_millis() as u64)).to_string()
        };
        let mut lines = Vec::new();
        for (id, followed) in watch.followed() {
            let name = self.output.source_name(id.0);
            let offset = followed.offset();
            let place = match followed.file().and_then(|file| file.stat().ok()) {
                Some(stat) => {
                    format!("at byte {offset} of {} ({} behind)", stat.size, stat.size.saturating_sub(offset))
                }
                None => "not there".to_owned(),
            };
            let stream = self.stream_of(id);
            let standing = standings.get(id.0 as usize);
            let watermark = standing.map_or(self.engine.tally().watermark, |standing| standing.watermark);
            let watermark =
                watermark.map_or("no watermark yet".to_owned(), |w| format!("watermark {}", self.output.shown(w)));
            let mood = if self.streams[stream].is_idle { "idle" } else { "active" };
            lines.push(format!("{name}: {place}, {watermark}, {mood}"));
        }
        let holder = self.engine.lead().next_input().filter(|_| standings.len() > 1);
        let watermark = self.engine.tally().watermark.map(|w| self.output.shown(w));
        let watermark = watermark.unwrap_or_else(|| "not known yet".to_owned());
        lines.push(match holder.and_then(|holder| Some((holder, standings.get(holder.0 as usize)?))) {
            Some((holder, standing)) => {
                let name = self.output.source_name(holder.0);
                let since = ago(standing.heard.0);
                let why = match standing.watermark {
                    Some(_) => format!("whose last event came {since} ago"),
                    None => format!("which has had no event yet, for {since}"),
                };
                format!("W is {watermark}, held back by {name}, {why}")
            }
            None => format!("W is {watermark}"),
        });
        for line in lines {
            self.output.answer(&line);
        }
        self.output.flush();
    }
}
