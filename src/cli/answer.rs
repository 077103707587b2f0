//! What is said instead of doing anything: help, and mistakes in what was typed.

use super::command;
use crate::error::Severity;
use crate::output::paint::Paint;
use crate::output::text::for_people;

/// What to say instead of doing anything.
#[derive(Debug)]
pub struct Answer {
    /// Ready to be printed.
    pub text: String,
    /// A mistake (stderr, exit 2), or what was asked for, such as the help (stdout, exit 0).
    pub is_error: bool,
}

/// A mistake that the parser of arguments does not know.
pub(super) fn mistake(message: &str, paint: Paint) -> Answer {
    Answer { text: format!("{} {}\n", paint.prefix(Severity::Failure), for_people(message)), is_error: true }
}

/// A mistake in a file, which is shown with the lines around it.
pub(super) fn mistake_in_file(message: &str, paint: Paint) -> Answer {
    let lines = message.lines().map(for_people).collect::<Vec<_>>().join("\n");
    Answer { text: format!("{} {lines}\n", paint.prefix(Severity::Failure)), is_error: true }
}

/// The help of those who have typed nothing.
pub(super) fn short_help(paint: Paint) -> Answer {
    Answer { text: styled(&command().render_help(), paint), is_error: true }
}

pub(super) fn styled(text: &clap::builder::StyledStr, paint: Paint) -> String {
    if paint.is_on() { text.ansi().to_string() } else { text.to_string() }
}

/// All lines for people begin alike, and what was typed is shown without what a terminal would obey. clap's own
/// colours are let through where nothing that was typed could be one.
pub(super) fn reword(error: &clap::Error, paint: Paint, is_harmless: bool) -> String {
    let paint = if is_harmless { paint } else { Paint::default() };
    let text = styled(&error.render(), paint);
    let is_code = |text: &str| text.bytes().all(|byte| matches!(byte, b'\x1b' | b'[' | b';' | b'm' | b'0'..=b'9'));
    let text = match text.split_once("error:") {
        Some((before, rest)) if is_code(before) => {
            format!("{}{}", paint.prefix(Severity::Failure), rest.strip_prefix("\u{1b}[0m").unwrap_or(rest))
        }
        _ => text,
    };
    if is_harmless {
        return text;
    }
    text.split_inclusive('\n')
        .map(|line| match line.strip_suffix('\n') {
            Some(line) => for_people(line) + "\n",
            None => for_people(line),
        })
        .collect()
}
