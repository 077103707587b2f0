//! What the checks found, in a line each, the report, and the exit status that follows.

use crate::error::{Error, Exit, Severity};
use crate::output::finally;
use crate::output::junit::{self, Outcome};
use crate::output::side::Output;
use std::time::Duration;

/// Says which checks were violated and how often. A run that came to its end well fails then (E3). Only of a whole run all
/// rows are judged together. `more` is what came of another check.
pub fn tell(output: &mut Output, exit: Exit, is_whole: bool, more: Option<Outcome>, took: Duration) -> Exit {
    let Some(gate) = output.gate() else { return exit };
    let mut outcomes = gate.checks.outcomes();
    if is_whole && !output.is_closed() {
        outcomes.extend(output.judge_rows());
    }
    outcomes.extend(more);
    for outcome in outcomes.iter().filter(|outcome| outcome.count > 0) {
        let severity = if outcome.is_warning { Severity::Warning } else { Severity::Failure };
        output.say(severity, &format!("{}: {}", outcome.name, outcome.summary()));
    }
    let has_failed = outcomes.iter().any(|outcome| outcome.count > 0 && !outcome.is_warning);
    let exit = match exit {
        Exit::Done if has_failed && !output.is_closed() => Exit::CheckFailed,
        exit => exit,
    };
    match report(output, &outcomes, exit, took) {
        Ok(()) => exit,
        Err(error) => {
            output.say(Severity::Failure, &error.to_string());
            Exit::Failure
        }
    }
}

/// Writes the report, if one is wanted.
fn report(output: &Output, outcomes: &[Outcome], exit: Exit, took: Duration) -> Result<(), Error> {
    let finally = output.gate().and_then(|gate| gate.finally.as_ref());
    let Some(path) = finally.and_then(|finally| finally.report()) else { return Ok(()) };
    let is_told = outcomes.iter().any(|outcome| outcome.count > 0 && !outcome.is_warning);
    let failure = match (output.failure(), exit) {
        (Some(message), _) => Some(message.to_owned()),
        (None, Exit::Done) => None,
        (None, Exit::CheckFailed) if is_told => None,
        (None, exit) => Some(format!("exit {}; the reason is on stderr", exit.code())),
    };
    finally::write(path, junit::report(outcomes, failure.as_deref(), took.as_secs_f64()).as_bytes())
}
