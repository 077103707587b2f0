//! How a run ends: why, what is said of it, and the exit status (E3).

use super::{Run, recap};
use crate::engine::{Input, Stop};
use crate::error::{Error, Exit, Severity, counted};
use std::ops::ControlFlow;

/// How the loop ended.
pub enum Ending {
    /// The input has ended.
    EndOfInput,
    /// A limit of E1.
    Limit(Stop),
    /// SIGINT or SIGTERM.
    Signal(i32),
    /// Nobody reads the rows any more, or they cannot be written.
    OutputDone,
    /// The inputs cannot be read on.
    Failed(Error),
    /// The state cannot be written any more.
    Unkept(Error),
}

const ROWS_LOST: &str = "stopped by a signal; rows that nobody took are lost";

impl Run {
    /// Says how it ended.
    pub(super) fn conclude(&mut self, ending: Ending) -> Exit {
        match ending {
            Ending::EndOfInput => self.complete(),
            Ending::Limit(stop) => {
                let (exit, why) = match stop {
                    Stop::Strict => (Exit::Failure, "stopped at the first bad record (--strict)"),
                    Stop::MaxBad => (Exit::CheckFailed, "stopped: more bad records than --max-bad allows"),
                    Stop::MaxLate => (Exit::CheckFailed, "stopped: more late drops than --max-late allows"),
                    Stop::KeyLimit { source, line } => {
                        let name = self.output.source_name(source);
                        let why = format!(
                            "stopped at line {line} of {name}: its key is one more than --key-limit allows (raise it, or \
                             fold or drop such keys with --on-key-limit other or drop)"
                        );
                        self.say_stopped(&why);
                        return Exit::Failure;
                    }
                };
                self.say_stopped(why);
                exit
            }
            Ending::Signal(signal) => {
                // Whether anybody takes them is not known before.
                self.output.flush();
                let is_lost = self.keeper.is_none() && self.output.is_stuck();
                self.say_stopped(if is_lost { ROWS_LOST } else { "stopped by a signal" });
                Exit::Signal(signal)
            }
            Ending::OutputDone => Exit::Done,
            Ending::Failed(error) | Ending::Unkept(error) => {
                self.say_stopped(&error.to_string());
                error.exit()
            }
        }
    }

    /// Says what most likely made events late: a single advance of the watermark (T11), or, if most of them were late from
    /// the start, the order of the input.
    pub(super) fn tell_late_drops(&mut self) {
        let tally = self.engine.tally();
        match tally.runaway {
            Some(advance) if advance.later_drops > 0 => self.output.tell_advance(&advance),
            // (Several windows may drop the same event.)
            _ if (tally.events / 2 + 1..=tally.events).contains(&tally.late_drops) => {
                let (drops, events) = (tally.late_drops, counted(tally.events, "event"));
                let text = format!(
                    "{drops} of {events} were dropped as late, as the first was ahead of them; -d says how far an input is out of \
                     order (one with the newest first can be turned round: tac FILE | streamw ...)"
                );
                self.output.say(Severity::Warning, &text);
            }
            _ => {}
        }
    }

    /// The end of input: what is open fires, and the checks that need the whole are made.
    fn complete(&mut self) -> Exit {
        let is_last = match &self.keeper {
            None => Some(Input::End),
            // A run that has taken nothing, and with nothing open, leaves the state as it is.
            Some(keeper) => {
                let has_something = !keeper.is_to_begin() || self.engine.open_windows() > 0;
                (keeper.flushes && has_something).then_some(Input::Flush)
            }
        };
        if let Some(end) = is_last {
            if let ControlFlow::Break(Ending::Unkept(error)) = self.begin_state() {
                self.output.say(Severity::Failure, &error.to_string());
                return error.exit();
            }
            if let Err(error) = self.engine.end(end, &mut self.output) {
                self.output.say(Severity::Failure, &error.to_string());
                return error.exit();
            }
        }
        self.fields.tell(&mut self.output);
        let counters = self.output.corrected(self.engine.counters());
        self.output.check_summary(&counters, self.view.elapsed());
        if counters.bad > 0 && counters.events == 0 {
            let bad = counted(counters.bad, "bad record");
            self.output.say(Severity::Warning, &format!("no record could be read: {bad}, and no event"));
        }
        let records = counters.records - counters.blank;
        let mut exit = Exit::Done;
        for (flag, share, count, what) in [
            ("--max-bad", self.max_bad_share, counters.bad, "bad record"),
            ("--max-late", self.max_late_share, counters.late_drops, "late drop"),
        ] {
            if let Some(share) = share
                && share.is_exceeded(count, records)
            {
                let (count, records) = (counted(count, what), counted(records, "record"));
                let text = format!("{count} in {records}, which is more than {flag} {share} allows");
                self.output.say(Severity::Failure, &text);
                exit = Exit::CheckFailed;
            }
        }
        exit
    }

    /// A signal that comes after the end of input still keeps rows that nobody takes from coming out.
    pub(super) fn give_up_rows(&mut self, exit: Exit) -> Exit {
        match self.interrupts.signal() {
            Some(signal) if exit == Exit::Done && self.output.is_stuck() => {
                let waits = "stopped by a signal; rows that nobody took wait in the state";
                self.output.say(Severity::Failure, self.keeper.as_ref().map_or(ROWS_LOST, |_| waits));
                Exit::Signal(signal)
            }
            _ => exit,
        }
    }

    fn say_stopped(&mut self, why: &str) {
        let waits = self.keeper.as_ref().map_or("were not printed", |_| "wait in the state");
        let open = match self.engine.counters().open_windows {
            0 => String::new(),
            1 => format!("; 1 open window {}", waits.replace("were", "was").replace("wait ", "waits ")),
            open => format!("; {open} open windows {waits}"),
        };
        self.output.say(Severity::Failure, &format!("{why}{open}"));
    }

    /// The counts of the whole run.
    pub(super) fn sum_up(&mut self) {
        let (counters, took) = (self.output.corrected(self.engine.counters()), self.view.elapsed());
        let mut told = recap::paragraph(&counters, took);
        if let Some(keeper) = &self.keeper {
            told += &recap::checkpoints(keeper.pauses());
        }
        self.output.say(Severity::Detail, &told);
        if self.has_stats {
            self.output.summary(&counters, took);
        }
    }
}
