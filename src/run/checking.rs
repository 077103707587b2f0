//! What the checks found, in a line each, and the exit status that follows.

use crate::error::{Exit, Severity};
use crate::output::side::Output;

/// Says which checks were violated and how often. A run that came to its end well fails then (E3).
pub fn tell(output: &mut Output, exit: Exit) -> Exit {
    let Some(gate) = output.gate() else { return exit };
    let violated = gate.checks.all().iter().filter(|checked| checked.violations > 0);
    let lines: Vec<_> = violated
        .map(|checked| {
            let severity = if checked.check.is_warning { Severity::Warning } else { Severity::Failure };
            let text = match (checked.check.of_summary, checked.violations) {
                (true, _) => format!("{}: true", checked.check.name()),
                (false, 1) => format!("{}: true of 1 row", checked.check.name()),
                (false, rows) => format!("{}: true of {rows} rows", checked.check.name()),
            };
            (severity, text)
        })
        .collect();
    let has_failed = lines.iter().any(|(severity, _)| *severity == Severity::Failure);
    for (severity, text) in lines {
        output.say(severity, &text);
    }
    match exit {
        Exit::Done if has_failed && !output.is_closed() => Exit::CheckFailed,
        exit => exit,
    }
}
